// The module _uuid: time-based UUIDs of libuuid, which are unique also between processes.
#include "support.h"

#include <uuid/uuid.h>

namespace {

PyObject* generate(PyObject*, PyObject*) {
  uuid_t id;
  int status;
  {
    ext::Away away;  // it may talk to a daemon
    status = uuid_generate_time_safe(id);
  }
  return Py_BuildValue("y#i", reinterpret_cast<const char*>(id), static_cast<Py_ssize_t>(sizeof id), status);
}

const ext::IntConstant constants[] = {{"has_uuid_generate_time_safe", 1}, {"has_stable_extractable_node", 0}};
int execute(PyObject* module) { return ext::add_constants(module, constants); }

PyMethodDef methods[] = {{"generate_time_safe", generate, METH_NOARGS, nullptr}, {nullptr, nullptr, 0, nullptr}};
PyModuleDef_Slot slots[] = EXT_MODULE_SLOTS(execute);
PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_uuid",
    .m_doc = nullptr,
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace

PyMODINIT_FUNC PyInit__uuid(void) { return PyModuleDef_Init(&definition); }
