// The module itertools: puts together the types of itertools_*.cpp.
#include "modules/itertools.h"

namespace amphis::itertools {
namespace {

int exec(PyObject* module) {
  for (PyTypeObject* const* types : {kBasicTypes, kCombinatoricTypes, kGroupingTypes}) {
    for (; *types != nullptr; types++) {
      if (PyModule_AddType(module, *types) < 0) return -1;
    }
  }
  return 0;
}

PyMethodDef methods[] = {
    {"tee", AMPHIS_METHOD(tee), METH_FASTCALL,
     "tee($module, iterable, n=2, /)\n--\n\nReturns a tuple of n independent iterators."},
    {},
};

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(exec)},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};

PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "itertools",
    .m_doc = "Functional tools for creating and using iterators.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace
}  // namespace amphis::itertools

PyMODINIT_FUNC PyInit_itertools(void) {
  return PyModuleDef_Init(&amphis::itertools::definition);
}
