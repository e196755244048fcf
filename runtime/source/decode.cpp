// Decoding source bytes.
#include "source/decode.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "source/hooks.h"
#include "source/utf8.h"

namespace amphis {

size_t utf8::valid_prefix(std::string_view text, bool allow_surrogates, const char** reason) {
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  const auto* begin = p;
  const auto* end = p + text.size();
  auto stop = [&](const char* why) {
    if (reason) *reason = why;
    return static_cast<size_t>(p - begin);
  };
  while (p < end) {
    if (*p < 0x80) {
      while (end - p >= 8) {
        uint64_t word;
        std::memcpy(&word, p, 8);
        if (word & 0x8080808080808080ull) break;
        p += 8;
      }
      while (p < end && *p < 0x80) ++p;
      continue;
    }
    unsigned lead = *p;
    if (lead < 0xC2 || lead > 0xF4) return stop("invalid start byte");
    int size = sequence_length(static_cast<unsigned char>(lead));
    unsigned low = 0x80, high = 0xBF;  // bounds of the second byte
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED && !allow_surrogates) high = 0x9F;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
    for (int i = 1; i < size; ++i) {
      if (p + i >= end) return stop("unexpected end of data");
      if (p[i] < low || p[i] > high) return stop("invalid continuation byte");
      low = 0x80;
      high = 0xBF;
    }
    p += size;
  }
  if (reason) *reason = nullptr;
  return text.size();
}

namespace {

std::string normalise_encoding_name(std::string_view name) {
  std::string lowered;
  for (char c : name.substr(0, 12)) {
    lowered += c == '_' ? '-' : c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  auto is_variant = [&](std::string_view base) {
    return lowered == base || (lowered.size() > base.size() && lowered.compare(0, base.size(), base) == 0 &&
                               lowered[base.size()] == '-');
  };
  if (is_variant("utf-8")) return "utf-8";
  if (is_variant("latin-1") || is_variant("iso-8859-1") || is_variant("iso-latin-1")) return "iso-8859-1";
  return std::string(name);
}

// The cookie in one line; `only_comment` says whether a second line may still hold one.
std::string cookie_in_line(std::string_view line, bool& only_comment) {
  size_t i = 0;
  while (i < line.size() && (line[i] == ' ' || line[i] == '\t' || line[i] == '\f')) ++i;
  only_comment = i == line.size() || line[i] == '#';
  if (i == line.size() || line[i] != '#') return {};
  for (size_t at = line.find("coding", i); at != std::string_view::npos; at = line.find("coding", at + 1)) {
    size_t p = at + 6;
    if (p >= line.size() || (line[p] != ':' && line[p] != '=')) continue;
    ++p;
    while (p < line.size() && (line[p] == ' ' || line[p] == '\t')) ++p;
    size_t start = p;
    auto is_name_char = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
             c == '_' || c == '.';
    };
    while (p < line.size() && is_name_char(line[p])) ++p;
    if (p > start) return normalise_encoding_name(line.substr(start, p - start));
  }
  return {};
}

std::string_view take_line(std::string_view& rest) {
  size_t eol = rest.find_first_of("\r\n");
  std::string_view line = rest.substr(0, eol);
  if (eol == std::string_view::npos) {
    rest = {};
  } else {
    size_t skip = rest[eol] == '\r' && eol + 1 < rest.size() && rest[eol + 1] == '\n' ? 2 : 1;
    rest.remove_prefix(eol + skip);
  }
  return line;
}

// The text of the line around `at`, with ill-formed bytes replaced, for a message.
std::string printable_line(std::string_view bytes, size_t at, int& lineno, size_t& line_start) {
  lineno = 1;
  line_start = 0;
  for (size_t i = 0; i < at; ++i) {
    if (bytes[i] == '\n' || (bytes[i] == '\r' && (i + 1 >= bytes.size() || bytes[i + 1] != '\n'))) {
      ++lineno;
      line_start = i + 1;
    }
  }
  std::string_view line = bytes.substr(line_start);
  line = line.substr(0, line.find_first_of("\r\n"));
  std::string out;
  while (!line.empty()) {
    const char* reason;
    size_t good = utf8::valid_prefix(line, false, &reason);
    out += line.substr(0, good);
    line.remove_prefix(good);
    if (!line.empty()) {
      out += "\xEF\xBF\xBD";
      auto lead = static_cast<unsigned char>(line[0]);
      size_t bad = 1;
      if (lead == 0xE2 || (lead > 0xE0 && lead < 0xED) || lead > 0xED) {
        // A truncated sequence is one replacement character.
        while (bad < line.size() && bad < static_cast<size_t>(utf8::sequence_length(lead)) &&
               (static_cast<unsigned char>(line[bad]) & 0xC0) == 0x80) {
          ++bad;
        }
      }
      line.remove_prefix(bad);
    }
  }
  return out;
}

}  // namespace

