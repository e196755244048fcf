// The small algorithms under the scheduler: each scenario must hold for every seed tried, and must notice a bug that is
// planted. AMPHIS_INTERLEAVE_SEEDS says how many seeds, AMPHIS_INTERLEAVE_SEED which single one (as a failure has printed).
#include "catch.h"

#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "Python.h"
#include "gc/gc_bits.h"
#include "interleave/scheduler.h"
#include "sync/atomic_field.h"
#include "sync/deferred.h"
#include "sync/mutex.h"
#include "sync/object_lock.h"
#include "sync/ref.h"
#include "sync/retire.h"
#include "sync/shared_slot.h"
#include "sync/stop_the_world.h"

using namespace amphis;
using interleave::Body;
using interleave::expect;
using interleave::Mutation;
using interleave::Outcome;
using interleave::point;

namespace {

// A scenario makes fresh state and the bodies that share it. `settle` runs when all have ended, attached.
struct Scenario {
  std::vector<Body> bodies;
  std::function<std::string()> settle = [] { return std::string(); };
};
using Make = std::function<Scenario()>;

uint64_t seeds_to_try() {
  const char* text = std::getenv("AMPHIS_INTERLEAVE_SEEDS");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 300;
}

Outcome run_once(const Make& make, uint64_t seed, Mutation mutation) {
  Scenario scenario = make();
  Outcome outcome;
  Py_BEGIN_ALLOW_THREADS;
  outcome = interleave::run(seed, scenario.bodies, mutation);
  Py_END_ALLOW_THREADS;
  safepoint(current_thread());
  std::string left = scenario.settle();
  if (!left.empty() && !outcome.failed) {
    outcome.failed = true;
    outcome.why = left;
  }
  return outcome;
}

void holds_for_every_seed(const Make& make) {
  uint64_t first = 1, last = seeds_to_try();
  if (const char* one = std::getenv("AMPHIS_INTERLEAVE_SEED")) first = last = std::strtoull(one, nullptr, 10);
  uint64_t points = 0;
  for (uint64_t seed = first; seed <= last; ++seed) {
    INFO("AMPHIS_INTERLEAVE_SEED=" << seed);
    const Outcome outcome = run_once(make, seed, Mutation::kNone);
    points += outcome.points;
    INFO(outcome.why);
    REQUIRE(!outcome.failed);
  }
  REQUIRE(points > 0);
}

// The first seed that shows the planted bug, looked for in a child of its own, whose memory the bug may ruin.
void notices(const Make& make, Mutation mutation) {
  PyOS_BeforeFork();
  const pid_t child = fork();
  if (child == 0) {
    for (int number : {SIGSEGV, SIGABRT, SIGFPE, SIGILL, SIGBUS}) signal(number, SIG_DFL);
    PyOS_AfterFork_Child();
    for (uint64_t seed = 1; seed <= 20 * seeds_to_try(); ++seed) {
      if (run_once(make, seed, mutation).failed) _exit(1);
    }
    _exit(0);
  }
  PyOS_AfterFork_Parent();
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  INFO("status " << status);
  const bool found = WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) == 1);
  REQUIRE(found);
}

struct Attached {
  PyGILState_STATE state = PyGILState_Ensure();
  ~Attached() { PyGILState_Release(state); }
};
void rest() {
  safepoint(current_thread());
  point();
}

// --- objects that tell what became of them

constexpr long kDead = -1;
struct Node {
  PyObject_HEAD
  long value;
  PyObject* weak_references;
};
struct Counts {
  long made = 0, died = 0, died_twice = 0;
};
Counts* counts = nullptr;  // of the scenario

