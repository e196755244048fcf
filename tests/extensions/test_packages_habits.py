"""What packages on the registries do beyond what the C API promises, and CPython lets them do."""
import gc
import re
import unittest
import weakref

from test_loading import FREE, LoadingTest, setUpModule, tearDownModule

MODULE = """
static PyModuleDef_Slot slots[] = {{Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0, NULL}};
static PyModuleDef def = {PyModuleDef_HEAD_INIT, "NAME", NULL, 0, methods, slots};
PyMODINIT_FUNC PyInit_NAME(void) { return PyModuleDef_Init(&def); }
"""

UNFILLED = """
// A list given its size first and its items later, by way of another one (hiredis).
static PyObject* make(PyObject* self, PyObject* unused) {
  PyObject* list = Py_BuildValue("[i]", 0);
  PyObject* empty = PyList_New(3);
  if (list == NULL || empty == NULL || PyList_SetSlice(list, PY_SSIZE_T_MAX, PY_SSIZE_T_MAX, empty) < 0) return NULL;
  Py_DECREF(empty);
  for (int i = 1; i <= 3; ++i) PyList_SET_ITEM(list, i, PyLong_FromLong(i * 1000));
  return list;
}
static PyMethodDef methods[] = {{"make", make, METH_NOARGS, NULL}, {0}};
""" + MODULE

NEVER_READIED = """
// A static type that nobody readies before its instances are used (pyahocorasick's iterator).
typedef struct { PyObject_HEAD int left; } Countdown;
static PyObject* set(PyObject* self, PyObject* value) {
  ((Countdown*)self)->left = PyLong_AsLong(value);
  Py_RETURN_NONE;
}
static PyObject* next(PyObject* self) { return ((Countdown*)self)->left > 0 ? PyLong_FromLong(((Countdown*)self)->left--) : NULL; }
static PyMethodDef countdown_methods[] = {{"set", set, METH_O, NULL}, {0}};
static PyTypeObject type = {PyVarObject_HEAD_INIT(&PyType_Type, 0) "NAME.Countdown", sizeof(Countdown), .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT, .tp_dealloc = (destructor)PyObject_Free, .tp_methods = countdown_methods,
    .tp_iter = PyObject_SelfIter, .tp_iternext = next};
static PyObject* make(PyObject* self, PyObject* unused) {
  Countdown* made = PyObject_New(Countdown, &type);
  if (made != NULL) made->left = 2;
  return (PyObject*)made;
}
static PyMethodDef methods[] = {{"make", make, METH_NOARGS, NULL}, {0}};
""" + MODULE

WHOLE_COUNTS = """
// Py_DECREF of headers for the stable ABI before 3.12: a reference count is a whole word (PySide6's binaries).
static void drop(PyObject* object) {
  Py_ssize_t* count = (Py_ssize_t*)object;
  if ((int)*count >= 0 && --*count == 0) _Py_Dealloc(object);
}
static PyObject* call(PyObject* self, PyObject* function) {
  PyObject* result = PyObject_CallNoArgs(function);
  if (result == NULL) return NULL;
  drop(result);
  Py_RETURN_NONE;
}
static PyMethodDef methods[] = {{"call", call, METH_O, NULL}, {0}};
""" + MODULE

LATE_OFFSET = """
// A type that says it has a vectorcall function before it says where (atom).
typedef struct { PyObject_HEAD vectorcallfunc vectorcall; } Thing;
static PyTypeObject* type;
static PyObject* called(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* names) {
  return PyLong_FromSsize_t(PyVectorcall_NARGS(nargsf));
}
static PyObject* thing_new(PyTypeObject* of, PyObject* args, PyObject* kwargs) {
  PyObject* self = PyType_GenericAlloc(of, 0);
  if (self != NULL) ((Thing*)self)->vectorcall = called;
  return self;
}
static PyType_Slot type_slots[] = {{Py_tp_new, thing_new}, {Py_tp_call, PyVectorcall_Call}, {0, NULL}};
static PyType_Spec type_spec = {"NAME.Thing", sizeof(Thing), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL, type_slots};
static PyObject* make(PyObject* self, PyObject* unused) {
  type = (PyTypeObject*)PyType_FromSpec(&type_spec);
  return Py_XNewRef((PyObject*)type);
}
static PyObject* tell(PyObject* self, PyObject* unused) {
  type->tp_vectorcall_offset = offsetof(Thing, vectorcall);
  Py_RETURN_NONE;
}
static PyMethodDef methods[] = {{"make", make, METH_NOARGS, NULL}, {"tell", tell, METH_NOARGS, NULL}, {0}};
""" + MODULE

