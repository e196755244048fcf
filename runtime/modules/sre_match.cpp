// The type re.Match.
#include "modules/sre.h"
#include "objects/str.h"
#include "sync/shared_slot.h"

namespace amphis::sre {

PyObject* match_group_text(Match* match, Py_ssize_t index, PyObject* fallback) {
  const Py_ssize_t start = match->spans[2 * index], end = match->spans[2 * index + 1];
  if (match->string == nullptr || start < 0) return Py_NewRef(fallback);
  if (PyUnicode_Check(match->string)) return str_slice(match->string, start, end);
  Subject subject;
  if (!subject.open(match->string)) return nullptr;
  // The buffer may have shrunk since.
  const Py_ssize_t length = subject.length();
  return subject.slice(start < length ? start : length, end < length ? end : length);
}

Py_ssize_t match_group_number(Match* match, PyObject* key) {
  Py_ssize_t index = -1;
  if (PyLong_CheckExact(key) || PyIndex_Check(key)) {
    index = PyNumber_AsSsize_t(key, nullptr);
  } else if (match->pattern->group_index != nullptr) {
    PyObject* number;
    if (PyDict_GetItemRef(match->pattern->group_index, key, &number) > 0) {
      if (PyLong_Check(number)) index = PyLong_AsSsize_t(number);
      Py_DECREF(number);
    }
  }
  if (index >= 0 && index < match->groups) return index;
  if (!PyErr_Occurred()) PyErr_SetString(PyExc_IndexError, "no such group");
  return -1;
}

namespace {

PyObject* group_by_key(PyObject* self, PyObject* key) {
  const Py_ssize_t index = match_group_number(as_match(self), key);
  return index < 0 ? nullptr : match_group_text(as_match(self), index, Py_None);
}

PyObject* match_group(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (nargs == 0) return match_group_text(as_match(self), 0, Py_None);
  if (nargs == 1) return group_by_key(self, args[0]);
  Ref<> tuple = Ref<>::steal(PyTuple_New(nargs));
  if (!tuple) return nullptr;
  for (Py_ssize_t i = 0; i < nargs; ++i) {
    PyObject* text = group_by_key(self, args[i]);
    if (text == nullptr) return nullptr;
    PyTuple_SET_ITEM(tuple.get(), i, text);
  }
  return tuple.release();
}

// The argument `default` of groups() and groupdict(); null with an exception.
PyObject* read_default(const char* function, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static const char* const names[] = {"default"};
  PyObject* given[1];
  if (!bind_arguments({function, names, 1, 0, 1, 0}, args, nargs, kwnames, given)) return nullptr;
  return given[0] != nullptr ? given[0] : Py_None;
}

PyObject* match_groups(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  PyObject* fallback = read_default("groups", args, nargs, kwnames);
  if (fallback == nullptr) return nullptr;
  Match* match = as_match(self);
  Ref<> tuple = Ref<>::steal(PyTuple_New(match->groups - 1));
  if (!tuple) return nullptr;
  for (Py_ssize_t i = 1; i < match->groups; ++i) {
    PyObject* text = match_group_text(match, i, fallback);
    if (text == nullptr) return nullptr;
    PyTuple_SET_ITEM(tuple.get(), i - 1, text);
  }
  return tuple.release();
}

PyObject* match_groupdict(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  PyObject* fallback = read_default("groupdict", args, nargs, kwnames);
  if (fallback == nullptr) return nullptr;
  Match* match = as_match(self);
  Ref<> result = Ref<>::steal(PyDict_New());
  if (!result || match->pattern->group_index == nullptr) return result.release();
  Py_ssize_t pos = 0;
  PyObject *name, *number;
  while (PyDict_Next(match->pattern->group_index, &pos, &name, &number)) {
    Ref<> key = Ref<>::share(name);
    const Py_ssize_t index = match_group_number(match, number);
    Ref<> text = index < 0 ? Ref<>() : Ref<>::steal(match_group_text(match, index, fallback));
    if (!text || PyDict_SetItem(result, key, text) < 0) return nullptr;
  }
  return result.release();
}

// The optional group argument of start(), end() and span(); -1 with an exception.
Py_ssize_t read_group(const char* function, PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_positional(function, nargs, 0, 1)) return -1;
  return nargs == 0 ? 0 : match_group_number(as_match(self), args[0]);
}

PyObject* match_start(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  const Py_ssize_t index = read_group("start", self, args, nargs);
  return index < 0 ? nullptr : PyLong_FromSsize_t(as_match(self)->spans[2 * index]);
}

PyObject* match_end(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  const Py_ssize_t index = read_group("end", self, args, nargs);
  return index < 0 ? nullptr : PyLong_FromSsize_t(as_match(self)->spans[2 * index + 1]);
}

PyObject* span_pair(Match* match, Py_ssize_t index) {
  PyObject* start = PyLong_FromSsize_t(match->spans[2 * index]);
  PyObject* end = start != nullptr ? PyLong_FromSsize_t(match->spans[2 * index + 1]) : nullptr;
  if (end == nullptr) {
    Py_XDECREF(start);
    return nullptr;
  }
  return pack_pair(start, end);
}

PyObject* match_span(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  const Py_ssize_t index = read_group("span", self, args, nargs);
  return index < 0 ? nullptr : span_pair(as_match(self), index);
}

PyObject* match_expand(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static const char* const names[] = {"template"};
  PyObject* given[1];
  if (!bind_arguments({"expand", names, 1, 0, 1, 1}, args, nargs, kwnames, given)) return nullptr;
  Ref<> parts =
      Ref<>::steal(compile_template(reinterpret_cast<PyObject*>(as_match(self)->pattern), given[0]));
  if (!parts) return nullptr;
  return expand_template(as_template(parts.get()), as_match(self));
}

PyObject* match_copy(PyObject* self, PyObject*) {
  return Py_NewRef(self);
}

PyObject* match_repr(PyObject* self) {
  Match* match = as_match(self);
  Ref<> text = Ref<>::steal(match_group_text(match, 0, Py_None));
  if (!text) return nullptr;
  return PyUnicode_FromFormat("<%s object; span=(%zd, %zd), match=%.50R>", Py_TYPE(self)->tp_name,
                              match->spans[0], match->spans[1], text.get());
}

PyObject* match_lastindex(PyObject* self, void*) {
  if (as_match(self)->last_index < 0) Py_RETURN_NONE;
  return PyLong_FromSsize_t(as_match(self)->last_index);
}

PyObject* match_lastgroup(PyObject* self, void*) {
  Match* match = as_match(self);
  PyObject* names = match->pattern->index_group;
  if (names == nullptr || match->last_index < 0 || match->last_index >= PyTuple_GET_SIZE(names))
    Py_RETURN_NONE;
  return Py_NewRef(PyTuple_GET_ITEM(names, match->last_index));
}

PyObject* match_regs(PyObject* self, void*) {
  Match* match = as_match(self);
  Ref<> known = sync::get_ref(&match->regs);
  if (known) return known.release();
  Ref<> tuple = Ref<>::steal(PyTuple_New(match->groups));
  if (!tuple) return nullptr;
  for (Py_ssize_t i = 0; i < match->groups; ++i) {
    PyObject* pair = span_pair(match, i);
    if (pair == nullptr) return nullptr;
    PyTuple_SET_ITEM(tuple.get(), i, pair);
  }
  sync::set_slot(&match->regs, tuple.copy());
  return tuple.release();
}

int match_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(as_match(self)->string);
  Py_VISIT(as_match(self)->regs);
  Py_VISIT(as_match(self)->pattern);
  return 0;
}

