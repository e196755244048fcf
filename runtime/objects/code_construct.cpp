// Code objects from parts: types.CodeType(...), code.replace() and the PyCode_New family.
//
// The register layout travels in co_linetable (code_tables.h), so that a code object rebuilt from its attributes is the
// same. A line table in any other format belongs to code without instructions of ours (extension modules make such
// objects for tracebacks): those run as an immediate return of None.
#include <cstring>

#include "objects/code_tables.h"
#include "sync/ref.h"

namespace amphis {

CodeSpec code_spec(const PyCodeObject* code) {
  CodeSpec spec;
  spec.filename = code->co_filename;
  spec.name = code->co_name;
  spec.qualname = code->co_qualname;
  spec.consts = code->co_consts;
  spec.names = code->co_names;
  spec.localsplusnames = code->co_localsplusnames;
  std::string_view kinds = bytes_view(code->co_localspluskinds);
  spec.localspluskinds.assign(kinds.begin(), kinds.end());
  spec.argcount = code->co_argcount;
  spec.posonlyargcount = code->co_posonlyargcount;
  spec.kwonlyargcount = code->co_kwonlyargcount;
  spec.flags = code->co_flags;
  spec.firstlineno = code->co_firstlineno;
  spec.temporaries = static_cast<uint32_t>(code->co_stacksize);
  std::string words = code_general_words(code);
  spec.words.resize(words.size() / sizeof(Word));
  std::memcpy(spec.words.data(), words.data(), words.size());
  spec.ranges = decode_ranges(bytes_view(code->co_exceptiontable));
  spec.linetable = code->co_linetable;
  return spec;
}

namespace {

// The arguments of the constructor, borrowed.
struct Parts {
  int argcount = 0, posonly = 0, kwonly = 0, nlocals = 0, stacksize = 0, flags = 0, firstlineno = 0;
  PyObject *code = nullptr, *consts = nullptr, *names = nullptr, *varnames = nullptr, *filename = nullptr,
           *name = nullptr, *qualname = nullptr, *linetable = nullptr, *exceptiontable = nullptr, *freevars = nullptr,
           *cellvars = nullptr;
};

bool all_names(PyObject* tuple) {
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple); ++i) {
    if (!PyUnicode_CheckExact(PyTuple_GET_ITEM(tuple, i))) {
      PyErr_Format(PyExc_TypeError, "name tuples must contain only strings, not '%.500s'",
                   Py_TYPE(PyTuple_GET_ITEM(tuple, i))->tp_name);
      return false;
    }
  }
  return true;
}

Ref<> interned(PyObject* tuple) {
  Ref<> copy = Ref<>::steal(PyTuple_New(PyTuple_GET_SIZE(tuple)));
  for (Py_ssize_t i = 0; copy && i < PyTuple_GET_SIZE(tuple); ++i) {
    PyObject* s = Py_NewRef(PyTuple_GET_ITEM(tuple, i));
    PyUnicode_InternInPlace(&s);
    PyTuple_SET_ITEM(copy.get(), i, s);
  }
  return copy;
}

// Registers for code that is not ours, or whose layout was lost: variables, cells, free variables.
void default_layout(const Parts& p, RegisterLayout* layout, std::vector<PyObject*>* names) {
  const Py_ssize_t nvars = PyTuple_GET_SIZE(p.varnames);
  const int total = p.argcount + p.kwonly + ((p.flags & CO_VARARGS) != 0) + ((p.flags & CO_VARKEYWORDS) != 0);
  for (Py_ssize_t i = 0; i < nvars; ++i) {
    uint8_t kind = kLocal;
    if (i < p.posonly) {
      kind |= kLocalArgPos;
    } else if (i < p.argcount) {
      kind |= kLocalArgPos | kLocalArgKw;
    } else if (i < p.argcount + p.kwonly) {
      kind |= kLocalArgKw;
    } else if (i < total) {
      kind |= kLocalArgVar;
    }
    PyObject* name = PyTuple_GET_ITEM(p.varnames, i);
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(p.cellvars); ++k) {
      if (PyUnicode_Equal(PyTuple_GET_ITEM(p.cellvars, k), name) == 1) kind |= kLocalCell;
    }
    layout->kinds.push_back(kind);
    names->push_back(name);
  }
  for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(p.cellvars); ++k) {
    PyObject* name = PyTuple_GET_ITEM(p.cellvars, k);
    bool argument = false;
    for (Py_ssize_t i = 0; i < nvars; ++i) argument |= PyUnicode_Equal(PyTuple_GET_ITEM(p.varnames, i), name) == 1;
    if (argument) continue;
    layout->kinds.push_back(kLocalCell);
    names->push_back(name);
  }
  for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(p.freevars); ++k) {
    layout->kinds.push_back(kLocalFree);
    names->push_back(PyTuple_GET_ITEM(p.freevars, k));
  }
  layout->hidden_names.resize(layout->kinds.size());
}

