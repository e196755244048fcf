"""Generators, coroutines and asynchronous generators."""
import unittest


def run(coroutine):
    try:
        while True:
            coroutine.send(None)
    except StopIteration as e:
        return e.value


class Pause:
    def __await__(self):
        got = yield "pause"
        return got


class Generators(unittest.TestCase):
    def test_values_go_both_ways(self):
        def g():
            x = yield 1
            y = yield x * 2
            return x + y
        it = g()
        self.assertEqual(next(it), 1)
        self.assertEqual(it.send(10), 20)
        with self.assertRaises(StopIteration) as caught:
            it.send(5)
        self.assertEqual(caught.exception.value, 15)
        self.assertEqual(list(it), [])

    def test_yield_from_delegates_everything(self):
        log = []
        def inner():
            try:
                x = yield "a"
                log.append(x)
            except KeyError:
                log.append("key")
                yield "b"
            return "result"
        def outer():
            log.append((yield from inner()))
        it = outer()
        next(it)
        self.assertEqual(it.throw(KeyError), "b")
        self.assertEqual(list(it), [])
        self.assertEqual(log, ["key", "result"])
        self.assertEqual(list((lambda: (yield from [1, 2]))()), [1, 2])

    def test_close_runs_finally(self):
        log = []
        def g():
            try:
                yield 1
            finally:
                log.append("closed")
        it = g()
        next(it)
        it.close()
        self.assertEqual(log, ["closed"])
        it = g()
        next(it)
        del it
        self.assertEqual(log, ["closed"] * 2)
        def stubborn():
            try:
                yield 1
            except GeneratorExit:
                yield 2
        it = stubborn()
        next(it)
        with self.assertRaisesRegex(RuntimeError, "generator ignored GeneratorExit"):
            it.close()

    def test_stop_iteration_inside_becomes_runtime_error(self):
        def g():
            yield next(iter(()))
        with self.assertRaisesRegex(RuntimeError, "generator raised StopIteration"):
            list(g())

    def test_entering_twice_is_refused(self):
        def g():
            yield next(it)
        it = g()
        with self.assertRaisesRegex(ValueError, "generator already executing"):
            next(it)

    def test_first_send_must_be_none(self):
        def g():
            yield
        with self.assertRaisesRegex(TypeError, "can't send non-None value to a just-started generator"):
            g().send(1)

    def test_deep_delegation(self):
        def g(n):
            if n:
                yield from g(n - 1)
            else:
                yield 1
        self.assertEqual(list(g(200)), [1])

    def test_the_handled_exception_is_the_generators_own(self):
        import sys
        def g():
            try:
                raise KeyError
            except KeyError:
                yield sys.exception()
                yield sys.exception()
        it = g()
        self.assertIsInstance(next(it), KeyError)
        self.assertIsNone(sys.exception())
        self.assertIsInstance(next(it), KeyError)

    def test_attributes(self):
        def g():
            yield
        it = g()
        self.assertEqual((it.gi_running, it.gi_suspended, it.gi_yieldfrom), (False, False, None))
        next(it)
        self.assertTrue(it.gi_suspended)
        self.assertEqual(it.gi_frame.f_lineno, g.__code__.co_firstlineno + 1)


class Coroutines(unittest.TestCase):
    def test_await_passes_values_through(self):
        async def inner():
            return await Pause()
        async def outer():
            return [await inner(), await inner()]
        c = outer()
        self.assertEqual(c.send(None), "pause")
        self.assertEqual(c.send(1), "pause")
        with self.assertRaises(StopIteration) as caught:
            c.send(2)
        self.assertEqual(caught.exception.value, [1, 2])

    def test_async_for_with_and_comprehensions(self):
        log = []
        class M:
            async def __aenter__(self):
                await Pause()
                log.append("in")
            async def __aexit__(self, *exc):
                log.append("out")
        async def numbers(n):
            for i in range(n):
                await Pause()
                yield i
        async def main():
            async with M():
                out = []
                async for x in numbers(3):
                    out.append(x)
                else:
                    out.append("else")
            return out, [x async for x in numbers(4) if x % 2], {x: await Pause() async for x in numbers(1)}
        self.assertEqual(run(main()), ([0, 1, 2, "else"], [1, 3], {0: None}))
        self.assertEqual(log, ["in", "out"])

    def test_async_generators_take_values_and_exceptions(self):
        async def g():
            try:
                x = yield 1
                yield x
            except KeyError:
                yield "key"
        async def main():
            it = g()
            a = await anext(it)
            b = await it.asend("sent")
            c = g()
            await anext(c)
            d = await c.athrow(KeyError)
            await c.aclose()
            return a, b, d, await anext(c, "default")
        self.assertEqual(run(main()), (1, "sent", "key", "default"))

    def test_what_is_not_awaitable(self):
        async def f():
            await 1
        with self.assertRaisesRegex(TypeError, "'int' object can't be awaited"):
            run(f())

    def test_reuse_is_refused(self):
        async def f():
            return 1
        c = f()
        run(c)
        with self.assertRaisesRegex(RuntimeError, "cannot reuse already awaited coroutine"):
            c.send(None)


if __name__ == "__main__":
    unittest.main()