int match_clear(PyObject* self) {
  Py_CLEAR(as_match(self)->string);
  Py_CLEAR(as_match(self)->regs);
  return 0;
}

void match_dealloc(PyObject* self) {
  untrack(self);
  match_clear(self);
  Py_DECREF(as_match(self)->pattern);
  Py_TYPE(self)->tp_free(self);
}

PyMethodDef match_methods[] = {
    {"group", AMPHIS_METHOD(match_group), METH_FASTCALL,
     "group([group1, ...]) -> str or tuple.\n"
     "Return subgroup(s) of the match by indices or names.\n"
     "For 0 returns the entire match."},
    {"start", AMPHIS_METHOD(match_start), METH_FASTCALL,
     "start($self, group=0, /)\n--\n\nReturn index of the start of the substring matched by group."},
    {"end", AMPHIS_METHOD(match_end), METH_FASTCALL,
     "end($self, group=0, /)\n--\n\nReturn index of the end of the substring matched by group."},
    {"span", AMPHIS_METHOD(match_span), METH_FASTCALL,
     "span($self, group=0, /)\n--\n\n"
     "For match object m, return the 2-tuple (m.start(group), m.end(group))."},
    {"groups", AMPHIS_METHOD(match_groups), METH_FASTCALL | METH_KEYWORDS,
     "groups($self, /, default=None)\n--\n\nReturn a tuple containing all the subgroups of the match, from "
     "1.\n\n"
     "  default\n    Is used for groups that did not participate in the match."},
    {"groupdict", AMPHIS_METHOD(match_groupdict), METH_FASTCALL | METH_KEYWORDS,
     "groupdict($self, /, default=None)\n--\n\n"
     "Return a dictionary containing all the named subgroups of the match, keyed by the subgroup name.\n\n"
     "  default\n    Is used for groups that did not participate in the match."},
    {"expand", AMPHIS_METHOD(match_expand), METH_FASTCALL | METH_KEYWORDS,
     "expand($self, /, template)\n--\n\n"
     "Return the string obtained by doing backslash substitution on the string template, as done by the "
     "sub() method."},
    {"__copy__", match_copy, METH_NOARGS, "__copy__($self, /)\n--\n\n"},
    {"__deepcopy__", match_copy, METH_O, "__deepcopy__($self, memo, /)\n--\n\n"},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS,
     "__class_getitem__($type, object, /)\n--\n\nSee PEP 585"},
    {},
};

