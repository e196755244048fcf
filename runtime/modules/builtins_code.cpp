// builtins: compiling and running code, making classes, importing, input and output.
#include "compile/compile.h"
#include "interp/frame.h"
#include "interp/generator.h"
#include "modules/builtins.h"
#include "modules/import.h"
#include "objects/names.h"
#include "objects/type.h"
#include "sync/ref.h"

namespace amphis {

namespace {

// --- compile, eval, exec

// The source text of str, bytes or buffers: a view that lives as long as `keep`.
bool source_text(PyObject* source, const char* function, const char* what, Ref<>* keep, std::string_view* text,
                 bool* is_utf8) {
  *is_utf8 = false;
  if (PyUnicode_Check(source)) {
    Py_ssize_t size;
    const char* utf8 = PyUnicode_AsUTF8AndSize(source, &size);
    if (utf8 == nullptr) return false;
    *keep = Ref<>::share(source);
    *text = {utf8, static_cast<size_t>(size)};
    *is_utf8 = true;
    return true;
  }
  if (PyBytes_Check(source)) {
    *keep = Ref<>::share(source);
  } else if (PyObject_CheckBuffer(source)) {
    *keep = Ref<>::steal(PyBytes_FromObject(source));
    if (!*keep) return false;
  } else {
    PyErr_Format(PyExc_TypeError, "%s() arg 1 must be a %s object", function, what);
    return false;
  }
  *text = {PyBytes_AS_STRING(keep->get()), static_cast<size_t>(PyBytes_GET_SIZE(keep->get()))};
  return true;
}

int caller_future_flags() {
  PyCompilerFlags flags = {0, 14};
  PyEval_MergeCompilerFlags(&flags);
  return flags.cf_flags;
}

PyObject* builtin_compile(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"source",   "filename", "mode", "flags", "dont_inherit",
                                         "optimize", "_feature_version", nullptr};
  PyObject *source, *filename_bytes;
  const char* mode;
  int flags = 0, dont_inherit = 0, optimize = -1, feature_version = -1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO&s|ipi$i:compile", const_cast<char**>(keywords), &source,
                                   PyUnicode_FSDecoder, &filename_bytes, &mode, &flags, &dont_inherit, &optimize,
                                   &feature_version)) {
    return nullptr;
  }
  Ref<> filename = Ref<>::steal(filename_bytes);
  if (flags & ~(PyCF_MASK | PyCF_MASK_OBSOLETE | PyCF_COMPILE_MASK)) {
    PyErr_SetString(PyExc_ValueError, "compile(): unrecognised flags");
    return nullptr;
  }
  if (optimize < -1 || optimize > 2) {
    PyErr_SetString(PyExc_ValueError, "compile(): invalid optimize value");
    return nullptr;
  }
  CompileOptions options;
  options.flags = flags;
  if (!dont_inherit) options.flags |= caller_future_flags();
  options.optimize = optimize;
  const std::string_view m = mode;
  if (m == "exec") {
    options.mode = CompileMode::kExec;
  } else if (m == "eval") {
    options.mode = CompileMode::kEval;
  } else if (m == "single") {
    options.mode = CompileMode::kSingle;
  } else if (m == "func_type") {
    if (!(flags & PyCF_ONLY_AST)) {
      PyErr_SetString(PyExc_ValueError, "compile() mode 'func_type' requires flag PyCF_ONLY_AST");
      return nullptr;
    }
    options.mode = CompileMode::kFuncType;
  } else {
    PyErr_SetString(PyExc_ValueError, flags & PyCF_ONLY_AST
                                          ? "compile() mode must be 'exec', 'eval', 'single' or 'func_type'"
                                          : "compile() mode must be 'exec', 'eval' or 'single'");
    return nullptr;
  }
  int is_ast = ast_check(source);
  if (is_ast < 0) return nullptr;
  if (is_ast) return compile_ast_object(source, filename, options);
  Ref<> keep;
  std::string_view text;
  if (!source_text(source, "compile", "string, bytes or AST", &keep, &text, &options.source_is_utf8)) return nullptr;
  if (flags & PyCF_ONLY_AST) return parse_to_ast_object(text, filename, options);
  return compile_source(text, filename, options);
}

