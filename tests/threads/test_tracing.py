"""tracemalloc while several threads allocate, free each other's blocks, and switch it on and off."""
import tracemalloc
import unittest

from together import together


class Tracing(unittest.TestCase):
    def setUp(self):
        self.addCleanup(tracemalloc.stop)

    def test_no_trace_is_lost_or_left_where_threads_free_the_blocks_of_others(self):
        tracemalloc.start(3)
        before, _ = tracemalloc.get_traced_memory()
        slots = [None] * 50

        def work(number):
            for i in range(3000):
                slots[(i * 7 + number) % 50] = [number] * (i % 40)
                if i % 500 == 0:
                    tracemalloc.get_traced_memory()

        together(work)
        slots[:] = []
        self.assertLess(tracemalloc.get_traced_memory()[0] - before, 20_000)

    def test_snapshots_may_be_taken_and_cleared_while_threads_allocate(self):
        tracemalloc.start(5)

        def allocate(number):
            kept = []
            for i in range(1500):
                kept.append({number: str(i)})
                if len(kept) > 100:
                    kept.clear()

        def look(number):
            for i in range(10):
                for trace in tracemalloc.take_snapshot().traces:
                    self.assertGreaterEqual(len(trace.traceback), 1)
                    break
                tracemalloc.get_object_traceback(look)
                if i % 4 == number % 4:
                    tracemalloc.clear_traces()
                tracemalloc.reset_peak()

        together(allocate, look, threads=2)

    def test_it_may_be_switched_on_and_off_while_threads_allocate(self):
        def allocate(number):
            for i in range(2000):
                made = [str(i), {number: i}, bytearray(i)]
                del made

        def switch(number):
            for _ in range(20):
                tracemalloc.start(number + 1)
                [str(i) for i in range(100)]
                tracemalloc.stop()

        together(allocate, switch, threads=2)
        tracemalloc.stop()
        self.assertEqual(tracemalloc.get_traced_memory(), (0, 0))


if __name__ == "__main__":
    unittest.main()
