"""Calls of extension functions of each convention, and attributes of extension types, at sites that have taken a form for them."""
import threading
import unittest

from test_loading import LoadingTest, setUpModule, tearDownModule

SOURCE = """
static PyObject* shown(const char* name, PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* names) {
  PyObject* tuple = PyTuple_New(nargs + (names ? PyTuple_GET_SIZE(names) : 0));
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple); ++i) PyTuple_SET_ITEM(tuple, i, Py_NewRef(args[i]));
  return Py_BuildValue("(sONO)", name, !self || PyModule_Check(self) ? Py_None : self, tuple, names ? names : Py_None);
}
static PyObject* f_noargs(PyObject* self, PyObject* unused) { return unused ? NULL : shown("noargs", self, NULL, 0, NULL); }
static PyObject* f_one(PyObject* self, PyObject* arg) { return shown("one", self, &arg, 1, NULL); }
static PyObject* f_fast(PyObject* self, PyObject* const* args, Py_ssize_t nargs) { return shown("fast", self, args, nargs, NULL); }
static PyObject* f_keywords(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* names) {
  return shown("keywords", self, args, nargs, names);
}
static PyObject* f_tuple(PyObject* self, PyObject* args) {
  return shown("tuple", self, &PyTuple_GET_ITEM(args, 0), PyTuple_GET_SIZE(args), NULL);
}
static PyObject* f_tuple_dict(PyObject* self, PyObject* args, PyObject* kwargs) {
  return Py_BuildValue("(sOOO)", "tuple_dict", PyModule_Check(self) ? Py_None : self, args, kwargs ? kwargs : Py_None);
}
static PyObject* f_class(PyObject* self, PyTypeObject* cls, PyObject* const* args, Py_ssize_t nargs, PyObject* names) {
  return shown("class", (PyObject*)cls, args, nargs, names);
}
static PyObject* f_call(PyObject* self, PyObject* f) { return PyObject_CallOneArg(f, f); }
static PyObject* f_silent(PyObject* self, PyObject* arg) { return NULL; }
static PyObject* f_both(PyObject* self, PyObject* arg) { PyErr_SetString(PyExc_ValueError, "left behind"); return Py_NewRef(arg); }
#define F(f) (PyCFunction)(void (*)(void))f
#define CONVENTIONS {"noargs", f_noargs, METH_NOARGS}, {"one", f_one, METH_O}, {"fast", F(f_fast), METH_FASTCALL}, \\
  {"keywords", F(f_keywords), METH_FASTCALL | METH_KEYWORDS}, {"tuple", f_tuple, METH_VARARGS}, \\
  {"tuple_dict", F(f_tuple_dict), METH_VARARGS | METH_KEYWORDS}
static PyMethodDef methods[] = {CONVENTIONS, {"call", f_call, METH_O}, {"silent", f_silent, METH_O}, {"both", f_both, METH_O}, {0}};
static PyMethodDef thing_methods[] = {CONVENTIONS, {"class_", F(f_class), METH_METHOD | METH_FASTCALL | METH_KEYWORDS},
  {"static_", F(f_fast), METH_FASTCALL | METH_STATIC}, {"classmethod_", F(f_fast), METH_FASTCALL | METH_CLASS}, {0}};

typedef struct {
  PyObject_HEAD
  vectorcallfunc vectorcall;
  PyObject *object, *legacy, *fixed;
  char bool_; signed char byte; unsigned char ubyte; short short_; unsigned short ushort; int int_; unsigned uint;
  long long_; unsigned long ulong; long long longlong; Py_ssize_t size; float float_; double double_;
} Thing;
static PyObject* thing_vectorcall(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* names) {
  return shown("vectorcall", self, args, PyVectorcall_NARGS(nargsf), names);
}
static PyObject* thing_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  if (PyTuple_GET_SIZE(args) > 1) return PyErr_Format(PyExc_TypeError, "too many things");
  Thing* thing = (Thing*)type->tp_alloc(type, 0);
  thing->vectorcall = thing_vectorcall;
  thing->fixed = PyUnicode_FromString("fixed");
  if (PyTuple_GET_SIZE(args)) thing->object = Py_NewRef(PyTuple_GET_ITEM(args, 0));
  return (PyObject*)thing;
}
static void thing_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  Py_XDECREF(((Thing*)self)->object);
  Py_XDECREF(((Thing*)self)->legacy);
  Py_XDECREF(((Thing*)self)->fixed);
  type->tp_free(self);
  Py_DECREF(type);
}
static PyObject* get_square(PyObject* self, void* closure) {
  Thing* thing = (Thing*)self;
  if (thing->long_ < 0) return PyErr_Format(PyExc_ValueError, "negative");
  if (thing->long_ == 1000) return PyErr_Format(PyExc_AttributeError, "no square");
  return PyLong_FromLong(thing->long_ * (long)(intptr_t)closure);
}
static int set_square(PyObject* self, PyObject* value, void* closure) {
  if (!value) { PyErr_SetString(PyExc_TypeError, "stays"); return -1; }
  long number = PyLong_AsLong(value);
  if (number == -1 && PyErr_Occurred()) return -1;
  ((Thing*)self)->long_ = number / (long)(intptr_t)closure;
  return 0;
}
static PyGetSetDef thing_getsets[] = {{"twice", get_square, set_square, 0, (void*)2}, {"thrice", get_square, 0, 0, (void*)3},
  {"written", 0, set_square, 0, (void*)1}, {0}};
#define M(name, kind, flags) {#name, kind, offsetof(Thing, name), flags}
static PyMemberDef thing_members[] = {M(object, Py_T_OBJECT_EX, 0), M(legacy, _Py_T_OBJECT, 0), M(fixed, Py_T_OBJECT_EX, Py_READONLY),
  M(bool_, Py_T_BOOL, 0), M(byte, Py_T_BYTE, 0), M(ubyte, Py_T_UBYTE, 0), M(short_, Py_T_SHORT, 0), M(ushort, Py_T_USHORT, 0),
  M(int_, Py_T_INT, 0), M(uint, Py_T_UINT, 0), M(long_, Py_T_LONG, 0), M(ulong, Py_T_ULONG, 0), M(longlong, Py_T_LONGLONG, 0),
  M(size, Py_T_PYSSIZET, 0), M(float_, Py_T_FLOAT, 0), M(double_, Py_T_DOUBLE, 0),
  {"__vectorcalloffset__", Py_T_PYSSIZET, offsetof(Thing, vectorcall), Py_READONLY}, {0}};
static PyType_Slot thing_slots[] = {{Py_tp_new, thing_new}, {Py_tp_dealloc, thing_dealloc}, {Py_tp_methods, thing_methods},
  {Py_tp_getset, thing_getsets}, {Py_tp_members, thing_members}, {Py_tp_call, PyVectorcall_Call}, {0}};
static PyType_Spec thing_spec = {"NAME.Thing", sizeof(Thing), 0,
  Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_VECTORCALL, thing_slots};
static int execute(PyObject* module) {
  PyObject* type = PyType_FromModuleAndSpec(module, &thing_spec, 0);
  return type ? PyModule_AddObject(module, "Thing", type) : -1;
}
static PyModuleDef_Slot slots[] = {{Py_mod_exec, execute}, {Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0}};
static PyModuleDef def = {PyModuleDef_HEAD_INIT, "NAME", 0, 0, methods, slots};
PyMODINIT_FUNC PyInit_NAME(void) { return PyModuleDef_Init(&def); }
"""


