// The scheduler. Each thread has a semaphore; whoever reaches a point hands the run to the thread that the random numbers
// name and sleeps. Nothing here is instrumented.
#include "scheduler.h"

#include <semaphore.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>

#include "platform/os.h"

namespace interleave {

namespace {

struct Thread {
  sem_t turn;
  const std::atomic<uint32_t>* waits_for = nullptr;  // asleep on this word
  int64_t deadline = -1;                             // virtual; -1: for ever
  bool timed_out = false;
  bool done = false;
  Thread() { sem_init(&turn, 0, 0); }
  ~Thread() { sem_destroy(&turn); }
};

// A run that goes on for so long has a thread that waits for another one without sleeping.
constexpr uint64_t kTooMany = 3'000'000;
// A thread that spins does not keep the others from running.
constexpr int kLongestTurn = 400;

struct Run {
  std::vector<std::unique_ptr<Thread>> threads;
  uint64_t random;
  uint32_t switch_one_in;
  Mutation mutation;
  Outcome outcome;
  int64_t clock = 1;
  int turn_length = 0;
  int wakeups = 0;
  uintptr_t mutate_start = 0;
  uintptr_t mutate_size = UINTPTR_MAX;
  sem_t finished;

  uint32_t next() {  // splitmix64
    uint64_t z = (random += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return static_cast<uint32_t>((z ^ (z >> 31)) >> 16);
  }
  void fail(const char* why) {
    if (outcome.failed) return;
    outcome.failed = true;
    outcome.why = why;
  }
};

Run* current_run = nullptr;
thread_local Thread* self = nullptr;

// A thread that can run; null: all have ended. A deadline wakes who sleeps; where all sleep, time jumps to the first one.
Thread* choose() {
  Run& r = *current_run;
  Thread* awake[16];
  uint32_t n = 0;
  Thread* first_due = nullptr;
  bool all_done = true;
  for (auto& t : r.threads) {
    if (t->done) continue;
    all_done = false;
    if (t->waits_for != nullptr && t->deadline >= 0 && t->deadline <= r.clock) {
      t->timed_out = true;
      t->waits_for = nullptr;
    }
    if (t->waits_for == nullptr) {
      awake[n++] = t.get();
    } else if (t->deadline >= 0 && (first_due == nullptr || t->deadline < first_due->deadline)) {
      first_due = t.get();
    }
  }
  if (all_done) return nullptr;
  if (n > 0) return awake[r.next() % n];
  if (first_due == nullptr) {
    r.fail("all threads sleep and nobody can wake them");
    // Spurious wake-ups are allowed: so the run can end.
    for (auto& t : r.threads) {
      if (!t->done) return t->waits_for = nullptr, t.get();
    }
  }
  r.clock = first_due->deadline;
  first_due->timed_out = true;
  first_due->waits_for = nullptr;
  return first_due;
}

void hand_over() {
  Run& r = *current_run;
  Thread* next = choose();
  r.turn_length = 0;
  if (next == self) return;
  Thread* me = self;
  if (next == nullptr) {
    sem_post(&r.finished);
    return;
  }
  const bool ended = me->done;
  sem_post(&next->turn);
  if (!ended) {
    while (sem_wait(&me->turn) != 0) {
    }
  }
}

}  // namespace

bool torn(const volatile void* address) {
  if (self == nullptr || current_run->mutation != Mutation::kTornUpdates) return false;
  const auto at = reinterpret_cast<uintptr_t>(address);
  return at - current_run->mutate_start < current_run->mutate_size;
}
void mutate_only(const void* start, size_t size) {
  current_run->mutate_start = reinterpret_cast<uintptr_t>(start);
  current_run->mutate_size = size;
}

void point() {
  if (self == nullptr) return;
  Run& r = *current_run;
  r.clock += 1000;
  if (++r.outcome.points > kTooMany) {
    r.fail("the threads do not come to an end");
    fprintf(stderr, "interleave: seed %llu does not come to an end\n", static_cast<unsigned long long>(r.outcome.seed));
    abort();
  }
  if (r.next() % r.switch_one_in == 0 || ++r.turn_length > kLongestTurn) hand_over();
}

void expect(bool holds, const char* why) {
  if (!holds) current_run->fail(why);
}

Outcome run(uint64_t seed, const std::vector<Body>& bodies, Mutation mutation) {
  static constexpr uint32_t kSwitch[] = {2, 3, 6, 15, 40};
  Run r;
  r.random = seed * 0x2545F4914F6CDD1Dull + 1;
  r.switch_one_in = kSwitch[seed % 5];
  r.mutation = mutation;
  r.outcome.seed = seed;
  sem_init(&r.finished, 0, 0);
  current_run = &r;
  std::vector<std::thread> natives;
  for (size_t i = 0; i < bodies.size(); ++i) r.threads.push_back(std::make_unique<Thread>());
  for (size_t i = 0; i < bodies.size(); ++i) {
    natives.emplace_back([&r, &bodies, i] {
      self = r.threads[i].get();
      while (sem_wait(&self->turn) != 0) {
      }
      bodies[i]();
      self->done = true;
      hand_over();
      self = nullptr;
    });
  }
  sem_post(&choose()->turn);
  while (sem_wait(&r.finished) != 0) {
  }
  for (std::thread& t : natives) t.join();
  current_run = nullptr;
  sem_destroy(&r.finished);
  return r.outcome;
}

}  // namespace interleave

// What the linker puts in the place of the platform's.
using amphis::platform::WaitResult;
using Word = std::atomic<uint32_t>;

extern "C" {

WaitResult __real__ZN6amphis8platform7wait_onEPKSt6atomicIjEjl(const Word* word, uint32_t expected, int64_t timeout_ns);
void __real__ZN6amphis8platform8wake_oneEPKSt6atomicIjE(const Word* word);
void __real__ZN6amphis8platform8wake_allEPKSt6atomicIjE(const Word* word);
int64_t __real__ZN6amphis8platform6now_nsEv();

WaitResult __wrap__ZN6amphis8platform7wait_onEPKSt6atomicIjEjl(const Word* word, uint32_t expected, int64_t timeout_ns) {
  using namespace interleave;
  if (self == nullptr) return __real__ZN6amphis8platform7wait_onEPKSt6atomicIjEjl(word, expected, timeout_ns);
  point();
  if (word->load() != expected) return WaitResult::kChanged;
  self->deadline = timeout_ns < 0 ? -1 : current_run->clock + timeout_ns;
  self->timed_out = false;
  self->waits_for = word;
  hand_over();
  return self->timed_out ? WaitResult::kTimeout : WaitResult::kWoken;
}

static void wake(const Word* word, bool all) {
  using namespace interleave;
  if (current_run == nullptr) return;
  if (current_run->mutation == Mutation::kLostWakeups && ++current_run->wakeups % 3 == 0) return;
  for (auto& t : current_run->threads) {
    if (t->waits_for != word) continue;
    t->waits_for = nullptr;
    if (!all) break;
  }
}

void __wrap__ZN6amphis8platform8wake_oneEPKSt6atomicIjE(const Word* word) {
  if (interleave::self == nullptr) return __real__ZN6amphis8platform8wake_oneEPKSt6atomicIjE(word);
  wake(word, false);
  interleave::point();
}

void __wrap__ZN6amphis8platform8wake_allEPKSt6atomicIjE(const Word* word) {
  if (interleave::self == nullptr) return __real__ZN6amphis8platform8wake_allEPKSt6atomicIjE(word);
  wake(word, true);
  interleave::point();
}

// Time passes with the points, so that what depends on it depends on the seed.
int64_t __wrap__ZN6amphis8platform6now_nsEv() {
  if (interleave::self == nullptr) return __real__ZN6amphis8platform6now_nsEv();
  return interleave::current_run->clock;
}

}  // extern "C"
