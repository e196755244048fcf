// Decoding: source bytes to the text the lexer reads (UTF-8, "\n" line ends, a null character behind the
// end).
//
// Owns the byte order mark, PEP 263 cookies and null bytes. The result lives in the arena, so that tokens'
// texts may be shared by the tree.
#pragma once

#include <string>
#include <string_view>

#include "source/arena.h"
#include "source/diagnostic.h"

namespace amphis {

struct DecodeOptions {
  bool ignore_cookie = false;   // the bytes are UTF-8, whatever a cookie says
  bool ensure_newline = false;  // end the last line if it is not
  std::string_view file_name;   // not empty: words messages for source read from this file
};

struct DecodedSource {
  std::string_view text;
  std::string encoding;  // "utf-8", or what the cookie named
  SyntaxErrorInfo error;
};

DecodedSource decode_source(std::string_view bytes, const DecodeOptions& options, Arena& arena);

// The encoding that a cookie in one of the first two lines names, in the spelling of
// `tokenize.detect_encoding`; empty when there is none.
std::string find_encoding_cookie(std::string_view bytes);

}  // namespace amphis
