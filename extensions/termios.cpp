// The module termios: the settings of terminals.
#include "support.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <climits>
#include <cstring>

namespace {

using ext::Ref;

PyObject* error = nullptr;

PyObject* failed() { return PyErr_SetFromErrno(error); }

bool to_descriptor(PyObject* object, int* fd) {
  *fd = PyObject_AsFileDescriptor(object);
  return *fd >= 0;
}

// Runs a call detached; its errors are termios.error.
template <class F>
PyObject* done(F f) {
  int code;
  {
    ext::Away away;
    code = f();
  }
  if (code < 0) return failed();
  Py_RETURN_NONE;
}

PyObject* get_attributes(PyObject*, PyObject* object) {
  int fd;
  if (!to_descriptor(object, &fd)) return nullptr;
  termios mode;
  int code;
  {
    ext::Away away;
    code = tcgetattr(fd, &mode);
  }
  if (code < 0) return failed();
  const bool canonical = (mode.c_lflag & ICANON) != 0;
  Ref controls(PyList_New(NCCS));
  if (!controls) return nullptr;
  for (int i = 0; i < NCCS; i++) {
    const char text = static_cast<char>(mode.c_cc[i]);
    PyObject* item = !canonical && (i == VMIN || i == VTIME) ? PyLong_FromLong(mode.c_cc[i])
                                                             : PyBytes_FromStringAndSize(&text, 1);
    if (item == nullptr) return nullptr;
    PyList_SET_ITEM(controls.get(), i, item);
  }
  return Py_BuildValue("[kkkkIIO]", static_cast<unsigned long>(mode.c_iflag), static_cast<unsigned long>(mode.c_oflag),
                       static_cast<unsigned long>(mode.c_cflag), static_cast<unsigned long>(mode.c_lflag),
                       cfgetispeed(&mode), cfgetospeed(&mode), controls.get());
}

bool to_flags(PyObject* object, tcflag_t* flags) {
  if (!PyLong_Check(object)) {
    PyErr_Format(PyExc_TypeError, "an integer is required (got type %T)", object);
    return false;
  }
  const unsigned long value = PyLong_AsUnsignedLong(object);
  if (value == static_cast<unsigned long>(-1) && PyErr_Occurred()) return false;
  if (value > UINT_MAX) {
    PyErr_SetString(PyExc_OverflowError, "Python int too large to convert to C unsigned int");
    return false;
  }
  *flags = static_cast<tcflag_t>(value);
  return true;
}

bool to_control(PyObject* item, cc_t* control) {
  if (PyBytes_Check(item) && PyBytes_GET_SIZE(item) == 1) {
    *control = static_cast<cc_t>(*PyBytes_AS_STRING(item));
    return true;
  }
  if (PyLong_Check(item)) {
    const long value = PyLong_AsLong(item);
    if (value == -1 && PyErr_Occurred()) return false;
    if (value < 0 || value > UCHAR_MAX) {
      PyErr_SetString(PyExc_OverflowError, "integer out of range for a control character");
      return false;
    }
    *control = static_cast<cc_t>(value);
    return true;
  }
  PyErr_SetString(PyExc_TypeError, "tcsetattr: elements of attributes must be characters or integers");
  return false;
}

PyObject* set_attributes(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int fd, when;
  if (!ext::check_positional("tcsetattr", nargs, 3, 3) || !to_descriptor(args[0], &fd) || !ext::to_int(args[1], &when))
    return nullptr;
  if (!PyList_Check(args[2]) || PyList_GET_SIZE(args[2]) != 7) {
    PyErr_SetString(PyExc_TypeError, "tcsetattr, arg 3: must be 7 element list");
    return nullptr;
  }
  Ref items(PyList_AsTuple(args[2]));
  if (!items || PyTuple_GET_SIZE(items.get()) != 7) return nullptr;
  const auto item = [&](int i) { return PyTuple_GET_ITEM(items.get(), i); };
  termios mode;
  if (tcgetattr(fd, &mode) < 0) return failed();
  tcflag_t in_speed, out_speed;
  if (!to_flags(item(0), &mode.c_iflag) || !to_flags(item(1), &mode.c_oflag) || !to_flags(item(2), &mode.c_cflag) ||
      !to_flags(item(3), &mode.c_lflag) || !to_flags(item(4), &in_speed) || !to_flags(item(5), &out_speed))
    return nullptr;
  Ref controls(PyList_Check(item(6)) ? PyList_AsTuple(item(6)) : nullptr);
  if (!controls || PyTuple_GET_SIZE(controls.get()) != NCCS) {
    if (!PyErr_Occurred())
      PyErr_Format(PyExc_TypeError, "tcsetattr: attributes[6] must be %d element list", NCCS);
    return nullptr;
  }
  for (int i = 0; i < NCCS; i++) {
    if (!to_control(PyTuple_GET_ITEM(controls.get(), i), &mode.c_cc[i])) return nullptr;
  }
  if (cfsetispeed(&mode, in_speed) < 0 || cfsetospeed(&mode, out_speed) < 0) return failed();
  return done([&] { return tcsetattr(fd, when, &mode); });
}

// tcsendbreak, tcflush, tcflow: a descriptor and a number.
template <int (*call)(int, int)>
PyObject* with_number(const char* name, PyObject* const* args, Py_ssize_t nargs) {
  int fd, number;
  if (!ext::check_positional(name, nargs, 2, 2) || !to_descriptor(args[0], &fd) || !ext::to_int(args[1], &number))
    return nullptr;
  return done([&] { return call(fd, number); });
}
PyObject* send_break(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return with_number<tcsendbreak>("tcsendbreak", args, nargs);
}
PyObject* flush(PyObject*, PyObject* const* args, Py_ssize_t nargs) { return with_number<tcflush>("tcflush", args, nargs); }
PyObject* flow(PyObject*, PyObject* const* args, Py_ssize_t nargs) { return with_number<tcflow>("tcflow", args, nargs); }

PyObject* drain(PyObject*, PyObject* object) {
  int fd;
  return to_descriptor(object, &fd) ? done([&] { return tcdrain(fd); }) : nullptr;
}

PyObject* get_window(PyObject*, PyObject* object) {
  int fd;
  if (!to_descriptor(object, &fd)) return nullptr;
  winsize size;
  if (ioctl(fd, TIOCGWINSZ, &size) < 0) return failed();
  return Py_BuildValue("(ii)", size.ws_row, size.ws_col);
}

PyObject* set_window(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int fd;
  if (!ext::check_positional("tcsetwinsize", nargs, 2, 2) || !to_descriptor(args[0], &fd)) return nullptr;
  Ref items(PySequence_Check(args[1]) ? PySequence_Tuple(args[1]) : nullptr);
  if (!items || PyTuple_GET_SIZE(items.get()) != 2) {
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "tcsetwinsize, arg 2: must be a two-item sequence");
    return nullptr;
  }
  const long rows = PyLong_AsLong(PyTuple_GET_ITEM(items.get(), 0));
  if (rows == -1 && PyErr_Occurred()) return nullptr;
  const long columns = PyLong_AsLong(PyTuple_GET_ITEM(items.get(), 1));
  if (columns == -1 && PyErr_Occurred()) return nullptr;
  winsize size;
  if (ioctl(fd, TIOCGWINSZ, &size) < 0) return failed();
  size.ws_row = static_cast<unsigned short>(rows);
  size.ws_col = static_cast<unsigned short>(columns);
  if (size.ws_row != rows || size.ws_col != columns) {
    PyErr_SetString(PyExc_OverflowError, "winsize value(s) out of range.");
    return nullptr;
  }
  return done([&] { return ioctl(fd, TIOCSWINSZ, &size); });
}

