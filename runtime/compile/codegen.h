// Code generation: walks the tree with its symbol tables and emits instructions for one code object at a time.
//
// Registers. Variables have fixed registers; temporaries above them form a stack whose height is Unit::top. A method
// that evaluates an expression is entered with the height `base` and leaves either a variable's register (height base
// again) or a temporary at exactly `base` (height base + 1). A destination that is a variable is written by the last
// instruction of the expression only, so that an exception on the way leaves the variable as it was.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "compile/assembler.h"
#include "compile/constants.h"
#include "compile/names.h"
#include "compile/symtable.h"

namespace amphis::compile {

inline constexpr int kAny = -1;

// Where a value is. A temporary dies with the instruction that takes it.
struct Operand {
  uint32_t reg = 0;
  bool temp = false;
};

// The variables that are certainly bound at a point of the program.
using Bits = std::vector<uint64_t>;

struct Block {
  enum Kind : uint8_t {
    kWhile,
    kFor,         // reg: the iterator
    kTry,         // only a protected range
    kFinallyTry,  // leaving runs `finalbody`
    kHandler,     // reg: the handled exception and the saved one
    kHandlerName, // leaving unbinds `name`
    kWith,        // reg: the exit function and its self
    kAsyncWith,
    kValue,       // reg: a value kept while a finally body runs
  };
  Kind kind;
  uint32_t reg = 0;
  Label break_label = kNoLabel, continue_label = kNoLabel;
  ast::Seq<ast::stmt*> finalbody{};
  Identifier name = nullptr;
  Position position{};
  // The protected range, when there is a handler.
  Label handler = kNoLabel;
  uint32_t depth = 0;
  size_t start = 0;
  bool covered = false;  // some instruction is protected
  bool star = false;     // the body of an except* clause
  Bits* at_break = nullptr;
};

// How a name is reached.
struct NameUse {
  enum Kind : uint8_t { kFast, kDeref, kGlobal, kName, kDictOrDeref, kDictOrGlobals } kind;
  uint32_t reg = 0;
  Identifier name = nullptr;  // mangled
};

struct DeferredAnnotation {
  ast::AnnAssign* statement;
  int condition;  // index in __conditional_annotations__, or -1
};

// One code object in the making.
struct Unit {
  Unit(Unit* outer, Scope* s, ConstantPool& pool) : parent(outer), scope(s), consts(pool) {}

  Unit* parent;
  Scope* scope;
  Assembler code;
  ConstantTable consts;
  std::vector<Identifier> names;
  std::unordered_map<Identifier, int> name_index;

  std::vector<Identifier> register_names;
  std::vector<uint8_t> register_kinds;
  uint32_t first_temp = 0, top = 0, max_top = 0;
  std::vector<uint32_t> other_reads;  // by variable: reads that are no operands of arithmetic, comparison or subscription
  uint32_t first_free = 0, free_count = 0;
  std::unordered_map<Identifier, uint32_t> cells_by_name;  // implicit cells of class bodies

  std::vector<Scope*> comprehensions;  // the inlined ones that we are in, outermost first
  std::vector<Block> blocks;
  Bits assigned, deletable, rebound;

  Ref<> name, qualname;
  int argcount = 0, posonly = 0, kwonly = 0, flags = 0, firstlineno = 1;
  Label generator_handler = kNoLabel;
  size_t generator_start = 0;
  std::vector<Identifier> static_attributes;  // of a class body, in order
  std::vector<DeferredAnnotation> annotations;
  int next_conditional = 0;
  bool interactive = false;
  int conditional_depth = 0;  // inside a compound statement: annotations there may not be reached
  std::vector<bool> finally_or_loop;  // enclosing finally bodies (true) and loops (false)
};

Position position_of(const ast::Location& where);

// Emits with the position of a node while it lives.
struct At {
  Assembler& code;
  Position saved;
  At(Assembler& assembler, const ast::Location& where) : code(assembler), saved(assembler.position) {
    code.position = position_of(where);
  }
  ~At() { code.position = saved; }
  At(const At&) = delete;
};

class Compiler {
 public:
  Compiler(const CompilerContext& context, SymbolTable& symbols) : ctx_(context), names_(context.names), symbols_(symbols) {}

