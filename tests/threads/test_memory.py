"""Memory under threads: work that is done again and again leaves nothing behind, whoever frees what others made."""
import asyncio
import gc
import os
import queue
import sys
import threading
import unittest
import weakref

THREADS = 3
ROUNDS = max(6, int(float(os.environ.get("AMPHIS_STRESS_SECONDS", 0))))


def containers():
    for i in range(300):
        d = {i: [i, str(i)], "a": object(), "deep": {(i, j): {j} for j in range(5)}}
        d["self"] = d


def classes():
    for _ in range(20):
        class Made:
            __slots__ = ("a", "__weakref__")

            def method(self):
                return lambda: self
        made = Made()
        made.a = made.method()
        weakref.ref(made, lambda _: None)
        Made.__len__ = lambda self: 1


def generators():
    def numbers(n):
        try:
            for i in range(n):
                yield [i]
        finally:
            numbers
    for _ in range(50):
        started = numbers(5)
        next(started)
        list(numbers(5))

    async def step(i):
        await asyncio.sleep(0)
        return i

    async def main():
        await asyncio.gather(*(step(i) for i in range(10)))
    asyncio.run(main())


PROGRAM = compile("def f(a, b=1):\n    return a + b\ng = lambda: f(2)", "program", "exec")


def functions():
    for i in range(50):
        space = {}
        exec(PROGRAM, space)
        space["g"]()
        space["f"].__code__ = space["f"].__code__.replace(co_name=f"name {i % 3}")


def program_text():
    for _ in range(100):
        eval("a + 1.5 if a else (1, 2, 'a text of program text')", {"a": 1})
        exec("def f(x=(1, 2.5), y=b'bytes'): return x, {1, 2}", {})


def exceptions():
    for i in range(100):
        try:
            try:
                [][i]
            except IndexError as e:
                raise ValueError(i) from e
        except ValueError as e:
            kept = e
    del kept


class Handed(unittest.TestCase):
    def blocks(self):
        for _ in range(3):
            gc.collect()
        return sys.getallocatedblocks()

    def check(self, work):
        """Blocks in use after each round: from some round on they do not grow."""
        counts = []
        for _ in range(ROUNDS):
            threads = [threading.Thread(target=work) for _ in range(THREADS)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            del threads, t
            counts.append(self.blocks())
        growth = min(counts[ROUNDS // 2:]) - min(counts[1:ROUNDS // 2])
        self.assertLess(growth, 40, counts)

    def test_containers(self):
        self.check(containers)

    def test_classes(self):
        self.check(classes)

    def test_generators_and_coroutines(self):
        self.check(generators)

    def test_functions_and_code(self):
        self.check(functions)

    def test_program_text_compiled_again(self):
        self.check(program_text)

    def test_exceptions(self):
        self.check(exceptions)

    def test_objects_freed_by_another_thread_than_the_one_that_made_them(self):
        def round_of_threads():
            handed = queue.Queue()

            def make():
                for i in range(400):
                    handed.put([str(i), {i: i}, bytearray(i)])
                handed.put(None)
            maker = threading.Thread(target=make)
            maker.start()
            while handed.get() is not None:
                pass
            maker.join()
        self.check(round_of_threads)

    def test_code_that_was_replaced_goes_when_nobody_runs_it(self):
        def runs():
            yield sys._getframe()

        def other():
            yield 2
        started = runs()
        frame = next(started)
        code = weakref.ref(runs.__code__)
        runs.__code__ = other.__code__
        gc.collect()
        self.assertIs(frame.f_code, code())
        self.assertEqual(list(runs()), [2])
        del frame, started, runs
        gc.collect()
        # The code of this very function has it among its constants.
        self.assertIn(code(), [None, *sys._getframe().f_code.co_consts])

    def test_the_number_of_blocks_is_told(self):
        # What earlier threads retired may be freed at any safepoint, and hide as many new blocks.
        for attempt in range(5):
            before = self.blocks()
            kept = [object() for _ in range(1000)]
            if sys.getallocatedblocks() - before >= 1000:
                break
        else:
            self.fail("a thousand new objects are not counted")
        del kept
        self.assertLess(abs(self.blocks() - before), 100)


if __name__ == "__main__":
    unittest.main()
