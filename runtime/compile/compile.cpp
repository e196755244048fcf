// The front end's entry: source text or a tree to a code object.
#include "compile/compile.h"

#include <memory>

#include "compile/codegen.h"
#include "compile/tree.h"
#include "sync/thread_state.h"
#include "syntax/parser.h"

namespace amphis {

namespace compile {

// The whole module, expression or interactive statement.
Ref<> Compiler::module(ast::mod* tree, const ast::Location* future) {
  future_ = *future;
  Ref<> name = Ref<>::steal(check(PyUnicode_InternFromString("<module>")));
  auto unit = std::make_unique<Unit>(nullptr, symbols_.top, pool_);
  enter_unit(unit, symbols_.top, name, 1);
  begin_body(true);
  ast::Seq<ast::stmt*> statements;
  switch (tree->kind) {
    case ast::mod_kind::Expression: {
      ast::expr* e = tree->as<ast::Expression>()->body;
      at(e->location());
      Operand value = expr(e);
      at(e->location());
      emit(Op::RETURN, value.reg);
      return leave_unit();
    }
    case ast::mod_kind::Interactive:
      unit->interactive = true;
      statements = tree->as<ast::Interactive>()->body;
      break;
    case ast::mod_kind::Module:
      statements = tree->as<ast::Module>()->body;
      break;
    default:
      PyErr_SetString(PyExc_SystemError, "module kind cannot be compiled");
      throw Failure{};
  }
  if (tree->kind == ast::mod_kind::Module) {
    // One that is empty is in the line before its first, so that a debugger finds a place to stop at.
    const int line = statements.empty() ? 0 : statements[0]->lineno;
    code().position = Position{line, line, 0, 0};
    if (statements.empty()) begin_line();
  }
  const bool annotated = unit->scope->annotations != nullptr;
  const uint32_t t = top();
  size_t patch = 0;
  const bool lazy = annotated && !future_annotations() && unit->scope->has_conditional_annotations;
  if (lazy) {
    // __annotate__ is defined first; its code is known at the end.
    patch = code().size();
    emit(Op::MAKE_FUNCTION, push(), t, 0);
    store_name(names_.intern("__annotate__"), Operand{t, true});
    emit(Op::BUILD_SET, t, t, 0);
    store_name(names_.intern("__conditional_annotations__"), Operand{t, true});
    set_top(t);
  } else if (annotated && future_annotations()) {
    emit(Op::SETUP_ANNOTATIONS);
  }
  if (!unit->interactive) {
    Ref<> doc = docstring(statements);
    if (doc) {
      at(statements[0]->location());
      emit_const(push(), doc);
      store_name(names_.intern("__doc__"), Operand{t, true});
      set_top(t);
      statements = {statements.data + 1, statements.size - 1};
    }
  }
  body(statements);
  if (lazy) {
    Position here = code().position;
    Ref<> annotate = deferred_annotate();
    code().patch_cache(patch, static_cast<uint64_t>(unit_->consts.append(annotate)));
    code().position = here;
  }
  // The implicit return stands on the last line.
  return leave_unit();
}

}  // namespace compile

namespace {

int optimize_level(int asked) {
  if (asked >= 0) return asked;
  // The interpreter's own level, as Py_OptimizeFlag has it.
  return Py_OptimizeFlag;
}

}  // namespace

PyObject* compile_tree(ast::mod* tree, Arena& arena, PyObject* filename, const CompileOptions& options) {
  try {
    compile::Names names(arena);
    compile::CompilerContext context{filename, options.module_name, options.flags, optimize_level(options.optimize),
                                     names};
    ast::Location future{};
    future.lineno = -1;
    context.flags |= compile::future_features(context, tree, &future);
    std::unique_ptr<compile::SymbolTable> symbols = compile::build_symbols(context, tree);
    compile::Compiler compiler(context, *symbols);
    return compiler.module(tree, &future).release();
  } catch (const compile::Failure&) {
    return nullptr;
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
}

PyObject* raise_parse_error(const SyntaxErrorInfo& error, PyObject* filename) {
  PyObject* type = PyExc_SyntaxError;
  Ref<> holder;
  switch (error.kind) {
    case SyntaxErrorKind::IndentationError:
      type = PyExc_IndentationError;
      break;
    case SyntaxErrorKind::TabError:
      type = PyExc_TabError;
      break;
    case SyntaxErrorKind::IncompleteInputError: {
      Ref<> builtins = Ref<>::steal(PyImport_ImportModule("builtins"));
      if (!builtins) return nullptr;
      holder = Ref<>::steal(PyObject_GetAttrString(builtins, "_IncompleteInputError"));
      if (!holder) return nullptr;
      type = holder;
      break;
    }
    case SyntaxErrorKind::MemoryError:
      PyErr_SetString(PyExc_MemoryError, error.message.c_str());
      return nullptr;
    default:
      break;
  }
  Ref<> message = Ref<>::steal(PyUnicode_DecodeUTF8(error.message.data(),
                                                    static_cast<Py_ssize_t>(error.message.size()), "replace"));
  if (!message) return nullptr;
  if (!error.has_location) {
    PyErr_SetObject(type, message);
    return nullptr;
  }
  Ref<> text;
  if (error.has_text) {
    text = Ref<>::steal(
        PyUnicode_DecodeUTF8(error.text.data(), static_cast<Py_ssize_t>(error.text.size()), "replace"));
  } else {
    text = Ref<>::steal(PyErr_ProgramTextObject(filename, error.lineno));
    if (!text) {
      PyErr_Clear();
      text = Ref<>::share(Py_None);
    }
  }
  if (!text) return nullptr;
  Ref<> args = Ref<>::steal(Py_BuildValue("O(OiiOii)", message.get(), filename, error.lineno, error.offset, text.get(),
                                          error.end_lineno, error.end_offset));
  if (args) PyErr_SetObject(type, args);
  return nullptr;
}

namespace {

// What the module traceback needs to find a misspelt keyword: SyntaxError._metadata. The text of a file it reads itself.
void describe_failure(const ParseResult& result, std::string_view source, bool from_file) {
  if (!PyErr_ExceptionMatches(PyExc_SyntaxError) || !result.error.message.starts_with("invalid syntax")) return;
  Ref<> exc = Ref<>::steal(PyErr_GetRaisedException());
  Ref<> text = Ref<>::share(Py_None);
  if (!from_file) {
    std::string lines(source);
    if (!lines.ends_with('\n')) lines += '\n';
    text = Ref<>::steal(PyUnicode_DecodeUTF8(lines.data(), static_cast<Py_ssize_t>(lines.size()), "replace"));
  }
  Ref<> metadata;
  if (text) metadata = Ref<>::steal(Py_BuildValue("iiO", result.last_block_line, result.last_block_col, text.get()));
  if (!metadata || PyObject_SetAttrString(exc, "_metadata", metadata) < 0) PyErr_Clear();
  PyErr_SetRaisedException(exc.release());
}

}  // namespace

bool parse_source(std::string_view source, PyObject* filename, const CompileOptions& options, Arena& arena,
                  ast::mod** tree) {
  ParseOptions parse_options;
  switch (options.mode) {
    case CompileMode::kExec:
      parse_options.mode = ParseMode::Exec;
      break;
    case CompileMode::kEval:
      parse_options.mode = ParseMode::Eval;
      break;
    case CompileMode::kSingle:
      parse_options.mode = ParseMode::Single;
      break;
    case CompileMode::kFuncType:
      parse_options.mode = ParseMode::FuncType;
      break;
  }
  parse_options.ignore_cookie = options.source_is_utf8 || (options.flags & PyCF_IGNORE_COOKIE) != 0;
  parse_options.allow_incomplete = (options.flags & PyCF_ALLOW_INCOMPLETE_INPUT) != 0;
  parse_options.dont_imply_dedent = (options.flags & PyCF_DONT_IMPLY_DEDENT) != 0;
  parse_options.type_comments = (options.flags & PyCF_TYPE_COMMENTS) != 0;
  parse_options.barry_as_FLUFL = (options.flags & CO_FUTURE_BARRY_AS_BDFL) != 0;
  if (options.from_file) {
    Py_ssize_t size;
    const char* name = PyUnicode_AsUTF8AndSize(filename, &size);
    if (name != nullptr) {
      parse_options.file_name = {name, static_cast<size_t>(size)};
    } else {
      PyErr_Clear();
    }
  }
  ParseResult result = parse(source, parse_options, arena);
  for (const SyntaxWarningInfo& warning : result.warnings) {
    PyObject* category = warning.is_deprecation ? PyExc_DeprecationWarning : PyExc_SyntaxWarning;
    Ref<> message = Ref<>::steal(PyUnicode_DecodeUTF8(
        warning.message.data(), static_cast<Py_ssize_t>(warning.message.size()), "replace"));
    if (!message) return false;
    if (PyErr_WarnExplicitObject(category, message, filename, warning.lineno, options.module_name, nullptr) == 0) {
      continue;
    }
    if (PyErr_ExceptionMatches(category)) {
      PyErr_Clear();
      SyntaxErrorInfo error;
      error.kind = SyntaxErrorKind::SyntaxError;
      error.message = warning.message;
      // As an error it says less about the future.
      constexpr std::string_view kFuture = " Such sequences will not work in the future.";
      if (size_t at = error.message.find(kFuture); at != std::string::npos) error.message.erase(at, kFuture.size());
      error.lineno = warning.lineno;
      error.offset = warning.offset;
      error.end_lineno = warning.end_lineno;
      error.end_offset = warning.end_offset;
      error.text = warning.text;
      error.has_text = true;
      raise_parse_error(error, filename);
    }
    return false;
  }
  if (result.tree == nullptr) {
    raise_parse_error(result.error, filename);
    describe_failure(result, source, options.from_file);
    return false;
  }
  *tree = result.tree;
  return true;
}

PyObject* compile_source(std::string_view source, PyObject* filename, const CompileOptions& options) {
  Arena arena;
  ast::mod* tree = nullptr;
  if (!parse_source(source, filename, options, arena, &tree)) return nullptr;
  return compile_tree(tree, arena, filename, options);
}

}  // namespace amphis
