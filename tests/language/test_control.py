"""Loops, comprehensions, exceptions, context managers, pattern matching."""
import unittest


class Loops(unittest.TestCase):
    def test_else_runs_unless_broken(self):
        log = []
        for x in range(3):
            if x == 5: break
        else:
            log.append("for")
        while True:
            break
        else:
            log.append("while")
        self.assertEqual(log, ["for"])

    def test_targets_of_every_kind(self):
        class O: pass
        o, d, l = O(), {}, [0, 0]
        for o.x, (d["k"], *l[0:1]) in [(1, (2, 3, 4)), (5, (6, 7))]:
            pass
        self.assertEqual((o.x, d, l), (5, {"k": 6}, [7, 4, 0]))
        a = b = c = 0
        a, (b, *c) = 1, "xyz"
        self.assertEqual((a, b, c), (1, "x", ["y", "z"]))
        with self.assertRaisesRegex(ValueError, r"not enough values to unpack \(expected 3, got 2\)"):
            a, b, c = 1, 2
        with self.assertRaisesRegex(ValueError, r"too many values to unpack \(expected 2, got 3\)"):
            a, b = [1, 2, 3]

    def test_comprehensions_have_their_own_scope(self):
        x = "outer"
        self.assertEqual([x for x in range(3)], [0, 1, 2])
        self.assertEqual(x, "outer")
        fs = [lambda: i for i in range(3)]
        self.assertEqual([f() for f in fs], [2, 2, 2])
        self.assertEqual({k: v for k, v in zip("ab", range(2))}, {"a": 0, "b": 1})
        self.assertEqual([y := 5, y ** 2], [5, 25])
        self.assertEqual([[i * j for j in range(3)] for i in range(2)], [[0, 0, 0], [0, 1, 2]])

    def test_changing_what_is_iterated(self):
        d = {1: 1}
        with self.assertRaisesRegex(RuntimeError, "dictionary changed size during iteration"):
            for k in d: d[k + 1] = 1
        l = [1, 2, 3]
        for x in l:
            if x < 10: l.append(x + 10)
        self.assertEqual(l, [1, 2, 3, 11, 12, 13])

    def test_augmented_assignment_evaluates_its_target_once(self):
        log = []
        def f():
            log.append(1)
            return [1, 2]
        f()[0] += 1
        self.assertEqual(log, [1])
        l = m = [1]
        l += [2]
        self.assertIs(l, m)


