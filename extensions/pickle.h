// What both halves of the module _pickle share: the opcodes, the module's exceptions, and the registries of copyreg.
//
// Picklers and unpicklers are used by one thread at a time: others wait for the object's lock. `Busy` refuses a second
// use while Python code that was called has let go of the lock, or is a hook that attempts it.
#pragma once

#include "support.h"

#include <cstdint>

namespace pickle {

constexpr int kHighestProtocol = 5, kDefaultProtocol = 5;

enum Op : unsigned char {
  kMark = '(', kStop = '.', kPop = '0', kPopMark = '1', kDup = '2', kFloat = 'F', kInt = 'I', kBinInt = 'J',
  kBinInt1 = 'K', kLong = 'L', kBinInt2 = 'M', kNone = 'N', kPersId = 'P', kBinPersId = 'Q', kReduce = 'R',
  kString = 'S', kBinString = 'T', kShortBinString = 'U', kUnicode = 'V', kBinUnicode = 'X', kAppend = 'a',
  kBuild = 'b', kGlobal = 'c', kDict = 'd', kEmptyDict = '}', kAppends = 'e', kGet = 'g', kBinGet = 'h', kInst = 'i',
  kLongBinGet = 'j', kList = 'l', kEmptyList = ']', kObj = 'o', kPut = 'p', kBinPut = 'q', kLongBinPut = 'r',
  kSetItem = 's', kTuple = 't', kEmptyTuple = ')', kSetItems = 'u', kBinFloat = 'G',
  // Protocol 2
  kProto = 0x80, kNewObj = 0x81, kExt1 = 0x82, kExt2 = 0x83, kExt4 = 0x84, kTuple1 = 0x85, kTuple2 = 0x86,
  kTuple3 = 0x87, kNewTrue = 0x88, kNewFalse = 0x89, kLong1 = 0x8a, kLong4 = 0x8b,
  // Protocol 3
  kBinBytes = 'B', kShortBinBytes = 'C',
  // Protocol 4
  kShortBinUnicode = 0x8c, kBinUnicode8 = 0x8d, kBinBytes8 = 0x8e, kEmptySet = 0x8f, kAddItems = 0x90,
  kFrozenSet = 0x91, kNewObjEx = 0x92, kStackGlobal = 0x93, kMemoize = 0x94, kFrame = 0x95,
  // Protocol 5
  kByteArray8 = 0x96, kNextBuffer = 0x97, kReadOnlyBuffer = 0x98,
};

// Set once, when the module is made.
struct Globals {
  PyObject *error, *pickling_error, *unpickling_error;
  PyObject *dispatch_table, *extension_registry, *inverted_registry, *extension_cache;  // copyreg's
  PyObject *name_mapping, *import_mapping, *reverse_name_mapping, *reverse_import_mapping;  // _compat_pickle's
  PyObject *codecs_encode, *partial, *getattr;
};
extern Globals globals;

class Busy {
 public:
  Busy(bool* flag, const char* what) : flag_(flag), first_(!__atomic_exchange_n(flag, true, __ATOMIC_ACQUIRE)) {
    if (!first_)
      PyErr_Format(PyExc_RuntimeError, "%s object is already used", what);
  }
  ~Busy() {
    if (first_) __atomic_store_n(flag_, false, __ATOMIC_RELEASE);
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;
  explicit operator bool() const { return first_; }

 private:
  bool* flag_;
  bool first_;
};

// Follows a dotted path from `object`; null without an exception when an attribute is missing.
inline ext::Ref follow(PyObject* object, PyObject* path) {
  ext::Ref current(Py_NewRef(object));
  for (Py_ssize_t i = 0; current && i < PyList_GET_SIZE(path); i++) {
    PyObject* next;
    if (PyObject_GetOptionalAttr(current.get(), PyList_GET_ITEM(path, i), &next) < 0) return ext::Ref();
    current = ext::Ref(next);
  }
  return current;
}
inline ext::Ref dotted_path(PyObject* name) {
  ext::Ref dot(PyUnicode_FromString("."));
  return ext::Ref(dot ? PyUnicode_Split(name, dot.get(), -1) : nullptr);
}

// Imports a module and returns it as sys.modules has it.
ext::Ref import_module(PyObject* name);

// The module's two types and their functions.
PyTypeObject* make_pickler_types(PyObject* module);
PyTypeObject* make_unpickler_types(PyObject* module);
PyObject* dump(PyObject* module, PyObject* args, PyObject* kwargs);
PyObject* dumps(PyObject* module, PyObject* args, PyObject* kwargs);
PyObject* load(PyObject* module, PyObject* args, PyObject* kwargs);
PyObject* loads(PyObject* module, PyObject* args, PyObject* kwargs);

}  // namespace pickle
