// The two directions between slots and special methods: slot_* call a special method written in Python, wrap_*
// call a native slot with Python arguments. type_slots.def pairs them.
#pragma once

#include "objects/type.h"

namespace amphis {

using Name = PyObject * Names::*;

// --- slot_*: a class's slot calls its method -------------------------------------------------------------------
template <Name N>
PyObject* slot_unary(PyObject* self) {
  return call_special(names.*N, &self, 1);
}
template <Name N>
PyObject* slot_with_one(PyObject* self, PyObject* other) {
  PyObject* args[] = {self, other};
  return call_special(names.*N, args, 2);
}
// self + other where at least one side's class has this very function in the slot.
PyObject* slot_binary_call(PyObject* self, PyObject* other, PyObject* op, PyObject* rop, bool self_has,
                           bool other_has);
inline PyNumberMethods* number_methods(PyObject* obj) { return Py_TYPE(obj)->tp_as_number; }
template <Name Op, Name Rop, binaryfunc PyNumberMethods::*Slot>
PyObject* slot_binary(PyObject* self, PyObject* other) {
  binaryfunc me = slot_binary<Op, Rop, Slot>;
  PyNumberMethods* a = number_methods(self);
  PyNumberMethods* b = number_methods(other);
  return slot_binary_call(self, other, names.*Op, names.*Rop, a != nullptr && a->*Slot == me,
                          b != nullptr && b->*Slot == me);
}
PyObject* slot_power(PyObject* self, PyObject* other, PyObject* modulus);
PyObject* slot_inplace_power(PyObject* self, PyObject* other, PyObject* modulus);
int slot_bool(PyObject* self);
Py_ssize_t slot_length(PyObject* self);
PyObject* slot_item(PyObject* self, Py_ssize_t index);
int slot_ass_item(PyObject* self, Py_ssize_t index, PyObject* value);
int slot_ass_subscript(PyObject* self, PyObject* key, PyObject* value);
int slot_contains(PyObject* self, PyObject* value);
PyObject* slot_repr(PyObject* self);
Py_hash_t slot_hash(PyObject* self);
PyObject* slot_call(PyObject* self, PyObject* args, PyObject* kwargs);
// The three forms of tp_getattro: only __getattribute__ is Python; object's lookup, then __getattr__; anything.
PyObject* slot_getattribute(PyObject* self, PyObject* name);
PyObject* slot_getattr_fallback(PyObject* self, PyObject* name);
PyObject* slot_getattr_both(PyObject* self, PyObject* name);
int slot_setattr(PyObject* self, PyObject* name, PyObject* value);
PyObject* slot_richcompare(PyObject* self, PyObject* other, int op);
PyObject* slot_iter(PyObject* self);
PyObject* slot_descr_get(PyObject* self, PyObject* obj, PyObject* type);
int slot_descr_set(PyObject* self, PyObject* target, PyObject* value);
int slot_init(PyObject* self, PyObject* args, PyObject* kwargs);
PyObject* slot_new(PyTypeObject* type, PyObject* args, PyObject* kwargs);
void slot_finalize(PyObject* self);
int slot_getbuffer(PyObject* self, Py_buffer* view, int flags);
void slot_releasebuffer(PyObject* self, Py_buffer* view);

// --- wrap_*: a method calls the native slot --------------------------------------------------------------------
PyObject* wrap_unary(PyObject* self, PyObject* args, void* wrapped);
PyObject* wrap_binary(PyObject* self, PyObject* args, void* wrapped);
PyObject* wrap_binary_left(PyObject* self, PyObject* args, void* wrapped);
PyObject* wrap_binary_right(PyObject* self, PyObject* args, void* wrapped);
PyObject* wrap_ternary(PyObject* self, PyObject* args, void* wrapped);
PyObject* wrap_ternary_right(PyObject* self, PyObject* args, void* wrapped);
PyObject* wrap_inquiry(PyObject* self, PyObject* args, void* wrapped);
PyObject* wrap_length(PyObject* self, PyObject* args, void* wrapped);
PyObject* wrap_repeat(PyObject* self, PyObject* args, void* wrapped);
PyObject* wrap_item(PyObject* self, PyObject* args, void* wrapped);
PyObject* wrap_set_item(PyObject* self, PyObject* args, void* wrapped);
PyObject* wrap_del_item(PyObject* self, PyObject* args, void* wrapped);
PyObject* wrap_contains(PyObject* self, PyObject* args, void* wrapped);
PyObject* wrap_set_subscript(PyObject* self, PyObject* args, void* wrapped);
PyObject* wrap_del_subscript(PyObject* self, PyObject* args, void* wrapped);
PyObject* wrap_setattr(PyObject* self, PyObject* args, void* wrapped);
PyObject* wrap_delattr(PyObject* self, PyObject* args, void* wrapped);
PyObject* wrap_hash(PyObject* self, PyObject* args, void* wrapped);
PyObject* wrap_call(PyObject* self, PyObject* args, void* wrapped, PyObject* kwargs);
PyObject* wrap_next(PyObject* self, PyObject* args, void* wrapped);
PyObject* wrap_descr_get(PyObject* self, PyObject* args, void* wrapped);
PyObject* wrap_descr_set(PyObject* self, PyObject* args, void* wrapped);
PyObject* wrap_descr_delete(PyObject* self, PyObject* args, void* wrapped);
PyObject* wrap_init(PyObject* self, PyObject* args, void* wrapped, PyObject* kwargs);
PyObject* wrap_del(PyObject* self, PyObject* args, void* wrapped);
PyObject* wrap_buffer(PyObject* self, PyObject* args, void* wrapped);
PyObject* wrap_releasebuffer(PyObject* self, PyObject* args, void* wrapped);
PyObject* wrap_richcompare(PyObject* self, PyObject* args, void* wrapped, int op);
template <int Op>
PyObject* wrap_compare(PyObject* self, PyObject* args, void* wrapped) {
  return wrap_richcompare(self, args, wrapped, Op);
}

// --- The table (type_slots.cpp) ---------------------------------------------------------------------------------
// Interns the names of the table. Before the first type is made ready.
int init_slot_table();
// True if `name` is one of the special methods that fill a slot.
bool is_slot_name(PyObject* name);
// Fills the slots that `name` decides, in type and in all subclasses that do not define it. The type lock is held.
void type_update_slots_for(PyTypeObject* type, PyObject* name);
// The same in type alone.
void type_fill_slots_for(PyTypeObject* type, PyObject* name);
// Fills every slot of a class statement's type by lookup; with subclasses.
void type_fill_all_slots(PyTypeObject* type);
void type_update_all_slots(PyTypeObject* type);
// Adds wrapper descriptors for the native slots of a type to its dict.
int type_add_operators(PyTypeObject* type);
// Copies all slots (single inheritance: they are the same until the class's own methods are applied).
void type_copy_slots(PyTypeObject* type, PyTypeObject* base);
// The slot at an offset of PyHeapTypeObject, or null if a static type lacks that method suite.
void** type_slot_pointer(PyTypeObject* type, Py_ssize_t offset);
}  // namespace amphis

extern "C" {
// tp_iternext of types that are no iterators.
PyAPI_FUNC(PyObject*) _PyObject_NextNotImplemented(PyObject* self);
}
