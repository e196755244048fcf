// Pattern matching (PEP 634).
//
// What a pattern takes apart lies in temporaries above the subject and stays there until the whole pattern has matched
// or failed. A capture is a note that a temporary (or the subject) will be bound; on success the captures are stored and
// the other temporaries dropped, on failure a ladder of CLEARs drops as many as there were.
#include "compile/codegen.h"

namespace amphis::compile {

using namespace ast;

struct Compiler::PatternState {
  uint32_t base;                 // first temporary of the pattern
  std::vector<Label> fails;      // by number of temporaries to drop
  struct Capture {
    Identifier name;
    uint32_t reg;
  };
  std::vector<Capture> captures;
  bool allow_irrefutable = false;
};

namespace {

bool is_wildcard(const pattern* p) {
  const auto* as = p->dyn<MatchAs>();
  return as != nullptr && as->pattern == nullptr && as->name == nullptr;
}
bool is_star_wildcard(const pattern* p) {
  const auto* star = p->dyn<MatchStar>();
  return star != nullptr && star->name == nullptr;
}

}  // namespace

Label Compiler::pattern_fail(PatternState& m) {
  const size_t depth = top() - m.base;
  while (m.fails.size() <= depth) m.fails.push_back(new_label());
  return m.fails[depth];
}

// The ladder: ends at the place where nothing is left to drop.
void Compiler::pattern_end_fails(PatternState& m) {
  const Inherit from_the_pattern(code());
  for (size_t depth = m.fails.size(); depth-- > 0;) {
    bind(m.fails[depth]);
    if (depth > 0) emit(Op::CLEAR, m.base + static_cast<uint32_t>(depth) - 1);
  }
  m.fails.clear();
}

void Compiler::pattern_capture(Identifier name, uint32_t value, PatternState& m, const Location& where) {
  if (name == nullptr) return;
  for (const auto& c : m.captures) {
    if (c.name == name) {
      syntax_error(ctx_.filename, where, "multiple assignments to name '%U' in pattern", names_.str(name));
    }
  }
  m.captures.push_back({name, value});
}

void Compiler::pattern_value(ast::expr* e, uint32_t subject, PatternState& m) {
  const uint32_t r = top();
  At here(code(), e->location());
  emit_compare(cmpop::Eq, Operand{subject, false}, e, r, kFused, r);
  jump(Op::JUMP_IF_FALSE, r, pattern_fail(m), kKillA);
}

void Compiler::pattern(ast::pattern* p, uint32_t subject, PatternState& m) {
  check_stack();
  At here(code(), p->location());
  switch (p->kind) {
    case pattern_kind::MatchValue: {
      ast::expr* value = p->as<MatchValue>()->value;
      if (!value->is<Constant>() && !value->is<Attribute>() && !value->is<UnaryOp>() && !value->is<BinOp>()) {
        fail(p->location(), "patterns may only match literals and attribute lookups");
      }
      pattern_value(value, subject, m);
      break;
    }
    case pattern_kind::MatchSingleton: {
      const ConstantValue& value = p->as<MatchSingleton>()->value;
      if (value.kind == ConstantKind::None) {
        jump(Op::JUMP_IF_NOT_NONE, subject, pattern_fail(m));
        break;
      }
      const uint32_t r = push();
      Ref<> constant = constant_object(ctx_, p->location(), value);
      emit_const(r, constant);
      set_top(r);
      emit(Op::IS, r, subject, r, kFused | kKillC);
      jump(Op::JUMP_IF_FALSE, r, pattern_fail(m), kKillA);
      break;
    }
    case pattern_kind::MatchSequence:
      pattern_sequence(p->as<MatchSequence>(), subject, m);
      break;
    case pattern_kind::MatchMapping:
      pattern_mapping(p->as<MatchMapping>(), subject, m);
      break;
    case pattern_kind::MatchClass:
      pattern_class(p->as<MatchClass>(), subject, m);
      break;
    case pattern_kind::MatchStar:
      pattern_capture(p->as<MatchStar>()->name, subject, m, p->location());
      break;
    case pattern_kind::MatchAs: {
      auto* as = p->as<MatchAs>();
      if (as->pattern == nullptr) {
        if (!m.allow_irrefutable) {
          if (as->name != nullptr) {
            syntax_error(ctx_.filename, p->location(), "name capture '%U' makes remaining patterns unreachable",
                         names_.str(as->name));
          }
          fail(p->location(), "wildcard makes remaining patterns unreachable");
        }
        pattern_capture(as->name, subject, m, p->location());
        break;
      }
      pattern(as->pattern, subject, m);
      pattern_capture(as->name, subject, m, p->location());
      break;
    }
    case pattern_kind::MatchOr:
      pattern_or(p->as<MatchOr>(), subject, m);
      break;
  }
}

void Compiler::pattern_sequence(MatchSequence* p, uint32_t subject, PatternState& m) {
  const size_t n = p->patterns.size;
  int star = -1;
  bool only_wildcard = true, star_wildcard = false;
  for (size_t i = 0; i < n; ++i) {
    ast::pattern* q = p->patterns[i];
    if (q->is<MatchStar>()) {
      if (star >= 0) fail(p->location(), "multiple starred names in sequence pattern");
      star = static_cast<int>(i);
      star_wildcard = is_star_wildcard(q);
      only_wildcard &= star_wildcard;
      continue;
    }
    only_wildcard &= is_wildcard(q);
  }
  if (star >= 256 || (star >= 0 && n - static_cast<size_t>(star) - 1 >= 256)) {
    fail(p->location(), "too many expressions in star-unpacking sequence pattern");
  }
  const uint32_t r = top();
  need(r + 3);
  emit(Op::MATCH_SEQUENCE, r, subject);
  jump(Op::JUMP_IF_FALSE, r, pattern_fail(m), kKillA);
  auto check_length = [&](Op op, size_t length) {
    emit(Op::GET_LEN, r, subject);
    emit(op, r, r, static_cast<uint32_t>(length), kFused | kKillB);
    jump(Op::JUMP_IF_FALSE, r, pattern_fail(m), kKillA);
  };
  if (star < 0) {
    check_length(Op::EQ_IMM, n);
  } else if (n > 1) {
    check_length(Op::GE_IMM, n - 1);
  }
  // Inside a sequence a wildcard or capture makes nothing unreachable.
  const bool saved = m.allow_irrefutable;
  m.allow_irrefutable = true;
  if (only_wildcard) {
    // nothing to look at
  } else if (star_wildcard) {
    for (size_t i = 0; i < n; ++i) {
      ast::pattern* q = p->patterns[i];
      if (is_wildcard(q) || static_cast<int>(i) == star) continue;
      const uint32_t item = push();
      const uint32_t index = item + 1;
      need(index + 1);
      if (static_cast<int>(i) < star) {
        emit_int(index, static_cast<int64_t>(i));
      } else {
        emit(Op::GET_LEN, index, subject);
        emit(Op::SUB_IMM, index, index, static_cast<uint32_t>(n - i), kKillB);
      }
      emit(Op::LOAD_SUBSCR, item, subject, index, kKillC);
      pattern(q, item, m);
    }
  } else {
    const uint32_t run = top();
    for (size_t i = 0; i < n; ++i) push();
    if (star < 0) {
      emit(Op::UNPACK_SEQUENCE, run, subject, static_cast<uint32_t>(n));
    } else {
      const auto before = static_cast<uint32_t>(star);
      emit(Op::UNPACK_EX, run, subject, before | (static_cast<uint32_t>(n) - before - 1) << 8);
    }
    for (size_t i = 0; i < n; ++i) pattern(p->patterns[i], run + static_cast<uint32_t>(i), m);
  }
  m.allow_irrefutable = saved;
}

void Compiler::pattern_mapping(MatchMapping* p, uint32_t subject, PatternState& m) {
  const auto n = static_cast<uint32_t>(p->keys.size);
  const uint32_t r = top();
  need(r + 3);
  emit(Op::MATCH_MAPPING, r, subject);
  jump(Op::JUMP_IF_FALSE, r, pattern_fail(m), kKillA);
  if (n == 0 && p->rest == nullptr) return;
  if (n > 0) {
    emit(Op::GET_LEN, r, subject);
    emit(Op::GE_IMM, r, r, n, kFused | kKillB);
    jump(Op::JUMP_IF_FALSE, r, pattern_fail(m), kKillA);
  }
  // The keys, checked for repetition as far as they are constants.
  Ref<> seen = Ref<>::steal(check(PySet_New(nullptr)));
  const uint32_t keys = top();
  for (uint32_t i = 0; i < n; ++i) {
    ast::expr* key = p->keys[i];
    if (key == nullptr) fail(p->location(), "can't use NULL keys in MatchMapping (set 'rest' parameter instead)");
    Ref<> value = fold(ctx_, key);
    if (value) {
      int known = PySet_Contains(seen, value);
      check(known);
      if (known) {
        Ref<> repr = Ref<>::steal(check(PyObject_Repr(value)));
        syntax_error(ctx_.filename, p->location(), "mapping pattern checks duplicate key (%U)", repr.get());
      }
      check(PySet_Add(seen, value));
      emit_const(push(), value);
    } else {
      if (!key->is<Attribute>()) {
        fail(p->location(), "mapping pattern keys may only match literals and attribute lookups");
      }
      push_expr(key);
    }
  }
  need(keys + 1);
  emit(Op::BUILD_TUPLE, keys, keys, n);
  set_top(keys + 1);
  const uint32_t values = push();
  emit(Op::MATCH_KEYS, values, subject, keys);
  // A miss leaves None there: the ladder drops it with the keys.
  jump(Op::JUMP_IF_NONE, values, pattern_fail(m));
  uint32_t run = values;
  set_top(values);
  for (uint32_t i = 0; i < n; ++i) push();
  if (n == 0) push();
  emit(Op::UNPACK_SEQUENCE, run, values, n, kKillB);
  const bool saved = m.allow_irrefutable;
  m.allow_irrefutable = true;
  if (p->rest != nullptr) {
    const uint32_t rest = push();
    emit(Op::BUILD_MAP, rest, rest, 0);
    emit(Op::DICT_UPDATE, rest, subject);
    const uint32_t t = top();
    for (uint32_t i = 0; i < n; ++i) push();
    if (n > 0) emit(Op::UNPACK_SEQUENCE, t, keys, n);
    for (uint32_t i = 0; i < n; ++i) emit(Op::DELETE_SUBSCR, rest, t + i, 0, kKillB);
    set_top(t);
    pattern_capture(p->rest, rest, m, p->location());
  }
  for (uint32_t i = 0; i < n; ++i) pattern(p->patterns[i], run + i, m);
  m.allow_irrefutable = saved;
}

void Compiler::pattern_class(MatchClass* p, uint32_t subject, PatternState& m) {
  const size_t positional = p->patterns.size;
  const size_t keywords = p->kwd_attrs.size;
  for (size_t i = 0; i < keywords; ++i) {
    for (size_t j = i + 1; j < keywords; ++j) {
      if (p->kwd_attrs[i] == p->kwd_attrs[j]) {
        syntax_error(ctx_.filename, p->kwd_patterns[j]->location(),
                     "attribute name repeated in class pattern: %U", names_.str(p->kwd_attrs[j]));
      }
    }
  }
  const uint32_t t = push();
  emit(Op::COPY, t, subject);
  push_expr(p->cls);
  Ref<> attributes = Ref<>::steal(check(PyTuple_New(static_cast<Py_ssize_t>(keywords))));
  for (size_t i = 0; i < keywords; ++i) {
    PyTuple_SET_ITEM(attributes.get(), static_cast<Py_ssize_t>(i), Py_NewRef(names_.str(p->kwd_attrs[i])));
  }
  emit_const(push(), attributes);
  emit(Op::MATCH_CLASS, t, t, static_cast<uint32_t>(positional));
  set_top(t + 1);
  jump(Op::JUMP_IF_NONE, t, pattern_fail(m));
  const auto n = static_cast<uint32_t>(positional + keywords);
  set_top(t);
  for (uint32_t i = 0; i < n; ++i) push();
  if (n == 0) push();
  emit(Op::UNPACK_SEQUENCE, t, t, n, kKillB);
  const bool saved = m.allow_irrefutable;
  m.allow_irrefutable = true;
  for (size_t i = 0; i < n; ++i) {
    ast::pattern* q = i < positional ? p->patterns[i] : p->kwd_patterns[i - positional];
    if (is_wildcard(q)) continue;
    pattern(q, t + static_cast<uint32_t>(i), m);
  }
  m.allow_irrefutable = saved;
}

void Compiler::pattern_or(MatchOr* p, uint32_t subject, PatternState& m) {
  const size_t n = p->patterns.size;
  // The names that the first alternative binds get fixed registers that every alternative fills.
  std::vector<PatternState::Capture> bound_names;
  const uint32_t first = top();
  Label matched = new_label();
  // How many names there are is only known after the first alternative: its captures move down afterwards.
  std::vector<Identifier> names;
  auto collect = [&](auto&& self, ast::pattern* q) -> void {
    check_stack();
    auto add = [&](Identifier id) {
      if (id == nullptr) return;
      for (Identifier known : names) {
        if (known == id) return;
      }
      names.push_back(id);
    };
    switch (q->kind) {
      case pattern_kind::MatchValue:
      case pattern_kind::MatchSingleton:
        break;
      case pattern_kind::MatchSequence:
        for (ast::pattern* each : q->as<MatchSequence>()->patterns) self(self, each);
        break;
      case pattern_kind::MatchMapping:
        for (ast::pattern* each : q->as<MatchMapping>()->patterns) self(self, each);
        add(q->as<MatchMapping>()->rest);
        break;
      case pattern_kind::MatchClass:
        for (ast::pattern* each : q->as<MatchClass>()->patterns) self(self, each);
        for (ast::pattern* each : q->as<MatchClass>()->kwd_patterns) self(self, each);
        break;
      case pattern_kind::MatchStar:
        add(q->as<MatchStar>()->name);
        break;
      case pattern_kind::MatchAs:
        if (q->as<MatchAs>()->pattern != nullptr) self(self, q->as<MatchAs>()->pattern);
        add(q->as<MatchAs>()->name);
        break;
      case pattern_kind::MatchOr:
        if (!q->as<MatchOr>()->patterns.empty()) self(self, q->as<MatchOr>()->patterns[0]);
        break;
    }
  };
  collect(collect, p->patterns[0]);
  for (size_t i = 0; i < names.size(); ++i) {
    // Empty until an alternative has matched.
    emit(Op::CLEAR, push());
  }
  const uint32_t base = top();
  const bool saved = m.allow_irrefutable;
  for (size_t i = 0; i < n; ++i) {
    PatternState alternative;
    alternative.base = base;
    alternative.allow_irrefutable = i + 1 == n ? saved : false;
    pattern(p->patterns[i], subject, alternative);
    if (alternative.captures.size() != names.size()) {
      fail(p->location(), "alternative patterns bind different names");
    }
    std::vector<bool> moved(top() - base, false);
    for (size_t k = 0; k < names.size(); ++k) {
      const PatternState::Capture* found = nullptr;
      for (const auto& c : alternative.captures) {
        if (c.name == names[k]) found = &c;
      }
      if (found == nullptr) fail(p->location(), "alternative patterns bind different names");
      const bool own = found->reg >= base;
      bool again = false;
      for (size_t j = k + 1; j < names.size(); ++j) {
        for (const auto& c : alternative.captures) again |= c.name == names[j] && c.reg == found->reg;
      }
      emit(own && !again ? Op::MOVE : Op::COPY, first + static_cast<uint32_t>(k), found->reg);
      if (own && !again) moved[found->reg - base] = true;
    }
    for (uint32_t reg = base; reg < top(); ++reg) {
      if (!moved[reg - base]) emit(Op::CLEAR, reg);
    }
    jump(matched);
    set_top(base);
    pattern_end_fails(alternative);
  }
  // No alternative matched.
  jump(pattern_fail(m));
  bind(matched);
  set_top(base);
  for (size_t k = 0; k < names.size(); ++k) {
    pattern_capture(names[k], first + static_cast<uint32_t>(k), m, p->location());
  }
}

void Compiler::match_stmt(ast::Match* s) {
  const uint32_t base = top();
  Operand subject = expr(s->subject);
  if (!subject.temp) begin_line();
  bool guarded = false;
  for (match_case* c : s->cases) guarded |= c->guard != nullptr;
  if (!subject.temp && guarded) {
    // What a case with a guard binds, or the guard itself, may be the variable that is looked at.
    const uint32_t t = push();
    emit(Op::COPY, t, subject.reg);
    subject = Operand{t, true};
  }
  const size_t n = s->cases.size;
  Label end = new_label();
  Bits before = unit_->assigned;
  Bits after;
  bool exhaustive = false;
  for (size_t i = 0; i < n; ++i) {
    match_case* c = s->cases[i];
    unit_->assigned = before;
    PatternState m;
    m.base = top();
    m.allow_irrefutable = c->guard != nullptr || i + 1 == n;
    Label next = new_label();
    pattern(c->pattern, subject.reg, m);
    at(c->pattern->location());
    if (is_wildcard(c->pattern)) begin_line();
    const uint32_t height = top();
    std::vector<bool> moved(height - m.base, false);
    for (size_t k = 0; k < m.captures.size(); ++k) {
      const auto& capture = m.captures[k];
      const bool own = capture.reg >= m.base;
      bool again = false;
      for (size_t j = k + 1; j < m.captures.size(); ++j) again |= m.captures[j].reg == capture.reg;
      store_name(capture.name, Operand{capture.reg, own && !again});
      if (own && !again) moved[capture.reg - m.base] = true;
    }
    for (uint32_t reg = m.base; reg < height; ++reg) {
      if (!moved[reg - m.base]) emit(Op::CLEAR, reg);
    }
    set_top(m.base);
    if (c->guard != nullptr) jump_if(c->guard, next, false);
    // The subject is not needed any more.
    if (subject.temp) emit(Op::CLEAR, subject.reg);
    set_top(base);
    if (m.fails.empty() && c->guard == nullptr) exhaustive = true;
    body(c->body);
    if (!code().reachable()) unreachable_state();
    if (i == 0) {
      after = unit_->assigned;
    } else {
      meet(after, unit_->assigned);
    }
    jump(end);
    set_top(m.base);
    pattern_end_fails(m);
    bind(next);
  }
  if (subject.temp) {
    const Inherit from_the_last_pattern(code());
    emit(Op::CLEAR, subject.reg);
  }
  if (!exhaustive) meet(after, before);
  bind(end);
  unit_->assigned = after;
  set_top(base);
}

}  // namespace amphis::compile