// Namespaces as eval and exec take them: globals must be a dict, locals any mapping. Borrowed or new into refs.
bool resolve_namespaces(const char* function, Ref<>* globals, Ref<>* locals) {
  if (globals->get() == Py_None) *globals = nullptr;
  if (locals->get() == Py_None) *locals = nullptr;
  if (!*globals) {
    PyObject* current = PyEval_GetGlobals();
    if (current == nullptr) {
      PyErr_Format(PyExc_SystemError, "%s must be given globals and locals when called without a frame", function);
      return false;
    }
    *globals = Ref<>::share(current);
    if (!*locals) {
      *locals = Ref<>::steal(PyEval_GetFrameLocals());
      if (!*locals) return false;
    }
  } else if (!*locals) {
    *locals = globals->copy();
  }
  if (!PyDict_Check(globals->get())) {
    if (std::string_view(function) == "eval") {
      PyErr_SetString(PyExc_TypeError, PyMapping_Check(globals->get())
                                           ? "globals must be a real dict; try eval(code, {}, mapping)"
                                           : "globals must be a dict");
    } else {
      PyErr_Format(PyExc_TypeError, "exec() globals must be a dict, not %.100s", Py_TYPE(globals->get())->tp_name);
    }
    return false;
  }
  if (!PyMapping_Check(locals->get())) {
    if (std::string_view(function) == "eval") {
      PyErr_SetString(PyExc_TypeError, "locals must be a mapping");
    } else {
      PyErr_Format(PyExc_TypeError, "locals must be a mapping or None, not %.100s", Py_TYPE(locals->get())->tp_name);
    }
    return false;
  }
  int has = PyDict_Contains(globals->get(), names.dunder_builtins);
  if (has < 0) return false;
  return has || PyDict_SetItem(globals->get(), names.dunder_builtins, PyEval_GetBuiltins()) == 0;
}

PyObject* builtin_eval(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"", "globals", "locals", nullptr};
  PyObject *source, *globals_arg = nullptr, *locals_arg = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OO:eval", const_cast<char**>(keywords), &source, &globals_arg,
                                   &locals_arg)) {
    return nullptr;
  }
  Ref<> globals = Ref<>::share(globals_arg), locals = Ref<>::share(locals_arg);
  if (!resolve_namespaces("eval", &globals, &locals)) return nullptr;
  if (PyCode_Check(source)) {
    if (reinterpret_cast<PyCodeObject*>(source)->co_nfreevars > 0) {
      PyErr_SetString(PyExc_TypeError, "code object passed to eval() may not contain free variables");
      return nullptr;
    }
    return eval_code(source, globals, locals, nullptr);
  }
  Ref<> keep;
  std::string_view text;
  CompileOptions options;
  options.mode = CompileMode::kEval;
  if (!source_text(source, "eval", "string, bytes or code", &keep, &text, &options.source_is_utf8)) return nullptr;
  while (!text.empty() && (text[0] == ' ' || text[0] == '\t')) text.remove_prefix(1);
  options.flags = caller_future_flags();
  Ref<> filename = Ref<>::steal(PyUnicode_FromString("<string>"));
  if (!filename) return nullptr;
  Ref<> code = Ref<>::steal(compile_source(text, filename, options));
  return code ? eval_code(code, globals, locals, nullptr) : nullptr;
}

PyObject* builtin_exec(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"", "globals", "locals", "closure", nullptr};
  PyObject *source, *globals_arg = nullptr, *locals_arg = nullptr, *closure = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OO$O:exec", const_cast<char**>(keywords), &source, &globals_arg,
                                   &locals_arg, &closure)) {
    return nullptr;
  }
  Ref<> globals = Ref<>::share(globals_arg), locals = Ref<>::share(locals_arg);
  if (!resolve_namespaces("exec", &globals, &locals)) return nullptr;
  if (closure == Py_None) closure = nullptr;
  Ref<> code;
  if (PyCode_Check(source)) {
    Py_ssize_t free_vars = reinterpret_cast<PyCodeObject*>(source)->co_nfreevars;
    if (free_vars == 0) {
      if (closure != nullptr) {
        PyErr_SetString(PyExc_TypeError, "cannot use a closure with this code object");
        return nullptr;
      }
    } else {
      bool fits = closure != nullptr && PyTuple_CheckExact(closure) && PyTuple_GET_SIZE(closure) == free_vars;
      for (Py_ssize_t i = 0; fits && i < free_vars; ++i) fits = PyCell_Check(PyTuple_GET_ITEM(closure, i));
      if (!fits) {
        PyErr_Format(PyExc_TypeError, "code object requires a closure of exactly length %zd", free_vars);
        return nullptr;
      }
    }
    code = Ref<>::share(source);
  } else {
    if (closure != nullptr) {
      PyErr_SetString(PyExc_TypeError, "closure can only be used when source is a code object");
      return nullptr;
    }
    Ref<> keep;
    std::string_view text;
    CompileOptions options;
    if (!source_text(source, "exec", "string, bytes or code", &keep, &text, &options.source_is_utf8)) return nullptr;
    options.flags = caller_future_flags();
    Ref<> filename = Ref<>::steal(PyUnicode_FromString("<string>"));
    if (!filename) return nullptr;
    code = Ref<>::steal(compile_source(text, filename, options));
    if (!code) return nullptr;
  }
  Ref<> result = Ref<>::steal(eval_code(code, globals, locals, closure));
  if (!result) return nullptr;
  Py_RETURN_NONE;
}