// Gives the registers of a known layout their names. False: the tuples do not fit it.
bool named_layout(const Parts& p, const RegisterLayout& layout, std::vector<PyObject*>* names) {
  Py_ssize_t var = 0, cell = 0, free = 0;
  for (size_t i = 0; i < layout.kinds.size(); ++i) {
    const uint8_t kind = layout.kinds[i];
    PyObject* name = nullptr;
    if (kind & kLocalHidden) {
      const auto at = static_cast<Py_ssize_t>(layout.hidden_names[i]);
      if (at >= PyTuple_GET_SIZE(p.varnames)) return false;
      name = PyTuple_GET_ITEM(p.varnames, at);
      if (at == var) ++var;
    } else if (kind & kLocal) {
      if (var >= PyTuple_GET_SIZE(p.varnames)) return false;
      name = PyTuple_GET_ITEM(p.varnames, var++);
    }
    if (kind & kLocalCell) {
      if (cell >= PyTuple_GET_SIZE(p.cellvars)) return false;
      PyObject* cell_name = PyTuple_GET_ITEM(p.cellvars, cell++);
      if (name == nullptr) name = cell_name;
    }
    if (kind & kLocalFree) {
      if (free >= PyTuple_GET_SIZE(p.freevars)) return false;
      name = PyTuple_GET_ITEM(p.freevars, free++);
    }
    if (name == nullptr) return false;
    names->push_back(name);
  }
  return var == PyTuple_GET_SIZE(p.varnames) && cell == PyTuple_GET_SIZE(p.cellvars) &&
         free == PyTuple_GET_SIZE(p.freevars);
}

// Refuses words that would lead the machine out of the code or the tables.
bool valid_words(const std::vector<Word>& words, Py_ssize_t consts, Py_ssize_t names) {
  size_t i = 0;
  std::vector<bool> start(words.size() + 1, false);
  while (i < words.size()) {
    start[i] = true;
    const Op op = word_op(words[i]);
    if (op >= Op::kFirstSpecial) return false;
    i += 1u + op_info(op).cache_words;
  }
  if (i != words.size()) return false;
  for (i = 0; i < words.size();) {
    const Word w = words[i];
    const OpInfo& info = op_info(word_op(w));
    const size_t next = i + 1u + info.cache_words;
    for (const char* f = info.format; *f != '\0'; ++f) {
      const int32_t wide = word_bc(w);
      if (*f == 'J') {
        const int64_t target = static_cast<int64_t>(next) + wide;
        if (target < 0 || target >= static_cast<int64_t>(words.size()) || !start[static_cast<size_t>(target)]) {
          return false;
        }
      } else if (*f == 'K' && (wide < 0 || wide >= consts)) {
        return false;
      } else if (*f == 'N') {
        const int32_t index = std::strcmp(info.format, "AN") == 0 ? wide : word_c(w);
        if (index < 0 || index >= names) return false;
      }
    }
    i = next;
  }
  return true;
}