std::string find_encoding_cookie(std::string_view bytes) {
  bool only_comment = false;
  std::string_view rest = bytes;
  std::string found = cookie_in_line(take_line(rest), only_comment);
  if (found.empty() && only_comment) found = cookie_in_line(take_line(rest), only_comment);
  return found;
}

DecodedSource decode_source(std::string_view bytes, const DecodeOptions& options, Arena& arena) {
  DecodedSource result;
  SyntaxErrorInfo& error = result.error;
  auto fail_nowhere = [&](std::string message) {
    error.kind = SyntaxErrorKind::SyntaxError;
    error.message = std::move(message);
    error.lineno = 0;
    error.offset = -1;
  };
  result.encoding = "utf-8";
  const size_t null_at = bytes.find('\0');
  const char* unused;
  // In a file the first mistake counts: UTF-16 text begins with bytes that are no UTF-8.
  if (null_at != std::string_view::npos &&
      (options.file_name.empty() || utf8::valid_prefix(bytes.substr(0, null_at), false, &unused) == null_at)) {
    fail_nowhere(!options.file_name.empty() ? "source code cannot contain null bytes"
                                   : "source code string cannot contain null bytes");
    error.offset = 0;
    error.has_location = !options.file_name.empty();
    if (error.has_location) {
      const size_t start = bytes.substr(0, null_at).rfind('\n') + 1;
      error.lineno =
          static_cast<int>(std::count(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(null_at), '\n')) + 1;
      error.text = std::string(bytes.substr(start, null_at - start));
      error.has_text = true;
    }
    return result;
  }
  std::string recoded;
  bool check_utf8 = true;
  if (!options.ignore_cookie) {
    bool has_bom = bytes.substr(0, 3) == "\xEF\xBB\xBF";
    if (has_bom) bytes.remove_prefix(3);
    std::string cookie = find_encoding_cookie(bytes);
    if (has_bom && !cookie.empty() && cookie != "utf-8") {
      fail_nowhere("encoding problem: " + cookie + " with BOM");
      error.lineno = error.end_lineno = 1;
      error.offset = 0;
      std::string_view rest = bytes;
      error.text = std::string(take_line(rest));
      error.has_text = true;
      error.end_offset = static_cast<int>(error.text.size());
      return result;
    }
    if (!cookie.empty() && cookie != "utf-8") {
      result.encoding = cookie;
      if (cookie == "iso-8859-1" || cookie == "latin1" || cookie == "iso8859-1") {
        recoded.reserve(bytes.size() + bytes.size() / 8);
        for (char c : bytes) utf8::append(recoded, static_cast<unsigned char>(c));
      } else if (cookie == "ascii" && utf8::is_ascii(bytes)) {
        recoded.assign(bytes);
      } else if (!source_hooks.decode) {
        return fail_nowhere("unknown encoding: " + cookie), std::move(result);
      } else {
        std::string why;
        auto outcome = source_hooks.decode(cookie, bytes, recoded, why);
        if (outcome != SourceHooks::Decoded::Ok) {
          return fail_nowhere(why.empty() ? "unknown encoding: " + cookie : why), std::move(result);
        }
      }
      bytes = recoded;
      check_utf8 = false;
    }
  }
  if (check_utf8) {
    const char* reason;
    size_t good = utf8::valid_prefix(bytes, options.ignore_cookie, &reason);
    if (good < bytes.size()) {
      int lineno;
      size_t line_start;
      error.text = printable_line(bytes, good, lineno, line_start);
      char byte[8];
      std::snprintf(byte, sizeof(byte), "\\x%.2x", static_cast<unsigned>(static_cast<unsigned char>(bytes[good])));
      error.kind = SyntaxErrorKind::SyntaxError;
      error.message = std::string("Non-UTF-8 code starting with '") + byte + "'";
      if (!options.file_name.empty()) error.message.append(" in file ").append(options.file_name);
      error.message += " on line " + std::to_string(lineno) +
                       ", but no encoding declared; see https://peps.python.org/pep-0263/ for details";
      error.has_text = true;
      error.lineno = error.end_lineno = lineno;
      error.offset = error.end_offset = utf8::count(bytes.substr(line_start, good - line_start)) + 1;
      return result;
    }
  }

  auto* buffer = static_cast<char*>(arena.allocate(bytes.size() + 2));
  char* out = buffer;
  const char* p = bytes.data();
  const char* end = p + bytes.size();
  while (p < end) {
    const void* found = std::memchr(p, '\r', static_cast<size_t>(end - p));
    const char* cr = found ? static_cast<const char*>(found) : end;
    std::memcpy(out, p, static_cast<size_t>(cr - p));
    out += cr - p;
    p = cr;
    if (p == end) break;
    *out++ = '\n';
    p += p + 1 < end && p[1] == '\n' ? 2 : 1;
  }
  if (options.ensure_newline && (out == buffer || out[-1] != '\n')) *out++ = '\n';
  *out = '\0';
  result.text = {buffer, static_cast<size_t>(out - buffer)};
  return result;
}

}  // namespace amphis
