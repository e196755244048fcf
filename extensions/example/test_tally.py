"""What tally promises, alone and with many threads. Runs on either variant, with the module on sys.path."""
import gc
import importlib.machinery
import importlib.util
import subprocess
import sys
import threading
import unittest
import weakref

import tally


def in_threads(count, function):
    """Calls function(number) in `count` threads that begin together; raises what one of them raised."""
    barrier, errors = threading.Barrier(count), []

    def run(number):
        barrier.wait()
        try:
            function(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


class Alone(unittest.TestCase):
    def test_counts(self):
        t = tally.Tally()
        t.add("apple")
        t.add("pear", 2)
        t.add("apple", 0)
        self.assertEqual((t["apple"], t["pear"], t["fig"], len(t), t.total), (1, 2, 0, 2, 3))
        self.assertEqual(t.counts(), {"apple": 1, "pear": 2})
        t.counts().clear()
        self.assertEqual(t.total, 3)

    def test_merges_also_with_itself(self):
        a, b, before = tally.Tally(), tally.Tally(), tally.merges()
        a.add("x", 2)
        b.add("x", 3)
        b.add("y")
        a.merge(b)
        a.merge(a)
        self.assertEqual((a.counts(), a.total, b.total), ({"x": 10, "y": 2}, 12, 4))
        self.assertEqual(tally.merges(), before + 2)

    def test_refuses(self):
        t = tally.Tally()
        for call, error in ((lambda: t.add(1), TypeError), (lambda: t.add("a", "b"), TypeError), (lambda: t.add(), TypeError),
                            (lambda: t.add("a", -1), tally.TallyError), (lambda: t.add("a", 1 << 70), OverflowError),
                            (lambda: t.merge({}), TypeError), (lambda: t[1], TypeError), (lambda: tally.Tally(1), TypeError),
                            (lambda: setattr(t, "on_change", 3), TypeError),
                            (lambda: setattr(tally.Tally, "add", None), TypeError)):
            self.assertRaises(error, call)
        self.assertEqual((t.counts(), t.total), ({}, 0))
        t.add("a", 2 ** 62)
        self.assertRaises(OverflowError, t.add, "a", 2 ** 62)
        self.assertRaises(OverflowError, t.add, "b", 2 ** 62)
        self.assertEqual(t.total, 2 ** 62)

    def test_the_callback_sees_each_add_and_may_use_the_object(self):
        t, seen = tally.Tally(), []
        t.on_change = lambda key, count: seen.append((key, count, t.total))
        t.add("a")
        t.add("a", 4)
        self.assertEqual(seen, [("a", 1, 1), ("a", 5, 5)])
        t.on_change = lambda key, count: 1 / 0
        self.assertRaises(ZeroDivisionError, t.add, "a")
        t.on_change = None
        self.assertIsNone(t.on_change)

    def test_cycles_through_the_callback_are_collected(self):
        class Owner:
            def __init__(self):
                self.tally = tally.Tally()
                self.tally.on_change = self.changed

            def changed(self, key, count):
                pass

        gone = weakref.ref(Owner())
        gc.collect()
        self.assertIsNone(gone())

    def test_each_import_has_state_of_its_own(self):
        loader = importlib.machinery.ExtensionFileLoader("tally", tally.__file__)
        other = importlib.util.module_from_spec(importlib.util.spec_from_loader("tally", loader))
        loader.exec_module(other)
        self.assertIsNot(other.Tally, tally.Tally)
        self.assertRaises(TypeError, tally.Tally().merge, other.Tally())
        other.Tally().merge(other.Tally())
        self.assertEqual(other.merges(), 1)

    def test_the_gil_stays_as_it_was(self):
        code = "import sys; before = sys._is_gil_enabled(); import tally; print(before == sys._is_gil_enabled())"
        path = [f"import sys; sys.path[:] = {sys.path!r}; "]
        done = subprocess.run([sys.executable, "-W", "error", "-c", path[0] + code], capture_output=True, text=True)
        self.assertEqual((done.stdout, done.stderr), ("True\n", ""))


class InThreads(unittest.TestCase):
    THREADS, ROUNDS = 4, 2000

    def test_no_add_is_lost(self):
        t = tally.Tally()

        def work(number):
            for i in range(self.ROUNDS):
                t.add("all")
                t.add(f"of {number}", 2)

        in_threads(self.THREADS, work)
        self.assertEqual((t["all"], t["of 0"]), (self.THREADS * self.ROUNDS, 2 * self.ROUNDS))
        self.assertEqual(t.total, sum(t.counts().values()))

    def test_merging_both_ways_at_once_ends(self):
        a, b, before = tally.Tally(), tally.Tally(), tally.merges()
        a.add("x", 0)
        b.add("y", 0)
        in_threads(self.THREADS, lambda number: [(a.merge(b) if number % 2 else b.merge(a)) for _ in range(self.ROUNDS)])
        self.assertEqual(tally.merges() - before, self.THREADS * self.ROUNDS)

    def test_readers_never_see_half_an_add(self):
        t, stop = tally.Tally(), threading.Event()

        def work(number):
            if number == 0:
                for i in range(self.ROUNDS):
                    t.add("a")
                    t.add("b")
                stop.set()
            while not stop.is_set():
                counts = t.counts()
                self.assertIn(counts.get("a", 0) - counts.get("b", 0), (0, 1))

        in_threads(self.THREADS, work)

    def test_callbacks_are_replaced_while_they_are_called(self):
        t, calls = tally.Tally(), []

        def work(number):
            for i in range(self.ROUNDS):
                if number % 2:
                    t.on_change = lambda key, count, i=i: calls.append(i)
                else:
                    t.add("x")

        in_threads(self.THREADS, work)
        self.assertEqual(t["x"], self.THREADS // 2 * self.ROUNDS)
        self.assertLessEqual(len(calls), t["x"])


if __name__ == "__main__":
    unittest.main()
