"""Importing: what import_shortcuts.cpp puts in the places of importlib's functions, and imports that other threads wait for."""
import gc
import os
import sys
import tempfile
import threading
import time
import unittest
import weakref

import _frozen_importlib as core
import _frozen_importlib_external as external


class Paths(unittest.TestCase):
    def test_joined_paths_are_those_of_the_library(self):
        for parts in [("a", "b"), ("a/", "b"), ("a//", "b/"), ("", "b"), ("a", ""), ("/", "b"), ("é", "b"), ("a", "\u20ac"), ("a",), (),
                      ("a", "b", "c"), ("\U0001f600/", "é//")]:
            with self.subTest(parts):
                joined = external._path_join(*parts)
                self.assertEqual(joined, "/".join([part.rstrip("/") for part in parts if part]))
                self.assertEqual(hash(joined), hash("".join(list(joined))))

        class Text(str):
            def rstrip(self, characters):
                return "stripped"

        self.assertEqual(external._path_join(Text("a"), "b"), "stripped/b")
        self.assertRaises(AttributeError, external._path_join, 1, "b")

    def test_only_a_regular_file_is_a_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "é")
            self.assertIs(external._path_isfile(path), False)
            open(path, "w").close()
            self.assertIs(external._path_isfile(path), True)
            self.assertIs(external._path_isfile(os.fsencode(path)), True)
            self.assertIs(external._path_isfile(folder), False)
        self.assertIs(external._path_isfile(__file__), True)
        self.assertRaisesRegex(ValueError, "null", external._path_isfile, "a\0b")


class Locks(unittest.TestCase):
    def test_a_module_lock_is_recursive_and_belongs_to_its_thread(self):
        lock = core._ModuleLock("some module")
        self.assertTrue(lock.acquire())
        self.assertTrue(lock.acquire())
        self.assertEqual((lock.owner, lock.count), (threading.get_ident(), [True, True]))
        failures = []

        def release():
            try:
                lock.release()
            except RuntimeError as error:
                failures.append(str(error))

        thread = threading.Thread(target=release)
        thread.start()
        thread.join()
        self.assertEqual(failures, ["cannot release un-acquired lock"])
        lock.release()
        self.assertTrue(lock.locked())
        lock.release()
        self.assertEqual((lock.locked(), lock.owner), (False, None))
        self.assertRaisesRegex(RuntimeError, "cannot release un-acquired lock", lock.release)

    def test_a_thread_waits_until_the_lock_is_free(self):
        lock, order = core._ModuleLock("some module"), []
        lock.acquire()

        def wait():
            lock.acquire()
            order.append("second")
            lock.release()

        thread = threading.Thread(target=wait)
        thread.start()
        while not lock.waiters:
            time.sleep(0.001)
        order.append("first")
        lock.release()
        thread.join()
        self.assertEqual(order, ["first", "second"])
        self.assertEqual((lock.locked(), lock.waiters), (False, []))

    def test_two_threads_that_want_each_others_locks_do_not_hang(self):
        locks, both, outcome = [core._ModuleLock("a"), core._ModuleLock("b")], threading.Barrier(2), []

        def take(mine, other):
            mine.acquire()
            both.wait()
            try:
                other.acquire()
            except core._DeadlockError:
                outcome.append("deadlock")
            else:
                outcome.append("taken")
                other.release()
            mine.release()

        threads = [threading.Thread(target=take, args=pair) for pair in (locks, locks[::-1])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertIn("deadlock", outcome)
        self.assertFalse(any(lock.locked() for lock in locks))

    def test_many_threads_take_one_lock_in_turn(self):
        lock, total = core._ModuleLock("some module"), [0]

        def add():
            for _ in range(300):
                lock.acquire()
                before = total[0]
                if before % 7 == 0:
                    time.sleep(0)
                total[0] = before + 1
                lock.release()

        threads = [threading.Thread(target=add) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((total[0], lock.locked(), lock.waiters), (1200, False, []))

    def test_the_lock_of_a_module_lives_as_long_as_somebody_has_it(self):
        name = "a module that nobody has"
        lock = core._get_module_lock(name)
        self.assertIs(core._get_module_lock(name), lock)
        self.assertIsInstance(lock, core._ModuleLock)
        ref = weakref.ref(lock)
        del lock
        gc.collect()
        self.assertIsNone(ref())
        self.assertNotIn(name, core._module_locks)
        self.assertRaises(TypeError, core._get_module_lock, [])


class Imports(unittest.TestCase):
    def test_who_waited_for_an_import_that_failed_imports_anew(self):
        name = "a_module_that_fails_slowly"
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, name + ".py"), "w") as f:
                f.write("import time\ntime.sleep(0.05)\nraise RuntimeError('on purpose')\n")
            sys.path.insert(0, folder)
            outcome = []

            def load(delay):
                time.sleep(delay)
                try:
                    outcome.append(__import__(name))
                except RuntimeError as error:
                    outcome.append(str(error))

            try:
                for _ in range(3):
                    threads = [threading.Thread(target=load, args=(delay,)) for delay in (0, 0.01)]
                    for thread in threads:
                        thread.start()
                    for thread in threads:
                        thread.join()
            finally:
                sys.path.remove(folder)
        self.assertEqual(outcome, ["on purpose"] * 6)


if __name__ == "__main__":
    unittest.main()