OVERLOOKS = """
// A metaclass that goes on after an error of its own (msgspec).
static PyObject* meta_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  Py_XDECREF(PyObject_GetAttrString(PyTuple_GetItem(args, 0), "no_such_attribute"));
  return PyType_Type.tp_new(type, args, kwargs);
}
static PyTypeObject meta = {PyVarObject_HEAD_INIT(NULL, 0) "NAME.Meta", .tp_flags = Py_TPFLAGS_DEFAULT, .tp_new = meta_new};
static PyObject* make(PyObject* self, PyObject* unused) {
  meta.tp_base = &PyType_Type;
  return PyType_Ready(&meta) < 0 ? NULL : Py_NewRef((PyObject*)&meta);
}
static PyMethodDef methods[] = {{"make", make, METH_NOARGS, NULL}, {0}};
""" + MODULE

MIXED = """
// Types of which one extends the other, both with managed weak references, mixed with classes in Python (zope.interface).
typedef struct { PyObject_HEAD PyObject* first; } Base;
typedef struct { Base base; PyObject* second; } More;
static int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(((Base*)self)->first);
  return 0;
}
static void dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  PyObject_ClearWeakRefs(self);
  Py_XDECREF(((Base*)self)->first);
  type->tp_free(self);
  Py_DECREF(type);
}
static PyMemberDef base_members[] = {{"first", Py_T_OBJECT_EX, offsetof(Base, first), 0, NULL}, {0}};
static PyMemberDef more_members[] = {{"second", Py_T_OBJECT_EX, offsetof(More, second), 0, NULL}, {"__module__", Py_T_OBJECT_EX, offsetof(More, second), 0, NULL}, {0}};
static PyType_Slot base_slots[] = {{Py_tp_traverse, traverse}, {Py_tp_dealloc, dealloc}, {Py_tp_members, base_members}, {0, NULL}};
static PyType_Slot more_slots[] = {{Py_tp_members, more_members}, {0, NULL}};
#define FLAGS Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC
static PyType_Spec base_spec = {"NAME.Base", sizeof(Base), 0, FLAGS | Py_TPFLAGS_MANAGED_WEAKREF, base_slots};
static PyType_Spec more_spec = {"NAME.More", sizeof(More), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, more_slots};
static PyType_Spec untraversed_spec = {"NAME.Untraversed", sizeof(More), 0, FLAGS, more_slots};
static int exec(PyObject* module) {
  PyObject* base = PyType_FromModuleAndSpec(module, &base_spec, NULL);
  PyObject* untraversed = base != NULL ? PyType_FromModuleAndSpec(module, &untraversed_spec, base) : NULL;
  PyModule_Add(module, "error", PyErr_GetRaisedException());
  Py_XDECREF(untraversed);
  return base == NULL || PyModule_Add(module, "More", PyType_FromModuleAndSpec(module, &more_spec, base)) < 0 ? -1 : PyModule_Add(module, "Base", base);
}
static PyModuleDef_Slot slots[] = {{Py_mod_exec, exec}, {Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0, NULL}};
static PyModuleDef def = {PyModuleDef_HEAD_INIT, "NAME", NULL, 0, NULL, slots};
PyMODINIT_FUNC PyInit_NAME(void) { return PyModuleDef_Init(&def); }
"""

CACHED = """
// Objects in memory that the module allocates itself, known by a key in a dict that their deallocator takes out (cffi).
typedef struct { PyObject_HEAD PyObject* key; } Known;
static PyObject* cache;
static void dealloc(PyObject* self) {
  PyObject* key = ((Known*)self)->key;
  if (key != NULL) {
    Py_SET_REFCNT(self, 43);
    PyDict_DelItem(cache, key);
    Py_DECREF(key);
  }
  PyObject_Free(self);
}
static PyTypeObject type = {PyVarObject_HEAD_INIT(NULL, 0) "NAME.Known", sizeof(Known), .tp_flags = Py_TPFLAGS_DEFAULT, .tp_dealloc = dealloc};
static Known* make(PyObject* key) {
  Known* made = PyObject_Malloc(sizeof(Known));
  if (made == NULL || PyObject_Init((PyObject*)made, &type) == NULL) return NULL;
  made->key = Py_XNewRef(key);
  return made;
}
static PyObject* plain(PyObject* self, PyObject* unused) { return (PyObject*)make(NULL); }
static PyObject* fails(PyObject* self, PyObject* key) {
  Known* made = make(key);
  if (made == NULL || PyDict_SetItem(cache, key, Py_None) < 0) return NULL;
  PyErr_SetString(PyExc_LookupError, "the error that is raised");
  Py_DECREF(made);
  return NULL;
}
static PyObject* size(PyObject* self, PyObject* unused) { return PyLong_FromSsize_t(PyDict_Size(cache)); }
static int exec(PyObject* module) {
  cache = PyDict_New();
  return PyType_Ready(&type);
}
static PyMethodDef methods[] = {{"plain", plain, METH_NOARGS, NULL}, {"fails", fails, METH_O, NULL}, {"size", size, METH_NOARGS, NULL}, {0}};
static PyModuleDef_Slot slots[] = {{Py_mod_exec, exec}, {Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0, NULL}};
static PyModuleDef def = {PyModuleDef_HEAD_INIT, "NAME", NULL, 0, methods, slots};
PyMODINIT_FUNC PyInit_NAME(void) { return PyModuleDef_Init(&def); }
"""

