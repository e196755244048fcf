// The Python-visible frame: created on demand over a running Frame, it takes the variables over when the frame ends
// while somebody still refers to it (tracebacks, sys._getframe).
#include <cstring>
#include <utility>

#include "gc/object_new.h"
#include "gc/roots.h"
#include "internal/pycore_frame.h"
#include "interp/frame_variables.h"
#include "interp/frame_view.h"
#include "interp/generator.h"
#include "interp/generator_methods.h"
#include "interp/load.h"
#include "interp/monitoring.h"
#include "interp/ops.h"
#include "objects/names.h"
#include "sync/object_lock.h"
#include "sync/ref.h"

namespace amphis {

namespace {

static_assert(offsetof(FrameObject, lineno) == offsetof(struct _frame, f_lineno));

FrameObject* as_frame(void* o) { return static_cast<FrameObject*>(o); }

// Code that the compiler adds (the ends of handlers) has no line: a frame that ended there shows the one before.
int current_line(Frame* f) {
  uint32_t index = f->index();
  Position at = code_position(f->code, index);
  while (at.line < 0 && index > 0) at = code_position(f->code, --index);
  return at.line;
}

void frame_drop_kept(FrameObject* o) {
  if (!o->detached || o->kept_regs == nullptr) return;
  Value* regs = o->kept_regs;
  o->kept_regs = nullptr;
  uint32_t count = code_extra(o->code)->nlocalsplus;
  for (uint32_t i = 0; i < count; ++i) {
    Value v = regs[i];
    regs[i] = kEmpty;
    drop(v);
  }
  PyMem_Free(regs);
}

void frame_dealloc(PyObject* self) {
  FrameObject* o = as_frame(self);
  PyObject_GC_UnTrack(self);
  frame_drop_kept(o);
  if (o->detached) {
    drop(o->kept.function);
    Py_CLEAR(o->kept.locals);
    Py_CLEAR(o->back);
  }
  Py_CLEAR(o->extra_locals);
  Py_CLEAR(o->overwritten);
  Py_CLEAR(o->trace);
  PyObject_GC_Del(self);
}

int frame_traverse(PyObject* self, visitproc visit, void* arg) {
  FrameObject* o = as_frame(self);
  Py_VISIT(o->extra_locals);
  Py_VISIT(o->overwritten);
  Py_VISIT(o->trace);
  gc::visit_uncounted(reinterpret_cast<PyObject*>(o->code), visit, arg);
  if (!o->detached) return 0;
  Py_VISIT(o->back);
  Py_VISIT(o->kept.locals);
  if (is_owned(o->kept.function)) Py_VISIT(pointer_of(o->kept.function));
  if (o->kept_regs != nullptr) {
    for (uint32_t i = 0; i < code_extra(o->code)->nlocalsplus; ++i) {
      if (is_owned(o->kept_regs[i])) Py_VISIT(pointer_of(o->kept_regs[i]));
    }
  }
  return 0;
}

int frame_tp_clear(PyObject* self) {
  FrameObject* o = as_frame(self);
  Ref<> trace, extra, overwritten;
  {
    ObjectLock lock(self);
    trace = Ref<>::steal(std::exchange(o->trace, nullptr));
    extra = Ref<>::steal(std::exchange(o->extra_locals, nullptr));
    overwritten = Ref<>::steal(std::exchange(o->overwritten, nullptr));
  }
  if (sync::load_acquire(o->frame) != &o->kept || o->kept_regs == nullptr) return 0;
  for (uint32_t i = 0; i < code_extra(o->code)->nlocalsplus; ++i) {
    Value v;
    {
      ObjectLock lock(self);
      v = std::exchange(o->kept_regs[i], kEmpty);
    }
    drop(v);
  }
  return 0;
}

// The generator whose frame this is, if it lives; null without an exception.
Ref<> generator_of_frame(FrameObject* o) {
  FrameView f(o);
  if (f.get() == &o->kept || (f->flags & kFrameGenerator) == 0) return {};
  auto* gen = reinterpret_cast<PyObject*>(generator_of(f.get()));
  return sync::try_incref(gen) ? Ref<>::steal(gen) : Ref<>();
}

PyObject* frame_clear(PyObject* self, PyObject*) {
  FrameObject* o = as_frame(self);
  Ref<> gen = generator_of_frame(o);
  if (gen) {
    uint8_t state = sync::load_acquire(reinterpret_cast<GeneratorObject*>(gen.get())->state);
    if (state == kGenSuspended) {
      PyErr_SetString(PyExc_RuntimeError, "cannot clear a suspended frame");
      return nullptr;
    }
    if (state == kGenCreated) {
      generator_finalize(gen);
      Py_RETURN_NONE;
    }
  } else if (sync::load_acquire(o->frame) == &o->kept) {
    frame_tp_clear(self);
    Py_RETURN_NONE;
  }
  PyErr_SetString(PyExc_RuntimeError, "cannot clear an executing frame");
  return nullptr;
}

int line_now(FrameObject* o) {
  FrameView f(o);
  return current_line(f.get());
}

PyObject* frame_repr(PyObject* self) {
  FrameObject* o = as_frame(self);
  return PyUnicode_FromFormat("<frame at %p, file %R, line %d, code %S>", self, o->code->co_filename, line_now(o),
                              o->code->co_name);
}

PyObject* get_back(PyObject* self, void*) {
  PyObject* back = reinterpret_cast<PyObject*>(PyFrame_GetBack(reinterpret_cast<PyFrameObject*>(self)));
  if (back == nullptr) {
    if (PyErr_Occurred()) return nullptr;
    Py_RETURN_NONE;
  }
  return back;
}
PyObject* get_code(PyObject* self, void*) { return Py_NewRef(reinterpret_cast<PyObject*>(as_frame(self)->code)); }
PyObject* get_globals(PyObject* self, void*) { return PyFrame_GetGlobals(reinterpret_cast<PyFrameObject*>(self)); }
PyObject* get_builtins(PyObject* self, void*) { return PyFrame_GetBuiltins(reinterpret_cast<PyFrameObject*>(self)); }
PyObject* get_lasti(PyObject* self, void*) {
  return PyLong_FromLong(PyFrame_GetLasti(reinterpret_cast<PyFrameObject*>(self)));
}
PyObject* get_lineno(PyObject* self, void*) {
  const int written = sync::load_relaxed(as_frame(self)->lineno);
  const int line = written != 0 ? written : line_now(as_frame(self));
  if (line < 0) Py_RETURN_NONE;
  return PyLong_FromLong(line);
}
int set_lineno(PyObject* self, PyObject* value, void*) { return frame_jump(as_frame(self), value); }
PyObject* get_locals(PyObject* self, void*) { return PyFrame_GetLocals(reinterpret_cast<PyFrameObject*>(self)); }
PyObject* get_trace(PyObject* self, void*) {
  Ref<> trace = sync::get_ref(&as_frame(self)->trace, self);
  return trace ? trace.release() : Py_NewRef(Py_None);
}
int set_trace(PyObject* self, PyObject* value, void*) {
  Ref<> old, given = Ref<>::share(value == Py_None ? nullptr : value);
  ObjectLock lock(self);
  old = sync::exchange_slot_locked(&as_frame(self)->trace, std::move(given));
  return 0;
}
PyObject* get_trace_opcodes(PyObject* self, void*) { return PyBool_FromLong(sync::load_relaxed(as_frame(self)->trace_opcodes)); }
int set_trace_opcodes(PyObject* self, PyObject* value, void*) {
  if (value == nullptr || !PyBool_Check(value)) {
    PyErr_SetString(PyExc_TypeError, "attribute value type must be bool");
    return -1;
  }
  FrameObject* o = as_frame(self);
  sync::store_relaxed(o->trace_opcodes, value == Py_True);
  return value == Py_True ? trace_opcodes(o->code) : 0;
}
PyObject* get_generator(PyObject* self, void*) {
  PyObject* gen = PyFrame_GetGenerator(reinterpret_cast<PyFrameObject*>(self));
  if (gen == nullptr) Py_RETURN_NONE;
  return gen;
}

PyObject* frame_sizeof(PyObject* self, PyObject*) {
  return PyLong_FromSize_t(sizeof(FrameObject) + code_extra(as_frame(self)->code)->register_count * sizeof(Value));
}

PyMemberDef frame_members[] = {
    {"f_trace_lines", Py_T_BOOL, offsetof(FrameObject, trace_lines), 0, nullptr},
    {},
};

PyGetSetDef frame_getsets[] = {
    {"f_back", get_back, nullptr, nullptr, nullptr},
    {"f_code", get_code, nullptr, nullptr, nullptr},
    {"f_globals", get_globals, nullptr, nullptr, nullptr},
    {"f_builtins", get_builtins, nullptr, nullptr, nullptr},
    {"f_lasti", get_lasti, nullptr, nullptr, nullptr},
    {"f_lineno", get_lineno, set_lineno, nullptr, nullptr},
    {"f_locals", get_locals, nullptr, nullptr, nullptr},
    {"f_trace", get_trace, set_trace, nullptr, nullptr},
    {"f_trace_opcodes", get_trace_opcodes, set_trace_opcodes, nullptr, nullptr},
    {"f_generator", get_generator, nullptr, nullptr, nullptr},
    {},
};

PyMethodDef frame_methods[] = {
    {"clear", frame_clear, METH_NOARGS, "clear($self, /)\n--\n\nClear all references held by the frame."},
    {"__sizeof__", frame_sizeof, METH_NOARGS, "Return the size of the frame in memory, in bytes."},
    {},
};

}  // namespace

FrameObject* frame_object(Frame* f) {
  if (f->object != nullptr) {
    return as_frame(Py_NewRef(reinterpret_cast<PyObject*>(f->object)));
  }
  auto* o = new_gc_object<FrameObject>(&PyFrame_Type);
  if (o == nullptr) {
    PyErr_NoMemory();
    return nullptr;
  }
  o->frame = f;
  o->code = f->code;
  o->back = nullptr;
  o->extra_locals = nullptr;
  o->overwritten = nullptr;
  o->trace = nullptr;
  o->lineno = 0;
  o->detached = false;
  o->trace_lines = true;
  o->trace_opcodes = false;
  o->kept = {};
  o->kept_regs = nullptr;
  track(o);
  f->object = reinterpret_cast<PyFrameObject*>(Py_NewRef(reinterpret_cast<PyObject*>(o)));
  return o;
}

void frame_object_detach(Frame* f) {
  FrameObject* o = as_frame(f->object);
  f->object = nullptr;
  if (sync::is_unique(reinterpret_cast<PyObject*>(o))) {
    o->detached = true;  // nothing was kept
    o->kept.function = kEmpty;
    Py_DECREF(o);
    return;
  }
  Ref<> exc = Ref<>::steal(PyErr_GetRaisedException());
  const uint32_t count = code_extra(f->code)->nlocalsplus;
  auto* regs = static_cast<Value*>(PyMem_Malloc((count + 1) * sizeof(Value)));
  o->kept = *f;
  o->kept.function = copy_value(value_borrowed(pointer_of(f->function)));
  o->kept.locals = Py_XNewRef(f->locals);
  o->kept.object = nullptr;
  o->kept.pending = nullptr;
  o->kept.prev = nullptr;
  o->kept.regs = regs;
  if (regs != nullptr) {
    for (uint32_t i = 0; i < count; ++i) {
      regs[i] = to_owned(f->regs[i]);
      f->regs[i] = kEmpty;
    }
  }
  o->kept_regs = regs;
  if (f->prev != nullptr && (f->flags & kFrameGenerator) == 0) {
    o->back = reinterpret_cast<PyObject*>(frame_object(f->prev));
    if (o->back == nullptr) PyErr_Clear();
  }
  o->detached = true;
  sync::store_release(o->frame, &o->kept);
  Py_DECREF(o);
  if (exc) PyErr_SetRaisedException(exc.release());
}

Value frame_variable(Frame* f, uint32_t i) {
  if (f->regs == nullptr) return kEmpty;
  Value v = f->regs[i];
  auto kind = static_cast<uint8_t>(PyBytes_AS_STRING(f->code->co_localspluskinds)[i]);
  if ((kind & (kLocalCell | kLocalFree)) && is_pointer(v) && v != kEmpty && PyCell_Check(pointer_of(v))) {
    return load_slot(&reinterpret_cast<PyCellObject*>(pointer_of(v))->ob_ref, pointer_of(v), false);
  }
  return copy_value(v);
}

bool frame_has_fast_locals(Frame* f) {
  if ((f->code->co_flags & CO_OPTIMIZED) != 0) return true;
  if (f->regs == nullptr) return false;
  // A comprehension that runs in a module or class body: its variables are what locals() tells of.
  for (uint32_t i = 0, n = code_extra(f->code)->nlocalsplus; i < n; ++i) {
    auto kind = static_cast<uint8_t>(PyBytes_AS_STRING(f->code->co_localspluskinds)[i]);
    if ((kind & kLocalHidden) != 0 && f->regs[i] != kEmpty) return true;
  }
  return false;
}

PyObject* frame_locals_snapshot(FrameObject* o) {
  Ref<> dict = Ref<>::steal(PyDict_New());
  if (!dict) return nullptr;
  const PyCodeObject* code = o->code;
  const uint32_t count = code_extra(code)->nlocalsplus;
  {
    FrameView f(o);
    // Variables of comprehensions, bound while those run, hide others of their name.
    for (const bool hidden : {false, true}) {
      for (uint32_t i = 0; i < count; ++i) {
        auto kind = static_cast<uint8_t>(PyBytes_AS_STRING(code->co_localspluskinds)[i]);
        if (((kind & kLocalHidden) != 0) != hidden) continue;
        Value v = frame_variable(f.get(), i);
        if (v == kEmpty) continue;
        Ref<> value = Ref<>::steal(value_take_object(v));
        if (!value || PyDict_SetItem(dict, PyTuple_GET_ITEM(code->co_localsplusnames, i), value) < 0) return nullptr;
      }
    }
  }
  Ref<> extra = sync::get_ref(&o->extra_locals, o);
  if (extra && PyDict_Update(dict, extra) < 0) return nullptr;
  return dict.release();
}

// What f_locals of a class or module body is; null for a function.
static PyObject* frame_namespace_object(PyFrameObject* frame) {
  FrameView f(as_frame(frame));
  if (frame_has_fast_locals(f.get())) return nullptr;
  return Py_NewRef(f->locals != nullptr ? f->locals : f->globals());
}

}  // namespace amphis

