"""More than there is: of memory, of the stack. The answer is an exception, never the end of the process."""
import functools
import math
import subprocess
import sys
import types
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

    def nest(self, wrap, value, times=100_000):
        for _ in range(times):
            value = wrap(value)
        return value

    def test_native_callables_nested_deeply_refuse_to_be_called(self):
        for wrap in staticmethod, functools.lru_cache, functools.lru_cache(None):
            with self.assertRaises(RecursionError):
                self.nest(wrap, lambda: 1)()

    def test_bound_methods_nested_deeply_refuse_to_be_shown(self):
        with self.assertRaises(RecursionError):
            repr(self.nest(lambda f: types.MethodType(f, 1), lambda *args: 1))

    def test_descriptors_nested_deeply_refuse_to_say_whether_they_are_abstract(self):
        for wrap in classmethod, staticmethod, property:
            with self.assertRaises(RecursionError):
                self.nest(wrap, len).__isabstractmethod__

    def test_comprehensions_nested_deeply_are_a_syntax_error(self):
        source = "x"
        for _ in range(30):
            source = f"[{source} for x in [x]]"
        with self.assertRaisesRegex(SyntaxError, "too many statically nested blocks"):
            compile(source, "<text>", "eval")


def address_sanitizer():
    """Whether the library brings AddressSanitizer, whose own memory a limit would take away."""
    with open("/proc/self/maps") as maps:
        return "libasan" in maps.read()


class Exhaustion(unittest.TestCase):
    @unittest.skipIf(address_sanitizer(), "AddressSanitizer reserves more address space than the limit")
    def test_a_compiler_without_memory_is_a_memory_error(self):
        code = ("import resource\nresource.setrlimit(resource.RLIMIT_AS, (1_500_000_000,) * 2)\n"
                "try: compile('[' + '1,' * 30_000_000 + ']', '<text>', 'eval')\n"
                "except MemoryError: print('refused')")
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (0, "refused\n"))


if __name__ == "__main__":
    unittest.main()