// --- classes

// Replaces bases that are no classes by what their __mro_entries__ gives: new tuple, or `bases` itself.
PyObject* update_bases(PyObject* bases) {
  Ref<> list;
  const Py_ssize_t count = PyTuple_GET_SIZE(bases);
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* base = PyTuple_GET_ITEM(bases, i);
    Ref<> entries;
    if (!PyType_Check(base)) {
      PyObject* found;
      if (PyObject_GetOptionalAttr(base, names.dunder_mro_entries, &found) < 0) return nullptr;
      Ref<> method = Ref<>::steal(found);
      if (method) {
        entries = Ref<>::steal(PyObject_CallOneArg(method, bases));
        if (!entries) return nullptr;
        if (!PyTuple_Check(entries.get())) {
          PyErr_SetString(PyExc_TypeError, "__mro_entries__ must return a tuple");
          return nullptr;
        }
        if (!list) {
          list = Ref<>::steal(PyList_New(0));
          for (Py_ssize_t k = 0; list && k < i; ++k) {
            if (PyList_Append(list, PyTuple_GET_ITEM(bases, k)) < 0) return nullptr;
          }
          if (!list) return nullptr;
        }
      }
    }
    if (!list) continue;
    if (entries) {
      if (PyList_Extend(list, entries) < 0) return nullptr;
    } else if (PyList_Append(list, base) < 0) {
      return nullptr;
    }
  }
  return list ? PyList_AsTuple(list) : Py_NewRef(bases);
}

PyObject* builtin_build_class(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  if (nargs < 2) {
    PyErr_SetString(PyExc_TypeError, "__build_class__: not enough arguments");
    return nullptr;
  }
  PyObject* function = args[0];
  PyObject* name = args[1];
  if (!PyFunction_Check(function)) {
    PyErr_SetString(PyExc_TypeError, "__build_class__: func must be a function");
    return nullptr;
  }
  if (!PyUnicode_Check(name)) {
    PyErr_SetString(PyExc_TypeError, "__build_class__: name is not a string");
    return nullptr;
  }
  Ref<> original = Ref<>::steal(PyTuple_New(nargs - 2));
  if (!original) return nullptr;
  for (Py_ssize_t i = 2; i < nargs; ++i) PyTuple_SET_ITEM(original.get(), i - 2, Py_NewRef(args[i]));
  Ref<> bases = Ref<>::steal(update_bases(original));
  if (!bases) return nullptr;

  Ref<> keywords, meta;
  if (kwnames != nullptr) {
    keywords = Ref<>::steal(PyDict_New());
    if (!keywords) return nullptr;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(kwnames); ++i) {
      if (PyDict_SetItem(keywords, PyTuple_GET_ITEM(kwnames, i), args[nargs + i]) < 0) return nullptr;
    }
    PyObject* found;
    if (PyDict_PopString(keywords, "metaclass", &found) < 0) return nullptr;
    meta = Ref<>::steal(found);
  }
  if (!meta) {
    PyObject* type = PyTuple_GET_SIZE(bases.get()) == 0
                         ? reinterpret_cast<PyObject*>(&PyType_Type)
                         : reinterpret_cast<PyObject*>(Py_TYPE(PyTuple_GET_ITEM(bases.get(), 0)));
    meta = Ref<>::share(type);
  }
  const bool is_class = PyType_Check(meta.get());
  if (is_class) {
    PyTypeObject* winner = type_calculate_metaclass(reinterpret_cast<PyTypeObject*>(meta.get()), bases);
    if (winner == nullptr) return nullptr;
    meta = Ref<>::share(winner);
  }
  PyObject* found;
  if (PyObject_GetOptionalAttr(meta, names.dunder_prepare, &found) < 0) return nullptr;
  Ref<> prepare = Ref<>::steal(found);
  Ref<> ns;
  if (!prepare) {
    ns = Ref<>::steal(PyDict_New());
  } else {
    PyObject* prepare_args[2] = {name, bases};
    ns = Ref<>::steal(PyObject_VectorcallDict(prepare, prepare_args, 2, keywords));
  }
  if (!ns) return nullptr;
  if (!PyMapping_Check(ns.get())) {
    PyErr_Format(PyExc_TypeError, "%.200s.__prepare__() must return a mapping, not %.200s",
                 is_class ? reinterpret_cast<PyTypeObject*>(meta.get())->tp_name : "<metaclass>",
                 Py_TYPE(ns.get())->tp_name);
    return nullptr;
  }
  Ref<> cell = Ref<>::steal(eval_class_body(function, ns));
  if (!cell) return nullptr;
  if (bases.get() != original.get() && PyObject_SetItem(ns, names.dunder_orig_bases, original) < 0) return nullptr;
  PyObject* call_args[3] = {name, bases, ns};
  Ref<> cls = Ref<>::steal(PyObject_VectorcallDict(meta, call_args, 3, keywords));
  if (!cls) return nullptr;
  if (PyType_Check(cls.get()) && PyCell_Check(cell.get())) {
    Ref<> content = Ref<>::steal(PyCell_Get(cell));
    if (content.get() != cls.get()) {
      if (!content) {
        PyErr_Format(PyExc_RuntimeError,
                     "__class__ not set defining %.200R as %.200R. Was __classcell__ propagated to type.__new__?",
                     name, cls.get());
      } else {
        PyErr_Format(PyExc_TypeError, "__class__ set to %.200R defining %.200R as %.200R", content.get(), name,
                     cls.get());
      }
      return nullptr;
    }
  }
  return cls.release();
}