  Ref<> module(ast::mod* tree, const ast::Location* future);

 private:
  // --- units (codegen_unit.cpp)
  void enter_unit(std::unique_ptr<Unit>& unit, Scope* scope, PyObject* name, int firstlineno);
  Ref<> leave_unit();
  void assign_registers(Unit& u);
  void add_comprehension_registers(Unit& u, Scope* scope, size_t depth,
                                   std::vector<std::unordered_map<Identifier, uint32_t>>& seen);
  void set_qualname(Unit& u);
  void begin_body(bool is_class_or_module);
  void end_generator();
  int code_flags(Unit& u);

  // --- emission
  Assembler& code() { return unit_->code; }
  // The operand goes to arithmetic next: if it was just loaded, it may come as a plain number; if it is a variable, this
  // read does not ask for the object.
  void want_number(Operand o) {
    if (o.temp) {
      unit_->code.mark_number(o.reg);
    } else if (!is_temp(o.reg)) {
      --unit_->other_reads[o.reg];
    }
  }
  void emit(Op op, uint32_t a = 0, uint32_t b = 0, uint32_t c = 0, unsigned flags = 0, uint64_t cache = 0) {
    unit_->code.emit(op, a, b, c, static_cast<uint8_t>(flags), cache);
  }
  void emit_name(Op op, uint32_t a, Identifier name) { unit_->code.emit_wide(op, a, name_index(name)); }
  void emit_const(uint32_t a, PyObject* value);
  void emit_none(uint32_t a) { emit_const(a, Py_None); }
  void emit_int(uint32_t a, int64_t value) { unit_->code.emit_wide(Op::LOAD_INT, a, value); }
  void jump(Op op, uint32_t a, Label target, unsigned flags = 0) {
    unit_->code.jump(op, a, target, static_cast<uint8_t>(flags));
  }
  // The ends of branches and loops, which belong to no line.
  void jump(Label target) { unit_->code.jump(Op::JUMP, 0, target, kInherits); }
  void jump_back(Label target) { unit_->code.jump(Op::JUMP_BACK, 0, target, kInherits); }
  // The same around what CPython puts out of the way: no JUMP for those who watch.
  void jump_aside(Label target) { unit_->code.jump(Op::JUMP, 0, target, kInherits | kHidden); }
  // A line begins, whether or not there will be an instruction for it.
  void begin_line() { emit(Op::NOP); }
  Label new_label() { return unit_->code.new_label(); }
  void bind(Label label) { unit_->code.bind(label); }
  int name_index(Identifier name);
  int const_index(PyObject* value);
  void at(const ast::Location& where);

  // --- registers
  uint32_t top() const { return unit_->top; }
  void set_top(uint32_t height) { unit_->top = height; }
  uint32_t push() {
    uint32_t r = unit_->top++;
    if (unit_->top > unit_->max_top) unit_->max_top = unit_->top;
    return r;
  }
  void need(uint32_t height) {
    if (height > unit_->max_top) unit_->max_top = height;
  }
  // The register for a result: `dst`, or a new temporary.
  Operand destination(int dst);
  static unsigned kill(Operand o, unsigned flag) { return o.temp ? flag : 0u; }
  bool is_temp(uint32_t reg) const { return reg >= unit_->first_temp; }

  // --- bound variables
  bool bound(uint32_t reg) const { return (unit_->assigned[reg / 64] >> (reg % 64)) & 1; }
  void set_bound(uint32_t reg) { unit_->assigned[reg / 64] |= uint64_t{1} << (reg % 64); }
  void set_unbound(uint32_t reg) { unit_->assigned[reg / 64] &= ~(uint64_t{1} << (reg % 64)); }
  static void meet(Bits& into, const Bits& other) {
    for (size_t i = 0; i < into.size(); ++i) into[i] &= other[i];
  }
  // What is certain after something that may have stopped anywhere in between.
  Bits interrupted(const Bits& before) const;
  void unreachable_state() { unit_->assigned.assign(unit_->assigned.size(), ~uint64_t{0}); }