extern "C" {

using namespace amphis;

PyTypeObject PyFrame_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "frame",
    .tp_basicsize = sizeof(FrameObject),
    .tp_dealloc = frame_dealloc,
    .tp_repr = frame_repr,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_setattro = PyObject_GenericSetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_traverse = frame_traverse,
    .tp_clear = frame_tp_clear,
    .tp_methods = frame_methods,
    .tp_members = frame_members,
    .tp_getset = frame_getsets,
};

PyFrameObject* PyEval_GetFrame(void) {
  Frame* f = current_frame(current_thread());
  if (f == nullptr) return nullptr;
  FrameObject* o = frame_object(f);
  Py_XDECREF(o);  // the frame keeps it: borrowed
  return reinterpret_cast<PyFrameObject*>(o);
}

PyFrameObject* PyThreadState_GetFrame(PyThreadState* ts) {
  std::optional<StopTheWorld> stopped;
  if (thread_state(ts) != current_thread()) stopped.emplace("look at a frame");
  Frame* f = current_frame(thread_state(ts));
  return f == nullptr ? nullptr : reinterpret_cast<PyFrameObject*>(frame_object(f));
}

// A frame that never runs: extensions put such frames into tracebacks.
PyFrameObject* PyFrame_New(PyThreadState*, PyCodeObject* code, PyObject* globals, PyObject* locals) {
  Ref<> function = Ref<>::steal(PyFunction_New(reinterpret_cast<PyObject*>(code), globals));
  if (!function) return nullptr;
  auto* o = PyObject_GC_New(FrameObject, &PyFrame_Type);
  if (o == nullptr) return nullptr;
  memset(reinterpret_cast<char*>(o) + sizeof(PyObject), 0, sizeof(FrameObject) - sizeof(PyObject));
  o->trace_lines = true;
  o->detached = true;
  o->frame = &o->kept;
  o->code = code;
  o->kept.pc = code_words(code);
  o->kept.code = code;
  o->kept.function = value_owned(function.release());
  o->kept.locals = Py_XNewRef(locals);
  o->kept.constants = code_extra(code)->constants;
  o->kept.variables = code_extra(code)->nlocalsplus;
  PyObject_GC_Track(o);
  return reinterpret_cast<PyFrameObject*>(o);
}

