"""int, float, complex, bool and the operators between them: runtime/objects/int*.cpp, float*.cpp, complex*.cpp, bool.cpp,
protocol/number.cpp."""
import sys
import unittest


class Random:
    """A small generator, so that failures repeat."""

    def __init__(self, seed):
        self.state = seed

    def bits(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return self.state >> 33

    def integer(self, most):
        size = (20, 40, 70, 200, 900, 5000)[self.bits() % 6]
        value = 0
        while value.bit_length() < min(size, most):
            value = value << 31 | self.bits()
        value >>= self.bits() % 40
        return -value if self.bits() & 1 else value


class IntegersObeyArithmetic(unittest.TestCase):
    def pairs(self, count=600, most=5000):
        random = Random(12345)
        for _ in range(count):
            yield random.integer(most), random.integer(most)

    def test_division_has_the_divisors_sign(self):
        for a, b in self.pairs():
            if b == 0:
                continue
            q, r = divmod(a, b)
            self.assertEqual(q * b + r, a)
            self.assertTrue(0 <= r < b or b < r <= 0)
            self.assertEqual((a // b, a % b), (q, r))

    def test_sums_and_products(self):
        for a, b in self.pairs():
            self.assertEqual(a + b - b, a)
            self.assertEqual((a * b) * (a - b), a * a * b - a * b * b)
            self.assertEqual((a + b) ** 2, a * a + 2 * a * b + b * b)
            self.assertEqual(a < b, a - b < 0)

    def test_bits(self):
        for a, b in self.pairs():
            self.assertEqual(a ^ b ^ b, a)
            self.assertEqual((a & b) + (a | b), a + b)
            self.assertEqual(~a, -a - 1)
            for s in (0, 1, 29, 30, 31, 64, 150):
                self.assertEqual(a << s, a * 2**s)
                self.assertEqual(a >> s, a // 2**s)

    def test_text_and_bytes_read_back(self):
        for a, _ in self.pairs():
            for text, base in ((hex(a), 16), (oct(a), 8), (bin(a), 2), (str(a), 10)):
                self.assertEqual(int(text, base), a)
                self.assertEqual(int(text, 0), a)
            size = (a.bit_length() + 8) // 8
            for order in ("little", "big"):
                self.assertEqual(int.from_bytes(a.to_bytes(size, order, signed=True), order, signed=True), a)

    def test_powers(self):
        for a, b in self.pairs(200, 900):
            if b:
                self.assertEqual(pow(a, 13, b), a**13 % b)
        self.assertEqual(pow(3, -1, 7), 5)
        self.assertEqual(pow(2, 10, -7), -5)
        self.assertEqual(pow(2, -2), 0.25)
        with self.assertRaisesRegex(ValueError, "base is not invertible for the given modulus"):
            pow(2, -1, 4)
        with self.assertRaisesRegex(ValueError, r"pow\(\) 3rd argument cannot be 0"):
            pow(1, 2, 0)

    def test_true_division_rounds_once(self):
        self.assertEqual((2**53 + 1) / 1, 9007199254740992.0)
        self.assertEqual(1 / 2**1074, 5e-324)
        self.assertEqual(1 / 2**1075, 0.0)
        self.assertEqual(3 / 2**1075, 1e-323)
        self.assertEqual(10**30 / (10**10 + 1), 9.999999999e19)
        with self.assertRaisesRegex(OverflowError, "integer division result too large for a float"):
            10**400 / 3

    def test_hash_agrees_with_floats(self):
        for n in (0, 1, -1, 2**61, -(2**61), 2**100, -(2**200), 10**15):
            self.assertEqual(hash(n), hash(float(n)))
        self.assertEqual(hash(10**50), 619332571178673746)

    def test_rounding_to_tens(self):
        self.assertEqual([round(x, -1) for x in (5, 15, 25, -5, -15, -25, 14, 16)], [0, 20, 20, 0, -20, -20, 10, 20])
        self.assertEqual(round(1234, -2), 1200)
        self.assertEqual(round(1234, 5), 1234)


class IntegersFromText(unittest.TestCase):
    def test_accepted(self):
        for text, base, value in (("0_0", 0, 0), ("0x_f", 16, 15), (" -0x1f ", 16, -31), ("zZ", 36, 1295),
                                  ("\u0663\u0664", 10, 34), ("\u2003 12 \u2003", 10, 12), (b"12", 3, 5)):
            self.assertEqual(int(text, base), value)

    def test_refused(self):
        for text, base in (("_1", 10), ("1__1", 10), ("1_", 10), ("0x", 16), ("0b2", 0), ("010", 0), ("+-1", 10),
                           ("", 10), ("1\0", 10), ("12x", 7)):
            with self.assertRaises(ValueError) as caught:
                int(text, base)
            self.assertEqual(str(caught.exception), f"invalid literal for int() with base {base}: {text!r}")

    def test_limit_of_digits(self):
        limit = sys.get_int_max_str_digits()
        try:
            sys.set_int_max_str_digits(4300)
            self.assertEqual(int("1" * 4300) % 1000, 111)
            with self.assertRaisesRegex(ValueError, "value has 4301 digits; use sys.set_int_max_str_digits"):
                int("1" * 4301)
            with self.assertRaisesRegex(ValueError, r"Exceeds the limit \(4300 digits\) for integer string conversion; use"):
                str(10**4300)
            self.assertEqual(len(hex(10**5000)), 4155)
        finally:
            sys.set_int_max_str_digits(limit)


class FloatsReadAndShow(unittest.TestCase):
    def test_repr_is_the_shortest(self):
        for value, text in ((1e16, "1e+16"), (1e15, "1000000000000000.0"), (1e-4, "0.0001"), (1e-5, "1e-05"),
                            (0.1, "0.1"), (1 / 3, "0.3333333333333333"), (5e-324, "5e-324"), (-0.0, "-0.0"),
                            (123456789012345680.0, "1.2345678901234568e+17"), (1e22, "1e+22")):
            self.assertEqual(repr(value), text)

    def test_parsing_rounds_to_even(self):
        self.assertEqual(float("2.4703282292062327e-324"), 0.0)
        self.assertEqual(float("2.4703282292062328e-324"), 5e-324)
        self.assertEqual(float("9007199254740993"), 9007199254740992.0)
        self.assertEqual(float("1e400"), float("inf"))
        self.assertEqual(float("1_0.5"), 10.5)
        for text in ("1__0", "_1", "1_.5", "1e_5", ".", "1e", "nanx", "0x10", ""):
            with self.assertRaisesRegex(ValueError, "could not convert string to float"):
                float(text)

    def test_hexadecimal(self):
        for value in (0.0, 1.5, -3.14, 5e-324, 1.7976931348623157e308, 2.2250738585072014e-308):
            self.assertEqual(float.fromhex(value.hex()), value)
        self.assertEqual((5e-324).hex(), "0x0.0000000000001p-1022")
        self.assertEqual(float.fromhex("1.8p-1075"), 5e-324)
        self.assertRaises(OverflowError, float.fromhex, "0x1.fffffffffffff8p1023")

    def test_rounding_is_exact(self):
        for value, digits, rounded in ((2.675, 2, 2.67), (1.005, 2, 1.0), (4.35, 1, 4.3), (25.0, -1, 20.0),
                                       (35.0, -1, 40.0), (50.0, -2, 0.0), (150.0, -2, 200.0), (1e22, -22, 1e22)):
            self.assertEqual(round(value, digits), rounded)
        self.assertEqual([round(x) for x in (0.5, 1.5, 2.5, -2.5)], [0, 2, 2, -2])

    def test_comparison_with_integers_is_exact(self):
        self.assertFalse(2**53 + 1 == 2.0**53)
        self.assertTrue(10**400 > 1e308)
        self.assertTrue(2**63 - 1 < 2.0**63)
        self.assertFalse(10**400 == float("nan"))

    def test_floor_division_and_remainder(self):
        self.assertEqual(divmod(-5.5, 2), (-3.0, 0.5))
        self.assertEqual(str(-0.0 % 3), "0.0")
        self.assertEqual(-5.0 % float("inf"), float("inf"))
        for operation in (lambda: 1.0 / 0, lambda: 1.0 // 0, lambda: 1.0 % 0):
            self.assertRaisesRegex(ZeroDivisionError, "division by zero", operation)


class ComplexNumbers(unittest.TestCase):
    def test_text(self):
        for text, value in (("1+2j", 1 + 2j), (" ( 1-2J ) ", 1 - 2j), ("-j", -1j), ("1e5+1e-3j", 1e5 + 1e-3j)):
            self.assertEqual(complex(text), value)
        for text in ("1 + 2j", "1+2", "(1+2j", "", "1j+2", "++1j"):
            self.assertRaisesRegex(ValueError, "malformed string", complex, text)
        self.assertEqual([repr(z) for z in (1j, -0j, complex(-0.0, 1), 1.5 - 2.5j)], ["1j", "(-0-0j)", "(-0+1j)", "(1.5-2.5j)"])

    def test_infinities_survive(self):
        self.assertEqual(complex(1, 2) / complex("inf"), 0j)
        self.assertEqual(abs(complex("inf+nanj")), float("inf"))
        self.assertRaisesRegex(ZeroDivisionError, "division by zero", lambda: 1j / 0)


class Operators(unittest.TestCase):
    def message(self, function):
        with self.assertRaises(TypeError) as caught:
            function()
        return str(caught.exception)

    def test_messages(self):
        for function, text in (
                (lambda: 1 + "a", "unsupported operand type(s) for +: 'int' and 'str'"),
                (lambda: pow(1, "a", 2), "unsupported operand type(s) for ** or pow(): 'int', 'str', 'int'"),
                (lambda: "a" * "b", "can't multiply sequence by non-int of type 'str'"),
                (lambda: -"a", "bad operand type for unary -: 'str'"),
                (lambda: 1j // 1, "unsupported operand type(s) for //: 'complex' and 'int'"),
                (lambda: [1][1.5:], "slice indices must be integers or None or have an __index__ method"),
                (lambda: int([]), "int() argument must be a string, a bytes-like object or a real number, not 'list'"),
                (lambda: float([]), "float() argument must be a string or a real number, not 'list'")):
            self.assertEqual(self.message(function), text)

    def test_subclass_on_the_right_goes_first(self):
        class Left:
            def __add__(self, other):
                return "left"

        class Right(Left):
            def __radd__(self, other):
                return "right"

        self.assertEqual(Left() + Right(), "right")
        self.assertEqual(Left() + Left(), "left")

    def test_three_argument_power_asks_every_operand(self):
        class Modulus:
            def __rpow__(self, other, modulus=None):
                return ("rpow", other, modulus)

        self.assertEqual(pow(2, Modulus(), 5), ("rpow", 2, 5))

    def test_bool_is_an_int(self):
        self.assertIs(True & False, False)
        self.assertEqual(True + True, 2)
        self.assertEqual((-True, +True, True ^ 3), (-1, 1, 2))



class Sums(unittest.TestCase):
    def test_sum_leaves_64_bits_without_a_trace(self):
        self.assertEqual(sum([2**59] * 100), 100 * 2**59)
        self.assertEqual(sum([2**59] * 100 + [0.5]), 100 * 2**59 + 0.5)

    def test_sums_of_complex_numbers_are_compensated(self):
        numbers = [complex(10**i * 0.1, -(10**i) * 0.7) for i in range(-10, 10)] * 7
        self.assertEqual(sum(numbers), complex(sum(z.real for z in numbers), sum(z.imag for z in numbers)))


if __name__ == "__main__":
    unittest.main()
