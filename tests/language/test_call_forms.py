"""Sites of calls that see C functions, methods and classes of every kind, one after the other: each call does what it would do
anywhere else, whatever the site has seen before."""
import sys
import unittest
from collections import deque

ROUNDS = 40  # a site takes a form of its own after two calls and gives up after some misses


class Callable:
    def __call__(self, *args, **kwargs):
        return "object", args, kwargs


class Made:
    def __init__(self, *args, **kwargs):
        self.args = args, kwargs


class MadeByNew:
    def __new__(cls, *args, **kwargs):
        self = object.__new__(cls)
        self.args = args, kwargs
        return self


class Error(ValueError):
    def __init__(self, *args):
        super().__init__(*args)
        self.seen = args


class Lists(list):
    pass


class LoudLists(list):
    def append(self, item):
        super().append(("loud", item))


class Sized:
    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n


def site(source):
    """A function whose code, and so whose sites, nobody else has."""
    space = {}
    exec(source, space)
    return space["run"]


class Forms(unittest.TestCase):
    def outcome(self, function, *args):
        try:
            return function(*args)
        except Exception as e:
            return type(e), str(e)

    def test_a_site_of_calls_without_arguments_sees_many_callables(self):
        run = site("def run(f): return f()")
        text, numbers, table = "Text", [1, 2, 3], {"a": 1}
        cases = [(text.lower, "text"), (list, []), (tuple, ()), (dict, {}), (lambda: 5, 5), (Callable(), ("object", (), {})),
                 (numbers.copy, [1, 2, 3]), (str, ""), (int, 0), (table.copy, {"a": 1}), ({}.popitem, (KeyError, "'popitem(): dictionary is empty'"))]
        for case, expected in cases * ROUNDS:
            self.assertEqual(self.outcome(run, case), expected)
        self.assertEqual(run(Made).args, ((), {}))
        self.assertEqual(run(MadeByNew).args, ((), {}))

    def test_a_site_of_calls_with_one_argument_sees_many_callables(self):
        run = site("def run(f, x): return f(x)")
        numbers, queue = [], deque()
        cases = [len, abs, str, repr, type, numbers.append, queue.append, lambda x: x, Callable(), Made, MadeByNew, Error, ValueError,
                 list.copy, str.upper, bool, sorted, iter, range, int.bit_length]
        arguments = ["abc", [3, 1], 7, -2.5, None, (1, 2), {1: 2}, Sized(3), 10**30]
        shown = lambda o: getattr(o, "args", None) or (type(o), str(o) if not hasattr(o, "__next__") else None)
        for function in cases:
            for argument in arguments:
                fresh = site("def run(f, x): return f(x)")
                expected = shown(self.outcome(fresh, function, argument))
                for _ in range(3):
                    self.assertEqual(shown(self.outcome(run, function, argument)), expected, (function, argument))
                    self.assertEqual(shown(self.outcome(fresh, function, argument)), expected, (function, argument))

    def test_len_of_what_has_no_plain_length(self):
        run = site("def run(x): return len(x)")
        for _ in range(ROUNDS):
            for x, n in (([1, 2], 2), ("abc", 3), ({}, 0), ({1, 2}, 2), (range(5), 5), (Sized(4), 4), (b"ab", 2)):
                self.assertEqual(run(x), n)
        for x, message in ((5, "object of type 'int' has no len()"), (Sized(-1), "__len__() should return >= 0"),
                           (Sized("x"), "'str' object cannot be interpreted as an integer"),
                           (2.5, "object of type 'float' has no len()")):
            with self.assertRaises((TypeError, ValueError)) as caught:
                run(x)
            self.assertEqual(str(caught.exception), message)

    def test_a_function_of_another_name_in_place_of_a_builtin(self):
        space = {"len": len, "isinstance": isinstance}
        exec("def run(x): return len(x), isinstance(x, list)", space)
        for _ in range(5):
            self.assertEqual(space["run"]([1]), (1, True))
        space["len"] = lambda x: "mine"
        space["isinstance"] = divmod
        self.assertEqual(self.outcome(space["run"], 1)[0], TypeError)
        space["isinstance"] = lambda x, y: (y, x)
        self.assertEqual(space["run"](1), ("mine", (list, 1)))
        space["isinstance"] = issubclass
        self.assertEqual(self.outcome(space["run"], [1])[0], TypeError)
        space["len"], space["isinstance"] = abs, callable
        self.assertEqual(self.outcome(space["run"], -4)[1], "callable() takes exactly one argument (2 given)")
        del space["len"], space["isinstance"]
        self.assertEqual(space["run"]("ab"), (2, False))

    def test_append_of_lists_and_of_what_overrides_it(self):
        run = site("def run(l, x):\n  l.append(x)\n  return l.append(x)")
        for _ in range(ROUNDS):
            for make, expected in ((list, [7, 7]), (Lists, [7, 7]), (LoudLists, [("loud", 7)] * 2), (deque, [7, 7]), (bytearray, [7, 7])):
                l = make()
                self.assertIsNone(run(l, 7))
                self.assertEqual(list(l), expected)
        self.assertEqual(self.outcome(run, (), 1)[1], "'tuple' object has no attribute 'append'")
        self.assertEqual(self.outcome(run, bytearray(), 256)[1], "byte must be in range(0, 256)")

    def test_a_method_of_a_class_that_changes(self):
        class Stack(list):
            pass
        run = site("def run(o, x):\n  return o.append(x)")
        stack = Stack()
        for i in range(5):
            self.assertIsNone(run(stack, i))
        Stack.append = lambda self, x: ("new", x)
        self.assertEqual(run(stack, 1), ("new", 1))
        Stack.append = len
        self.assertEqual(self.outcome(run, stack, 1)[1], "object of type 'int' has no len()")
        Stack.append = staticmethod(repr)
        self.assertEqual(run(stack, 1), "1")
        del Stack.append
        self.assertIsNone(run(stack, 9))
        self.assertEqual(stack, [0, 1, 2, 3, 4, 9])

    def test_wrong_counts_of_arguments(self):
        cases = [
            ("''.upper(1)", "str.upper() takes no arguments (1 given)"),
            ("[].append()", "list.append() takes exactly one argument (0 given)"),
            ("[].append(1, 2)", "list.append() takes exactly one argument (2 given)"),
            ("len()", "len() takes exactly one argument (0 given)"),
            ("len(1, 2)", "len() takes exactly one argument (2 given)"),
            ("globals(1)", "globals() takes no arguments (1 given)"),
            ("isinstance(1)", "isinstance expected 2 arguments, got 1"),
            ("{}.get()", "get expected at least 1 argument, got 0"),
            ("{}.get(1, 2, 3)", "get expected at most 2 arguments, got 3"),
            ("list.append(1, 2)", "descriptor 'append' for 'list' objects doesn't apply to a 'int' object"),
            ("list.append()", "unbound method list.append() needs an argument"),
            ("len(x=1)", "len() takes no keyword arguments"),
            ("[].append(x=1)", "list.append() takes no keyword arguments"),
            ("'a'.upper(x=1)", "str.upper() takes no keyword arguments"),
            ("list(1, 2)", "list expected at most 1 argument, got 2"),
            ("list(x=1)", "list() takes no keyword arguments"),
            ("tuple(x=1)", "tuple() takes no keyword arguments"),
            ("object(1)", "object() takes no arguments"),
            ("5()", "'int' object is not callable"),
            ("''.split(maxsplit='x')", "'str' object cannot be interpreted as an integer"),
            ("sorted()", "sorted expected 1 argument, got 0"),
            ("[].sort(key=1)", None),
            ("[].sort(1)", "sort() takes no positional arguments"),
        ]
        import warnings
        for expression, message in cases:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SyntaxWarning)
                run = site(f"def run():\n  {expression}\n  return 'done'")
            for _ in range(4):
                if message is None:
                    self.assertEqual(run(), "done")
                else:
                    with self.assertRaises(TypeError) as caught:
                        run()
                    self.assertEqual(str(caught.exception), message, expression)

    def test_wrong_counts_at_a_site_that_was_right_before(self):
        run = site("def run(f, x): return f(x)")
        method = site("def run(o, x): return o.m(x)")

        class Holder:
            pass
        holder = Holder()
        for good, bad, message in ((abs, globals, "globals() takes no arguments (1 given)"),
                                   ([].append, [].insert, "insert expected 2 arguments, got 1"),
                                   (str.upper, str.zfill, "str.zfill() takes exactly one argument (0 given)"),
                                   (list, object, "object() takes no arguments")):
            argument = "abc" if good is not abs else 3
            for _ in range(4):
                run(good, argument)
                holder.m = good
                method(holder, argument)
            for _ in range(4):
                self.assertEqual(self.outcome(run, bad, argument), (TypeError, message))
                holder.m = bad
                self.assertEqual(self.outcome(method, holder, argument), (TypeError, message))
                run(good, argument)

    def test_keywords_through_every_kind_of_callable(self):
        run = site("def run(f, x, y): return f(x, key=y)")
        for _ in range(ROUNDS):
            self.assertEqual(run(sorted, [3, -1, 2], abs), [-1, 2, 3])
            self.assertEqual(run(max, [3, -7, 2], abs), -7)
            self.assertEqual(run(lambda x, key: (x, key), 1, 2), (1, 2))
            self.assertEqual(run(Callable(), 1, 2), ("object", (1,), {"key": 2}))
            self.assertEqual(run(Made, 1, 2).args, ((1,), {"key": 2}))
            self.assertEqual(run(MadeByNew, 1, 2).args, ((1,), {"key": 2}))
            numbers = [2, -3, 1]
            self.assertIsNone(numbers.sort(key=abs))
            self.assertEqual(numbers, [1, 2, -3])
            self.assertEqual(self.outcome(run, len, [], 1), (TypeError, "len() takes no keyword arguments"))
            self.assertEqual(self.outcome(run, dict, [(1, 2)], 3), {1: 2, "key": 3})
        sort = site("def run(l, k): l.sort(key=k)\n")
        for _ in range(ROUNDS):
            for make in (list, Lists):
                numbers = make([2, -3, 1])
                sort(numbers, abs)
                self.assertEqual(numbers, [1, 2, -3])
            self.assertEqual(self.outcome(sort, [1, 2], 5), (TypeError, "'int' object is not callable"))
        only = site("def run(f, v): return f(key=v)")
        for _ in range(5):
            self.assertEqual(only(dict, 1), {"key": 1})
            self.assertEqual(self.outcome(only, list.sort, 1), (TypeError, "unbound method list.sort() needs an argument"))

    def test_numbers_and_texts_as_arguments_and_results(self):
        run = site("""
def run(a, b):
    t = 0
    for i in range(3):
        t += abs(i - a)
        t += max(i, a) + pow(b, 2)
        t += divmod(i + 7, 3)[0]
        t = t + int("5") + len(str(i)) + (i * 3).bit_length()
    return t, round(2.5), ord(chr(97 + 1)), float(a), hash(b), isinstance(i, int), isinstance(b, float), isinstance(a, str)
""")
        for _ in range(5):
            self.assertEqual(run(1, 1.5), (2 + 1 + 1 + 2 + 3 * 2.25 + 2 + 2 + 3 + 15 + 3 + (0 + 2 + 3), 2, 98, 1.0, hash(1.5), True, True, False))

    def test_many_arguments(self):
        for n in (8, 62, 63, 64, 65, 70, 150):
            names = ", ".join(f"a{i}" for i in range(n))
            run = site(f"def run(f, {names}): return f({names})")
            arguments = [float(i) if i % 3 else str(i) for i in range(n)]
            for _ in range(4):
                self.assertEqual(run(Callable(), *arguments)[1], tuple(arguments))
                self.assertEqual(run("{} {}".format, *arguments), f"{arguments[0]} {arguments[1]}")
                self.assertEqual(run(max, *range(n)), n - 1)

    def test_an_exception_names_the_line_of_the_call(self):
        source = "def run(f, x):\n  y = 1\n  f(\n    x)\n  return [].pop()\n"
        run = site(source)
        for _ in range(5):
            for f, x, line in ((len, 5, 3), (int, "x", 3), ("".join, 5, 3), (len, "", 5), (list, (), 5)):
                try:
                    run(f, x)
                except Exception as e:
                    self.assertEqual(e.__traceback__.tb_next.tb_lineno, line)
                    self.assertIsNone(e.__traceback__.tb_next.tb_next)

    def test_an_exception_leaves_the_registers_as_they_were(self):
        class Watched:
            alive = 0

            def __init__(self):
                Watched.alive += 1

            def __del__(self):
                Watched.alive -= 1

        import gc

        def run(f, *more):
            try:
                f(Watched(), *more)
            except TypeError:
                pass
            try:
                int(Watched(), base=Watched())
            except TypeError:
                pass
            try:
                [].insert(Watched(), Watched())
            except TypeError:
                pass
            try:
                len(Watched())
            except TypeError:
                pass
        for _ in range(ROUNDS):
            run(len)
            run(max)
            run(int)
            run(abs, Watched())
        gc.collect()
        self.assertEqual(Watched.alive, 0)

    def test_recursion_through_c_functions(self):
        def by_method(l):
            return [by_method(l) for _ in l].index(1)

        def by_type(n):
            return list(map(by_type, [n]))

        def by_sort(n):
            return sorted([1], key=by_sort)

        def by_keywords(n):
            return max([1], key=by_keywords)

        def by_vector(n):
            import functools
            return functools.partial(by_vector)(n)

        class Nested:
            def __len__(self):
                return len(self)

            def __repr__(self):
                return repr(self)

            def __getattr__(self, name):
                return getattr(self, name)
        for function, argument in ((by_type, 1), (by_sort, 1), (by_keywords, 1), (by_vector, 1), (len, Nested()), (repr, Nested()),
                                   (lambda o: o.anything, Nested())):
            for _ in range(3):
                self.assertRaises(RecursionError, function, argument)

    def test_what_a_callable_holds_stays_during_its_call(self):
        class Owner:
            def __init__(self):
                self.items = [1]

            def run(self, *args):
                holder.clear()
                return self.items

            def __call__(self, *args):
                holder.clear()
                return self.items
        holder = {}
        for _ in range(5):
            for make in (lambda: Owner().run, Owner):
                holder["f"] = make()
                self.assertEqual((lambda: holder["f"](1, 2))(), [1])

        class Caller:
            def __init__(self):
                self.value = [7]

            def __call__(self, g):
                g()
                return self.value
        def outer(f):
            return f(rebind)

        def rebind():
            sys._getframe(2).f_locals["f"] = None
        for _ in range(5):
            self.assertEqual(outer(Caller()), [7])

    def test_a_callee_that_an_argument_binds_anew(self):
        def run(f):
            return f((f := 5)), f
        for _ in range(4):
            self.assertEqual(run(str), ("5", 5))
            self.assertEqual(run(lambda x: [x]), ([5], 5))

        def generator(f):
            yield f((yield 1), (yield 2))
        for _ in range(4):
            g = generator(max)
            next(g), g.send(3)
            self.assertEqual(g.send(4), 4)

    def test_generators_and_coroutines_of_a_lent_function(self):
        def run(f):
            return f(3)
        for _ in range(3):
            def numbers(n):
                for i in range(n):
                    yield i
            g = run(numbers)
            del numbers
            self.assertEqual(list(g), [0, 1, 2])

            async def wait(n):
                return n
            c = run(wait)
            del wait
            with self.assertRaises(StopIteration) as caught:
                c.send(None)
            self.assertEqual(caught.exception.value, 3)

    def test_getsets_and_members_at_sites_that_see_many_classes(self):
        import io
        run = site("def run(o): return o.name")
        doc = site("def run(o): return o.__doc__")
        real = site("def run(o): return o.real, o.imag, o.real + o.imag")

        class Named:
            name = "class"

        class Slotted:
            __slots__ = ("name",)
        slotted = Slotted()
        slotted.name = "slot"
        error = NameError(name="error")
        with open(__file__) as file:
            for _ in range(ROUNDS):
                self.assertEqual(run(Named()), "class")
                self.assertEqual(run(slotted), "slot")
                self.assertEqual(run(error), "error")
                self.assertEqual(run(file), __file__)
                self.assertEqual(self.outcome(run, 5)[1], "'int' object has no attribute 'name'")
                self.assertEqual(self.outcome(run, io.BytesIO())[1], "'_io.BytesIO' object has no attribute 'name'")
        for _ in range(ROUNDS):
            self.assertEqual(real(5), (5, 0, 5))
            self.assertEqual(real(True), (1, 0, 1))
            self.assertEqual(real(2.5), (2.5, 0.0, 2.5))
            self.assertEqual(real(1 + 2j), (1.0, 2.0, 3.0))
            self.assertEqual(doc(len), len.__doc__)
            self.assertEqual(doc(real), None)

    def test_setters_of_built_in_types(self):
        run = site("def run(o, v): o.__name__ = v\n")
        bind = site("def run(o, v): o.__traceback__ = v\n")

        def function():
            pass

        class Plain:
            pass
        for i in range(ROUNDS):
            for o in (function, Plain):
                run(o, f"n{i}")
                self.assertEqual(o.__name__, f"n{i}")
                self.assertEqual(self.outcome(run, o, i)[0], TypeError)
            plain = Plain()
            run(plain, i)
            self.assertEqual(plain.__dict__, {"__name__": i})
            self.assertEqual(self.outcome(run, len, "x")[0], AttributeError)
        for error in (ValueError(), KeyError()) * ROUNDS:
            bind(error, None)
            self.assertEqual(self.outcome(bind, error, 5), (TypeError, "__traceback__ must be a traceback or None"))
        frozen = site("def run(o): o.real = 1\n")
        for _ in range(ROUNDS):
            self.assertEqual(self.outcome(frozen, 5), (AttributeError, "attribute 'real' of 'int' objects is not writable"))
            self.assertEqual(self.outcome(frozen, 1j), (AttributeError, "readonly attribute"))
        suggest = site("def run(o): return o.__suppress_context__")
        for _ in range(5):
            self.assertIs(suggest(ValueError()), False)

    def test_a_class_whose_getset_is_hidden_later(self):
        class Error(Exception):
            pass
        error = Error("x")
        run = site("def run(o): return o.args")
        for _ in range(5):
            self.assertEqual(run(error), ("x",))
        Error.args = property(lambda self: "hidden")
        self.assertEqual(run(error), "hidden")
        del Error.args
        self.assertEqual(run(error), ("x",))
        error.__class__ = type("Other", (Exception,), {"args": 5})
        self.assertEqual(run(error), 5)


if __name__ == "__main__":
    unittest.main()
