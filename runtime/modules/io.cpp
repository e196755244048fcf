// The module _io: open() and the classes of its files.
#include "modules/io.h"

#include "sync/fork.h"

#include <langinfo.h>

#include <algorithm>

namespace amphis::io {

Settings settings;

PyObject* locale_encoding() {
  if (settings.utf8_mode) return PyUnicode_FromString("utf-8");
  const char* codeset = nl_langinfo(CODESET);
  return PyUnicode_FromString(codeset == nullptr || *codeset == 0 ? "UTF-8" : codeset);
}

int warn_default_encoding(Py_ssize_t stack_level) {
  if (!settings.warn_default_encoding) return 0;
  return PyErr_WarnEx(PyExc_EncodingWarning, "'encoding' argument not specified", stack_level);
}

namespace {

struct OpenMode {
  bool creating = false, reading = false, writing = false, appending = false, updating = false, text = false,
       binary = false;
  char raw[8];

  // False: a letter is unknown or stands twice.
  bool parse(const char* mode) {
    for (const char* p = mode; *p; p++) {
      bool* flag = *p == 'x'   ? &creating
                   : *p == 'r' ? &reading
                   : *p == 'w' ? &writing
                   : *p == 'a' ? &appending
                   : *p == '+' ? &updating
                   : *p == 't' ? &text
                   : *p == 'b' ? &binary
                               : nullptr;
      if (flag == nullptr || *flag) return false;
      *flag = true;
    }
    char* out = raw;
    if (creating) *out++ = 'x';
    if (reading) *out++ = 'r';
    if (writing) *out++ = 'w';
    if (appending) *out++ = 'a';
    if (updating) *out++ = '+';
    *out = 0;
    return true;
  }
};

bool valid(const OpenMode& mode, const char* text, int buffering, const char* encoding, const char* errors,
           const char* newline) {
  const char* message = nullptr;
  if (mode.text && mode.binary)
    message = "can't have text and binary mode at once";
  else if (mode.creating + mode.reading + mode.writing + mode.appending > 1)
    message = "must have exactly one of create/read/write/append mode";
  else if (mode.binary && encoding != nullptr)
    message = "binary mode doesn't take an encoding argument";
  else if (mode.binary && errors != nullptr)
    message = "binary mode doesn't take an errors argument";
  else if (mode.binary && newline != nullptr)
    message = "binary mode doesn't take a newline argument";
  (void)text;
  if (message != nullptr) {
    PyErr_SetString(PyExc_ValueError, message);
    return false;
  }
  return !mode.binary || buffering != 1 ||
         PyErr_WarnEx(PyExc_RuntimeWarning,
                      "line buffering (buffering=1) isn't supported in binary mode, the default buffer size will be used",
                      1) == 0;
}

// Closes what was opened when the layers above it fail; the current exception stays.
PyObject* abandon(PyObject* file) {
  Ref<> error = Ref<>::steal(PyErr_GetRaisedException());
  Ref<> closed = Ref<>::steal(PyObject_CallMethodNoArgs(file, AMPHIS_STATIC_NAME("close")));
  chain(std::move(error));
  return nullptr;
}

}  // namespace

PyObject* open_file(PyObject* file, const char* mode_text, int buffering, const char* encoding, const char* errors,
                    const char* newline, bool closefd, PyObject* opener) {
  Ref<> path = PyLong_Check(file) ? Ref<>::share(file) : Ref<>::steal(PyOS_FSPath(file));
  if (!path) return nullptr;
  OpenMode mode;
  if (!mode.parse(mode_text)) return PyErr_Format(PyExc_ValueError, "invalid mode: '%s'", mode_text);
  if (!valid(mode, mode_text, buffering, encoding, errors, newline)) return nullptr;
  Ref<> raw = Ref<>::steal(PyObject_CallFunction(reinterpret_cast<PyObject*>(&fileio_type), "OsOO", path.get(), mode.raw,
                                                 closefd ? Py_True : Py_False, opener ? opener : Py_None));
  if (!raw) return nullptr;
  FileIO* low = self_of<FileIO>(raw.get());
  // Only what can be a terminal is asked.
  bool line_buffering = buffering == 1 && !mode.binary;
  bool terminal = false;
  if (buffering < 0 && !low->regular) {
    Ref<> answer = Ref<>::steal(PyObject_CallMethodNoArgs(raw.get(), AMPHIS_STATIC_NAME("isatty")));
    if (!answer) return abandon(raw.get());
    terminal = answer.get() == Py_True;
  }
  if (terminal) {
    buffering = -1;
    line_buffering = true;
  }
  Py_ssize_t size = buffering;
  if (buffering < 0 || buffering == 1)
    size = std::min<Py_ssize_t>(std::max<Py_ssize_t>(low->block_size, kDefaultBufferSize), 8 * 1024 * 1024);
  if (buffering == 0) {
    if (!mode.binary) {
      PyErr_SetString(PyExc_ValueError, "can't have unbuffered text I/O");
      return abandon(raw.get());
    }
    return raw.release();
  }
  PyTypeObject* type = mode.updating                                         ? &buffered_random_type
                       : mode.creating || mode.writing || mode.appending ? &buffered_writer_type
                                                                         : &buffered_reader_type;
  if (!mode.updating && !mode.creating && !mode.writing && !mode.appending && !mode.reading) {
    PyErr_Format(PyExc_ValueError, "unknown mode: '%s'", mode_text);
    return abandon(raw.get());
  }
  Ref<> buffered = Ref<>::steal(PyObject_CallFunction(reinterpret_cast<PyObject*>(type), "On", raw.get(), size));
  if (!buffered) return abandon(raw.get());
  if (mode.binary) return buffered.release();
  Ref<> wrapper = Ref<>::steal(PyObject_CallFunction(reinterpret_cast<PyObject*>(&textio_type), "OzzzO", buffered.get(),
                                                     encoding ? encoding : "locale", errors, newline,
                                                     line_buffering ? Py_True : Py_False));
  if (!wrapper) return abandon(buffered.get());
  Ref<> shown = Ref<>::steal(PyUnicode_FromString(mode_text));
  if (!shown || PyObject_SetAttr(wrapper.get(), AMPHIS_STATIC_NAME("mode"), shown.get()) < 0) return abandon(wrapper.get());
  return wrapper.release();
}

namespace {

// An optional str argument as UTF-8 without null characters.
bool text_argument(PyObject* value, const char* name, bool none_allowed, const char** text) {
  if (value == nullptr || (none_allowed && value == Py_None)) return true;
  if (!PyUnicode_Check(value)) {
    PyErr_Format(PyExc_TypeError, "open() argument '%s' must be str%s, not %T", name, none_allowed ? " or None" : "",
                 value);
    return false;
  }
  Py_ssize_t n;
  *text = PyUnicode_AsUTF8AndSize(value, &n);
  if (*text == nullptr) return false;
  if (strlen(*text) != static_cast<size_t>(n)) {
    PyErr_SetString(PyExc_ValueError, "embedded null character");
    return false;
  }
  return true;
}

PyObject* module_open(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static const char* const names[] = {"file",   "mode",    "buffering", "encoding",
                                      "errors", "newline", "closefd",   "opener"};
  static constexpr Parameters kParameters{.function = "open",
                                          .names = names,
                                          .count = 8,
                                          .positional_only = 0,
                                          .positional = 8,
                                          .required = 1};
  PyObject* given[8];
  if (!bind_arguments(kParameters, args, nargs, kwnames, given)) return nullptr;
  const char *mode = "r", *encoding = nullptr, *errors = nullptr, *newline = nullptr;
  int buffering = -1;
  if (!text_argument(given[1], "mode", false, &mode)) return nullptr;
  if (given[2] != nullptr) {
    buffering = PyLong_AsInt(given[2]);
    if (buffering == -1 && PyErr_Occurred()) return nullptr;
  }
  if (!text_argument(given[3], "encoding", true, &encoding) || !text_argument(given[4], "errors", true, &errors) ||
      !text_argument(given[5], "newline", true, &newline))
    return nullptr;
  int closefd = 1;
  if (given[6] != nullptr) {
    closefd = PyObject_IsTrue(given[6]);
    if (closefd < 0) return nullptr;
  }
  if (encoding == nullptr && strchr(mode, 'b') == nullptr && warn_default_encoding(1) < 0) return nullptr;
  return open_file(given[0], mode, buffering, encoding, errors, newline, closefd != 0, given[7]);
}

PyObject* module_text_encoding(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_positional("text_encoding", nargs, 1, 2)) return nullptr;
  int stack_level = 2;
  if (nargs == 2) {
    stack_level = PyLong_AsInt(args[1]);
    if (stack_level == -1 && PyErr_Occurred()) return nullptr;
  }
  if (args[0] != Py_None) return Py_NewRef(args[0]);
  if (warn_default_encoding(stack_level) < 0) return nullptr;
  return PyUnicode_FromString(settings.utf8_mode ? "utf-8" : "locale");
}

PyObject* module_open_code(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"path", nullptr};
  PyObject* path;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:open_code", const_cast<char**>(keywords), &path)) return nullptr;
  if (!PyUnicode_Check(path))
    return PyErr_Format(PyExc_TypeError, "open_code() argument 'path' must be str, not %T", path);
  return PyFile_OpenCodeObject(path);
}

