// The type re.Pattern.
#include "modules/sre.h"
#include "objects/str.h"
#include "objects/tuple.h"
#include "sync/atomic_field.h"

namespace amphis::sre {

namespace {

// --- Arguments: (string, pos=0, endpos=sys.maxsize)

struct Range {
  PyObject* string;
  Py_ssize_t pos = 0;
  Py_ssize_t end_pos = PY_SSIZE_T_MAX;
};

bool read_index(PyObject* value, Py_ssize_t* out) {
  Ref<> index = Ref<>::steal(PyNumber_Index(value));
  if (!index) return false;
  *out = PyLong_AsSsize_t(index);
  return *out != -1 || !PyErr_Occurred();
}

bool read_range(const char* function, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames,
                Range* out) {
  if (nargs == 1 && kwnames == nullptr) {
    out->string = args[0];
    return true;
  }
  static const char* const names[] = {"string", "pos", "endpos"};
  PyObject* given[3];
  if (!bind_arguments({function, names, 3, 0, 3, 1}, args, nargs, kwnames, given)) return false;
  out->string = given[0];
  return (given[1] == nullptr || read_index(given[1], &out->pos)) &&
         (given[2] == nullptr || read_index(given[2], &out->end_pos));
}

// --- Matching

PyObject* pattern_match(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  Range range;
  Session session;
  if (!read_range("match", args, nargs, kwnames, &range) ||
      !session.begin(as_pattern(self), range.string, range.pos, range.end_pos)) {
    return nullptr;
  }
  return match_or_none(session, session.match());
}

PyObject* pattern_fullmatch(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  Range range;
  Session session;
  if (!read_range("fullmatch", args, nargs, kwnames, &range) ||
      !session.begin(as_pattern(self), range.string, range.pos, range.end_pos)) {
    return nullptr;
  }
  return match_or_none(session, session.match(true));
}

PyObject* pattern_search(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  Range range;
  Session session;
  if (!read_range("search", args, nargs, kwnames, &range) ||
      !session.begin(as_pattern(self), range.string, range.pos, range.end_pos)) {
    return nullptr;
  }
  return match_or_none(session, session.search());
}

// Steals the item; false if it is null.
bool append_new(PyObject* list, PyObject* item) {
  if (item == nullptr) return false;
  const bool ok = PyList_Append(list, item) == 0;
  Py_DECREF(item);
  return ok;
}

PyObject* found_item(const Session& session) {
  const Py_ssize_t groups = session.pattern()->groups;
  if (groups == 0) return session.subject().slice(session.match_start(), session.match_end());
  if (groups == 1) return session.group_text(1, true);
  Ref<> tuple = Ref<>::steal(PyTuple_New(groups));
  if (!tuple) return nullptr;
  for (Py_ssize_t i = 0; i < groups; ++i) {
    PyObject* text = session.group_text(i + 1, true);
    if (text == nullptr) return nullptr;
    PyTuple_SET_ITEM(tuple.get(), i, text);
  }
  return tuple.release();
}

PyObject* pattern_findall(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  Range range;
  Session session;
  if (!read_range("findall", args, nargs, kwnames, &range) ||
      !session.begin(as_pattern(self), range.string, range.pos, range.end_pos)) {
    return nullptr;
  }
  Ref<> list = Ref<>::steal(PyList_New(0));
  if (!list) return nullptr;
  while (session.start() <= session.end_pos()) {
    const int status = session.search();
    if (status < 0) return nullptr;
    if (status == 0) break;
    if (!append_new(list, found_item(session))) return nullptr;
    session.advance();
  }
  return list.release();
}

PyObject* pattern_split(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static const char* const names[] = {"string", "maxsplit"};
  PyObject* given[2];
  if (!bind_arguments({"split", names, 2, 0, 2, 1}, args, nargs, kwnames, given)) return nullptr;
  Py_ssize_t max_split = 0;
  if (given[1] != nullptr && !read_index(given[1], &max_split)) return nullptr;
  Session session;
  if (!session.begin(as_pattern(self), given[0])) return nullptr;
  Ref<> list = Ref<>::steal(PyList_New(0));
  if (!list) return nullptr;
  Py_ssize_t last = 0;
  for (Py_ssize_t n = 0; max_split == 0 || n < max_split; ++n) {
    const int status = session.search();
    if (status < 0) return nullptr;
    if (status == 0) break;
    if (!append_new(list, session.subject().slice(last, session.match_start()))) return nullptr;
    for (Py_ssize_t i = 1; i <= session.pattern()->groups; ++i) {
      if (!append_new(list, session.group_text(i, false))) return nullptr;
    }
    session.advance();
    last = session.match_end();
  }
  if (!append_new(list, session.subject().slice(last, session.end_pos()))) return nullptr;
  return list.release();
}

PyObject* pattern_finditer(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  Range range;
  if (!read_range("finditer", args, nargs, kwnames, &range)) return nullptr;
  return make_match_iterator(as_pattern(self), range.string, range.pos, range.end_pos);
}

PyObject* pattern_scanner(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  Range range;
  if (!read_range("scanner", args, nargs, kwnames, &range)) return nullptr;
  return make_scanner(as_pattern(self), range.string, range.pos, range.end_pos);
}

PyObject* substitute_with(const char* name, bool with_count, PyObject* self, PyObject* const* args,
                          Py_ssize_t nargs, PyObject* kwnames) {
  static const char* const names[] = {"repl", "string", "count"};
  PyObject* given[3];
  if (!bind_arguments({name, names, 3, 0, 3, 2}, args, nargs, kwnames, given)) return nullptr;
  Py_ssize_t count = 0;
  if (given[2] != nullptr && !read_index(given[2], &count)) return nullptr;
  return substitute(as_pattern(self), given[0], given[1], count, with_count);
}

PyObject* pattern_sub(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return substitute_with("sub", false, self, args, nargs, kwnames);
}

PyObject* pattern_subn(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return substitute_with("subn", true, self, args, nargs, kwnames);
}

PyObject* pattern_copy(PyObject* self, PyObject*) {
  return Py_NewRef(self);
}

// --- The object

int pattern_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(as_pattern(self)->group_index);
  Py_VISIT(as_pattern(self)->index_group);
  Py_VISIT(as_pattern(self)->pattern);
  return 0;
}

int pattern_clear(PyObject* self) {
  Py_CLEAR(as_pattern(self)->group_index);
  Py_CLEAR(as_pattern(self)->index_group);
  Py_CLEAR(as_pattern(self)->pattern);
  return 0;
}

void pattern_dealloc(PyObject* self) {
  untrack(self);
  if (sync::load_acquire(as_pattern(self)->weakrefs) != nullptr) PyObject_ClearWeakRefs(self);
  pattern_clear(self);
  delete as_pattern(self)->program;
  Py_TYPE(self)->tp_free(self);
}

constexpr struct {
  const char* name;
  int value;
} kFlagNames[] = {
    {"re.IGNORECASE", flag::kIgnoreCase}, {"re.LOCALE", flag::kLocale},   {"re.MULTILINE", flag::kMultiline},
    {"re.DOTALL", flag::kDotAll},         {"re.UNICODE", flag::kUnicode}, {"re.VERBOSE", flag::kVerbose},
    {"re.DEBUG", flag::kDebug},           {"re.ASCII", flag::kAscii},
};

PyObject* pattern_repr(PyObject* self) {
  const Pattern* p = as_pattern(self);
  int flags = p->flags;
  // What is implied for a str is not said.
  if (p->is_bytes == 0 && (flags & (flag::kLocale | flag::kUnicode | flag::kAscii)) == flag::kUnicode) {
    flags &= ~flag::kUnicode;
  }
  Ref<> parts = Ref<>::steal(PyList_New(0));
  if (!parts) return nullptr;
  for (const auto& known : kFlagNames) {
    if (!(flags & known.value)) continue;
    if (!append_new(parts, PyUnicode_FromString(known.name))) return nullptr;
    flags &= ~known.value;
  }
  if (flags != 0 && !append_new(parts, PyUnicode_FromFormat("0x%x", flags))) return nullptr;
  if (PyList_GET_SIZE(parts.get()) == 0) return PyUnicode_FromFormat("re.compile(%.200R)", p->pattern);
  Ref<> bar = Ref<>::steal(PyUnicode_FromString("|"));
  Ref<> joined = bar ? Ref<>::steal(PyUnicode_Join(bar, parts)) : Ref<>();
  return joined ? PyUnicode_FromFormat("re.compile(%.200R, %S)", p->pattern, joined.get()) : nullptr;
}

Py_hash_t pattern_hash(PyObject* self) {
  const Pattern* p = as_pattern(self);
  Py_hash_t hash = PyObject_Hash(p->pattern);
  if (hash == -1) return -1;
  const std::vector<Word>& code = p->program->code;
  hash ^= Py_HashBuffer(code.data(), static_cast<Py_ssize_t>(code.size() * sizeof(Word)));
  hash ^= p->flags;
  hash ^= p->is_bytes;
  hash ^= static_cast<Py_hash_t>(code.size());
  return hash == -1 ? -2 : hash;
}

PyObject* pattern_richcompare(PyObject* self, PyObject* other, int op) {
  if ((op != Py_EQ && op != Py_NE) || !Py_IS_TYPE(other, &SrePattern_Type)) Py_RETURN_NOTIMPLEMENTED;
  const Pattern* a = as_pattern(self);
  const Pattern* b = as_pattern(other);
  int equal = a == b;
  if (!equal && a->flags == b->flags && a->is_bytes == b->is_bytes && a->program->code == b->program->code) {
    equal = PyObject_RichCompareBool(a->pattern, b->pattern, Py_EQ);
    if (equal < 0) return nullptr;
  }
  return PyBool_FromLong(equal == (op == Py_EQ));
}

PyObject* pattern_groupindex(PyObject* self, void*) {
  PyObject* index = as_pattern(self)->group_index;
  return PyDict_GET_SIZE(index) == 0 ? PyDict_New() : PyDictProxy_New(index);
}

PyMethodDef pattern_methods[] = {
    {"match", AMPHIS_METHOD(pattern_match), METH_FASTCALL | METH_KEYWORDS,
     "match($self, /, string, pos=0, endpos=sys.maxsize)\n--\n\n"
     "Matches zero or more characters at the beginning of the string."},
    {"fullmatch", AMPHIS_METHOD(pattern_fullmatch), METH_FASTCALL | METH_KEYWORDS,
     "fullmatch($self, /, string, pos=0, endpos=sys.maxsize)\n--\n\nMatches against all of the string."},
    {"search", AMPHIS_METHOD(pattern_search), METH_FASTCALL | METH_KEYWORDS,
     "search($self, /, string, pos=0, endpos=sys.maxsize)\n--\n\n"
     "Scan through string looking for a match, and return a corresponding match object instance.\n\n"
     "Return None if no position in the string matches."},
    {"sub", AMPHIS_METHOD(pattern_sub), METH_FASTCALL | METH_KEYWORDS,
     "sub($self, /, repl, string, count=0)\n--\n\nReturn the string obtained by replacing the leftmost "
     "non-overlapping "
     "occurrences of pattern in string by the replacement repl."},
    {"subn", AMPHIS_METHOD(pattern_subn), METH_FASTCALL | METH_KEYWORDS,
     "subn($self, /, repl, string, count=0)\n--\n\nReturn the tuple (new_string, number_of_subs_made) found "
     "by replacing "
     "the leftmost non-overlapping occurrences of pattern with the replacement repl."},
    {"findall", AMPHIS_METHOD(pattern_findall), METH_FASTCALL | METH_KEYWORDS,
     "findall($self, /, string, pos=0, endpos=sys.maxsize)\n--\n\n"
     "Return a list of all non-overlapping matches of pattern in string."},
    {"split", AMPHIS_METHOD(pattern_split), METH_FASTCALL | METH_KEYWORDS,
     "split($self, /, string, maxsplit=0)\n--\n\nSplit string by the occurrences of pattern."},
    {"finditer", AMPHIS_METHOD(pattern_finditer), METH_FASTCALL | METH_KEYWORDS,
     "finditer($self, /, string, pos=0, endpos=sys.maxsize)\n--\n\nReturn an iterator over all "
     "non-overlapping matches "
     "for the RE pattern in string.\n\nFor each match, the iterator returns a match object."},
    {"scanner", AMPHIS_METHOD(pattern_scanner), METH_FASTCALL | METH_KEYWORDS,
     "scanner($self, /, string, pos=0, endpos=sys.maxsize)\n--\n\n"},
    {"__copy__", pattern_copy, METH_NOARGS, "__copy__($self, /)\n--\n\n"},
    {"__deepcopy__", pattern_copy, METH_O, "__deepcopy__($self, memo, /)\n--\n\n"},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS,
     "__class_getitem__($type, object, /)\n--\n\nSee PEP 585"},
    {},
};

