// super() without arguments, called as an ordinary callable: finds the class cell and the first argument of the running
// function. (The compiler turns super().name into an instruction of its own and does not come here.)
#include "interp/frame_variables.h"
#include "interp/super_frame.h"
#include "objects/names.h"
#include "objects/type.h"
#include "sync/ref.h"

namespace amphis {

int super_arguments_of_frame(PyObject** cls, PyObject** self) {
  *cls = nullptr;
  *self = nullptr;
  Frame* frame = current_frame(current_thread());
  if (frame == nullptr) {
    PyErr_SetString(PyExc_RuntimeError, "super(): no current frame");
    return -1;
  }
  PyCodeObject* code = frame->code;
  if (code->co_argcount == 0) {
    PyErr_SetString(PyExc_RuntimeError, "super(): no arguments");
    return -1;
  }
  Value first = frame_variable(frame, 0);
  if (first == kEmpty) {
    PyErr_SetString(PyExc_RuntimeError, "super(): arg[0] deleted");
    return -1;
  }
  Ref<> instance = Ref<>::steal(value_take_object(first));
  if (!instance) return -1;
  for (uint32_t i = 0; i < code_extra(code)->nlocalsplus; ++i) {
    auto kind = static_cast<uint8_t>(PyBytes_AS_STRING(code->co_localspluskinds)[i]);
    if ((kind & kLocalFree) == 0) continue;
    if (PyUnicode_Compare(PyTuple_GET_ITEM(code->co_localsplusnames, i), names.dunder_class) != 0) continue;
    Value found = frame_variable(frame, i);
    if (found == kEmpty) {
      PyErr_SetString(PyExc_RuntimeError, "super(): empty __class__ cell");
      return -1;
    }
    *cls = value_take_object(found);
    if (*cls == nullptr) return -1;
    *self = instance.release();
    return 0;
  }
  PyErr_SetString(PyExc_RuntimeError, "super(): __class__ cell not found");
  return -1;
}

}  // namespace amphis
