"""Extensions with faults: slots that break their promise raise SystemError in every build; debug builds (checked mode) find the
misuse of the C API and name the function that it came from."""
import os
import sys
import sysconfig
import unittest

from test_loading import FREE, LoadingTest, OWN_SUFFIX, setUpModule, tearDownModule

CHECKED = sysconfig.get_config_var("AMPHIS_CHECKED")
FAULTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "faults")


class FaultTest(LoadingTest):
    def build_fault(self, name):
        with open(os.path.join(FAULTS, name + ".c")) as file:
            return self.build(name, file.read())


class Slots(FaultTest):
    CASES = """
        repr(b); str(b); hash(b); b == 1; b < b; b + 1; 1 + b; b ** 2; -b; int(b); float(b); bool(b); iter(b); list(b); len(b);
        b[1]; b[1] = 2; del b[1]; 1 in b; b(1); b.attribute; getattr(b, 'attribute', 5); b.property; b.property = 1;
        memoryview(b); b += 1; {b: 1}; '%s' % b; f'{b}'; range(b); slots.BrokenSetter().x = 1; slots.BrokenInit();
        slots.BrokenNew()
    """

    def test_each_raises_system_error_and_does_not_crash(self):
        self.build_fault("slots")
        import slots
        for mode in (0, 1):
            for case in self.CASES.replace("\n", " ").split(";"):
                # Inside an instruction sequence of its own, so that the finding is that instruction's.
                namespace = {}
                exec(f"def run(b, slots):\n  {case.strip()}\n", namespace)
                broken = slots.Broken()
                with self.subTest(case=case.strip(), mode=mode):
                    slots.set_mode(mode)
                    try:
                        if mode == 0 or CHECKED:
                            self.assertRaises(SystemError, namespace["run"], broken, slots)
                        else:
                            # As in CPython the exception may surface as what it is, at a later place.
                            self.assertRaises((SystemError, ValueError), lambda: [namespace["run"](broken, slots), len([])])
                    finally:
                        slots.set_mode(0)

    @unittest.skipUnless(CHECKED, "a release build: not checked")
    def test_checked_mode_names_the_slot_and_its_function(self):
        self.build_fault("slots")
        import slots
        slots.set_mode(0)
        with self.assertRaisesRegex(SystemError, r"slot __repr__ of type 'slots.Broken' failed without setting an exception: "
                                                 r"s_text\(\) in slots\.amphis-314t?-x86_64-linux-gnu\.so"):
            repr(slots.Broken())
        slots.set_mode(1)
        try:
            with self.assertRaisesRegex(SystemError, r"slot mp_length of type 'slots.Broken' succeeded with an exception set: "
                                                     r"s_length\(\) in slots") as caught:
                len(slots.Broken())
        finally:
            slots.set_mode(0)
        self.assertIsInstance(caught.exception.__cause__, ValueError)


