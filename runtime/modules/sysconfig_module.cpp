// _sysconfig: the two facts that sysconfig asks the runtime for.
#include "sync/ref.h"
#include "sync/thread_state.h"

namespace amphis {

namespace {

PyObject* config_vars(PyObject*, PyObject*) {
  return Py_BuildValue("{si,si}", "Py_GIL_DISABLED", AMPHIS_ABIFLAGS[0] == 't', "Py_DEBUG", 0);
}

PyMethodDef methods[] = {
    {"config_vars", config_vars, METH_NOARGS,
     "config_vars($module, /)\n--\n\nReturns a dictionary containing build variables intended to be exposed by sysconfig."},
    {},
};
PyModuleDef_Slot slots[] = {
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED}, {Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0, nullptr}};
PyModuleDef def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_sysconfig",
    .m_doc = "A helper for the sysconfig module.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace

}  // namespace amphis

extern "C" PyObject* PyInit__sysconfig(void) { return PyModuleDef_Init(&amphis::def); }
