// Plain-text tracebacks. What is read here may be changing or broken: everything is bounded, nothing is followed twice.
#include "modules/traceback_dump.h"

#include "interp/frame.h"
#include "modules/import_state.h"
#include "modules/sys.h"
#include "objects/code.h"
#include "objects/module.h"
#include "sync/interpreter_state.h"

#include <cstring>
#include <pthread.h>
#include <unistd.h>

namespace amphis {

namespace {

constexpr int kMaxFrames = 100;
constexpr int kMaxThreads = 100;
constexpr Py_ssize_t kMaxText = 500;

void put(int fd, const char* text, size_t n) {
  while (n > 0) {
    ssize_t done = write(fd, text, n);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return;
    text += done;
    n -= static_cast<size_t>(done);
  }
}

void put_decimal(int fd, unsigned long value) {
  char buffer[24];
  char* p = buffer + sizeof buffer;
  do {
    *--p = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  put(fd, p, static_cast<size_t>(buffer + sizeof buffer - p));
}

void put_hex(int fd, unsigned long value, int digits) {
  char buffer[16];
  for (int i = digits; i-- > 0; value >>= 4) buffer[i] = "0123456789abcdef"[value & 15];
  put(fd, buffer, static_cast<size_t>(digits));
}

// A str with everything but printable ASCII escaped.
void put_str(int fd, PyObject* text) {
  if (text == nullptr || !PyUnicode_Check(text)) return dump_text(fd, "???");
  Py_ssize_t n = PyUnicode_GET_LENGTH(text);
  const bool cut = n > kMaxText;
  const int kind = static_cast<int>(PyUnicode_KIND(text));
  const void* data = PyUnicode_DATA(text);
  for (Py_ssize_t i = 0; i < (cut ? kMaxText : n); ++i) {
    Py_UCS4 c = PyUnicode_READ(kind, data, i);
    if (c >= ' ' && c < 127) {
      char ch = static_cast<char>(c);
      put(fd, &ch, 1);
    } else if (c <= 0xFF) {
      dump_text(fd, "\\x");
      put_hex(fd, c, 2);
    } else if (c <= 0xFFFF) {
      dump_text(fd, "\\u");
      put_hex(fd, c, 4);
    } else {
      dump_text(fd, "\\U");
      put_hex(fd, c, 8);
    }
  }
  if (cut) dump_text(fd, "...");
}

void dump_frames(int fd, ThreadState* ts) {
  Frame* f = current_frame(ts);
  if (f == nullptr) dump_text(fd, "  <no Python frame>\n");
  for (int depth = 0; f != nullptr; f = f->prev, ++depth) {
    if (depth >= kMaxFrames) {
      dump_text(fd, "  ...\n");
      break;
    }
    PyCodeObject* code = f->code;
    dump_text(fd, "  File \"");
    put_str(fd, code->co_filename);
    dump_text(fd, "\", line ");
    int line = code_position(code, f->index()).line;
    if (line >= 0) {
      put_decimal(fd, static_cast<unsigned long>(line));
    } else {
      dump_text(fd, "???");
    }
    dump_text(fd, " in ");
    put_str(fd, code->co_name);
    dump_text(fd, "\n");
  }
}

}  // namespace

void dump_text(int fd, const char* text) { put(fd, text, strlen(text)); }

void dump_thread(int fd, ThreadState* ts, bool current) {
  dump_text(fd, current ? "Current thread 0x" : "Thread 0x");
  put_hex(fd, ts->thread_id, 16);
  char name[32];
  if (pthread_getname_np(static_cast<pthread_t>(ts->thread_id), name, sizeof name) == 0 && name[0] != '\0') {
    dump_text(fd, " [");
    for (const char* p = name; *p != '\0'; ++p) put(fd, *p >= ' ' && *p < 127 ? p : "?", 1);
    dump_text(fd, "]");
  }
  dump_text(fd, " (most recent call first):\n");
  dump_frames(fd, ts);
}

void dump_stack(int fd, ThreadState* ts) {
  dump_text(fd, "Stack (most recent call first):\n");
  dump_frames(fd, ts);
}

void dump_extension_modules(int fd) {
  PyObject* modules = import_modules();
  if (modules == nullptr || !PyDict_CheckExact(modules) || current_thread() == nullptr) return;
  PyObject* known = nullptr;
  if (PyObject* dict = sys_dict()) known = PyDict_GetItemString(dict, "stdlib_module_names");
  PyObject *name, *module;
  unsigned long count = 0;
  for (Py_ssize_t pos = 0; PyDict_Next(modules, &pos, &name, &module);) {
    if (!PyUnicode_CheckExact(name) || !PyModule_Check(module) || !module_is_native(module)) continue;
    if (known != nullptr && PyFrozenSet_Check(known) && PySet_Contains(known, name) > 0) continue;
    dump_text(fd, count == 0 ? "\nExtension modules: " : ", ");
    put_str(fd, name);
    ++count;
  }
  if (count == 0) return;
  dump_text(fd, " (total: ");
  put_decimal(fd, count);
  dump_text(fd, ")\n");
}

void dump_all_threads(int fd, ThreadState* current) {
  // The list is read without its lock: its holder may be what crashed.
  int count = 0;
  for (PyThreadState* t = interpreter()->threads; t != nullptr; t = t->next, ++count) {
    if (count > 0) dump_text(fd, "\n");
    if (count >= kMaxThreads) {
      dump_text(fd, "...\n");
      break;
    }
    dump_thread(fd, thread_state(t), t == current);
  }
}

}  // namespace amphis
