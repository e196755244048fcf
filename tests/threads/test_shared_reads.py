"""What threads read together becomes an object that reading does not write to: deferred, without an owner, or immortal."""
import ctypes
import gc
import json
import sys
import sysconfig
import threading
import unittest

from together import together

DEFERRED = 1 << 6  # runtime/sync/free/deferred.h
READS = 3000  # far more than an object needs


class Item:
    def __init__(self, value=None):
        self.value = value


def owner(o):
    return ctypes.c_size_t.from_address(id(o)).value


def is_deferred(o):
    return bool(ctypes.c_uint8.from_address(id(o) + 11).value & DEFERRED)


@unittest.skipUnless(sysconfig.get_config_var("Py_GIL_DISABLED"), "the other build counts for nobody")
class SharedReads(unittest.TestCase):
    def setUp(self):
        gc.collect()  # what may become deferred until the next collection is limited
        gc.disable()
        self.addCleanup(gc.enable)

    def test_objects_that_are_read_in_turn_all_become_deferred(self):
        items = [[i] for i in range(300)]

        def read(_):
            for _ in range(READS):
                for item in items:
                    item
        together(read, threads=2)
        self.assertEqual([i for i, item in enumerate(items) if not is_deferred(item)], [])

    def test_an_object_that_others_read_all_the_time_loses_its_owner(self):
        item = Item([1])
        started, done = threading.Event(), threading.Event()

        def read():
            started.set()
            while not is_deferred(item):
                item.value
            done.set()
        self.assertNotEqual(owner(item), 0)
        thread = threading.Thread(target=read)
        thread.start()
        started.wait()
        while not done.is_set():
            item.value
        thread.join()
        for _ in range(1000):  # past a safepoint
            item.value
        self.assertEqual(owner(item), 0)
        self.assertEqual(item.value, [1])

    def test_an_object_of_a_thread_that_has_ended_loses_its_owner_too(self):
        made = []
        thread = threading.Thread(target=lambda: made.append(Item([1])))
        thread.start()
        thread.join()

        def read(_):
            for _ in range(READS):
                made[0].value
        together(read, threads=2)
        self.assertTrue(is_deferred(made[0]))
        self.assertEqual(owner(made[0]), 0)

    def test_values_that_many_threads_read_become_immortal(self):
        n = len(sys.argv)
        values = ["shared " * 3 + str(n), b"shared %d" % n, complex(n, 1), object()]

        def read(_):
            for _ in range(READS):
                for value in values:
                    [value]
        together(read, threads=2)
        self.assertEqual([v for v in values if not sys._is_immortal(v)], [])

    def test_numbers_that_stores_may_change_in_place_stay_mortal(self):
        values = [10 ** 40 + len(sys.argv), len(sys.argv) / 3]

        def read(_):
            for _ in range(READS):
                for value in values:
                    [value]
        together(read, threads=2)
        self.assertEqual([v for v in values if sys._is_immortal(v)], [])

    def test_values_that_pass_from_thread_to_thread_stay_mortal(self):
        values = [f"passed {i}" for i in range(2000)]

        def read(_):
            for value in values:
                [value]
        together(read, threads=3)
        self.assertEqual([v for v in values if sys._is_immortal(v)], [])

    def test_large_values_stay_mortal(self):
        value = "large " * 5000 + str(len(sys.argv))

        def read(_):
            for _ in range(READS):
                [value]
        together(read, threads=2)
        self.assertFalse(sys._is_immortal(value))

    def test_a_decoder_that_many_threads_use_is_not_counted_for(self):
        decoder = json.JSONDecoder(parse_constant=str)

        def read(_):
            for _ in range(100):
                decoder.decode("[1]")
        together(read, threads=2)
        self.assertTrue(is_deferred(decoder.scan_once))


