"""tracemalloc: what is traced, what it costs to stop, and who may add to it."""
import ctypes
import os
import subprocess
import sys
import tracemalloc
import unittest

ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")} | {"PYTHONDONTWRITEBYTECODE": "1"}


def run(program, *options, **environment):
    return subprocess.run([sys.executable, *options, "-c", program], capture_output=True, text=True, env=ENVIRONMENT | environment,
                          timeout=60)


class Kept:
    def __init__(self, value):
        self.value = value


def make_list():
    return [None] * 1000


class Tracing(unittest.TestCase):
    def setUp(self):
        tracemalloc.start(25)
        self.addCleanup(tracemalloc.stop)

    def line_of(self, made):
        frame = tracemalloc.get_object_traceback(made)[-1]
        return os.path.basename(frame.filename), frame.lineno

    def test_objects_of_every_kind_tell_the_line_that_made_them(self):
        here = os.path.basename(__file__)
        def f():
            yield 1
        first = sys._getframe().f_lineno
        made = [
            [1, 2],
            {"a": here},
            {1, first},
            (here, first),
            first << 100,
            here + "x",
            Kept(1),
            lambda: here,
            f(),
            bytearray(100),
            b"x" * first,
            object(),
            "%d" % first,
        ]
        lines = [self.line_of(thing) for thing in made]
        self.assertEqual(lines, [(here, first + 2 + i) for i in range(len(made))])

    def test_the_memory_behind_a_container_is_traced_with_the_size_that_was_asked_for(self):
        before, _ = tracemalloc.get_traced_memory()
        made = make_list()
        after, peak = tracemalloc.get_traced_memory()
        self.assertGreaterEqual(after - before, 8000)
        self.assertLess(after - before, 8400)
        self.assertGreaterEqual(peak, after)
        del made
        self.assertLess(tracemalloc.get_traced_memory()[0] - before, 1000)

    def test_statistics_name_the_line_that_made_most(self):
        made = make_list()
        statistics = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, __file__)]).statistics("lineno")
        self.assertEqual(statistics[0].traceback[0].lineno, make_list.__code__.co_firstlineno + 1)
        self.assertGreaterEqual(statistics[0].size, 8000)
        self.assertEqual(len(made), 1000)

    def test_growing_and_large_blocks_keep_one_trace_each(self):
        before, _ = tracemalloc.get_traced_memory()
        grown = []
        for i in range(100_000):
            grown.append(None)
        large = bytearray(8_000_000)
        large += b"x" * 1_000_000
        now, _ = tracemalloc.get_traced_memory()
        self.assertGreaterEqual(now - before, 9_800_000)
        self.assertLess(now - before, 12_000_000)
        del grown, large
        self.assertLess(tracemalloc.get_traced_memory()[0] - before, 10_000)

    def test_what_was_made_before_the_start_has_no_trace_and_may_end(self):
        tracemalloc.stop()
        old = [Kept(i) for i in range(1000)]
        tracemalloc.start()
        self.assertIsNone(tracemalloc.get_object_traceback(old[5]))
        del old
        self.assertLess(tracemalloc.get_traced_memory()[0], 10_000)
        new = [Kept(i) for i in range(1000)]
        tracemalloc.stop()
        del new
        self.assertEqual(tracemalloc.get_traced_memory(), (0, 0))

    def test_extensions_may_track_blocks_in_domains_of_their_own(self):
        track, untrack = ctypes.pythonapi.PyTraceMalloc_Track, ctypes.pythonapi.PyTraceMalloc_Untrack
        track.argtypes = (ctypes.c_uint, ctypes.c_size_t, ctypes.c_size_t)
        untrack.argtypes = (ctypes.c_uint, ctypes.c_size_t)
        self.assertEqual(track(7, 0xABC0, 12345), 0)
        self.assertEqual(track(7, 0xABC0, 54321), 0)  # once more: the last one counts
        mine = [trace for trace in tracemalloc.take_snapshot().traces if trace.domain == 7]
        self.assertEqual([trace.size for trace in mine], [54321])
        self.assertEqual(os.path.basename(mine[0].traceback[-1].filename), os.path.basename(__file__))
        self.assertEqual(untrack(7, 0xABC0), 0)
        self.assertEqual([trace for trace in tracemalloc.take_snapshot().traces if trace.domain == 7], [])
        tracemalloc.stop()
        self.assertEqual((track(7, 0xABC0, 1), untrack(7, 0xABC0)), (-2, -2))

    def test_all_three_domains_of_the_c_api_are_traced(self):
        api = ctypes.pythonapi
        for domain in ("PyMem_Raw", "PyMem_", "PyObject_"):
            for size in (100, 54321):
                malloc, realloc, free = (getattr(api, domain + name) for name in ("Malloc", "Realloc", "Free"))
                malloc.restype = realloc.restype = ctypes.c_void_p
                malloc.argtypes, realloc.argtypes, free.argtypes = (ctypes.c_size_t,), (ctypes.c_void_p, ctypes.c_size_t), (ctypes.c_void_p,)
                with self.subTest(domain, size=size):
                    before, _ = tracemalloc.get_traced_memory()
                    block = malloc(size)
                    self.assertAlmostEqual(tracemalloc.get_traced_memory()[0] - before, size, delta=400)
                    block = realloc(block, 3 * size)
                    self.assertAlmostEqual(tracemalloc.get_traced_memory()[0] - before, 3 * size, delta=400)
                    free(block)
                    self.assertAlmostEqual(tracemalloc.get_traced_memory()[0] - before, 0, delta=400)


class CommandLine(unittest.TestCase):
    def test_the_option_and_the_variable_start_it_before_the_program(self):
        program = "import tracemalloc as t; print(t.is_tracing(), t.get_traceback_limit(), t.get_traced_memory()[0] > 100_000)"
        self.assertEqual(run(program, "-X", "tracemalloc").stdout, "True 1 True\n")
        self.assertEqual(run(program, "-X", "tracemalloc=7").stdout, "True 7 True\n")
        self.assertEqual(run(program, PYTHONTRACEMALLOC="3").stdout, "True 3 True\n")
        self.assertEqual(run(program).stdout, "False 1 False\n")
        self.assertIn("invalid number of frames", run(program, "-X", "tracemalloc=70000").stderr)

    def test_a_resource_warning_tells_where_the_object_was_allocated(self):
        program = "def f():\n  g = open('/dev/null')\n  del g\nf()"
        text = run(program, "-W", "always", "-X", "tracemalloc=2").stderr
        self.assertIn("Object allocated at (most recent call last):\n  File \"<string>\", lineno 4\n", text)
        self.assertIn("  File \"<string>\", lineno 2\n", text)
        self.assertIn("Enable tracemalloc", run(program, "-W", "always").stderr)


class Methods(unittest.TestCase):
    def test_errors_of_a_method_name_its_class_without_the_module(self):
        import array
        with self.assertRaisesRegex(TypeError, r"^array\.byteswap\(\) takes no arguments \(1 given\)$"):
            array.array("i").byteswap(1)


if __name__ == "__main__":
    unittest.main()