PyObject* builtin_import(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"name", "globals", "locals", "fromlist", "level", nullptr};
  PyObject *name, *globals = nullptr, *locals = nullptr, *fromlist = nullptr;
  int level = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "U|OOOi:__import__", const_cast<char**>(keywords), &name, &globals,
                                   &locals, &fromlist, &level)) {
    return nullptr;
  }
  return PyImport_ImportModuleLevelObject(name, globals, locals, fromlist, level);
}

// --- input and output

// sys.name as a new reference, or null without an exception.
PyObject* sys_attribute(const char* name) { return Py_XNewRef(PySys_GetObject(name)); }

PyObject* builtin_print(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  PyObject *sep = nullptr, *end = nullptr, *file = nullptr;
  int flush = 0;
  if (kwnames != nullptr) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(kwnames); ++i) {
      PyObject* kw = PyTuple_GET_ITEM(kwnames, i);
      PyObject* value = args[nargs + i];
      if (PyUnicode_EqualToUTF8(kw, "sep")) {
        sep = value;
      } else if (PyUnicode_EqualToUTF8(kw, "end")) {
        end = value;
      } else if (PyUnicode_EqualToUTF8(kw, "file")) {
        file = value;
      } else if (PyUnicode_EqualToUTF8(kw, "flush")) {
        flush = PyObject_IsTrue(value);
        if (flush < 0) return nullptr;
      } else {
        PyErr_Format(PyExc_TypeError, "print() got an unexpected keyword argument '%U'", kw);
        return nullptr;
      }
    }
  }
  Ref<> out;
  if (file == nullptr || file == Py_None) {
    out = Ref<>::steal(sys_attribute("stdout"));
    if (!out) {
      PyErr_SetString(PyExc_RuntimeError, "lost sys.stdout");
      return nullptr;
    }
    if (out.get() == Py_None) Py_RETURN_NONE;
  } else {
    out = Ref<>::share(file);
  }
  if (sep == Py_None) sep = nullptr;
  if (end == Py_None) end = nullptr;
  if (sep != nullptr && !PyUnicode_Check(sep)) {
    PyErr_Format(PyExc_TypeError, "sep must be None or a string, not %.200s", Py_TYPE(sep)->tp_name);
    return nullptr;
  }
  if (end != nullptr && !PyUnicode_Check(end)) {
    PyErr_Format(PyExc_TypeError, "end must be None or a string, not %.200s", Py_TYPE(end)->tp_name);
    return nullptr;
  }
  for (Py_ssize_t i = 0; i < nargs; ++i) {
    if (i > 0) {
      int status = sep == nullptr ? PyFile_WriteString(" ", out) : PyFile_WriteObject(sep, out, Py_PRINT_RAW);
      if (status < 0) return nullptr;
    }
    if (PyFile_WriteObject(args[i], out, Py_PRINT_RAW) < 0) return nullptr;
  }
  int status = end == nullptr ? PyFile_WriteString("\n", out) : PyFile_WriteObject(end, out, Py_PRINT_RAW);
  if (status < 0) return nullptr;
  if (flush) {
    Ref<> done = Ref<>::steal(PyObject_CallMethod(out, "flush", nullptr));
    if (!done) return nullptr;
  }
  Py_RETURN_NONE;
}

