"""_pickle against the pickler and the unpickler that are written in Python: extensions/pickle*."""
import collections
import io
import pickle
import sys
import unittest


class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y

    def __eq__(self, other):
        return (self.x, self.y) == (other.x, other.y)


class Slots:
    __slots__ = ("a", "own")

    def __init__(self):
        self.a, self.own = 1, [self]


OBJECTS = [
    None, True, 0, 255, 256, -1, 65536, 2**31, -2**31, -2**31 - 1, 2**63, -2**63, 10**100, -10**100, 1.5, -0.0, "", "a\n\\",
    "\xe9\u20ac\U0001f600\udfff", b"", b"x" * 300, bytearray(b"abc"), (), (1,), (1, 2, 3), (1, 2, 3, 4), [], [1], {}, {1: 2},
    list(range(2500)), {i: str(i) for i in range(2001)}, {1}, frozenset([3]), "t" * 100000, b"y" * 100000, int, len, Point,
    type(None), Ellipsis, complex(1, 2), range(3), collections.OrderedDict(a=1), collections.deque([1, 2]), Point([1], "y"),
    [Point(i, -i) for i in range(1200)],
]


class BothWays(unittest.TestCase):
    def test_the_bytes_are_those_of_the_other_pickler(self):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            for value in OBJECTS:
                with self.subTest(protocol=protocol, value=repr(value)[:40]):
                    data = pickle.dumps(value, protocol)
                    self.assertEqual(data, pickle._dumps(value, protocol))
                    self.assertEqual(pickle.loads(data), value)
                    self.assertIs(type(pickle._loads(data)), type(value))

    def test_objects_that_contain_themselves(self):
        array, table, pair = [], {}, ([],)
        array.append(array)
        table["t"] = table
        pair[0].append(pair)
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            copy = pickle.loads(pickle.dumps(array, protocol))
            self.assertIs(copy[0], copy)
            copy = pickle.loads(pickle.dumps(table, protocol))
            self.assertIs(copy["t"], copy)
            copy = pickle.loads(pickle.dumps(pair, protocol))
            self.assertIs(copy[0][0], copy)
            if protocol >= 2:
                copy = pickle.loads(pickle.dumps(Slots(), protocol))
                self.assertIs(copy.own[0], copy)

    def test_files_hold_one_pickle_after_the_other(self):
        file = io.BytesIO()
        for value in OBJECTS:
            pickle.dump(value, file)
        for readable in file, io.BufferedReader(io.BytesIO(file.getvalue())):
            readable.seek(0)
            for value in OBJECTS:
                self.assertEqual(pickle.load(readable), value)
            self.assertRaisesRegex(EOFError, "Ran out of input", pickle.load, readable)


class Hooks(unittest.TestCase):
    def test_persistent_objects_reducers_and_buffers_out_of_band(self):
        class Pickler(pickle.Pickler):
            def persistent_id(self, value):
                return "stdout" if value is print else None
            def reducer_override(self, value):
                return (complex, (value.x, value.y)) if isinstance(value, Point) else NotImplemented
        class Unpickler(pickle.Unpickler):
            def persistent_load(self, name):
                return {"stdout": print}[name]
        file, buffers = io.BytesIO(), []
        big = bytearray(b"z" * 1000)
        Pickler(file, 5, buffer_callback=buffers.append).dump([print, Point(1, 2), pickle.PickleBuffer(big)])
        file.seek(0)
        self.assertEqual(Unpickler(file, buffers=buffers).load(), [print, 1 + 2j, big])
        self.assertLess(len(file.getvalue()), 200)

    def test_classes_are_found_by_the_method_that_a_subclass_defines(self):
        class Unpickler(pickle.Unpickler):
            def find_class(self, module, name):
                raise pickle.UnpicklingError(name)
        self.assertRaisesRegex(pickle.UnpicklingError, "Point", Unpickler(io.BytesIO(pickle.dumps(Point(1, 2)))).load)

    def test_an_unpickler_is_used_once_at_a_time(self):
        class Unpickler(pickle.Unpickler):
            def find_class(self, module, name):
                return self.load()
        with self.assertRaisesRegex(RuntimeError, "Unpickler object is already used"):
            Unpickler(io.BytesIO(pickle.dumps(Point(1, 2)))).load()


class Errors(unittest.TestCase):
    def test_bad_pickles_are_refused(self):
        for data, message in ((b"\x80\x05]q", "pickle data was truncated"), (b"0.", "unpickling stack underflow"),
                              (b"(a.", "unexpected MARK found"), (b"e.", "could not find MARK"), (b"h\x07.", "index 7"),
                              (b"!", "invalid load key, '!'")):
            with self.subTest(data):
                self.assertRaisesRegex(pickle.UnpicklingError, message, pickle.loads, data)

    def test_a_failure_notes_the_way_to_the_object(self):
        with self.assertRaisesRegex(pickle.PicklingError, "local object") as caught:
            pickle.dumps({"a": [lambda: 0]})
        self.assertEqual(caught.exception.__notes__, ["when serializing list item 0", "when serializing dict item 'a'"])

    def test_descriptors_of_class_methods_cannot_be_pickled(self):
        self.assertRaises(TypeError, pickle.dumps, dict.__dict__["fromkeys"])


class ReplacedMemo(unittest.TestCase):
    def test_a_memo_that_is_replaced_gives_up_its_objects_once(self):
        text = "".join(["some", " text"])
        u = pickle.Unpickler(io.BytesIO(pickle.dumps([text])))
        found = u.load()[0]
        for _ in range(20):
            u.memo = {0: found}
        u.memo = {}
        self.assertEqual(found, text)
        self.assertLess(sys.getrefcount(found), 5)
        self.assertGreater(sys.getrefcount(found), 0)


if __name__ == "__main__":
    unittest.main()
