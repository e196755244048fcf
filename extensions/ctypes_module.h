// What the parts of the module _ctypes share: the record behind each C type, the layouts of the objects, and the operations
// that all kinds of types use.
//
// A class whose metatype is one of ours has a TypeInfo in its type data. It is empty (kind kNone) until the metatype's
// __init__ has run, and does not change once the type is `final`: when it has an instance, is a member of another or has a
// subclass. Until then it changes under the class's critical section.
//
// An instance (Data) owns its memory, or is a view: of a part of another instance's memory (its base), of what a pointer
// points to (the pointer is its base), or of an address that the program gave. Memory is read and written under the critical
// section of the instance at the end of the chain of bases, where the references that keep targets of pointers alive are
// too. Python code never runs between looking at a place in memory and using it: values are packed into a buffer first.
#pragma once

#include "support.h"

#include <ffi.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace ctypes {

using ext::Ref;

enum class Kind : unsigned char { kNone, kSimple, kStruct, kUnion, kArray, kPointer, kFunction };

// The classes of bytes when a small value is passed in registers (System V ABI of x86-64, 3.2.3).
enum class ByteClass : unsigned char { kNone, kFloat, kX87, kInteger };
constexpr Py_ssize_t kRegisterBytes = 16;

// The largest simple value: a complex long double.
constexpr Py_ssize_t kLargestSimple = 32;

// One code of simple types, in one byte order.
struct Code {
  char letter;
  char format;        // of the buffer protocol
  bool pointer;       // values are addresses: not to be pickled
  bool integer;       // has bit fields
  bool is_signed;
  unsigned char size;
  ffi_type* ffi;      // how a value is passed
  ByteClass byte_class;
  // Writes `value` as C data of `size` bytes. What must live as long as the data goes to *keep (a new reference), which is
  // null before.
  bool (*pack)(PyObject* value, void* data, PyObject** keep);
  PyObject* (*unpack)(const void* data);
  const Code* swapped;  // in the other byte order; null where there is none
  bool foreign;         // this is the order that is not the machine's
};
const Code* find_code(Py_UCS4 letter);
extern const char kLetters[];

struct TypeInfo {
  Kind kind;
  bool data;         // the instances are Data, that is, the class derives from _CData
  bool plain;        // a simple type itself, not a subclass of one: values are Python's, not instances
  bool pointer;      // holds an address
  bool has_pointer;  // so does a part
  bool memory_class; // passed in memory though small: it has members that are not aligned
  bool final;        // see mark_final()
  const Code* code;
  Py_ssize_t size, align, item_size;
  Py_ssize_t length;  // of arrays; members that can keep something alive
  PyObject* item;     // the class of items or of the target; of simple types the letter
  char* format;       // of the buffer protocol; null is "B"
  int ndim;
  Py_ssize_t* shape;
  ByteClass bytes[kRegisterBytes];
  ffi_type aggregate;     // how structures are passed
  ffi_type* elements[6];  // its parts
  // Functions.
  PyObject *argtypes, *converters, *restype, *checker;
  int flags;
  PyObject* pointer_type;  // what POINTER() has made
  PyObject* arrays;        // length -> weak reference to the array type
};

struct Data {
  PyObject_HEAD
  char* memory;
  Data* base;
  Py_ssize_t size, length, index;
  PyObject* objects;  // what is kept alive: null, None, one object, or a dict
  int owns;
  alignas(16) char small[16];
};

struct Function {
  Data data;
  vectorcallfunc vectorcall;
  PyObject *callable, *converters, *argtypes, *restype, *checker, *errcheck, *paramflags;
};

// An argument, as from_param() and byref() make it.
struct Argument {
  PyObject_HEAD
  ffi_type* ffi;
  char tag;
  alignas(16) char value[kLargestSimple];
  Py_ssize_t size;
  PyObject* object;
};

// A member of a structure or union: a descriptor.
enum class FieldKind : unsigned char { kItem, kChars, kWideChars, kBits };
struct Field {
  PyObject_HEAD
  PyObject *name, *type;
  Py_ssize_t byte_offset, byte_size, index, bit_offset, bit_size;
  FieldKind kind;
  bool anonymous;
};

struct Types {
  PyTypeObject *meta, *simple_meta, *struct_meta, *union_meta, *array_meta, *pointer_meta, *function_meta;
  PyTypeObject *data, *simple, *structure, *union_, *array, *pointer, *function;
  PyTypeObject *field, *argument, *thunk;
  PyObject *argument_error, *unpickle;
};
extern Types types;

// Interned names.
struct Names {
  PyObject *type, *length, *fields, *anonymous, *abstract, *flags, *argtypes, *restype, *from_param, *as_parameter, *check_retval,
      *handle, *from_outparam, *dict, *ctype_le, *ctype_be;
};
extern Names names;

// ---- types ----

inline Data* data_of(PyObject* op) { return reinterpret_cast<Data*>(op); }
inline PyObject* object_of(Data* data) { return reinterpret_cast<PyObject*>(data); }
inline bool is_data(PyObject* op) { return PyObject_TypeCheck(op, types.data); }
inline bool is_argument(PyObject* op) { return Py_IS_TYPE(op, types.argument); }

// The record of a class, null (without an exception) where it is not a C type.
TypeInfo* info_of(PyTypeObject* type);
inline TypeInfo* info_of_object(PyObject* type) { return PyType_Check(type) ? info_of(reinterpret_cast<PyTypeObject*>(type)) : nullptr; }
inline TypeInfo* info_of_instance(PyObject* op) { return is_data(op) ? info_of(Py_TYPE(op)) : nullptr; }
inline const char* type_name(PyObject* type) { return reinterpret_cast<PyTypeObject*>(type)->tp_name; }

