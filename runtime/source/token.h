// Tokens: kinds (numbered as Python's `token` module numbers them; keywords above) and the record the lexer
// fills.
#pragma once

#include <cstdint>
#include <string_view>

namespace amphis {

enum class Tok : uint8_t {
  EndMarker = 0,
  Name,
  Number,
  String,
  Newline,
  Indent,
  Dedent,
  LPar,
  RPar,
  LSqb,
  RSqb,
  Colon,
  Comma,
  Semi,
  Plus,
  Minus,
  Star,
  Slash,
  VBar,
  Amper,
  Less,
  Greater,
  Equal,
  Dot,
  Percent,
  LBrace,
  RBrace,
  EqEqual,
  NotEqual,
  LessEqual,
  GreaterEqual,
  Tilde,
  Circumflex,
  LeftShift,
  RightShift,
  DoubleStar,
  PlusEqual,
  MinEqual,
  StarEqual,
  SlashEqual,
  PercentEqual,
  AmperEqual,
  VBarEqual,
  CircumflexEqual,
  LeftShiftEqual,
  RightShiftEqual,
  DoubleStarEqual,
  DoubleSlash,
  DoubleSlashEqual,
  At,
  AtEqual,
  RArrow,
  Ellipsis,
  ColonEqual,
  Exclamation,
  Op,
  TypeIgnore,
  TypeComment,
  SoftKeyword,
  FStringStart,
  FStringMiddle,
  FStringEnd,
  TStringStart,
  TStringMiddle,
  TStringEnd,
  Comment,
  Nl,
  Error,

  // Keywords are names to the `token` module; the parser tells them apart by kind.
  kFirstKeyword = 100,
  False = kFirstKeyword,
  None,
  True,
  And,
  As,
  Assert,
  Async,
  Await,
  Break,
  Class,
  Continue,
  Def,
  Del,
  Elif,
  Else,
  Except,
  Finally,
  For,
  From,
  Global,
  If,
  Import,
  In,
  Is,
  Lambda,
  Nonlocal,
  Not,
  Or,
  Pass,
  Raise,
  Return,
  Try,
  While,
  With,
  Yield,
  kKeywordEnd,
};

inline bool is_keyword(Tok kind) {
  return kind >= Tok::kFirstKeyword;
}

// A soft keyword that a Name token spells.
enum class Soft : uint8_t { None, Match, Case, Type, Underscore };

// Lines from 1, columns from 0 in bytes; `col` is -1 for tokens without text (INDENT, DEDENT, ENDMARKER,
// errors).
struct Token {
  Tok kind;
  Soft soft;
  uint16_t level;  // how many brackets are open after it
  int32_t line;
  int32_t col;
  int32_t end_line;
  int32_t end_col;
  uint32_t start;  // offsets in the text
  uint32_t end;
};

// The spelling of a token kind that has only one ("+=", "while"), else its name in the `token` module.
std::string_view token_spelling(Tok kind);

}  // namespace amphis