// f_locals of a function is a view of its variables: there is nothing to copy either way.
int PyFrame_FastToLocalsWithError(PyFrameObject*) { return 0; }
void PyFrame_FastToLocals(PyFrameObject*) {}
void PyFrame_LocalsToFast(PyFrameObject*, int) {}

int _PyFrame_IsEntryFrame(PyFrameObject* frame) {
  FrameObject* o = as_frame(frame);
  FrameView f(o);
  return f.get() != &o->kept && (f->prev == nullptr || (f->flags & kFrameEntry) != 0);
}

// What PEP 523 hands to frame evaluators is the machine's own record.
PyObject* PyUnstable_InterpreterFrame_GetCode(struct _PyInterpreterFrame* frame) {
  return Py_NewRef(reinterpret_cast<PyObject*>(reinterpret_cast<Frame*>(frame)->code));
}
int PyUnstable_InterpreterFrame_GetLasti(struct _PyInterpreterFrame* frame) {
  return static_cast<int>(reinterpret_cast<Frame*>(frame)->index()) * 2;
}
int PyUnstable_InterpreterFrame_GetLine(struct _PyInterpreterFrame* frame) {
  return current_line(reinterpret_cast<Frame*>(frame));
}
const PyTypeObject* const PyUnstable_ExecutableKinds[PyUnstable_EXECUTABLE_KINDS + 1] = {
    &_PyNone_Type, &PyCode_Type, &PyMethod_Type, &PyCFunction_Type, &PyMethodDescr_Type, nullptr};

