"""sys.monitoring, and sys.settrace and sys.setprofile over it."""
import contextlib
import dis
import subprocess
import sys
import threading
import unittest

E = sys.monitoring.events
TOOL = 3


def traced(function, *args):
    """(event, function, line within the function) as a trace function sees them."""
    seen = []

    def trace(frame, event, arg):
        if frame.f_code.co_filename != __file__:
            return None
        seen.append((event, frame.f_code.co_name, frame.f_lineno - frame.f_code.co_firstlineno))
        return trace

    sys.settrace(trace)
    try:
        function(*args)
    except ZeroDivisionError:
        pass
    finally:
        sys.settrace(None)
    return [(event, line) for event, name, line in seen if name == function.__name__]


def lines(function, *args):
    return [line for event, line in traced(function, *args) if event == "line"]


class Lines(unittest.TestCase):
    def test_a_statement_without_instructions_is_seen(self):
        def function(flag):
            if flag:
                pass
            else:
                pass
            while True:
                break
            try:
                "nothing"
            finally:
                pass
        self.assertEqual(lines(function, True), [1, 2, 5, 6, 7, 8, 10])
        self.assertEqual(lines(function, False), [1, 4, 5, 6, 7, 8, 10])

    def test_each_round_of_a_loop_visits_its_head(self):
        def function():
            for i in range(2):
                if i:
                    continue
                i = 1
            while i < 3: i += 1
            return i
        self.assertEqual(lines(function), [1, 2, 4, 1, 2, 3, 1, 5, 5, 5, 6])

    def test_an_inner_loop_goes_back_to_itself_and_not_through_what_begins_before_it(self):
        def function():
            while True:
                try:
                    for i in (1, 2):
                        i = 3
                finally:
                    pass
                break
        self.assertEqual(lines(function), [1, 2, 3, 4, 3, 4, 3, 6, 7])

    def test_a_return_through_finally_is_not_seen_twice(self):
        def function():
            for i in (1,):
                try:
                    return i
                finally:
                    i = 2
        self.assertEqual(traced(function),
                         [("call", 0), ("line", 1), ("line", 2), ("line", 3), ("line", 5), ("return", 5)])

    def test_the_end_of_a_function_is_in_the_line_that_led_there(self):
        def function(flag):
            if flag:
                flag = 1
        self.assertEqual(traced(function, True)[-1], ("return", 2))
        self.assertEqual(traced(function, False)[-1], ("return", 1))

    def test_each_way_to_the_end_of_a_class_ends_in_its_own_line(self):
        def function(flag):
            class A:
                if flag:
                    a = 1
                else:
                    a = 2
        self.assertEqual(self.returns(function, "A", True), [3])
        self.assertEqual(self.returns(function, "A", False), [5])

    def test_a_loop_that_ends_the_function_ends_it_in_its_own_line(self):
        def function(flag):
            if flag:
                for i in (1, 2):
                    i = 3
            else:
                pass
        self.assertEqual(self.returns(function, "function", True), [2])

    def test_an_exception_leaves_a_function_in_the_line_that_raised_it(self):
        def function():
            try:
                raise KeyError
            except TypeError:
                pass
            except KeyError:
                raise ZeroDivisionError
            finally:
                x = 1
        self.assertEqual(self.returns(function, "function"), [8])

        def generator():
            try:
                yield 1
            except TypeError:
                pass

        def run():
            g = generator()
            next(g)
            g.throw(ZeroDivisionError)
        self.assertEqual(self.returns(run, "generator"), [-4, -3])

    def test_a_wildcard_is_a_line_and_cleaning_up_after_patterns_is_none(self):
        def function(value):
            for v in (value, 1):
                match v:
                    case ["go", way]:
                        x = 1
                    case ["stop", _]:
                        x = 2
                    case _:
                        x = 3
        self.assertEqual(lines(function, ["x", "y"]), [1, 2, 3, 5, 7, 8, 1, 2, 3, 5, 7, 8, 1])

        def without(value):
            for v in (value,):
                match v:
                    case ["go", way] if way:
                        x = 1
                    case ["stop", _]:
                        x = 2
                x = 3
        self.assertEqual(lines(without, ["x", "y"]), [1, 2, 3, 5, 7, 1])

    def test_leaving_a_handler_that_names_its_exception_is_seen_once(self):
        def function():
            for i in range(3):
                try:
                    1 / 0
                except ZeroDivisionError as error:
                    if not i:
                        continue
                    if i == 2:
                        return error is None
        self.assertEqual(lines(function), [1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 7, 1, 2, 3, 4, 5, 7, 8])

    def test_a_function_of_documentation_only_is_in_the_line_of_its_beginning(self):
        def function():
            "It does nothing."
        self.assertEqual(traced(function), [("call", 0), ("line", 0), ("return", 0)])

    def test_an_empty_module_has_a_line_to_stop_at(self):
        seen = []

        def trace(frame, event, arg):
            if frame.f_code.co_filename == "nothing":
                seen.append((event, frame.f_lineno))
            return trace
        code = compile("# nothing\n", "nothing", "exec")
        sys.settrace(trace)
        exec(code)
        sys.settrace(None)
        self.assertEqual(seen, [("call", 0), ("line", 0), ("return", 0)])

    def returns(self, function, name, *args):
        """Lines of the returns of the function of that name, counted from the first line of `function`."""
        seen = []

        def trace(frame, event, arg):
            if event == "return" and frame.f_code.co_name == name:
                seen.append(frame.f_lineno - first)
            return trace
        first = function.__code__.co_firstlineno
        sys.settrace(trace)
        try:
            function(*args)
        except ZeroDivisionError:
            pass
        finally:
            sys.settrace(None)
        return seen

    def test_a_frame_stands_in_the_line_that_the_code_gives_for_its_place(self):
        def function():
            try:
                pass
            except TypeError:
                pass
            return 1
        wrong = []

        def trace(frame, event, arg):
            found = [line for start, end, line in frame.f_code.co_lines() if start <= frame.f_lasti < end]
            if found[-1:] != [frame.f_lineno]:
                wrong.append((event, frame.f_lineno, found))
            return trace
        sys.settrace(trace)
        function()
        sys.settrace(None)
        self.assertEqual(wrong, [])


