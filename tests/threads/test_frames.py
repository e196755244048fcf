"""Frames that one thread runs and others look at: variables, lines, callers, generators; and frames that end meanwhile."""
import asyncio
import faulthandler
import os
import sys
import tempfile
import threading
import time
import traceback
import unittest

SECONDS = float(os.environ.get("AMPHIS_STRESS_SECONDS", 0)) or 0.3


class Watched:
    """Threads that run `work(stop)` until the block ends; what one of them raises, the block raises."""

    def __init__(self, *works):
        self.errors = []
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(work,)) for work in works]

    def run(self, work):
        try:
            work(self.stop)
        except BaseException as e:
            self.errors.append(e)

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *exc):
        self.stop.set()
        for t in self.threads:
            t.join()
        if self.errors:
            raise self.errors[0]

    def frames(self):
        frames = sys._current_frames()
        return [frames[t.ident] for t in self.threads if t.ident in frames]


def deep(n, text, numbers):
    made = [text, n, object()]
    if n == 0:
        total = 0
        for x in numbers:
            total += x
        return total, made
    cell = n

    def inner():
        return cell + len(made)
    return deep(n - 1, text + "x", numbers)[0] + inner(), made


def busy(stop):
    while not stop.is_set():
        deep(4, "t", (1, 2, 3.5, 1 << 70))


def until(seconds=SECONDS):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield


def chain(frame):
    while frame is not None:
        yield frame
        frame = frame.f_back


class Frames(unittest.TestCase):
    def test_variables_of_running_frames_are_read(self):
        seen = 0
        with Watched(busy, busy) as watched:
            for _ in until():
                for top in watched.frames():
                    for frame in chain(top):
                        f_locals = frame.f_locals
                        for name in list(f_locals):
                            value = f_locals.get(name)
                            if name == "text":
                                self.assertIsInstance(value, str)
                            elif name == "made" and value is not None:
                                self.assertIsInstance(value, list)
                        repr(frame), dict(f_locals), len(f_locals)
                        seen += 1
        self.assertGreater(seen, 0)

    def test_lines_and_stacks_of_running_frames_are_read(self):
        with Watched(busy, busy) as watched:
            for _ in until():
                for top in watched.frames():
                    traceback.extract_stack(top)
                    for frame in chain(top):
                        self.assertLessEqual(frame.f_code.co_firstlineno, frame.f_lineno or 10**9)
                        frame.f_lasti, frame.f_globals, frame.f_builtins, frame.f_trace, frame.f_generator
                        with self.assertRaises((RuntimeError, AttributeError)):
                            frame.clear()
                            # Ended meanwhile: that may be cleared.
                            raise RuntimeError

    def test_variables_of_running_frames_are_written(self):
        def work(stop):
            mine = "first"
            while not stop.is_set():
                other = mine
                if not isinstance(other, str):
                    raise AssertionError(other)
                len(other + mine)

        with Watched(work) as watched:
            for i, _ in enumerate(until()):
                for frame in chain(next(iter(watched.frames()), None)):
                    if frame.f_code is work.__code__:
                        frame.f_locals["mine"] = f"text {i}"
                        frame.f_locals["no variable"] = i
                        frame.f_locals.get("no variable")

    def test_a_frame_ends_while_its_variables_are_read(self):
        frames = []

        def make(stop):
            while not stop.is_set():
                def short(a):
                    b = [a]
                    frames.append(sys._getframe())
                    return b
                short("value")
                if len(frames) > 100:
                    del frames[:50]

        with Watched(make, make):
            for _ in until():
                for frame in frames[-10:]:
                    if frame.f_locals.get("a", "value") != "value":
                        self.fail(str(dict(frame.f_locals)))
                    frame.f_locals["a"] = "value"
                    frame.f_back, frame.f_lineno
                    try:
                        frame.clear()
                    except RuntimeError:
                        pass

    def test_frames_of_generators_that_others_resume(self):
        def numbers():
            text = "in a generator"
            for i in range(50):
                made = [text, i]
                yield made
        shared = [numbers()]

        def run(stop):
            while not stop.is_set():
                generator = shared[0]
                try:
                    for _ in generator:
                        pass
                except ValueError:
                    pass
                shared[0] = numbers()

        with Watched(run, run):
            for _ in until():
                generator = shared[0]
                frame = generator.gi_frame
                if frame is None:
                    continue
                f_locals = frame.f_locals
                self.assertEqual(f_locals.get("text", "in a generator"), "in a generator")
                frame.f_lineno, frame.f_back, generator.gi_running, frame.f_generator
                try:
                    frame.clear()
                except RuntimeError:
                    pass

    def test_frames_of_coroutines_in_a_loop_of_another_thread(self):
        coroutines = []

        async def leaf(n):
            text = "leaf" * n
            await asyncio.sleep(0)
            return text

        async def task(n):
            for _ in range(10):
                await leaf(n)

        def run(stop):
            async def main():
                while not stop.is_set():
                    coroutines[:] = [task(i) for i in range(4)]
                    await asyncio.gather(*coroutines)
            asyncio.run(main())

        with Watched(run):
            for _ in until():
                for coroutine in list(coroutines):
                    frame = coroutine.cr_frame
                    if frame is not None:
                        dict(frame.f_locals), frame.f_lineno
                    coroutine.cr_await

    def test_tracebacks_through_frames_that_still_run(self):
        caught = []

        def work(stop):
            local = "of a frame that goes on"
            while not stop.is_set():
                try:
                    [][local and 1]
                except IndexError as e:
                    caught.append(e)
                    del caught[:-5]

        with Watched(work, work):
            for _ in until():
                for e in list(caught):
                    traceback.TracebackException.from_exception(e, capture_locals=True)

    def test_all_threads_are_dumped_while_they_run(self):
        with tempfile.TemporaryFile() as file, Watched(busy, busy):
            for _ in until():
                faulthandler.dump_traceback(file)
            file.seek(0)
            self.assertTrue(b"in busy" in file.read())


class Names(unittest.TestCase):
    def test_the_system_sees_the_first_fifteen_bytes_of_a_name(self):
        import _thread
        seen = []

        def look():
            seen.append(_thread._get_name())
        for name in ("short", "a name that is too long", "xx\N{SNAKE}\N{SNAKE}\N{SNAKE}\N{SNAKE}"):
            t = threading.Thread(target=look, name=name)
            t.start()
            t.join()
        self.assertEqual(seen, ["short", "a name that is ", "xx\N{SNAKE}\N{SNAKE}\N{SNAKE}\udcf0"])


class EndingFrames(unittest.TestCase):
    def test_a_finalizer_does_not_find_the_frame_whose_variable_it_was(self):
        frames = []

        class Noted:
            def __del__(self):
                frames.append(sys._getframe(1))

        def ends(*, fail=False):
            noted = Noted()
            if fail:
                raise ValueError

        ends()
        self.assertIs(frames[0], sys._getframe())
        try:
            ends(fail=True)
        except ValueError as e:
            e.__traceback__ = None
        del frames[0]
        for frame in frames:
            self.assertEqual(frame.f_code.co_name in ("ends", sys._getframe().f_code.co_name), True)
            dict(frame.f_locals)


if __name__ == "__main__":
    unittest.main()
