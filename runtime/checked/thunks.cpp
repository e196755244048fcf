// One thunk for each function of functions.def, with what its caller has to see to. The compiler makes them from the
// function's type; what is particular to a function stands in the tables below.
#include "checked/thunks.h"

#if AMPHIS_CHECKED

#include "checked/freed.h"
#include "checked/report.h"
#include "marshal.h"
#include "platform/raw_mutex.h"
#include "sync/object_lock.h"
#include "sync/ref.h"
#include "sync/shared_slot.h"
#include "sync/thread_state.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <type_traits>
#include <utility>

// Only the free-threaded library has them.
extern "C" {
void _Py_MergeZeroLocalRefcount(PyObject*) __attribute__((weak));
void _Py_DecRefShared(PyObject*) __attribute__((weak));
}

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace amphis::checked {

namespace {

constexpr const char* kNames[] = {
#define CHECKED(name) #name,
#define VARIADIC(name) #name,
#include "checked/functions.def"
#undef CHECKED
#undef VARIADIC
};

enum Index : unsigned {
#define CHECKED(name) k_##name,
#define VARIADIC(name) k_##name,
#include "checked/functions.def"
#undef CHECKED
#undef VARIADIC
};

// ---- What is particular ----

// They run other code, which takes an exception that is already set for its own.
constexpr std::string_view kWithoutException[] = {
    "PyObject_Call", "PyObject_CallObject", "PyObject_CallNoArgs", "PyObject_CallOneArg", "PyObject_Vectorcall",
    "PyObject_VectorcallDict", "PyObject_VectorcallMethod", "PyVectorcall_Call", "PyObject_CallFunction", "PyObject_CallMethod",
    "PyObject_CallFunctionObjArgs", "PyObject_CallMethodObjArgs", "PyObject_Repr", "PyObject_Str", "PyObject_ASCII",
    "PyObject_Bytes", "PyObject_Format", "PyObject_RichCompare", "PyObject_RichCompareBool", "PyEval_EvalCode", "PyIter_Next",
    "PyIter_NextItem", "PyIter_Send", "PyImport_Import", "PyImport_ImportModule", "PyImport_ImportModuleLevelObject",
    "PyRun_StringFlags",
};

// They steal an argument, which another one (counted from 0; -1: this thread's exception) keeps.
struct Thief {
  std::string_view name;
  int stolen;
  int keeper;
};
constexpr Thief kThieves[] = {
    {"PyList_SetItem", 2, 0},         {"PyTuple_SetItem", 2, 0},         {"PyModule_AddObject", 2, 0},
    {"PyException_SetCause", 1, 0},   {"PyException_SetContext", 1, 0},  {"PyErr_SetRaisedException", 0, -1},
    {"PyStructSequence_SetItem", 2, 0},
};

// Their first argument is memory, of which they make an object.
constexpr std::string_view kMakers[] = {"PyObject_Init", "PyObject_InitVar"};

// Extensions call them where they have no thread state (NumPy, while it parses without the GIL), and they touch no count.
constexpr std::string_view kDetachedToo[] = {"PyCapsule_GetPointer"};

// They look into an object that somebody else may be changing, or change it, and leave locking to the caller.
constexpr std::string_view kUnlocked[] = {"PyDict_Next", "_PySet_NextEntry", "_PyDict_SetItem_KnownHash_LockHeld"};

constexpr bool contains(const auto& names, std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}
constexpr const Thief* thief(std::string_view name) {
  for (const Thief& t : kThieves) {
    if (t.name == name) return &t;
  }
  return nullptr;
}

// ---- Stolen references ----

struct Stolen {
  PyObject* op;
  PyObject* keeper;  // null: the thread's exception
  const char* api;
  const void* caller;
  const char* method;
};
constexpr size_t kRemembered = 64;
platform::RawMutex stolen_mutex;
Stolen stolen[kRemembered];
size_t next_stolen = 0;

bool in_items(PyObject* const* items, Py_ssize_t n, const PyObject* op) { return std::find(items, items + n, op) != items + n; }

// Whether the thief still has what it took.
bool keeps(const Stolen& s) {
  if (s.keeper == nullptr) return current_thread()->current_exception == s.op;
  if (is_freed(s.keeper)) return false;
  if (PyList_Check(s.keeper)) return in_items(reinterpret_cast<PyListObject*>(s.keeper)->ob_item, PyList_GET_SIZE(s.keeper), s.op);
  if (PyTuple_Check(s.keeper)) return in_items(reinterpret_cast<PyTupleObject*>(s.keeper)->ob_item, PyTuple_GET_SIZE(s.keeper), s.op);
  if (PyExceptionInstance_Check(s.keeper)) {
    const auto* error = reinterpret_cast<PyBaseExceptionObject*>(s.keeper);
    return error->cause == s.op || error->context == s.op;
  }
  if (PyModule_Check(s.keeper)) {
    Py_ssize_t position = 0;
    PyObject *key, *value;
    while (PyDict_Next(PyModule_GetDict(s.keeper), &position, &key, &value)) {
      if (value == s.op) return true;
    }
  }
  return false;
}

void remember_stolen(const Site& site, PyObject* op, PyObject* keeper) {
  if (op == nullptr || _Py_IsImmortal(op)) return;
  platform::RawLock lock(stolen_mutex);
  stolen[next_stolen] = {op, keeper, site.api, site.caller, method_now()};
  next_stolen = (next_stolen + 1) % kRemembered;
}

// ---- Dropping references: the calls that inline code makes when a count has come to its end ----

// `left`: how many references there are after this one.
void check_drop(const Site& site, PyObject* op, Py_ssize_t left) {
  if (current_thread() == nullptr) fatal_finding(site, "a reference is dropped without an attached thread state");
  if (is_freed(op)) fatal_finding(site, "negative reference count: one more reference was dropped than there were, of " + describe_freed(op));
  if (left > 0) return;
  for (Stolen& place : stolen) {
    Stolen s{};
    {
      platform::RawLock lock(stolen_mutex);
      if (place.op != op) continue;
      s = std::exchange(place, {});
    }
    if (!keeps(s)) continue;
    fatal_finding(site, std::string("a reference was dropped that ") + s.api + "() had stolen: a '" + Py_TYPE(op)->tp_name +
                            "' dies that is still in use; stolen in the call from " + place_of(s.caller, s.method));
  }
}

AMPHIS_NOINLINE void thunk_dealloc(PyObject* op) {
  SiteScope scope("Py_DECREF", __builtin_return_address(0));
  check_drop(scope.site(), op, 0);
  _Py_Dealloc(op);
}
AMPHIS_NOINLINE void thunk_merge(PyObject* op) {
  SiteScope scope("Py_DECREF", __builtin_return_address(0));
  check_drop(scope.site(), op, is_freed(op) ? 0 : _Py_REFCNT(op));
  _Py_MergeZeroLocalRefcount(op);
}
AMPHIS_NOINLINE void thunk_shared(PyObject* op) {
  SiteScope scope("Py_DECREF", __builtin_return_address(0));
  check_drop(scope.site(), op, is_freed(op) ? 0 : _Py_REFCNT(op) - 1);
  _Py_DecRefShared(op);
}

// ---- Freeing memory of objects ----

void check_memory(const Site& site, void* p) {
  if (current_thread() == nullptr) fatal_finding(site, "called without an attached thread state");
  if (p != nullptr && is_freed_memory(p)) {
    fatal_finding(site, "was given " + describe_freed(static_cast<PyObject*>(p)));
  }
}
AMPHIS_NOINLINE void thunk_free(void* p) {
  SiteScope scope("PyObject_Free", __builtin_return_address(0));
  check_memory(scope.site(), p);
  PyObject_Free(p);
}
AMPHIS_NOINLINE void thunk_gc_del(void* p) {
  SiteScope scope("PyObject_GC_Del", __builtin_return_address(0));
  check_memory(scope.site(), p);
  PyObject_GC_Del(p);
}

// ---- Critical sections ----

AMPHIS_NOINLINE void thunk_section_end(PyCriticalSection* c) {
  SiteScope scope("PyCriticalSection_End", __builtin_return_address(0));
  const ThreadState* ts = current_thread();
  if (ts == nullptr) fatal_finding(scope.site(), "called without an attached thread state");
  if (!is_newest_section(c)) fatal_finding(scope.site(), "ends a critical section that is not the newest one of this thread");
  PyCriticalSection_End(c);
}

// Whether other threads may be at work on the object while this one is: it is another thread's, and this one is in no critical
// section, its own or that of an object that has it for itself.
bool is_exposed(PyObject* op) {
  return !_Py_IsImmortal(op) && !sync::is_stable(op) && !holds_object_lock(op) && current_thread()->critical_section == 0;
}

// PyDict_Next is particular in two ways: it asks for a lock, and for a dictionary whose keys stay as they are.
struct Walk {
  PyObject* dict;
  Py_ssize_t position, used;
};
constinit thread_local Walk walk AMPHIS_TLS_IE = {};

AMPHIS_NOINLINE int thunk_dict_next(PyObject* dict, Py_ssize_t* position, PyObject** key, PyObject** value) {
  SiteScope scope("PyDict_Next", __builtin_return_address(0));
  const Site& site = scope.site();
  if (current_thread() == nullptr) fatal_finding(site, "called without an attached thread state");
  if (is_freed(dict)) return raise_finding(site, "was given " + describe_freed(dict)), 0;
  if (PyDict_Check(dict)) {
    if (is_exposed(dict)) {
      return raise_finding(site, "reads a dict of another thread outside of a critical section (Py_BEGIN_CRITICAL_SECTION)"), 0;
    }
    if (*position != 0 && walk.dict == dict && walk.position == *position && walk.used != PyDict_GET_SIZE(dict)) {
      return raise_finding(site, "goes on in a dict that has changed its size since the last step"), 0;
    }
  }
  const int found = PyDict_Next(dict, position, key, value);
  if (PyDict_Check(dict)) walk = {dict, *position, PyDict_GET_SIZE(dict)};
  return found;
}

// ---- The thunks ----

template <class T>
constexpr bool is_object = std::is_same_v<T, PyObject*> || std::is_same_v<T, PyTypeObject*> || std::is_same_v<T, PyDictObject*>;

template <class R>
R failure([[maybe_unused]] const Site& site, const std::string& text) {
  constexpr bool can_fail = std::is_pointer_v<R> || std::is_integral_v<R> || std::is_floating_point_v<R>;
  if constexpr (can_fail) {
    // A check that always succeeds has no way to tell.
    if (!std::string_view(site.api).ends_with("Check")) {
      raise_finding(site, text);
      if constexpr (std::is_pointer_v<R>) {
        return nullptr;
      } else {
        return static_cast<R>(-1);
      }
    }
  }
  fatal_finding(site, text);
}

// What is wrong with an argument; empty if nothing.
template <class T>
std::string argument_fault(T argument, int number) {
  if constexpr (is_object<T>) {
    auto* op = reinterpret_cast<PyObject*>(argument);
    if (op != nullptr && is_freed(op)) return "was given " + describe_freed(op) + " as argument " + std::to_string(number);
  }
  return {};
}

template <int I, class... A>
PyObject* nth([[maybe_unused]] A... arguments) {
  PyObject* found = nullptr;
  int i = 0;
  ([&] {
    if constexpr (is_object<A>) {
      if (i == I) found = reinterpret_cast<PyObject*>(arguments);
    }
    ++i;
  }(), ...);
  return found;
}

bool has_exception() { return current_thread()->current_exception != nullptr; }

template <auto F, unsigned I>
struct Thunk;

template <class R, class... A, R (*F)(A...), unsigned I>
struct Thunk<F, I> {
  AMPHIS_NOINLINE static R call(A... arguments) {
    SiteScope scope(kNames[I], __builtin_return_address(0));
    const Site& site = scope.site();
    if (current_thread() == nullptr) {
      if constexpr (contains(kDetachedToo, kNames[I])) return F(arguments...);
      fatal_finding(site, "called without an attached thread state");
    }
    std::string fault;
    [[maybe_unused]] int number = 0;
    if constexpr (!contains(kMakers, kNames[I])) (((void)++number, fault.empty() ? (void)(fault = argument_fault(arguments, number)) : (void)0), ...);
    if (!fault.empty()) return failure<R>(site, fault);
    if constexpr (contains(kWithoutException, kNames[I])) {
      if (has_exception()) return failure<R>(site, "was called with an exception set");
    }
    if constexpr (contains(kUnlocked, kNames[I])) {
      if (is_exposed(nth<0>(arguments...))) return failure<R>(site, "was called outside of a critical section on its object");
    }
    constexpr const Thief* t = thief(kNames[I]);
    if constexpr (t != nullptr && std::is_same_v<R, int>) {
      const R result = F(arguments...);
      if (result >= 0) remember_stolen(site, nth<t->stolen>(arguments...), nth<t->keeper>(arguments...));
      return result;
    } else if constexpr (t != nullptr) {
      F(arguments...);
      remember_stolen(site, nth<t->stolen>(arguments...), t->keeper >= 0 ? nth<t->keeper>(arguments...) : nullptr);
    } else {
      return F(arguments...);
    }
  }
};

// A function with a variable argument list: its registers are kept while the caller is checked, and it runs in the thunk's place.
extern "C" AMPHIS_HIDDEN long amphis_checked_variadic(unsigned index, const void* caller, PyObject* first);

#ifdef __x86_64__
template <unsigned I>
const void* variadic_target;

// True: go on. False: fail with null or -1 (all of them return a pointer, an int, or nothing).
template <auto F, unsigned I>
__attribute__((naked)) void variadic_thunk() {
  __asm__ volatile(
      "push %%rbp\n\tmov %%rsp, %%rbp\n\tsub $192, %%rsp\n\t"
      "mov %%rdi, (%%rsp)\n\tmov %%rsi, 8(%%rsp)\n\tmov %%rdx, 16(%%rsp)\n\tmov %%rcx, 24(%%rsp)\n\t"
      "mov %%r8, 32(%%rsp)\n\tmov %%r9, 40(%%rsp)\n\tmov %%rax, 48(%%rsp)\n\t"
      "movaps %%xmm0, 64(%%rsp)\n\tmovaps %%xmm1, 80(%%rsp)\n\tmovaps %%xmm2, 96(%%rsp)\n\tmovaps %%xmm3, 112(%%rsp)\n\t"
      "movaps %%xmm4, 128(%%rsp)\n\tmovaps %%xmm5, 144(%%rsp)\n\tmovaps %%xmm6, 160(%%rsp)\n\tmovaps %%xmm7, 176(%%rsp)\n\t"
      "mov %%rdi, %%rdx\n\tmov 8(%%rbp), %%rsi\n\tmov %0, %%edi\n\t"
      "call amphis_checked_variadic\n\t"
      "mov %%rax, %%r10\n\t"
      "mov (%%rsp), %%rdi\n\tmov 8(%%rsp), %%rsi\n\tmov 16(%%rsp), %%rdx\n\tmov 24(%%rsp), %%rcx\n\t"
      "mov 32(%%rsp), %%r8\n\tmov 40(%%rsp), %%r9\n\tmov 48(%%rsp), %%rax\n\t"
      "movaps 64(%%rsp), %%xmm0\n\tmovaps 80(%%rsp), %%xmm1\n\tmovaps 96(%%rsp), %%xmm2\n\tmovaps 112(%%rsp), %%xmm3\n\t"
      "movaps 128(%%rsp), %%xmm4\n\tmovaps 144(%%rsp), %%xmm5\n\tmovaps 160(%%rsp), %%xmm6\n\tmovaps 176(%%rsp), %%xmm7\n\t"
      "leave\n\ttest %%r10, %%r10\n\tjz 1f\n\tjmp *%1\n"
      "1:\txor %%eax, %%eax\n\tret"
      :
      : "i"(I), "m"(variadic_target<I>));
}
#endif

Redirection entry(const char* name, void* function, void* thunk) { return {name, function, thunk}; }

template <class F>
void* address_of(F* f) {
  return reinterpret_cast<void*>(f);
}

}  // namespace

extern "C" long amphis_checked_variadic(unsigned index, const void* caller, PyObject* first) {
  SiteScope scope(kNames[index], caller);
  const Site& site = scope.site();
  if (current_thread() == nullptr) fatal_finding(site, "called without an attached thread state");
  const std::string_view name = kNames[index];
  const bool takes_object = name.starts_with("PyObject_") || name.starts_with("PyArg_Parse") || name == "PyErr_Format";
  if (takes_object && first != nullptr && is_freed(first)) {
    raise_finding(site, "was given " + describe_freed(first) + " as argument 1");
    return 0;
  }
  if (contains(kWithoutException, name) && has_exception()) {
    raise_finding(site, "was called with an exception set");
    return 0;
  }
  return 1;
}

const std::vector<Redirection>& redirections() {
  static const std::vector<Redirection> table = [] {
    std::vector<Redirection> t;
#define CHECKED(name) t.push_back(entry(#name, address_of(&name), address_of(&Thunk<&name, k_##name>::call)));
#ifdef __x86_64__
#define VARIADIC(name)                                     \
  variadic_target<k_##name> = address_of(&name);           \
  t.push_back(entry(#name, address_of(&name), address_of(&variadic_thunk<&name, k_##name>)));
#else
#define VARIADIC(name)
#endif
#include "checked/functions.def"
#undef CHECKED
#undef VARIADIC
    t.push_back(entry("_Py_Dealloc", address_of(&_Py_Dealloc), address_of(&thunk_dealloc)));
    if (&_Py_MergeZeroLocalRefcount != nullptr) {
      t.push_back(entry("_Py_MergeZeroLocalRefcount", address_of(&_Py_MergeZeroLocalRefcount), address_of(&thunk_merge)));
      t.push_back(entry("_Py_DecRefShared", address_of(&_Py_DecRefShared), address_of(&thunk_shared)));
    }
    t.push_back(entry("PyObject_Free", address_of(&PyObject_Free), address_of(&thunk_free)));
    t.push_back(entry("PyObject_GC_Del", address_of(&PyObject_GC_Del), address_of(&thunk_gc_del)));
    t.push_back(entry("PyCriticalSection_End", address_of(&PyCriticalSection_End), address_of(&thunk_section_end)));
    t.push_back(entry("PyDict_Next", address_of(&PyDict_Next), address_of(&thunk_dict_next)));
    std::sort(t.begin(), t.end(), [](const Redirection& a, const Redirection& b) { return strcmp(a.name, b.name) < 0; });
    return t;
  }();
  return table;
}

}  // namespace amphis::checked

#endif
