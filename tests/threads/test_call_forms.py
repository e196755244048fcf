"""Sites of calls and attributes that several threads run at once, each with other callables and classes: every call reaches what
the thread gave it, whatever form the site has at that moment."""
import threading
import time
import unittest
from collections import deque

SECONDS = 0.5


def in_threads(*functions):
    """Runs the functions again and again, each in a thread of its own, until the time is over."""
    errors = []
    start = threading.Barrier(len(functions))
    end = []

    def loop(function):
        try:
            start.wait()
            while not end:
                function()
        except BaseException as e:
            errors.append(e)
            end.append(True)
    threads = [threading.Thread(target=loop, args=(function,)) for function in functions]
    for t in threads:
        t.start()
    until = time.monotonic() + SECONDS
    while time.monotonic() < until and not end:
        time.sleep(0.02)
    end.append(True)
    for t in threads:
        t.join()
    if errors:
        raise errors[0]


def fresh(source):
    space = {}
    exec(source, space)
    return space


class Callable:
    def __call__(self, x, key=None):
        return x, key


class Made:
    def __init__(self, x, key=None):
        self.x = x


class ThreadedForms(unittest.TestCase):
    def test_one_site_sees_another_callable_from_each_thread(self):
        def check(f, x, expected):
            def again():
                for _ in range(200):
                    result = site(f, x)
                    if result != expected:
                        raise AssertionError((f, result, expected))
            return again
        for _ in range(3):
            site = fresh("def site(f, x): return f(x)")["site"]
            in_threads(check(len, "abc", 3), check(str.upper, "abc", "ABC"), check(str, 5, "5"),
                       check(lambda x: [x], 1, [1]), check("a-b".split, "-", ["a", "b"]), check(Callable(), 2, (2, None)))

    def test_one_site_of_a_method_sees_another_class_from_each_thread(self):
        space = fresh("def site(o, x):\n  o.append(x)\n  return len(o)")
        site = space["site"]

        class Counting:
            def __init__(self):
                self.n = 0

            def append(self, x):
                self.n += 1

            def __len__(self):
                return self.n

        class Lists(list):
            pass

        def check(make):
            def again():
                o = make()
                for i in range(50):
                    if site(o, i) != i + 1:
                        raise AssertionError((make, i, len(o)))
            return again
        in_threads(check(list), check(deque), check(bytearray), check(Counting), check(Lists))

    def test_keywords_at_one_site(self):
        site = fresh("def site(f, x, y): return f(x, key=y)")["site"]

        def check(f, x, y, expected):
            def again():
                for _ in range(100):
                    result = site(f, x, y)
                    if result != expected:
                        raise AssertionError((f, result, expected))
            return again
        in_threads(check(sorted, [2, -3, 1], abs, [1, 2, -3]), check(max, [2, -3, 1], abs, -3), check(Callable(), 1, 2, (1, 2)),
                   check(lambda x, key: key, 1, 2, 2), check(dict, [(1, 2)], 3, {1: 2, "key": 3}))

    def test_a_global_function_is_replaced_while_others_call_it(self):
        space = fresh("def site(x): return f(x)\nf = len")
        site = space["site"]
        choices = [len, list, lambda x: x, str.upper, sorted, tuple]
        allowed = [3, list("cab"), "cab", "CAB", sorted("cab"), tuple("cab")]

        def replace():
            for f in choices:
                space["f"] = f

        def call():
            for _ in range(100):
                if site("cab") not in allowed:
                    raise AssertionError(site("cab"))
        in_threads(replace, call, call)

    def test_a_method_of_a_class_is_replaced_while_others_call_it(self):
        class Stack(list):
            pass
        site = fresh("def site(o): return o.pop()")["site"]
        stacks = [Stack(range(10000)) for _ in range(3)]

        def replace():
            Stack.pop = lambda self: "python"
            Stack.pop = list.__len__
            Stack.pop = Stack.copy
            del Stack.pop

        def call(stack):
            def again():
                for _ in range(50):
                    result = site(stack)
                    if not (result == "python" or type(result) in (int, list)):
                        raise AssertionError(result)
                if len(stack) < 100:
                    stack.extend(range(1000))
            return again
        in_threads(replace, *map(call, stacks))

    def test_callables_that_die_while_others_are_made(self):
        site = fresh("def site(f, x): return f(x)")["site"]

        def bound():
            for i in range(50):
                l = []
                site(l.append, i)
                if l != [i] or site([i].index, i) != 0:
                    raise AssertionError(l)

        def objects():
            for i in range(50):
                if site(Callable(), i) != (i, None) or site(Made, i).x != i:
                    raise AssertionError(i)

        def classes():
            kind = type("Kind", (list,), {})
            for _ in range(20):
                if site(kind, "ab") != ["a", "b"]:
                    raise AssertionError(kind)
        in_threads(bound, objects, classes, bound)

    def test_getters_and_members_at_one_site(self):
        space = fresh("def load(o): return o.real\ndef store(o, v): o.__name__ = v\n")
        load, store = space["load"], space["store"]

        class Mine:
            real = 7

        def function():
            pass

        class Kind:
            pass

        def check(o, expected):
            def again():
                for _ in range(200):
                    if load(o) != expected:
                        raise AssertionError(o)
            return again

        def write(o, name):
            def again():
                for _ in range(50):
                    store(o, name)
                    if o.__name__ not in ("a", "b"):
                        raise AssertionError(o)
            return again
        in_threads(check(5, 5), check(2.5, 2.5), check(1 + 2j, 1.0), check(Mine(), 7), check(True, 1))
        in_threads(write(function, "a"), write(function, "b"), write(Kind, "a"), write(Kind, "b"))

    def test_a_getset_is_hidden_while_others_read_it(self):
        class Error(Exception):
            pass
        load = fresh("def load(o): return o.args")["load"]
        error = Error(1)

        def change():
            Error.args = property(lambda self: (2,))
            Error.args = (3,)
            del Error.args

        def read():
            for _ in range(100):
                if load(error) not in ((1,), (2,), (3,)):
                    raise AssertionError(load(error))
        in_threads(change, read, read)


if __name__ == "__main__":
    unittest.main()
