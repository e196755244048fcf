// frame.f_lineno = line: a trace function moves the frame to another line.
//
// A frame's temporaries hold what enclosing statements and unfinished expressions need: iterators of loops, the exits of `with`,
// exceptions being handled. Which ones, follows from the code. A frame may go where all that is needed there is at hand; the
// rest is dropped, handled exceptions with what POP_EXCEPT does.
#include <algorithm>
#include <optional>
#include <vector>

#include "interp/frame_view.h"
#include "interp/monitoring.h"
#include "interp/ops.h"

namespace amphis {

namespace {

// kSaved: the exception that was handled before, beside the one that is. kExit: what a `with` statement leaves by.
enum class Held : uint8_t { kIterator, kException, kSaved, kExit, kObject };

// `maker`: the instruction that put it there.
struct Temporary {
  uint32_t reg;
  Held what;
  uint32_t maker;
  bool operator==(const Temporary& other) const { return reg == other.reg && what == other.what && maker == other.maker; }
  // Statements may take over each other's iterators, exceptions and exits; what an expression is made of is for that one alone.
  bool serves_as(const Temporary& other) const {
    return reg == other.reg && what == other.what && (maker == other.maker || what != Held::kObject);
  }
};

Word word_at(const PyCodeObject* code, uint32_t i) { return __atomic_load_n(code_words(code) + i, __ATOMIC_RELAXED); }

using HeldSet = std::vector<Temporary>;

// What temporaries hold before each instruction: followed through the code from its beginning, as every way to a place leaves
// the same there. Unset where nothing leads.
class Liveness {
  const PyCodeObject* code_;
  uint32_t variables_, end_;
  uint32_t maker_ = 0;  // the instruction at hand
  std::vector<std::optional<HeldSet>> before_;
  std::vector<uint32_t> work_;

  static void remove(HeldSet& held, uint32_t first, uint32_t end) {
    std::erase_if(held, [=](const Temporary& t) { return t.reg >= first && t.reg < end; });
  }
  void put(HeldSet& held, uint32_t reg, Held what = Held::kObject) const {
    if (reg < variables_) return;
    remove(held, reg, reg + 1);
    held.push_back({reg, what, maker_});
  }
  void flow(uint32_t to, const HeldSet& held) {
    if (to >= end_ || before_[to]) return;
    before_[to] = held;
    work_.push_back(to);
  }
  void step(uint32_t i);