PyMemberDef match_members[] = {
    {"string", Py_T_OBJECT_EX, offsetof(Match, string), Py_READONLY,
     "The string passed to match() or search()."},
    {"re", Py_T_OBJECT_EX, offsetof(Match, pattern), Py_READONLY, "The regular expression object."},
    {"pos", Py_T_PYSSIZET, offsetof(Match, pos), Py_READONLY,
     "The index into the string at which the RE engine started looking for a match."},
    {"endpos", Py_T_PYSSIZET, offsetof(Match, end_pos), Py_READONLY,
     "The index into the string beyond which the RE engine will not go."},
    {},
};

PyGetSetDef match_getset[] = {
    {"lastindex", match_lastindex, nullptr, "The integer index of the last matched capturing group.",
     nullptr},
    {"lastgroup", match_lastgroup, nullptr, "The name of the last matched capturing group.", nullptr},
    {"regs", match_regs, nullptr, nullptr, nullptr},
    {},
};

PyMappingMethods match_as_mapping = {
    .mp_subscript = group_by_key,
};

}  // namespace

}  // namespace amphis::sre

extern "C" {

using namespace amphis::sre;

PyTypeObject SreMatch_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0).tp_name = "re.Match",
    .tp_basicsize = offsetof(Match, spans),
    .tp_itemsize = 2 * sizeof(Py_ssize_t),
    .tp_dealloc = match_dealloc,
    .tp_repr = match_repr,
    .tp_as_mapping = &match_as_mapping,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
                Py_TPFLAGS_IMMUTABLETYPE,
    .tp_doc = "The result of re.match() and re.search().\nMatch objects always have a boolean value of True.",
    .tp_traverse = match_traverse,
    .tp_clear = match_clear,
    .tp_methods = match_methods,
    .tp_members = match_members,
    .tp_getset = match_getset,
    .tp_alloc = PyType_GenericAlloc,
    .tp_free = PyObject_GC_Del,
};

}  // extern "C"