PyMethodDef module_methods[] = {
    {"open", AMPHIS_METHOD(module_open), METH_FASTCALL | METH_KEYWORDS,
     "open($module, /, file, mode='r', buffering=-1, encoding=None,\n"
     "     errors=None, newline=None, closefd=True, opener=None)\n--\n\n"
     "Open a file, given by name or descriptor, and return an object of the class that fits the mode:\n"
     "'r' read, 'w' write anew, 'x' create, 'a' append, with '+' for both directions and 'b' for bytes instead of\n"
     "text. buffering is 0 for none (bytes only), 1 for lines (text only), or a size."},
    {"text_encoding", AMPHIS_METHOD(module_text_encoding), METH_FASTCALL,
     "text_encoding($module, encoding, stacklevel=2, /)\n--\n\n"
     "For functions that take an encoding: what to use when it is None, with a warning if that was asked for."},
    {"open_code", AMPHIS_METHOD(module_open_code), METH_VARARGS | METH_KEYWORDS,
     "open_code($module, /, path)\n--\n\nOpen a file of code to be run, in binary mode."},
    {},
};

// Locks that threads held which do not exist in the child would never be released.
void after_fork_child() {
  for (const char* name : {"stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__"}) {
    PyObject* stream = PySys_GetObject(name);
    if (stream == nullptr) continue;
    if (Py_IS_TYPE(stream, &textio_type)) {
      PyObject* found;
      if (PyObject_GetOptionalAttr(stream, AMPHIS_STATIC_NAME("buffer"), &found) < 0) PyErr_Clear();
      Ref<> buffer = Ref<>::steal(found);
      if (buffer && is_buffered(buffer.get())) reset_buffered_lock(buffer.get());
    } else if (is_buffered(stream)) {
      reset_buffered_lock(stream);
    }
  }
}