void node_dealloc(PyObject* op) {
  auto* node = reinterpret_cast<Node*>(op);
  if (node->value == kDead) {
    ++counts->died_twice;
    return;
  }
  if (sync::load_acquire(node->weak_references) != nullptr) PyObject_ClearWeakRefs(op);
  node->value = kDead;
  ++counts->died;
  PyObject_Free(op);
}
PyTypeObject* node_type() {
  static PyTypeObject* const type = [] {
    static PyMemberDef members[] = {
        {"__weaklistoffset__", Py_T_PYSSIZET, offsetof(Node, weak_references), Py_READONLY, nullptr}, {}};
    static PyType_Slot slots[] = {
        {Py_tp_dealloc, reinterpret_cast<void*>(node_dealloc)}, {Py_tp_members, members}, {0, nullptr}};
    static PyType_Spec spec = {"interleave.Node", sizeof(Node), 0, Py_TPFLAGS_DEFAULT, slots};
    return reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  }();
  return type;
}
PyObject* make_node(long value) {
  Node* node = PyObject_New(Node, node_type());
  node->value = value;
  node->weak_references = nullptr;
  ++counts->made;
  return reinterpret_cast<PyObject*>(node);
}
long value_of(PyObject* node) { return reinterpret_cast<Node*>(node)->value; }

std::string balance(const Counts& c) {
  if (c.died_twice != 0) return "an object died twice";
  if (c.died != c.made) return std::to_string(c.made) + " objects were made, " + std::to_string(c.died) + " died";
  return {};
}

// --- the scenarios

// One thread makes an object and gives two others a reference each; all drop theirs, the maker may have ended by then.
Scenario references_merge() {
  struct State {
    Counts counts;
    std::atomic<PyObject*> shared{nullptr};
  };
  auto s = std::make_shared<State>();
  counts = &s->counts;
  node_type();
  const Body other = [s] {
    Attached attached;
    while (s->shared.load() == nullptr) rest();
    PyObject* mine = s->shared.load();
    expect(value_of(mine) == 7, "a reference to a dead object");
    Py_DECREF(mine);
    rest();
  };
  return {{[s] {
             Attached attached;
             PyObject* node = make_node(7);
             interleave::mutate_only(node, sizeof(PyObject));
             Py_INCREF(node);
             Py_INCREF(node);
             s->shared.store(node);
             rest();
             Py_DECREF(node);
             rest();
           },
           other, other},
          [s] { return balance(s->counts); }};
}

// Readers of a slot, which takes part in the lock of an owner, while its object is replaced.
template <bool kRecheck>
Ref<> planted_get_ref(PyObject** slot) {
  for (;;) {
    PyObject* p = sync::load_acquire(*slot);
    if (p == nullptr) return {};
    if (!sync::try_incref(p)) {
      rest();
      continue;
    }
    if (!kRecheck || sync::load_acquire(*slot) == p) return Ref<>::steal(p);
    Py_DECREF(p);
  }
}

template <int kReader>  // 0: get_ref under the owner's lock, 1: with the world stopped, 2: planted, no second look
Scenario slots_are_read() {
  struct State {
    Counts counts;
    PyObject* slots[2] = {nullptr, nullptr};
    Ref<> owner = Ref<>::steal(PyList_New(0));
  };
  auto s = std::make_shared<State>();
  counts = &s->counts;
  node_type();
  const Body reader = [s] {
    Attached attached;
    for (int i = 0; i < 6; ++i) {
      PyObject** slot = &s->slots[i & 1];
      Ref<> got = kReader == 0   ? sync::get_ref(slot, s->owner.get())
                  : kReader == 1 ? sync::get_ref(slot)
                                 : planted_get_ref<false>(slot);
      if (got) expect(value_of(got.get()) == (i & 1) + 1, "the slot gave another slot's object");
      if (i == 3) rest();
    }
  };
  return {{[s] {
             Attached attached;
             for (int i = 0; i < 8; ++i) {
               ObjectLock lock(s->owner.get());
               Ref<> old = sync::exchange_slot_locked(&s->slots[i & 1], Ref<>());
               old = nullptr;
               old = sync::exchange_slot_locked(&s->slots[1 - (i & 1)], Ref<>::steal(make_node(2 - (i & 1))));
             }
           },
           reader, reader},
          [s] {
            for (PyObject*& slot : s->slots) sync::set_slot(&slot, Ref<>());
            return balance(s->counts);
          }};
}

