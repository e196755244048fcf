// Stress for runtime/sync/: many threads on few objects, meant to run under ThreadSanitizer too. No Python code runs:
// objects are of a type made here whose deallocator counts. Usage: sync_stress [seconds per test] [name]
#include "platform/os.h"
#include "sync/atomic_field.h"
#include "sync/deferred.h"
#include "sync/interpreter_state.h"
#include "sync/mutex.h"
#include "sync/object_lock.h"
#include "sync/parking_lot.h"
#include "sync/ref.h"
#include "sync/retire.h"
#include "sync/shared_slot.h"
#include "sync/stop_the_world.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

using namespace amphis;

#define CHECK(cond)                                                              \
  do {                                                                           \
    if (!(cond)) {                                                               \
      std::fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #cond);    \
      std::abort();                                                              \
    }                                                                            \
  } while (0)

namespace {

int64_t test_ns = 300000000;
std::atomic<bool> stop{false};
std::atomic<long> made{0}, died{0};

constexpr long kDead = long(0x5eadbeef5eadbeef);  // no balance that a test arrives at

struct Node {
  PyObject ob_base;
  long value;
  PyObject* link;
};

void node_dealloc(PyObject* op) {
  auto* n = reinterpret_cast<Node*>(op);
  CHECK(n->value != kDead);
  n->value = kDead;
  Py_XDECREF(n->link);
  died++;
  // Optimistic readers may still look at the header.
  sync::retire_with([](void* p) { std::free(p); }, n);
}

PyTypeObject NodeType = [] {
  PyTypeObject t{};
  t.ob_base = PyVarObject{PyObject_HEAD_INIT(nullptr) 0};
  t.tp_name = "Node";
  t.tp_basicsize = sizeof(Node);
  t.tp_dealloc = node_dealloc;
  return t;
}();

Ref<> make_node(long value, PyObject* link = nullptr) {
  auto* n = static_cast<Node*>(std::calloc(1, sizeof(Node)));
  n->ob_base.ob_type = &NodeType;
#if AMPHIS_GIL
  n->ob_base.ob_refcnt = 1;
#else
  n->ob_base.ob_tid = _Py_ThreadId();
  n->ob_base.ob_ref_local = 1;
#endif
  n->value = value;
  n->link = link;
  made++;
  return Ref<>::steal(n);
}

// Runs `body(index)` on `n` attached threads for the test's time; the main thread is detached meanwhile.
template <class F>
void on_threads(int n, F body) {
  stop = false;
  std::vector<std::thread> threads;
  for (int i = 0; i < n; i++) {
    threads.emplace_back([i, &body] {
      PyGILState_STATE s = PyGILState_Ensure();
      body(i);
      PyGILState_Release(s);
    });
  }
  {
    Detached d;
    int64_t end = platform::now_ns() + test_ns;
    while (platform::now_ns() < end) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    stop = true;
    for (auto& t : threads) t.join();
  }
  safepoint(current_thread());
}

void poll() {
  ThreadState* ts = current_thread();
  if (eval_breaker_set(ts)) safepoint(ts);
}

uint32_t next_random(uint32_t& state) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

// ---- The tests ----

void mutex_excludes() {
  static sync::Mutex mutex;
  static long counter;
  static std::atomic<long> expected;
  counter = 0;
  expected = 0;
  std::vector<std::thread> outsiders;  // threads that Python knows nothing of use the same lock
  stop = false;
  for (int i = 0; i < 2; i++) {
    outsiders.emplace_back([] {
      while (!stop) {
        sync::MutexLock lock(mutex);
        counter++;
        expected++;
      }
    });
  }
  on_threads(4, [](int i) {
    while (!stop) {
      {
        sync::MutexLock lock(mutex);
        counter++;
        expected++;
      }
      poll();
      if (i == 0) Detached d;
    }
  });
  for (auto& t : outsiders) t.join();
  CHECK(counter == expected);
}

void timed_lock_times_out() {
  PyMutex m{};
  CHECK(sync::mutex_lock_timed(&m, -1, false) == sync::LockResult::kAcquired);
  int64_t start = platform::now_ns();
  CHECK(sync::mutex_lock_timed(&m, 20000000, false) == sync::LockResult::kTimeout);
  CHECK(platform::now_ns() - start >= 20000000);
  sync::mutex_unlock(&m);
  CHECK(m._bits == 0);
  static PyMutex shared;
  static std::atomic<long> got, missed;
  on_threads(4, [](int) {
    while (!stop) {
      if (sync::mutex_lock_timed(&shared, 50000, true) == sync::LockResult::kAcquired) {
        got++;
        for (int i = 0; i < 100; i++) poll();
        sync::mutex_unlock(&shared);
      } else {
        missed++;
      }
      poll();
    }
  });
  CHECK(!(shared._bits & 1));
  CHECK(got > 0);
}

void sections_exclude_and_nest() {
  constexpr int kAccounts = 6;
  static Node* account[kAccounts];
  std::vector<Ref<>> keep;
  for (int i = 0; i < kAccounts; i++) {
    keep.push_back(make_node(1000));
    account[i] = reinterpret_cast<Node*>(keep.back().get());
  }
  static std::atomic<long> transfers;
  on_threads(6, [](int i) {
    uint32_t seed = 12345u + i * 777;
    while (!stop) {
      Node* a = account[next_random(seed) % kAccounts];
      Node* b = account[next_random(seed) % kAccounts];
      Node* c = account[next_random(seed) % kAccounts];
      {
        ObjectLock outer(c);
        c->value++;
        c->value--;
        {
          ObjectLock2 lock(a, b);
          long amount = long(next_random(seed) % 10);
          a->value -= amount;
          b->value += amount;
        }
        if (next_random(seed) % 8 == 0) {
          Detached d;
        }
        // The outer section holds again.
        c->value++;
        c->value--;
      }
      transfers++;
      poll();
    }
    CHECK(current_thread()->critical_section == 0);
  });
  long total = 0;
  for (Node* n : account) total += n->value;
  CHECK(total == 1000L * kAccounts);
  CHECK(transfers > 0);
}

void counts_merge() {
  made = died = 0;
  constexpr int kSlots = 8;
  static PyObject* slots[kSlots];
  for (auto& s : slots) s = make_node(7).release();
  on_threads(6, [](int i) {
    uint32_t seed = 99u + i * 1313;
    std::vector<Ref<>> held;
    while (!stop) {
      PyObject** slot = &slots[next_random(seed) % kSlots];
      switch (next_random(seed) % 4) {
        case 0:
          sync::set_slot(slot, make_node(i, sync::get_ref(&slots[0]).release()));
          break;
        case 1:
          held.push_back(sync::get_ref(slot));
          if (held.size() > 20) held.clear();
          break;
        default: {
          Ref<> r = sync::get_ref(slot);
          CHECK(reinterpret_cast<Node*>(r.get())->value >= 0);
          Ref<> again = r.copy();
        }
      }
      // The chain through link must not grow without end.
      if (next_random(seed) % 64 == 0) sync::set_slot(&slots[0], make_node(i));
      if (next_random(seed) % 128 == 0) Detached d;
      poll();
    }
  });
  for (auto& s : slots) sync::set_slot(&s, Ref<>());
  safepoint(current_thread());
  sync::reclaim_retired();
  CHECK(made == died);
}

void unpublished_reads_take_the_owner() {
  made = died = 0;
  static PyObject* slot;
  Ref<> owner = make_node(1);
  static PyObject* lock_on;
  lock_on = owner.get();
  slot = make_node(2).release();
  on_threads(4, [](int i) {
    while (!stop) {
      if (i == 0) {
        Ref<> fresh = make_node(3);
        Ref<> old;
        {
          ObjectLock lock(lock_on);
          old = Ref<>::steal(sync::exchange(slot, fresh.release()));
        }
      } else {
        Ref<> r = sync::get_ref(&slot, lock_on);
        CHECK(reinterpret_cast<Node*>(r.get())->value >= 2);
      }
      poll();
    }
  });
  Py_CLEAR(slot);
  owner.reset();
  CHECK(made == died);
}

void owner_exit_leaves_objects_alive() {
  made = died = 0;
  static PyObject* slots[4];
  on_threads(4, [](int) {
    uint32_t seed = 5;
    while (!stop) {
      Ref<> mine[16];
      for (auto& m : mine) m = make_node(4);
      for (auto& s : slots) sync::set_slot(&s, mine[next_random(seed) % 16].copy());
      // A thread that comes, takes over references, and ends; its address may be used by the next one.
      Detached d;
      std::thread([] {
        PyGILState_STATE s = PyGILState_Ensure();
        for (auto& slot : slots) sync::set_slot(&slot, make_node(5, sync::get_ref(&slot).release()));
        PyGILState_Release(s);
      }).join();
    }
  });
  for (auto& s : slots) sync::set_slot(&s, Ref<>());
  CHECK(made == died);
}

void world_stops() {
  struct alignas(64) Counter {
    long n;
  };
  static Counter counters[5];
  static std::atomic<long> stops;
  on_threads(5, [](int i) {
    uint32_t seed = 1 + i;
    while (!stop) {
      counters[i].n++;
      uint32_t r = next_random(seed);
      if (r % 50 == 0) {
        Detached d;
      }
      if (r % 300 == 0) {
        StopTheWorld s("test");
        long before[5];
        for (int k = 0; k < 5; k++) before[k] = counters[k].n;
        for (int spin = 0; spin < 200; spin++) platform::spin_pause();
        for (int k = 0; k < 5; k++) CHECK(before[k] == counters[k].n);
        stops++;
      }
      poll();
    }
  });
  CHECK(stops > 0);
}

struct Box {
  long magic;
  long payload[4];
};

void retired_blocks_stay_readable() {
  static Box* shared;
  static std::atomic<long> freed, retired;
  shared = new Box{42, {}};
  on_threads(5, [](int i) {
    while (!stop) {
      if (i < 2) {
        Box* fresh = new Box{42, {}};
        Box* old = sync::exchange(shared, fresh);
        retired++;
        sync::retire_with(
            [](void* p) {
              static_cast<Box*>(p)->magic = 0;
              delete static_cast<Box*>(p);
              freed++;
            },
            old);
      } else {
        Box* b = sync::load_acquire(shared);
        for (int k = 0; k < 20; k++) CHECK(sync::load_relaxed(b->magic) == 42);
      }
      poll();
      if (i == 4) Detached d;
    }
  });
  sync::reclaim_all_retired();
  CHECK(freed == retired);
  CHECK(retired > 0);
  delete shared;
}

void threads_take_turns() {
  static std::atomic<long> turns[4];
  static std::atomic<int> inside;
  // Everybody goes on until everybody has had a turn: on a busy machine that may take longer than the test was given.
  auto someone_waits = [] {
    for (auto& t : turns) {
      if (t == 0) return true;
    }
    return false;
  };
  on_threads(4, [=](int i) {
    while (!stop || someone_waits()) {
#if AMPHIS_GIL
      CHECK(inside.fetch_add(1) == 0);
      inside.fetch_sub(1);
#endif
      turns[i]++;
      poll();
    }
  });
  for (auto& t : turns) CHECK(t > 0);
}

// Between two polls the GIL is on or off for good; while it is on, threads exclude each other.
void gil_can_be_switched() {
  static std::atomic<int> inside;
  static std::atomic<long> exclusive, switches;
  on_threads(4, [](int i) {
    uint32_t seed = 7 + i;
    while (!stop) {
      if (sync::gil_enabled()) {
        CHECK(inside.fetch_add(1) == 0);
        for (int k = 0; k < 50; k++) platform::spin_pause();
        inside.fetch_sub(1);
        exclusive++;
      }
      uint32_t r = next_random(seed);
      if (i == 0 && r % 20 == 0) {
        sync::enable_gil(r % 40 == 0);
        switches++;
      }
      if (r % 16 == 0) Detached d;
      poll();
    }
  });
  sync::enable_gil(false);
  CHECK(exclusive > 0 && switches > 0);
}

// The only thread locks objects with plain instructions until another one appears.
void another_thread_appears() {
  Ref<> shared = make_node(0);
  static Node* node;
  node = reinterpret_cast<Node*>(shared.get());
  long mine = 0;
  constexpr long kTheirs = 500;
  long rounds = 0;
  int64_t end = platform::now_ns() + test_ns;
  while (platform::now_ns() < end) {
    std::atomic<bool> done{false};
    std::thread outsider([&done] {
      PyGILState_STATE s = PyGILState_Ensure();
      for (long i = 0; i < kTheirs; i++) {
        ObjectLock lock(node);
        node->value++;
        poll();
      }
      PyGILState_Release(s);
      done = true;
    });
    while (!done) {
      {
        ObjectLock lock(node);
        node->value++;
        mine++;
      }
      poll();
    }
    {
      Detached d;
      outsider.join();
    }
    rounds++;
  }
  CHECK(node->value == mine + rounds * kTheirs);
}

void pending_calls_arrive() {
  static std::atomic<long> added, ran;
  on_threads(3, [](int) {
    while (!stop) {
      if (Py_AddPendingCall(
              [](void*) {
                ran++;
                return 0;
              },
              nullptr) == 0)
        added++;
      poll();
      Detached d;
    }
  });
  CHECK(Py_MakePendingCalls() == 0);
  CHECK(added == ran);
}

struct Test {
  const char* name;
  void (*run)();
} const tests[] = {
    {"mutex_excludes", mutex_excludes},
    {"timed_lock_times_out", timed_lock_times_out},
    {"sections_exclude_and_nest", sections_exclude_and_nest},
    {"counts_merge", counts_merge},
    {"unpublished_reads_take_the_owner", unpublished_reads_take_the_owner},
    {"owner_exit_leaves_objects_alive", owner_exit_leaves_objects_alive},
    {"world_stops", world_stops},
    {"retired_blocks_stay_readable", retired_blocks_stay_readable},
    {"threads_take_turns", threads_take_turns},
    {"gil_can_be_switched", gil_can_be_switched},
    {"another_thread_appears", another_thread_appears},
    {"pending_calls_arrive", pending_calls_arrive},
};

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) test_ns = int64_t(std::atof(argv[1]) * 1e9);
  CHECK(start_main_thread());
  for (const Test& t : tests) {
    if (argc > 2 && std::strcmp(argv[2], t.name) != 0) continue;
    int64_t start = platform::now_ns();
    t.run();
    std::printf("%-36s ok  %.2f s\n", t.name, double(platform::now_ns() - start) / 1e9);
    std::fflush(stdout);
  }
  end_main_thread();
  return 0;
}
