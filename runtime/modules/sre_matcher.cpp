// The matcher: a backtracking machine over a Program, with its stack on the heap.
//
// What can be tried otherwise lies on the stack: where to go on, and from which position. Whatever changes a
// mark or a loop's register lays the old value there too, so that going back restores it. While nothing but
// the bottom lies there, nothing is kept, since failing then means that the attempt as a whole has failed.
//
// An atomic part remembers how high the stack was when it began (its barrier); when it has matched, the
// choices above the barrier are thrown away and the old values of marks are kept.
#include "modules/sre.h"
#include "objects/str_search.h"
#include "sync/thread_state.h"

#include <string.h>

namespace amphis::sre {

namespace {

enum Kind : uint32_t {
  kBottom,
  kGoOn,         // at `in`, from `at`
  kUndoMark,     // marks[n] was `at`; the last group was `number`
  kUndoLoop,     // loops[n] was {number, at}
  kGreedy,       // a repeat of one took up to `at`; it must take at least up to `other`
  kLazy,         // a repeat of one took up to `at`; it may take up to `other`
  kLoopTail,     // a loop began another round at `at`; it had begun n, the last at `other`
  kLoopBody,     // a lazy loop went on at `at` instead of beginning round n
  kBarrierFail,  // an atomic part did not match
  kBarrierPass,  // the same; where that is no failure, at `in`, from `at`
};

template <class Ch>
inline bool accepts(const Filter& f, const Ch* at, const Ch* end) {
  if (at >= end) return f.at_end;
  const Char ch = *at;
  if (sizeof(Ch) == 1 || ch < 256) return f.low(ch);
  return f.high;
}

template <class Ch>
inline bool in_class(const CharClass& c, Ch ch) {
  if (sizeof(Ch) == 1 || ch < 256) {
    if (c.low(ch)) return true;
    return c.locale && c.rule(ch);
  }
  return c.locale ? c.rule(ch) : c.high(ch);
}

template <class Ch>
inline bool is_item(const Inst& in, const CharClass* classes, Ch ch) {
  switch (in.item) {
    case Item::kAny:
      return ch != '\n';
    case Item::kAnyAll:
      return true;
    case Item::kLiteral:
      return ch == in.arg;
    case Item::kNotLiteral:
      return ch != in.arg;
    case Item::kClass:
      return in_class(classes[in.arg], ch);
  }
  return false;
}

template <class Ch>
inline const Ch* class_span(const CharClass& c, const Ch* p, const Ch* limit) {
  if (c.locale) {
    while (p < limit && c.rule(*p)) ++p;
    return p;
  }
  const uint8_t* table = c.table;
  const uint8_t mask = c.mask;
  if constexpr (sizeof(Ch) == 1) {
    while (p < limit && (table[*p] & mask)) ++p;
  } else {
    while (p < limit && (*p < 256 ? (table[*p] & mask) != 0 : c.high(*p))) ++p;
  }
  return p;
}

// Where the run of items that starts at p ends.
template <class Ch>
inline const Ch* item_span(const Inst& in, const CharClass* classes, const Ch* p, const Ch* limit) {
  switch (in.item) {
    case Item::kAnyAll:
      return limit;
    case Item::kAny: {
      const Ch* hit = search::find_char<Ch>(p, limit, '\n');
      return hit != nullptr ? hit : limit;
    }
    case Item::kLiteral:
      while (p < limit && *p == in.arg) ++p;
      return p;
    case Item::kNotLiteral: {
      if (sizeof(Ch) < 4 && in.arg >> (8 * (sizeof(Ch) & 3)) != 0) return limit;
      const Ch* hit = search::find_char<Ch>(p, limit, static_cast<Ch>(in.arg));
      return hit != nullptr ? hit : limit;
    }
    case Item::kClass:
      return class_span(classes[in.arg], p, limit);
  }
  return p;
}

template <class Ch, class Word>
inline bool at_boundary(const Ch* at, const Ch* begin, const Ch* end, Word is_word) {
  const bool before = at > begin && is_word(at[-1]);
  const bool after = at < end && is_word(at[0]);
  return before != after;
}

template <class Ch>
bool is_at(At where, const Ch* at, const Ch* begin, const Ch* end) {
  switch (where) {
    case At::kBeginning:
    case At::kBeginningString:
      return at == begin;
    case At::kBeginningLine:
      return at == begin || at[-1] == '\n';
    case At::kEnd:
      return at == end || (end - at == 1 && *at == '\n');
    case At::kEndLine:
      return at == end || (at < end && *at == '\n');
    case At::kEndString:
      return at == end;
    case At::kBoundary:
      return at_boundary(at, begin, end, is_word_ascii);
    case At::kNonBoundary:
      return !at_boundary(at, begin, end, is_word_ascii);
    case At::kLocBoundary:
      return at_boundary(at, begin, end, is_word_locale);
    case At::kLocNonBoundary:
      return !at_boundary(at, begin, end, is_word_locale);
    case At::kUniBoundary:
      return at_boundary(at, begin, end, is_word_unicode);
    case At::kUniNonBoundary:
      return !at_boundary(at, begin, end, is_word_unicode);
    case At::kCount:
      break;
  }
  return false;
}

template <class Ch>
bool same_text(Fold fold, const Ch* a, const Ch* b, Py_ssize_t n) {
  auto equal = [&](auto lower) {
    for (Py_ssize_t i = 0; i < n; ++i) {
      if (lower(a[i]) != lower(b[i])) return false;
    }
    return true;
  };
  switch (fold) {
    case Fold::kNone:
      return memcmp(a, b, static_cast<size_t>(n) * sizeof(Ch)) == 0;
    case Fold::kAscii:
      return equal(lower_ascii);
    case Fold::kUnicode:
      return equal(lower_unicode);
    case Fold::kLocale:
      return equal(lower_locale);
  }
  return false;
}

}  // namespace

int Session::poll() {
  fuel_ = kFuel;
  ThreadState* ts = current_thread();
  return eval_breaker_set(ts) ? handle_eval_breaker(ts) : 0;
}

bool Session::grow(Entry** top, Entry** limit) {
  const size_t used = static_cast<size_t>(*top - stack_);
  const size_t bigger = capacity_ * 2;
  void* moved = bigger > PY_SSIZE_T_MAX / sizeof(Entry)
                    ? nullptr
                    : PyMem_RawRealloc(stack_ == inline_entries_ ? nullptr : stack_, bigger * sizeof(Entry));
  if (moved == nullptr) {
    PyErr_NoMemory();
    return false;
  }
  if (stack_ == inline_entries_) memcpy(moved, inline_entries_, sizeof inline_entries_);
  stack_ = static_cast<Entry*>(moved);
  capacity_ = bigger;
  *top = stack_ + used;
  *limit = stack_ + bigger;
  return true;
}

template <class Ch>
int Session::run(const Ch* at) {
  const Program& program = *program_;
  const Inst* const insts = program.insts.data();
  const Filter* const filters = program.filters.data();
  const CharClass* const classes = program.classes.data();
  const Ch* const begin = reinterpret_cast<const Ch*>(subject_.data());
  const Ch* const end = begin + end_pos_;
  const void** const marks = marks_;
  Entry* top = stack_;
  Entry* limit = stack_ + capacity_;
  const Inst* in = insts;

  auto ch_at = [](const void* p) { return static_cast<const Ch*>(p); };
  auto push = [&](const Entry& e) __attribute__((always_inline)) {
    if (top == limit && !grow(&top, &limit)) [[unlikely]]
      return false;
    *top++ = e;
    return true;
  };
  auto alone = [&] { return top == stack_ + 1; };
  auto keep_loop = [&](Word loop) {
    const Loop& l = loops_[loop];
    return alone() || push({.kind = kUndoLoop, .n = loop, .at = l.last, .number = l.count});
  };
  // An atomic part has matched: its choices go, what undoes its marks stays.
  auto settle = [&](size_t barrier) {
    Entry* keep = stack_ + barrier;
    for (Entry* e = keep + 1; e < top; ++e) {
      if (e->kind == kUndoMark) *keep++ = *e;
    }
    top = keep;
  };
  if (!push({.kind = kBottom})) return -1;

  // Where `goto round_again` and its kin need them.
  uint32_t rounds;
  Loop* loop;

  for (;;) {
    switch (in->op) {
      case Op::kAccept:
        if ((full_ && at != end) || at == forbidden_) goto fail;
        match_end_ = at - begin;
        return 1;
      case Op::kFail:
        goto fail;
      case Op::kAny:
        if (at >= end || *at == '\n') goto fail;
        ++at;
        ++in;
        continue;
      case Op::kAnyAll:
        if (at >= end) goto fail;
        ++at;
        ++in;
        continue;
      case Op::kLiteral:
        if (at >= end || *at != in->arg) goto fail;
        ++at;
        ++in;
        continue;
      case Op::kNotLiteral:
        if (at >= end || *at == in->arg) goto fail;
        ++at;
        ++in;
        continue;
      case Op::kClass:
        if (at >= end || !in_class(classes[in->arg], *at)) goto fail;
        ++at;
        ++in;
        continue;
      case Op::kString: {
        const Word n = in->count;
        if (end - at < static_cast<Py_ssize_t>(n)) goto fail;
        if constexpr (sizeof(Ch) == 1) {
          if (!in->simple) goto fail;
          const uint8_t* text = program.literals8.data() + in->arg;
          for (Word i = 0; i < n; ++i) {
            if (at[i] != text[i]) goto fail;
          }
        } else {
          const Char* text = program.literals.data() + in->arg;
          for (Word i = 0; i < n; ++i) {
            if (at[i] != text[i]) goto fail;
          }
        }
        at += n;
        ++in;
        continue;
      }
      case Op::kAt:
        if (!is_at(static_cast<At>(in->arg), at, begin, end)) goto fail;
        ++in;
        continue;
      case Op::kMark: {
        const Word i = in->arg;
        if (!alone() && !push({.kind = kUndoMark, .n = i, .at = marks[i], .number = last_index_})) return -1;
        marks[i] = at;
        if (i & 1) last_index_ = i / 2 + 1;
        ++in;
        continue;
      }
      case Op::kJump:
        in = insts + in->target;
        continue;
      case Op::kAlt: {
        const bool rest = accepts(filters[in->tail_filter], at, end);
        if (accepts(filters[in->filter], at, end)) {
          if (rest && !push({.kind = kGoOn, .in = insts + in->target, .at = at})) return -1;
          ++in;
          continue;
        }
        if (!rest) goto fail;
        in = insts + in->target;
        continue;
      }
      case Op::kLazyAlt: {
        const bool body = accepts(filters[in->filter], at, end);
        if (accepts(filters[in->tail_filter], at, end)) {
          if (body && !push({.kind = kGoOn, .in = in + 1, .at = at})) return -1;
          in = insts + in->target;
          continue;
        }
        if (!body) goto fail;
        ++in;
        continue;
      }
      case Op::kRepeatOnePossessive: {
        const Py_ssize_t room = at < end ? end - at : 0;
        const Ch* stop = item_span(
            *in, classes, at,
            room > static_cast<Py_ssize_t>(in->max) && in->max != kMaxRepeat ? at + in->max : at + room);
        if (stop - at < static_cast<Py_ssize_t>(in->min)) goto fail;
        at = stop;
        ++in;
        continue;
      }
      case Op::kRepeatOne: {
        const Py_ssize_t room = at < end ? end - at : 0;
        const Ch* stop = item_span(
            *in, classes, at,
            room > static_cast<Py_ssize_t>(in->max) && in->max != kMaxRepeat ? at + in->max : at + room);
        if (stop - at < static_cast<Py_ssize_t>(in->min)) goto fail;
        const Ch* least = at + in->min;
        const Filter& after = filters[in->filter];
        while (!accepts(after, stop, end)) {
          if (stop == least) goto fail;
          --stop;
        }
        if (stop > least && !push({.kind = kGreedy, .in = in, .at = stop, .other = least})) return -1;
        at = stop;
        ++in;
        continue;
      }
      case Op::kRepeatOneLazy: {
        const Py_ssize_t room = at < end ? end - at : 0;
        if (room < static_cast<Py_ssize_t>(in->min)) goto fail;
        const Ch* most =
            room > static_cast<Py_ssize_t>(in->max) && in->max != kMaxRepeat ? at + in->max : at + room;
        if (in->min > 0) {
          const Ch* least = at + in->min;
          if (item_span(*in, classes, at, least) != least) goto fail;
          at = least;
        }
        // The same as after each failure of what comes next.
        const Filter& after = filters[in->filter];
        if (in->skip_class != 0) at = class_span(classes[in->skip_class], at, most);
        while (!accepts(after, at, end)) {
          if (at >= most || !is_item(*in, classes, *at)) goto fail;
          ++at;
        }
        if (at < most && !push({.kind = kLazy, .in = in, .at = at, .other = most})) return -1;
        ++in;
        continue;
      }
      case Op::kLoop:
        if (!keep_loop(in->arg)) return -1;
        loop = &loops_[in->arg];
        *loop = {0, nullptr};
        rounds = 0;
        in = insts + in->target;
        if (in->op == Op::kLoopEnd) goto round_greedy;
        goto round_lazy;
      case Op::kLoopEnd:
        loop = &loops_[in->arg];
        rounds = loop->count + (loop->count < kMaxRepeat - 1);
      round_greedy:
        if (--fuel_ <= 0 && poll() < 0) return -1;
        if (rounds < in->min) {
          if (!keep_loop(in->arg)) return -1;
          loop->count = rounds;
          in = insts + in->target;
          continue;
        }
        if ((rounds < in->max || in->max == kMaxRepeat) && (in->simple || at != loop->last) &&
            accepts(filters[in->filter], at, end)) {
          if (accepts(filters[in->tail_filter], at, end)) {
            if (!push({.kind = kLoopTail, .n = loop->count, .in = in, .at = at, .other = loop->last}))
              return -1;
          } else if (!in->simple && !keep_loop(in->arg)) {
            return -1;
          }
          loop->count = rounds;
          loop->last = at;
          in = insts + in->target;
          continue;
        }
        ++in;
        continue;
      case Op::kLoopEndLazy:
        loop = &loops_[in->arg];
        rounds = loop->count + (loop->count < kMaxRepeat - 1);
      round_lazy: {
        if (--fuel_ <= 0 && poll() < 0) return -1;
        if (rounds < in->min) {
          if (!keep_loop(in->arg)) return -1;
          loop->count = rounds;
          in = insts + in->target;
          continue;
        }
        const bool more = (rounds < in->max || in->max == kMaxRepeat) && at != loop->last &&
                          accepts(filters[in->filter], at, end);
        if (accepts(filters[in->tail_filter], at, end)) {
          if (more && !push({.kind = kLoopBody, .n = rounds, .in = in, .at = at})) return -1;
          ++in;
          continue;
        }
        if (!more) goto fail;
        if (!keep_loop(in->arg)) return -1;
        loop->count = rounds;
        loop->last = at;
        in = insts + in->target;
        continue;
      }
      case Op::kPossessive:
        if (!keep_loop(in->arg)) return -1;
        loops_[in->arg] = {0, nullptr};
        ++in;
        continue;
      case Op::kPossessiveNext: {
        if (--fuel_ <= 0 && poll() < 0) return -1;
        Loop& l = loops_[in->arg];
        if (l.count < in->min) {
          barriers_[in->count] = static_cast<size_t>(top - stack_);
          if (!push({.kind = kBarrierFail})) return -1;
          ++in;
          continue;
        }
        if ((l.count < in->max || in->max == kMaxRepeat) && at != l.last) {
          barriers_[in->count] = static_cast<size_t>(top - stack_);
          if (!push({.kind = kBarrierPass, .in = insts + in->target, .at = at})) return -1;
          l.last = at;
          ++in;
          continue;
        }
        in = insts + in->target;
        continue;
      }
      case Op::kPossessiveEnd:
        settle(barriers_[in->count]);
        loops_[in->arg].count += loops_[in->arg].count < kMaxRepeat - 1;
        in = insts + in->target;
        continue;
      case Op::kAssert:
        if (at - begin < static_cast<Py_ssize_t>(in->count)) goto fail;
        barriers_[in->arg] = static_cast<size_t>(top - stack_);
        if (!push({.kind = kBarrierFail, .at = at})) return -1;
        at -= in->count;
        ++in;
        continue;
      case Op::kAssertEnd: {
        const size_t barrier = barriers_[in->arg];
        at = ch_at(stack_[barrier].at);
        settle(barrier);
        ++in;
        continue;
      }
      case Op::kAssertNot:
        if (at - begin < static_cast<Py_ssize_t>(in->count)) {
          in = insts + in->target;
          continue;
        }
        barriers_[in->arg] = static_cast<size_t>(top - stack_);
        if (!push({.kind = kBarrierPass, .in = insts + in->target, .at = at})) return -1;
        at -= in->count;
        ++in;
        continue;
      case Op::kAssertNotEnd: {
        Entry* barrier = stack_ + barriers_[in->arg];
        while (--top > barrier) {
          if (top->kind != kUndoMark) continue;
          marks[top->n] = top->at;
          last_index_ = top->number;
        }
        goto fail;
      }
      case Op::kAtomic:
        barriers_[in->arg] = static_cast<size_t>(top - stack_);
        if (!push({.kind = kBarrierFail})) return -1;
        ++in;
        continue;
      case Op::kAtomicEnd:
        settle(barriers_[in->arg]);
        ++in;
        continue;
      case Op::kGroupRef: {
        const Ch* from = ch_at(marks[2 * in->arg]);
        const Ch* to = ch_at(marks[2 * in->arg + 1]);
        if (from == nullptr || to < from) goto fail;
        if (end - at < to - from || !same_text(in->fold, at, from, to - from)) goto fail;
        at += to - from;
        ++in;
        continue;
      }
      case Op::kGroupIf: {
        const void* from = marks[2 * in->arg];
        const void* to = marks[2 * in->arg + 1];
        if (from == nullptr || to < from) {
          in = insts + in->target;
        } else {
          ++in;
        }
        continue;
      }
    }

  fail:
    if (--fuel_ <= 0 && poll() < 0) return -1;
    for (bool again = true; again;) {
      Entry* e = top - 1;
      again = false;
      switch (static_cast<Kind>(e->kind)) {
        case kBottom:
          return 0;
        case kGoOn:
        case kBarrierPass:
          in = e->in;
          at = ch_at(e->at);
          top = e;
          break;
        case kUndoMark:
          marks[e->n] = e->at;
          last_index_ = e->number;
          top = e;
          again = true;
          break;
        case kUndoLoop:
          loops_[e->n] = {static_cast<uint32_t>(e->number), e->at};
          top = e;
          again = true;
          break;
        case kBarrierFail:
          top = e;
          again = true;
          break;
        case kGreedy: {
          const Inst* repeat = e->in;
          const Filter& after = filters[repeat->filter];
          const Ch* stop = ch_at(e->at);
          const Ch* least = ch_at(e->other);
          bool found;
          do {
            --stop;
            found = accepts(after, stop, end);
          } while (!found && stop > least);
          if (stop == least) {
            top = e;
          } else {
            e->at = stop;
          }
          if (!found) {
            again = true;
            break;
          }
          at = stop;
          in = repeat + 1;
          break;
        }
        case kLazy: {
          const Inst* repeat = e->in;
          const Filter& after = filters[repeat->filter];
          const Ch* p = ch_at(e->at);
          const Ch* most = ch_at(e->other);
          bool found = is_item(*repeat, classes, *p);
          if (found) {
            ++p;
            if (repeat->skip_class != 0) p = class_span(classes[repeat->skip_class], p, most);
            while (found && !accepts(after, p, end)) {
              found = p < most && is_item(*repeat, classes, *p);
              ++p;
            }
          }
          if (!found || p >= most) {
            top = e;
          } else {
            e->at = p;
          }
          if (!found) {
            again = true;
            break;
          }
          at = p;
          in = repeat + 1;
          break;
        }
        case kLoopTail:
          in = e->in;
          loops_[in->arg] = {e->n, e->other};
          at = ch_at(e->at);
          top = e;
          ++in;
          break;
        case kLoopBody: {
          in = e->in;
          at = ch_at(e->at);
          const uint32_t next = e->n;
          top = e;
          if (!keep_loop(in->arg)) return -1;
          loops_[in->arg] = {next, at};
          in = insts + in->target;
          break;
        }
      }
    }
  }
}

template <class Ch>
int Session::attempt(const Ch* at) {
  const int status = run(at);
  if (status > 0) {
    match_start_ = at - reinterpret_cast<const Ch*>(subject_.data());
  } else if (status == 0 && program_->groups != 0) {
    reset_marks();
  }
  return status;
}

template <class Ch>
int Session::search_in() {
  const Program& program = *program_;
  const Ch* const begin = reinterpret_cast<const Ch*>(subject_.data());
  const Ch* const end = begin + end_pos_;
  const Ch* p = begin + start_;
  if (end - p < static_cast<Py_ssize_t>(program.min_width)) return 0;
  const Ch* const last = end - program.min_width;
  switch (program.start) {
    case Start::kStringStart:
      return p == begin ? attempt(p) : 0;
    case Start::kLineStart:
      for (;;) {
        if (p == begin || p[-1] == '\n') {
          if (const int status = attempt(p)) return status;
        }
        p = search::find_char<Ch>(p, end, '\n');
        if (p == nullptr || ++p > last) return 0;
      }
    case Start::kLiteral:
    case Start::kPrefix: {
      if constexpr (sizeof(Ch) < 4) {
        if (program.widest_prefix >> (8 * sizeof(Ch)) != 0) return 0;
      }
      const Ch* prefix;
      if constexpr (sizeof(Ch) == 1) {
        prefix = program.prefix8.data();
      } else if constexpr (sizeof(Ch) == 2) {
        prefix = program.prefix16.data();
      } else {
        prefix = program.prefix32.data();
      }
      const auto n = static_cast<Py_ssize_t>(program.prefix32.size());
      for (;;) {
        const Py_ssize_t hit = search::find(p, end - p, prefix, n);
        if (hit < 0) return 0;
        p += hit;
        if (program.start == Start::kLiteral) {
          match_start_ = p - begin;
          match_end_ = match_start_ + n;
          return 1;
        }
        if (p > last) return 0;
        if (const int status = attempt(p)) return status;
        ++p;
      }
    }
    case Start::kFilter: {
      const Filter& f = program.filters[program.start_filter];
      const Ch* const stop = last < end ? last + 1 : end;  // past the last start that has a character
      for (;;) {
        if constexpr (sizeof(Ch) == 1) {
          const uint8_t* table = f.table;
          const uint8_t mask = f.mask;
          while (p < stop && !(table[*p] & mask)) ++p;
        } else {
          while (p < stop && !(*p < 256 ? f.low(*p) : f.high)) ++p;
        }
        if (p == stop) return stop == end && last == end && f.at_end ? attempt(p) : 0;
        if (const int status = attempt(p)) return status;
        ++p;
      }
    }
    case Start::kAnywhere:
      for (; p <= last; ++p) {
        if (const int status = attempt(p)) return status;
      }
      return 0;
  }
  return 0;
}

int Session::search() {
  reset_marks();
  full_ = false;
  if (start_ > end_pos_) return 0;
  forbidden_ = must_advance_ ? subject_.data() + start_ * subject_.width() : nullptr;
  if (subject_.width() == 1) return search_in<uint8_t>();
  if (subject_.width() == 2) return search_in<uint16_t>();
  return search_in<uint32_t>();
}

int Session::match(bool full) {
  reset_marks();
  full_ = full;
  const char* at = subject_.data() + start_ * subject_.width();
  forbidden_ = must_advance_ ? at : nullptr;
  if (subject_.width() == 1) return attempt(reinterpret_cast<const uint8_t*>(at));
  if (subject_.width() == 2) return attempt(reinterpret_cast<const uint16_t*>(at));
  return attempt(reinterpret_cast<const uint32_t*>(at));
}

}  // namespace amphis::sre
