// The parser's entry, its token array and its two passes.
#include "syntax/parser.h"

#include <new>

#include "source/decode.h"
#include "source/hooks.h"
#include "source/utf8.h"
#include "syntax/parser_impl.h"

namespace amphis {

Parser::Parser(std::string_view text, const ParseOptions& options, Arena& arena,
               std::vector<SyntaxWarningInfo>* warnings)
    : arena_(arena),
      options_(options),
      text_(text),
      lexer_(text, LexerOptions{false, options.first_line}, warnings),
      warnings_(warnings) {
  tokens_.reserve(text.size() / 6 + 16);
  stack_limit_ = reinterpret_cast<uintptr_t>(__builtin_frame_address(0)) - options.stack_budget;
}

void Parser::fetch() {
  Token& t = tokens_.emplace_back();
  lexer_.next(t);
  if (t.kind == Tok::Error) {
    if (!raised_) {
      raised_ = true;
      error_ = lexer_.error();
    }
    return;
  }
  if (options_.mode == ParseMode::Single) {
    // "single" input may end without a newline, and its end closes all blocks.
    if (t.kind == Tok::EndMarker && parsing_started_) {
      t.kind = Tok::Newline;
      parsing_started_ = false;
      if (lexer_.indentation() > 0 && !options_.dont_imply_dedent) lexer_.close_all_indents();
    } else {
      parsing_started_ = true;
    }
  }
}

Identifier Parser::identifier(const Token& t) {
  std::string_view spelling = token_text(t);
  if (source_hooks.nfkc && !utf8::is_ascii(spelling)) {
    std::string normal;
    if (source_hooks.nfkc(spelling, normal)) return arena_.intern(normal);
  }
  return arena_.intern(spelling);
}

void Parser::raise_overflow() {
  if (raised_) return;
  raised_ = true;
  error_ = {};
  error_.kind = SyntaxErrorKind::MemoryError;
  error_.message = "Parser stack overflowed - Python source too complex to parse";
  error_.has_location = false;
}

ast::mod* Parser::run() {
  auto parse = [this]() -> ast::mod* {
    switch (options_.mode) {
      case ParseMode::Exec:
        return parse_file();
      case ParseMode::Eval:
        return parse_eval();
      case ParseMode::Single:
        return parse_interactive();
      case ParseMode::FuncType:
        return parse_func_type();
    }
    return nullptr;
  };
  ast::mod* tree = parse();
  if (tree && !raised_) {
    if (options_.mode == ParseMode::Single) {
      // Nothing but blank lines and comments may follow.
      const char* p = text_.data() + last_token().end;
      bool at_comment = false;
      for (const char* end = text_.data() + text_.size(); p < end; ++p) {
        if (at_comment) {
          at_comment = *p != '\n';
        } else if (*p == '#') {
          at_comment = true;
        } else if (*p != ' ' && *p != '\t' && *p != '\n' && *p != '\f') {
          raise_last("multiple statements found while compiling a single statement");
          return nullptr;
        }
      }
    }
    return tree;
  }
  if (error_.kind == SyntaxErrorKind::MemoryError) return nullptr;
  if (options_.allow_incomplete && lexer_.at_end_of_input()) {
    raised_ = false;
    raise_last("incomplete input", SyntaxErrorKind::IncompleteInputError);
    return nullptr;
  }
  if (!raised_) {
    Token last = last_token();
    second_pass_ = diagnosing_ = memoizing_ = true;
    memo_.clear();
    pos_ = statement_start_ = previous_start_;
    if (options_.mode == ParseMode::Exec) {
      ListBuilder<stmt*> rest(arena_);
      statements(rest, true);
    } else {
      pos_ = 0;
      parse();
    }
    finish_error(last);
  } else if (lexer_.error().kind == SyntaxErrorKind::None) {
    check_rest_of_source();
  }
  return nullptr;
}

ParseResult parse(std::string_view source, const ParseOptions& options, Arena& arena) {
  ParseResult result;
  try {
    DecodeOptions decode;
    decode.ignore_cookie = options.ignore_cookie;
    decode.ensure_newline = options.mode == ParseMode::Exec;
    decode.file_name = options.file_name;
    DecodedSource decoded = decode_source(source, decode, arena);
    result.encoding = std::move(decoded.encoding);
    if (decoded.error) {
      result.error = std::move(decoded.error);
      return result;
    }
    Parser parser(decoded.text, options, arena, &result.warnings);
    result.tree = parser.run();
    if (!result.tree) {
      result.error = parser.error();
      result.last_block_line = parser.last_block_line();
      result.last_block_col = parser.last_block_col();
    }
  } catch (const std::bad_alloc&) {
    result.tree = nullptr;
    result.error = {};
    result.error.kind = SyntaxErrorKind::MemoryError;
    result.error.has_location = false;
  }
  return result;
}

}  // namespace amphis