// For a metatype's __init__: the record, not filled in. Null with an exception if it was filled in before.
TypeInfo* begin_info(PyObject* type);
// The same for a class that may have instances; TypeError "abstract class" for others.
TypeInfo* instance_info(PyTypeObject* type);
// From now on the record does not change.
void mark_final(PyTypeObject* type, TypeInfo* info);
bool is_final(TypeInfo* info);
void set_pass_by_pointer(TypeInfo* info);
// Puts a part of this type at this offset into the classes of bytes.
void add_bytes(TypeInfo* whole, const TypeInfo* part, Py_ssize_t offset);
// Builds the description of a structure for libffi, from the classes of bytes.
void finish_aggregate(TypeInfo* info);
ffi_type* ffi_of(TypeInfo* info);
char* copy_text(const char* prefix, const char* text);

PyObject* generic_from_param(PyObject* type, PyObject* value);
// from_param(type, value._as_parameter_); null without an exception where there is no such attribute.
PyObject* as_parameter_param(PyObject* type, PyObject* value, PyObject* (*convert)(PyObject*, PyObject*));
extern PyMethodDef meta_methods[];

// The class of arrays of this type; cached.
PyObject* array_type(PyObject* item, Py_ssize_t length);
// The cached class of arrays goes away.
void forget_array(TypeInfo* info, PyObject* type);

// ---- instances ----

inline Data* root_of(Data* data) {
  while (data->base != nullptr) data = data->base;
  return data;
}

// f() under the lock of the instance's memory; the result is not void.
template <class F>
auto locked([[maybe_unused]] Data* data, F f) {
  decltype(f()) result;
  Py_BEGIN_CRITICAL_SECTION(object_of(root_of(data)));
  result = f();
  Py_END_CRITICAL_SECTION();
  return result;
}

// A place in the memory that belongs to an instance: at an offset, or, for what it points to, at an address.
struct Place {
  Data* parent;
  Py_ssize_t offset;
  char* absolute;

  static Place inside(Data* parent, Py_ssize_t offset) { return {parent, offset, nullptr}; }
  static Place at(Data* parent, char* address) { return {parent, 0, address}; }
  char* address() const { return absolute != nullptr ? absolute : parent->memory + offset; }
};

// A new instance with zeroed memory, or with the bytes given.
PyObject* new_data(PyTypeObject* type, const void* bytes = nullptr);
// One that views memory: inside of what base owns or points to; base may be null.
PyObject* new_view(PyTypeObject* type, Data* base, Py_ssize_t index, char* memory);
PyObject* read_item(const Place& place, PyTypeObject* type, Py_ssize_t index);
bool write_item(const Place& place, PyTypeObject* type, PyObject* value, Py_ssize_t index);
// Keeps an object alive as long as the memory of `target`: for its member `index`. To be called under its lock.
bool keep_alive(Data* target, Py_ssize_t index, PyObject* object);
// What an instance keeps alive, as an object that may be kept alive itself: a new reference.
PyObject* kept_objects(Data* data);
bool size_limit(Py_ssize_t have, Py_ssize_t offset, Py_ssize_t need);

PyObject* char_array_value(const char* memory, Py_ssize_t size);
PyObject* wide_array_value(const char* memory, Py_ssize_t size);
PyObject* unpickle(PyObject* module, PyObject* args);
extern const vectorcallfunc function_vectorcall;

// ---- arguments and calls ----

Argument* new_argument();
PyObject* byref(PyObject* object, Py_ssize_t offset);

PyObject* simple_from_param(PyObject* type, PyObject* value);
PyObject* pointer_from_param(PyObject* type, PyObject* value);

constexpr int kFlagCdecl = 0x1, kFlagPythonApi = 0x4, kFlagErrno = 0x8, kFlagLastError = 0x10;
constexpr Py_ssize_t kMaxArguments = 1024;

// Calls the function at the address. `args` are those of the call, `converters` the from_param() of the first ones (or null);
// without a restype the result is an int.
PyObject* call_address(void* address, PyObject* const* args, Py_ssize_t count, PyObject* converters, PyObject* restype,
                       PyObject* checker, int flags);
// Puts "TYPE: TEXT" of the current exception behind the text, and raises that as `type`.
void extend_error(PyObject* type, const char* format, ...);
// The thread's copy of errno.
int& saved_errno();

// A tuple of from_param methods.
PyObject* converters_of(PyObject* argtypes);
// A closure that calls the callable: an object, whose address is stored.
PyObject* new_thunk(PyObject* callable, PyObject* argtypes, PyObject* restype, int flags, void** address);

// dlsym() that knows that null may be an error without a text; raises `error`. Audited by the caller.
void* find_symbol(void* handle, const char* name, PyObject* error);
// The handle of a loaded library, from its Python object.
bool library_handle(PyObject* library, void** handle);
bool raise_dl_error(PyObject* error);

PyObject* cast_address(void* address, PyObject* source, PyObject* type);

// ---- construction of the types ----

PyTypeObject* make_meta(PyObject* module, PyType_Spec* spec);
PyTypeObject* make_type(PyTypeObject* metatype, PyObject* module, PyType_Spec* spec, PyTypeObject* base);
bool make_data_types(PyObject* module);
bool make_simple_types(PyObject* module);
bool make_struct_types(PyObject* module);
bool make_field_type(PyObject* module);
bool make_array_types(PyObject* module);
bool make_pointer_types(PyObject* module);
bool make_function_types(PyObject* module);
bool make_argument_type(PyObject* module);
bool make_thunk_type(PyObject* module);

// Fields of a structure's class, for _anonymous_.
Field* new_field_copy(Field* field, Py_ssize_t offset, Py_ssize_t index);

template <class F>
void* slot(F f) {
  return reinterpret_cast<void*>(f);
}

}  // namespace ctypes
