#include "catch.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <new>
#include <random>
#include <thread>
#include <unordered_map>
#include <vector>

#include "memory/alloc.h"

using namespace amphis;

namespace {

struct Held {
  unsigned char* p;
  size_t size;
};

// Allocates, checks, resizes and frees at random; `shared` passes blocks between threads. Returns false on corruption.
bool churn(unsigned seed, long steps, std::vector<std::atomic<unsigned char*>>* shared) {
  std::mt19937_64 random(seed);
  std::vector<Held> held;
  auto size_of_next = [&]() -> size_t {
    const unsigned kind = random() % 1000;
    if (kind < 950) return 32 + random() % 600;
    if (kind < 999) return 32 + random() % 40000;
    return 32 + random() % 6000000;
  };
  auto clear_header = [](unsigned char* p) { std::memset(p, 0, sizeof(PyObject)); };
  for (long i = 0; i < steps; ++i) {
    const unsigned what = random() % 100;
    if (what < 50 || held.empty()) {
      const size_t size = size_of_next();
      auto* p = static_cast<unsigned char*>(random() & 1 ? alloc_object(size) : alloc_gc_object(size));
      if (!p || reinterpret_cast<uintptr_t>(p) % 16 != 0 || object_block_size(p) < size) return false;
      clear_header(p);
      if (size > sizeof(PyObject)) p[size - 1] = static_cast<unsigned char>(size);
      held.push_back({p, size});
    } else {
      const size_t at = random() % held.size();
      Held h = held[at];
      held[at] = held.back();
      held.pop_back();
      if (h.size > sizeof(PyObject) && h.p[h.size - 1] != static_cast<unsigned char>(h.size)) return false;
      if (what < 55) {
        const size_t size = 32 + random() % 2000;
        auto* moved = static_cast<unsigned char*>(realloc_object(h.p, size));
        if (!moved || object_block_size(moved) < size) return false;
        if (size > sizeof(PyObject)) moved[size - 1] = static_cast<unsigned char>(size);
        held.push_back({moved, size});
      } else if (shared && what < 75) {
        if (auto* other = (*shared)[random() % shared->size()].exchange(h.p)) free_object(other);
      } else {
        free_object(h.p);
      }
    }
  }
  for (const Held& h : held) free_object(h.p);
  return true;
}

}  // namespace

TEST_CASE("size classes cover every size with bounded waste") {
  for (size_t size = 1; size <= memory::kMaxSmall; ++size) {
    const size_t block = memory::class_block_size(memory::size_class(size));
    REQUIRE(block >= size);
    REQUIRE(block % 16 == 0);
    if (size > memory::kFineLimit) REQUIRE(block - size <= size / 3);
  }
}

TEST_CASE("a freed block is the next one allocated") {
  void* p = alloc_object(48);
  free_object(p);
  REQUIRE(alloc_object(48) == p);
  free_object(p);
}

TEST_CASE("the page of a block knows its kind and its size") {
  void* plain = alloc_object(100);
  void* tracked = alloc_gc_object(100);
  REQUIRE(memory::in_chunk(plain));
  REQUIRE(memory::page_of(plain)->kind == memory::kPlain);
  REQUIRE(memory::page_of(tracked)->kind == memory::kGc);
  REQUIRE(object_block_size(plain) == 112);
  const memory::Page* page = memory::page_of(tracked);
  REQUIRE(page->block(page->index_of(tracked)) == tracked);
  free_object(plain);
  free_object(tracked);
  int local;
  REQUIRE(!memory::in_chunk(&local));
}

TEST_CASE("objects of a header and a word lie side by side") {
  struct Word {
    PyObject head;
    uint64_t word;
  };
  std::vector<Word*> words;
  for (int i = 0; i < 5000; i++) {
    Word* w = alloc_fixed<Word>();
    std::memset(&w->head, 0, sizeof(PyObject));
    w->word = uint64_t(i);
    words.push_back(w);
  }
  for (size_t i = 0; i < words.size(); i++) {
    const memory::Page* page = memory::page_of(words[i]);
    REQUIRE(words[i]->word == i);
    REQUIRE(object_block_size(words[i]) == sizeof(Word));
    REQUIRE(page->block(page->index_of(words[i])) == words[i]);
  }
  // Those of one page without a gap, whatever the others are.
  std::sort(words.begin(), words.end());
  const auto beside = [](Word* a, Word* b) { return a + 1 == b; };
  size_t gaps = 0;
  for (size_t i = 1; i < words.size(); i++) gaps += !beside(words[i - 1], words[i]);
  REQUIRE(gaps <= words.size() * sizeof(Word) / memory::kPageSize + 1);
  for (Word* w : words) free_object(w);
}

TEST_CASE("random allocation leaves nothing behind") {
  const int64_t before = memory::allocated_blocks();
  REQUIRE(churn(1, 300000, nullptr));
  REQUIRE(memory::allocated_blocks() == before);
}

TEST_CASE("blocks freed by other threads come back to their owners") {
  if (!memory::kThreadHeaps) return;  // one heap, guarded by the GIL
  memory::drain_all_heaps();
  const int64_t before = memory::allocated_blocks();
  std::vector<std::atomic<unsigned char*>> shared(1000);
  std::atomic<bool> good{true};
  for (int round = 0; round < 2; ++round) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&, i] {
        PyGILState_STATE state = PyGILState_Ensure();
        if (!churn(unsigned(10 * round + i), 100000, &shared)) good = false;
        PyGILState_Release(state);
      });
    Py_BEGIN_ALLOW_THREADS
    for (auto& t : threads) t.join();
    Py_END_ALLOW_THREADS
  }
  REQUIRE(good);
  for (auto& slot : shared)
    if (auto* p = slot.exchange(nullptr)) free_object(p);
  memory::drain_all_heaps();
  REQUIRE(memory::allocated_blocks() == before);
}

