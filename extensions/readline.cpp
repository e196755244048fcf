// readline: line editing and history over libedit's readline interface. While the module is imported, lines that the
// interactive mode and input() read from a terminal are edited.
#include "Python.h"

#include <editline/readline.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

namespace {

struct State {
  PyObject* completer = nullptr;
  PyObject* startup_hook = nullptr;
  PyObject* pre_input_hook = nullptr;
  PyObject* display_hook = nullptr;
  int begin = 0, end = 0;
  int history_length = -1;  // lines to keep in the file; negative: all
  bool auto_history = true;
};
State state;  // the library itself is global: so is this
PyMutex settings_mutex = {};

// What is in one of the state's slots now: a new reference, or null.
PyObject* hook_of(PyObject** slot) {
  PyMutex_Lock(&settings_mutex);
  PyObject* hook = Py_XNewRef(*slot);
  PyMutex_Unlock(&settings_mutex);
  return hook;
}

PyObject* encode(PyObject* text) { return PyUnicode_EncodeLocale(text, "surrogateescape"); }
PyObject* decode(const char* text) { return PyUnicode_DecodeLocale(text, "surrogateescape"); }

// Entries count from 0 in the module; in libedit's history from its base, except that get starts at 1.
int current_length() { return history_length; }

PyObject* parse_and_bind(PyObject*, PyObject* text) {
  PyObject* bytes = encode(text);
  if (bytes == nullptr) return nullptr;
  std::string line = PyBytes_AS_STRING(bytes);
  Py_DECREF(bytes);
  // The one GNU readline line that everybody writes.
  if (line == "tab: complete") line = "bind ^I rl_complete";
  rl_parse_and_bind(line.data());
  Py_RETURN_NONE;
}

PyObject* file_error() { return PyErr_SetFromErrno(PyExc_OSError); }

PyObject* with_filename(PyObject* args, const char* format, int (*function)(const char*)) {
  PyObject* path = Py_None;
  if (!PyArg_ParseTuple(args, format, &path)) return nullptr;
  PyObject* bytes = nullptr;
  if (path != Py_None && !PyUnicode_FSConverter(path, &bytes)) return nullptr;
  int error = function(bytes != nullptr ? PyBytes_AS_STRING(bytes) : nullptr);
  Py_XDECREF(bytes);
  if (error) {
    errno = error;
    return file_error();
  }
  Py_RETURN_NONE;
}

PyObject* read_init_file(PyObject*, PyObject* args) {
  return with_filename(args, "|O:read_init_file", [](const char* name) { return rl_read_init_file(name) != 0 ? errno : 0; });
}
PyObject* read_history_file(PyObject*, PyObject* args) {
  return with_filename(args, "|O:read_history_file", [](const char* name) { return read_history(name); });
}
PyObject* write_history_file(PyObject*, PyObject* args) {
  return with_filename(args, "|O:write_history_file", [](const char* name) {
    int error = write_history(name);
    if (error == 0 && state.history_length >= 0) history_truncate_file(name, state.history_length);
    return error;
  });
}

PyObject* append_history_file(PyObject*, PyObject* args) {
  int count;
  PyObject* path = Py_None;
  if (!PyArg_ParseTuple(args, "i|O:append_history_file", &count, &path)) return nullptr;
  if (count < 0) {
    PyErr_SetString(PyExc_ValueError, "'nelements' must be positive");
    return nullptr;
  }
  PyObject* bytes = nullptr;
  if (path != Py_None && !PyUnicode_FSConverter(path, &bytes)) return nullptr;
  std::string name;
  if (bytes != nullptr) {
    name = PyBytes_AS_STRING(bytes);
    Py_DECREF(bytes);
  } else {
    const char* home = getenv("HOME");
    name = std::string(home != nullptr ? home : "") + "/.history";
  }
  // libedit's own append wants a file in its format: lines are appended as they are.
  FILE* file = fopen(name.c_str(), "a");
  if (file == nullptr) return file_error();
  int length = current_length();
  for (int i = length - (count < length ? count : length); i < length; ++i) {
    HIST_ENTRY* entry = history_get(history_base + i);
    if (entry != nullptr) fprintf(file, "%s\n", entry->line);
  }
  if (fclose(file) != 0) return file_error();
  Py_RETURN_NONE;
}

PyObject* get_history_length(PyObject*, PyObject*) { return PyLong_FromLong(state.history_length); }
PyObject* set_history_length(PyObject*, PyObject* arg) {
  int length = PyLong_AsInt(arg);
  if (length == -1 && PyErr_Occurred()) return nullptr;
  state.history_length = length;
  Py_RETURN_NONE;
}
PyObject* get_current_history_length(PyObject*, PyObject*) { return PyLong_FromLong(current_length()); }

PyObject* get_history_item(PyObject*, PyObject* arg) {
  int index = PyLong_AsInt(arg);
  if (index == -1 && PyErr_Occurred()) return nullptr;
  if (index < 1 || index > current_length()) Py_RETURN_NONE;
  HIST_ENTRY* entry = history_get(history_base + index - 1);
  if (entry == nullptr) Py_RETURN_NONE;
  return decode(entry->line);
}

bool history_position(int position) {
  if (position < 0) {
    PyErr_SetString(PyExc_ValueError, "History index cannot be negative");
    return false;
  }
  if (position >= current_length()) {
    PyErr_Format(PyExc_ValueError, "No history item at position %d", position);
    return false;
  }
  return true;
}

PyObject* remove_history_item(PyObject*, PyObject* arg) {
  int position = PyLong_AsInt(arg);
  if ((position == -1 && PyErr_Occurred()) || !history_position(position)) return nullptr;
  HIST_ENTRY* entry = remove_history(position);
  if (entry != nullptr) {
    free(const_cast<char*>(entry->line));
    free(entry);
  }
  Py_RETURN_NONE;
}

PyObject* replace_history_item(PyObject*, PyObject* args) {
  int position;
  PyObject* line;
  if (!PyArg_ParseTuple(args, "iU:replace_history_item", &position, &line) || !history_position(position)) return nullptr;
  PyObject* bytes = encode(line);
  if (bytes == nullptr) return nullptr;
  HIST_ENTRY* old = replace_history_entry(position, PyBytes_AS_STRING(bytes), nullptr);
  Py_DECREF(bytes);
  if (old != nullptr) {
    free(const_cast<char*>(old->line));
    free(old);
  }
  Py_RETURN_NONE;
}

PyObject* add_history_(PyObject*, PyObject* line) {
  PyObject* bytes = encode(line);
  if (bytes == nullptr) return nullptr;
  add_history(PyBytes_AS_STRING(bytes));
  Py_DECREF(bytes);
  Py_RETURN_NONE;
}

PyObject* clear_history_(PyObject*, PyObject*) {
  clear_history();
  Py_RETURN_NONE;
}

PyObject* set_auto_history(PyObject*, PyObject* arg) {
  int on = PyObject_IsTrue(arg);
  if (on < 0) return nullptr;
  state.auto_history = on != 0;
  Py_RETURN_NONE;
}

PyObject* get_line_buffer(PyObject*, PyObject*) { return decode(rl_line_buffer != nullptr ? rl_line_buffer : ""); }

PyObject* insert_text(PyObject*, PyObject* text) {
  PyObject* bytes = encode(text);
  if (bytes == nullptr) return nullptr;
  rl_insert_text(PyBytes_AS_STRING(bytes));
  Py_DECREF(bytes);
  Py_RETURN_NONE;
}

PyObject* redisplay(PyObject*, PyObject*) {
  rl_redisplay();
  Py_RETURN_NONE;
}

// --- hooks: called by libedit without a thread attached

int call_hook(PyObject** slot) {
  PyGILState_STATE gil = PyGILState_Ensure();
  PyObject* hook = hook_of(slot);
  PyObject* result = hook != nullptr ? PyObject_CallNoArgs(hook) : nullptr;
  int value = 0;
  if (result != nullptr && result != Py_None) {
    value = PyLong_AsInt(result);
    if (value == -1 && PyErr_Occurred()) value = 0;
  }
  PyErr_Clear();
  Py_XDECREF(result);
  Py_XDECREF(hook);
  PyGILState_Release(gil);
  return value;
}
int on_startup() { return call_hook(&state.startup_hook); }
int on_pre_input() { return call_hook(&state.pre_input_hook); }

PyObject* set_hook(const char* name, PyObject** slot, PyObject* args) {
  PyObject* function = Py_None;
  if (!PyArg_ParseTuple(args, "|O", &function)) return nullptr;
  if (function != Py_None && !PyCallable_Check(function)) {
    PyErr_Format(PyExc_TypeError, "set_%s(func): argument not callable", name);
    return nullptr;
  }
  PyMutex_Lock(&settings_mutex);
  PyObject* old = std::exchange(*slot, function == Py_None ? nullptr : Py_NewRef(function));
  PyMutex_Unlock(&settings_mutex);
  Py_XDECREF(old);
  Py_RETURN_NONE;
}

// The library's hooks are these functions from the first call on; they call whichever of ours is set then.
PyObject* set_startup_hook(PyObject*, PyObject* args) {
  PyObject* result = set_hook("startup_hook", &state.startup_hook, args);
  PyMutex_Lock(&settings_mutex);
  rl_startup_hook = reinterpret_cast<decltype(rl_startup_hook)>(on_startup);
  PyMutex_Unlock(&settings_mutex);
  return result;
}
PyObject* set_pre_input_hook(PyObject*, PyObject* args) {
  PyObject* result = set_hook("pre_input_hook", &state.pre_input_hook, args);
  PyMutex_Lock(&settings_mutex);
  rl_pre_input_hook = reinterpret_cast<decltype(rl_pre_input_hook)>(on_pre_input);
  PyMutex_Unlock(&settings_mutex);
  return result;
}
PyObject* set_completion_display_matches_hook(PyObject*, PyObject* args) {
  return set_hook("completion_display_matches_hook", &state.display_hook, args);
}

// --- completion

PyObject* set_completer(PyObject*, PyObject* args) { return set_hook("completer", &state.completer, args); }
PyObject* get_completer(PyObject*, PyObject*) {
  PyObject* completer = hook_of(&state.completer);
  return completer != nullptr ? completer : Py_NewRef(Py_None);
}
PyObject* get_completion_type(PyObject*, PyObject*) { return PyLong_FromLong(rl_completion_type); }
PyObject* get_begidx(PyObject*, PyObject*) { return PyLong_FromLong(state.begin); }
PyObject* get_endidx(PyObject*, PyObject*) { return PyLong_FromLong(state.end); }

PyObject* set_completer_delims(PyObject*, PyObject* text) {
  PyObject* bytes = encode(text);
  if (bytes == nullptr) return nullptr;
  static char* kept = nullptr;
  char* copy = strdup(PyBytes_AS_STRING(bytes));
  Py_DECREF(bytes);
  if (copy == nullptr) return PyErr_NoMemory();
  PyMutex_Lock(&settings_mutex);
  free(kept);
  kept = copy;
  rl_completer_word_break_characters = copy;
  rl_basic_word_break_characters = copy;
  PyMutex_Unlock(&settings_mutex);
  Py_RETURN_NONE;
}
PyObject* get_completer_delims(PyObject*, PyObject*) {
  PyMutex_Lock(&settings_mutex);
  PyObject* result = decode(rl_completer_word_break_characters != nullptr ? rl_completer_word_break_characters : "");
  PyMutex_Unlock(&settings_mutex);
  return result;
}

// The n-th completion of text from the Python function; null ends the list.
char* next_completion(const char* text, int n) {
  char* result = nullptr;
  PyGILState_STATE gil = PyGILState_Ensure();
  rl_attempted_completion_over = 1;
  PyObject* completer = hook_of(&state.completer);
  PyObject* word = decode(text);
  PyObject* value = completer != nullptr && word != nullptr ? PyObject_CallFunction(completer, "Oi", word, n) : nullptr;
  if (value != nullptr && value != Py_None) {
    PyObject* bytes = PyUnicode_Check(value) ? encode(value) : nullptr;
    if (bytes != nullptr) result = strdup(PyBytes_AS_STRING(bytes));
    Py_XDECREF(bytes);
  }
  PyErr_Clear();
  Py_XDECREF(value);
  Py_XDECREF(word);
  Py_XDECREF(completer);
  PyGILState_Release(gil);
  return result;
}

char** complete(const char* text, int start, int end) {
  rl_completion_append_character = '\0';
  state.begin = start;
  state.end = end;
  if (state.completer == nullptr) return nullptr;
  return rl_completion_matches(text, reinterpret_cast<rl_compentry_func_t*>(next_completion));
}

// --- what PyOS_Readline calls at a terminal, detached

char* read_line(FILE* in, FILE* out, const char* prompt) {
  rl_instream = in;
  rl_outstream = out;
  char* text = readline(prompt);
  std::string line;
  if (text != nullptr) {
    if (*text != '\0' && state.auto_history) {
      int length = current_length();
      HIST_ENTRY* last = length > 0 ? history_get(history_base + length - 1) : nullptr;
      if (last == nullptr || strcmp(last->line, text) != 0) add_history(text);
    }
    line = std::string(text) + "\n";
    free(text);
  }
  auto* block = static_cast<char*>(PyMem_RawMalloc(line.size() + 1));
  if (block != nullptr) memcpy(block, line.c_str(), line.size() + 1);
  return block;
}

PyMethodDef methods[] = {
    {"add_history", add_history_, METH_O, "add_history($module, string, /)\n--\n\nAdd an item to the history buffer."},
    {"append_history_file", append_history_file, METH_VARARGS, "Append the last nelements items of the history list to file."},
    {"clear_history", clear_history_, METH_NOARGS, "clear_history($module, /)\n--\n\nClear the current readline history."},
    {"get_begidx", get_begidx, METH_NOARGS, "get_begidx($module, /)\n--\n\nGet the beginning index of the completion scope."},
    {"get_completer", get_completer, METH_NOARGS, "get_completer($module, /)\n--\n\nGet the current completer function."},
    {"get_completer_delims", get_completer_delims, METH_NOARGS,
     "get_completer_delims($module, /)\n--\n\nGet the word delimiters for completion."},
    {"get_completion_type", get_completion_type, METH_NOARGS,
     "get_completion_type($module, /)\n--\n\nGet the type of completion being attempted."},
    {"get_current_history_length", get_current_history_length, METH_NOARGS,
     "get_current_history_length($module, /)\n--\n\nReturn the current (not the maximum) length of history."},
    {"get_endidx", get_endidx, METH_NOARGS, "get_endidx($module, /)\n--\n\nGet the ending index of the completion scope."},
    {"get_history_item", get_history_item, METH_O,
     "get_history_item($module, index, /)\n--\n\nReturn the current contents of history item at one-based index."},
    {"get_history_length", get_history_length, METH_NOARGS,
     "get_history_length($module, /)\n--\n\nReturn the maximum number of lines that will be written to the history file."},
    {"get_line_buffer", get_line_buffer, METH_NOARGS, "get_line_buffer($module, /)\n--\n\nReturn the current contents of the line buffer."},
    {"insert_text", insert_text, METH_O, "insert_text($module, string, /)\n--\n\nInsert text into the line buffer at the cursor position."},
    {"parse_and_bind", parse_and_bind, METH_O, "parse_and_bind($module, string, /)\n--\n\nExecute the init line provided in the string argument."},
    {"read_history_file", read_history_file, METH_VARARGS, "Load a readline history file."},
    {"read_init_file", read_init_file, METH_VARARGS, "Execute a readline initialization file."},
    {"redisplay", redisplay, METH_NOARGS, "redisplay($module, /)\n--\n\nChange what's displayed on the screen to reflect contents of the line buffer."},
    {"remove_history_item", remove_history_item, METH_O, "remove_history_item($module, pos, /)\n--\n\nRemove history item given by its zero-based position."},
    {"replace_history_item", replace_history_item, METH_VARARGS, "Replaces history item given by its position with contents of line."},
    {"set_auto_history", set_auto_history, METH_O, "set_auto_history($module, enabled, /)\n--\n\nEnables or disables automatic history."},
    {"set_completer", set_completer, METH_VARARGS, "Set or remove the completer function."},
    {"set_completer_delims", set_completer_delims, METH_O, "set_completer_delims($module, string, /)\n--\n\nSet the word delimiters for completion."},
    {"set_completion_display_matches_hook", set_completion_display_matches_hook, METH_VARARGS,
     "Set or remove the completion display function."},
    {"set_history_length", set_history_length, METH_O,
     "set_history_length($module, length, /)\n--\n\nSet the maximal number of lines which will be written to the history file."},
    {"set_pre_input_hook", set_pre_input_hook, METH_VARARGS, "Set or remove the function invoked before readline starts reading characters."},
    {"set_startup_hook", set_startup_hook, METH_VARARGS, "Set or remove the function invoked by the rl_startup_hook callback."},
    {"write_history_file", write_history_file, METH_VARARGS, "Save a readline history file."},
    {},
};

int exec(PyObject* module) {
  if (PyModule_AddStringConstant(module, "backend", "editline") < 0) return -1;
  static bool started = false;
  if (started) return 0;
  started = true;
  using_history();
  rl_readline_name = "python";
  rl_initialize();
  rl_attempted_completion_function = complete;
  static char delimiters[] = " \t\n`~!@#$%^&*()-=+[{]}\\|;:'\",<>/?";
  rl_completer_word_break_characters = delimiters;
  PyOS_ReadlineFunctionPointer = read_line;
  return 0;
}

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(exec)},
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};
PyModuleDef def = {PyModuleDef_HEAD_INIT, "readline", "Importing this module enables command line editing using libedit.",
                   0, methods, slots, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit_readline(void) { return PyModuleDef_Init(&def); }
