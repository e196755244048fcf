#include "objects/code_flow.h"

#include <algorithm>
#include <utility>

#include "objects/code_tables.h"
#include "sync/atomic_field.h"
#include "sync/ref.h"

namespace amphis {

namespace {

Word word_at(const PyCodeObject* code, uint32_t i) { return sync::load_relaxed(code_words(code)[i]); }
Op op_at(const PyCodeObject* code, uint32_t i) { return op_info(word_op(word_at(code, i))).general; }
uint32_t behind(const PyCodeObject* code, uint32_t i) { return i + 1u + op_info(op_at(code, i)).cache_words; }
uint32_t target_of(const PyCodeObject* code, uint32_t i) {
  return static_cast<uint32_t>(static_cast<int64_t>(behind(code, i)) + word_bc(word_at(code, i)));
}

// The handler of what the instruction raises.
uint32_t handler_of(const PyCodeObject* code, uint32_t i) {
  const CodeExtra* extra = code_extra(code);
  for (uint32_t k = 0; k < extra->range_count; ++k) {
    const ExceptionRange& range = extra->ranges[k];
    if (i >= range.start && i < range.end) return range.target;
  }
  return kNoWord;
}

CodeParts parts_of(const PyCodeObject* code) {
  std::vector<LineMark> marks;
  each_position_and_mark(bytes_view(code->co_linetable), code->co_firstlineno,
                         [](uint32_t, uint32_t, const Position&) { return true; },
                         [&](const LineMark& mark) { marks.push_back(mark); });
  return code_parts(code, std::move(marks));
}

}  // namespace

CodeParts code_parts(const PyCodeObject* code, std::vector<LineMark> marks) {
  const uint32_t words = code_extra(code)->word_count;
  CodeParts parts{std::move(marks), words, 0};
  auto is_place_of_mark = [](Word w) { return word_op(w) == Op::NOP && word_a(w) == kPlaceOfMark; };
  if (words > 0 && word_op(word_at(code, words - 1)) == Op::RESUME) parts.entry = --parts.instructions;
  for (size_t k = parts.marks.size(); k > 0 && parts.instructions > 0; --k) {
    if (!is_place_of_mark(word_at(code, parts.instructions - 1))) break;
    --parts.instructions;
  }
  if (parts.instructions + parts.marks.size() > words) parts.marks.clear();
  return parts;
}

uint32_t landing(const PyCodeObject* code, const CodeParts& parts, uint32_t source, uint32_t target) {
  constexpr int kMostSteps = 32;  // they may go in circles
  uint32_t reached = target;      // behind the jumps that lead there
  bool only_jumps = true;
  for (int steps = 0; steps < kMostSteps && target < parts.instructions; ++steps) {
    const auto& marks = parts.marks;
    auto mark = std::lower_bound(marks.begin(), marks.end(), target, [](const LineMark& m, uint32_t w) { return m.word < w; });
    for (; mark != marks.end() && mark->word == target; ++mark) {
      if (std::find(mark->bypass.begin(), mark->bypass.end(), source) == mark->bypass.end()) {
        return parts.instructions + static_cast<uint32_t>(mark - marks.begin());
      }
    }
    if (!word_has(word_at(code, target), kInherits)) return target;
    source = target;
    switch (op_at(code, target)) {
      case Op::JUMP:
      case Op::JUMP_BACK:
        target = target_of(code, target);
        if (only_jumps) reached = target;
        break;
      case Op::CLEAR:
      case Op::MOVE:
      case Op::POP_EXCEPT:
        only_jumps = false;
        target = behind(code, target);
        break;
      default:
        return reached;
    }
  }
  return reached;
}

bool waits_for_item(const PyCodeObject* code, uint32_t send) {
  // GET_ANEXT, None to send, SEND.
  return send >= 2 && op_at(code, send) == Op::SEND && op_at(code, send - 2) == Op::GET_ANEXT;
}

uint32_t send_of_async_for(const PyCodeObject* code, uint32_t end_async_for) {
  const CodeExtra* extra = code_extra(code);
  for (uint32_t k = 0; k < extra->range_count; ++k) {
    const ExceptionRange& range = extra->ranges[k];
    if (range.target != end_async_for) continue;
    for (uint32_t i = range.start; i < range.end; i = behind(code, i)) {
      if (waits_for_item(code, i)) return i;
    }
  }
  return kNoWord;
}

std::string code_guide(const PyCodeObject* code) {
  static_assert(static_cast<unsigned>(Op::kCount) <= kCacheNumber, "no instruction has this number");
  const CodeParts parts = parts_of(code);
  std::string guide(size_t{code_extra(code)->word_count} * 2, '\0');
  auto put = [&](uint32_t i, Op op, int64_t operand) {
    const bool fits = operand >= 0 && operand <= UINT8_MAX;
    guide[2 * i] = static_cast<char>(fits ? op : Op::RERAISE);
    guide[2 * i + 1] = static_cast<char>(fits ? operand : 0);
  };
  bool waited = false;  // the instruction before is a YIELD_VALUE
  for (uint32_t i = 0; i < parts.instructions;) {
    const Word w = word_at(code, i);
    const Op op = op_info(word_op(w)).general;
    const uint32_t next = behind(code, i);
    switch (op) {
      case Op::JUMP:
        put(i, op, word_bc(w));
        break;
      case Op::JUMP_BACK:
        put(i, op, -int64_t{word_bc(w)});
        break;
      case Op::RETURN_CONST:
        put(i, Op::RETURN, 0);
        break;
      case Op::YIELD_VALUE:
        put(i, op, 1);
        break;
      case Op::PUSH_EXC_INFO:
        put(i, Op::NOP, 0);
        break;
      default:
        put(i, op, word_a(w) & UINT8_MAX);
    }
    if (waited) put(i, Op::RESUME, 1);
    waited = op == Op::YIELD_VALUE;
    for (uint32_t cache = i + 1; cache < next && cache < parts.instructions; ++cache) {
      guide[2 * cache] = static_cast<char>(kCacheNumber);
    }
    i = next;
  }
  for (size_t k = 0; k < parts.marks.size(); ++k) {
    // From the place of a mark to the next one of the same instruction, or to that.
    const auto place = static_cast<uint32_t>(parts.instructions + k);
    if (k + 1 < parts.marks.size() && parts.marks[k + 1].word == parts.marks[k].word) continue;
    put(place, Op::JUMP_BACK, int64_t{place} + 1 - parts.marks[k].word);
  }
  return guide;
}

PyObject* code_branches(PyObject* self, PyObject*) {
  auto* code = reinterpret_cast<PyCodeObject*>(self);
  const CodeParts parts = parts_of(code);
  Ref<> list = Ref<>::steal(PyList_New(0));
  if (!list) return nullptr;
  for (uint32_t i = 0; i < parts.instructions; i = behind(code, i)) {
    uint32_t left, right, right_source = i;
    switch (op_at(code, i)) {
      case Op::JUMP_IF_FALSE:
      case Op::JUMP_IF_TRUE:
      case Op::JUMP_IF_NONE:
      case Op::JUMP_IF_NOT_NONE:
      case Op::FOR_ITER:
        left = behind(code, i);
        right = target_of(code, i);
        break;
      case Op::SEND:
        if (!waits_for_item(code, i)) continue;
        right_source = handler_of(code, i);
        if (right_source == kNoWord || op_at(code, right_source) != Op::END_ASYNC_FOR) continue;
        left = target_of(code, i);
        right = behind(code, right_source);
        break;
      default:
        continue;
    }
    Ref<> item = Ref<>::steal(Py_BuildValue("(III)", i * 2, landing(code, parts, i, left) * 2,
                                            landing(code, parts, right_source, right) * 2));
    if (!item || PyList_Append(list, item) < 0) return nullptr;
  }
  return PyObject_GetIter(list);
}

}  // namespace amphis
