"""Syntax: errors with their positions, f-strings, t-strings, annotations, type parameters, literals."""
import os
import subprocess
import sys
import tempfile
import warnings
import unittest


class Errors(unittest.TestCase):
    def check(self, source, message, lineno, offset, kind=SyntaxError):
        with self.assertRaises(kind) as caught:
            compile(source, "<test>", "exec")
        e = caught.exception
        self.assertEqual((e.msg, e.lineno, e.offset), (message, lineno, offset))

    def test_messages_and_positions(self):
        cases = [
            ("x = = 1", "invalid syntax", 1, 5),
            ("if x\n  pass", "expected ':'", 1, 5),
            ("f(a b)", "invalid syntax. Perhaps you forgot a comma?", 1, 3),
            ("(1, 2", "'(' was never closed", 1, 1),
            ("x = 'abc", "unterminated string literal (detected at line 1)", 1, 5),
            ("1 = x", "cannot assign to literal here. Maybe you meant '==' instead of '='?", 1, 1),
            ("f() = 1", "cannot assign to function call here. Maybe you meant '==' instead of '='?", 1, 1),
            ("def f(a, a): pass", "duplicate argument 'a' in function definition", 1, 10),
            ("return 1", "'return' outside function", 1, 1),
            ("def f():\n  x = 1\n  global x", "name 'x' is assigned to before global declaration", 3, 3),
            ("break", "'break' outside loop", 1, 1),
            ("a b", "invalid syntax", 1, 3),
            ("x = 0777", "leading zeros in decimal integer literals are not permitted; use an 0o prefix for octal "
             "integers", 1, 5),
            ("for x in y:\npass", "expected an indented block after 'for' statement on line 1", 2, 1, IndentationError),
            ("  x", "unexpected indent", 1, 2, IndentationError),
            ("print 1", "Missing parentheses in call to 'print'. Did you mean print(...)?", 1, 1),
            ("try:\n  pass\nx", "expected 'except' or 'finally' block", 3, 1),
            ("f(x=1, 2)", "positional argument follows keyword argument", 1, 9),
            ("x = $", "invalid syntax", 1, 5),
        ]
        for source, message, lineno, offset, *kind in cases:
            with self.subTest(source):
                self.check(source, message, lineno, offset, *kind)

    def test_bad_bytes(self):
        for source in (b"x = '\xff'", b"\x00", "x = 1\x00", b"# coding: nonsense\n", "if 1:\n\tx\n        y"):
            with self.subTest(source), self.assertRaises(SyntaxError):
                compile(source, "<test>", "exec")

    def test_nesting_has_limits(self):
        for source in ("(" * 1000000, "-" * 100000 + "1", "[" * 150 + "]" * 150, "x" + ".y" * 50000):
            try:
                compile(source, "<test>", "eval")
            except (SyntaxError, MemoryError, RecursionError):
                pass
        self.assertEqual(eval("+".join(["1"] * 5000)), 5000)


class Strings(unittest.TestCase):
    def test_f_strings(self):
        x, w = 3.14159, 10
        self.assertEqual(f"{x:.2f}|{x!r:>{w}}|{x=:.1f}|{{}}|{'a' 'b'}|{f'{w}'}", "3.14|   3.14159|x=3.1|{}|ab|10")
        self.assertEqual(f"{'nested ' + f"{x:.0f}"}", "nested 3")
        self.assertEqual(f"{1_000_000:,}{255:#x}{-5:+d}{0.5:%}", "1,000,0000xff-550.000000%")

    def test_t_strings(self):
        name = "World"
        t = t"Hello {name!r:>5} and {1 + 1}"
        self.assertEqual(t.strings, ("Hello ", " and ", ""))
        i = t.interpolations[0]
        self.assertEqual((i.value, i.expression, i.conversion, i.format_spec), ("World", "name", "r", ">5"))
        self.assertEqual(t.values, ("World", 2))
        self.assertEqual([type(p).__name__ for p in t"a{name}b"], ["str", "Interpolation", "str"])

    def test_literals(self):
        self.assertEqual((0x_ff, 0b101, 0o17, 1_000, 1e3, 1j * 1j), (255, 5, 15, 1000, 1000.0, -1))
        self.assertEqual("\x41\u0042\N{LATIN SMALL LETTER C}\103\n", "ABcC\n")
        self.assertEqual((b"\xff\n", rb"\n", "a" "b"), (b"\xff\x0a", b"\\n", "ab"))
        été = 1
        self.assertEqual(été, 1)


