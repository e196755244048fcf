// Spellings of tokens.
#include "source/token.h"

namespace amphis {

namespace {
constexpr std::string_view kSpellings[] = {"ENDMARKER",
                                           "NAME",
                                           "NUMBER",
                                           "STRING",
                                           "NEWLINE",
                                           "INDENT",
                                           "DEDENT",
                                           "(",
                                           ")",
                                           "[",
                                           "]",
                                           ":",
                                           ",",
                                           ";",
                                           "+",
                                           "-",
                                           "*",
                                           "/",
                                           "|",
                                           "&",
                                           "<",
                                           ">",
                                           "=",
                                           ".",
                                           "%",
                                           "{",
                                           "}",
                                           "==",
                                           "!=",
                                           "<=",
                                           ">=",
                                           "~",
                                           "^",
                                           "<<",
                                           ">>",
                                           "**",
                                           "+=",
                                           "-=",
                                           "*=",
                                           "/=",
                                           "%=",
                                           "&=",
                                           "|=",
                                           "^=",
                                           "<<=",
                                           ">>=",
                                           "**=",
                                           "//",
                                           "//=",
                                           "@",
                                           "@=",
                                           "->",
                                           "...",
                                           ":=",
                                           "!",
                                           "OP",
                                           "TYPE_IGNORE",
                                           "TYPE_COMMENT",
                                           "SOFT_KEYWORD",
                                           "FSTRING_START",
                                           "FSTRING_MIDDLE",
                                           "FSTRING_END",
                                           "TSTRING_START",
                                           "TSTRING_MIDDLE",
                                           "TSTRING_END",
                                           "COMMENT",
                                           "NL",
                                           "ERRORTOKEN"};
constexpr std::string_view kKeywords[] = {
    "False", "None",     "True",  "and",    "as",   "assert", "async",  "await",    "break",
    "class", "continue", "def",   "del",    "elif", "else",   "except", "finally",  "for",
    "from",  "global",   "if",    "import", "in",   "is",     "lambda", "nonlocal", "not",
    "or",    "pass",     "raise", "return", "try",  "while",  "with",   "yield"};
}  // namespace

std::string_view token_spelling(Tok kind) {
  if (is_keyword(kind)) return kKeywords[static_cast<int>(kind) - static_cast<int>(Tok::kFirstKeyword)];
  return kSpellings[static_cast<int>(kind)];
}

}  // namespace amphis
