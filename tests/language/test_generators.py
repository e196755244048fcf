"""Generators, coroutines and asynchronous generators."""
import ast
import sys
import types
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

    def test_what_is_thrown_into_a_handler_has_the_handled_exception_as_context(self):
        def generator():
            try:
                1 / 0
            except ZeroDivisionError:
                try:
                    yield
                except ValueError as error:
                    yield error.__context__
        g = generator()
        next(g)
        self.assertIsInstance(g.throw(ValueError()), ZeroDivisionError)


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



class ThrownExceptions(unittest.TestCase):
    def test_what_the_generator_handles_is_the_context_of_what_is_thrown(self):
        def g():
            try:
                raise KeyError("a")
            except KeyError:
                yield
        it = g()
        next(it)
        with self.assertRaises(ValueError) as caught:
            it.throw(ValueError)
        self.assertEqual(caught.exception.__context__.args, ("a",))

    def test_generators_that_delegate_stand_on_the_stack_while_the_inner_one_handles(self):
        seen = []

        def inner():
            try:
                yield
            except RuntimeError:
                frame = sys._getframe()
                seen.extend([frame.f_code.co_name, frame.f_back.f_code.co_name])

        def outer():
            yield from inner()
        it = outer()
        next(it)
        with self.assertRaises(StopIteration):
            it.throw(RuntimeError)
        self.assertEqual(seen, ["inner", "outer"])

    def test_a_class_that_makes_no_exception_throws_a_type_error(self):
        class Odd(Exception):
            def __new__(cls):
                return None

        def g():
            try:
                yield
            except TypeError as e:
                yield str(e)
        it = g()
        next(it)
        self.assertIn("should have returned an instance of BaseException", it.throw(Odd))

    def test_coroutines_tell_where_they_were_made(self):
        async def f():
            pass
        sys.set_coroutine_origin_tracking_depth(1)
        try:
            coroutine = f()
        finally:
            sys.set_coroutine_origin_tracking_depth(0)
        self.assertEqual(coroutine.cr_origin[0][2], "test_coroutines_tell_where_they_were_made")
        coroutine.close()

    def test_clearing_the_frame_of_an_unawaited_coroutine_warns(self):
        async def f():
            pass
        coroutine = f()
        with self.assertWarns(RuntimeWarning):
            coroutine.cr_frame.clear()


class TopLevelAwait(unittest.TestCase):
    def run_top_level(self, source, **ns):
        code = compile(source, "<top>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        run(eval(code, ns))
        return ns

    def test_modules_that_await_keep_their_namespace(self):
        async def f():
            return 7
        self.assertEqual(self.run_top_level("a = await f()", f=f)["a"], 7)

    def test_async_for_and_async_with_make_a_coroutine_of_a_module(self):
        async def numbers():
            yield 1
            yield 2
        ns = self.run_top_level("a = []\nasync for x in numbers():\n    a.append(x)", numbers=numbers)
        self.assertEqual(ns["a"], [1, 2])

    def test_a_function_of_module_code_uses_its_globals(self):
        code = compile("a = 1\nb = a + 1", "<module>", "exec")
        ns = {}
        types.FunctionType(code, ns)()
        self.assertEqual(ns["b"], 2)


if __name__ == "__main__":
    unittest.main()