def site(source):
    space = {}
    exec(source, space)
    return space["run"]


def outcome(function, *args):
    try:
        return function(*args)
    except Exception as e:
        return type(e), str(e)


class Calls(LoadingTest):
    def setUp(self):
        super().setUp()
        self.build("forms", SOURCE)
        import forms
        self.forms = forms

    def test_every_convention_at_sites_of_its_own_and_at_a_shared_one(self):
        f, thing = self.forms, self.forms.Thing()
        shared = {n: site(f"def run(f, a, b): return f({', '.join('ab'[:n])})") for n in (0, 1, 2)}
        expected = {
            "noargs": [(), "takes no arguments (1 given)", "takes no arguments (2 given)"],
            "one": ["takes exactly one argument (0 given)", ("x",), "takes exactly one argument (2 given)"],
            "fast": [(), ("x",), ("x", 2.5)], "keywords": [(), ("x",), ("x", 2.5)],
            "tuple": [(), ("x",), ("x", 2.5)], "tuple_dict": [(), ("x",), ("x", 2.5)],
        }
        for _ in range(6):
            for name, results in expected.items():
                for owner, self_shown, label in ((f, None, "forms."), (thing, thing, "forms.Thing.")):
                    for n in (0, 1, 2):
                        own = site(f"def run(o, a, b): return o.{name}({', '.join('ab'[:n])})")
                        result = results[n]
                        for _ in range(4):
                            for got in (outcome(own, owner, "x", 2.5), outcome(shared[n], getattr(owner, name), "x", 2.5)):
                                if isinstance(result, str):
                                    self.assertEqual(got[0], TypeError)
                                    self.assertTrue(got[1].endswith(f"{name}() {result}"), got)
                                else:
                                    self.assertEqual(got, (name, self_shown, result, None))

    def test_keywords(self):
        f, thing = self.forms, self.forms.Thing()
        run = site("def run(f, a, b): return f(a, k=b)")
        method = site("def run(o, a, b): return o.keywords(a, k=b), o.class_(a, k=b), o.tuple_dict(a, k=b)")
        for _ in range(8):
            for _ in range(4):
                self.assertEqual(run(f.keywords, 1, 2.5), ("keywords", None, (1, 2.5), ("k",)))
                self.assertEqual(run(thing.keywords, 1, 2.5), ("keywords", thing, (1, 2.5), ("k",)))
                self.assertEqual(run(thing, 1, 2.5), ("vectorcall", thing, (1, 2.5), ("k",)))
                self.assertEqual(run(f.tuple_dict, 1, 2), ("tuple_dict", None, (1,), {"k": 2}))
            self.assertEqual(method(thing, 1, 2), (("keywords", thing, (1, 2), ("k",)), ("class", f.Thing, (1, 2), ("k",)),
                                                   ("tuple_dict", thing, (1,), {"k": 2})))
            for name in ("noargs", "one", "fast", "tuple"):
                got = outcome(run, getattr(f, name), 1, 2)
                self.assertEqual(got, (TypeError, f"forms.{name}() takes no keyword arguments"))

    def test_static_and_class_methods_and_methods_of_subclasses(self):
        f = self.forms

        class Sub(f.Thing):
            pass
        run = site("def run(o, a): return o.static_(a), o.classmethod_(a), o.class_(a), o.one(a), o.noargs()")
        for o in [f.Thing(), Sub(), Sub()] * 10:
            cls = type(o)
            self.assertEqual(run(o, 1), (("fast", None, (1,), None), ("fast", cls, (1,), None), ("class", f.Thing, (1,), None),
                                         ("one", o, (1,), None), ("noargs", o, (), None)))
        unbound = site("def run(f, o, a): return f(o, a)")
        for _ in range(5):
            self.assertEqual(unbound(f.Thing.one, o, 1), ("one", o, (1,), None))
            self.assertEqual(outcome(unbound, f.Thing.one, 5, 1),
                             (TypeError, "descriptor 'one' for 'forms.Thing' objects doesn't apply to a 'int' object"))

    def test_objects_and_types_are_called(self):
        f = self.forms
        run = site("def run(f, a): return f(a)")
        make = site("def run(f): return f()")
        many = site("def run(f): return f(1, 2)")
        key = site("def run(f): return f(k=1)")
        for _ in range(20):
            thing = make(f.Thing)
            self.assertIs(type(thing), f.Thing)
            self.assertEqual(run(f.Thing, 5).object, 5)
            self.assertIs(type(key(f.Thing)), f.Thing)
            self.assertEqual(run(thing, 5), ("vectorcall", thing, (5,), None))
            self.assertEqual(make(thing), ("vectorcall", thing, (), None))
            self.assertEqual(outcome(many, f.Thing), (TypeError, "too many things"))

    def test_null_without_an_exception_and_a_result_with_one(self):
        for name, message in (("silent", "returned NULL without setting an exception"), ("both", "returned a result with an exception set")):
            run = site("def run(f, x): return f(x)")
            for f in [self.forms.one] * 3 + [getattr(self.forms, name)] * 3:
                if f is self.forms.one:
                    run(f, 1)
                else:
                    with self.assertRaisesRegex(SystemError, message):
                        run(f, 1)

    def test_recursion(self):
        call = self.forms.call

        def again(f):
            return call(again)
        for _ in range(2):
            self.assertRaises(RecursionError, again, None)

    def test_members_and_getters(self):
        thing = self.forms.Thing()
        limits = {"byte": (-128, 127), "ubyte": (0, 255), "short_": (-2**15, 2**15 - 1), "ushort": (0, 2**16 - 1),
                  "int_": (-2**31, 2**31 - 1), "uint": (0, 2**32 - 1), "long_": (-2**63, 2**63 - 1), "ulong": (0, 2**64 - 1),
                  "longlong": (-2**63, 2**63 - 1), "size": (-2**63, 2**63 - 1), "bool_": (False, True), "float_": (-1.5, 2.25),
                  "double_": (-1e300, float("inf"))}
        for name, values in limits.items():
            store = site(f"def run(o, v): o.{name} = v")
            load = site(f"def run(o): return o.{name}")
            add = site(f"def run(o): return o.{name} + 1")
            for value in (*values, 1 if type(values[0]) is not bool else True) * 5:
                store(thing, value)
                self.assertEqual(load(thing), value)
                self.assertIs(type(load(thing)), type(value) if name not in ("float_", "double_") else float)
                self.assertEqual(add(thing), value + 1)
            for _ in range(3):
                self.assertEqual(outcome(store, thing, "x")[0], TypeError)
        load = site("def run(o): return o.object, o.legacy, o.fixed")
        store = site("def run(o, v):\n  o.object = v\n  o.legacy = v")
        drop = site("def run(o):\n  del o.object\n  del o.legacy")
        for i in range(10):
            self.assertEqual(outcome(load, thing), (AttributeError, "'forms.Thing' object has no attribute 'object'"))
            store(thing, [i])
            self.assertEqual(load(thing), ([i], [i], "fixed"))
            if i % 2:
                thing.legacy = None
            del thing.object
            thing.object = 5
            drop(thing)
            self.assertIsNone(thing.legacy)
        fixed = site("def run(o): o.fixed = 1")
        for _ in range(4):
            self.assertEqual(outcome(fixed, thing), (AttributeError, "readonly attribute"))

    def test_getters_and_setters(self):
        thing, other = self.forms.Thing(), type("Other", (), {"twice": "other", "thrice": 1, "written": 2})()

        class Sub(self.forms.Thing):
            pass
        load = site("def run(o): return o.twice, o.thrice")
        add = site("def run(o): return o.twice + 1")
        store = site("def run(o, v): o.twice = v")
        for _ in range(10):
            for o in (thing, Sub(), thing, thing):
                o.long_ = 5
                self.assertEqual((load(o), add(o)), ((10, 15), 11))
                store(o, 8)
                self.assertEqual(o.long_, 4)
                self.assertEqual(outcome(store, o, "x"), (TypeError, "'str' object cannot be interpreted as an integer"))
                o.long_ = -1
                self.assertEqual(outcome(add, o), (ValueError, "negative"))
                o.long_ = 1000
                with self.assertRaisesRegex(AttributeError, "no square") as caught:
                    load(o)
                self.assertEqual((caught.exception.name, caught.exception.obj), ("twice", o))
            self.assertEqual(load(other), ("other", 1))
            store(other, "other")
        written = site("def run(o): return o.written")
        thrice = site("def run(o): o.thrice = 1")
        for _ in range(4):
            self.assertEqual(outcome(written, thing), (AttributeError, "attribute 'written' of 'forms.Thing' objects is not readable"))
            self.assertEqual(outcome(thrice, thing), (AttributeError, "attribute 'thrice' of 'forms.Thing' objects is not writable"))

    def test_threads_at_one_site(self):
        f = self.forms
        run = site("def run(f, o, x):\n  o.long_ = 4\n  return f(x)[2], o.one(x)[2], o.long_, o.twice, o.double_")
        errors = []

        class Mine:
            twice, double_ = 8, 0.0

            def one(self, x):
                return None, None, (x,)

        def work(function, make):
            try:
                for i in range(3000):
                    if run(function, make(), i) != ((i,), (i,), 4, 8, 0.0):
                        raise AssertionError(run(function, make(), i))
            except BaseException as e:
                errors.append(e)
        thing = f.Thing()
        threads = [threading.Thread(target=work, args=args) for args in (
            (f.one, lambda: thing), (f.fast, lambda: thing), (thing, f.Thing), (lambda x: (0, 0, (x,)), Mine))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        if errors:
            raise errors[0]


if __name__ == "__main__":
    unittest.main()