class Trace(unittest.TestCase):
    def tearDown(self):
        sys.settrace(None)
        sys.setprofile(None)

    def test_an_exception_is_told_in_each_frame_that_it_leaves(self):
        def inner():
            1 / 0

        def outer():
            inner()
        self.assertEqual(traced(outer), [("call", 0), ("line", 1), ("exception", 1), ("return", 1)])

    def test_the_end_of_what_a_generator_delegates_to_is_an_exception_if_it_raises_one(self):
        class Raises:
            def __iter__(self): return self
            def __next__(self): raise StopIteration

        def generator(inner):
            yield from inner

        def events(inner):
            seen = []

            def trace(frame, event, arg):
                if frame.f_code is generator.__code__:
                    seen.append(event)
                return trace
            sys.settrace(trace)
            list(generator(inner))
            sys.settrace(None)
            return seen
        self.assertEqual(events([1]), ["call", "line", "return", "call", "return"])
        self.assertEqual(events(Raises()), ["call", "line", "exception", "return"])

    def test_a_trace_function_that_fails_is_taken_off(self):
        def trace(frame, event, arg):
            raise KeyError(event)
        caught = None
        sys.settrace(trace)
        try:
            (lambda: None)()
        except KeyError as error:
            caught = error.args
        self.assertEqual((caught, sys.gettrace()), (("call",), None))

    def test_an_error_at_the_return_does_not_leave_a_with_statement_twice(self):
        left = []

        class Manager:
            def __enter__(self): pass
            def __exit__(self, *args): left.append(args[0])

        def function():
            with Manager():
                return 1

        def trace(frame, event, arg):
            if frame.f_code is function.__code__ and event == "return":
                raise ZeroDivisionError
            return trace
        sys.settrace(trace)
        with self.assertRaises(ZeroDivisionError):
            function()
        self.assertEqual(left, [None])

    def test_opcodes_are_told_where_they_are_asked_for(self):
        seen = []

        def function(a):
            return a + 1

        def trace(frame, event, arg):
            frame.f_trace_opcodes = frame.f_code is function.__code__
            seen.append(event)
            return trace
        sys.settrace(trace)
        function(1)
        sys.settrace(None)
        self.assertGreaterEqual(seen.count("opcode"), 2)

    def test_a_profile_function_sees_calls_of_c_functions(self):
        seen = []
        sys.setprofile(lambda frame, event, arg: seen.append((event, getattr(arg, "__name__", arg))))
        len([])
        [].append(1)
        sys.setprofile(None)
        self.assertEqual(seen, [("c_call", "len"), ("c_return", "len"), ("c_call", "append"), ("c_return", "append"),
                                ("c_call", "setprofile")])

    def test_call_tracing_traces_from_within_a_trace_function(self):
        seen = []

        def inner():
            pass

        def trace(frame, event, arg):
            seen.append(frame.f_code.co_name)
            if frame.f_code.co_name == "outer" and event == "call":
                sys.call_tracing(inner, ())
            return None

        def outer():
            pass
        sys.settrace(trace)
        outer()
        sys.settrace(None)
        self.assertEqual(seen, ["outer", "inner"])

    def test_audit_hooks_are_traced_only_if_they_ask_for_it(self):
        program = """if True:
            import sys
            class Hook:
                def __call__(self, event, args):
                    pass
            sys.addaudithook(Hook())
            def trace(frame, event, arg):
                seen.append(frame.f_code.co_name)
                return trace
            for _ in range(2):
                seen = []
                sys.settrace(trace)
                sys.audit("something")
                sys.settrace(None)
                print(seen)
                Hook.__cantrace__ = True
            """
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        self.assertEqual(done.stderr, "")
        quiet, traced = done.stdout.splitlines()
        self.assertEqual(quiet, "[]")
        self.assertIn("__call__", traced)

    def test_threads_are_traced_each_on_its_own(self):
        seen = []
        started, go = threading.Event(), threading.Event()

        def work():
            started.set()
            go.wait()

        thread = threading.Thread(target=work)
        thread.start()
        started.wait()
        sys.settrace(lambda frame, event, arg: seen.append(threading.get_ident()))
        go.set()
        thread.join()
        sys.settrace(None)
        self.assertEqual(set(seen), {threading.get_ident()})


