"""The loader of extension modules: search order, refusal of what was built for the other variant, broken files and init
functions, single-phase, multi-phase (PEP 489) and slot-exporting (PEP 793) modules, the stable ABIs."""
import importlib.machinery
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import textwrap
import unittest
import warnings

FREE = sys.abiflags == "t"
OWN_TAG, OTHER_TAG = ("314t", "314") if FREE else ("314", "314t")
OWN_SUFFIX = f".amphis-{OWN_TAG}-x86_64-linux-gnu.so"
OTHER_SUFFIX = f".amphis-{OTHER_TAG}-x86_64-linux-gnu.so"
COMPILER = sysconfig.get_config_var("CC").split()
INCLUDE = sorted({sysconfig.get_path("include"), sysconfig.get_path("platinclude"), sysconfig.get_config_var("CONFINCLUDEPY")})

MULTI = """
static PyObject* twice(PyObject* self, PyObject* arg) { return PyNumber_Add(arg, arg); }
static PyMethodDef methods[] = {{"twice", twice, METH_O, 0}, {0}};
static PyModuleDef_Slot slots[] = {{Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0}};
static PyModuleDef def = {PyModuleDef_HEAD_INIT, "NAME", 0, 0, methods, slots};
PyMODINIT_FUNC PyInit_NAME(void) { return PyModuleDef_Init(&def); }
"""

SINGLE = """
static PyObject* twice(PyObject* self, PyObject* arg) { return PyNumber_Add(arg, arg); }
static PyMethodDef methods[] = {{"twice", twice, METH_O, 0}, {0}};
static PyModuleDef def = {PyModuleDef_HEAD_INIT, "NAME", 0, -1, methods};
PyMODINIT_FUNC PyInit_NAME(void) { return PyModule_Create(&def); }
"""

# A module for both variants: state, a class with data of its own, a method that finds the state by token.
AGNOSTIC = """
typedef struct { PyObject* counter_type; long made; } State;
typedef struct { long value; PyMutex mutex; } Counter;
static char token;

static PyObject* increment(PyObject* self, PyTypeObject* cls, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  State* state = (State*)PyType_GetModuleState(cls);
  Counter* counter = (Counter*)PyObject_GetTypeData(self, (PyTypeObject*)state->counter_type);
  long value;
  Py_BEGIN_CRITICAL_SECTION(self);
  value = ++counter->value;
  Py_END_CRITICAL_SECTION();
  PyMutex_Lock(&counter->mutex);
  ++state->made;
  PyMutex_Unlock(&counter->mutex);
  return PyLong_FromLong(value);
}
static PyMethodDef counter_methods[] = {{"increment", (PyCFunction)(void (*)(void))increment, METH_METHOD | METH_FASTCALL | METH_KEYWORDS, 0}, {0}};
static PyMemberDef counter_members[] = {{"value", Py_T_LONG, offsetof(Counter, value), Py_RELATIVE_OFFSET}, {0}};
static PyType_Slot counter_slots[] = {{Py_tp_methods, counter_methods}, {Py_tp_members, counter_members}, {0}};
static PyType_Spec counter_spec = {"NAME.Counter", -(int)sizeof(Counter), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, counter_slots};

static int exec_module(PyObject* module) {
  State* state = (State*)PyModule_GetState(module);
  void* found;
  Py_ssize_t size;
  if (PyModule_GetToken(module, &found) < 0 || PyModule_GetStateSize(module, &size) < 0) return -1;
  if (found != &token || size != sizeof(State)) { PyErr_SetString(PyExc_AssertionError, "token or size"); return -1; }
  state->counter_type = PyType_FromModuleAndSpec(module, &counter_spec, 0);
  return state->counter_type ? PyModule_AddObjectRef(module, "Counter", state->counter_type) : -1;
}
static int traverse(PyObject* module, visitproc visit, void* arg) {
  Py_VISIT(((State*)PyModule_GetState(module))->counter_type);
  return 0;
}
static int clear(PyObject* module) {
  State* state = (State*)PyModule_GetState(module);
  Py_CLEAR(state->counter_type);
  return 0;
}
static PyObject* made(PyObject* module, PyObject* unused) { return PyLong_FromLong(((State*)PyModule_GetState(module))->made); }
static PyObject* home(PyObject* module, PyObject* type) { return PyType_GetModuleByToken((PyTypeObject*)type, &token); }
static PyMethodDef methods[] = {{"made", made, METH_NOARGS, 0}, {"home", home, METH_O, 0}, {0}};
PyABIInfo_VAR(abi);
static PyModuleDef_Slot slots[] = {
  {Py_mod_abi, &abi}, {Py_mod_name, "NAME"}, {Py_mod_doc, "Made of slots."}, {Py_mod_state_size, (void*)sizeof(State)},
  {Py_mod_methods, methods}, {Py_mod_state_traverse, (void*)traverse}, {Py_mod_state_clear, (void*)clear},
  {Py_mod_token, &token}, {Py_mod_exec, (void*)exec_module}, {Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0}};
PyMODEXPORT_FUNC PyModExport_NAME(void) { return slots; }
"""