class SharedLookups(unittest.TestCase):
    """Dictionaries and sets that are read without their lock while others change them."""

    def change_while_reading(self, read, change):
        done = False
        errors = []

        def reader():
            while not done:
                try:
                    read()
                except BaseException as e:
                    errors.append(e)
                    return
        threads = [threading.Thread(target=reader) for _ in range(2)]
        for t in threads:
            t.start()
        try:
            for i in range(READS):
                change(i)
        finally:
            done = True
            for t in threads:
                t.join()
        if errors:
            raise errors[0]

    def check_keys(self, make):
        kept = [make(i) for i in range(10)]
        table = {key: [i] for i, key in enumerate(kept)}
        table["text"] = ["text"]

        def read():
            for i in range(10):
                self.assertEqual(table[kept[i]], [i])
                self.assertEqual(table[make(i)], [i])
                self.assertIn(make(i), table)
                self.assertNotIn(make(i + 50000), table)
                value = table.get(make(i + 100))
                self.assertIn(value, (None, [i + 100]))
            self.assertEqual(table["text"], ["text"])
            self.assertNotIn("other text", table)

        def change(i):
            table[make(100 + i % 30)] = [100 + i % 30]
            table.pop(make(100 + (i * 7) % 30), None)
        self.change_while_reading(read, change)

    def test_tuples_are_found_while_others_come_and_go(self):
        self.check_keys(lambda i: (i, str(i)))

    def test_bytes_are_found_while_others_come_and_go(self):
        self.check_keys(lambda i: b"key %d" % i)

    def test_floats_are_found_while_others_come_and_go(self):
        self.check_keys(lambda i: i + 0.5)

    def test_large_ints_are_found_while_others_come_and_go(self):
        self.check_keys(lambda i: i + (1 << 100))

    def test_frozen_sets_are_found_while_others_come_and_go(self):
        self.check_keys(lambda i: frozenset((i, i + 1)))

    def test_tuples_of_objects_that_compare_in_python_are_found_while_others_come_and_go(self):
        class Key:
            def __init__(self, i):
                self.i = i

            def __hash__(self):
                return self.i % 5

            def __eq__(self, other):
                return self.i == other.i
        self.check_keys(lambda i: (Key(i),))

    def test_an_error_of_a_comparison_comes_through(self):
        class Bad:
            def __hash__(self):
                return 1

            def __eq__(self, other):
                raise ZeroDivisionError
        table = {(Bad(),): 1}
        for look in (lambda: table[(Bad(),)], lambda: table.get((Bad(),)), lambda: (Bad(),) in table):
            with self.assertRaises(ZeroDivisionError):
                look()

    def test_a_comparison_may_change_the_dictionary(self):
        for change in (dict.clear, lambda t: t.update({i: i for i in range(100)}), lambda t: t.pop(next(iter(t)))):
            class Changing:
                armed = False

                def __hash__(self):
                    return 1

                def __eq__(self, other):
                    if Changing.armed:
                        Changing.armed = False
                        change(table)
                    return True
            table = {(Changing(),): "value"}
            Changing.armed = True
            self.assertIn(table.get((Changing(),)), (None, "value"))

    def test_sets_are_walked_while_elements_come_and_go(self):
        shared = {f"kept {i}" for i in range(10)}
        kept = set(shared)

        def read():
            try:
                for element in shared:  # a table that grows meanwhile may hide some
                    self.assertIsInstance(element, str)
            except RuntimeError as e:
                self.assertEqual(str(e), "Set changed size during iteration")
            self.assertLessEqual(kept, set(shared))  # one operation
            self.assertLessEqual(kept, shared)
            self.assertFalse(kept.isdisjoint(shared))

        def change(i):
            shared.add(f"new {i % 40}")
            shared.discard(f"new {(i * 7) % 40}")
        self.change_while_reading(read, change)

    def test_dictionaries_are_walked_and_compared_while_entries_come_and_go(self):
        shared = {f"kept {i}": [i] for i in range(10)}
        kept = dict(shared)

        def read():
            for walk in (shared, shared.items(), reversed(shared), shared.values()):
                try:
                    for element in walk:
                        self.assertIn(type(element), (str, tuple, list))
                except RuntimeError as e:
                    self.assertIn("dictionary", str(e))
            kept == shared
            set().union(shared)

        def change(i):
            shared[f"new {i % 40}"] = [i]
            shared.pop(f"new {(i * 7) % 40}", None)
        self.change_while_reading(read, change)


if __name__ == "__main__":
    unittest.main()
