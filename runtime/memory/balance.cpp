// The record behind balance.h: live blocks by address, and the report. It uses memory of its own (C++'s), and runs no code of
// the runtime: what is left at the end may be in any state, so it is read with care.
#include "memory/balance.h"

#ifndef NDEBUG

#include <dlfcn.h>
#include <execinfo.h>
#include <link.h>
#include <pthread.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "Python.h"
#include "platform/raw_mutex.h"

namespace amphis::memory::balance {

bool recording = false;

namespace {

constexpr int kMaxFrames = 12;
int frames_kept = 0;

struct Entry {
  size_t size;
  const char* why;  // null: has to be given back
  bool object;
  std::vector<void*> from;
};

struct Shard {
  platform::RawMutex mutex;
  std::unordered_map<void*, Entry> blocks;
};
constexpr size_t kShards = 61;  // a prime: blocks of one size are far apart by powers of two
// Never destroyed: blocks are freed until the process ends.
Shard* const shards = new Shard[kShards];
Shard& shard_of(const void* block) { return shards[(reinterpret_cast<uintptr_t>(block) >> 4) % kShards]; }

std::atomic<uint64_t> allocations{0}, frees{0};

thread_local const char* permanent = nullptr;

// Memory that may not be there.
bool peek(const void* from, void* to, size_t size) {
  iovec local{to, size}, remote{const_cast<void*>(from), size};
  return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == static_cast<ssize_t>(size);
}

std::string text_at(const char* from) {
  char text[64] = {};
  for (size_t i = 0; i + 1 < sizeof text; ++i) {
    if (!peek(from + i, text + i, 1) || text[i] == 0) break;
    if (text[i] < ' ') return {};
  }
  return text;
}

// The name of the object's type, as far as one can see; empty: this is no object.
std::string type_of(const void* block) {
  PyObject head;
  PyTypeObject type;
  if (!peek(block, &head, sizeof head) || head.ob_type == nullptr || !peek(head.ob_type, &type, sizeof type)) return {};
  PyTypeObject* meta = Py_TYPE(reinterpret_cast<PyObject*>(&type));
  if (meta != &PyType_Type) {
    PyTypeObject metatype;
    if (meta == nullptr || !peek(meta, &metatype, sizeof metatype) || !(metatype.tp_flags & Py_TPFLAGS_TYPE_SUBCLASS)) return {};
  }
  std::string name = text_at(type.tp_name);
  PyTypeObject* which = head.ob_type;
  if (which == &PyType_Type || which == &PyCFunction_Type) {
    // Which one helps to find it.
    auto* op = static_cast<PyObject*>(const_cast<void*>(block));
    if (which == &PyType_Type) name += " '" + text_at(reinterpret_cast<PyTypeObject*>(op)->tp_name) + "'";
    if (which == &PyCFunction_Type) name += " '" + text_at(reinterpret_cast<PyCFunctionObject*>(op)->m_ml->ml_name) + "'";
  }
  return name;
}

std::string places(const std::vector<void*>& from) {
  std::string text;
  for (void* address : from) {
    Dl_info info;
    if (dladdr(address, &info) == 0) continue;
    char line[512];
    const char* file = info.dli_fname ? std::strrchr(info.dli_fname, '/') : nullptr;
    snprintf(line, sizeof line, "      %s+0x%zx %s\n", file ? file + 1 : "?",
             size_t(static_cast<char*>(address) - static_cast<char*>(info.dli_fbase)), info.dli_sname ? info.dli_sname : "");
    text += line;
  }
  return text;
}

struct Sum {
  size_t blocks = 0, bytes = 0;

