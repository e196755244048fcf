"""_ctypes and the package over it: extensions/ctypes_*.cpp."""
import array
import errno
import gc
import math
import pickle
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import unittest
import weakref
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "threads"))
from together import together

try:
    import _ctypes
except ImportError:
    raise unittest.SkipTest("built without libffi")
import ctypes
import ctypes.util
from ctypes import (ARRAY, CDLL, CFUNCTYPE, POINTER, PYFUNCTYPE, Array, ArgumentError, BigEndianStructure, Structure, Union, addressof,
                    alignment, byref, c_bool, c_byte, c_char, c_char_p, c_double, c_double_complex, c_float, c_int, c_int32,
                    c_long, c_longdouble, c_longlong, c_short, c_size_t, c_ubyte, c_uint, c_uint16, c_ulonglong, c_void_p,
                    c_wchar, c_wchar_p, cast, create_string_buffer, create_unicode_buffer, get_errno, memmove, memoryview_at,
                    memset, pointer, py_object, pythonapi, resize, set_errno, sizeof, string_at, wstring_at)

libc = CDLL(None)
libm = CDLL(ctypes.util.find_library("m") or "libm.so.6")


class Point(Structure):
    _fields_ = [("x", c_int), ("y", c_int)]


def function(name, restype, *argtypes, library=libc):
    made = library[name]
    made.restype, made.argtypes = restype, argtypes
    return made