// Weak references to one object are made, asked and dropped while it dies.
Scenario weak_references_end() {
  struct State {
    Counts counts;
    std::atomic<PyObject*> weak{nullptr};
    std::atomic<int> ready{0};
  };
  auto s = std::make_shared<State>();
  counts = &s->counts;
  node_type();
  const auto ask = [s](bool makes) {
    Attached attached;
    while (s->weak.load() == nullptr) rest();
    Ref<> weak = Ref<>::share(s->weak.load());
    ++s->ready;
    for (int i = 0; i < 4; ++i) {
      PyObject* found;
      PyWeakref_GetRef(weak, &found);
      Ref<> target = Ref<>::steal(found);
      if (!target) continue;
      expect(value_of(target.get()) == 7, "a weak reference gave a dead object");
      if (!makes) continue;
      Ref<> own = Ref<>::steal(PyWeakref_NewRef(target, nullptr));
      target = nullptr;
      if (i == 2) rest();
    }
  };
  return {{[s] {
             Attached attached;
             Ref<> node = Ref<>::steal(make_node(7));
             Ref<> weak = Ref<>::steal(PyWeakref_NewRef(node, nullptr));
             s->weak.store(weak.get());
             while (s->ready.load() < 2) rest();
             weak = nullptr;
             point();
             node = nullptr;
             rest();
           },
           [ask] { ask(false); }, [ask] { ask(true); }},
          [s] { return balance(s->counts); }};
}

Scenario list_is_read_while_it_is_resized() {
  struct State {
    Counts counts;
    Ref<> list = Ref<>::steal(PyList_New(0));
  };
  auto s = std::make_shared<State>();
  counts = &s->counts;
  node_type();
  const Body reader = [s] {
    Attached attached;
    for (int i = 0; i < 12; ++i) {
      Ref<> item = Ref<>::steal(PyList_GetItemRef(s->list, i % 6));
      if (item) expect(value_of(item.get()) == i % 6, "an item is not what was put there");
      PyErr_Clear();
      if (i == 6) rest();
    }
  };
  return {{[s] {
             Attached attached;
             for (int round = 0; round < 2; ++round) {
               for (long i = 0; i < 6; ++i) {
                 Ref<> node = Ref<>::steal(make_node(i));
                 PyList_Append(s->list, node);
               }
               PyList_SetSlice(s->list, 2, PY_SSIZE_T_MAX, nullptr);
               rest();
               PyList_SetSlice(s->list, 0, PY_SSIZE_T_MAX, nullptr);
             }
           },
           reader, reader},
          [s] {
            s->list = nullptr;
            return balance(s->counts);
          }};
}

Scenario dict_is_read_while_it_is_resized() {
  struct State {
    Counts counts;
    Ref<> dict = Ref<>::steal(PyDict_New());
    Ref<> keys[14];
  };
  auto s = std::make_shared<State>();
  counts = &s->counts;
  for (int i = 0; i < 14; ++i) s->keys[i] = Ref<>::steal(PyUnicode_FromFormat("key %d", i));
  for (int i = 0; i < 2; ++i) {
    Ref<> node = Ref<>::steal(make_node(i));
    PyDict_SetItem(s->dict, s->keys[i], node);
  }
  const Body reader = [s] {
    Attached attached;
    for (int i = 0; i < 8; ++i) {
      PyObject* found;
      const int at = i % 4;
      const int status = PyDict_GetItemRef(s->dict, s->keys[at], &found);
      Ref<> value = Ref<>::steal(found);
      expect(status == 1 || at >= 2, "a key that is always there was not found");
      if (value) expect(value_of(value.get()) == at, "a key has another key's value");
      if (i == 4) rest();
    }
  };
  return {{[s] {
             Attached attached;
             for (long i = 2; i < 14; ++i) {
               Ref<> node = Ref<>::steal(make_node(i));
               PyDict_SetItem(s->dict, s->keys[i], node);
               if (i % 3 == 0) PyDict_DelItem(s->dict, s->keys[i]);
             }
             for (long i = 0; i < 2; ++i) {
               Ref<> node = Ref<>::steal(make_node(i));
               PyDict_SetItem(s->dict, s->keys[i], node);
             }
           },
           reader, reader},
          [s] {
            s->dict = nullptr;
            return balance(s->counts);
          }};
}