  // --- names
  NameUse resolve(Identifier name);
  Operand load_name(Identifier name, int dst);
  void store_name(Identifier name, Operand value);
  void delete_name(Identifier name);
  // The register of a plain local variable, or -1.
  int local_register(ast::expr* target);
  uint32_t cell_register(Identifier name);

  // --- expressions (codegen_expr.cpp)
  Operand expr(ast::expr* e, int dst = kAny);
  Operand expr_inner(ast::expr* e, int dst);
  // Into a new temporary, the next one.
  uint32_t push_expr(ast::expr* e) {
    uint32_t r = unit_->top;
    expr(e, static_cast<int>(r));
    return push();
  }
  // As push_expr, lending a local if `later` (what is evaluated before the use) cannot rebind it.
  uint32_t push_argument(ast::expr* e, bool last);
  // A local operand that what follows could rebind moves to a temporary.
  Operand keep(Operand o, ast::expr* later);
  Operand binary_chain(ast::expr* e, int dst);
  Operand binary(Operand left, ast::operator_ op, ast::expr* right, int dst, uint32_t base, unsigned flags);
  Operand unary(ast::UnaryOp* e, int dst);
  Operand bool_op(ast::BoolOp* e, int dst);
  Operand conditional(ast::IfExp* e, int dst);
  Operand compare(ast::Compare* e, int dst);
  Operand compare_chain(ast::Compare* e, int dst);
  void emit_compare(ast::cmpop op, Operand left, ast::expr* right, uint32_t dst, unsigned flags, uint32_t base);
  void emit_compare(ast::cmpop op, Operand left, Operand right, uint32_t dst, unsigned flags);
  Operand attribute(ast::Attribute* e, int dst);
  void attribute_place(ast::Attribute* e);
  Operand subscript(ast::Subscript* e, int dst);
  Ref<> constant_slice(ast::Slice* e);
  uint32_t plain_slice(ast::expr* e, uint32_t* run);
  uint32_t slice_bounds(ast::Slice* e);
  Operand slice(ast::Slice* e, int dst);
  Operand sequence(ast::Seq<ast::expr*> elts, Op build, int dst);
  Operand dict(ast::Dict* e, int dst);
  Operand named(ast::NamedExpr* e, int dst);
  Operand constant(PyObject* value, int dst);
  Operand joined_string(ast::JoinedStr* e, int dst);
  Operand formatted(ast::FormattedValue* e, int dst);
  Operand template_string(ast::TemplateStr* e, int dst);
  void interpolation(ast::Interpolation* e);
  Operand percent_format(ast::BinOp* e, int dst, bool* done);
  Operand move_to(uint32_t temp, int dst);
  bool optimized_super(ast::Attribute* e);
  Operand super_attribute(ast::Attribute* e, int dst, bool method);
  void jump_if(ast::expr* e, Label target, bool when);
  void jump_if_compare(ast::Compare* e, Label target, bool when);

  // --- calls (codegen_call.cpp)
  Operand call(ast::Call* e, int dst);
  Operand finish_call(uint32_t callee, bool method, ast::Seq<ast::expr*> args, ast::Seq<ast::keyword*> keywords,
                      uint32_t extra, int dst);
  Operand call_ex(uint32_t callee, uint32_t extra, ast::Seq<ast::expr*> args, ast::Seq<ast::keyword*> keywords,
                  int dst);
  void validate_keywords(ast::Seq<ast::keyword*> keywords);

  // --- generators (codegen_async.cpp)
  Operand await_value(uint32_t t, unsigned how, int dst);
  void send_loop(uint32_t t);
  Operand yield(ast::Yield* e, int dst);
  Operand yield_from(ast::YieldFrom* e, int dst);
  Operand await_expr(ast::Await* e, int dst);
  void async_for(ast::AsyncFor* s);
  void async_next(uint32_t iterator);