class Jumps(unittest.TestCase):
    def run_with_jump(self, function, start, to):
        first = function.__code__.co_firstlineno
        done = []

        def trace(frame, event, arg):
            if frame.f_code is function.__code__ and event == "line" and frame.f_lineno == first + start and not done:
                done.append(True)
                frame.f_lineno = first + to
            return trace
        out = []
        sys.settrace(trace)
        try:
            function(out)
        finally:
            sys.settrace(None)
        return out

    def test_a_frame_goes_on_at_another_line(self):
        def function(out):
            out.append(1)
            out.append(2)
            out.append(3)
        self.assertEqual(self.run_with_jump(function, 2, 3), [1, 3])

    def test_leaving_a_handler_ends_the_handling(self):
        def function(out):
            try:
                1 / 0
            except ZeroDivisionError:
                out.append(1)
            out.append(sys.exception())
        self.assertEqual(self.run_with_jump(function, 4, 5), [None])

    def test_nobody_gets_into_a_loop_or_a_handler(self):
        def loop(out):
            out.append(1)
            for i in (1, 2):
                out.append(i)
        with self.assertRaisesRegex(ValueError, "can't jump into the body of a for loop"):
            self.run_with_jump(loop, 1, 3)

        def handler(out):
            try:
                out.append(1)
            except ZeroDivisionError:
                out.append(2)
        with self.assertRaisesRegex(ValueError, "can't jump into an 'except' block as there's no exception"):
            self.run_with_jump(handler, 2, 4)

    def test_nobody_gets_into_the_middle_of_an_expression_with_parts_of_another(self):
        def function(out):
            a = 1
            print(
                out.append(3)
            )
            (
                ( # 6
                    a
                    +
                    10
                )
                +
                13
            )
        with self.assertRaisesRegex(ValueError, "stack"):
            self.run_with_jump(function, 3, 6)

    def test_one_with_statement_may_be_left_by_the_exit_of_another(self):
        def function(out):
            with contextlib.nullcontext():
                out.append(2)
                out.append(3)
            with contextlib.nullcontext():
                out.append(5)
        self.assertEqual(self.run_with_jump(function, 3, 5), [2, 5])

    def test_from_a_handler_into_finally_the_exception_is_over(self):
        def function(out):
            try:
                1 / 0
            except ZeroDivisionError:
                out.append(4)
                out.append(5)
            finally:
                out.append(7)
            out.append(8)
        self.assertEqual(self.run_with_jump(function, 5, 7), [4, 7, 8])

    def test_only_trace_functions_move_frames(self):
        with self.assertRaisesRegex(ValueError, "f_lineno can only be set in a trace function"):
            sys._getframe().f_lineno = 1