@unittest.skipUnless(CHECKED, "a release build: not checked")
class CheckedMode(FaultTest):
    def found(self, code, *parts, fatal=False):
        """Runs code in a process of its own; the last line of its exception, or the fatal error, must have all parts."""
        done = self.run_python("import misuse, threading\n" + code)
        lines = [line for line in done.stderr.splitlines() if line.startswith(("Fatal Python error", "SystemError"))]
        self.assertTrue(lines, done.stderr)
        self.assertTrue(lines[0].startswith("Fatal" if fatal else "SystemError"), lines[0])
        self.assertNotEqual(done.returncode, 0)
        for part in parts:
            self.assertIn(part, lines[0])

    def from_(self, function):
        return f"called from {function}() in misuse{OWN_SUFFIX}, method '{function}'"

    def setUp(self):
        super().setUp()
        self.build_fault("misuse")

    def test_a_reference_dropped_once_too_often(self):
        self.found("misuse.drop_twice()", "negative reference count", "(a 'str', freed in a call of Py_DECREF() from drop_twice()",
                   self.from_("drop_twice"), fatal=True)

    def test_a_freed_object_given_to_the_api(self):
        self.found("misuse.append_freed([])", "PyList_Append() was given an object that was freed (a 'list'", "as argument 2",
                   self.from_("append_freed"))

    def test_a_borrowed_reference_dropped_shows_where_the_object_is_used(self):
        self.found("items = [[1]]; misuse.drop_borrowed(items); print(items)", "repr() of an object that was freed (a 'list'",
                   f"from drop_borrowed() in misuse{OWN_SUFFIX}, method 'drop_borrowed'")
        self.found("items = [[1]]; misuse.drop_borrowed(items); items[0].x", "an attribute of an object that was freed")
        self.found("items = [[1]]; misuse.drop_borrowed(items); del items", "negative reference count", "from drop_borrowed()",
                   fatal=True)

    def test_memory_freed_twice(self):
        self.found("misuse.free_twice()", "PyObject_Free", "was given an object that was freed", self.from_("free_twice"), fatal=True)

    def test_a_stolen_reference_dropped(self):
        self.found("misuse.drop_stolen([1])", "a reference was dropped that PyList_SetItem() had stolen", "a 'str' dies",
                   self.from_("drop_stolen"), fatal=True)
        self.found("misuse.drop_stolen_exception()", "PyErr_SetRaisedException() had stolen", "a 'ValueError' dies",
                   self.from_("drop_stolen_exception"), fatal=True)

    def test_calls_without_a_thread_state(self):
        self.found("misuse.call_detached()", "PyList_New: called without an attached thread state", self.from_("call_detached"),
                   fatal=True)
        self.found("misuse.parse_detached(1.5, 2.5)", "PyArg_ParseTuple: called without an attached thread state",
                   self.from_("parse_detached"), fatal=True)
        self.found("misuse.stay_detached()", "stay_detached: the function returned without an attached thread state", fatal=True)

    def test_exceptions_that_are_set_or_missing(self):
        self.found("misuse.call_with_exception(int)", "PyObject_CallNoArgs() was called with an exception set",
                   self.from_("call_with_exception"))
        self.found("misuse.exception_on_success()", "<built-in function exception_on_success> returned a result with an exception set")
        self.found("misuse.silent_failure()", "<built-in function silent_failure> returned NULL without setting an exception")

    def test_a_dict_that_changes_while_it_is_walked(self):
        self.found("misuse.walk_changing_dict({1: 2, 3: 4})", "PyDict_Next() goes on in a dict that has changed its size",
                   self.from_("walk_changing_dict"))

    @unittest.skipUnless(FREE, "locks of objects are the GIL's")
    def test_objects_of_other_threads_outside_of_critical_sections(self):
        template = ("import sys\nerrors = []\nd = {{1: 2}}\ndef run():\n  try: misuse.{}(d)\n  except SystemError as e: errors.append(e)\n"
                    "t = threading.Thread(target=run); t.start(); t.join()\nif errors: raise errors[0]\n")
        self.found(template.format("walk_dict"), "PyDict_Next() reads a dict of another thread outside of a critical section",
                   self.from_("walk_dict"))
        self.found(template.format("change_unlocked"), "_PyDict_SetItem_KnownHash_LockHeld() was called outside of a critical section",
                   self.from_("change_unlocked"))
        done = self.run_python("import misuse, threading\n" + template.format("walk_dict_locked") + "misuse.walk_dict(d)")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    @unittest.skipUnless(FREE, "locks of objects are the GIL's")
    def test_critical_sections_that_do_not_nest(self):
        self.found("misuse.leave_section_open([])", "leave_section_open: the function returned inside of a critical section", fatal=True)
        self.found("misuse.cross_sections([])", "PyCriticalSection_End: ends a critical section that is not the newest one",
                   self.from_("cross_sections"), fatal=True)

    def test_calls_that_keep_the_rules_pass(self):
        done = self.run_python("import misuse\nmisuse.walk_dict({1: 2})\nmisuse.walk_dict_locked({1: 2})\n")
        self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
