// Several threads use the same instances and classes at once: whatever they read must be a value that somebody wrote.
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "objects/instance.h"
#include "objects/model.h"
#include "sync/thread_state.h"

using namespace amphis;
using namespace model;

namespace {

template <typename F>
void on_threads(int n, int milliseconds, F body) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < n; ++i) {
    threads.emplace_back([&, i] {
      PyGILState_STATE state = PyGILState_Ensure();
      for (unsigned round = 0; !stop; ++round) {
        body(i, round);
        ThreadState* ts = current_thread();
        if (eval_breaker_set(ts)) safepoint(ts);
      }
      PyGILState_Release(state);
    });
  }
  Detached detached;
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
  stop = true;
  for (std::thread& t : threads) t.join();
}

}  // namespace

TEST_CASE("threads that read, write, delete and list attributes of one instance") {
  Ref<> cls = make_class("Shared", {});
  Ref<> obj = call(cls);
  std::vector<Ref<>> keys;
  for (const char* text : {"alpha", "beta", "gamma", "delta"}) keys.push_back(own(PyUnicode_InternFromString(text)));
  std::atomic<int> wrong{0};
  on_threads(4, 300, [&](int, unsigned round) {
    PyObject* key = keys[round % 4].get();
    switch (round / 4 % 5) {
      case 0:
      case 1: {
        Ref<> value = own(PyUnicode_FromFormat("%U-%u", key, round));
        if (PyObject_SetAttr(obj.get(), key, value.get()) < 0) ++wrong;
        break;
      }
      case 2: {
        PyObject* value;
        if (PyObject_GetOptionalAttr(obj.get(), key, &value) < 0) ++wrong;
        if (value != nullptr && PyUnicode_Tailmatch(value, key, 0, PY_SSIZE_T_MAX, -1) != 1) ++wrong;
        Py_XDECREF(value);
        break;
      }
      case 3:
        if (PyObject_DelAttr(obj.get(), key) < 0) PyErr_Clear();
        break;
      default: {
        // Mostly leave the values inline: a fresh instance now and then goes through both lives.
        if (round % 64 == 16) {
          Ref<> fresh = call(cls);
          PyObject_SetAttr(fresh.get(), key, Py_None);
          Ref<> dict = attr(fresh, "__dict__");
          if (!dict || PyDict_Size(dict.get()) != 1) ++wrong;
        }
        if (round % 4096 == 17 && !attr(obj, "__dict__")) ++wrong;
      }
    }
  });
  CHECK(wrong == 0);
}

TEST_CASE("threads that call methods of a class that others change") {
  Ref<> base = make_class("Base", {}, Entry{"value", own(PyUnicode_FromString("first"))});
  Ref<> derived = make_class("Derived", {base.get()});
  Ref<> obj = call(derived);
  Ref<> key = own(PyUnicode_InternFromString("value"));
  std::atomic<int> wrong{0};
  on_threads(4, 300, [&](int index, unsigned round) {
    if (index == 0 && round % 16 == 0) {
      Ref<> value = own(PyUnicode_FromFormat("value %u", round));
      if (PyObject_SetAttr(base.get(), key.get(), value.get()) < 0) ++wrong;
      return;
    }
    if (index == 1 && round % 64 == 0) {
      Ref<> other = make_class("Other", {base.get()});
      if (!other || !call(other)) ++wrong;
      return;
    }
    Ref<> value = own(PyObject_GetAttr(obj.get(), key.get()));
    if (!value || !PyUnicode_CheckExact(value.get()) || PyUnicode_GET_LENGTH(value.get()) < 5) ++wrong;
    PyErr_Clear();
  });
  CHECK(wrong == 0);
  CHECK(PyList_Size(own(PyObject_CallMethod(base.get(), "__subclasses__", nullptr)).get()) >= 1);
}