class Exceptions(unittest.TestCase):
    def test_what_a_finally_block_defines_works_on_every_way_through_it(self):
        def run(way, out):
            outer = 10
            for _ in range(2):
                try:
                    if way == "raise":
                        raise KeyError(1)
                    if way == "return":
                        return out
                    if way == "continue":
                        continue
                except ValueError as error:
                    out.append(error)
                finally:
                    def inner(a, *b, c=3):
                        x = a + 1
                        y = x + c
                        z = [i * y for i in b]
                        return x, y, z, lambda: (outer, a, x)

                    class Holder:
                        first, second = 1, outer
                        both = tuple(outer + n for n in range(2))

                    out.append(sorted((k + v, k) for k in range(3) for v in (k, 2 * k) if k))
                    out.append(inner(1, 2, 3)[:3] + inner(1)[3]())
                    out.append((lambda p, q=4: (p, q, [p for p in range(q)]))(1))
                    out.append((Holder.second, Holder.both))
            return out

        expected = [[(2, 1), (3, 1), (4, 2), (6, 2)], (2, 5, [10, 15], 10, 1, 2), (1, 4, [0, 1, 2, 3]), (10, (10, 11))]
        for way, times in [("fall", 2), ("return", 1), ("continue", 2)]:
            with self.subTest(way=way):
                self.assertEqual(run(way, []), expected * times)
        out = []
        with self.assertRaises(KeyError):
            run("raise", out)
        self.assertEqual(out, expected)

    def test_finally_runs_on_every_way_out(self):
        log = []
        def f(how):
            try:
                if how == "return": return how
                if how == "raise": raise KeyError(how)
                for _ in [1]:
                    try:
                        if how == "break": break
                        continue
                    finally:
                        log.append("inner")
            finally:
                log.append(how)
        f("return"); f("break"); f("continue")
        with self.assertRaises(KeyError): f("raise")
        self.assertEqual(log, ["return", "inner", "break", "inner", "continue", "raise"])

    def test_context_and_cause_are_chained(self):
        try:
            try:
                1 / 0
            except ZeroDivisionError as e:
                raise KeyError("k") from e
        except KeyError as e:
            self.assertIsInstance(e.__cause__, ZeroDivisionError)
            self.assertIs(e.__context__, e.__cause__)
        try:
            try:
                1 / 0
            except ZeroDivisionError:
                raise ValueError
        except ValueError as e:
            self.assertIsInstance(e.__context__, ZeroDivisionError)
            self.assertIsNone(e.__cause__)

    def test_the_name_is_deleted_after_the_handler(self):
        try:
            raise ValueError("x")
        except ValueError as e:
            pass
        with self.assertRaises(UnboundLocalError):
            e

    def test_except_without_parentheses(self):
        for error in (KeyError, ValueError):
            try:
                raise error
            except KeyError, ValueError:
                pass

    def test_groups_are_split(self):
        log = []
        try:
            raise ExceptionGroup("g", [ValueError(1), TypeError(2), ExceptionGroup("h", [ValueError(3), OSError(4)])])
        except* ValueError as e:
            log.append(sorted(str(x) for x in e.exceptions))
        except* (TypeError, OSError) as e:
            log.append(len(e.exceptions))
        self.assertEqual(log, [["1", "h (1 sub-exception)"], 2])
        with self.assertRaises(ExceptionGroup) as caught:
            try:
                raise ExceptionGroup("g", [ValueError(1), KeyError(2)])
            except* ValueError:
                pass
        self.assertEqual([type(e) for e in caught.exception.exceptions], [KeyError])

    def test_notes(self):
        e = ValueError()
        e.add_note("one")
        self.assertEqual(e.__notes__, ["one"])

    def test_tracebacks_name_lines_and_columns(self):
        def f():
            return 1 + (
                None.x)
        try:
            f()
        except AttributeError as e:
            tb = e.__traceback__.tb_next
        positions = list(tb.tb_frame.f_code.co_positions())[tb.tb_lasti // 2]
        first = f.__code__.co_firstlineno
        self.assertEqual((positions[0] - first, positions[2], positions[3]), (2, 16, 22))
        self.assertEqual(tb.tb_lineno - first, 2)

    def test_raising_what_is_no_exception(self):
        with self.assertRaisesRegex(TypeError, "exceptions must derive from BaseException"):
            raise 1
        with self.assertRaisesRegex(RuntimeError, "No active exception to reraise"):
            raise
        with self.assertRaisesRegex(TypeError, "catching classes that do not inherit from BaseException"):
            try:
                1 / 0
            except 1:
                pass

    def test_bare_raise_keeps_the_exception(self):
        with self.assertRaisesRegex(KeyError, "inner"):
            try:
                raise KeyError("inner")
            except KeyError:
                try:
                    raise ValueError
                except ValueError:
                    pass
                raise


class With(unittest.TestCase):
    def test_managers_are_left_in_reverse_order(self):
        log = []
        class M:
            def __init__(self, name, swallow=False): self.name, self.swallow = name, swallow
            def __enter__(self):
                log.append("+" + self.name)
                return self.name
            def __exit__(self, *exc):
                log.append("-" + self.name + (exc[0].__name__ if exc[0] else ""))
                return self.swallow
        with M("a", True) as a, M("b") as b:
            log.append(a + b)
            raise KeyError
        self.assertEqual(log, ["+a", "+b", "ab", "-bKeyError", "-aKeyError"])
        def f():
            with M("r"):
                return 1
        self.assertEqual(f(), 1)
        self.assertEqual(log[-1], "-r")

    def test_what_is_no_manager_says_so(self):
        with self.assertRaisesRegex(TypeError, "does not support the context manager protocol"):
            with 1: pass


class Match(unittest.TestCase):
    def kind(self, x):
        match x:
            case 0 | 1: return "small"
            case int(n) if n < 0: return "negative"
            case str() as s: return "str " + s
            case []: return "empty"
            case [1, *rest]: return rest
            case {"k": v, **others}: return (v, others)
            case (a, (b, c)): return a, b, c
            case None: return "none"
            case Point(x=0, y=y): return ("axis", y)
            case Point(x, y): return (x, y)
            case _: return "other"

    def test_every_pattern(self):
        cases = [(1, "small"), (-5, "negative"), ("s", "str s"), ([], "empty"), ([1, 2, 3], [2, 3]),
                 ({"k": 1, "z": 2}, (1, {"z": 2})), ((7, (8, 9)), (7, 8, 9)), (None, "none"),
                 (Point(0, 3), ("axis", 3)), (Point(2, 3), (2, 3)), (3.5, "other"), (b"x", "other")]
        for value, expected in cases:
            with self.subTest(value):
                self.assertEqual(self.kind(value), expected)


class Point:
    __match_args__ = ("x", "y")

    def __init__(self, x, y):
        self.x, self.y = x, y


if __name__ == "__main__":
    unittest.main()
