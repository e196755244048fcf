// The module _suggestions: the name that a misspelt one most resembles, for messages of the traceback module.
#include "objects/container_support.h"
#include "objects/suggest.h"

namespace amphis {

namespace {

// Of more names than this, none is suggested: looking would take too long.
constexpr Py_ssize_t kTooMany = 750;

PyObject* generate(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_positional("_generate_suggestions", nargs, 2, 2)) return nullptr;
  if (!PyUnicode_Check(args[1])) {
    PyErr_Format(PyExc_TypeError, "_generate_suggestions() argument 2 must be str, not %T", args[1]);
    return nullptr;
  }
  if (!PyList_CheckExact(args[0])) {
    PyErr_SetString(PyExc_TypeError, "candidates must be a list");
    return nullptr;
  }
  Ref<> candidates = Ref<>::steal(PyList_AsTuple(args[0]));
  if (!candidates) return nullptr;
  const Py_ssize_t count = PyTuple_GET_SIZE(candidates.get());
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (PyUnicode_Check(PyTuple_GET_ITEM(candidates.get(), i))) continue;
    PyErr_SetString(PyExc_TypeError, "all elements in 'candidates' must be strings");
    return nullptr;
  }
  if (count >= kTooMany) Py_RETURN_NONE;
  Py_ssize_t name_size;
  const char* name = PyUnicode_AsUTF8AndSize(args[1], &name_size);
  if (name == nullptr) return nullptr;
  PyObject* best = Py_None;
  size_t nearest = SIZE_MAX;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* candidate = PyTuple_GET_ITEM(candidates.get(), i);
    if (PyUnicode_Compare(candidate, args[1]) == 0) continue;
    Py_ssize_t size;
    const char* text = PyUnicode_AsUTF8AndSize(candidate, &size);
    if (text == nullptr) return nullptr;
    // No more than a third of both names may be wrong.
    size_t limit = static_cast<size_t>(name_size + size + 3) * 2 / 6;
    if (nearest - 1 < limit) limit = nearest - 1;
    const size_t distance =
        spelling_distance(name, static_cast<size_t>(name_size), text, static_cast<size_t>(size), limit);
    if (distance > limit) continue;
    best = candidate;
    nearest = distance;
  }
  return Py_NewRef(best);
}

PyMethodDef methods[] = {
    {"_generate_suggestions", AMPHIS_METHOD(generate), METH_FASTCALL,
     "_generate_suggestions($module, candidates, item, /)\n--\n\n"
     "Returns the candidate in candidates that's closest to item"},
    {},
};

PyModuleDef_Slot slots[] = {
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {},
};

PyModuleDef suggestions_def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_suggestions",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace

}  // namespace amphis

PyMODINIT_FUNC PyInit__suggestions(void) {
  return PyModuleDef_Init(&amphis::suggestions_def);
}