PyCodeObject* make_code(const Parts& p) {
  if (p.argcount < p.posonly || p.posonly < 0 || p.kwonly < 0 || p.nlocals < 0 || p.stacksize < 0 || p.flags < 0 ||
      p.code == nullptr || !PyBytes_Check(p.code) || p.consts == nullptr || !PyTuple_Check(p.consts) ||
      p.names == nullptr || !PyTuple_Check(p.names) || p.varnames == nullptr || !PyTuple_Check(p.varnames) ||
      p.freevars == nullptr || !PyTuple_Check(p.freevars) || p.cellvars == nullptr || !PyTuple_Check(p.cellvars) ||
      p.name == nullptr || !PyUnicode_Check(p.name) || p.qualname == nullptr || !PyUnicode_Check(p.qualname) ||
      p.filename == nullptr || !PyUnicode_Check(p.filename) || p.linetable == nullptr || !PyBytes_Check(p.linetable) ||
      p.exceptiontable == nullptr || !PyBytes_Check(p.exceptiontable)) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  if (!all_names(p.names) || !all_names(p.varnames) || !all_names(p.freevars) || !all_names(p.cellvars)) {
    return nullptr;
  }
  RegisterLayout layout;
  std::vector<PyObject*> registers;
  const bool ours = decode_layout(bytes_view(p.linetable), &layout) && named_layout(p, layout, &registers);
  CodeSpec spec;
  if (!ours) {
    layout = RegisterLayout{};
    registers.clear();
    default_layout(p, &layout, &registers);
  }
  Ref<> names = interned(p.names);
  Ref<> register_names = Ref<>::steal(PyTuple_New(static_cast<Py_ssize_t>(registers.size())));
  if (!names || !register_names) return nullptr;
  for (size_t i = 0; i < registers.size(); ++i) {
    PyObject* s = Py_NewRef(registers[i]);
    PyUnicode_InternInPlace(&s);
    PyTuple_SET_ITEM(register_names.get(), static_cast<Py_ssize_t>(i), s);
  }
  Ref<> consts = Ref<>::share(p.consts);
  std::string_view words = bytes_view(p.code);
  constexpr size_t kGuideBytes = 2;  // for each word, before them all (code_guide)
  if (ours && words.size() % (kGuideBytes + sizeof(Word)) == 0 && !words.empty()) {
    words.remove_prefix(words.size() / (kGuideBytes + sizeof(Word)) * kGuideBytes);
    spec.words.resize(words.size() / sizeof(Word));
    std::memcpy(spec.words.data(), words.data(), words.size());
    if (!valid_words(spec.words, PyTuple_GET_SIZE(p.consts), PyTuple_GET_SIZE(p.names))) {
      PyErr_SetString(PyExc_ValueError, "code: co_code is malformed");
      return nullptr;
    }
    spec.ranges = decode_ranges(bytes_view(p.exceptiontable));
  } else {
    const Py_ssize_t n = PyTuple_GET_SIZE(p.consts);
    consts = Ref<>::steal(PyTuple_New(n + 1));
    if (!consts) return nullptr;
    for (Py_ssize_t i = 0; i < n; ++i) PyTuple_SET_ITEM(consts.get(), i, Py_NewRef(PyTuple_GET_ITEM(p.consts, i)));
    PyTuple_SET_ITEM(consts.get(), n, Py_NewRef(Py_None));
    spec.words.push_back(encode_wide(Op::RETURN_CONST, 0, 0, static_cast<int32_t>(n)));
  }
  spec.filename = p.filename;
  spec.name = p.name;
  spec.qualname = p.qualname;
  spec.consts = consts;
  spec.names = names;
  spec.localsplusnames = register_names;
  spec.localspluskinds = layout.kinds;
  spec.argcount = p.argcount;
  spec.posonlyargcount = p.posonly;
  spec.kwonlyargcount = p.kwonly;
  spec.flags = p.flags;
  spec.firstlineno = p.firstlineno;
  spec.temporaries = static_cast<uint32_t>(p.stacksize);
  spec.linetable = p.linetable;
  return code_new(spec);
}

}  // namespace

