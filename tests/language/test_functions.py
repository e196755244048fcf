"""Calls: binding of arguments, closures, decorators, recursion."""
import functools
import unittest


class Calls(unittest.TestCase):
    def test_every_kind_of_parameter_is_bound(self):
        def f(a, /, b, c=3, *args, d, e=5, **kw):
            return a, b, c, args, d, e, kw
        self.assertEqual(f(1, 2, d=4), (1, 2, 3, (), 4, 5, {}))
        self.assertEqual(f(1, 2, 30, 40, 50, d=4, z=9), (1, 2, 30, (40, 50), 4, 5, {"z": 9}))
        self.assertEqual(f(1, b=2, d=4, a=7), (1, 2, 3, (), 4, 5, {"a": 7}))

    def test_arguments_are_unpacked_from_iterables_and_mappings(self):
        def f(*args, **kw):
            return args, kw
        self.assertEqual(f(*[1, 2], 3, *(4,), x=1, **{"y": 2}), ((1, 2, 3, 4), {"x": 1, "y": 2}))
        with self.assertRaisesRegex(TypeError, "got multiple values for keyword argument 'x'"):
            f(x=1, **{"x": 2})
        with self.assertRaisesRegex(TypeError, "must be an iterable, not int"):
            f(*3)
        with self.assertRaisesRegex(TypeError, "must be a mapping, not int"):
            f(**3)

    def test_calls_that_do_not_fit_say_why(self):
        def f(a, b, c=1, *, k):
            pass
        cases = [
            (lambda: f(), r"missing 2 required positional arguments: 'a' and 'b'"),
            (lambda: f(1), r"missing 1 required positional argument: 'b'"),
            (lambda: f(1, 2), r"missing 1 required keyword-only argument: 'k'"),
            (lambda: f(1, 2, 3, 4, k=1), r"takes from 2 to 3 positional arguments but 4 positional arguments \(and 1 keyword-only argument\) were given"),
            (lambda: f(1, 2, a=1, k=1), r"got multiple values for argument 'a'"),
            (lambda: f(1, 2, k=1, z=1), r"got an unexpected keyword argument 'z'"),
        ]
        for call, message in cases:
            with self.subTest(message), self.assertRaisesRegex(TypeError, message):
                call()

    def test_positional_only_names_are_no_keywords(self):
        def f(a, /):
            return a
        with self.assertRaisesRegex(TypeError, "positional-only arguments passed as keyword arguments: 'a'"):
            f(a=1)

    def test_defaults_are_evaluated_once(self):
        def f(x, acc=[]):
            acc.append(x)
            return acc
        f(1)
        self.assertEqual(f(2), [1, 2])

    def test_closures_share_their_cells(self):
        def counter():
            n = 0

            def up():
                nonlocal n
                n += 1
                return n

            def get():
                return n
            return up, get
        up, get = counter()
        up()
        up()
        self.assertEqual(get(), 2)

    def test_free_variables_may_be_unbound(self):
        def outer():
            def inner():
                return x
            if False:
                x = 1
            return inner
        with self.assertRaisesRegex(NameError, "cannot access free variable 'x'"):
            outer()()

    def test_locals_may_be_unbound(self):
        def f(flag):
            if flag:
                x = 1
            return x
        self.assertEqual(f(True), 1)
        with self.assertRaisesRegex(UnboundLocalError, "cannot access local variable 'x'"):
            f(False)

        def g():
            y = 1
            del y
            return y
        with self.assertRaises(UnboundLocalError):
            g()

    def test_decorators_apply_from_the_inside_out(self):
        log = []

        def mark(name):
            def wrap(f):
                log.append(name)
                return f
            return wrap

        @mark("outer")
        @mark("inner")
        def f():
            pass
        self.assertEqual(log, ["inner", "outer"])

    def test_endless_recursion_is_an_exception(self):
        def f():
            return f()
        with self.assertRaises(RecursionError):
            f()

    def test_walrus_in_arguments_does_not_disturb_earlier_ones(self):
        def f(*args):
            return args
        x = 1
        self.assertEqual(f(x, (x := 2), x), (1, 2, 2))
        self.assertEqual(x + (x := 10) + x, 22)

    def test_many_locals_and_temporaries(self):
        names = [f"v{i}" for i in range(400)]
        source = "def f():\n" + "".join(f"    {n} = {i}\n" for i, n in enumerate(names))
        source += "    return " + "+".join(names) + "\n"
        space = {}
        exec(source, space)
        self.assertEqual(space["f"](), sum(range(400)))

    def test_lambda_and_conditional_expressions(self):
        self.assertEqual([(lambda x, y=2: x * y if x else y)(i) for i in range(3)], [2, 2, 4])

    def test_integers_leave_registers_without_loss(self):
        x = 2 ** 47 - 1
        self.assertEqual(x + 1, 140737488355328)
        self.assertEqual(-x - 2, -140737488355329)
        self.assertEqual((2 ** 40) * (2 ** 30), 2 ** 70)
        self.assertEqual(-7 // 2, -4)
        self.assertEqual(-7 % 3, 2)
        self.assertEqual(7 % -3, -2)
        self.assertEqual(1 << 46 << 1, 2 ** 47)
        self.assertEqual((1 << 60) >> 59, 2)
        self.assertRaises(ZeroDivisionError, lambda: 1 % 0)
        self.assertRaises(ValueError, lambda: 1 << -1)



class Names(unittest.TestCase):
    def test_builtins_may_be_named_by_what_only_equals_a_string(self):
        class Name:
            def __hash__(self):
                return hash("answer")

            def __eq__(self, other):
                return other == "answer"
        namespace = {"__builtins__": {Name(): 42}}
        exec("def f(): return answer", namespace)
        self.assertEqual(namespace["f"](), 42)


class OwnHash(str):
    """A name whose comparison and hash are Python code."""
    asked = 0

    def __eq__(self, other):
        return str.__eq__(self, other)

    def __hash__(self):
        OwnHash.asked += 1
        unrelated = [self, 1, 2.5, "x"]  # registers of its own
        return hash(str(len(unrelated)))


class KeywordNames(unittest.TestCase):
    def test_keywords_that_hash_and_compare_by_python_code_leave_the_other_arguments_alone(self):
        def collect(first, /, *rest, second=2, **others):
            return first, rest, second, list(others.items())

        class Made:
            def __new__(cls, *args, **kwargs):
                return cls, args, list(kwargs.values())

        class Subject:
            def method(self, a, b=1, **kwargs):
                return self, a, b, len(kwargs)

        def generator():
            yield collect(0, **{OwnHash("a"): 1})

        two = {OwnHash("a"): 1, "a": 2}
        self.assertEqual(collect(0, 5, **two), (0, (5,), 2, [("a", 1), ("a", 2)]))
        self.assertEqual(collect(0, **{OwnHash("second"): 7, "z": 1}), (0, (), 7, [("z", 1)]))
        self.assertEqual(Made(3, **two), (Made, (3,), [1, 2]))
        subject = Subject()
        self.assertEqual(subject.method(1, **{OwnHash("b"): 2, OwnHash("c"): 3}), (subject, 1, 2, 1))
        self.assertEqual(next(generator()), (0, (), 2, [("a", 1)]))
        self.assertEqual(functools.partial(collect, 4, **{OwnHash("q"): 9})(5), (4, (5,), 2, [("q", 9)]))
        with self.assertRaisesRegex(TypeError, r"got an unexpected keyword argument 'wrong'"):
            (lambda a, b: 0)(1, **{OwnHash("wrong"): 2})

    def test_comparing_dicts_asks_no_key_for_its_hash(self):
        one, other = {OwnHash("a"): 1, OwnHash("b"): 2}, {OwnHash("a"): 1, OwnHash("b"): 2}
        OwnHash.asked = 0
        self.assertTrue(one == other)
        self.assertFalse(one != other)
        self.assertEqual(OwnHash.asked, 0)
        self.assertFalse(one == {"a": 1, "b": 2})  # equal keys with another hash


if __name__ == "__main__":
    unittest.main()