  // --- comprehensions (codegen_comprehension.cpp)
  Operand comprehension(ast::expr* e, int dst);
  // One `for … if …` and what is inside it; the iterator of the first one lies in `iterator`.
  void comprehension_body(ast::Seq<ast::comprehension*> generators, size_t index, uint32_t iterator, ast::expr* elt,
                          ast::expr* value, Comprehension kind, uint32_t result);
  Operand nested_comprehension(ast::expr* e, Scope* scope, PyObject* name, ast::Seq<ast::comprehension*> generators,
                               ast::expr* elt, ast::expr* value, Comprehension kind, int dst);
  uint32_t push_outermost(ast::comprehension* outermost);
  void comprehension_element(ast::expr* elt, ast::expr* value, Comprehension kind, uint32_t result);

  // --- statements (codegen_stmt.cpp)
  void body(ast::Seq<ast::stmt*> statements);
  void stmt(ast::stmt* s);
  void assign(ast::Assign* s);
  void aug_assign(ast::AugAssign* s);
  void ann_assign(ast::AnnAssign* s);
  void store(ast::expr* target, Operand value);
  void unpack(ast::Seq<ast::expr*> targets, Operand value, const ast::Location& where);
  bool unpack_to_variables(ast::Seq<ast::expr*> targets, Operand value);
  bool assign_pairwise(ast::Seq<ast::expr*> targets, ast::Seq<ast::expr*> values);
  void del(ast::expr* target);
  void if_stmt(ast::If* s);
  void while_stmt(ast::While* s);
  void for_stmt(ast::For* s);
  uint32_t push_iterator(ast::expr* iterable);
  void raise_stmt(ast::Raise* s);
  void assert_stmt(ast::Assert* s);
  void import_stmt(ast::Import* s);
  void import_from(ast::ImportFrom* s);
  void return_stmt(ast::Return* s);
  void break_or_continue(ast::stmt* s, bool is_break);
  void expression_statement(ast::expr* e);

  // --- blocks and exceptions (codegen_try.cpp)
  void push_block(Block block);
  Block pop_block();
  void open_range(Block& b);
  void close_range(Block& b);
  void bind_handler(const Block& b) { unit_->code.bind_handler(b.handler, b.covered); }
  // Leaves the blocks above `down_to` without ending them, and enters them again once the jump out of them has been emitted.
  // `value`: what must survive, if that is a temporary.
  std::vector<Block> leave_blocks(size_t down_to, const Block* value = nullptr);
  void enter_blocks(const std::vector<Block>& left);
  void unwind_block(const Block& b);
  bool leaving_runs_code(size_t down_to) const;
  void try_stmt(ast::Seq<ast::stmt*> body, ast::Seq<ast::excepthandler*> handlers, ast::Seq<ast::stmt*> orelse,
                ast::Seq<ast::stmt*> finalbody, bool star);
  void try_except(ast::Seq<ast::stmt*> body, ast::Seq<ast::excepthandler*> handlers, ast::Seq<ast::stmt*> orelse);
  void try_except_star(ast::Seq<ast::stmt*> body, ast::Seq<ast::excepthandler*> handlers,
                       ast::Seq<ast::stmt*> orelse);
  // The body of `except … as name:`; ends with the handled exception restored, still in its block.
  void handler_body(ast::ExceptHandler* handler, uint32_t value_reg, bool consume);
  void unbind_handler_name(Identifier name);
  // The end of a handler block: an exception inside restores the one handled before.
  void end_handler(uint32_t pair);
  void raise_again(uint32_t pair);
  void with_stmt(ast::Seq<ast::withitem*> items, size_t index, ast::Seq<ast::stmt*> body, bool is_async);
  void call_exit(uint32_t pair, bool is_async);