  void add(size_t size) {
    ++blocks;
    bytes += size;
  }
};

}  // namespace

void record(void* block, size_t size, bool object) {
  Entry entry{size, permanent, object, {}};
  if (frames_kept > 0) {
    void* stack[kMaxFrames + 2];
    const int n = backtrace(stack, frames_kept + 2);
    if (n > 2) entry.from.assign(stack + 2, stack + n);
  }
  allocations.fetch_add(1, std::memory_order_relaxed);
  Shard& shard = shard_of(block);
  platform::RawLock lock(shard.mutex);
  shard.blocks[block] = std::move(entry);
}

void forget(void* block) {
  Shard& shard = shard_of(block);
  platform::RawLock lock(shard.mutex);
  // A block from before the start is nobody's debt.
  if (shard.blocks.erase(block)) frees.fetch_add(1, std::memory_order_relaxed);
}

void resize(void* block, size_t size) {
  Shard& shard = shard_of(block);
  platform::RawLock lock(shard.mutex);
  if (auto found = shard.blocks.find(block); found != shard.blocks.end()) found->second.size = size;
}

void keep_block(const void* block, const char* why) {
  Shard& shard = shard_of(block);
  platform::RawLock lock(shard.mutex);
  if (auto found = shard.blocks.find(const_cast<void*>(block)); found != shard.blocks.end()) found->second.why = why;
}

Permanent::Permanent(const char* why) : outer_(permanent) {
  if (permanent == nullptr) permanent = why;
}
Permanent::~Permanent() { permanent = outer_; }

void start(int frames) {
  frames_kept = frames < kMaxFrames ? frames : kMaxFrames;
  recording = true;
}

namespace {

constexpr char kImmortal[] = "immortal objects: interned names, constants of program text";
constexpr char kStatic[] = "held by static variables of the runtime and of modules: what is made once";
constexpr char kValue[] = "plain values that what is made once refers to";
constexpr char kRunning[] = "held by C functions that have not returned";

bool is_value(const void* block, const Entry& entry) {
  PyTypeObject type;
  return entry.object && !type_of(block).empty() && peek(Py_TYPE(static_cast<PyObject*>(const_cast<void*>(block))), &type, sizeof type) &&
         !(type.tp_flags & Py_TPFLAGS_HAVE_GC);
}

// What is live when the report is made, by address.
class Census {
  struct Block {
    uintptr_t begin, end;
    Entry* entry;
  };
  std::vector<Block> blocks_;
  std::vector<const Block*> waiting_;

  const Block* at(uintptr_t address) const {
    auto next = std::upper_bound(blocks_.begin(), blocks_.end(), address, [](uintptr_t a, const Block& b) { return a < b.begin; });
    if (next == blocks_.begin() || address >= std::prev(next)->end) return nullptr;
    return &*std::prev(next);
  }
  void mark(const Block* block, const char* why) {
    if (block->entry->why != nullptr || (why == kValue && !is_value(reinterpret_cast<void*>(block->begin), *block->entry))) return;
    block->entry->why = why;
    waiting_.push_back(block);
  }
  // Every word may be an address; the machine's registers and caches keep some bits beside theirs.
  void scan(uintptr_t begin, uintptr_t end, const char* why) {
    begin = (begin + 7) & ~uintptr_t(7);
    std::vector<uintptr_t> words((end - begin) / sizeof(uintptr_t));
    if (words.empty() || !peek(reinterpret_cast<void*>(begin), words.data(), words.size() * sizeof(uintptr_t))) return;
    for (uintptr_t word : words) {
      if (const Block* found = at(word & 0x7fff'ffff'ffff)) mark(found, why);
    }
  }

