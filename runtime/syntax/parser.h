// The front end's entry: source text in, tree or error out.
//
// Knows no Python objects and touches no global state other than `source_hooks`; safe from any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "source/arena.h"
#include "source/diagnostic.h"
#include "syntax/ast.h"

namespace amphis {

enum class ParseMode : unsigned char { Exec, Eval, Single, FuncType };

struct ParseOptions {
  ParseMode mode = ParseMode::Exec;
  // The text is a `str` already in UTF-8: an encoding cookie in it means nothing (PyCF_IGNORE_COOKIE).
  bool ignore_cookie = false;
  // Input that ends too early is an IncompleteInputError (PyCF_ALLOW_INCOMPLETE_INPUT).
  bool allow_incomplete = false;
  // PyCF_DONT_IMPLY_DEDENT: in Single mode the text must end with a newline to end a block.
  bool dont_imply_dedent = false;
  bool type_comments = false;             // accepted and ignored
  bool barry_as_FLUFL = false;            // `<>` in place of `!=`
  std::string_view file_name;             // not empty: words errors of decoding for source read from this file
  size_t stack_budget = size_t{3} << 19;  // how much of the C stack nesting may use
  int first_line = 1;                     // number of the first line, for errors and positions
  int max_int_digits = 4300;              // longest decimal literal (sys.set_int_max_str_digits), 0 for any
};

struct ParseResult {
  ast::mod* tree = nullptr;  // null exactly when `error` is set
  SyntaxErrorInfo error;
  int last_block_line = 0, last_block_col = 0;  // with an error: the last block statement before it
  std::vector<SyntaxWarningInfo> warnings;
  std::string encoding;  // what the text was decoded from, e.g. "utf-8"
};

ParseResult parse(std::string_view source, const ParseOptions& options, Arena& arena);

}  // namespace amphis