PyCodeObject* PyFrame_GetCode(PyFrameObject* frame) {
  return reinterpret_cast<PyCodeObject*>(Py_NewRef(reinterpret_cast<PyObject*>(as_frame(frame)->code)));
}

PyFrameObject* PyFrame_GetBack(PyFrameObject* frame) {
  FrameObject* o = as_frame(frame);
  FrameView f(o);
  if (f.get() == &o->kept) return reinterpret_cast<PyFrameObject*>(Py_XNewRef(o->back));
  return f->prev == nullptr ? nullptr : reinterpret_cast<PyFrameObject*>(frame_object(f->prev));
}

int PyFrame_GetLineNumber(PyFrameObject* frame) {
  if (int written = sync::load_relaxed(as_frame(frame)->lineno); written != 0) return written;
  int line = line_now(as_frame(frame));
  return line < 0 ? 0 : line;
}

int PyFrame_GetLasti(PyFrameObject* frame) {
  FrameView f(as_frame(frame));
  return static_cast<int>(f->index()) * 2;
}

PyObject* PyFrame_GetGlobals(PyFrameObject* frame) {
  FrameView f(as_frame(frame));
  return Py_NewRef(f->globals());
}
PyObject* PyFrame_GetBuiltins(PyFrameObject* frame) {
  FrameView f(as_frame(frame));
  return Py_NewRef(f->builtins());
}