bool configured(const char* name) {
  int value = 0;
  if (PyConfig_GetInt(name, &value) < 0) PyErr_Clear();
  return value != 0;
}

int module_exec(PyObject* module) {
  settings = {configured("utf8_mode"), configured("dev_mode"), configured("warn_default_encoding")};
  if (PyModule_AddIntConstant(module, "DEFAULT_BUFFER_SIZE", kDefaultBufferSize) < 0) return -1;
  if (unsupported_operation == nullptr) {
    Ref<> bases = Ref<>::steal(PyTuple_Pack(2, PyExc_OSError, PyExc_ValueError));
    Ref<> dict = Ref<>::steal(Py_BuildValue("{ss}", "__module__", "io"));
    if (!bases || !dict) return -1;
    unsupported_operation = PyErr_NewException("io.UnsupportedOperation", bases.get(), dict.get());
    if (unsupported_operation == nullptr) return -1;
    sync::add_fork_hooks({nullptr, nullptr, after_fork_child});
    iobase_type.tp_new = PyBaseObject_Type.tp_new;
  }
  if (PyModule_AddObjectRef(module, "UnsupportedOperation", unsupported_operation) < 0) return -1;
  if (PyModule_AddObjectRef(module, "BlockingIOError", PyExc_BlockingIOError) < 0) return -1;
  for (PyTypeObject* type :
       {&iobase_type, &raw_iobase_type, &buffered_iobase_type, &text_iobase_type, &fileio_type, &bytesio_type,
        &bytesio_buffer_type, &stringio_type, &newline_decoder_type, &buffered_reader_type, &buffered_writer_type,
        &buffered_random_type, &buffered_rwpair_type, &textio_type}) {
    if (PyModule_AddType(module, type) < 0) return -1;
  }
  return 0;
}

PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(module_exec)},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};

PyModuleDef module_definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_io",
    .m_doc = "Files: raw ones over descriptors, buffered ones over raw ones, text over buffered ones; and the same in "
             "memory.",
    .m_size = 0,
    .m_methods = module_methods,
    .m_slots = module_slots,
};

}  // namespace
}  // namespace amphis::io

PyMODINIT_FUNC PyInit__io(void) { return PyModuleDef_Init(&amphis::io::module_definition); }