Scenario mutex_excludes() {
  struct State {
    sync::Mutex mutex;
    int inside = 0;
  };
  auto s = std::make_shared<State>();
  const Body body = [s] {
    Attached attached;
    interleave::mutate_only(s->mutex.native(), 1);
    for (int i = 0; i < 3; ++i) {
      sync::MutexLock lock(s->mutex);
      expect(s->inside++ == 0, "two threads hold the lock");
      point();
      --s->inside;
    }
  };
  return {{body, body, body}};
}

// Two objects, locked in both orders, nested and at once.
Scenario object_locks_do_not_deadlock() {
  struct State {
    Ref<> a = Ref<>::steal(PyList_New(0)), b = Ref<>::steal(PyList_New(0));
    int inside = 0;
  };
  auto s = std::make_shared<State>();
  const auto nested = [s](PyObject* x, PyObject* y) {
    Attached attached;
    for (int i = 0; i < 2; ++i) {
      ObjectLock outer(x);
      point();
      ObjectLock inner(y);
      point();
    }
  };
  const auto both = [s](PyObject* x, PyObject* y) {
    Attached attached;
    for (int i = 0; i < 2; ++i) {
      ObjectLock2 lock(x, y);
      expect(s->inside++ == 0, "two threads hold both locks");
      point();
      --s->inside;
    }
  };
  PyObject *a = s->a.get(), *b = s->b.get();
  return {{[=] { nested(a, b); }, [=] { nested(b, a); }, [=] { both(a, b); }, [=] { both(b, a); }}};
}

struct StopNobody {
  explicit StopNobody(const char*) {}
};

template <class Stop>
Scenario world_stands_still() {
  struct State {
    bool stopped = false;
    int stoppers = 0;
  };
  auto s = std::make_shared<State>();
  const Body stopper = [s] {
    Attached attached;
    for (int i = 0; i < 2; ++i) {
      {
        [[maybe_unused]] Stop stop("test");
        expect(s->stoppers++ == 0, "two threads have stopped the world");
        s->stopped = true;
        for (int k = 0; k < 5; ++k) point();
        s->stopped = false;
        --s->stoppers;
      }
      rest();
    }
  };
  const Body other = [s] {
    for (int i = 0; i < 4; ++i) {
      Attached attached;
      expect(!s->stopped, "a thread attaches to a stopped world");
      for (int k = 0; k < 3; ++k) {
        point();
        expect(!s->stopped, "a thread runs in a stopped world");
      }
      rest();
    }
  };
  return {{stopper, stopper, other, other}};
}

// Threads count for one deferred object, each in an account of its own, while another one settles the accounts.
template <bool kSettles>
Scenario deferred_references_add_up() {
  struct State {
    Ref<> object = steal(PyDict_New());
    Py_ssize_t before = 0;
    std::atomic<Py_ssize_t> kept{0};
  };
  const auto count = [](PyObject* op) {
    StopTheWorld stopped("test");
    if (kSettles) sync::settle_deferred_counts();
    return gc::reference_count(op);
  };
  auto s = std::make_shared<State>();
  sync::set_deferred(s->object);
  s->before = count(s->object);
  const Body counting = [s] {
    for (int i = 0; i < 2; ++i) {
      Attached attached;
      for (int k = 0; k < 3; ++k) {
        Py_INCREF(s->object.get());
        point();
        Py_INCREF(s->object.get());
        Py_DECREF(s->object.get());
        rest();
      }
      Py_DECREF(s->object.get());
      s->kept += 2;
    }
  };
  const Body settling = [s] {
    Attached attached;
    for (int i = 0; i < 3; ++i) {
      {
        StopTheWorld stopped("test");
        sync::settle_deferred_counts();
      }
      rest();
    }
  };
  const auto balance = [s, count] {
    const Py_ssize_t kept = count(s->object) - s->before;
    for (Py_ssize_t i = s->kept; i > 0; --i) Py_DECREF(s->object.get());
    if (kept == s->kept) return std::string();
    return std::to_string(s->kept) + " references were kept, " + std::to_string(kept) + " counted";
  };
  return {{counting, counting, settling}, balance};
}

