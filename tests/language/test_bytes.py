"""bytes, bytearray, memoryview: runtime/objects/bytes*.cpp, bytearray.cpp, memoryview*.cpp, protocol/buffer.cpp."""
import unittest


class Both(unittest.TestCase):
    """What bytes and bytearray share."""

    def each(self):
        for kind in (bytes, bytearray):
            with self.subTest(kind=kind.__name__):
                yield kind

    def test_search(self):
        for kind in self.each():
            x = kind(b"hello world")
            self.assertEqual((x.find(b"o", 5), x.rfind(b"o"), x.find(104), x.find(b"", 11), x.find(b"", 12)),
                             (7, 7, 0, 11, -1))
            self.assertEqual((x.count(b""), x.count(b"o"), x.count(b"o", None, 5)), (12, 2, 1))
            self.assertTrue(b"wor" in x and 104 in x and 300 - 200 in x)
            self.assertRaisesRegex(ValueError, "subsection not found", x.index, b"z")
            self.assertRaisesRegex(ValueError, r"byte must be in range\(0, 256\)", x.find, 300)
            self.assertRaisesRegex(TypeError, "argument should be integer or bytes-like object, not 'str'", x.find, "a")

    def test_split_and_join(self):
        for kind in self.each():
            self.assertEqual(kind(b" a  b c ").split(), [b"a", b"b", b"c"])
            self.assertEqual(kind(b" a  b c ").split(None, 1), [b"a", b"b c "])
            self.assertEqual(kind(b" a  b c ").rsplit(None, 1), [b" a  b", b"c"])
            self.assertEqual(kind(b"a,b,,c").split(b","), [b"a", b"b", b"", b"c"])
            self.assertEqual(kind(b"a,b,,c").rsplit(b",", 1), [b"a,b,", b"c"])
            self.assertEqual(kind(b"a\r\nb\rc\n\n").splitlines(True), [b"a\r\n", b"b\r", b"c\n", b"\n"])
            self.assertEqual(kind(b"a-b-c").rpartition(b"-"), (b"a-b", b"-", b"c"))
            self.assertEqual(kind(b"-").join([b"a", bytearray(b"b"), memoryview(b"c")]), b"a-b-c")
            self.assertIs(type(kind(b"x").partition(b"y")[0]), kind)
            with self.assertRaisesRegex(TypeError, "sequence item 1: expected a bytes-like object, str found"):
                kind(b"").join([b"a", "b"])

    def test_replace_and_translate(self):
        for kind in self.each():
            x = kind(b"hello")
            self.assertEqual(x.replace(b"l", b"LL", 1), b"heLLlo")
            self.assertEqual(x.replace(b"", b"-", 3), b"-h-e-llo")
            self.assertEqual(x.translate(None, b"l"), b"heo")
            self.assertEqual(x.translate(kind.maketrans(b"el", b"ip")), b"hippo")
            self.assertEqual(kind(b"a\tb\t\nc\td").expandtabs(), b"a       b       \nc       d")

    def test_hex(self):
        for kind in self.each():
            x = kind(b"hello")
            self.assertEqual((x.hex(), x.hex(":", 2), x.hex(":", -2)), ("68656c6c6f", "68:656c:6c6f", "6865:6c6c:6f"))
            self.assertEqual(kind.fromhex("ab CD\n01"), b"\xab\xcd\x01")
            self.assertRaisesRegex(ValueError, "at position 4", kind.fromhex, "ab c d")
            self.assertRaisesRegex(ValueError, "even number", kind.fromhex, "abc")

    def test_percent(self):
        for kind in self.each():
            self.assertEqual(kind(b"%s|%5d|%-5x|%05.1f|%c|%a|%%") % (b"a", 5, 255, 2.25, 65, "\u1234"),
                             b"a|    5|ff   |002.2|A|'\\u1234'|%")
            self.assertEqual(kind(b"%(k)s") % {b"k": b"v"}, b"v")
            self.assertRaisesRegex(TypeError, "%b requires a bytes-like object", lambda: kind(b"%s") % "a")
            self.assertRaisesRegex(TypeError, "not all arguments converted", lambda: kind(b"a") % 1)

    def test_construction(self):
        for kind in self.each():
            self.assertEqual(kind(3), b"\0\0\0")
            self.assertEqual(kind(range(3)), b"\0\1\2")
            self.assertEqual(kind("\xe9", "latin-1"), b"\xe9")
            for arguments, error in (((-1,), ValueError), (([256],), ValueError), (("a",), TypeError),
                                     ((b"a", "utf8"), TypeError), ((1.5,), TypeError)):
                self.assertRaises(error, kind, *arguments)

    def test_comparison(self):
        self.assertTrue(b"a" < bytearray(b"b") and bytearray(b"a") == b"a" and b"a" != "a")
        self.assertRaises(TypeError, lambda: b"a" < "a")

    def test_repr(self):
        self.assertEqual(repr(b"a'b\"\n\t\r\x00\xff\\"), "b'a\\'b\"\\n\\t\\r\\x00\\xff\\\\'")
        self.assertEqual((repr(b"a'b"), repr(bytearray(b"a'b"))), ("b\"a'b\"", "bytearray(b\"a\\'b\")"))