  // --- definitions (codegen_function.cpp, codegen_class.cpp)
  void function_stmt(ast::stmt* s, Identifier name, ast::arguments* args, ast::Seq<ast::stmt*> statements,
                     ast::Seq<ast::expr*> decorators, ast::expr* returns, ast::Seq<ast::type_param*> params,
                     bool is_async);
  Ref<> function_code(ast::stmt* s, Scope* scope, Identifier name, ast::arguments* args,
                      ast::Seq<ast::stmt*> statements, int firstlineno);
  Operand finish_function(PyObject* code, unsigned parts, uint32_t first, int dst);
  // Leaves the function in a new temporary, or in `local`.
  void generic_function(ast::stmt* s, Identifier name, ast::arguments* args, ast::Seq<ast::stmt*> statements,
                        ast::expr* returns, ast::Seq<ast::type_param*> params, int firstlineno, int local);
  Operand lambda(ast::Lambda* e, int dst);
  unsigned push_defaults(ast::arguments* args);
  // Closure (if any) and MAKE_FUNCTION; `parts` lie at `first`, the closure is pushed in its place.
  Operand make_function(PyObject* code, unsigned parts, uint32_t first, int dst);
  unsigned push_closure(PyObject* code);
  void decorate(ast::Seq<ast::expr*> decorators, uint32_t first);
  void class_stmt(ast::ClassDef* s);
  Ref<> class_code(ast::ClassDef* s, Scope* scope, int firstlineno);
  void class_call(ast::ClassDef* s, ast::Seq<ast::expr*> bases, int firstlineno, int dst);
  // --- generics (codegen_generic.cpp)
  void type_alias(ast::TypeAlias* s);
  void type_alias_value(ast::TypeAlias* s, Identifier name, uint32_t first);
  // Makes the type parameters, stores each in its name and pushes the tuple of them.
  uint32_t push_type_params(ast::Seq<ast::type_param*> params);
  // Pushes the function that evaluates an expression lazily.
  void push_evaluator(Scope* scope, Identifier name, ast::expr* e, bool star);
  Ref<> generic_name(Identifier name);
  Ref<> docstring(ast::Seq<ast::stmt*> statements);

  // --- annotations (codegen_annotations.cpp)
  // The beginning of a function that takes the format of annotations: refuses all but VALUE and its fake form.
  void begin_lazy(const char* parameter);
  Ref<> function_annotate(ast::stmt* s, ast::arguments* args, ast::expr* returns);
  // The string of an annotation under `from __future__ import annotations`.
  Ref<> annotation_text(ast::expr* annotation);
  Ref<> deferred_annotate();
  void annotation_value(ast::expr* annotation);
  bool future_annotations() const { return (ctx_.flags & CO_FUTURE_ANNOTATIONS) != 0; }

  // --- pattern matching (codegen_match.cpp)
  struct PatternState;
  void match_stmt(ast::Match* s);
  void pattern(ast::pattern* p, uint32_t subject, PatternState& m);
  void pattern_sequence(ast::MatchSequence* p, uint32_t subject, PatternState& m);
  void pattern_mapping(ast::MatchMapping* p, uint32_t subject, PatternState& m);
  void pattern_class(ast::MatchClass* p, uint32_t subject, PatternState& m);
  void pattern_or(ast::MatchOr* p, uint32_t subject, PatternState& m);
  void pattern_capture(Identifier name, uint32_t value, PatternState& m, const ast::Location& where);
  void pattern_value(ast::expr* e, uint32_t subject, PatternState& m);
  Label pattern_fail(PatternState& m);
  void pattern_end_fails(PatternState& m);

  // --- errors and warnings
  // The statement that is being compiled; in an expression without one, the part of it.
  ast::Location here() const;
  [[noreturn]] void fail(const ast::Location& where, const char* text) {
    syntax_error(ctx_.filename, where, "%s", text);
  }
  template <class... Args>
  void warn(const ast::Location& where, const char* format, Args... args) {
    if (quiet_ == 0) syntax_warning(ctx_.filename, ctx_.module, where, format, args...);
  }
  void warn_compare(ast::Compare* e);
  void warn_call(ast::Call* e);
  void warn_subscript(ast::Subscript* e);

  const CompilerContext& ctx_;
  Names& names_;
  SymbolTable& symbols_;
  ConstantPool pool_;
  Unit* unit_ = nullptr;
  ast::Location future_{};           // of the last legal `from __future__` import
  ast::stmt* statement_ = nullptr;   // being compiled
  bool checking_annotation_ = false;  // an annotation that is never evaluated
  int quiet_ = 0;  // inside the second copy of a finally body: warned already
};

// Restores the height of the temporaries.
class Height {
 public:
  explicit Height(uint32_t& top) : top_(top), saved_(top) {}
  ~Height() { top_ = saved_; }
  Height(const Height&) = delete;

 private:
  uint32_t& top_;
  uint32_t saved_;
};

}  // namespace amphis::compile
