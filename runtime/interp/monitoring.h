// Monitoring (PEP 669), the foundation of tracing and profiling: which tools want which events, and their delivery.
//
// The evaluation loop exists twice, compiled from the same text (eval.cpp). The plain loop knows nothing of events. While
// somebody wants events of a thread, the bit kBreakMonitor stands in the thread's eval breaker; the plain loop sees it at its
// next poll, where it would handle signals, and has the monitored loop (eval_monitored.cpp) run its frames. That one
// looks at a byte per instruction before it dispatches (CodeMonitor::at), and where it is not zero, or where the events
// have changed since the bytes were made, calls monitored_step, which delivers what comes before the instruction:
// nearly everything. It leaves to the plain loop again at a poll that finds the bit gone. So a change of events reaches running
// frames at their next safepoint, calls and jumps backwards, and costs nobody an instruction while nobody listens.
//
// Invariants. `events.tools` and everything that says who wants what change only in a stopped world; `version` then
// counts on, so that every CodeMonitor is brought up to date before it is used again. The arrays of a CodeMonitor are
// published once and live as long as the code; their bytes change under `events.mutex`. A frame has kFrameSeen from
// the delivery of its PY_START or PY_RESUME on, or from when the monitored loop found it running.
// While a callback runs, `tracing` of the thread is above zero: no events are delivered, and the bit is taken away.
#pragma once

#include <algorithm>
#include <atomic>
#include <vector>

#include "Python.h"
#include "interp/frame.h"
#include "objects/code_flow.h"
#include "sync/atomic_field.h"
#include "sync/mutex.h"
#include "sync/ref.h"

namespace amphis {

// One more bit of the eval breaker, which stays while events are wanted of the thread.
inline constexpr uintptr_t kBreakMonitor = 1 << 8;
static_assert(kBreakMonitor > kBreakQuiesce, "the highest of EvalBreaker's");

enum class Event : uint8_t {
  kPyStart,
  kPyResume,
  kPyReturn,
  kPyYield,
  kCall,
  kLine,
  kInstruction,
  kJump,
  kBranchLeft,
  kBranchRight,
  kStopIteration,
  // From here on: not tied to an instruction, cannot be disabled there nor set for one code object.
  kRaise,
  kExceptionHandled,
  kPyUnwind,
  kPyThrow,
  kReraise,
  // Go with kCall.
  kCReturn,
  kCRaise,
  // Older name of both branches, in sets and for callbacks.
  kBranch,
};
inline constexpr int kLocalEvents = 11;
inline constexpr int kUngroupedEvents = 16;
inline constexpr int kEventCount = 19;

inline constexpr int kUserTools = 6;
inline constexpr int kProfileTool = 6;  // sys.setprofile
inline constexpr int kTraceTool = 7;    // sys.settrace
inline constexpr int kTools = 8;

constexpr uint32_t event_bit(Event e) { return 1u << static_cast<unsigned>(e); }
constexpr int event_index(Event e) { return static_cast<int>(e); }

// What one code object's instructions have to do with events.
struct CodeMonitor {
  std::atomic<uint64_t> version{0};  // of the events that `at` was made for
  uint64_t restarted = 0;
  uint32_t local_events[kTools] = {};   // read them with local_events_of
  uint64_t tool_epochs[kTools] = {};    // Events::tool_epochs when local_events was set
  uint8_t tools[kLocalEvents] = {};     // who wants them here: globally or for this code
  uint32_t first_traceable = 0;         // what comes before belongs to the call
  uint32_t words = 0;
  CodeParts parts;                      // mark number k has the word parts.instructions + k
  uint8_t* at = nullptr;                // per word: StepReasons; zero: dispatch at once
  const uint8_t* marks = nullptr;       // per word: what it is (monitoring.cpp)
  const int32_t* lines = nullptr;       // per word; -1: none
  std::atomic<uint8_t*> disabled[kLocalEvents] = {};  // per word: tools that do not want it there any more
};

// Why the monitored loop must not dispatch an instruction at once.
enum StepReasons : uint8_t {
  kStepLine = 1,
  kStepInstruction = 2,
  kStepCall = 4,
  kStepJump = 8,
  kStepBranch = 16,
  kStepLeave = 32,   // return, yield
  kStepUnfuse = 64,  // the fused instruction behind it has events
};

struct Events {
  std::atomic<uint64_t> version{1};
  uint64_t restarts = 0;
  uint8_t tools[kEventCount] = {};  // per event: tools that want it everywhere
  uint32_t tool_events[kTools] = {};
  uint64_t tool_epochs[kTools] = {};  // a tool that was cleared has nothing to do with what it asked for before
  int local_sets[kUserTools] = {};  // code objects for which the tool has asked for events
  int tracing_threads = 0;
  int profiling_threads = 0;
  PyObject* names[kTools] = {};
  PyObject* callbacks[kTools][kEventCount] = {};  // slots for sync::get_ref
  bool old_branch[kTools] = {};                   // the callback of both branches is one for kBranch
  sync::AttachedMutex mutex;                      // bytes of CodeMonitors
};
extern Events events;
extern const char* const kEventNames[kEventCount];
extern PyObject* const monitoring_disable;  // sys.monitoring.DISABLE and MISSING
extern PyObject* const monitoring_missing;

inline CodeMonitor* code_monitor_of(const PyCodeObject* code) {
  return reinterpret_cast<CodeMonitor*>(sync::load_acquire(code->_co_monitoring));
}
// The marks before a word: [first, end) in parts.marks.
struct MarkRange {
  uint32_t first, end;
};
inline MarkRange marks_at(const CodeMonitor* m, uint32_t word) {
  const auto& marks = m->parts.marks;
  auto first = std::lower_bound(marks.begin(), marks.end(), word, [](const LineMark& mark, uint32_t w) { return mark.word < w; });
  auto end = first;
  while (end != marks.end() && end->word == word) ++end;
  return {static_cast<uint32_t>(first - marks.begin()), static_cast<uint32_t>(end - marks.begin())};
}
// The code's monitor, made and up to date; null with MemoryError.
CodeMonitor* code_monitor(PyCodeObject* code);
void code_monitor_free(PyCodeObject* code);

// Sets or takes away the thread's bit by what is wanted of it. For the thread itself, or in a stopped world.
void refresh_monitor_bit(ThreadState* ts);
inline bool monitored(const ThreadState* ts) {
  return (__atomic_load_n(&ts->eval_breaker, __ATOMIC_RELAXED) & kBreakMonitor) != 0;
}

// Changes of what is wanted: they stop the world. `set` has no kCReturn, kCRaise, kBranch any more.
void set_tool_events(int tool, uint32_t set);
void clear_tool_events(int tool);
inline uint32_t local_events_of(const CodeMonitor* m, int tool) {
  return m->tool_epochs[tool] == events.tool_epochs[tool] ? m->local_events[tool] : 0;
}
int set_local_tool_events(int tool, PyCodeObject* code, uint32_t set);
void restart_tool_events();
// In a stopped world: everything looks at the events anew.
void events_changed();

// --- delivery. 0, or -1 with an exception. `index`: the word of the code.

// Up to two objects follow the offset. `index`: the word.
int fire(ThreadState* ts, Frame* f, CodeMonitor* m, Event event, uint32_t index, PyObject* first = nullptr,
         PyObject* second = nullptr);
// With the exception that is set as argument; it is set again afterwards unless a callback raised another.
int fire_exception(ThreadState* ts, Frame* f, Event event, uint32_t index);
// Calls the callback of a user tool: 1 if it gave DISABLE, 0, or -1 with an exception.
int call_tool(ThreadState* ts, Frame* f, int tool, Event event, PyObject** args, size_t count);
[[nodiscard]] int refuse_disable(int tool, Event event);
// The legacy tools' part (trace_events.cpp).
int fire_legacy(ThreadState* ts, Frame* f, int tool, Event event, uint32_t index, PyObject* first, PyObject* second);

// RAII: a callback runs.
class [[nodiscard]] InCallback {
  ThreadState* ts_;
  Frame* frame_;
  int what_;