class Calls(unittest.TestCase):
    def test_arguments_and_results_without_a_description_are_ints_strings_and_addresses(self):
        self.assertEqual(libc.abs(-7), 7)
        self.assertEqual(libc.strlen(b"four"), 4)
        self.assertEqual(libc.wcslen("five5"), 5)
        self.assertEqual(libc.abs(2**32 - 1), 1)
        self.assertEqual(libc.atoi(create_string_buffer(b"12")), 12)

    def test_described_arguments_are_converted(self):
        self.assertEqual(function("pow", c_double, c_double, c_double, library=libm)(2, 10), 1024.0)
        self.assertAlmostEqual(function("sqrtf", c_float, c_float, library=libm)(2), 2**.5, 6)
        self.assertEqual(function("ldexpl", c_longdouble, c_longdouble, c_int, library=libm)(1.5, 3), 12.0)
        self.assertEqual(function("toupper", c_int, c_int)(ord("a")), ord("A"))
        self.assertEqual(function("strchr", c_char_p, c_char_p, c_char)(b"abcdef", b"c"), b"cdef")
        self.assertIsNone(function("strchr", c_char_p, c_char_p, c_char)(b"abcdef", b"z"))

    def test_complex_numbers_are_passed_and_returned(self):
        self.assertEqual(function("cabs", c_double, c_double_complex, library=libm)(3 + 4j), 5.0)
        self.assertAlmostEqual(function("csqrt", c_double_complex, c_double_complex, library=libm)(-4), 2j)
        self.assertAlmostEqual(function("csqrtf", ctypes.c_float_complex, ctypes.c_float_complex, library=libm)(-4), 2j)
        self.assertAlmostEqual(
            function("csqrtl", ctypes.c_longdouble_complex, ctypes.c_longdouble_complex, library=libm)(-9), 3j)

    def test_more_arguments_than_described_are_variadic(self):
        snprintf = function("snprintf", c_int, c_char_p, c_size_t, c_char_p)
        buffer = create_string_buffer(100)
        self.assertEqual(snprintf(buffer, 100, b"%d %s %.2f %ld", 5, b"x", c_double(2.5), c_long(-1)), 11)
        self.assertEqual(buffer.value, b"5 x 2.50 -1")

    def test_structures_are_returned_by_value(self):
        class Div(Structure):
            _fields_ = [("quot", c_int), ("rem", c_int)]

        class LongDiv(Structure):
            _fields_ = [("quot", c_long), ("rem", c_long)]

        result = function("div", Div, c_int, c_int)(17, 5)
        self.assertEqual((result.quot, result.rem), (3, 2))
        result = function("ldiv", LongDiv, c_long, c_long)(-17 << 40, 5 << 40)
        self.assertEqual((result.quot, result.rem), (-3, -2 << 40))

    def test_pointers_to_arguments_get_results(self):
        end = c_char_p()
        strtol = function("strtol", c_long, c_char_p, POINTER(c_char_p), c_int)
        text = b"12rest"
        self.assertEqual((strtol(text, byref(end), 10), end.value), (12, b"rest"))
        whole = c_double()
        modf = function("modf", c_double, c_double, POINTER(c_double), library=libm)
        self.assertEqual((modf(3.25, whole), whole.value), (0.25, 3.0))
        self.assertEqual(modf(4.5, pointer(whole)), 0.5)

    def test_many_arguments_go_beyond_those_kept_on_the_stack(self):
        buffer = create_string_buffer(1000)
        libc.snprintf(buffer, 1000, b"%d " * 100, *range(100))
        self.assertEqual(buffer.value.split(), [b"%d" % i for i in range(100)])
        with self.assertRaisesRegex(ArgumentError, r"too many arguments \(1025\), maximum is 1024"):
            libc.abs(*range(1025))

    def test_errors_of_arguments_name_them(self):
        strchr = function("strchr", c_char_p, c_char_p, c_char)
        for arguments, message in (((b"a", "b"), "argument 2: TypeError: one character bytes, bytearray, or an integer in "
                                    r"range\(256\) expected, not str"),
                                   ((1.5, b"b"), "argument 1: TypeError: 'float' object cannot be interpreted as ctypes.c_char_p")):
            with self.assertRaisesRegex(ArgumentError, message):
                strchr(*arguments)
        with self.assertRaisesRegex(ArgumentError, "argument 1: TypeError: Don't know how to convert parameter 1"):
            libc.labs(1.5)
        with self.assertRaisesRegex(ArgumentError, "argument 1: OverflowError: int too long to convert"):
            libc.labs(2**64)
        with self.assertRaisesRegex(TypeError, r"this function takes at least 2 arguments \(1 given\)"):
            strchr(b"a")

    def test_as_parameter_and_from_param_convert(self):
        class Wrapped:
            def __init__(self, value):
                self._as_parameter_ = value

        self.assertEqual(libc.abs(Wrapped(Wrapped(-3))), 3)
        self.assertEqual(function("labs", c_long, c_long)(Wrapped(-4)), 4)
        loop = Wrapped(None)
        loop._as_parameter_ = loop
        self.assertRaisesRegex(ArgumentError, "RecursionError", libc.abs, loop)

        class Doubled(c_int):
            @classmethod
            def from_param(cls, value):
                return c_int(value * 2)

        self.assertEqual(function("abs", c_int, Doubled)(-4), 8)

    def test_results_pass_restype_checker_and_errcheck(self):
        labs = libc["labs"]
        labs.restype = lambda number: ("made", number)
        self.assertEqual(labs(-2), ("made", 2))

        class Checked(c_int):
            @staticmethod
            def _check_retval_(value):
                return str(value.value)

        labs.restype = Checked
        self.assertEqual(labs(-2), "2")
        del labs.restype
        seen = []

        def check(result, called, arguments):
            seen.append((result, called is labs, arguments))
            return arguments if result < 10 else "large"

        labs.errcheck = check
        self.assertEqual((labs(-3), labs(-30)), (3, "large"))
        self.assertEqual(seen, [(3, True, (-3,)), (30, True, (-30,))])
        labs.errcheck = lambda *all: 1 / 0
        self.assertRaises(ZeroDivisionError, labs, 1)

    def test_parameter_flags_name_arguments_and_make_results_of_out_parameters(self):
        prototype = CFUNCTYPE(c_double, c_double, POINTER(c_double))
        modf = prototype(("modf", libm), ((1, "x", 2.75), (2, "whole")))
        self.assertEqual((modf(), modf(1.5), modf(x=9.5)), (2.0, 1.0, 9.0))
        both = prototype(("modf", libm), ((1, "x"), (3, "whole")))
        into = c_double()
        self.assertIs(both(3.5, into), into)
        self.assertEqual(into.value, 3.0)
        with self.assertRaisesRegex(TypeError, "required argument 'x' missing"):
            both()
        with self.assertRaisesRegex(TypeError, r"call takes exactly 1 arguments \(2 given\)"):
            modf(1, 2)
        with self.assertRaisesRegex(TypeError, "'out' parameter 1 must be a pointer type, not c_double"):
            prototype(("modf", libm), ((2, "x"), (1, "y")))
        with self.assertRaisesRegex(ValueError, "paramflags must have the same length as argtypes"):
            prototype(("modf", libm), ((1, "x"),))

    def test_errno_is_swapped_in_and_kept_for_each_thread(self):
        library = CDLL(None, use_errno=True)
        library.open.argtypes = [c_char_p, c_int]
        set_errno(0)
        self.assertEqual(library.open(b"/no/such/file", 0), -1)
        self.assertEqual(get_errno(), errno.ENOENT)
        others = []
        thread = threading.Thread(target=lambda: others.append(get_errno()))
        thread.start()
        thread.join()
        self.assertEqual(others, [0])
        self.assertEqual((set_errno(5), get_errno()), (errno.ENOENT, 5))

    def test_python_functions_keep_their_exceptions_and_references(self):
        pythonapi.PyNumber_Add.restype = py_object
        pythonapi.PyNumber_Add.argtypes = [py_object, py_object]
        self.assertEqual(pythonapi.PyNumber_Add([1], [2]), [1, 2])
        self.assertRaisesRegex(TypeError, "unsupported operand", pythonapi.PyNumber_Add, 1, "")
        pythonapi.PyErr_Occurred.restype = py_object
        self.assertRaisesRegex(ValueError, "PyObject is NULL", pythonapi.PyErr_Occurred)

    def test_other_threads_run_during_a_call(self):
        counted = []
        stop = threading.Event()
        thread = threading.Thread(target=lambda: (counted.append(1), stop.set()))
        callback = CFUNCTYPE(None)(lambda: (thread.start(), stop.wait(30)))
        callback()
        self.assertEqual(counted, [1])
        thread.join()

    def test_libraries_and_symbols_that_are_not_there_raise(self):
        self.assertRaisesRegex(OSError, "no-such-library.so", CDLL, "no-such-library.so")
        self.assertRaisesRegex(AttributeError, "undefined symbol: no_such_function", getattr, libc, "no_such_function")
        self.assertRaisesRegex(ValueError, "undefined symbol: nothing", c_int.in_dll, libc, "nothing")
        self.assertRaisesRegex(TypeError, "function name must be", lambda: libc[1])
        self.assertRaisesRegex(ValueError, "NULL function pointer", CFUNCTYPE(None)())
        handle = _ctypes.dlopen(None, 0)
        self.assertEqual(_ctypes.dlsym(handle, "abs"), cast(libc.abs, c_void_p).value)
        _ctypes.dlclose(handle)
        self.assertTrue(any("libc" in name for name in ctypes.util.dllist()))

    def test_variables_of_libraries_are_instances(self):
        self.assertEqual(c_int.in_dll(pythonapi, "Py_OptimizeFlag").value, sys.flags.optimize)