 public:
  Liveness(const PyCodeObject* code, uint32_t end)
      : code_(code), variables_(code_extra(code)->nlocalsplus), end_(end), before_(end) {
    flow(0, {});
    while (!work_.empty()) {
      const uint32_t i = work_.back();
      work_.pop_back();
      step(i);
    }
  }
  const std::optional<HeldSet>& at(uint32_t i) const { return before_[i]; }
};

void Liveness::step(uint32_t i) {
  maker_ = i;
  const Word w = word_at(code_, i);
  const Op op = op_info(word_op(w)).general;
  const uint32_t next = i + 1u + op_info(op).cache_words;
  const uint32_t a = word_a(w), b = word_b(w), c = word_c(w);
  const auto target = static_cast<uint32_t>(static_cast<int64_t>(next) + word_bc(w));
  constexpr uint32_t kAll = UINT32_MAX;
  const CodeExtra* extra = code_extra(code_);
  for (uint32_t k = 0; k < extra->range_count; ++k) {
    const ExceptionRange& range = extra->ranges[k];
    if (i < range.start || i >= range.end) continue;
    HeldSet caught = *before_[i];
    remove(caught, range.depth, kAll);
    put(caught, range.depth, Held::kException);
    flow(range.target, caught);
    break;  // the innermost comes first
  }
  HeldSet held = *before_[i];
  switch (op) {
    case Op::RETURN:
    case Op::RETURN_CONST:
    case Op::RAISE:
    case Op::RERAISE:
      return;
    case Op::JUMP:
    case Op::JUMP_BACK:
      return flow(target, held);
    case Op::JUMP_IF_FALSE:
    case Op::JUMP_IF_TRUE:
    case Op::JUMP_IF_NONE:
    case Op::JUMP_IF_NOT_NONE:
      if (word_has(w, kKillA)) remove(held, a, a + 1);
      flow(next, held);
      return flow(target, held);
    case Op::FOR_ITER: {
      HeldSet ended = held;
      remove(ended, a, a + 1);
      flow(target, ended);
      put(held, word_at(code_, i + 1) & 0xffff);
      return flow(next, held);
    }
    case Op::SEND: {
      flow(next, held);
      remove(held, a, a + 1);
      return flow(target, held);
    }
    case Op::GET_ITER:
    case Op::GET_AITER:
      if (word_has(w, kKillB)) remove(held, b, b + 1);
      put(held, a, Held::kIterator);
      return flow(next, held);
    case Op::PUSH_EXC_INFO:
      put(held, a, Held::kException);
      put(held, a + 1, Held::kSaved);
      return flow(next, held);
    case Op::POP_EXCEPT:
      remove(held, a, a + 2);
      return flow(next, held);
    case Op::END_ASYNC_FOR:
      remove(held, a - 1, a + 1);
      return flow(next, held);
    case Op::CALL:
    case Op::CALL_KW:
    case Op::CALL_EX:
      remove(held, a, kAll);
      put(held, c);
      return flow(next, held);
    case Op::BUILD_TUPLE:
    case Op::BUILD_LIST:
    case Op::BUILD_SET:
    case Op::BUILD_MAP:
    case Op::BUILD_STRING:
    case Op::BUILD_SLICE:
    case Op::BUILD_TEMPLATE:
    case Op::BUILD_INTERPOLATION:
    case Op::MAKE_FUNCTION:
    case Op::LOAD_SUPER_ATTR:
    case Op::INTRINSIC_2:
    case Op::IMPORT_NAME:
    case Op::MATCH_CLASS:
      remove(held, std::max(b, variables_), kAll);
      put(held, a);
      if (op == Op::LOAD_SUPER_ATTR && word_has(w, kMethod)) put(held, a + 1);
      return flow(next, held);
    case Op::YIELD_VALUE:
      // What is sent in and wanted by nobody may lie there for ever.
      remove(held, b, b + 1);
      return flow(next, held);
    case Op::MOVE:
      remove(held, b, b + 1);
      put(held, a);
      return flow(next, held);
    case Op::UNPACK_SEQUENCE:
    case Op::UNPACK_EX: {
      if (word_has(w, kKillB)) remove(held, b, b + 1);
      const uint32_t count = op == Op::UNPACK_SEQUENCE ? c : (c & 0xff) + 1 + (c >> 8);
      for (uint32_t k = 0; k < count; ++k) put(held, a + k);
      return flow(next, held);
    }
    case Op::LOAD_METHOD:
    case Op::LOAD_SPECIAL: {
      const Held what = op == Op::LOAD_SPECIAL ? Held::kExit : Held::kObject;
      if (word_has(w, kKillB)) remove(held, b, b + 1);
      put(held, a, what);
      put(held, a + 1, what);
      return flow(next, held);
    }
    case Op::LOAD_SLICE:
      if (word_has(w, kKillB)) remove(held, b, b + 1);
      remove(held, std::max(c, variables_), kAll);
      put(held, a);
      return flow(next, held);
    case Op::STORE_SLICE:
      remove(held, b, b + 3);
      break;
    default:
      break;
  }
  // The rest: operands with kill flags, and perhaps a result.
  const char* format = op_info(op).format;
  if (word_has(w, kKillA)) remove(held, a, a + 1);
  if (format[0] != '\0' && format[1] == 'B') {
    if (word_has(w, kKillB)) remove(held, b, b + 1);
    if (format[2] == 'C' && word_has(w, kKillC)) remove(held, c, c + 1);
  }
  switch (op) {
    case Op::NOP:
    case Op::STORE_GLOBAL:
    case Op::STORE_NAME:
    case Op::STORE_DEREF:
    case Op::STORE_ATTR:
    case Op::STORE_SUBSCR:
    case Op::STORE_SLICE:
    case Op::DELETE_ATTR:
    case Op::DELETE_SUBSCR:
    case Op::DELETE_GLOBAL:
    case Op::DELETE_NAME:
    case Op::DELETE_DEREF:
    case Op::CHECK_BOUND:
    case Op::MAKE_CELL:
    case Op::COPY_FREE_VARS:
    case Op::RETURN_GENERATOR:
    case Op::SETUP_ANNOTATIONS:
    case Op::LIST_APPEND:
    case Op::SET_ADD:
    case Op::MAP_ADD:
    case Op::LIST_EXTEND:
    case Op::SET_UPDATE:
    case Op::DICT_UPDATE:
    case Op::DICT_MERGE:
    case Op::CLEANUP_THROW:
      break;
    case Op::CLEAR:
    case Op::DELETE_FAST:
      remove(held, a, a + 1);
      break;
    default:
      put(held, a);
  }
  flow(next, held);
}

int refuse(const char* text) {
  PyErr_SetString(PyExc_ValueError, text);
  return -1;
}

const char* why_not(Held missing) {
  switch (missing) {
    case Held::kIterator:
      return "can't jump into the body of a for loop";
    case Held::kException:
    case Held::kSaved:
      return "can't jump into an 'except' block as there's no exception";
    default:
      return "incompatible stacks";
  }
}

// Words that begin the line, or else the next line that has any.
std::vector<uint32_t> words_of_line(const CodeMonitor* m, int wanted) {
  struct Start {
    int32_t line;
    uint32_t word;
  };
  std::vector<Start> starts;
  for (uint32_t i = m->first_traceable; i < m->parts.instructions; ++i) {
    if (line_begins_at(m, i)) starts.push_back({m->lines[i], i});
  }
  for (size_t k = 0; k < m->parts.marks.size(); ++k) {
    starts.push_back({m->lines[m->parts.instructions + k], m->parts.marks[k].word});
  }
  if (m->parts.entry != 0) starts.push_back({m->lines[m->parts.entry], m->first_traceable});
  int32_t line = INT32_MAX;
  for (const Start& s : starts) {
    if (s.line >= wanted) line = std::min(line, s.line);
  }
  std::vector<uint32_t> words;
  for (const Start& s : starts) {
    if (s.line == line) words.push_back(s.word);
  }
  return words;
}

// Variables that the compiler may take for bound at the new place get None.
int bind_variables(Frame* f) {
  auto unbound = [&](uint32_t i) {
    const auto kind = static_cast<uint8_t>(PyBytes_AS_STRING(f->code->co_localspluskinds)[i]);
    return (kind & kLocalHidden) == 0 && f->regs[i] == kEmpty;
  };
  int count = 0;
  for (uint32_t i = 0; i < f->variables; ++i) count += unbound(i);
  if (count == 0) return 0;
  if (PyErr_WarnFormat(PyExc_RuntimeWarning, 0, "assigning None to %d unbound local%s", count, count == 1 ? "" : "s") < 0) {
    return -1;
  }
  for (uint32_t i = 0; i < f->variables; ++i) {
    if (unbound(i)) f->regs[i] = value_none();
  }
  return 0;
}

void drop_temporaries(ThreadState* ts, Frame* f, const std::vector<Temporary>& held, const std::vector<Temporary>& kept) {
  auto stays = [&](uint32_t reg) {
    return std::any_of(kept.begin(), kept.end(), [&](const Temporary& t) { return t.reg == reg; });
  };
  // Innermost first: they lie highest.
  std::vector<uint32_t> exceptions;
  for (const Temporary& t : held) {
    if (t.what == Held::kException && !stays(t.reg)) exceptions.push_back(t.reg);
  }
  std::sort(exceptions.rbegin(), exceptions.rend());
  for (const uint32_t reg : exceptions) {
    const Value previous = std::exchange(f->regs[reg + 1], kEmpty);
    PyObject* handled = std::exchange(ts->exc_info->exc_value,
                                      is_none(previous) || previous == kEmpty ? nullptr : value_take_object(previous));
    Py_XDECREF(handled);
  }
  for (uint32_t reg = f->variables; reg < code_extra(f->code)->register_count; ++reg) {
    if (!stays(reg)) drop(std::exchange(f->regs[reg], kEmpty));
  }
}

int check_event(ThreadState* ts, const Frame* f) {
  if (ts->what_event < 0) return refuse("f_lineno can only be set in a trace function");
  switch (static_cast<Event>(ts->what_event)) {
    case Event::kLine:
    case Event::kJump:
    case Event::kInstruction:
    case Event::kPyResume:
    case Event::kPyYield:
    case Event::kBranchLeft:
    case Event::kBranchRight:
      break;
    case Event::kPyStart:
      return refuse("can't jump from the 'call' trace event of a new frame");
    default:
      return refuse("can only jump from a 'line' trace event");
  }
  // Callers wait in the middle of a call.
  return f == frame_of_event() ? 0 : refuse("can only jump from a 'line' trace event");
}

}  // namespace

int frame_jump(FrameObject* frame, PyObject* value) {
  if (value == nullptr) {
    PyErr_Format(PyExc_AttributeError, "attribute 'f_lineno' of '%.100s' objects cannot be deleted", Py_TYPE(frame)->tp_name);
    return -1;
  }
  if (!PyLong_CheckExact(value)) return refuse("lineno must be an integer");
  ThreadState* ts = current_thread();
  Frame* f = sync::load_acquire(frame->frame);
  if (check_event(ts, f) < 0) return -1;
  const int line = PyLong_AsInt(value);
  if (line == -1 && PyErr_Occurred()) return -1;
  PyCodeObject* code = frame->code;
  if (line < code->co_firstlineno) {
    PyErr_Format(PyExc_ValueError, "line %d comes before the current code block", line);
    return -1;
  }
  CodeMonitor* m = code_monitor(code);
  if (m == nullptr) return PyErr_NoMemory(), -1;
  const std::vector<uint32_t> words = words_of_line(m, line);
  if (words.empty()) {
    PyErr_Format(PyExc_ValueError, "line %d comes after the current code block", line);
    return -1;
  }
  // A mark's own word tells nothing of what surrounds it.
  uint32_t here = f->index();
  if (here >= m->parts.instructions && here - m->parts.instructions < m->parts.marks.size()) here = m->parts.marks[here - m->parts.instructions].word;
  const Liveness live(code, m->parts.instructions);
  if (!live.at(here)) return refuse("can't jump from unreachable code");
  const HeldSet& held = *live.at(here);
  const char* why = nullptr;
  std::optional<uint32_t> best;
  bool best_is_same = false;  // all that it needs is what is at hand, and not merely of its kind
  std::vector<Temporary> kept;
  for (const uint32_t word : words) {
    if (!live.at(word)) {
      if (why == nullptr) why = "can't jump into an exception handler, or code may be unreachable";
      continue;
    }
    const HeldSet& needed = *live.at(word);
    const Temporary* missing = nullptr;
    bool same = true;
    for (const Temporary& t : needed) {
      const bool at_hand = std::any_of(held.begin(), held.end(), [&](const Temporary& h) { return h.serves_as(t); });
      if (!at_hand && (missing == nullptr || t.reg >= missing->reg)) missing = &t;
      same &= std::find(held.begin(), held.end(), t) != held.end();
    }
    if (missing != nullptr) {
      if (why == nullptr) why = why_not(missing->what);
    } else if (!best || (same && !best_is_same) || (same == best_is_same && needed.size() > kept.size())) {
      best = word;
      best_is_same = same;
      kept = needed;
    }
  }
  if (!best) return refuse(why);
  if (bind_variables(f) < 0) return -1;
  drop_temporaries(ts, f, held, kept);
  f->pc = code_words(code) + *best;
  sync::store_relaxed(frame->lineno, 0);
  return 0;
}

}  // namespace amphis