#define TERMIOS_CONSTANT(name, value) {#name, value},
const ext::IntConstant constants[] = {
#include "termios_constants.def"
};

int execute(PyObject* module) {
  if (!ext::keep(&error, PyErr_NewException("termios.error", nullptr, nullptr)) || PyModule_AddObjectRef(module, "error", error) < 0) return -1;
  return ext::add_constants(module, constants);
}

PyMethodDef methods[] = {
    {"tcgetattr", get_attributes, METH_O, "tcgetattr($module, fd, /)\n--\n\nGet the tty attributes for file descriptor fd."},
    {"tcsetattr", ext::method(set_attributes), METH_FASTCALL,
     "tcsetattr($module, fd, when, attributes, /)\n--\n\nSet the tty attributes for file descriptor fd."},
    {"tcsendbreak", ext::method(send_break), METH_FASTCALL, "tcsendbreak($module, fd, duration, /)\n--\n\nSend a break."},
    {"tcdrain", drain, METH_O, "tcdrain($module, fd, /)\n--\n\nWait until all output has been transmitted."},
    {"tcflush", ext::method(flush), METH_FASTCALL, "tcflush($module, fd, queue, /)\n--\n\nDiscard queued data."},
    {"tcflow", ext::method(flow), METH_FASTCALL, "tcflow($module, fd, action, /)\n--\n\nSuspend or resume input or output."},
    {"tcgetwinsize", get_window, METH_O,
     "tcgetwinsize($module, fd, /)\n--\n\nThe window's size, as a tuple (rows, columns)."},
    {"tcsetwinsize", ext::method(set_window), METH_FASTCALL,
     "tcsetwinsize($module, fd, winsize, /)\n--\n\nSet the window's size from a tuple (rows, columns)."},
    {nullptr, nullptr, 0, nullptr}};
PyModuleDef_Slot slots[] = EXT_MODULE_SLOTS(execute);
PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "termios",
    .m_doc = "The POSIX calls that control terminals.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace

PyMODINIT_FUNC PyInit_termios(void) { return PyModuleDef_Init(&definition); }