class Annotations(unittest.TestCase):
    def test_annotations_are_evaluated_on_demand(self):
        def f(a: Undefined1, b: int = 3) -> str: pass
        with self.assertRaises(NameError):
            f.__annotations__
        class C:
            x: int
            y: "forward"
        self.assertEqual(C.__annotations__, {"x": int, "y": "forward"})

    def test_type_parameters_and_aliases(self):
        def first[T](x: list[T]) -> T: return x[0]
        self.assertEqual([p.__name__ for p in first.__type_params__], ["T"])
        class Box[T: int, *Ts, **P]:
            def get(self) -> T: ...
        self.assertEqual(len(Box.__type_params__), 3)
        self.assertIs(Box.__type_params__[0].__bound__, int)
        type Pair[A] = tuple[A, A]
        self.assertEqual(Pair.__name__, "Pair")
        self.assertEqual(str(Pair.__value__), "tuple[A, A]")
        type Lazy = NotDefinedYet
        with self.assertRaises(NameError):
            Lazy.__value__

    def test_unions_and_generic_aliases(self):
        self.assertEqual(int | str, str | int)
        self.assertTrue(isinstance(1, int | str))
        self.assertEqual(repr(dict[str, list[int]]), "dict[str, list[int]]")


class Scopes(unittest.TestCase):
    def test_class_scope_is_skipped_by_methods(self):
        x = "function"
        class C:
            x = "class"
            y = x
            def f(self): return x
            z = [x for _ in range(1)]
        self.assertEqual((C.y, C().f(), C.z), ("class", "function", ["function"]))

    def test_exec_and_eval_use_their_namespaces(self):
        g, l = {"a": 1}, {"b": 2}
        exec("c = a + b\ndef f(): return a", g, l)
        self.assertEqual(l["c"], 3)
        self.assertEqual(eval("b * 2", g, l), 4)
        self.assertNotIn("c", g)

    def test_locals_is_a_snapshot_in_functions(self):
        def f():
            a = 1
            d = locals()
            d["a"] = 5
            return a, sorted(d)
        self.assertEqual(f(), (1, ["a"]))

    def test_frame_locals_write_through(self):
        import sys
        def f():
            a = 1
            sys._getframe().f_locals["a"] = 5
            return a
        self.assertEqual(f(), 5)



class ErrorsAsShown(unittest.TestCase):
    def show(self, source):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "program.py")
            with open(path, "wb") as file:
                file.write(source)
            done = subprocess.run([sys.executable, path], capture_output=True)
        return done.stderr.decode()

    def test_misspelt_keywords_are_pointed_out(self):
        for source, keyword in ((b"fur a in b:\n    pass", "for"), (b"if x:\n    pass\nelso:\n    pass", "else"),
                                (b"whille True:\n    pass", "while"), (b"def f():\n    returm 1", "return")):
            self.assertIn(f"Did you mean '{keyword}'", self.show(source))

    def test_null_bytes_of_a_file_have_a_line(self):
        shown = self.show(b"x = 1\ny = '\0'\n")
        self.assertIn("line 2\n    y = '\n", shown)
        self.assertIn("source code cannot contain null bytes", shown)

    def test_null_bytes_of_a_string_have_no_place(self):
        with self.assertRaises(SyntaxError) as caught:
            compile("x\0", "<text>", "exec")
        self.assertEqual(caught.exception.args, ("source code string cannot contain null bytes",))

    def test_columns_can_be_left_out(self):
        code = "def f(): pass\nprint([p[2:] for p in f.__code__.co_positions()])"
        done = subprocess.run([sys.executable, "-X", "no_debug_ranges", "-c", code], capture_output=True, text=True)
        self.assertEqual(set(eval(done.stdout)), {(None, None)})

    def test_invalid_escapes_as_errors_point_at_the_sequence(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with self.assertRaises(SyntaxError) as caught:
                compile('x = """a\n  \\q"""', "<text>", "exec")
        self.assertEqual((caught.exception.lineno, caught.exception.offset), (2, 3))


if __name__ == "__main__":
    unittest.main()