def setUpModule():
    global WORK, OTHER_INCLUDE
    if shutil.which(COMPILER[0]) is None:
        raise unittest.SkipTest(f"no C compiler {COMPILER[0]}")
    WORK = tempfile.mkdtemp()
    sys.dont_write_bytecode = True
    # The other variant's pyconfig.h, for modules that were built for it.
    OTHER_INCLUDE = os.path.join(WORK, "other")
    os.mkdir(OTHER_INCLUDE)
    with open(os.path.join(sysconfig.get_config_var("CONFINCLUDEPY"), "pyconfig.h")) as file:
        lines = [line for line in file if "Py_GIL_DISABLED" not in line]
    with open(os.path.join(OTHER_INCLUDE, "pyconfig.h"), "w") as file:
        file.writelines(lines[:3] + ([] if FREE else ["#define Py_GIL_DISABLED 1\n"]) + lines[3:])


def tearDownModule():
    shutil.rmtree(WORK)


class LoadingTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(dir=WORK)
        sys.path.insert(0, self.folder)
        self.before = set(sys.modules)

    def tearDown(self):
        sys.path.remove(self.folder)
        sys.path_importer_cache.pop(self.folder, None)
        for name in set(sys.modules) - self.before:
            del sys.modules[name]

    def build(self, name, source, suffix=OWN_SUFFIX, flags=(), other=False, folder=None, note=True, language="c"):
        """Compiles a module; NAME in the source stands for its name."""
        folder = folder or self.folder
        path = os.path.join(folder, name + suffix)
        include = [OTHER_INCLUDE] * other + INCLUDE
        hide = [] if note else ["-DPy_BUILD_CORE"]
        command = [*COMPILER, "-shared", "-fPIC", "-O1", "-w", *hide, *flags, *("-I" + i for i in include), "-x", language, "-", "-o", path]
        text = "#include <Python.h>\n#include <stddef.h>\n" + source.replace("NAME", name)
        done = subprocess.run(command, input=text, text=True, capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        importlib.invalidate_caches()
        return path

    def load(self, path, name):
        """Loads a file by its path, whatever its suffix."""
        loader = importlib.machinery.ExtensionFileLoader(name, path)
        module = importlib.util.module_from_spec(importlib.util.spec_from_file_location(name, path, loader=loader))
        loader.exec_module(module)
        return module

    def run_python(self, code, *options, **environment):
        return subprocess.run([sys.executable, *options, "-c", code], capture_output=True, text=True, cwd=self.folder,
                              env={**os.environ, "PYTHONPATH": self.folder, **environment}, timeout=60)


class SearchOrder(LoadingTest):
    def test_suffixes_are_own_tag_then_the_stable_abis_then_plain(self):
        expected = [OWN_SUFFIX, ".abi3t.so", ".abi3.so", ".so"]
        if FREE:
            expected.remove(".abi3.so")
        self.assertEqual(importlib.machinery.EXTENSION_SUFFIXES, expected)

    def test_of_two_variants_in_one_package_each_takes_its_own(self):
        package = os.path.join(self.folder, "pair")
        os.mkdir(package)
        open(os.path.join(package, "__init__.py"), "w").close()
        own = self.build("core", MULTI, OWN_SUFFIX, folder=package)
        self.build("core", MULTI, OTHER_SUFFIX, other=True, folder=package)
        from pair import core
        self.assertEqual((core.__file__, core.twice(21), core.__name__), (own, 42, "pair.core"))

    def test_only_the_other_variants_file_is_named_with_both_tags_and_what_to_do(self):
        path = self.build("lonely", MULTI, OTHER_SUFFIX, other=True)
        with self.assertRaises(ModuleNotFoundError) as caught:
            import lonely
        text = str(caught.exception)
        for part in ("No module named 'lonely'", path, "amphis-314 ", "amphis-314t", "build the module for"):
            self.assertIn(part, text)
        self.assertEqual(caught.exception.name, "lonely")

    def test_only_a_file_that_this_variant_does_not_look_for_is_named(self):
        suffixes = {".cpython-314-x86_64-linux-gnu.so": "CPython 3.14"}
        if FREE:
            suffixes[".abi3.so"] = "abi3 (the stable ABI of builds with the GIL)"
        for number, (suffix, tag) in enumerate(suffixes.items()):
            path = os.path.join(self.folder, f"apart{number}{suffix}")
            open(path, "w").close()
            with self.subTest(suffix=suffix), self.assertRaises(ModuleNotFoundError) as caught:
                importlib.import_module(f"apart{number}")
            self.assertIn(f"{path} was built for {tag}, but this interpreter is amphis-{OWN_TAG}", str(caught.exception))


class Refusal(LoadingTest):
    def refused(self, path, name):
        with self.assertRaises(ImportError) as caught:
            self.load(path, name)
        text = str(caught.exception)
        self.assertEqual((caught.exception.name, caught.exception.path), (name, path))
        self.assertIn(path, text)
        self.assertIn("build the module for", text)
        return text

    MARK = '__attribute__((constructor)) static void mark(void) { setenv("AMPHIS_LOADED_NAME", "1", 1); }\n'

    def test_a_module_of_the_other_variant_is_refused_before_it_runs(self):
        for number, (suffix, note) in enumerate([(OTHER_SUFFIX, True), (".so", True), (".so", False)]):
            name = f"foreign{number}"
            source = "#include <stdlib.h>\n" + self.MARK + MULTI
            # Counts a reference inline: what the file imports gives it away without a note.
            source += "void use(PyObject* o); void use(PyObject* o) { Py_DECREF(o); }\n"
            path = self.build(name, source, suffix, other=True, note=note)
            text = self.refused(path, name)
            self.assertIn("amphis-314 ", text + " ")
            self.assertIn("amphis-314t", text)
            self.assertNotIn(f"AMPHIS_LOADED_{name}", os.environ)

    @unittest.skipUnless(FREE, "builds with the GIL load abi3")
    def test_a_module_of_the_stable_abi_with_the_gil_is_refused(self):
        path = self.build("stable", MULTI, ".abi3.so", ["-DPy_LIMITED_API=0x030d0000"], other=True)
        self.assertIn("abi3", self.refused(path, "stable"))

    def test_a_module_that_moves_frames_of_cpythons_interpreter_is_refused_before_it_runs(self):
        path = self.build("_greenlet", "#include <stdlib.h>\n" + self.MARK + MULTI, ".so", note=False)
        with self.assertRaisesRegex(ImportError, "moves frames of its interpreter, which amphis-314t? does not have") as caught:
            self.load(path, "_greenlet")
        self.assertIn(path, str(caught.exception))
        self.assertNotIn("AMPHIS_LOADED__greenlet", os.environ)

    def test_a_truncated_file_is_an_import_error_at_any_length(self):
        path = self.build("cut", MULTI)
        with open(path, "rb") as file:
            content = file.read()
        for length in (0, 3, 63, 64, 500, 4096, len(content) // 2, len(content) - 1):
            with open(path, "wb") as file:
                file.write(content[:length])
            with self.subTest(length=length), self.assertRaises(ImportError) as caught:
                self.load(path, "cut")
            self.assertIn(path, str(caught.exception))

    def test_what_is_no_library_at_all_is_an_import_error(self):
        path = os.path.join(self.folder, "text.so")
        with open(path, "w") as file:
            file.write("This is a text, not a library.\n" * 300)
        with self.assertRaisesRegex(ImportError, "invalid ELF header"):
            self.load(path, "text")
        with self.assertRaisesRegex(ImportError, "No such file"):
            self.load(os.path.join(self.folder, "absent.so"), "absent")

    def test_a_missing_symbol_is_named(self):
        path = self.build("lacking", "PyObject* no_such_function(void);\n" + MULTI +
                          "PyObject* f(void); PyObject* f(void) { return no_such_function(); }\n")
        with self.assertRaisesRegex(ImportError, f"{path}: undefined symbol: no_such_function"):
            import lacking

    def test_a_missing_init_function_is_named(self):
        self.build("initless", "int nothing;\n")
        with self.assertRaisesRegex(ImportError, r"dynamic module does not define module export function \(PyInit_initless\)"):
            import initless


class Phases(LoadingTest):
    def test_a_single_phase_module_gets_its_full_name(self):
        package = os.path.join(self.folder, "outer")
        os.mkdir(package)
        open(os.path.join(package, "__init__.py"), "w").close()
        self.build("inner", SINGLE + "\n", folder=package)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from outer import inner
        self.assertEqual((inner.__name__, inner.twice.__module__, inner.twice(2)), ("outer.inner", "outer.inner", 4))

    def test_a_single_phase_module_is_restored_from_its_first_contents(self):
        self.build("once", SINGLE)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import once
        once.extra = 1
        del sys.modules["once"]
        import once as again
        self.assertIsNot(again, once)
        self.assertIs(again.twice, once.twice)
        self.assertFalse(hasattr(again, "extra"))

    def test_multi_phase_modules_are_made_anew_with_state_of_their_own(self):
        self.build("stateful", """
            static PyObject* count(PyObject* m, PyObject* a) { return PyLong_FromLong(++*(long*)PyModule_GetState(m)); }
            static PyMethodDef methods[] = {{"count", count, METH_NOARGS, 0}, {0}};
            static int run(PyObject* m) { *(long*)PyModule_GetState(m) = 10; return 0; }
            static PyModuleDef_Slot slots[] = {{Py_mod_exec, run}, {Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0}};
            static PyModuleDef def = {PyModuleDef_HEAD_INIT, "NAME", "A text.", sizeof(long), methods, slots};
            PyMODINIT_FUNC PyInit_NAME(void) { return PyModuleDef_Init(&def); }
        """)
        import stateful
        self.assertEqual((stateful.count(), stateful.count(), stateful.__doc__), (11, 12, "A text."))
        first = stateful
        del sys.modules["stateful"]
        import stateful
        self.assertIsNot(stateful, first)
        self.assertEqual((stateful.count(), first.count()), (11, 13))

    def test_a_definition_with_an_ordinary_count_survives_many_imports(self):
        # Other languages' bindings write the definition's head themselves, with a reference count of one.
        self.build("mortal", MULTI.replace("return PyModuleDef_Init", "Py_SET_REFCNT((PyObject*)&def, 1); return PyModuleDef_Init"))
        for _ in range(5):
            import mortal
            self.assertEqual(mortal.twice(1), 2)
            del sys.modules["mortal"]

    def test_init_functions_that_misbehave_raise_what_cpython_raises(self):
        cases = {
            "silent": ("return 0;", SystemError, "initialization of silent failed without raising an exception"),
            "loud": ('PyErr_SetString(PyExc_KeyError, "mine"); return 0;', KeyError, "'mine'"),
            "both": ('PyErr_SetString(PyExc_KeyError, "mine"); return PyModuleDef_Init(&def);', SystemError,
                     "initialization of both raised unreported exception"),
            "number": ("return PyLong_FromLong(3);", SystemError, "initialization of number did not return an extension module"),
            "plain": ('return PyModule_New("plain");', SystemError, "initialization of plain did not return a valid extension module"),
            "raw": ("return (PyObject*)&def;", SystemError, "init function of raw returned uninitialized object"),
            "twogil": ("return PyModuleDef_Init(&def);", SystemError, "module twogil has more than one 'gil' slot",
                       "{Py_mod_gil, Py_MOD_GIL_NOT_USED}, {Py_mod_gil, Py_MOD_GIL_NOT_USED},"),
            "twocreate": ("return PyModuleDef_Init(&def);", SystemError, "module twocreate has multiple create slots",
                          "{Py_mod_create, f}, {Py_mod_create, f},"),
            "unknown": ("return PyModuleDef_Init(&def);", SystemError, "module unknown uses unknown slot ID 77", "{77, f},"),
            "nocreate": ("return PyModuleDef_Init(&def);", SystemError,
                         "creation of module nocreate failed without setting an exception", "{Py_mod_create, f},"),
            "noexec": ("return PyModuleDef_Init(&def);", SystemError,
                       "execution of module noexec failed without setting an exception", "{Py_mod_exec, g},"),
        }
        for name, (body, error, text, *slots) in cases.items():
            source = """static void* f(void* a, void* b) { return 0; } static int g(PyObject* m) { return -1; }
                static PyModuleDef_Slot slots[] = {SLOTS {0}};
                static PyModuleDef def = {PyModuleDef_HEAD_INIT, "NAME", 0, 0, 0, slots};
                PyMODINIT_FUNC PyInit_NAME(void) { BODY }"""
            default = "{Py_mod_gil, Py_MOD_GIL_NOT_USED},"
            own = slots[0] if slots else ""
            both = own if "Py_mod_gil" in own else own + default
            self.build(name, source.replace("SLOTS", both).replace("BODY", body))
            with self.subTest(name), self.assertRaises(error) as caught:
                __import__(name)
            self.assertEqual(str(caught.exception), text)
            if name == "both":
                self.assertIsInstance(caught.exception.__cause__, KeyError)


class StableAbis(LoadingTest):
    @unittest.skipIf(FREE, "only builds with the GIL load abi3")
    def test_the_limited_api_of_each_version_gives_modules_that_load(self):
        for minor in (5, 7, 9, 10, 11, 12, 13, 14):
            name = f"limited{minor}"
            self.build(name, "#define PY_SSIZE_T_CLEAN\n" + MULTI.replace("{Py_mod_gil, Py_MOD_GIL_NOT_USED},", "") + """
                static PyObject* none(PyObject* s, PyObject* a) { PyObject* l = PyList_New(0); Py_XDECREF(l); Py_INCREF(a); Py_DECREF(a); Py_RETURN_NONE; }
            """, ".abi3.so", [f"-DPy_LIMITED_API={3 << 24 | minor << 16:#x}"])
            self.assertEqual(__import__(name).twice(4), 8)

    def test_a_module_for_both_variants_is_one_binary_from_slots(self):
        path = self.build("agnostic", AGNOSTIC, ".abi3t.so", ["-DPy_TARGET_ABI3T=0x030f0000"])
        before = sys._is_gil_enabled()
        import agnostic
        self.assertEqual((agnostic.__file__, agnostic.__doc__, agnostic.__name__), (path, "Made of slots.", "agnostic"))
        counter = agnostic.Counter()
        self.assertEqual([counter.increment() for _ in range(3)], [1, 2, 3])
        self.assertEqual((counter.value, agnostic.made()), (3, 3))
        class Derived(agnostic.Counter):
            pass
        self.assertIs(agnostic.home(Derived), agnostic)
        self.assertRaisesRegex(TypeError, "PyType_GetModuleByToken: No superclass of 'int' has the given module", agnostic.home, int)
        self.assertEqual(sys._is_gil_enabled(), before)
        # The same file in the other variant, where it is built.
        other = os.environ.get("AMPHIS_OTHER_VARIANT")
        if other and os.path.exists(other):
            done = subprocess.run([other, "-c", "import agnostic, sys; c = agnostic.Counter(); c.increment(); print(c.value, sys.abiflags)"],
                                  env={**os.environ, "PYTHONPATH": self.folder}, capture_output=True, text=True, timeout=60)
            self.assertEqual(done.stdout.split(), ["1"] + ([] if FREE else ["t"]), done.stderr)

    def test_slot_modules_are_made_anew_and_need_no_stable_abi(self):
        self.build("slotted", AGNOSTIC)
        import slotted
        slotted.Counter().increment()
        del sys.modules["slotted"]
        import slotted as again
        self.assertEqual((slotted.made(), again.made()), (1, 0))

    def test_export_functions_that_misbehave_raise(self):
        for name, body, text in [
                ("nothing", "return 0;", "slot export function for module nothing failed without setting an exception"),
                ("noisy", 'PyErr_SetString(PyExc_KeyError, "x"); return slots;', "slot export function for module noisy raised unreported exception"),
                ("doubled", "return slots;", "module doubled has more than one Py_mod_doc slot")]:
            self.build(name, """static PyModuleDef_Slot slots[] = {{Py_mod_doc, "a"}, {Py_mod_doc, "b"}, {0}};
                PyMODEXPORT_FUNC PyModExport_NAME(void) { BODY }""".replace("BODY", body))
            with self.subTest(name), self.assertRaises(SystemError) as caught:
                __import__(name)
            self.assertEqual(str(caught.exception), text)

    def test_abi_info_refuses_before_anything_is_made(self):
        flag = "PyABIInfo_GIL" if FREE else "PyABIInfo_FREETHREADED"
        for number, (info, text) in enumerate([
                (f"{{1, 0, {flag}, PY_VERSION_HEX, PY_VERSION_HEX}}", "amphis-314t"), ("{2, 0, 0, 0, 0}", "PyABIInfo version too high"),
                ("{1, 0, 0, 0x030d0000, 0x030d0000}", "incompatible ABI version")]):
            name = f"checked{number}"
            self.build(name, f"""static PyABIInfo info = {info};
                static PyModuleDef_Slot slots[] = {{{{Py_mod_abi, &info}}, {{0}}}};
                PyMODEXPORT_FUNC PyModExport_NAME(void) {{ return slots; }}""")
            with self.subTest(info), self.assertRaisesRegex(ImportError, f"{name}: .*{text}"):
                __import__(name)


class TypesOfExtensions(LoadingTest):
    SPEC = """
        typedef struct { PyObject_HEAD long value; } Thing;
        static PyMemberDef members[] = {{"value", Py_T_LONG, offsetof(Thing, value), 0}, {0}};
        static int traverse(PyObject* o, visitproc visit, void* arg) { Py_VISIT(Py_TYPE(o)); return PyObject_VisitManagedDict(o, visit, arg); }
        static int clear(PyObject* o) { PyObject_ClearManagedDict(o); return 0; }
        static void dealloc(PyObject* o) {
          PyTypeObject* type = Py_TYPE(o); PyObject_GC_UnTrack(o); PyObject_ClearWeakRefs(o); PyObject_ClearManagedDict(o); type->tp_free(o); Py_DECREF(type);
        }
        static PyType_Slot thing_slots[] = {{Py_tp_members, members}, {Py_tp_traverse, traverse}, {Py_tp_clear, clear}, {Py_tp_dealloc, dealloc}, {0}};
        static PyType_Spec spec = {"NAME.Thing", sizeof(Thing), 0, KINDS, thing_slots};
        static PyObject* by_hand(void) {
          PyHeapTypeObject* heap = (PyHeapTypeObject*)PyType_Type.tp_alloc(&PyType_Type, 0);
          heap->ht_name = PyUnicode_FromString("ByHand"); heap->ht_qualname = PyUnicode_FromString("ByHand");
          PyTypeObject* type = &heap->ht_type;
          type->tp_name = "ByHand"; type->tp_base = (PyTypeObject*)Py_NewRef((PyObject*)&PyBaseObject_Type);
          type->tp_basicsize = sizeof(Thing); type->tp_flags = KINDS | Py_TPFLAGS_HEAPTYPE;
          type->tp_members = members; type->tp_traverse = traverse; type->tp_clear = clear; type->tp_dealloc = dealloc;
          return PyType_Ready(type) < 0 ? 0 : (PyObject*)type;
        }
        static PyTypeObject static_type = {PyVarObject_HEAD_INIT(0, 0) "NAME.Static", sizeof(Thing)};
        static long guard[64];  // what lies behind a static type
        static int run(PyObject* m) {
          static_type.tp_members = members; static_type.tp_new = PyType_GenericNew; static_type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HEAPTYPE;
          int failed = PyType_Ready(&static_type);  // as Cython does for a moment
          static_type.tp_flags &= ~Py_TPFLAGS_HEAPTYPE;
          for (int i = 0; i < 64; ++i) if (guard[i] != 0) { PyErr_SetString(PyExc_AssertionError, "written behind a static type"); return -1; }
          return failed < 0 || PyModule_Add(m, "Thing", PyType_FromModuleAndSpec(m, &spec, 0)) < 0 || PyModule_Add(m, "ByHand", by_hand()) < 0 ||
                 PyModule_AddIntConstant(m, "size", sizeof(Thing)) < 0 || PyModule_AddObjectRef(m, "Static", (PyObject*)&static_type) < 0 ? -1 : 0;
        }
        static PyModuleDef_Slot slots[] = {{Py_mod_exec, run}, {Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0}};
        static PyModuleDef def = {PyModuleDef_HEAD_INIT, "NAME", 0, 0, 0, slots};
        PyMODINIT_FUNC PyInit_NAME(void) { return PyModuleDef_Init(&def); }
    """

    def test_managed_dicts_and_weak_references_do_not_change_the_declared_size(self):
        import gc
        import weakref
        flags = "(Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_MANAGED_DICT | Py_TPFLAGS_MANAGED_WEAKREF)"
        self.build("managed", self.SPEC.replace("KINDS", flags))
        import managed
        for base in (managed.Thing, managed.ByHand):
            class Derived(base):
                pass
            class Slotted(base):
                __slots__ = ("slot",)
            self.assertEqual(base.__basicsize__, managed.size)
            for cls in (base, Derived, Slotted):
                things = [cls() for _ in range(50)]
                for i, thing in enumerate(things):
                    thing.value, thing.name, thing.me = i, f"name {i}", thing
                    if cls is Slotted:
                        thing.slot = i
                dead = []
                refs = [weakref.ref(thing, dead.append) for thing in things]
                self.assertEqual([(t.value, t.name, t.me is t) for t in things], [(i, f"name {i}", True) for i in range(50)])
                del things, thing
                gc.collect()
                self.assertEqual((len(dead), [r() for r in refs]), (50, [None] * 50))
        self.assertEqual(managed.Static().value, 0)

    def test_a_static_type_of_two_bases_does_not_write_into_the_first_ones_slots(self):
        self.build("twobases", """
            static int truth(PyObject* o) { return 1; }
            static PyNumberMethods numbers = {.nb_bool = truth};
            static PyTypeObject mixin = {PyVarObject_HEAD_INIT(0, 0) "NAME.Mixin", sizeof(PyObject)};
            static PyTypeObject both = {PyVarObject_HEAD_INIT(0, 0) "NAME.Both"};
            static int run(PyObject* m) {
              mixin.tp_as_number = &numbers; mixin.tp_flags = both.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE;
              if (PyType_Ready(&mixin) < 0) return -1;
              both.tp_basicsize = PyUnicode_Type.tp_basicsize; both.tp_base = &PyUnicode_Type;
              both.tp_bases = PyTuple_Pack(2, &PyUnicode_Type, &mixin);
              return PyType_Ready(&both) < 0 || PyModule_AddObjectRef(m, "Both", (PyObject*)&both) < 0 ? -1 : 0;
            }
            static PyModuleDef_Slot slots[] = {{Py_mod_exec, run}, {Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0}};
            static PyModuleDef def = {PyModuleDef_HEAD_INIT, "NAME", 0, 0, 0, slots};
            PyMODINIT_FUNC PyInit_NAME(void) { return PyModuleDef_Init(&def); }
        """)
        import twobases
        empty = "".join([])
        self.assertEqual((bool(empty), bool(twobases.Both("a"))), (False, True))
        self.assertEqual([s for s in ("", "x") if s], ["x"])

    def test_keywords_may_end_before_the_optional_part_of_a_format(self):
        self.build("optional", """
            static PyObject* f(PyObject* s, PyObject* args, PyObject* kwargs) {
              static char* names[] = {"data", 0}; PyObject* data;
              return PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:f", names, &data) ? Py_NewRef(data) : 0;
            }
            static PyMethodDef methods[] = {{"f", (PyCFunction)(void (*)(void))f, METH_VARARGS | METH_KEYWORDS, 0}, {0}};
            static PyModuleDef_Slot slots[] = {{Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0}};
            static PyModuleDef def = {PyModuleDef_HEAD_INIT, "NAME", 0, 0, methods, slots};
            PyMODINIT_FUNC PyInit_NAME(void) { return PyModuleDef_Init(&def); }
        """)
        import optional
        self.assertEqual((optional.f(1), optional.f(data=2)), (1, 2))

    def test_a_frame_made_for_a_traceback_keeps_the_line_written_into_it(self):
        import traceback
        self.build("framed", """
            #include <frameobject.h>
            #include <internal/pycore_frame.h>
            static PyObject* fail(PyObject* s, PyObject* a) {
              PyCodeObject* code = PyCode_NewEmpty("model.pyx", "compute", 17);
              PyFrameObject* frame = PyFrame_New(PyThreadState_Get(), code, PyModule_GetDict(s), 0);
              frame->f_lineno = 23;
              PyErr_SetString(PyExc_ValueError, "bad");
              PyTraceBack_Here(frame);
              Py_DECREF(frame); Py_DECREF(code);
              return 0;
            }
            static PyMethodDef methods[] = {{"fail", fail, METH_NOARGS, 0}, {0}};
            static PyModuleDef_Slot slots[] = {{Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0}};
            static PyModuleDef def = {PyModuleDef_HEAD_INIT, "NAME", 0, 0, methods, slots};
            PyMODINIT_FUNC PyInit_NAME(void) { return PyModuleDef_Init(&def); }
        """)
        import framed
        try:
            framed.fail()
        except ValueError as error:
            text = "".join(traceback.format_exception(error))
            line = error.__traceback__.tb_next.tb_lineno
        self.assertEqual(line, 23)
        self.assertIn('File "model.pyx", line 17, in compute', text)  # the code's position, as in CPython

    def test_the_datetime_functions_for_c_make_and_read_what_python_does(self):
        import datetime
        self.build("dated", """
            #include <datetime.h>
            static PyObject* f(PyObject* s, PyObject* a) {
              PyDateTime_IMPORT;
              if (!PyDateTimeAPI) return 0;
              PyObject* when = PyDateTime_FromDateAndTimeAndFold(2020, 2, 29, 1, 2, 3, 4, 1);
              PyObject* delta = PyDelta_FromDSU(1, -1, 5);
              PyObject* zone = PyTimeZone_FromOffset(delta);
              if (!when || !delta || !zone) return 0;
              return Py_BuildValue("NNN(iiiiiii)iiO", when, delta, zone, PyDateTime_GET_YEAR(a), PyDateTime_GET_MONTH(a), PyDateTime_GET_DAY(a),
                PyDateTime_DATE_GET_HOUR(a), PyDateTime_DATE_GET_MINUTE(a), PyDateTime_DATE_GET_SECOND(a), PyDateTime_DATE_GET_MICROSECOND(a),
                PyDate_Check(a) && PyDateTime_CheckExact(a), PyDateTime_DATE_GET_FOLD(a), PyDateTime_DATE_GET_TZINFO(a));
            }
            static PyMethodDef methods[] = {{"f", f, METH_O, 0}, {0}};
            static PyModuleDef_Slot slots[] = {{Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0}};
            static PyModuleDef def = {PyModuleDef_HEAD_INIT, "NAME", 0, 0, methods, slots};
            PyMODINIT_FUNC PyInit_NAME(void) { return PyModuleDef_Init(&def); }
        """)
        import dated
        zone = datetime.timezone.utc
        result = dated.f(datetime.datetime(1999, 12, 31, 23, 59, 58, 123456, zone, fold=1))
        delta = datetime.timedelta(days=1, seconds=-1, microseconds=5)
        self.assertEqual(result, (datetime.datetime(2020, 2, 29, 1, 2, 3, 4, fold=1), delta, datetime.timezone(delta),
                                  (1999, 12, 31, 23, 59, 58, 123456), 1, 1, zone))


class TheGil(LoadingTest):
    QUIET = 'import sys, warnings\nwarnings.simplefilter("always")\nimport %s\nprint(sys._is_gil_enabled())'
    WARNING = "The global interpreter lock (GIL) has been enabled to load module '%s', which has not declared"

    def test_a_module_that_does_not_declare_to_live_without_it_turns_it_on(self):
        self.build("needy", MULTI.replace("{Py_mod_gil, Py_MOD_GIL_NOT_USED},", ""))
        self.build("single", SINGLE)
        self.build("explicit", MULTI.replace("NOT_USED", "USED"))
        self.build("needyslots", "static PyModuleDef_Slot slots[] = {{Py_mod_doc, \"d\"}, {0}}; PyMODEXPORT_FUNC PyModExport_NAME(void) { return slots; }")
        for name in ("needy", "single", "explicit", "needyslots"):
            done = self.run_python(self.QUIET % name)
            with self.subTest(name):
                self.assertEqual(done.stdout.strip(), "True", done.stderr)
                self.assertEqual((self.WARNING % name) in done.stderr, FREE, done.stderr)
            forbidden = [self.run_python(self.QUIET % name, "-X", "gil=0"), self.run_python(self.QUIET % name, PYTHON_GIL="0")] if FREE else []
            for done in forbidden:
                self.assertEqual((done.stdout.strip(), done.stderr), ("False", ""))

    @unittest.skipUnless(FREE, "only for the free-threaded build")
    def test_a_module_that_declares_it_leaves_it_off(self):
        self.build("fine", MULTI)
        self.build("finesingle", SINGLE.replace("return PyModule_Create(&def);", """PyObject* m = PyModule_Create(&def);
            PyUnstable_Module_SetGIL(m, Py_MOD_GIL_NOT_USED); return m;"""))
        for name in ("fine", "finesingle"):
            done = self.run_python(self.QUIET % name)
            self.assertEqual((done.stdout.strip(), done.stderr), ("False", ""))


if __name__ == "__main__":
    unittest.main()