// With the GIL on, whoever is attached is alone; it comes and goes in a stopped world.
Scenario gil_comes_and_goes() {
  struct State {
    int inside = 0;
  };
  auto s = std::make_shared<State>();
  const Body other = [s] {
    for (int i = 0; i < 6; ++i) {
      Attached attached;
      for (int k = 0; k < 2; ++k) {
        if (sync::gil_enabled()) {
          expect(s->inside++ == 0, "two threads run with the GIL on");
          for (int n = 0; n < 4; ++n) point();
          --s->inside;
        }
        rest();
      }
    }
  };
  return {{[s] {
             Attached attached;
             for (int i = 0; i < 4; ++i) {
               sync::enable_gil(i % 2 == 0);
               rest();
             }
           },
           other, other}};
}

template <bool kWaits>
Scenario retired_memory_stays_readable() {
  struct State {
    long blocks[140];
    long* shared;
  };
  auto s = std::make_shared<State>();
  for (long& block : s->blocks) block = 1;
  s->shared = s->blocks;
  const Body reader = [s] {
    Attached attached;
    for (int i = 0; i < 30; ++i) {
      long* block = sync::load_acquire(s->shared);
      point();
      expect(sync::load_relaxed(*block) == 1, "memory was freed under a reader");
      if (i % 3 == 0) rest();
    }
  };
  const auto free_block = [](void* block) { sync::store_relaxed(*static_cast<long*>(block), kDead); };
  return {{[s, free_block] {
             Attached attached;
             for (int i = 1; i < 140; ++i) {
               long* old = s->shared;
               sync::store_release(s->shared, &s->blocks[i]);
               if (kWaits) {
                 sync::retire_with(free_block, old);
               } else {
                 free_block(old);
               }
               if (i % 8 == 0) rest();
             }
           },
           reader, reader},
          [s] {
            StopTheWorld stopped("test");
            sync::reclaim_all_retired();
            return std::string();
          }};
}

}  // namespace

TEST_CASE("references dropped by several threads free an object once") {
  holds_for_every_seed(references_merge);
  notices(references_merge, Mutation::kTornUpdates);
}

TEST_CASE("a slot that is being replaced gives its own objects, alive") {
  holds_for_every_seed(slots_are_read<0>);
  holds_for_every_seed(slots_are_read<1>);
}

TEST_CASE("weak references are asked while their object dies") { holds_for_every_seed(weak_references_end); }

TEST_CASE("a list is read while it is resized") { holds_for_every_seed(list_is_read_while_it_is_resized); }

TEST_CASE("a dict is read while it is resized") { holds_for_every_seed(dict_is_read_while_it_is_resized); }

TEST_CASE("the parking lot loses no sleeper and the mutex lets one in") {
  holds_for_every_seed(mutex_excludes);
  notices(mutex_excludes, Mutation::kTornUpdates);
  notices(mutex_excludes, Mutation::kLostWakeups);
}

TEST_CASE("object locks in any order do not deadlock") { holds_for_every_seed(object_locks_do_not_deadlock); }

TEST_CASE("nobody runs in a stopped world") { holds_for_every_seed(world_stands_still<StopTheWorld>); }

TEST_CASE("references to a deferred object add up whoever counts them") {
  holds_for_every_seed(deferred_references_add_up<true>);
}

TEST_CASE("the GIL is turned on and off while threads run") { holds_for_every_seed(gil_comes_and_goes); }

TEST_CASE("retired memory stays until every reader has passed a safepoint") {
  holds_for_every_seed(retired_memory_stays_readable<true>);
}

// With a GIL these bugs would be none: threads change only where they let others in.
TEST_CASE("planted bugs of unlocked readers are noticed") {
  if (sync::gil_enabled()) return;
  notices(slots_are_read<2>, Mutation::kNone);
  notices(world_stands_still<StopNobody>, Mutation::kNone);
  notices(deferred_references_add_up<false>, Mutation::kNone);
  notices(retired_memory_stays_readable<false>, Mutation::kNone);
}