class Callbacks(unittest.TestCase):
    def test_qsort_calls_back(self):
        compare = CFUNCTYPE(c_int, POINTER(c_int), POINTER(c_int))(lambda a, b: a[0] - b[0])
        numbers = (c_int * 6)(5, 1, 99, -7, 33, 0)
        libc.qsort(numbers, len(numbers), sizeof(c_int), compare)
        self.assertEqual(list(numbers), [-7, 0, 1, 5, 33, 99])

    def test_values_of_all_types_go_through_a_callback(self):
        for type, values in ((c_byte, (-128, 127)), (c_ubyte, (0, 255)), (c_short, (-2**15, 5)), (c_int, (-1, 2**31 - 1)),
                             (c_uint, (2**32 - 1,)), (c_longlong, (-2**63,)), (c_ulonglong, (2**64 - 1,)), (c_float, (1.5,)),
                             (c_double, (math.pi,)), (c_longdouble, (2.25,)), (c_bool, (True, False)), (c_char, (b"x",)),
                             (c_wchar, ("\u20ac",)), (c_void_p, (None, 77)), (c_double_complex, (1 + 2j,)), (py_object, ([],))):
            echo = CFUNCTYPE(type, c_double, type)(lambda number, value: value)
            for value in values:
                with self.subTest(type=type):
                    self.assertEqual(echo(0.5, value), value)

    def test_structures_go_through_a_callback(self):
        class Mixed(Structure):
            _fields_ = [("a", c_double), ("b", c_int)]

        class Large(Structure):
            _fields_ = [("items", c_long * 5)]

        got = []
        CFUNCTYPE(None, Point, Mixed, Large)(lambda *all: got.extend(all))(Point(1, 2), Mixed(2.5, 3), Large((4, 5, 6)))
        self.assertEqual((got[0].y, got[1].a, got[1].b, got[2].items[:]), (2, 2.5, 3, [4, 5, 6, 0, 0]))

    def test_an_exception_goes_to_the_unraisable_hook(self):
        def failing():
            raise LookupError("lost")

        seen = []
        hook, sys.unraisablehook = sys.unraisablehook, lambda info: seen.append((info.exc_type, info.err_msg))
        try:
            self.assertEqual(CFUNCTYPE(c_int)(failing)(), 0)
            CFUNCTYPE(c_int)(lambda: "text")()
        finally:
            sys.unraisablehook = hook
        self.assertEqual(seen[0], (LookupError, f"Exception ignored while calling ctypes callback function {failing!r}"))
        self.assertEqual(seen[1][0], TypeError)
        self.assertIn("Exception ignored while converting result of ctypes callback function", seen[1][1])

    def test_threads_that_python_has_not_made_call_back(self):
        start = CFUNCTYPE(c_void_p, c_void_p)
        seen = []

        @start
        def run(argument):
            seen.append((argument, threading.get_ident()))
            return argument

        create = function("pthread_create", c_int, POINTER(c_void_p), c_void_p, start, c_void_p)
        join = function("pthread_join", c_int, c_void_p, POINTER(c_void_p))
        ids = [c_void_p() for _ in range(5)]
        for number, id in enumerate(ids):
            self.assertEqual(create(id, None, run, number + 1), 0)
        for number, id in enumerate(ids):
            result = c_void_p()
            join(id, result)
            self.assertEqual(result.value, number + 1)
        self.assertEqual(sorted(number for number, _ in seen), [1, 2, 3, 4, 5])
        self.assertNotIn(threading.get_ident(), [id for _, id in seen])

    def test_a_callback_dies_with_its_function(self):
        class Callable:
            def __call__(self):
                return 1

        callable = Callable()
        reference = weakref.ref(callable)
        callback = CFUNCTYPE(c_int)(callable)
        callback.cycle = callback
        del callable
        self.assertEqual(callback(), 1)
        del callback
        gc.collect()
        self.assertIsNone(reference())

    def test_results_that_a_callback_cannot_have_are_refused(self):
        self.assertRaisesRegex(TypeError, "invalid result type", CFUNCTYPE(POINTER(c_int)), lambda: None)
        self.assertRaisesRegex(TypeError, "invalid result type", CFUNCTYPE(Point), lambda: None)
        self.assertRaisesRegex(TypeError, "argument must be callable", CFUNCTYPE(None), "text")