REFERENCES = """
// Looks at its own number of references before it changes in place (NumPy's resize), and parses without the GIL.
typedef struct { PyObject_HEAD } Thing;
static PyObject* references(PyObject* self, PyObject* args, PyObject* kwargs) { return PyLong_FromSsize_t(Py_REFCNT(self)); }
static PyMethodDef thing_methods[] = {{"references", (PyCFunction)(void*)references, METH_VARARGS | METH_KEYWORDS, NULL}, {0}};
static PyTypeObject type = {PyVarObject_HEAD_INIT(NULL, 0) "NAME.Thing", sizeof(Thing), .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_methods = thing_methods, .tp_new = PyType_GenericNew};
static int value = 42;
static PyObject* detached(PyObject* self, PyObject* unused) {
  PyObject* capsule = PyCapsule_New(&value, "NAME.value", NULL);
  if (capsule == NULL) return NULL;
  int* found;
  long number;
  Py_BEGIN_ALLOW_THREADS
  found = PyCapsule_GetPointer(capsule, "NAME.value");
  number = PyOS_strtol("-5", NULL, 10) + (long)PyOS_strtoul("0x10", NULL, 16);
  Py_END_ALLOW_THREADS
  Py_DECREF(capsule);
  return PyLong_FromLong(*found + number);
}
static int exec(PyObject* module) { return PyModule_AddType(module, &type); }
static PyMethodDef methods[] = {{"detached", detached, METH_NOARGS, NULL}, {0}};
static PyModuleDef_Slot slots[] = {{Py_mod_exec, exec}, {Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0, NULL}};
static PyModuleDef def = {PyModuleDef_HEAD_INIT, "NAME", NULL, 0, methods, slots};
PyMODINIT_FUNC PyInit_NAME(void) { return PyModuleDef_Init(&def); }
"""

EXCEPTIONS = """
// Exception classes with data of their own that is no reference, and the base's functions for the rest (Cython).
typedef struct { PyBaseExceptionObject base; int odd; PyObject* held; Py_ssize_t number; } Fault;
typedef struct { PyOSErrorObject base; Py_ssize_t number; } Refused;
static int fault_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  ((Fault*)self)->odd = 3;
  ((Fault*)self)->number = 5;
  Py_XSETREF(((Fault*)self)->held, PyList_New(0));
  return ((PyTypeObject*)PyExc_Exception)->tp_init(self, args, kwargs);
}
static void fault_dealloc(PyObject* self) {
  Py_CLEAR(((Fault*)self)->held);
  ((PyTypeObject*)PyExc_Exception)->tp_dealloc(self);
}
static int refused_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  ((Refused*)self)->number = 7;
  return ((PyTypeObject*)PyExc_OSError)->tp_init(self, args, kwargs);
}
static PyTypeObject fault = {PyVarObject_HEAD_INIT(NULL, 0) "NAME.Fault", sizeof(Fault), .tp_init = fault_init, .tp_dealloc = fault_dealloc,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC};
static PyTypeObject refused = {PyVarObject_HEAD_INIT(NULL, 0) "NAME.Refused", sizeof(Refused), .tp_init = refused_init,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE};
static int exec(PyObject* module) {
  fault.tp_base = (PyTypeObject*)PyExc_Exception;
  fault.tp_traverse = fault.tp_base->tp_traverse;
  fault.tp_clear = fault.tp_base->tp_clear;
  refused.tp_base = (PyTypeObject*)PyExc_OSError;
  return PyModule_AddType(module, &fault) < 0 ? -1 : PyModule_AddType(module, &refused);
}
// An exception set by a class and a value that it refuses (pybind11).
static PyObject* set(PyObject* self, PyObject* args) {
  PyObject *cls, *value = NULL;
  if (PyArg_ParseTuple(args, "O|O", &cls, &value)) PyErr_SetObject(cls, value);
  return NULL;
}
static PyMethodDef methods[] = {{"set", set, METH_VARARGS, NULL}, {0}};
static PyModuleDef_Slot slots[] = {{Py_mod_exec, exec}, {Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0, NULL}};
static PyModuleDef def = {PyModuleDef_HEAD_INIT, "NAME", NULL, 0, methods, slots};
PyMODINIT_FUNC PyInit_NAME(void) { return PyModuleDef_Init(&def); }
"""

