// Connects the front end, which knows no objects, with the Unicode database and the codecs.
#include "source/hooks.h"

#include "lifecycle/runtime_state.h"
#include "objects/codecs.h"
#include "objects/unicode_data.h"
#include "sync/ref.h"

namespace amphis {

namespace {

bool assign_utf8(PyObject* text, std::string& out) {
  Py_ssize_t size;
  const char* utf8 = text != nullptr ? PyUnicode_AsUTF8AndSize(text, &size) : nullptr;
  if (utf8 == nullptr) {
    PyErr_Clear();
    return false;
  }
  out.assign(utf8, static_cast<size_t>(size));
  return true;
}

bool nfkc(std::string_view text, std::string& out) {
  Ref<> s = Ref<>::steal(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "strict"));
  Ref<> normal = s ? Ref<>::steal(unicode::normalize(s, unicode::Form::kNfkc)) : Ref<>();
  return assign_utf8(normal, out);
}

bool lookup_name(std::string_view name, std::string& out) {
  Py_UCS4 found[unicode::kMaxSequenceLength];
  int n = unicode::lookup_name(name.data(), static_cast<Py_ssize_t>(name.size()), false, found);
  if (n <= 0) return false;
  Ref<> s = Ref<>::steal(PyUnicode_FromKindAndData(PyUnicode_4BYTE_KIND, found, n));
  return assign_utf8(s, out);
}

bool is_identifier_start(uint32_t c) { return unicode::is_xid_start(c); }
bool is_identifier_continue(uint32_t c) { return unicode::is_xid_continue(c); }
bool is_printable(uint32_t c) { return unicode::has(c, unicode::kPrintable); }

SourceHooks::Decoded decode(std::string_view encoding, std::string_view bytes, std::string& out, std::string& error) {
  std::string name(encoding);
  Ref<> codec = Ref<>::steal(codec_lookup(name.c_str()));
  if (!codec) {
    PyErr_Clear();
    return SourceHooks::Decoded::Unknown;
  }
  Ref<> text = Ref<>::steal(PyUnicode_Decode(bytes.data(), static_cast<Py_ssize_t>(bytes.size()), name.c_str(), nullptr));
  if (!text) {
    Ref<> raised = Ref<>::steal(PyErr_GetRaisedException());
    Ref<> message = raised ? Ref<>::steal(PyObject_Str(raised)) : Ref<>();
    assign_utf8(message, error);
    return SourceHooks::Decoded::Failed;
  }
  return assign_utf8(text, out) ? SourceHooks::Decoded::Ok : SourceHooks::Decoded::Failed;
}

}  // namespace

void install_source_hooks() {
  source_hooks.nfkc = nfkc;
  source_hooks.lookup_name = lookup_name;
  source_hooks.is_identifier_start = is_identifier_start;
  source_hooks.is_identifier_continue = is_identifier_continue;
  source_hooks.is_printable = is_printable;
  source_hooks.decode = decode;
}

}  // namespace amphis