SHAPES = """
#include <string.h>
typedef struct { float a, b; } two_floats;
typedef struct { float a, b, c; } three_floats;
typedef struct { double a; int b; } mixed;
typedef struct { int a; double b; } mixed_other;
typedef struct { char c[3]; } three_chars;
typedef struct { char c[13]; } thirteen_chars;
typedef union { double d; long l; } either;
typedef union { float f; double d; } floating;
#pragma pack(push, 1)
typedef struct { char a; long b; } packed;
#pragma pack(pop)
typedef struct { long double a; } extended;
typedef union { long double a; long b[2]; } extended_or_not;
typedef union { long double a; long b; } extended_or_half;
typedef struct { unsigned a : 3, b : 20; short c; } bits;
typedef struct { long a, b, c; } large;
typedef struct { two_floats a; three_chars b; } nested;
#define ECHO(type) type echo_##type(int before, type value, double after, type *copy) { *copy = value; return value; }
ECHO(two_floats) ECHO(three_floats) ECHO(mixed) ECHO(mixed_other) ECHO(three_chars) ECHO(thirteen_chars) ECHO(either)
ECHO(floating) ECHO(packed) ECHO(extended) ECHO(extended_or_not) ECHO(extended_or_half) ECHO(bits) ECHO(large) ECHO(nested)
"""
COMPILER = (sysconfig.get_config_var("CC") or "cc").split()[0]