ALLOCATES = """
// C++ that asks for more memory than there is, and for memory with an alignment of its own (pybind11).
#include <exception>
#include <new>
#include <vector>
extern "C" {
static PyObject* much(PyObject* self, PyObject* unused) {
  try {
    return PyLong_FromSize_t(std::vector<char>(size_t(1) << 60).size());
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
}
static PyObject* on_their_way(PyObject* self, PyObject* unused) { return PyLong_FromLong(std::uncaught_exceptions()); }
struct alignas(512) Block { char bytes[512]; };
static PyObject* aligned(PyObject* self, PyObject* unused) {
  std::vector<Block> blocks(1);
  Block* one = new Block;
  const bool good = uintptr_t(one) % 512 == 0 && uintptr_t(blocks.data()) % 512 == 0;
  delete one;
  return PyBool_FromLong(good);
}
static PyMethodDef methods[] = {{"much", much, METH_NOARGS, NULL}, {"on_their_way", on_their_way, METH_NOARGS, NULL},
                                {"aligned", aligned, METH_NOARGS, NULL}, {0}};
static PyModuleDef_Slot slots[] = {{Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0, NULL}};
static PyModuleDef def = {PyModuleDef_HEAD_INIT, "NAME", NULL, 0, methods, slots};
PyMODINIT_FUNC PyInit_NAME(void) { return PyModuleDef_Init(&def); }
}
"""


def sanitizer():
    with open("/proc/self/maps") as maps:
        return re.search("lib[at]san", maps.read()) is not None