PyObject* code_tp_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  if (kwargs != nullptr && PyDict_GET_SIZE(kwargs) != 0) {
    PyErr_SetString(PyExc_TypeError, "code() takes no keyword arguments");
    return nullptr;
  }
  Parts p;
  if (!PyArg_ParseTuple(args, "iiiiiiSO!O!O!UUUiSS|O!O!:code", &p.argcount, &p.posonly, &p.kwonly, &p.nlocals,
                        &p.stacksize, &p.flags, &p.code, &PyTuple_Type, &p.consts, &PyTuple_Type, &p.names,
                        &PyTuple_Type, &p.varnames, &p.filename, &p.name, &p.qualname, &p.firstlineno, &p.linetable,
                        &p.exceptiontable, &PyTuple_Type, &p.freevars, &PyTuple_Type, &p.cellvars)) {
    return nullptr;
  }
  if (PySys_Audit("code.__new__", "OOOiiiiii", p.code, p.filename, p.name, p.argcount, p.posonly, p.kwonly, p.nlocals,
                  p.stacksize, p.flags) < 0) {
    return nullptr;
  }
  const struct {
    int value;
    const char* text;
  } counts[] = {{p.argcount, "code: argcount must not be negative"},
                {p.posonly, "code: posonlyargcount must not be negative"},
                {p.kwonly, "code: kwonlyargcount must not be negative"},
                {p.nlocals, "code: nlocals must not be negative"}};
  for (const auto& c : counts) {
    if (c.value < 0) {
      PyErr_SetString(PyExc_ValueError, c.text);
      return nullptr;
    }
  }
  if (PyTuple_GET_SIZE(p.varnames) != p.nlocals) {
    PyErr_SetString(PyExc_ValueError, "code: co_nlocals != len(co_varnames)");
    return nullptr;
  }
  Ref<> empty = Ref<>::steal(PyTuple_New(0));
  if (!empty) return nullptr;
  if (p.freevars == nullptr) p.freevars = empty;
  if (p.cellvars == nullptr) p.cellvars = empty;
  return reinterpret_cast<PyObject*>(make_code(p));
}

PyObject* code_replace_impl(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {
      "co_argcount", "co_posonlyargcount", "co_kwonlyargcount", "co_nlocals",   "co_stacksize", "co_flags",
      "co_firstlineno", "co_code",         "co_consts",         "co_names",     "co_varnames",  "co_freevars",
      "co_cellvars", "co_filename",        "co_name",           "co_qualname",  "co_linetable", "co_exceptiontable",
      nullptr};
  auto* code = reinterpret_cast<PyCodeObject*>(self);
  Parts p;
  p.argcount = code->co_argcount;
  p.posonly = code->co_posonlyargcount;
  p.kwonly = code->co_kwonlyargcount;
  p.nlocals = code->co_nlocals;
  p.stacksize = code->co_stacksize;
  p.flags = code->co_flags;
  p.firstlineno = code->co_firstlineno;
  PyObject *varnames = nullptr, *freevars = nullptr, *cellvars = nullptr, *new_code = nullptr, *linetable = nullptr,
           *exceptiontable = nullptr;
  p.consts = code->co_consts;
  p.names = code->co_names;
  p.filename = code->co_filename;
  p.name = code->co_name;
  p.qualname = code->co_qualname;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$iiiiiiiSO!O!O!O!O!UUUSS:replace", const_cast<char**>(keywords),
                                   &p.argcount, &p.posonly, &p.kwonly, &p.nlocals, &p.stacksize, &p.flags,
                                   &p.firstlineno, &new_code, &PyTuple_Type, &p.consts, &PyTuple_Type, &p.names,
                                   &PyTuple_Type, &varnames, &PyTuple_Type, &freevars, &PyTuple_Type, &cellvars,
                                   &p.filename, &p.name, &p.qualname, &linetable, &exceptiontable)) {
    return nullptr;
  }
  const struct {
    int value;
    const char* text;
  } counts[] = {{p.argcount, "co_argcount must be a positive integer"},
                {p.posonly, "co_posonlyargcount must be a positive integer"},
                {p.kwonly, "co_kwonlyargcount must be a positive integer"},
                {p.nlocals, "co_nlocals must be a positive integer"},
                {p.stacksize, "co_stacksize must be a positive integer"},
                {p.flags, "co_flags must be a positive integer"},
                {p.firstlineno, "co_firstlineno must be a positive integer"}};
  for (const auto& c : counts) {
    if (c.value < 0) {
      PyErr_SetString(PyExc_ValueError, c.text);
      return nullptr;
    }
  }
  Ref<> own_code = Ref<>::steal(PyCode_GetCode(code));
  Ref<> own_varnames = Ref<>::steal(code_varnames(code));
  Ref<> own_freevars = Ref<>::steal(PyCode_GetFreevars(code));
  Ref<> own_cellvars = Ref<>::steal(PyCode_GetCellvars(code));
  if (!own_code || !own_varnames || !own_freevars || !own_cellvars) return nullptr;
  p.code = new_code != nullptr ? new_code : own_code.get();
  p.varnames = varnames != nullptr ? varnames : own_varnames.get();
  p.freevars = freevars != nullptr ? freevars : own_freevars.get();
  p.cellvars = cellvars != nullptr ? cellvars : own_cellvars.get();
  p.linetable = linetable != nullptr ? linetable : code->co_linetable;
  p.exceptiontable = exceptiontable != nullptr ? exceptiontable : code->co_exceptiontable;
  if (PySys_Audit("code.__new__", "OOOiiiiii", p.code, p.filename, p.name, p.argcount, p.posonly, p.kwonly, p.nlocals,
                  p.stacksize, p.flags) < 0) {
    return nullptr;
  }
  if (PyTuple_GET_SIZE(p.varnames) != p.nlocals) {
    PyErr_SetString(PyExc_ValueError, "code: co_nlocals != len(co_varnames)");
    return nullptr;
  }
  return reinterpret_cast<PyObject*>(make_code(p));
}

}  // namespace amphis

