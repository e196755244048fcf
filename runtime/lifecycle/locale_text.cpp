// Text from and to the operating system before objects exist: UTF-8 with surrogate escapes (PEP 383), which is the file
// system's encoding whatever the locale is called.
#include "lifecycle/config.h"

#include <cstring>

namespace amphis {

namespace {

// The length of the valid UTF-8 sequence at p (limit bytes), its character in *c; 0 if it is invalid.
size_t sequence(const unsigned char* p, size_t limit, uint32_t* c) {
  if (p[0] < 0x80) {
    *c = p[0];
    return 1;
  }
  size_t n = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
  if (p[0] < 0xC2 || p[0] > 0xF4 || n > limit) return 0;
  uint32_t value = p[0] & (0x7Fu >> n);
  for (size_t i = 1; i < n; ++i) {
    if ((p[i] & 0xC0) != 0x80) return 0;
    value = value << 6 | (p[i] & 0x3F);
  }
  if ((n == 3 && (value < 0x800 || (value >= 0xD800 && value <= 0xDFFF))) || (n == 4 && (value < 0x10000 || value > 0x10FFFF))) return 0;
  *c = value;
  return n;
}

void put_utf8(std::string& out, uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

// -1, or the position of a character that cannot be encoded.
Py_ssize_t encode(const wchar_t* text, std::string& out) {
  for (const wchar_t* p = text; *p != 0; ++p) {
    auto c = static_cast<uint32_t>(*p);
    if (c >= 0xDC80 && c <= 0xDCFF) {
      out += static_cast<char>(c - 0xDC00);
    } else if ((c >= 0xD800 && c <= 0xDFFF) || c > 0x10FFFF) {
      return p - text;
    } else {
      put_utf8(out, c);
    }
  }
  return -1;
}

}  // namespace

std::wstring decode_bytes(const char* text) {
  std::wstring out;
  size_t n = strlen(text);
  out.reserve(n);
  auto* p = reinterpret_cast<const unsigned char*>(text);
  for (size_t i = 0; i < n;) {
    uint32_t c;
    size_t used = sequence(p + i, n - i, &c);
    if (used == 0) {
      out += static_cast<wchar_t>(0xDC00 + p[i]);
      ++i;
    } else {
      out += static_cast<wchar_t>(c);
      i += used;
    }
  }
  return out;
}

std::string encode_bytes(const wchar_t* text) {
  std::string out;
  encode(text, out);
  return out;
}

}  // namespace amphis

extern "C" {

wchar_t* Py_DecodeLocale(const char* text, size_t* size) {
  std::wstring wide = amphis::decode_bytes(text);
  auto* block = static_cast<wchar_t*>(PyMem_RawMalloc((wide.size() + 1) * sizeof(wchar_t)));
  if (block == nullptr) {
    if (size != nullptr) *size = static_cast<size_t>(-1);
    return nullptr;
  }
  memcpy(block, wide.c_str(), (wide.size() + 1) * sizeof(wchar_t));
  if (size != nullptr) *size = wide.size();
  return block;
}

char* Py_EncodeLocale(const wchar_t* text, size_t* error_position) {
  std::string bytes;
  Py_ssize_t bad = amphis::encode(text, bytes);
  if (bad >= 0) {
    if (error_position != nullptr) *error_position = static_cast<size_t>(bad);
    return nullptr;
  }
  auto* block = static_cast<char*>(PyMem_Malloc(bytes.size() + 1));
  if (block == nullptr) {
    if (error_position != nullptr) *error_position = static_cast<size_t>(-1);
    return nullptr;
  }
  memcpy(block, bytes.c_str(), bytes.size() + 1);
  return block;
}

}  // extern "C"