PyObject* PyFrame_GetLocals(PyFrameObject* frame) {
  if (PyObject* ns = frame_namespace_object(frame)) return ns;
  return frame_locals_proxy_new(reinterpret_cast<PyObject*>(frame));
}

PyObject* PyFrame_GetGenerator(PyFrameObject* frame) { return generator_of_frame(as_frame(frame)).release(); }

PyObject* PyFrame_GetVar(PyFrameObject* frame, PyObject* name) {
  if (!PyUnicode_Check(name)) {
    PyErr_Format(PyExc_TypeError, "name must be str, not %s", Py_TYPE(name)->tp_name);
    return nullptr;
  }
  const PyCodeObject* code = as_frame(frame)->code;
  for (uint32_t i = 0; i < code_extra(code)->nlocalsplus; ++i) {
    if (PyUnicode_Equal(PyTuple_GET_ITEM(code->co_localsplusnames, i), name) != 1) continue;
    Value v;
    {
      FrameView f(as_frame(frame));
      v = frame_variable(f.get(), i);
    }
    if (v == kEmpty) break;
    return value_take_object(v);
  }
  PyErr_Format(PyExc_NameError, "variable %R does not exist", name);
  return nullptr;
}

PyObject* PyFrame_GetVarString(PyFrameObject* frame, const char* name) {
  Ref<> text = Ref<>::steal(PyUnicode_FromString(name));
  return text ? PyFrame_GetVar(frame, text) : nullptr;
}