class Habits(LoadingTest):
    def test_a_slice_of_a_list_may_be_set_to_a_list_without_items(self):
        self.build("unfilled", UNFILLED)
        import unfilled
        self.assertEqual(unfilled.make(), [0, 1000, 2000, 3000])

    def test_the_first_method_call_readies_a_type(self):
        self.build("unready", NEVER_READIED)
        import unready
        countdown = unready.make()
        self.assertEqual(next(countdown), 2)
        countdown.set(3)
        self.assertEqual(list(countdown), [3, 2, 1])

    def test_an_error_that_a_metaclass_overlooked_is_raised_when_the_class_is_made(self):
        self.build("overlooks", OVERLOOKS)
        import overlooks
        meta = overlooks.make()
        with self.assertRaisesRegex(AttributeError, "'str' object has no attribute 'no_such_attribute'"):
            meta("Name", (), {})

    def test_classes_mix_types_of_extensions_that_extend_one_another(self):
        self.build("mixed", MIXED)
        import mixed
        class Empty(mixed.Base):
            __slots__ = ()
        class Open(mixed.Base):
            pass
        class Slotted(mixed.Base):
            __slots__ = ("third",)
        class Other:
            pass
        for bases in [(mixed.More, Empty), (mixed.More, Open), (Empty, mixed.More), (mixed.More, Empty, Other), (mixed.More, Open, Other),
                      (Open, Other), (Open, Empty)]:
            with self.subTest(bases=bases):
                made = type("Made", bases, {})()
                made.first, made.anything = [1], [2]
                if isinstance(made, mixed.More):
                    made.second = [3]
                    self.assertEqual(made.second, [3])
                self.assertEqual((made.first, made.anything), ([1], [2]))
                self.assertIs(weakref.ref(made)(), made)
                gc.collect()
        with self.assertRaisesRegex(TypeError, "multiple bases have instance lay-out conflict"):
            type("Made", (mixed.More, Slotted), {})

    def test_who_asks_for_collection_says_how_to_traverse_whatever_the_base_does(self):
        self.build("mixed3", MIXED)
        import mixed3
        self.assertIsInstance(mixed3.error, SystemError)
        self.assertEqual(str(mixed3.error), "type mixed3.Untraversed has the Py_TPFLAGS_HAVE_GC flag but has no traverse function")

    def test_a_type_whose_module_is_no_text_is_shown_by_its_full_name(self):
        self.build("mixed2", MIXED)
        import mixed2
        self.assertEqual(repr(mixed2.More), "<class 'mixed2.More'>")

    def test_memory_of_a_dead_object_becomes_another_one(self):
        self.build("cached", CACHED)
        import cached
        for _ in range(3):
            made = [cached.plain() for _ in range(5000)]
            del made

    def test_a_deallocator_may_change_a_dict_while_an_exception_is_on_its_way(self):
        self.build("cached2", CACHED)
        import cached2
        for key in (b"key" * 9, ("a", b"tuple"), 2 ** 70):
            with self.subTest(key=key), self.assertRaisesRegex(LookupError, "the error that is raised"):
                cached2.fails(key)
        self.assertEqual(cached2.size(), 0)

    def test_a_method_sees_the_one_reference_of_a_local_variable_from_the_first_call(self):
        self.build("counted", REFERENCES)
        import counted

        def kept():
            thing = counted.Thing()
            seen = [thing.references(), thing.references(key=1)]
            return seen, thing

        def passed(): return counted.Thing().references()
        for _ in range(6):
            self.assertEqual((kept()[0], passed()), ([1, 1], 1))

    def test_a_type_may_say_where_its_vectorcall_function_is_after_it_was_made(self):
        self.build("late", LATE_OFFSET)
        import late
        thing = late.make()()
        for _ in range(4):
            with self.assertRaisesRegex(TypeError, "'late.Thing' object does not support vectorcall"):
                thing()
        late.tell()
        for _ in range(4):
            self.assertEqual((thing(), thing(1, 2)), (0, 2))

    def test_what_a_static_exception_class_adds_is_its_own(self):
        self.build("excepts", EXCEPTIONS)
        import excepts
        class Sub(excepts.Fault):
            pass
        for cls in (excepts.Fault, Sub, excepts.Refused, type("Sub", (excepts.Refused,), {})):
            with self.subTest(cls=cls):
                made = [cls(2, "text"), cls(2, "other")]
                made[0].__context__ = made[1]
                made[1].__context__ = made[0]
                gone = []
                kept = [weakref.ref(made[0], gone.append)] if cls.__weakrefoffset__ else []
                self.assertEqual(made[0].args, (2, "text"))
                gc.collect()
                del made
                gc.collect()
                self.assertEqual(len(gone), len(kept))

    def test_an_exception_that_cannot_be_made_is_noted_on_the_one_that_says_why(self):
        self.build("excepts2", EXCEPTIONS)
        import excepts2
        class Flaky(Exception):
            def __init__(self, *args):
                raise self.reason
        class NoText:
            def __repr__(self):
                raise RuntimeError
        for arguments, shown in [(("x",), "'x'"), ((None,), "None"), (((1, 2),), "(1, 2)"), ((NoText(),), "<unknown>"), ((), "<NULL>")]:
            with self.subTest(shown=shown):
                Flaky.reason = ValueError("why")
                Flaky.reason.add_note("first")
                with self.assertRaisesRegex(ValueError, "why") as caught:
                    excepts2.set(Flaky, *arguments)
                self.assertEqual(caught.exception.__notes__, ["first", "Normalization failed: type=Flaky args=" + shown])

    @unittest.skipIf(sanitizer(), "the sanitizer's allocator ends the process where memory is short")
    def test_memory_that_cpp_asks_for_is_aligned_or_a_memory_error(self):
        self.build("allocates", ALLOCATES, flags=["-std=c++17", "-Wl,--no-as-needed", "-lstdc++"], language="c++")
        import allocates
        self.assertTrue(all(allocates.aligned() for _ in range(20)))
        for _ in range(2):
            with self.assertRaises(MemoryError):
                allocates.much()
            self.assertEqual(allocates.on_their_way(), 0)

    @unittest.skipIf(FREE, "the stable ABI of builds with the GIL")
    def test_a_binary_that_takes_a_whole_word_for_the_count_frees_what_the_collector_watches(self):
        self.build("whole", WHOLE_COUNTS, ".abi3.so", note=False)
        done = self.run_python("""if True:
            import gc, weakref
            class Thing: pass
            class Numbers(list): pass
            def make_function(): return lambda: 0
            makers = Thing, Numbers, make_function, lambda: set([1]), lambda: (i for i in "ab")
            old = [[make()] for make in makers]
            gc.collect()
            import whole
            def check(holder):
                gone = []
                seen = weakref.ref(holder[0], gone.append)
                whole.call(holder.pop)
                assert gone, seen
            for holder in old: check(holder)
            for age in range(2):
                for make in makers:
                    holder = [make()]
                    if age: gc.collect()
                    check(holder)
            """)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_capsules_give_their_pointers_and_texts_their_numbers_without_a_thread_state(self):
        self.build("detached", REFERENCES)
        import detached
        self.assertEqual(detached.detached(), 53)


if __name__ == "__main__":
    unittest.main()