PyMemberDef pattern_members[] = {
    {"pattern", Py_T_OBJECT_EX, offsetof(Pattern, pattern), Py_READONLY,
     "The pattern string from which the RE object was compiled."},
    {"flags", Py_T_INT, offsetof(Pattern, flags), Py_READONLY, "The regex matching flags."},
    {"groups", Py_T_PYSSIZET, offsetof(Pattern, groups), Py_READONLY,
     "The number of capturing groups in the pattern."},
    {},
};

PyGetSetDef pattern_getset[] = {
    {"groupindex", pattern_groupindex, nullptr, "A dictionary mapping group names to group numbers.",
     nullptr},
    {},
};

}  // namespace

}  // namespace amphis::sre

extern "C" {

using namespace amphis::sre;

PyTypeObject SrePattern_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0).tp_name = "re.Pattern",
    .tp_basicsize = sizeof(Pattern),
    .tp_dealloc = pattern_dealloc,
    .tp_repr = pattern_repr,
    .tp_hash = pattern_hash,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
                Py_TPFLAGS_IMMUTABLETYPE,
    .tp_doc = "Compiled regular expression object.",
    .tp_traverse = pattern_traverse,
    .tp_clear = pattern_clear,
    .tp_richcompare = pattern_richcompare,
    .tp_weaklistoffset = offsetof(Pattern, weakrefs),
    .tp_methods = pattern_methods,
    .tp_members = pattern_members,
    .tp_getset = pattern_getset,
    .tp_alloc = PyType_GenericAlloc,
    .tp_free = PyObject_GC_Del,
};

}  // extern "C"
