// _tracemalloc: where living memory was allocated, for tracemalloc.py and PyTraceMalloc_Track. While tracing is on, the pages are
// under observation (memory/heap.h) and each block gets an entry: its size, and the frames that the allocating thread was in. While
// it is off, nothing here costs anything.
//
// Invariants: `table.mutex` guards the table; whoever holds it calls nothing that may allocate or free an object. Equal tracebacks
// are one. A traceback is destroyed, which drops references, by attached threads that do not hold the mutex: the table `known`
// keeps every one alive until all of them are swapped out.
#include "modules/tracemalloc.h"

#include "interp/frame.h"
#include "memory/heap.h"
#include "modules/builtins.h"
#include "objects/code.h"
#include "platform/raw_mutex.h"
#include "sync/fork.h"
#include "sync/ref.h"
#include "sync/stop_the_world.h"
#include "sync/thread_state.h"

#include <memory>
#include <new>
#include <unordered_map>
#include <vector>

namespace amphis {

namespace {

constexpr int kMaxFrames = 0xffff;

struct Place {
  PyObject* filename;  // borrowed while it is looked up, owned by a Traceback
  unsigned line;

  bool operator==(const Place& other) const { return filename == other.filename && line == other.line; }
};

// The innermost frames, the innermost first, and how many there were.
struct Traceback {
  std::vector<Place> places;
  unsigned total;

  Traceback(const std::vector<Place>& from, unsigned all) : places(from), total(all) {
    for (const Place& place : places) Py_INCREF(place.filename);
  }
  ~Traceback() {
    for (const Place& place : places) Py_DECREF(place.filename);
  }
  Traceback(const Traceback&) = delete;
  Traceback& operator=(const Traceback&) = delete;
};
using SharedTraceback = std::shared_ptr<const Traceback>;

struct Key {
  uintptr_t address;
  unsigned domain;

  bool operator==(const Key& other) const { return address == other.address && domain == other.domain; }
};
struct KeyHash {
  size_t operator()(const Key& key) const { return (key.address >> 4) * 0x9E3779B97F4A7C15u + key.domain; }
};
struct Trace {
  size_t size;
  SharedTraceback traceback;
};
using Traces = std::unordered_map<Key, Trace, KeyHash>;
using Known = std::unordered_multimap<size_t, SharedTraceback>;

struct Table {
  platform::RawMutex mutex;
  Traces traces;
  Known known;
  size_t known_places = 0;
  size_t traced = 0, peak = 0;