PyObject* PyEval_GetBuiltins(void) {
  ThreadState* ts = current_thread();
  Frame* f = current_frame(ts);
  if (f != nullptr) return f->builtins();
  return interpreter_builtins();
}

PyObject* PyEval_GetGlobals(void) {
  Frame* f = current_frame(current_thread());
  return f != nullptr ? f->globals() : nullptr;
}

PyObject* PyEval_GetFrameGlobals(void) { return Py_XNewRef(PyEval_GetGlobals()); }
PyObject* PyEval_GetFrameBuiltins(void) { return Py_XNewRef(PyEval_GetBuiltins()); }

PyObject* PyEval_GetFrameLocals(void) {
  Frame* f = current_frame(current_thread());
  if (f == nullptr) {
    PyErr_SetString(PyExc_SystemError, "frame does not exist");
    return nullptr;
  }
  if (!frame_has_fast_locals(f)) {
    return Py_NewRef(f->locals != nullptr ? f->locals : f->globals());
  }
  Ref<> o = Ref<>::steal(frame_object(f));
  return o ? frame_locals_snapshot(as_frame(o.get())) : nullptr;
}

PyObject* PyEval_GetLocals(void) {
  Frame* f = current_frame(current_thread());
  if (f == nullptr) {
    PyErr_SetString(PyExc_SystemError, "frame does not exist");
    return nullptr;
  }
  if (!frame_has_fast_locals(f)) return f->locals != nullptr ? f->locals : f->globals();
  // Borrowed from the frame object, as this old call promises.
  Ref<> o = Ref<>::steal(frame_object(f));
  if (!o) return nullptr;
  PyObject* snapshot = frame_locals_snapshot(as_frame(o.get()));
  if (snapshot == nullptr) return nullptr;
  FrameObject* frame = as_frame(o.get());
  if (frame->overwritten == nullptr) frame->overwritten = PyList_New(0);
  int status = frame->overwritten != nullptr ? PyList_Append(frame->overwritten, snapshot) : -1;
  Py_DECREF(snapshot);
  return status < 0 ? nullptr : snapshot;
}

}  // extern "C"