using namespace amphis;

extern "C" {

PyCodeObject* PyUnstable_Code_NewWithPosOnlyArgs(int argcount, int posonly, int kwonly, int nlocals, int stacksize,
                                                 int flags, PyObject* code, PyObject* consts, PyObject* names,
                                                 PyObject* varnames, PyObject* freevars, PyObject* cellvars,
                                                 PyObject* filename, PyObject* name, PyObject* qualname,
                                                 int firstlineno, PyObject* linetable, PyObject* exceptiontable) {
  Parts p{argcount, posonly,  kwonly, nlocals,  stacksize, flags,     firstlineno,    code,     consts,
          names,    varnames, filename, name,   qualname,  linetable, exceptiontable, freevars, cellvars};
  return make_code(p);
}

PyCodeObject* PyUnstable_Code_New(int argcount, int kwonly, int nlocals, int stacksize, int flags, PyObject* code,
                                  PyObject* consts, PyObject* names, PyObject* varnames, PyObject* freevars,
                                  PyObject* cellvars, PyObject* filename, PyObject* name, PyObject* qualname,
                                  int firstlineno, PyObject* linetable, PyObject* exceptiontable) {
  return PyUnstable_Code_NewWithPosOnlyArgs(argcount, 0, kwonly, nlocals, stacksize, flags, code, consts, names,
                                            varnames, freevars, cellvars, filename, name, qualname, firstlineno,
                                            linetable, exceptiontable);
}

PyCodeObject* PyCode_NewEmpty(const char* filename, const char* name, int firstlineno) {
  Ref<> empty = Ref<>::steal(PyTuple_New(0));
  Ref<> bytes = Ref<>::steal(PyBytes_FromStringAndSize(nullptr, 0));
  Ref<> file = Ref<>::steal(PyUnicode_DecodeFSDefault(filename));
  Ref<> text = Ref<>::steal(PyUnicode_FromString(name));
  if (!empty || !bytes || !file || !text) return nullptr;
  return PyUnstable_Code_NewWithPosOnlyArgs(0, 0, 0, 0, 0, 0, bytes, empty, empty, empty, empty, empty, file, text,
                                            text, firstlineno, bytes, bytes);
}

}  // extern "C"
