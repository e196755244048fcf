// What the front end needs from the rest of the runtime but must not know: the Unicode database and codecs.
//
// The owners fill these in at start-up. While a hook is null the front end does without: identifiers are
// not normalised, \N{...} is an error, a source encoding other than UTF-8, Latin-1 and ASCII is unknown.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace amphis {

struct SourceHooks {
  // The NFKC form of `text` (UTF-8) into `out`; false when out of memory.
  bool (*nfkc)(std::string_view text, std::string& out) = nullptr;

  // The character, or short sequence (UTF-8), that the Unicode database or its aliases call `name`.
  bool (*lookup_name)(std::string_view name, std::string& out) = nullptr;

  // Unicode classes of characters above U+007F: XID_Start (or underscore), XID_Continue, printable.
  bool (*is_identifier_start)(uint32_t c) = nullptr;
  bool (*is_identifier_continue)(uint32_t c) = nullptr;
  bool (*is_printable)(uint32_t c) = nullptr;

  // Decodes `bytes` from a named encoding into UTF-8. Unknown: no such codec, or not a text encoding.
  enum class Decoded { Ok, Unknown, Failed };
  Decoded (*decode)(std::string_view encoding, std::string_view bytes, std::string& out,
                    std::string& error) = nullptr;
};

extern SourceHooks source_hooks;

}  // namespace amphis
