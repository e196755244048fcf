"""Who stops the other threads: the log of it (sys._stop_log, -X stop_log), and what must not stop them."""
import os
import subprocess
import sys
import tempfile
import threading
import unittest
import gc

FREE = not sys._is_gil_enabled()


class Running:
    """A second thread that runs Python code meanwhile."""

    def __enter__(self):
        self.done = False
        self.turns = 0
        started = threading.Event()

        def run():
            started.set()
            while not self.done:
                self.turns += 1
        self.thread = threading.Thread(target=run)
        self.thread.start()
        started.wait()
        return self

    def __exit__(self, *exc):
        self.done = True
        self.thread.join()


def stops_of(function):
    """The stops that this thread asked for in function(), as the log shows them."""
    log = sys._stop_log()
    seen = log[-1]["number"] if log else 0
    function()
    return [stop for stop in sys._stop_log() if stop["number"] > seen and stop["thread"] == threading.get_ident()]


@unittest.skipUnless(FREE, "with a GIL nobody is stopped")
class Log(unittest.TestCase):
    def test_a_collection_is_logged_with_its_thread_its_time_and_who_was_last(self):
        with Running() as running:
            stops = [stop for stop in stops_of(gc.collect) if stop["why"] == "collection"]
            self.assertEqual(len(stops), 1)
            stop = stops[0]
            self.assertEqual(stop["thread"], threading.get_ident())
            self.assertIn(stop["last_thread"], (0, running.thread.ident))
            self.assertGreaterEqual(stop["waited"], 0)
            self.assertGreater(stop["stood"], 0)

    def test_the_thread_that_was_waited_for_is_named(self):
        with Running() as running:
            last = set()
            for _ in range(20):
                last |= {stop["last_thread"] for stop in stops_of(gc.collect)}
            self.assertIn(running.thread.ident, last)

    def test_the_last_stops_are_kept(self):
        for _ in range(300):
            gc.get_freeze_count()
        log = sys._stop_log()
        self.assertEqual(len(log), 256)
        self.assertEqual([stop["number"] for stop in log], list(range(log[0]["number"], log[0]["number"] + 256)))

    def test_a_file_gets_a_line_for_each_stop(self):
        program = "import gc; gc.collect(); gc.freeze()"
        for how in "option", "environment":
            with self.subTest(how), tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "stops")
                option = ["-X", "stop_log=" + path] if how == "option" else []
                env = dict(os.environ, **({} if option else {"PYTHONSTOPLOG": path}))
                subprocess.run([sys.executable, *option, "-c", program], check=True, env=env, timeout=60)
                with open(path) as file:
                    lines = file.read().splitlines()
                self.assertTrue(any(": collection, waited " in line for line in lines), lines)
                self.assertTrue(any(": gc.freeze, waited " in line for line in lines), lines)

    def test_a_file_that_cannot_be_written_is_an_error(self):
        done = subprocess.run([sys.executable, "-X", "stop_log=/nowhere/at/all", "-c", "pass"], capture_output=True, text=True,
                              timeout=60)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("stop_log", done.stderr)

@unittest.skipUnless(FREE, "with a GIL nobody is stopped")
class NotStopped(unittest.TestCase):
    def setUp(self):
        gc.disable()
        self.addCleanup(gc.enable)

    def assertStopsNobody(self, function):
        function()  # what is made once
        with Running():
            self.assertEqual([(stop["why"], stop["what"]) for stop in stops_of(function)], [])

    def test_the_definition_of_a_dataclass_stops_nobody(self):
        import dataclasses

        def define():
            @dataclasses.dataclass
            class Data:
                x: int
                y: list = dataclasses.field(default_factory=list)

            @dataclasses.dataclass(frozen=True, order=True, slots=True)
            class Frozen:
                x: int

            @dataclasses.dataclass(unsafe_hash=True, kw_only=True)
            class Derived(Data):
                z: int = 0
            Derived(x=1)
        self.assertStopsNobody(define)

    def test_classes_of_the_standard_librarys_metaclasses_stop_nobody(self):
        import abc, enum, functools, typing

        def define():
            class Color(enum.Enum):
                RED = 1

            class Flags(enum.IntFlag):
                A = 1
                B = 2

            class Named(typing.Protocol):
                def name(self): ...

            class Abstract(abc.ABC):
                @abc.abstractmethod
                def method(self): ...

            @functools.total_ordering
            class Ordered:
                def __lt__(self, other):
                    return True
        self.assertStopsNobody(define)

    def test_the_assignment_of_a_class_stops_nobody(self):
        class First:
            pass

        class Second:
            pass
        instance = First()

        def assign():
            instance.__class__ = Second
            instance.__class__ = First
        self.assertStopsNobody(assign)

    def test_an_import_stops_nobody(self):
        program = """if True:
            import gc, sys, threading, time
            gc.disable()
            done = False
            def run():
                while not done:
                    pass
            thread = threading.Thread(target=run)
            thread.start()
            log = sys._stop_log()
            seen = log[-1]["number"] if log else 0
            import argparse, ast, asyncio, dataclasses, decimal, enum, http.client, inspect, json, logging, pathlib, typing
            import email.message, statistics, tokenize, unittest, xml.etree.ElementTree
            print([(stop["why"], stop["what"]) for stop in sys._stop_log() if stop["number"] > seen])
            done = True
            thread.join()
        """
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
        self.assertEqual((done.stdout, done.stderr), ("[]\n", ""))

    def test_a_special_method_set_on_a_class_in_use_counts_at_once(self):
        class Used:
            pass

        class Derived(Used):
            pass
        used = [Used(), Derived()]
        done = False
        seen = set()

        def use():
            while not done:
                for one in used:
                    try:
                        seen.add(len(one))
                    except TypeError:
                        seen.add(None)
                    seen.add(one == 5)
                    seen.add(one != 7)
        threads = [threading.Thread(target=use) for _ in range(3)]
        for t in threads:
            t.start()
        try:
            for i in range(200):
                Used.__len__ = lambda self, i=i: i
                Used.__eq__ = lambda self, other, i=i: i
                self.assertEqual([len(one) for one in used], [i, i])
                self.assertEqual([one == 3 for one in used], [i, i])
                if i % 10 == 9:
                    del Used.__len__, Used.__eq__
                    self.assertRaises(TypeError, len, used[1])
                    self.assertIs(used[1] == 3, False)
        finally:
            done = True
            for t in threads:
                t.join()
        self.assertLessEqual(seen, set(range(200)) | {None, True, False})


if __name__ == "__main__":
    unittest.main()
