// Who wants which events, what the instructions of a code object have to do with them, and the delivery to tools.
#include "interp/monitoring.h"

#include <algorithm>
#include <new>
#include <utility>

#include "interp/ops.h"
#include "objects/code_tables.h"
#include "sync/interpreter_state.h"
#include "sync/ref.h"
#include "sync/shared_slot.h"
#include "sync/stop_the_world.h"

namespace amphis {

constinit Events events;

const char* const kEventNames[kEventCount] = {
    "PY_START",     "PY_RESUME",    "PY_RETURN",      "PY_YIELD", "CALL",
    "LINE",         "INSTRUCTION",  "JUMP",           "BRANCH_LEFT", "BRANCH_RIGHT",
    "STOP_ITERATION", "RAISE",      "EXCEPTION_HANDLED", "PY_UNWIND", "PY_THROW",
    "RERAISE",      "C_RETURN",     "C_RAISE",        "BRANCH"};

namespace {

PyObject disable_marker[1] = {PyObject_HEAD_INIT(&PyBaseObject_Type)};
PyObject missing_marker[1] = {PyObject_HEAD_INIT(&PyBaseObject_Type)};

// What a word is, whatever anybody wants.
enum Marks : uint8_t {
  kMarkStart = 1,  // an instruction begins here
  kMarkLine = 2,   // where another line may begin
  kMarkCall = 4,
  kMarkJump = 8,
  kMarkBranch = 16,
  kMarkReturn = 32,
  kMarkYield = 64,
  kMarkFused = 128,  // the loop may run the instruction behind it at once
};

Op general_op(Word w) { return op_info(word_op(w)).general; }
Word word_at(const PyCodeObject* code, uint32_t i) { return __atomic_load_n(code_words(code) + i, __ATOMIC_RELAXED); }
uint32_t length_at(const PyCodeObject* code, uint32_t i) { return 1u + op_info(general_op(word_at(code, i))).cache_words; }

bool is_prologue(Op op) { return op == Op::COPY_FREE_VARS || op == Op::MAKE_CELL || op == Op::RETURN_GENERATOR; }

uint8_t mark_of(Word w) {
  switch (general_op(w)) {
    case Op::CALL:
    case Op::CALL_KW:
      return kMarkCall | (word_has(w, kFused) ? kMarkFused : 0);
    case Op::CALL_EX:
    case Op::LOAD_SUPER_ATTR:
      return kMarkCall;
    case Op::JUMP:
      return word_has(w, kHidden) ? 0 : kMarkJump;
    case Op::JUMP_BACK:
      return kMarkJump;
    case Op::JUMP_IF_FALSE:
    case Op::JUMP_IF_TRUE:
    case Op::JUMP_IF_NONE:
    case Op::JUMP_IF_NOT_NONE:
    case Op::FOR_ITER:
    case Op::END_ASYNC_FOR:
      return kMarkBranch;
    case Op::RETURN:
    case Op::RETURN_CONST:
      return kMarkReturn;
    case Op::YIELD_VALUE:
      return kMarkYield;
    case Op::LT:
    case Op::LE:
    case Op::EQ:
    case Op::NE:
    case Op::GT:
    case Op::GE:
    case Op::LT_IMM:
    case Op::LE_IMM:
    case Op::EQ_IMM:
    case Op::NE_IMM:
    case Op::GT_IMM:
    case Op::GE_IMM:
    case Op::IS:
    case Op::CONTAINS:
      return word_has(w, kFused) ? kMarkFused : 0;
    default:
      return 0;
  }
}

bool has_target(Op op) {
  switch (op) {
    case Op::JUMP:
    case Op::JUMP_BACK:
    case Op::JUMP_IF_FALSE:
    case Op::JUMP_IF_TRUE:
    case Op::JUMP_IF_NONE:
    case Op::JUMP_IF_NOT_NONE:
    case Op::FOR_ITER:
    case Op::SEND:
      return true;
    default:
      return false;
  }
}

void find_marks(const PyCodeObject* code, CodeMonitor* m, uint8_t* marks, int32_t* lines) {
  const uint32_t words = m->parts.instructions;
  uint32_t i = 0;
  while (i < words && is_prologue(general_op(word_at(code, i)))) i += length_at(code, i);
  m->first_traceable = i;
  for (const LineMark& mark : m->parts.marks) {
    if (mark.word < words) marks[mark.word] |= kMarkLine;
  }
  int32_t line = -1;
  for (bool first = true; i < words; first = false) {
    const Word w = word_at(code, i);
    marks[i] |= kMarkStart | mark_of(w);
    if (waits_for_item(code, i)) marks[i] |= kMarkBranch;
    const bool inherits = word_has(w, kInherits);
    if (lines[i] >= 0 && !inherits && (first || lines[i] != line)) marks[i] |= kMarkLine;
    line = inherits ? -1 : lines[i];
    const uint32_t next = i + length_at(code, i);
    if (has_target(general_op(w))) {
      const auto target = static_cast<uint32_t>(static_cast<int64_t>(next) + word_bc(w));
      if (target < words && lines[target] >= 0 && !word_has(word_at(code, target), kInherits)) marks[target] |= kMarkLine;
      // The loop around a SEND is no jump of the program.
      if (general_op(w) == Op::JUMP_BACK && target < words && general_op(word_at(code, target)) == Op::SEND) {
        marks[i] &= static_cast<uint8_t>(~kMarkJump);
      }
    }
    i = next;
  }
  const CodeExtra* extra = code_extra(code);
  for (uint32_t k = 0; k < extra->range_count; ++k) {
    const uint32_t target = extra->ranges[k].target;
    if (target < words && lines[target] >= 0 && !word_has(word_at(code, target), kInherits)) marks[target] |= kMarkLine;
  }
}

int32_t* find_lines(const PyCodeObject* code, uint32_t words, std::vector<LineMark>* marks) {
  auto* lines = static_cast<int32_t*>(PyMem_RawMalloc((words + 1) * sizeof(int32_t)));
  if (lines == nullptr) return nullptr;
  std::fill(lines, lines + words, -1);
  each_position_and_mark(
      bytes_view(code->co_linetable), code->co_firstlineno,
      [&](uint32_t first, uint32_t count, const Position& p) {
        for (uint32_t i = first; i < first + count && i < words; ++i) lines[i] = p.line;
        return true;
      },
      [&](const LineMark& mark) { marks->push_back(mark); });
  return lines;
}

CodeMonitor* make_monitor(const PyCodeObject* code) {
  const uint32_t words = code_extra(code)->word_count;
  auto* m = new (std::nothrow) CodeMonitor;
  auto* bytes = static_cast<uint8_t*>(PyMem_RawCalloc(words + 1, 2));
  std::vector<LineMark> line_marks;
  int32_t* lines = m != nullptr ? find_lines(code, words, &line_marks) : nullptr;
  if (m == nullptr || bytes == nullptr || lines == nullptr) {
    delete m;
    PyMem_RawFree(bytes);
    PyMem_RawFree(lines);
    return nullptr;
  }
  m->words = words;
  m->parts = code_parts(code, std::move(line_marks));
  m->at = bytes;
  m->marks = bytes + words + 1;
  m->lines = lines;
  find_marks(code, m, bytes + words + 1, lines);
  return m;
}

uint8_t wanted_here(const CodeMonitor* m, Event event, uint32_t index) {
  const int e = event_index(event);
  uint8_t tools = sync::load_relaxed(m->tools[e]);
  if (tools == 0) return 0;
  const uint8_t* disabled = m->disabled[e].load(std::memory_order_acquire);
  return disabled == nullptr ? tools : tools & static_cast<uint8_t>(~__atomic_load_n(&disabled[index], __ATOMIC_RELAXED));
}

bool line_wanted(const CodeMonitor* m, uint32_t word) {
  if (wanted_here(m, Event::kLine, word)) return true;
  const auto [first, end] = marks_at(m, word);
  for (uint32_t k = first; k < end; ++k) {
    if (wanted_here(m, Event::kLine, m->parts.instructions + k)) return true;
  }
  return false;
}

uint8_t reasons_at(const CodeMonitor* m, uint32_t i) {
  const uint8_t marks = m->marks[i];
  if ((marks & kMarkStart) == 0) return 0;
  uint8_t reasons = 0;
  if ((marks & kMarkLine) && line_wanted(m, i)) reasons |= kStepLine;
  if (wanted_here(m, Event::kInstruction, i)) reasons |= kStepInstruction;
  if ((marks & kMarkCall) && wanted_here(m, Event::kCall, i)) reasons |= kStepCall;
  if ((marks & kMarkJump) && wanted_here(m, Event::kJump, i)) reasons |= kStepJump;
  if ((marks & kMarkBranch) && (wanted_here(m, Event::kBranchLeft, i) || wanted_here(m, Event::kBranchRight, i))) {
    reasons |= kStepBranch;
  }
  if ((marks & kMarkReturn) && wanted_here(m, Event::kPyReturn, i)) reasons |= kStepLeave;
  if ((marks & kMarkYield) && wanted_here(m, Event::kPyYield, i)) reasons |= kStepLeave;
  return reasons;
}

void set_reasons(const PyCodeObject* code, CodeMonitor* m, uint32_t i) {
  uint8_t reasons = reasons_at(m, i);
  if (m->marks[i] & kMarkFused) {
    const uint32_t next = i + length_at(code, i);
    if (next < m->words && reasons_at(m, next) != 0) reasons |= kStepUnfuse;
  }
  __atomic_store_n(&m->at[i], reasons, __ATOMIC_RELAXED);
}

// Under events.mutex.
void bring_up_to_date(const PyCodeObject* code, CodeMonitor* m, uint64_t version) {
  bool changed = m->version.load(std::memory_order_relaxed) == 0;
  if (m->restarted != events.restarts) {
    m->restarted = events.restarts;
    for (auto& disabled : m->disabled) {
      uint8_t* tools = disabled.load(std::memory_order_relaxed);
      for (uint32_t i = 0; tools != nullptr && i < m->words; ++i) __atomic_store_n(&tools[i], uint8_t{0}, __ATOMIC_RELAXED);
      changed |= tools != nullptr;
    }
  }
  for (int e = 0; e < kLocalEvents; ++e) {
    uint8_t tools = events.tools[e];
    for (int t = 0; t < kTools; ++t) {
      if (local_events_of(m, t) >> e & 1) tools |= static_cast<uint8_t>(1 << t);
    }
    if (tools == m->tools[e]) continue;
    // Where a tool asks anew, it asks for all places.
    const auto added = static_cast<uint8_t>(tools & ~m->tools[e]);
    uint8_t* disabled = m->disabled[e].load(std::memory_order_relaxed);
    for (uint32_t i = 0; disabled != nullptr && i < m->words; ++i) disabled[i] &= static_cast<uint8_t>(~added);
    sync::store_relaxed(m->tools[e], tools);
    changed = true;
  }
  if (changed) {
    for (uint32_t i = 0; i < m->words; ++i) set_reasons(code, m, i);
  }
  m->version.store(version, std::memory_order_release);
}

void disable_here(const PyCodeObject* code, CodeMonitor* m, Event event, int tool, uint32_t index) {
  sync::LockGuard lock(events.mutex);
  auto& slot = m->disabled[event_index(event)];
  uint8_t* disabled = slot.load(std::memory_order_relaxed);
  if (disabled == nullptr) {
    disabled = static_cast<uint8_t*>(PyMem_RawCalloc(m->words + 1, 1));
    if (disabled == nullptr) return;  // then it goes on
    slot.store(disabled, std::memory_order_release);
  }
  const auto tools = static_cast<uint8_t>(disabled[index] | 1 << tool);
  __atomic_store_n(&disabled[index], tools, __ATOMIC_RELAXED);
  if (index >= m->parts.instructions && index - m->parts.instructions < m->parts.marks.size()) {
    index = m->parts.marks[index - m->parts.instructions].word;
  }
  set_reasons(code, m, index);
  // One that is fused with it lies one or two words before.
  for (uint32_t back = 1; back <= 3 && back <= index; ++back) {
    if (m->marks[index - back] & kMarkFused) set_reasons(code, m, index - back);
  }
}

bool user_tools_listen() {
  for (int t = 0; t < kUserTools; ++t) {
    if (events.tool_events[t] != 0 || events.local_sets[t] > 0) return true;
  }
  return false;
}

void refresh_new_thread(ThreadState* ts) { refresh_monitor_bit(ts); }

}  // namespace

PyObject* const monitoring_disable = disable_marker;
PyObject* const monitoring_missing = missing_marker;

CodeMonitor* code_monitor(PyCodeObject* code) {
  CodeMonitor* m = code_monitor_of(code);
  const uint64_t version = events.version.load(std::memory_order_acquire);
  if (m != nullptr && m->version.load(std::memory_order_acquire) == version) [[likely]] return m;
  sync::LockGuard lock(events.mutex);
  m = code_monitor_of(code);
  if (m == nullptr) {
    m = make_monitor(code);
    if (m == nullptr) return nullptr;
    sync::store_release(code->_co_monitoring, reinterpret_cast<_PyCoMonitoringData*>(m));
  }
  if (m->version.load(std::memory_order_relaxed) != version) bring_up_to_date(code, m, version);
  return m;
}

void code_monitor_free(PyCodeObject* code) {
  CodeMonitor* m = code_monitor_of(code);
  if (m == nullptr) return;
  code->_co_monitoring = nullptr;
  // Threads keep their bits until the events change next: they look in vain meanwhile.
  for (int t = 0; t < kUserTools; ++t) {
    if (local_events_of(m, t) == 0) continue;
    sync::LockGuard lock(events.mutex);
    --events.local_sets[t];
  }
  for (auto& disabled : m->disabled) PyMem_RawFree(disabled.load(std::memory_order_relaxed));
  PyMem_RawFree(m->at);
  PyMem_RawFree(const_cast<int32_t*>(m->lines));
  delete m;
}

void refresh_monitor_bit(ThreadState* ts) {
  const bool wanted = ts->tracing == 0 && (ts->c_tracefunc != nullptr || ts->c_profilefunc != nullptr || user_tools_listen());
  if (wanted == monitored(ts)) return;
  if (wanted) {
    set_eval_breaker(ts, kBreakMonitor);
  } else {
    clear_eval_breaker(ts, kBreakMonitor);
  }
}

void events_changed() {
  for (int e = 0; e < kEventCount; ++e) {
    uint8_t tools = 0;
    for (int t = 0; t < kTools; ++t) {
      if (events.tool_events[t] >> e & 1) tools |= static_cast<uint8_t>(1 << t);
    }
    events.tools[e] = tools;
  }
  events.version.fetch_add(1, std::memory_order_acq_rel);
  for_each_thread([](ThreadState* ts) { refresh_monitor_bit(ts); });
}

void set_tool_events(int tool, uint32_t set) {
  StopTheWorld stopped("set events");
  if (events.tool_events[tool] == set) return;
  events.tool_events[tool] = set;
  events_changed();
}

void clear_tool_events(int tool) {
  StopTheWorld stopped("clear a tool");
  events.tool_events[tool] = 0;
  events.local_sets[tool] = 0;
  ++events.tool_epochs[tool];
  events_changed();
}

int set_local_tool_events(int tool, PyCodeObject* code, uint32_t set) {
  if (code_monitor(code) == nullptr) {
    PyErr_NoMemory();
    return -1;
  }
  StopTheWorld stopped("set events of code");
  CodeMonitor* m = code_monitor_of(code);
  if (local_events_of(m, tool) == set) return 0;
  if (tool < kUserTools) {
    events.local_sets[tool] += (set != 0) - (local_events_of(m, tool) != 0);
  }
  m->local_events[tool] = set;
  m->tool_epochs[tool] = events.tool_epochs[tool];
  events_changed();
  return 0;
}

void restart_tool_events() {
  StopTheWorld stopped("restart events");
  ++events.restarts;
  events_changed();
}

// --- delivery

namespace {
thread_local Frame* event_frame = nullptr;
}

InCallback::InCallback(ThreadState* ts, Frame* frame, Event event) : ts_(ts), frame_(event_frame), what_(ts->what_event) {
  ++ts->tracing;
  ts->what_event = event_index(event);
  event_frame = frame;
  refresh_monitor_bit(ts);
}

InCallback::~InCallback() {
  --ts_->tracing;
  ts_->what_event = what_;
  event_frame = frame_;
  refresh_monitor_bit(ts_);
}

Frame* frame_of_event() { return event_frame; }

bool line_begins_at(const CodeMonitor* m, uint32_t index) { return (m->marks[index] & kMarkLine) != 0 && m->lines[index] >= 0; }

int call_tool(ThreadState* ts, Frame* f, int tool, Event event, PyObject** args, size_t count) {
  Ref<> callback = sync::get_ref(&events.callbacks[tool][event_index(event)]);
  if (!callback) return 0;
  Ref<> result;
  {
    InCallback running(ts, f, event);
    result = Ref<>::steal(PyObject_Vectorcall(callback, args + 1, count | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr));
  }
  if (!result) return -1;
  return result.get() == monitoring_disable ? 1 : 0;
}

int refuse_disable(int tool, Event event) {
  PyErr_Format(PyExc_ValueError, "Cannot disable %s events. Callback removed.", kEventNames[event_index(event)]);
  Ref<> callback = sync::exchange_slot(&events.callbacks[tool][event_index(event)], Ref<>());
  return -1;
}

int fire(ThreadState* ts, Frame* f, CodeMonitor* m, Event event, uint32_t index, PyObject* first, PyObject* second) {
  if (ts->tracing > 0) return 0;
  const Event switched_by = event == Event::kCReturn || event == Event::kCRaise ? Event::kCall : event;
  uint8_t tools = event_index(switched_by) < kLocalEvents ? wanted_here(m, switched_by, index)
                                                          : sync::load_relaxed(events.tools[event_index(event)]);
  if (tools == 0) return 0;
  for (int tool = kTools - 1; tool >= kUserTools; --tool) {
    if ((tools >> tool & 1) && fire_legacy(ts, f, tool, event, index, first, second) < 0) return -1;
  }
  tools &= (1 << kUserTools) - 1;
  if (tools == 0) return 0;
  Ref<> place = Ref<>::steal(PyLong_FromLong(event == Event::kLine ? m->lines[index] : static_cast<long>(index) * 2));
  if (!place) return -1;
  PyObject* args[] = {nullptr, reinterpret_cast<PyObject*>(f->code), place, first, second};
  const size_t count = 2u + (first != nullptr) + (second != nullptr);
  for (int tool = kUserTools - 1; tool >= 0; --tool) {
    if ((tools >> tool & 1) == 0) continue;
    const int done = call_tool(ts, f, tool, event, args, count);
    if (done < 0) return -1;
    if (done == 0) continue;
    if (event_index(event) >= kLocalEvents) return refuse_disable(tool, event);
    disable_here(f->code, m, event, tool, index);
    if (events.old_branch[tool] && (event == Event::kBranchLeft || event == Event::kBranchRight)) {
      disable_here(f->code, m, event == Event::kBranchLeft ? Event::kBranchRight : Event::kBranchLeft, tool, index);
    }
  }
  return 0;
}

int fire_exception(ThreadState* ts, Frame* f, Event event, uint32_t index) {
  if (ts->tracing > 0) return 0;
  if (event_index(event) >= kLocalEvents && sync::load_relaxed(events.tools[event_index(event)]) == 0) return 0;
  CodeMonitor* m = code_monitor(f->code);
  if (m == nullptr) return 0;
  PyObject* exc = PyErr_GetRaisedException();
  if (fire(ts, f, m, event, index, exc) < 0) {
    Py_XDECREF(exc);
    return -1;
  }
  PyErr_SetRaisedException(exc);
  return 0;
}

int monitoring_init() {
  add_thread_hooks({nullptr, refresh_new_thread, nullptr, nullptr, nullptr});
  trace_events_init();
  return 0;
}

}  // namespace amphis