@unittest.skipUnless(shutil.which(COMPILER), "no C compiler")
class PassingByValue(unittest.TestCase):
    def test_structures_and_unions_of_every_shape_arrive_as_the_compiler_says(self):
        class two_floats(Structure):
            _fields_ = [("a", c_float), ("b", c_float)]

        class three_floats(Structure):
            _fields_ = [("a", c_float * 3)]

        class mixed(Structure):
            _fields_ = [("a", c_double), ("b", c_int)]

        class mixed_other(Structure):
            _fields_ = [("a", c_int), ("b", c_double)]

        class three_chars(Structure):
            _fields_ = [("c", c_byte * 3)]

        class thirteen_chars(Structure):
            _fields_ = [("c", c_byte * 13)]

        class either(Union):
            _fields_ = [("d", c_double), ("l", c_long)]

        class floating(Union):
            _fields_ = [("f", c_float), ("d", c_double)]

        class packed(Structure):
            _pack_ = 1
            _layout_ = "ms"
            _fields_ = [("a", c_byte), ("b", c_long)]

        class extended(Structure):
            _fields_ = [("a", c_longdouble)]

        class extended_or_not(Union):
            _fields_ = [("a", c_longdouble), ("b", c_long * 2)]

        class extended_or_half(Union):
            _fields_ = [("b", c_long), ("a", c_longdouble)]

        class bits(Structure):
            _fields_ = [("a", c_uint, 3), ("b", c_uint, 20), ("c", c_short)]

        class large(Structure):
            _fields_ = [("a", c_long), ("b", c_long), ("c", c_long)]

        class nested(Structure):
            _fields_ = [("a", two_floats), ("b", three_chars)]

        class derived(mixed):
            pass

        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        source = Path(folder, "shapes.c")
        source.write_text(SHAPES)
        library = Path(folder, "shapes.so")
        subprocess.run([COMPILER, "-w", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
        shapes = CDLL(str(library))
        for shape in (two_floats, three_floats, mixed, mixed_other, three_chars, thirteen_chars, either, floating, packed, extended,
                      extended_or_not, extended_or_half, bits, large, nested, derived):
            with self.subTest(shape=shape.__name__):
                name = "mixed" if shape is derived else shape.__name__
                echo = function("echo_" + name, shape, c_int, shape, c_double, POINTER(shape), library=shapes)
                if shape is extended:
                    value = extended(2.5)
                    meaningful = 10
                else:
                    value = shape.from_buffer_copy(bytes(range(1, sizeof(shape) + 1)))
                    meaningful = sizeof(shape)
                copy = shape()
                result = echo(5, value, 1.5, copy)
                if shape in (mixed, derived, mixed_other, bits):
                    for field in shape.a, shape.b:
                        self.assertEqual(field.__get__(result), field.__get__(value))
                        self.assertEqual(field.__get__(copy), field.__get__(value))
                else:
                    self.assertEqual(bytes(copy)[:meaningful], bytes(value)[:meaningful])
                    self.assertEqual(bytes(result)[:meaningful], bytes(value)[:meaningful])


class Data(unittest.TestCase):
    def test_numbers_are_cut_to_size_and_other_objects_refused(self):
        self.assertEqual((c_byte(300).value, c_uint(-1).value, c_int(2**70 + 5).value), (44, 2**32 - 1, 5))
        self.assertRaisesRegex(TypeError, "'float' object cannot be interpreted as an integer", c_int, 1.5)
        self.assertRaisesRegex(TypeError, "must be real number, not str", c_double, "1")
        self.assertEqual(repr(c_short(-3)), "c_short(-3)")
        self.assertEqual((bool(c_int()), bool(c_double(.5))), (False, True))
        self.assertRaises(TypeError, hash, c_int())
        with self.assertRaises(TypeError):
            del c_int().value

    def test_strings_and_what_they_keep_alive(self):
        text = c_char_p(b"spam")
        self.assertEqual((text.value, text._objects), (b"spam", b"spam"))
        text.value = None
        self.assertIsNone(text.value)
        self.assertEqual(c_wchar_p("\U0001f40d a").value, "\U0001f40d a")
        self.assertRaisesRegex(TypeError, "bytes or integer address expected instead of str instance", c_char_p, "x")

        class Strings(Structure):
            _fields_ = [("x", c_int), ("texts", c_char_p * 3)]

        strings = Strings()
        strings.texts[2] = b"deep"
        self.assertEqual(strings._objects, {"2:1": b"deep"})

    def test_character_buffers_are_strings_with_and_without_the_end(self):
        buffer = create_string_buffer(b"abc", 6)
        self.assertEqual((buffer.value, buffer.raw, buffer[1:5:2], len(buffer)), (b"abc", b"abc\0\0\0", b"b\0", 6))
        buffer.value = b"xy"
        self.assertEqual(buffer.raw, b"xy\0\0\0\0")
        self.assertRaisesRegex(ValueError, "byte string too long", setattr, buffer, "value", b"1234567")
        self.assertRaisesRegex(TypeError, "bytes expected instead of str instance", setattr, buffer, "value", "x")
        wide = create_unicode_buffer("\u20ac\U00010000", 4)
        self.assertEqual((wide.value, wide[:], sizeof(wide)), ("\u20ac\U00010000", "\u20ac\U00010000\0\0", 16))

    def test_arrays_are_sequences_with_one_class_for_each_length(self):
        numbers = (c_int * 4)(1, 2, 3)
        self.assertIs(c_int * 4, ARRAY(c_int, 4))
        self.assertEqual((list(numbers), numbers[-1], numbers[::2], len(numbers)), ([1, 2, 3, 0], 0, [1, 3], 4))
        numbers[1:3] = 7, 8
        self.assertEqual(numbers[:], [1, 7, 8, 0])
        for bad, error in ((lambda: numbers[4], IndexError), (lambda: numbers["x"], TypeError),
                           (lambda: (c_int * 1)(1, 2), IndexError), (lambda: numbers.__setitem__(slice(2), [1]), ValueError),
                           (lambda: numbers.__delitem__(0), TypeError), (lambda: c_int * -1, ValueError),
                           (lambda: c_long * 2**62, OverflowError)):
            self.assertRaises(error, bad)
        grid = (c_int * 3 * 2)((1, 2, 3), (4, 5, 6))
        self.assertEqual((grid[1][2], sizeof(grid)), (6, 24))

    def test_an_unused_array_class_is_collected_and_made_again(self):
        class Item(c_int):
            pass

        reference = weakref.ref(Item * 12345)
        gc.collect()
        self.assertIsNone(reference())
        self.assertEqual((Item * 12345)._length_, 12345)

    def test_structures_take_values_by_position_and_name(self):
        self.assertEqual((Point(1, y=2).y, Point(y=3).x), (2, 0))
        self.assertRaisesRegex(TypeError, "duplicate values for field 'x'", Point, 1, x=2)
        self.assertRaisesRegex(TypeError, "too many initializers", Point, 1, 2, 3)

        class Point3(Point):
            _fields_ = [("z", c_double)]

        point = Point3(1, 2, 3.5)
        self.assertEqual((point.x, point.y, point.z, sizeof(point), Point3.z.offset), (1, 2, 3.5, 16, 8))

        class Line(Structure):
            _fields_ = [("start", Point), ("end", Point)]

        line = Line((1, 2), (3, 4))
        end = line.end
        end.x = 30
        line.start = end
        self.assertEqual((line.end.x, line.start.x, end._b_base_), (30, 30, line))
        with self.assertRaisesRegex(RuntimeError, r"\(Point\) TypeError: too many initializers"):
            line.start = 1, 2, 3
        with self.assertRaisesRegex(TypeError, "expected Point instance, got list"):
            line.start = [1, 2]

    def test_anonymous_members_and_unions_share_memory(self):
        class Parts(Union):
            _fields_ = [("whole", c_int32), ("bytes", c_ubyte * 4)]

        class Record(Structure):
            _anonymous_ = ["parts"]
            _fields_ = [("tag", c_int), ("parts", Parts)]

        record = Record(1, (0x01020304,))
        self.assertEqual((record.whole, record.bytes[0], Record.bytes.offset), (0x01020304, 4, 4))
        record.bytes[3] = 9
        self.assertEqual(record.parts.whole, 0x09020304)

    def test_bit_fields_keep_to_their_bits(self):
        class Bits(Structure):
            _fields_ = [("a", c_int, 3), ("b", c_uint, 7), ("c", c_bool, 1), ("d", c_longlong, 40), ("e", c_ulonglong, 64)]

        bits = Bits()
        for name, value, expected in (("a", 5, -3), ("b", 200, 72), ("c", 1, True), ("d", -2**39, -2**39), ("e", 2**64 - 1, 2**64 - 1)):
            setattr(bits, name, value)
            self.assertEqual(getattr(bits, name), expected)
        bits.b = c_uint(3)
        self.assertEqual((bits.a, bits.b, bits.c, bits.d, bits.e), (-3, 3, True, -2**39, 2**64 - 1))
        self.assertEqual((Bits.b.bit_offset, Bits.b.bit_size, Bits.b.is_bitfield, Bits.e.is_anonymous), (3, 7, True, False))
        with self.assertRaisesRegex(TypeError, "bit fields not allowed for type c_double"):
            type("Bad", (Structure,), {"_fields_": [("x", c_double, 3)]})

        class Other(BigEndianStructure):
            _fields_ = [("a", c_uint16, 4), ("b", c_uint16, 12)]

        other = Other(0xa, 0xbcd)
        self.assertEqual((bytes(other), other.a, other.b), (b"\xab\xcd", 0xa, 0xbcd))

    def test_the_other_byte_order_is_stored_turned_around(self):
        class Header(BigEndianStructure):
            _fields_ = [("size", c_uint16), ("offset", c_int32), ("ratio", c_double)]

        header = Header(0x1234, -2, 1.0)
        self.assertEqual(bytes(header), b"\x124\0\0\xff\xff\xff\xfe\x3f\xf0" + bytes(6))
        self.assertEqual((header.size, header.offset, header.ratio), (0x1234, -2, 1.0))
        self.assertIs(c_int.__ctype_be__.__ctype_le__, c_int)

    def test_layouts_have_padding_packing_and_alignment(self):
        class Padded(Structure):
            _fields_ = [("a", c_char), ("b", c_double), ("c", c_char)]

        class Packed(Structure):
            _pack_ = 1
            _layout_ = "ms"
            _fields_ = Padded._fields_

        class Aligned(Structure):
            _align_ = 32
            _fields_ = [("a", c_char)]

        self.assertEqual([(sizeof(t), alignment(t)) for t in (Padded, Packed, Aligned)], [(24, 8), (10, 1), (32, 32)])
        self.assertEqual((Padded.b.offset, Packed.b.offset), (8, 1))

    def test_a_class_with_instances_members_or_subclasses_cannot_get_fields(self):
        for use in (lambda cls: cls(), lambda cls: type("Sub", (cls,), {}), lambda cls: cls * 2):
            cls = type("Late", (Structure,), {})
            use(cls)
            self.assertRaisesRegex(AttributeError, "_fields_ is final", setattr, cls, "_fields_", [("x", c_int)])
        cls = type("Itself", (Structure,), {})
        self.assertRaisesRegex(AttributeError, "cannot contain itself", setattr, cls, "_fields_", [("x", cls)])

        class Node(Structure):
            pass

        Node._fields_ = [("value", c_int), ("next", POINTER(Node))]
        first = Node(1, pointer(Node(2)))
        self.assertEqual(first.next.contents.value, 2)
        self.assertFalse(first.next.contents.next)

    def test_pointers_read_write_and_keep_their_targets(self):
        numbers = (c_int * 3)(1, 2, 3)
        start = cast(numbers, POINTER(c_int))
        start[1] = 20
        self.assertEqual((numbers[1], start[0:3], start[2:0:-1], start.contents.value), (20, [1, 20, 3], [3, 20], 1))
        held = pointer(c_int(42))
        gc.collect()
        self.assertEqual(held[0], 42)
        held.contents = c_int(7)
        self.assertEqual((held[0], bool(held), bool(POINTER(c_int)())), (7, True, False))
        for bad, error, message in ((lambda: POINTER(c_int)()[0], ValueError, "NULL pointer access"),
                                    (lambda: held[:], ValueError, "slice stop is required"),
                                    (lambda: held["x"], TypeError, "Pointer indices must be integer"),
                                    (lambda: cast(held, c_int), TypeError, "must be a pointer type, not c_int"),
                                    (lambda: POINTER(int), TypeError, "must have storage info")):
            self.assertRaisesRegex(error, message, bad)
        self.assertIs(POINTER(c_int), POINTER(c_int))

    def test_memory_functions(self):
        buffer = create_string_buffer(8)
        memset(buffer, ord("x"), 4)
        memmove(byref(buffer, 1), b"yz", 2)
        self.assertEqual((string_at(buffer), string_at(addressof(buffer) + 1, 2)), (b"xyzx", b"yz"))
        self.assertEqual(wstring_at(create_unicode_buffer("wide")), "wide")
        view = memoryview_at(buffer, 4)
        view[0] = ord("A")
        self.assertEqual(buffer.value, b"Ayzx")
        self.assertRaisesRegex(ValueError, "size is negative", memoryview_at, buffer, -1)

    def test_instances_are_made_from_buffers_addresses_and_copies(self):
        numbers = array.array("i", range(6))
        view = (c_int * 4).from_buffer(numbers, 4)
        view[0] = 100
        self.assertEqual((view[:], numbers[1]), ([100, 2, 3, 4], 100))
        self.assertRaises(BufferError, numbers.append, 1)
        copy = (c_int * 6).from_buffer_copy(numbers)
        copy[0] = -1
        self.assertEqual((numbers[0], Point.from_address(addressof(view)).y), (0, 2))
        for bad, error, message in ((lambda: Point.from_buffer(bytes(8)), TypeError, "not writable"),
                                    (lambda: Point.from_buffer(bytearray(7)), ValueError, "7 instead of at least 8 bytes"),
                                    (lambda: Point.from_buffer_copy(bytes(9), 2), ValueError, "9 instead of at least 10"),
                                    (lambda: Point.from_buffer_copy(bytes(9), -1), ValueError, "offset cannot be negative"),
                                    (lambda: Point.from_buffer_copy(bytes(9), 2**62), ValueError, "Buffer size too small"),
                                    (lambda: Structure.from_address(1), TypeError, "abstract class")):
            self.assertRaisesRegex(error, message, bad)

    def test_buffers_of_instances_have_format_and_shape(self):
        for instance, format, shape in ((c_int(), "<i", ()), ((c_double * 3 * 2)(), "<d", (2, 3)), (Point(), "T{<i:x:<i:y:}", ()),
                                        ((Point * 2)(), "T{<i:x:<i:y:}", (2,)), (pointer(c_short()), "&<h", ())):
            view = memoryview(instance)
            self.assertEqual((view.format, view.shape, view.nbytes, view.readonly), (format, shape, sizeof(instance), False))
        numbers = (c_byte * 3)(1, 2, 3)
        self.assertEqual(memoryview(numbers)[1:].tobytes(), b"\2\3")

    def test_memory_of_an_instance_grows(self):
        point = Point(1, 2)
        resize(point, 100)
        self.assertEqual((sizeof(point), point.x, point.y), (100, 1, 2))
        resize(point, 8)
        self.assertEqual((sizeof(point), point.y), (8, 2))
        self.assertRaisesRegex(ValueError, "minimum size is 8", resize, point, 7)
        self.assertRaisesRegex(ValueError, "doesn't own it", resize, Point.from_address(addressof(point)), 100)

    def test_data_without_pointers_is_pickled(self):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            copy = pickle.loads(pickle.dumps(Point(3, 4), protocol))
            self.assertEqual((type(copy), copy.x, copy.y), (Point, 3, 4))
        self.assertEqual(pickle.loads(pickle.dumps(c_double(2.5))).value, 2.5)
        self.assertRaisesRegex(ValueError, "containing pointers cannot be pickled", pickle.dumps, c_void_p())

    def test_arguments_are_shown(self):
        self.assertEqual(repr(c_int.from_param(5)), "<cparam 'i' (5)>")
        self.assertEqual(repr(c_char.from_param(b"a")), "<cparam 'c' ('a')>")
        self.assertRegex(repr(byref(c_int())), r"<cparam 'P' \(0x[0-9a-f]+\)>")
        number = c_int(3)
        self.assertIs(byref(number)._obj, number)
        self.assertRaises(TypeError, byref, 1)

    def test_audit_events_tell_what_is_called(self):
        code = ("import sys, ctypes\nseen = []\nsys.addaudithook(lambda name, args: seen.append((name, args)))\n"
                "libc = ctypes.CDLL(None)\nlibc.abs(-3)\nctypes.addressof(ctypes.c_int())\n"
                "print([name for name, args in seen if name.startswith('ctypes')])\n"
                "print([args[1:] for name, args in seen if name == 'ctypes.call_function'])")
        shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
        self.assertEqual(shown, ["['ctypes.dlopen', 'ctypes.dlsym', 'ctypes.call_function', 'ctypes.addressof']", "[((-3,),)]"])

    def test_the_module_can_be_imported_again(self):
        code = "import ctypes, sys; del sys.modules['_ctypes']; import _ctypes; print(_ctypes.Structure is ctypes.Structure)"
        self.assertEqual(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout, "True\n")


class BadInput(unittest.TestCase):
    """Where CPython reads or writes beyond what is there, this raises."""

    def test_a_field_of_another_class_stays_inside_of_the_instance(self):
        self.assertRaisesRegex(TypeError, "lies outside", Point.y.__get__, c_byte())
        self.assertRaisesRegex(TypeError, "lies outside", Point.y.__set__, c_byte(), 1)
        self.assertRaisesRegex(TypeError, "not a ctype instance", Point.x.__get__, 5)

    def test_a_reference_is_no_structure(self):
        self.assertRaisesRegex(TypeError, "expected Point instance instead of pointer to Point", Point.from_param, byref(Point()))

    def test_an_instance_given_to_a_bit_field_changes_its_bits_only(self):
        class Bits(Structure):
            _fields_ = [("a", c_int, 4), ("b", c_int, 4)]

        bits = Bits(0, 5)
        bits.a = c_int(-1)
        self.assertEqual((bits.a, bits.b), (-1, 5))
        with self.assertRaisesRegex(TypeError, "incompatible types, c_long instance instead of c_int instance"):
            bits.a = c_long(1)

    def test_classes_whose_metatype_is_not_that_of_their_base_have_no_instances(self):
        meta = type(c_int)
        cls = meta.__new__(meta, "Strange", (), {"_type_": "i"})
        meta.__init__(cls, "Strange", (), {"_type_": "i"})
        self.assertRaisesRegex(TypeError, "abstract class", cls.from_buffer_copy, bytes(8))
        self.assertRaisesRegex(SystemError, "already initialized", meta.__init__, cls, "Strange", (), {"_type_": "i"})
        unready = type(Structure).__new__(type(Structure), "Unready", (Structure,), {})
        self.assertRaisesRegex(TypeError, "abstract class", unready)
        self.assertRaisesRegex(TypeError, "ctypes state is not initialized", setattr, unready, "_fields_", [])

    def test_descriptions_that_say_nothing_are_refused(self):
        for base, body, error in ((_ctypes._SimpleCData, {}, AttributeError), (_ctypes._SimpleCData, {"_type_": 1}, TypeError),
                                  (_ctypes._SimpleCData, {"_type_": "ab"}, ValueError), (Array, {"_type_": c_int}, AttributeError),
                                  (Array, {"_type_": c_int, "_length_": -1}, ValueError),
                                  (Array, {"_type_": c_int, "_length_": 2**70}, OverflowError),
                                  (_ctypes._Pointer, {"_type_": int}, TypeError), (_ctypes.CFuncPtr, {}, TypeError),
                                  (_ctypes.CFuncPtr, {"_flags_": 1, "_argtypes_": (int,)}, TypeError),
                                  (Structure, {"_fields_": 1}, TypeError), (Structure, {"_fields_": [("x",)]}, ValueError),
                                  (Structure, {"_fields_": [("x", c_int, 99)]}, ValueError),
                                  (Structure, {"_fields_": [], "_anonymous_": ["x"]}, AttributeError)):
            self.assertRaises(error, type(base), "Bad", (base,), body)

    def test_code_that_runs_during_a_conversion_may_change_the_instance(self):
        numbers = (c_int * 4)()

        class Index:
            def __index__(self):
                resize(numbers, 100000)
                return 5

        numbers[3] = Index()
        self.assertEqual(numbers[:], [0, 0, 0, 5])


class Threads(unittest.TestCase):
    ROUNDS = 300

    def test_threads_share_a_structure_with_strings(self):
        class Record(Structure):
            _fields_ = [("text", c_char_p), ("wide", c_wchar_p), ("number", c_int), ("bits", c_uint, 5), ("more", c_uint, 5),
                        ("inner", Point), ("target", POINTER(c_int))]

        record = Record()

        def work(number):
            for i in range(self.ROUNDS):
                record.text = b"%d" % number * 20
                record.wide = str(number) * 20
                text, wide = record.text, record.wide
                self.assertEqual((len(text), text, wide), (20, text[:1] * 20, wide[:1] * 20))
                record.inner = Point(number, number)
                record.target = pointer(c_int(number))
                self.assertIn(record.target[0], range(4))
                if number % 2:
                    record.bits = i
                else:
                    record.more = i
                self.assertLess(record.bits | record.more, 32)

        together(work, threads=4)
        self.assertLessEqual(len(record._objects), 4)

    def test_threads_set_bits_of_one_number_without_losing_any(self):
        fields = [(f"bit{i}", c_uint, 8) for i in range(4)]
        Bits = type("Bits", (Structure,), {"_fields_": fields})
        bits = Bits()

        def work(number):
            name = f"bit{number}"
            for i in range(self.ROUNDS):
                setattr(bits, name, i)
                self.assertEqual(getattr(bits, name), i & 255)

        together(work, threads=4)

    def test_threads_share_an_array_of_objects(self):
        objects = (py_object * 3)(*[[]] * 3)

        def work(number):
            for i in range(self.ROUNDS):
                objects[i % 3] = [number] * 5
                got = objects[(i + 1) % 3]
                self.assertIn(len(got), (0, 5))

        together(work, threads=4)

    def test_threads_make_the_same_classes(self):
        class Item(c_int):
            pass

        made = []

        def work(number):
            for i in range(1, 60):
                made.append((i, Item * i, POINTER(Item * i)))

        together(work, threads=4)
        for i in range(1, 60):
            self.assertEqual(len({array for length, array, _ in made if length == i}), 1)
            self.assertTrue(all(p._type_ is array for length, array, p in made if length == i))

    def test_threads_call_functions_while_their_types_change(self):
        labs = libc["labs"]

        def work(number):
            for i in range(self.ROUNDS):
                if number == 0:
                    labs.argtypes = (c_long,) if i % 2 else None
                    labs.restype = c_long if i % 3 else c_int
                else:
                    self.assertEqual(labs(-i), i)

        together(work, threads=4)

    def test_callbacks_run_in_many_threads_at_once(self):
        compare = CFUNCTYPE(c_int, POINTER(c_int), POINTER(c_int))(lambda a, b: a[0] - b[0])
        qsort = function("qsort", None, c_void_p, c_size_t, c_size_t, type(compare))

        def work(number):
            for i in range(20):
                numbers = (c_int * 20)(*(j * 7919 % 101 for j in range(20)))
                qsort(numbers, 20, 4, compare)
                self.assertEqual(list(numbers), sorted(numbers))

        together(work, threads=4)


class Python(unittest.TestCase):
    def test_python_functions_are_called_with_the_thread_attached(self):
        add = PYFUNCTYPE(py_object, py_object, py_object)(("PyNumber_Multiply", pythonapi))
        self.assertEqual(add(6, 7), 42)
        self.assertEqual(_ctypes.PyObj_FromPtr(id(add)), add)


if __name__ == "__main__":
    unittest.main()
