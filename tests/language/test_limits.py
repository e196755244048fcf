"""More than there is: of memory, of the stack. The answer is an exception, never the end of the process."""
import math
import unittest


class Memory(unittest.TestCase):
    def test_what_no_machine_holds_is_a_memory_error(self):
        for make in (lambda: "x" * 10**15, lambda: b"x" * 10**15, lambda: bytearray(10**15), lambda: [0] * 10**15,
                     lambda: (0,) * 10**15, lambda: 1 << 10**15, lambda: "x".ljust(10**15), lambda: bytes(10**15)):
            with self.assertRaises((MemoryError, OverflowError)):
                make()

    def test_a_size_that_the_address_space_holds_but_no_memory_backs_is_a_memory_error(self):
        for make in (lambda: "x" * 2**44, lambda: bytearray(2**44), lambda: [0] * 2**42):
            with self.assertRaises(MemoryError):
                make()

    def test_integers_beyond_memory_are_a_memory_error(self):
        for make in (lambda: math.factorial(2**62), lambda: math.comb(10**15, 10**14), lambda: 10 ** 10**15):
            with self.assertRaises((MemoryError, OverflowError)):
                make()


class Recursion(unittest.TestCase):
    def test_generic_aliases_nested_deeply_refuse_their_hash(self):
        alias = int
        for _ in range(300_000):
            alias = list[alias]
        with self.assertRaises(RecursionError):
            hash(alias)
        with self.assertRaises(RecursionError):
            repr(alias)


if __name__ == "__main__":
    unittest.main()