class ByteArrays(unittest.TestCase):
    def test_growing_and_shrinking(self):
        b = bytearray()
        for i in range(1000):
            b.append(i % 256)
        del b[:500]
        del b[::2]
        self.assertEqual(b, bytes(i % 256 for i in range(501, 1000, 2)))
        b[1:3] = b"wxyz"
        b.insert(0, 65)
        b.extend(b)
        self.assertEqual(len(b), 506)
        self.assertEqual((b.pop(), b.pop(0)), (231, 65))
        b.clear()
        self.assertRaisesRegex(IndexError, "pop from empty bytearray", b.pop)

    def test_exported_memory_stays(self):
        b = bytearray(b"hello")
        with memoryview(b) as m:
            for change in (lambda: b.append(1), b.clear, lambda: b.__delitem__(0), lambda: b.extend(b"x"), lambda: b.resize(2)):
                self.assertRaisesRegex(BufferError, "Existing exports of data: object cannot be re-sized", change)
            b[0:2] = b"xx"
            self.assertEqual(m.tobytes(), b"xxllo")
        b.append(1)


class MemoryViews(unittest.TestCase):
    def test_slices_share_memory(self):
        b = bytearray(b"abcdef")
        m = memoryview(b)
        m[::2] = b"XYZ"
        self.assertEqual(b, b"XbYdZf")
        m[1:4] = m[0:3]
        self.assertEqual(b, b"XXbYZf")
        self.assertEqual(m[::-1].tobytes(), b"fZYbXX")
        self.assertRaisesRegex(ValueError, "different structures", m.__setitem__, slice(0, 2), b"abc")

    def test_casts_and_dimensions(self):
        m = memoryview(bytes(range(12))).cast("B", [3, 4])
        self.assertEqual((m.tolist()[1], m[2, 3], m.strides, len(m)), ([4, 5, 6, 7], 11, (4, 1), 3))
        self.assertEqual(m.cast("B").cast("H").itemsize, 2)
        self.assertRaisesRegex(NotImplementedError, "multi-dimensional sub-views", lambda: m[0])
        self.assertRaisesRegex(TypeError, "length is not a multiple of itemsize", memoryview(b"abc").cast, "i")

    def test_values_are_checked(self):
        m = memoryview(bytearray(4))
        self.assertRaisesRegex(ValueError, "invalid value for format 'B'", m.__setitem__, 0, 256)
        self.assertRaisesRegex(TypeError, "invalid type for format 'B'", m.__setitem__, 0, "a")
        n = m.cast("i")
        n[0] = -5
        self.assertEqual(n[0], -5)
        self.assertRaisesRegex(TypeError, "cannot modify read-only memory", memoryview(b"a").__setitem__, 0, 1)

    def test_release(self):
        m = memoryview(b"abc")
        n = m[1:]
        m.release()
        self.assertEqual(n.tolist(), [98, 99])
        self.assertRaisesRegex(ValueError, "operation forbidden on released memoryview object", lambda: m[0])

    def test_equality_and_hash(self):
        self.assertEqual(memoryview(b"ab"), b"ab")
        self.assertEqual(hash(memoryview(b"ab")), hash(b"ab"))
        self.assertNotEqual(memoryview(b"abcd").cast("i"), b"abcd")
        nan = memoryview(bytes(6) + b"\xf8\x7f").cast("d")
        self.assertNotEqual(nan, nan)


if __name__ == "__main__":
    unittest.main()
