#include "catch.h"

#include <thread>

#include "base/ptr_stack.h"
#include "platform/os.h"
#include "sync/event.h"
#include "sync/interpreter_state.h"
#include "sync/mutex.h"
#include "sync/object_lock.h"
#include "sync/recursion.h"
#include "sync/ref.h"
#include "sync/retire.h"
#include "sync/shared_slot.h"
#include "sync/stop_the_world.h"

using namespace amphis;

TEST_CASE("a Ref owns exactly one reference") {
  PyObject* list = PyList_New(0);
  REQUIRE(Py_REFCNT(list) == 1);
  {
    Ref<> a = Ref<>::steal(list);
    REQUIRE(Py_REFCNT(list) == 1);
    Ref<> b = a.copy();
    REQUIRE(Py_REFCNT(list) == 2);
    Ref<> c = std::move(b);
    REQUIRE(!b);
    REQUIRE(c == a);
    REQUIRE(Py_REFCNT(list) == 2);
    c.reset();
    REQUIRE(Py_REFCNT(list) == 1);
    REQUIRE(a.release() == list);
    REQUIRE(a == nullptr);
  }
  REQUIRE(Py_REFCNT(list) == 1);
  Py_DECREF(list);
}

TEST_CASE("a PtrStack gives back what was pushed, last first, across chunks") {
  PtrStack<int, 4> stack;
  REQUIRE(stack.empty());
  for (int i = 0; i < 11; i++) REQUIRE(stack.push(i));
  for (int i = 10; i >= 0; i--) REQUIRE(stack.pop() == i);
  REQUIRE(stack.empty());
}

TEST_CASE("a PtrStack takes over another one") {
  PtrStack<int, 4> a, b;
  for (int i = 0; i < 6; i++) REQUIRE(a.push(i));
  for (int i = 6; i < 9; i++) REQUIRE(b.push(i));
  a.splice(b);
  REQUIRE(b.empty());
  int sum = 0;
  while (!a.empty()) sum += a.pop();
  REQUIRE(sum == 36);
}

TEST_CASE("a slot gives out strong references and drops what it held") {
  PyObject* slot = nullptr;
  REQUIRE(!sync::get_ref(&slot));
  sync::set_slot(&slot, Ref<>::steal(PyList_New(0)));
  Ref<> r = sync::get_ref(&slot);
  REQUIRE(Py_REFCNT(r.get()) == 2);
  Ref<> old = sync::exchange_slot(&slot, Ref<>());
  REQUIRE(old == r);
  REQUIRE(slot == nullptr);
}

TEST_CASE("only an unshared object is unique") {
  Ref<> list = Ref<>::steal(PyList_New(0));
  REQUIRE(sync::is_unique(list));
  Ref<> second = list.copy();
  REQUIRE(!sync::is_unique(list));
}

TEST_CASE("an object with more references than can be counted lives for ever") {
  PyObject* number = PyFloat_FromDouble(0.5);
  Py_SET_REFCNT(number, INT32_MAX);
  sync::incref_stable(number);
  for (int i = 0; i < 3; i++) sync::decref_own(number);
  REQUIRE(_Py_IsImmortal(number));
}

TEST_CASE("a lock that is taken times out and is free again after release") {
  PyThread_type_lock lock = PyThread_allocate_lock();
  REQUIRE(PyThread_acquire_lock(lock, 1) == 1);
  REQUIRE(PyThread_acquire_lock(lock, 0) == 0);
  int64_t start = platform::now_ns();
  REQUIRE(PyThread_acquire_lock_timed(lock, 10000, 0) == PY_LOCK_FAILURE);
  REQUIRE(platform::now_ns() - start >= 10000000);
  PyThread_release_lock(lock);
  REQUIRE(PyThread_acquire_lock_timed(lock, 10000, 0) == PY_LOCK_ACQUIRED);
  PyThread_release_lock(lock);
  PyThread_free_lock(lock);
}