 public:
  InCallback(ThreadState* ts, Frame* frame, Event event);
  ~InCallback();
  InCallback(const InCallback&) = delete;
  InCallback& operator=(const InCallback&) = delete;
};

// The frame that the event is about which a callback of this thread is being told of, or null.
Frame* frame_of_event();
// Whether a line begins with the instruction (marks aside).
bool line_begins_at(const CodeMonitor* m, uint32_t index);

// --- the monitored loop

// An instruction that has run. As `branch`: a conditional jump whose outcome shall be told; the next dispatch in the frame shows
// it. As `thrown`: what an exception came from that was caught last.
struct CodePoint {
  Frame* frame = nullptr;
  const Word* from = nullptr;
};

// Delivers what comes before the instruction at pc, and may execute it (calls of C code). Gives where to go on, with f->pc
// there and *w the word to dispatch; null with an exception.
AMPHIS_NOINLINE const Word* monitored_step(ThreadState* ts, Frame* f, const Word* pc, CodePoint* branch, Word* w);
AMPHIS_NOINLINE void monitored_raise(ThreadState* ts, Frame* f);
AMPHIS_NOINLINE void monitored_reraise(ThreadState* ts, Frame* f);
AMPHIS_NOINLINE void monitored_unwind(ThreadState* ts, Frame* f, const CodePoint& thrown);
AMPHIS_NOINLINE void monitored_throw(ThreadState* ts, Frame* f);
// The handler's first instruction is at `handler`; the exception is in its register. -1: another one was raised.
AMPHIS_NOINLINE int monitored_handled(ThreadState* ts, Frame* f, const Word* handler, PyObject* exc, CodePoint* thrown);
// A generator that f was iterating over or sending to has returned `value`.
AMPHIS_NOINLINE int monitored_stop_iteration(ThreadState* ts, Frame* f, Value value);
// What f was sending to has ended with `value`; it was no generator that the loop runs.
void monitored_end_of_send(Frame* f, PyObject* value);
// PyIter_Send of None to an iterator. Its end is told of if it raises.
PySendResult monitored_next(Frame* f, PyObject* iterator, PyObject** result);
// A generator has given f the next item: its FOR_ITER goes on.
AMPHIS_NOINLINE void monitored_item(Frame* f, CodePoint* branch);

// Runs the frames from f on while events are wanted. kLoopLeft: they are not any more, the plain loop takes over.
// `skip`: words from f->pc, the instruction that ran last, to where it goes on.
PyObject* run_frame_monitored(ThreadState* ts, Frame* f, uint32_t skip);

// --- sys.settrace, sys.setprofile (trace_events.cpp). New functions are installed in a stopped world.
int set_trace_function(ThreadState* ts, Py_tracefunc function, PyObject* object);
int set_profile_function(ThreadState* ts, Py_tracefunc function, PyObject* object);
int set_trace_function_everywhere(Py_tracefunc function, PyObject* object);
int set_profile_function_everywhere(Py_tracefunc function, PyObject* object);
int trace_python(PyObject* object, PyFrameObject* frame, int what, PyObject* arg);
int profile_python(PyObject* object, PyFrameObject* frame, int what, PyObject* arg);
// f_trace_opcodes: instructions of the code become events.
int trace_opcodes(PyCodeObject* code);

int monitoring_init();
void trace_events_init();

}  // namespace amphis