class Monitoring(unittest.TestCase):
    def setUp(self):
        sys.monitoring.use_tool_id(TOOL, "test")
        self.addCleanup(sys.monitoring.free_tool_id, TOOL)

    def gather(self, function, *names, result=None):
        seen = []
        wanted = 0
        for name in names:
            event = getattr(E, name)
            wanted |= event

            def callback(code, *args, name=name):
                if code is function.__code__:
                    seen.append((name, *args))
                return result
            sys.monitoring.register_callback(TOOL, event, callback)
        sys.monitoring.set_events(TOOL, wanted)
        try:
            function()
        except ZeroDivisionError:
            pass
        finally:
            sys.monitoring.set_events(TOOL, 0)
        return seen

    def test_the_life_of_a_generator_frame(self):
        def generator():
            yield 1

        def run():
            for _ in generator():
                pass
        code = generator.__code__
        seen = []
        for name in ("PY_START", "PY_YIELD", "PY_RESUME", "PY_RETURN"):
            sys.monitoring.register_callback(TOOL, getattr(E, name),
                                             lambda c, *a, name=name: c is code and seen.append(name))
        sys.monitoring.set_events(TOOL, E.PY_START | E.PY_YIELD | E.PY_RESUME | E.PY_RETURN)
        run()
        sys.monitoring.set_events(TOOL, 0)
        self.assertEqual(seen, ["PY_START", "PY_YIELD", "PY_RESUME", "PY_RETURN"])

    def test_exceptions_are_raised_handled_and_raised_again(self):
        def function():
            try:
                1 / 0
            except ZeroDivisionError:
                raise
        names = [event[0] for event in self.gather(function, "RAISE", "EXCEPTION_HANDLED", "RERAISE", "PY_UNWIND")]
        self.assertEqual(names, ["RAISE", "EXCEPTION_HANDLED", "RERAISE", "EXCEPTION_HANDLED", "RERAISE", "PY_UNWIND"])

    def test_what_is_disabled_stays_so_until_events_are_restarted(self):
        def function():
            for i in range(3):
                x = i
        once = self.gather(function, "LINE", result=sys.monitoring.DISABLE)
        self.assertEqual(len(once), 3)
        sys.monitoring.restart_events()
        sys.monitoring.set_local_events(TOOL, function.__code__, E.LINE)
        seen = []
        sys.monitoring.register_callback(TOOL, E.LINE, lambda code, line: seen.append(line) or sys.monitoring.DISABLE)
        function()
        function()
        self.assertEqual(len(seen), 3)
        sys.monitoring.restart_events()
        function()
        self.assertEqual(len(seen), 6)

    def test_branches_are_told_with_both_their_ends(self):
        def function():
            for i in (0, 1):
                if i:
                    x = 2
                else:
                    x = 3
        seen = self.gather(function, "BRANCH_LEFT", "BRANCH_RIGHT")
        ways = {(place, left, right) for place, left, right in function.__code__.co_branches()}
        self.assertEqual([name for name, *_ in seen],
                         ["BRANCH_LEFT", "BRANCH_RIGHT", "BRANCH_LEFT", "BRANCH_LEFT", "BRANCH_RIGHT"])
        for name, place, to in seen:
            self.assertTrue(any(place == at and to == (left if name == "BRANCH_LEFT" else right) for at, left, right in ways))

    def test_a_branch_leads_to_the_line_that_comes_next(self):
        def function():
            for v in (1, 2):
                match v:
                    case 1:
                        x = 1
                    case _:
                        x = 2
        first = function.__code__.co_firstlineno
        line_at = {at: line - first for start, end, line in function.__code__.co_lines() for at in range(start, end, 2)}
        seen = self.gather(function, "BRANCH_LEFT", "BRANCH_RIGHT")
        self.assertEqual([(line_at[place], line_at[to]) for name, place, to in seen], [(1, 2), (3, 4), (1, 2), (3, 5), (1, 1)])

    def test_an_async_for_branches_like_a_for(self):
        async def items():
            yield 1
            yield 2

        async def function():
            async for i in items():
                x = i
            pass

        async def plain():
            return [i async for i in items()]
        for each in (function, plain):
            code = each.__code__

            def run():
                try:
                    each().send(None)
                except StopIteration:
                    pass
            seen = []
            for name in ("BRANCH_LEFT", "BRANCH_RIGHT"):
                sys.monitoring.register_callback(TOOL, getattr(E, name),
                                                 lambda c, *a, name=name: c is code and seen.append((name, *a)))
            sys.monitoring.set_events(TOOL, E.BRANCH_LEFT | E.BRANCH_RIGHT)
            run()
            sys.monitoring.set_events(TOOL, 0)
            self.assertEqual([name for name, *_ in seen], ["BRANCH_LEFT", "BRANCH_LEFT", "BRANCH_RIGHT"])
            [(place, left, right)] = code.co_branches()
            self.assertEqual({event[1:] for event in seen}, {(place, left), (place, right)})

    def test_what_is_disabled_of_an_async_for_stays_so(self):
        async def items():
            yield 1
            yield 2

        async def function():
            async for i in items():
                pass
        seen = []

        def callback(code, *places):
            if code is function.__code__:
                seen.append(places)
                return sys.monitoring.DISABLE
        sys.monitoring.register_callback(TOOL, E.BRANCH_LEFT, callback)
        sys.monitoring.register_callback(TOOL, E.BRANCH_RIGHT, callback)
        sys.monitoring.set_events(TOOL, E.BRANCH_LEFT | E.BRANCH_RIGHT)
        for _ in range(2):
            with self.assertRaises(StopIteration):
                function().send(None)
        sys.monitoring.set_events(TOOL, 0)
        self.assertEqual(len(seen), 2)

    def test_calls_show_their_callable_and_first_argument(self):
        def function():
            len("abc")
            "x".upper()
            with contextlib.suppress(ValueError):
                int("x")
        seen = self.gather(function, "CALL")
        self.assertIn(("CALL", len, "abc"), [(name, callable, arg) for name, _, callable, arg in seen])
        self.assertIn(("CALL", str.upper, "x"), [(name, callable, arg) for name, _, callable, arg in seen])

    def test_events_that_cannot_be_disabled_say_so(self):
        def function():
            1 / 0
        with self.assertRaisesRegex(ValueError, "Cannot disable RAISE events. Callback removed."):
            sys.monitoring.register_callback(TOOL, E.RAISE, lambda *args: sys.monitoring.DISABLE)
            sys.monitoring.set_events(TOOL, E.RAISE)
            try:
                function()
            finally:
                sys.monitoring.set_events(TOOL, 0)

    def test_a_running_loop_of_another_thread_hears_of_new_events(self):
        stop = False
        seen = set()

        def work():
            while not stop:
                pass

        thread = threading.Thread(target=work)
        thread.start()
        sys.monitoring.register_callback(TOOL, E.LINE, lambda code, line: seen.add(code))
        sys.monitoring.set_events(TOOL, E.LINE)
        for _ in range(1_000_000):
            if work.__code__ in seen:
                break
        sys.monitoring.set_events(TOOL, 0)
        stop = True
        thread.join()
        self.assertIn(work.__code__, seen)

    def test_a_function_that_began_unobserved_is_not_said_to_start(self):
        seen = []

        def function():
            sys.monitoring.set_events(TOOL, E.PY_START | E.LINE)
            x = 1
            sys.monitoring.set_events(TOOL, 0)
        sys.monitoring.register_callback(TOOL, E.PY_START, lambda code, _: seen.append("start"))
        sys.monitoring.register_callback(TOOL, E.LINE, lambda code, line: seen.append(line - code.co_firstlineno))
        function()
        self.assertEqual(seen, [2, 3])