TEST_CASE("an event wakes those who wait and stays set") {
  sync::Event event;
  REQUIRE(event.wait(1000000, false) == sync::LockResult::kTimeout);
  std::thread setter([&event] {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    event.set();
  });
  REQUIRE(event.wait(-1, false) == sync::LockResult::kAcquired);
  REQUIRE(event.is_set());
  REQUIRE(event.wait(0, false) == sync::LockResult::kAcquired);
  setter.join();
}

TEST_CASE("critical sections nest, also on the same object") {
  Ref<> a = Ref<>::steal(PyList_New(0));
  Ref<> b = Ref<>::steal(PyList_New(0));
  {
    ObjectLock outer(a.get());
    REQUIRE(holds_object_lock(a.get()));
    {
      ObjectLock again(a.get());
      ObjectLock2 both(a.get(), b.get());
      REQUIRE(holds_object_lock(b.get()));
    }
    {
      Detached d;
    }
    ObjectLock2 same(b.get(), b.get());
  }
  REQUIRE(current_thread()->critical_section == 0);
  // Nothing stayed locked.
  ObjectLock2 both(a.get(), b.get());
}

TEST_CASE("a stopped world nests and locks objects freely") {
  Ref<> a = Ref<>::steal(PyList_New(0));
  StopTheWorld outer("test");
  StopTheWorld inner("inner");
  ObjectLock lock(a.get());
  REQUIRE(world_stopped());
}

TEST_CASE("a thread that Python knows nothing of can call in, again and again") {
  long calls = 0;
  std::thread outsider([&calls] {
    for (int i = 0; i < 3; i++) {
      REQUIRE(PyGILState_GetThisThreadState() == nullptr);
      PyGILState_STATE outer = PyGILState_Ensure();
      PyGILState_STATE inner = PyGILState_Ensure();
      REQUIRE(inner == PyGILState_LOCKED);
      Py_DECREF(PyList_New(3));
      PyGILState_Release(inner);
      REQUIRE(PyGILState_Check() == 1);
      PyGILState_Release(outer);
      calls++;
    }
  });
  Py_BEGIN_ALLOW_THREADS
  outsider.join();
  Py_END_ALLOW_THREADS
  REQUIRE(calls == 3);
}

TEST_CASE("pending calls run once, in order") {
  static int seen;
  seen = 0;
  auto call = [](void* p) {
    seen = seen * 10 + int(reinterpret_cast<intptr_t>(p));
    return 0;
  };
  REQUIRE(Py_AddPendingCall(call, reinterpret_cast<void*>(1)) == 0);
  REQUIRE(Py_AddPendingCall(call, reinterpret_cast<void*>(2)) == 0);
  REQUIRE(Py_MakePendingCalls() == 0);
  REQUIRE(seen == 12);
  REQUIRE(Py_MakePendingCalls() == 0);
  REQUIRE(seen == 12);
}

namespace {

int descend(int depth) {
  RecursionGuard guard(" while testing");
  if (guard.refused()) return depth;
  volatile char frame[256];
  frame[0] = 0;
  int result = descend(depth + 1);
  return result + frame[0];
}

}  // namespace

TEST_CASE("deep recursion in C is refused while there is stack left to say so") {
  REQUIRE(descend(0) > 1000);
  REQUIRE(PyErr_ExceptionMatches(PyExc_RecursionError));
  PyErr_Clear();
}

TEST_CASE("a deep chain of containers is freed without using up the stack") {
  PyObject* chain = nullptr;
  for (int i = 0; i < 300000; i++) {
    PyObject* link = PyList_New(1);
    PyList_SetItem(link, 0, chain ? chain : Py_NewRef(Py_None));
    chain = link;
  }
  Py_DECREF(chain);
  REQUIRE(current_thread()->trash == nullptr);
}

TEST_CASE("thread-specific storage keeps a value per thread") {
  Py_tss_t key = Py_tss_NEEDS_INIT;
  REQUIRE(PyThread_tss_create(&key) == 0);
  int mine = 1;
  REQUIRE(PyThread_tss_set(&key, &mine) == 0);
  void* elsewhere = &mine;
  std::thread([&] { elsewhere = PyThread_tss_get(&key); }).join();
  REQUIRE(elsewhere == nullptr);
  REQUIRE(PyThread_tss_get(&key) == &mine);
  PyThread_tss_delete(&key);
}
