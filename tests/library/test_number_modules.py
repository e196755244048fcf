"""math, cmath, _struct, array, binascii, _random: runtime/modules/ of the same names."""
import array
import binascii
import cmath
import math
import random
import struct
import unittest


class Mathematics(unittest.TestCase):
    def test_sums_are_exact(self):
        self.assertEqual(math.fsum([0.1] * 10), 1.0)
        self.assertEqual(math.fsum([1e16, 1, 1e-16]), 10000000000000002.0)
        self.assertEqual(math.sumprod([0.1] * 10, [1] * 10), 1.0)
        self.assertEqual(math.sumprod([10**30, 2], [10**30, 3]), 10**60 + 6)
        self.assertRaisesRegex(OverflowError, "intermediate overflow in fsum", math.fsum, [1e308, 1e308])
        self.assertRaisesRegex(ValueError, "-inf \\+ inf in fsum", math.fsum, [math.inf, -math.inf])

    def test_norms_are_scaled(self):
        self.assertEqual(math.hypot(1e308, 1e308), 1.4142135623730951e308)
        self.assertEqual(math.hypot(1e-320, 1e-320), 1.414e-320)
        self.assertEqual(math.dist([1, 2], [4, 6]), 5.0)
        self.assertEqual(math.hypot(math.inf, math.nan), math.inf)

    def test_integers(self):
        self.assertEqual(math.isqrt(10**40 - 1), 10**20 - 1)
        self.assertEqual(math.comb(100, 50), 100891344545564193334812497256)
        self.assertEqual(math.perm(10**30, 2), 10**30 * (10**30 - 1))
        self.assertEqual((math.gcd(12, 18, -27), math.lcm(-4, 6), math.gcd(), math.lcm()), (3, 12, 0, 1))
        self.assertEqual(math.factorial(25), 15511210043330985984000000)
        self.assertEqual(math.log(10**400), 921.0340371976182)

    def test_domain_errors_name_the_argument(self):
        for function, argument, text in ((math.sqrt, -1, "expected a nonnegative input, got -1.0"),
                                         (math.acos, 2, "expected a number in range from -1 up to 1, got 2.0"),
                                         (math.cos, math.inf, "expected a finite input, got inf"),
                                         (math.log, 0, "expected a positive input"),
                                         (math.gamma, -1, "expected a noninteger or positive integer, got -1.0")):
            with self.assertRaises(ValueError) as caught:
                function(argument)
            self.assertEqual(str(caught.exception), text)
        self.assertRaisesRegex(OverflowError, "math range error", math.exp, 1000)

    def test_neighbours(self):
        self.assertEqual(math.nextafter(1, 2, steps=5), 1.000000000000001)
        self.assertEqual(math.nextafter(-1, 1, steps=2**63), 1.0)
        self.assertEqual(math.ulp(1), 2.220446049250313e-16)
        self.assertEqual(math.fma(0.1, 10, -1), 5.551115123125783e-17)

    def test_complex(self):
        self.assertEqual(cmath.sqrt(3 + 4j), 2 + 1j)
        self.assertEqual(cmath.polar(-1), (1.0, math.pi))
        self.assertTrue(cmath.isclose(cmath.exp(1j * math.pi), -1))
        self.assertRaisesRegex(ValueError, "math domain error", cmath.log, 0)
        self.assertRaisesRegex(OverflowError, "math range error", cmath.exp, 710 + 1j)


class Structs(unittest.TestCase):
    def test_alignment_and_order(self):
        self.assertEqual((struct.calcsize("bq"), struct.calcsize("=bq"), struct.calcsize("bqb0q")), (16, 9, 24))
        self.assertEqual(struct.pack(">hI", -2, 1), b"\xff\xfe\0\0\0\1")
        self.assertEqual(struct.unpack("<3s2xh5p", b"abc__de\x03abcd"), (b"abc", 25956, b"abc"))
        self.assertEqual(struct.unpack("<efd?c", struct.pack("<efd?c", 1.5, 2.5, -0.1, 3, b"x")), (1.5, 2.5, -0.1, True, b"x"))

    def test_errors(self):
        for arguments, text in ((("b", 200), "'b' format requires -128 <= number <= 127"),
                                (("Q", -1), "'Q' format requires 0 <= number <= 18446744073709551615"),
                                (("i", "a"), "required argument is not an integer"),
                                (("ii", 1), r"pack expected 2 items for packing \(got 1\)"),
                                (("5",), "repeat count given without format specifier"),
                                (("z", 1), "bad char in struct format"),
                                (("s", "a"), "argument for 's' must be a bytes object")):
            self.assertRaisesRegex(struct.error, text, struct.pack, *arguments)
        self.assertRaisesRegex(struct.error, "unpack requires a buffer of 4 bytes", struct.unpack, "i", b"abc")
        self.assertRaisesRegex(struct.error, "no space to pack 4 bytes at offset -3", struct.pack_into, "i", bytearray(8), -3, 5)

    def test_iteration(self):
        self.assertEqual(list(struct.iter_unpack("<H", b"abcd")), [(25185,), (25699,)])
        self.assertRaisesRegex(struct.error, "multiple of 2 bytes", struct.iter_unpack, "h", b"abc")