 public:
  Census() {
    for (size_t i = 0; i < kShards; ++i) {
      for (auto& [block, entry] : shards[i].blocks) {
        const auto address = reinterpret_cast<uintptr_t>(block);
        blocks_.push_back({address, address + std::max<size_t>(entry.size, 1), &entry});
      }
    }
    std::sort(blocks_.begin(), blocks_.end(), [](const Block& a, const Block& b) { return a.begin < b.begin; });
  }
  void account_for_immortals() {
    for (const Block& block : blocks_) {
      auto* op = reinterpret_cast<PyObject*>(block.begin);
      if (block.entry->object && block.entry->why == nullptr && !type_of(op).empty() && _Py_IsImmortal(op)) mark(&block, kImmortal);
    }
    spread(kImmortal);
  }
  void account_for_statics() {
    dl_iterate_phdr(
        [](dl_phdr_info* info, size_t, void* self) {
          for (int i = 0; i < info->dlpi_phnum; ++i) {
            const auto& segment = info->dlpi_phdr[i];
            if (segment.p_type != PT_LOAD || !(segment.p_flags & PF_W)) continue;
            const uintptr_t begin = info->dlpi_addr + segment.p_vaddr;
            static_cast<Census*>(self)->scan(begin, begin + segment.p_memsz, kStatic);
          }
          return 0;
        },
        this);
    spread(kStatic);
  }
  // Plain values in the namespaces of static types and in tables that stay. What can hold other objects is no such value.
  void account_for_values() {
    std::vector<Block> permanent;
    for (const Block& block : blocks_) {
      if (block.entry->why != nullptr) permanent.push_back(block);
    }
    for (const Block& block : permanent) scan(block.begin, block.end, kValue);
    spread(kValue);
  }
  // The functions that were running when somebody ended the runtime still hold what they worked on.
  void account_for_stack(const void* frame) {
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return;
    void* low;
    size_t size;
    if (pthread_attr_getstack(&attributes, &low, &size) == 0) {
      scan(reinterpret_cast<uintptr_t>(frame), reinterpret_cast<uintptr_t>(low) + size, kRunning);
    }
    pthread_attr_destroy(&attributes);
    spread(kRunning);
  }
  // What is accounted for accounts for what it refers to.
  void spread(const char* why) {
    while (!waiting_.empty()) {
      const Block* block = waiting_.back();
      waiting_.pop_back();
      scan(block->begin, block->end, why);
    }
  }
};

std::string describe(const void* block, const Entry& entry) {
  std::string name = entry.object ? type_of(block) : std::string();
  std::string key = name.empty() ? entry.object ? "object memory" : "raw memory" : name;
  if (name.empty() || frames_kept > 0) key += " of " + std::to_string(entry.size) + " bytes";
  if (frames_kept > 0) key += "\n" + places(entry.from);
  return key;
}

void print_sums(const std::map<std::string, Sum>& sums) {
  std::vector<std::pair<std::string, Sum>> sorted(sums.begin(), sums.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.second.bytes > b.second.bytes; });
  for (const auto& [name, sum] : sorted) fprintf(stderr, "  %zu blocks, %zu bytes: %s\n", sum.blocks, sum.bytes, name.c_str());
}

}  // namespace

void report() {
  recording = false;
  Census census;
  census.account_for_immortals();
  census.account_for_values();
  census.account_for_statics();
  census.account_for_stack(__builtin_frame_address(0));
  std::map<std::string, Sum> kept, lost, statics;
  Sum open;
  for (size_t i = 0; i < kShards; ++i) {
    for (const auto& [block, entry] : shards[i].blocks) {
      if (entry.why != nullptr) kept[entry.why].add(entry.size);
      if (entry.why == kStatic) statics[describe(block, entry)].add(entry.size);
      if (entry.why != nullptr) continue;
      lost[describe(block, entry)].add(entry.size);
      open.add(entry.size);
    }
  }
  const uint64_t made = allocations.load(), gone = frees.load();
  fprintf(stderr, "alloc_balance: %llu allocations, %llu frees, %llu blocks left\n", (unsigned long long)made,
          (unsigned long long)gone, (unsigned long long)(made - gone));
  for (const auto& [why, sum] : kept) {
    fprintf(stderr, "alloc_balance: accounted for: %zu blocks, %zu bytes: %s\n", sum.blocks, sum.bytes, why.c_str());
    if (why == kStatic) print_sums(statics);
  }
  fprintf(stderr, "alloc_balance: not accounted for: %zu blocks, %zu bytes\n", open.blocks, open.bytes);
  print_sums(lost);
  for (size_t i = 0; i < kShards; ++i) {
    for (auto& [block, entry] : shards[i].blocks) {
      if (entry.why == kStatic || entry.why == kImmortal || entry.why == kRunning || entry.why == kValue) entry.why = nullptr;  // the next life's report asks again
    }
  }
  recording = true;
}

}  // namespace amphis::memory::balance

#endif