TEST_CASE("huge objects get memory of their own") {
  for (size_t size : {size_t(5) << 20, size_t(100) << 20}) {
    auto* p = static_cast<unsigned char*>(alloc_gc_object(size));
    REQUIRE(p);
    std::memset(p, 0, sizeof(PyObject));
    p[size - 1] = 1;
    REQUIRE(object_block_size(p) >= size);
    free_object(p);
  }
  REQUIRE(alloc_object(size_t(1) << 62) == nullptr);
}

TEST_CASE("PyMem blocks keep their contents through every resize") {
  std::mt19937_64 random(7);
  const int64_t before = memory::allocated_blocks();
  for (int i = 0; i < 20000; ++i) {
    const size_t size = 1 + random() % (i % 10 ? 300 : 9000), next = 1 + random() % (i % 7 ? 300 : 9000);
    auto* p = static_cast<unsigned char*>(PyMem_Malloc(size));
    REQUIRE(p);
    std::memset(p, i & 255, size);
    p = static_cast<unsigned char*>(PyMem_Realloc(p, next));
    REQUIRE(p);
    REQUIRE(p[0] == (i & 255));
    REQUIRE(p[std::min(size, next) - 1] == (i & 255));
    PyMem_Free(p);
    auto* zeroed = static_cast<unsigned char*>(PyMem_Calloc(size, 2));
    REQUIRE(zeroed[2 * size - 1] == 0);
    PyMem_Free(zeroed);
  }
  REQUIRE(memory::allocated_blocks() == before);
}

namespace {

// What an observer has seen and not seen come back. Under observation by one test at a time.
std::mutex seen_mutex;
std::unordered_map<void*, size_t>* seen;
std::atomic<bool> seen_twice{false};

void saw_allocated(void* block, size_t size) {
  std::lock_guard<std::mutex> lock(seen_mutex);
  if (!seen->emplace(block, size).second) seen_twice = true;
}
void saw_resized(void* block, size_t size) {
  std::lock_guard<std::mutex> lock(seen_mutex);
  if (auto found = seen->find(block); found != seen->end()) found->second = size;
}
void saw_freed(void* block) {
  std::lock_guard<std::mutex> lock(seen_mutex);
  seen->erase(block);
}
constexpr memory::Observer kWatcher = {saw_allocated, saw_resized, saw_freed};

}  // namespace

TEST_CASE("an observer sees every block come and go, and pages work as before when it has gone") {
  std::unordered_map<void*, size_t> blocks;
  seen = &blocks;
  seen_twice = false;
  const int64_t before = memory::allocated_blocks();
  void* old = alloc_object(77);  // from before: its end is told, too
  for (int round = 0; round < 3; ++round) {
    memory::observe(&kWatcher);
    void* p = alloc_object(100);
    REQUIRE(blocks.at(p) == 100);
    void* q = PyMem_Malloc(9000);
    REQUIRE(blocks.at(q) == 9000);
    void* r = PyMem_Realloc(PyMem_Malloc(40), 33);
    REQUIRE(blocks.at(r) == 33);
    REQUIRE(churn(unsigned(100 + round), 60000, nullptr));
    REQUIRE(blocks.size() == 3);
    PyMem_Free(q);
    memory::observe(nullptr);
    free_object(p);
    PyMem_Free(r);
    REQUIRE(blocks.size() == 2);
    blocks.clear();
    REQUIRE(churn(unsigned(200 + round), 60000, nullptr));
    REQUIRE(blocks.empty());
  }
  free_object(old);
  REQUIRE(!seen_twice);
  REQUIRE(memory::allocated_blocks() == before);
}

TEST_CASE("an observer sees blocks that other threads free") {
  if (!memory::kThreadHeaps) return;
  std::unordered_map<void*, size_t> blocks;
  seen = &blocks;
  seen_twice = false;
  memory::drain_all_heaps();
  const int64_t before = memory::allocated_blocks();
  std::vector<std::atomic<unsigned char*>> shared(1000);
  std::atomic<bool> good{true};
  memory::observe(&kWatcher);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      PyGILState_STATE state = PyGILState_Ensure();
      if (!churn(unsigned(300 + i), 40000, &shared)) good = false;
      PyGILState_Release(state);
    });
  Py_BEGIN_ALLOW_THREADS
  for (auto& t : threads) t.join();
  Py_END_ALLOW_THREADS
  for (auto& slot : shared)
    if (auto* p = slot.exchange(nullptr)) free_object(p);
  memory::drain_all_heaps();
  memory::observe(nullptr);
  REQUIRE(good);
  REQUIRE(!seen_twice);
  REQUIRE(blocks.empty());
  REQUIRE(memory::allocated_blocks() == before);
  REQUIRE(churn(400, 60000, nullptr));
}

TEST_CASE("memory that C++ asks for is aligned as it asks") {
  for (size_t alignment = 16; alignment <= 8192; alignment *= 2) {
    for (size_t size : {size_t(1), alignment - 1, alignment, alignment + 1, 2 * alignment, 4 * alignment}) {
      std::vector<void*> made;
      for (int i = 0; i < 20; ++i) made.push_back(operator new(size, std::align_val_t(alignment)));
      for (void* p : made) {
        REQUIRE(reinterpret_cast<uintptr_t>(p) % alignment == 0);
        operator delete(p, std::align_val_t(alignment));
      }
    }
  }
}
