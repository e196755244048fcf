// Systematic interleaving: threads of which one runs at a time, switched at the runtime's own atomic operations, waits and
// wake-ups as a seed decides. A schedule that fails is found again by its seed.
//
// The runtime's sources under test are compiled with the compiler's thread instrumentation, but linked with callbacks of
// our own (callbacks.cpp): each atomic operation, and every plain access to a field that is marked for it, is a scheduling
// point. Sleeping and waking (platform::wait_on and its kin) and the clock are replaced by the linker. So the code that is
// explored is the code that ships, with nothing added to it.
//
// What is explored is sequentially consistent: effects that only a weak memory order allows are ThreadSanitizer's part.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace interleave {

// A bug planted on purpose: a scenario is worth something only if it finds it.
enum class Mutation {
  kNone,
  kTornUpdates,    // a read-modify-write is a read, a scheduling point and a write
  kLostWakeups,    // every third wake-up is forgotten
};

struct Outcome {
  uint64_t seed = 0;
  bool failed = false;
  std::string why;     // an expectation of a scenario, a deadlock
  uint64_t points = 0;  // how many scheduling points the run went through
};

using Body = std::function<void()>;

// Inside a body: the only memory whose updates kTornUpdates tears (else all of it).
void mutate_only(const void* start, size_t size);

// Runs the bodies, each in a native thread of its own, in the order that `seed` means. The calling thread must not be
// attached. Bodies run until they end, even when an expectation has failed.
Outcome run(uint64_t seed, const std::vector<Body>& bodies, Mutation mutation = Mutation::kNone);

// Inside a body: where another thread may go on.
void point();
// Inside a body: the scenario has failed if not.
void expect(bool holds, const char* why);

// For callbacks.cpp: whether an update of this address, by the calling thread, is to be torn.
bool torn(const volatile void* address);

}  // namespace interleave