class Arrays(unittest.TestCase):
    def test_every_type_keeps_its_limits(self):
        for code in "bBhHiIlLqQ":
            a = array.array(code, [0])
            bits = a.itemsize * 8
            low, high = (0, 2**bits - 1) if code.isupper() else (-2**(bits - 1), 2**(bits - 1) - 1)
            a.extend([low, high])
            self.assertEqual(a.tolist(), [0, low, high])
            self.assertRaises(OverflowError, a.append, high + 1)
            self.assertRaises(OverflowError, a.append, low - 1)

    def test_mutation(self):
        a = array.array("i", range(10))
        del a[::3]
        a[1:3] = array.array("i", [7])
        a.insert(-1, 99)
        a.extend(a)
        self.assertEqual(a.tolist(), [1, 7, 5, 7, 99, 8] * 2)
        self.assertEqual((a.index(99), a.count(7), a.pop(0)), (4, 4, 1))
        with memoryview(a) as m:
            self.assertEqual((m.format, m[0]), ("i", 7))
            self.assertRaisesRegex(BufferError, "cannot resize an array that is exporting buffers", a.append, 1)
        a.byteswap()
        self.assertEqual(a[0], 7 << 24)

    def test_foreign_formats(self):
        make = array._array_reconstructor
        self.assertEqual(make(array.array, "i", 9, b"\0\0\0\5"), array.array("i", [5]))
        self.assertEqual(make(array.array, "d", 17, struct.pack(">d", 1.5)), array.array("d", [1.5]))


class Text(unittest.TestCase):
    def test_base64(self):
        for n in range(20):
            data = bytes(range(n))
            text = binascii.b2a_base64(data, newline=False)
            self.assertEqual(binascii.a2b_base64(text, strict_mode=True), data)
        self.assertEqual(binascii.a2b_base64("Y!W@J#j"), b"abc")
        for text, message in (("YW=", "Incorrect padding"), ("Y!WJj", "Only base64 data is allowed"),
                              ("=YWJj", "Leading padding not allowed"), ("YW==x", "Excess data after padding"),
                              ("YW=J", "Discontinuous padding not allowed"), ("YWJj=", "Excess padding not allowed")):
            self.assertRaisesRegex(binascii.Error, message, binascii.a2b_base64, text, strict_mode=True)

    def test_other_forms(self):
        for n in range(46):
            data = bytes(i * 37 % 256 for i in range(n))
            self.assertEqual(binascii.a2b_uu(binascii.b2a_uu(data)), data)
            self.assertEqual(binascii.a2b_qp(binascii.b2a_qp(data, istext=False)), data)
        self.assertEqual((binascii.crc32(b"abc"), binascii.crc_hqx(b"abc", 0)), (891568578, 40406))


class RandomNumbers(unittest.TestCase):
    def test_the_sequence_is_the_known_one(self):
        r = random.Random(42)
        self.assertEqual((r.random(), r.getrandbits(10), r.randrange(1000)), (0.6394267984578837, 25, 759))
        self.assertEqual(random.Random("abc").random(), 0.7720246314157545)
        self.assertEqual(random.Random(1 << 100).random(), 0.7586581712996778)

    def test_state(self):
        r = random.Random(1)
        state = r.getstate()
        first = [r.random() for _ in range(1000)]
        r.setstate(state)
        self.assertEqual([r.random() for _ in range(1000)], first)


if __name__ == "__main__":
    unittest.main()