PyObject* standard_stream(const char* name) {
  PyObject* stream = sys_attribute(name);
  if (stream == nullptr || stream == Py_None) {
    Py_XDECREF(stream);
    PyErr_Format(PyExc_RuntimeError, "lost sys.%s", name);
    return nullptr;
  }
  return stream;
}

int flush_stream(PyObject* stream) {
  Ref<> done = Ref<>::steal(PyObject_CallMethod(stream, "flush", nullptr));
  return done ? 0 : -1;
}

// Reads through the line editor when both streams are the terminal; else writes the prompt and reads a line.
PyObject* builtin_input(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("input", nargs, 0, 1)) return nullptr;
  Ref<> in = Ref<>::steal(standard_stream("stdin"));
  if (!in) return nullptr;
  Ref<> out = Ref<>::steal(standard_stream("stdout"));
  if (!out) return nullptr;
  Ref<> err = Ref<>::steal(standard_stream("stderr"));
  if (!err) return nullptr;
  if (flush_stream(err) < 0) PyErr_Clear();
  if (nargs == 1 && PyFile_WriteObject(args[0], out, Py_PRINT_RAW) < 0) return nullptr;
  if (flush_stream(out) < 0) PyErr_Clear();
  return PyFile_GetLine(in, -1);
}

PyObject* builtin_breakpoint(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  PyObject* hook = sys_attribute("breakpointhook");
  if (hook == nullptr) {
    PyErr_SetString(PyExc_RuntimeError, "lost sys.breakpointhook");
    return nullptr;
  }
  PyObject* result = PyObject_Vectorcall(hook, args, static_cast<size_t>(nargs), kwnames);
  Py_DECREF(hook);
  return result;
}

PyObject* builtin_anext(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("anext", nargs, 1, 2)) return nullptr;
  PyTypeObject* type = Py_TYPE(args[0]);
  if (type->tp_as_async == nullptr || type->tp_as_async->am_anext == nullptr) {
    PyErr_Format(PyExc_TypeError, "'%.200s' object is not an async iterator", type->tp_name);
    return nullptr;
  }
  Ref<> awaitable = Ref<>::steal(type->tp_as_async->am_anext(args[0]));
  if (!awaitable || nargs == 1) return awaitable.release();
  return anext_with_default(awaitable, args[1]);
}

}  // namespace

bool is_builtin_import(PyObject* function) {
  return PyCFunction_Check(function) &&
         reinterpret_cast<PyCFunctionObject*>(function)->m_ml->ml_meth == as_cfunction(builtin_import);
}

PyMethodDef builtins_code_methods[] = {
    {"__build_class__", as_cfunction(builtin_build_class), METH_FASTCALL | METH_KEYWORDS,
     "__build_class__(func, name, /, *bases, [metaclass], **kwds) -> class"},
    {"__import__", as_cfunction(builtin_import), METH_VARARGS | METH_KEYWORDS,
     "__import__($module, /, name, globals=None, locals=None, fromlist=(),\n           level=0)\n--\n\nImport a module."},
    {"anext", as_cfunction(builtin_anext), METH_FASTCALL, "anext(async_iterator[, default])"},
    {"breakpoint", as_cfunction(builtin_breakpoint), METH_FASTCALL | METH_KEYWORDS,
     "breakpoint($module, /, *args, **kws)\n--\n\nCall sys.breakpointhook(*args, **kws)."},
    {"compile", as_cfunction(builtin_compile), METH_VARARGS | METH_KEYWORDS,
     "compile($module, /, source, filename, mode, flags=0,\n        dont_inherit=False, optimize=-1, *, "
     "_feature_version=-1)\n--\n\nCompile source into a code object that can be executed by exec() or eval()."},
    {"eval", as_cfunction(builtin_eval), METH_VARARGS | METH_KEYWORDS,
     "eval($module, source, /, globals=None, locals=None)\n--\n\nEvaluate the given source in the context of globals "
     "and locals."},
    {"exec", as_cfunction(builtin_exec), METH_VARARGS | METH_KEYWORDS,
     "exec($module, source, /, globals=None, locals=None, *, closure=None)\n--\n\nExecute the given source in the "
     "context of globals and locals."},
    {"input", as_cfunction(builtin_input), METH_FASTCALL,
     "input($module, prompt='', /)\n--\n\nRead a string from standard input.  The trailing newline is stripped."},
    {"print", as_cfunction(builtin_print), METH_FASTCALL | METH_KEYWORDS,
     "print($module, /, *args, sep=' ', end='\\n', file=None, flush=False)\n--\n\nPrints the values to a stream, or to "
     "sys.stdout by default."},
    {},
};

}  // namespace amphis