class Code(unittest.TestCase):
    """What tools read in co_code at the offsets that events and frames give."""

    def instruction(self, code, offset):
        return code.co_code[offset], code.co_code[offset + 1]

    def test_a_frame_that_begins_can_be_told_from_one_that_goes_on(self):
        seen = []

        def generator():
            yield 1

        def trace(frame, event, arg):
            if frame.f_code is generator.__code__:
                if event == "call":
                    seen.append((event, self.instruction(frame.f_code, frame.f_lasti)[1] != 0))
                elif event == "return":
                    seen.append((event, self.instruction(frame.f_code, frame.f_lasti + 2)[0] == dis.opmap["RESUME"]))
            return trace
        sys.settrace(trace)
        list(generator())
        sys.settrace(None)
        self.assertEqual(seen, [("call", False), ("return", True), ("call", True), ("return", False)])

    def test_a_return_is_a_return_and_what_calls_is_a_call(self):
        def function():
            len(())
        found = []

        def callback(code, offset, *args):
            if code is function.__code__:
                found.append(dis.opname[self.instruction(code, offset)[0]])
        sys.monitoring.use_tool_id(TOOL, "test")
        self.addCleanup(sys.monitoring.free_tool_id, TOOL)
        for event in (E.CALL, E.PY_RETURN):
            sys.monitoring.register_callback(TOOL, event, callback)
        sys.monitoring.set_events(TOOL, E.CALL | E.PY_RETURN)
        function()
        sys.monitoring.set_events(TOOL, 0)
        self.assertEqual(found, ["CALL", dis.opname[dis.opmap["RETURN_VALUE"]]])

    def test_code_is_made_again_from_its_bytes(self):
        def function(n):
            return [i * 2 for i in range(n) if i]
        code = function.__code__
        again = code.replace(co_code=bytes(bytearray(code.co_code)))
        self.assertEqual(again, code)
        function.__code__ = again
        self.assertEqual(function(3), [2, 4])
        self.assertIs(code.co_code, code.co_code)


class Profiling(unittest.TestCase):
    def test_cprofile_counts_calls_by_caller(self):
        import cProfile

        def inner():
            return sum((1, 2))

        def outer():
            for _ in range(3):
                inner()
        profile = cProfile.Profile()
        profile.runcall(outer)
        by_code = {entry.code: entry for entry in profile.getstats()}
        self.assertEqual(by_code[inner.__code__].callcount, 3)
        self.assertEqual([(sub.code, sub.callcount) for sub in by_code[outer.__code__].calls], [(inner.__code__, 3)])
        self.assertEqual(by_code["<built-in method builtins.sum>"].callcount, 3)


if __name__ == "__main__":
    unittest.main()