  void forget(const Key& key) {
    auto found = traces.find(key);
    if (found == traces.end()) return;
    traced -= found->second.size;
    traces.erase(found);
  }
};
// Never destroyed: blocks come back until the process ends.
Table& table = *new Table;

std::atomic<int> limit{1};
PyObject* unknown_file = nullptr;  // immortal

unsigned line_of(const Frame* f) {
  const int line = code_position(f->code, f->index()).line;
  return line > 0 ? static_cast<unsigned>(line) : 0;
}

// A frame that only makes its cells, or its generator, is not yet in its function: what it allocates is the caller's.
bool is_entering(const Frame* f) {
  const Word* const begin = code_words(f->code);
  if (f->pc < begin || f->pc - begin > 16) return false;
  for (const Word* at = begin; at <= f->pc; ++at) {
    const Op op = word_op(*at);
    if (op != Op::MAKE_CELL && op != Op::COPY_FREE_VARS && op != Op::RETURN_GENERATOR) return false;
  }
  return true;
}

// The frames of this thread: how many there are, as far as anybody asks; `places` gets at most `limit` of them.
unsigned look(std::vector<Place>* places) {
  places->clear();
  const auto wanted = static_cast<size_t>(limit.load(std::memory_order_relaxed));
  unsigned total = 0;
  ThreadState* ts = current_thread();
  for (const Frame* f = ts != nullptr ? current_frame(ts) : nullptr; f != nullptr; f = f->prev) {
    if (total == 0 && is_entering(f)) continue;
    if (places->size() < wanted) places->push_back({f->code->co_filename, line_of(f)});
    if (total < kMaxFrames) ++total;
  }
  if (total == 0) {
    places->push_back({unknown_file, 0});
    total = 1;
  }
  return total;
}

// False: no memory for the entry.
bool trace(unsigned domain, uintptr_t address, size_t size) try {
  thread_local std::vector<Place> places;
  const unsigned total = look(&places);
  size_t hash = total;
  for (const Place& place : places) hash = (hash ^ (reinterpret_cast<uintptr_t>(place.filename) >> 4) ^ place.line) * 0x100000001B3u;

  platform::RawLock lock(table.mutex);
  SharedTraceback traceback;
  for (auto [at, end] = table.known.equal_range(hash); at != end; ++at) {
    if (at->second->total == total && at->second->places == places) {
      traceback = at->second;
      break;
    }
  }
  if (!traceback) {
    traceback = std::make_shared<const Traceback>(places, total);
    table.known.emplace(hash, traceback);
    table.known_places += places.size();
  }
  const Key key{address, domain};
  table.forget(key);
  table.traces[key] = {size, std::move(traceback)};
  table.traced += size;
  if (table.traced > table.peak) table.peak = table.traced;
  return true;
} catch (const std::bad_alloc&) {
  return false;
}

void untrace(unsigned domain, uintptr_t address) {
  platform::RawLock lock(table.mutex);
  table.forget({address, domain});
}

// What this thread makes to tell of the traces is none of the program's.
thread_local bool telling = false;

void saw_block(void* block, size_t size) {
  if (!telling) trace(0, reinterpret_cast<uintptr_t>(block), size);
}
void saw_free(void* block) { untrace(0, reinterpret_cast<uintptr_t>(block)); }
constexpr memory::Observer kObserver = {saw_block, saw_block, saw_free};

bool tracing() { return memory::observer() == &kObserver; }

void clear() {
  Traces traces;
  Known known;
  {
    platform::RawLock lock(table.mutex);
    traces.swap(table.traces);
    known.swap(table.known);
    table.known_places = 0;
    table.traced = table.peak = 0;
  }
}

void after_fork() { table.mutex.reset(); }

// --- Python objects of it

PyObject* frames_of(const Traceback& traceback) {
  Ref<> frames = Ref<>::steal(PyTuple_New(static_cast<Py_ssize_t>(traceback.places.size())));
  if (!frames) return nullptr;
  for (size_t i = 0; i < traceback.places.size(); ++i) {
    PyObject* frame = Py_BuildValue("OI", traceback.places[i].filename, traceback.places[i].line);
    if (frame == nullptr) return nullptr;
    PyTuple_SET_ITEM(frames.get(), static_cast<Py_ssize_t>(i), frame);
  }
  return frames.release();
}

PyObject* get_traces(PyObject*, PyObject*) {
  Ref<> list = Ref<>::steal(PyList_New(0));
  if (!list || !tracing()) return list.release();
  struct Found {
    unsigned domain;
    Trace trace;
  };
  std::vector<Found> all;
  {
    platform::RawLock lock(table.mutex);
    all.reserve(table.traces.size());
    for (const auto& [key, found] : table.traces) all.push_back({key.domain, found});
  }
  struct Telling {
    Telling() { telling = true; }
    ~Telling() { telling = false; }
  } told;
  std::unordered_map<const Traceback*, Ref<>> made;
  for (const Found& found : all) {
    const Traceback& traceback = *found.trace.traceback;
    Ref<>& frames = made[&traceback];
    if (!frames) frames = Ref<>::steal(frames_of(traceback));
    if (!frames) return nullptr;
    Ref<> item = Ref<>::steal(
        Py_BuildValue("InOI", found.domain, static_cast<Py_ssize_t>(found.trace.size), frames.get(), traceback.total));
    if (!item || PyList_Append(list, item) < 0) return nullptr;
  }
  return list.release();
}

PyObject* get_object_traceback(PyObject*, PyObject* object) {
  SharedTraceback traceback;
  if (tracing()) {
    platform::RawLock lock(table.mutex);
    if (auto found = table.traces.find({reinterpret_cast<uintptr_t>(object), 0}); found != table.traces.end()) {
      traceback = found->second.traceback;
    }
  }
  if (!traceback) Py_RETURN_NONE;
  return frames_of(*traceback);
}

PyObject* start(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("start", nargs, 0, 1)) return nullptr;
  const int frames = nargs > 0 ? PyLong_AsInt(args[0]) : 1;
  if ((frames == -1 && PyErr_Occurred()) || tracemalloc_start(frames) < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* stop(PyObject*, PyObject*) {
  tracemalloc_stop();
  Py_RETURN_NONE;
}

PyObject* is_tracing(PyObject*, PyObject*) { return PyBool_FromLong(tracing()); }

PyObject* clear_traces(PyObject*, PyObject*) {
  if (tracing()) clear();
  Py_RETURN_NONE;
}

PyObject* reset_peak(PyObject*, PyObject*) {
  platform::RawLock lock(table.mutex);
  table.peak = table.traced;
  Py_RETURN_NONE;
}

PyObject* get_traceback_limit(PyObject*, PyObject*) { return PyLong_FromLong(limit.load()); }

PyObject* get_tracemalloc_memory(PyObject*, PyObject*) {
  size_t size;
  {
    platform::RawLock lock(table.mutex);
    // Nodes of the hash tables have a link and a hash of their own.
    constexpr size_t kNode = 2 * sizeof(void*);
    size = (table.traces.bucket_count() + table.known.bucket_count()) * sizeof(void*) +
           table.traces.size() * (sizeof(Traces::value_type) + kNode) +
           table.known.size() * (sizeof(Known::value_type) + sizeof(Traceback) + 2 * kNode) + table.known_places * sizeof(Place);
  }
  return PyLong_FromSize_t(size);
}

PyObject* get_traced_memory(PyObject*, PyObject*) {
  size_t traced, peak;
  {
    platform::RawLock lock(table.mutex);
    traced = table.traced;
    peak = table.peak;
  }
  return Py_BuildValue("nn", static_cast<Py_ssize_t>(traced), static_cast<Py_ssize_t>(peak));
}

PyMethodDef methods[] = {
    {"start", as_cfunction(start), METH_FASTCALL,
     "start($module, nframe=1, /)\n--\n\nStart tracing Python memory allocations.\n\nAlso set the maximum number of frames "
     "stored in the traceback of a\ntrace to nframe."},
    {"stop", stop, METH_NOARGS,
     "stop($module, /)\n--\n\nStop tracing Python memory allocations.\n\nAlso clear traces of memory blocks allocated by Python."},
    {"is_tracing", is_tracing, METH_NOARGS,
     "is_tracing($module, /)\n--\n\nReturn True if the tracemalloc module is tracing Python memory allocations."},
    {"clear_traces", clear_traces, METH_NOARGS, "clear_traces($module, /)\n--\n\nClear traces of memory blocks allocated by Python."},
    {"reset_peak", reset_peak, METH_NOARGS,
     "reset_peak($module, /)\n--\n\nSet the peak size of memory blocks traced by tracemalloc to the current size.\n\nDo nothing "
     "if the tracemalloc module is not tracing memory allocations."},
    {"_get_traces", get_traces, METH_NOARGS, "_get_traces($module, /)\n--\n\nGet traces of all memory blocks allocated by Python."},
    {"_get_object_traceback", get_object_traceback, METH_O,
     "_get_object_traceback($module, obj, /)\n--\n\nGet the traceback where the Python object obj was allocated."},
    {"get_traceback_limit", get_traceback_limit, METH_NOARGS,
     "get_traceback_limit($module, /)\n--\n\nGet the maximum number of frames stored in the traceback of a trace."},
    {"get_tracemalloc_memory", get_tracemalloc_memory, METH_NOARGS,
     "get_tracemalloc_memory($module, /)\n--\n\nGet the memory usage in bytes of the tracemalloc module."},
    {"get_traced_memory", get_traced_memory, METH_NOARGS,
     "get_traced_memory($module, /)\n--\n\nGet the current size and peak size of memory blocks traced by tracemalloc."},
    {},
};
PyModuleDef_Slot slots[] = {
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};
PyModuleDef def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_tracemalloc",
    .m_doc = "Debug module to trace memory blocks allocated by Python.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace

int tracemalloc_start(int frames) {
  if (frames < 1 || frames > kMaxFrames) {
    PyErr_Format(PyExc_ValueError, "the number of frames must be in range [1; %d]", kMaxFrames);
    return -1;
  }
  if (tracing()) return 0;
  if (unknown_file == nullptr) {
    PyObject* name = PyUnicode_FromString("<unknown>");
    if (name == nullptr) return -1;
    PyUnicode_InternImmortal(&name);
    unknown_file = name;
    sync::add_fork_hooks({nullptr, nullptr, after_fork});
  }
  limit.store(frames);
  StopTheWorld stopped("tracemalloc starts");
  memory::observe(&kObserver);
  return 0;
}

void tracemalloc_stop() {
  if (!tracing()) return;
  {
    StopTheWorld stopped("tracemalloc stops");
    memory::observe(nullptr);
  }
  clear();
}

}  // namespace amphis

using namespace amphis;

extern "C" {

PyObject* PyInit__tracemalloc(void) { return PyModuleDef_Init(&def); }

int PyTraceMalloc_Track(unsigned int domain, uintptr_t address, size_t size) {
  if (!tracing()) return -2;
  return trace(domain, address, size) ? 0 : -1;
}

int PyTraceMalloc_Untrack(unsigned int domain, uintptr_t address) {
  if (!tracing()) return -2;
  untrace(domain, address);
  return 0;
}

}  // extern "C"
