"""dis shows the machine's own instructions through the interface of the standard module."""
import contextlib
import dis
import importlib
import inspect
import io
import opcode
import re
import subprocess
import sys
import tempfile
import unittest


def sample(x, *rest, k=1):
    total = 0
    for i in rest:
        try:
            total += x.y(i, k=k)
        except ValueError as e:
            print(e)
    return [z for z in rest if z is not None]


def listing(*args, **kwargs):
    out = io.StringIO()
    dis.dis(*args, file=out, **kwargs)
    return out.getvalue()


class Listing(unittest.TestCase):
    def test_registers_constants_names_lines_and_labels_are_shown(self):
        text = listing(sample)
        first = sample.__code__.co_firstlineno
        self.assertRegex(text, rf"(?m)^ *{first + 1} .*LOAD_INT +total, #0$")
        self.assertRegex(text, r"LOAD_METHOD +t\d+, x, y\n")
        self.assertRegex(text, r"CALL_KW +t\d+, #2, t\d+, \('k',\), method\n")
        self.assertRegex(text, r"ADD +total, total, t\d+!, in place\n")
        self.assertRegex(text, r"L1: +FOR_ITER +t\d+, i, to L\d+\n")
        self.assertRegex(text, r"JUMP_IF_NONE +z, to L\d+\n")

    def test_the_exception_table_names_labels_that_are_in_the_listing(self):
        code, _, table = listing(sample).partition("ExceptionTable:\n")
        self.assertTrue(table)
        for line in table.splitlines():
            self.assertRegex(line, r"^  L\d+ to (L\d+|the end) -> L\d+ in \w+$")
            for label in re.findall(r"L\d+", line):
                self.assertIn(f" {label}:", code)

    def test_classes_and_nested_code_are_listed_too(self):
        class C:
            def method(self):
                return lambda: 1
        text = listing(C)
        self.assertIn("Disassembly of method:", text)
        self.assertIn("Disassembly of <code object <lambda>", text)
        self.assertNotIn("<lambda> at", listing(C, depth=0).partition("MAKE_FUNCTION")[0])

    def test_specialised_forms_and_caches_are_shown_on_request(self):
        class P:
            def __init__(self):
                self.a = 1

        def read(p):
            return p.a
        p = P()
        for _ in range(100):
            read(p)
        self.assertRegex(listing(read), r"LOAD_ATTR +t0, p, a\n")
        self.assertRegex(listing(read, adaptive=True), r"LOAD_ATTR_\w+ +t0, p, a\n")
        self.assertRegex(listing(read, adaptive=True, show_caches=True), r"cache 0x[0-9a-f]{16}")
        self.assertIn(f"{read.__code__.co_firstlineno + 1}:", listing(read, show_positions=True))

    def test_the_last_traceback_points_at_the_instruction(self):
        try:
            1 / 0 if sample else 0
        except ZeroDivisionError as e:
            tb = e.__traceback__
        out = io.StringIO()
        dis.distb(tb, file=out)
        self.assertRegex(out.getvalue(), r"--> TRUEDIV ")
        self.assertRegex(dis.Bytecode.from_traceback(tb).dis(), r"--> TRUEDIV ")

    def test_bytes_are_decoded_without_names(self):
        self.assertRegex(listing(sample.__code__.co_code), r"FOR_ITER +A=\d+ to L\d+ flags=\d+")

    def test_it_is_a_command(self):
        with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
            file.write("import os\nprint(os)\n")
            file.flush()
            done = subprocess.run([sys.executable, "-m", "dis", "-O", file.name], capture_output=True, text=True)
        self.assertEqual(done.stderr, "")
        self.assertRegex(done.stdout, r"(?m)^ *2 +\d+ LOAD_NAME +t0, print$")


class Instructions(unittest.TestCase):
    def test_every_field_is_there_and_the_instructions_cover_the_code(self):
        end = 0
        for i in dis.get_instructions(sample):
            self.assertEqual(i.offset, end)
            end = i.end_offset
            self.assertEqual(opcode.opname[i.opcode], i.opname)
            self.assertEqual(i.baseopname, i.opname)
            if i.opcode in opcode.hasname:
                self.assertEqual(i.argval, sample.__code__.co_names[i.arg])
            if i.opcode in opcode.hasconst:
                self.assertIs(i.argval, sample.__code__.co_consts[i.arg])
            if i.jump_target is not None:
                self.assertEqual(i.jump_target, i.end_offset + 2 * i.arg)
            self.assertIn(i.opname, str(i))
        self.assertEqual(end * 5, len(sample.__code__.co_code))

    def test_labels_belong_to_targets_of_jumps_and_exceptions(self):
        instructions = list(dis.Bytecode(sample))
        targets = {i.jump_target for i in instructions if i.jump_target is not None}
        self.assertEqual(targets, set(dis.findlabels(sample.__code__.co_code)))
        self.assertLessEqual(targets, {i.offset for i in instructions if i.is_jump_target})

    def test_lines_can_be_renumbered(self):
        lines = {i.line_number for i in dis.get_instructions(sample, first_line=1000)} - {None}
        self.assertEqual(min(lines), 1000)
        self.assertEqual([line for _, line in dis.findlinestarts(sample.__code__)][0], sample.__code__.co_firstlineno + 1)

    def test_instructions_have_no_stack_effect(self):
        with self.assertRaises(NotImplementedError):
            dis.stack_effect(opcode.opmap["LOAD_CONST"], 0)

    def test_the_other_machines_instructions_have_names_and_numbers_that_occur_in_no_code(self):
        for name in ("LOAD_FAST", "LOAD_FAST_LOAD_FAST", "POP_TOP", "RESUME", "EXTENDED_ARG", "NOP"):
            self.assertEqual(dis.opname[dis.opmap[name]], name)
        self.assertGreater(dis.opmap["LOAD_FAST"], 255)
        self.assertLess(dis.opmap["NOP"], 256)
        alike = {"JUMP_FORWARD": "JUMP", "JUMP_BACKWARD": "JUMP_BACK", "RETURN_VALUE": "RETURN"}
        for name, own in alike.items():
            self.assertEqual(dis.opname[dis.opmap[name]], own)
        self.assertEqual(len(set(dis.opmap.values())), len(dis.opmap) - len(alike))

    def test_code_info_describes_the_code(self):
        info = dis.code_info(sample)
        for part in ("Name:              sample\n", "VARARGS", "Variable names:\n   0: x\n", "Constants:\n"):
            self.assertIn(part, info)
        with contextlib.redirect_stdout(io.StringIO()) as out:
            dis.show_code(sample)
        self.assertEqual(out.getvalue(), info + "\n")

    def test_what_cannot_be_disassembled_says_so(self):
        for f in (dis.dis, dis.code_info, lambda x: list(dis.get_instructions(x)), dis.Bytecode):
            with self.assertRaisesRegex(TypeError, "don't know how to disassemble int objects"):
                f(3)


class Users(unittest.TestCase):
    def test_modules_that_read_instructions_work(self):
        for name in ("inspect", "bdb", "pdb", "trace", "modulefinder", "traceback", "ast"):
            importlib.import_module(name)

        def f(x):
            return x.attribute, len, unknown_name
        found = inspect.getclosurevars(f)
        self.assertEqual(found.builtins, {"len": len})
        self.assertIn("unknown_name", found.unbound)
        self.assertEqual(inspect.CO_GENERATOR, 0x20)

    def test_imports_and_stores_are_found(self):
        code = compile("import a.b\nfrom ..c import d, e as g\nx = 1\n", "<s>", "exec")
        self.assertEqual(list(dis._find_imports(code)), [("a.b", 0, None), ("c", 2, ("d", "e"))])
        self.assertEqual(list(dis._find_store_names(code)), ["a", "d", "g", "x"])

    def test_executable_lines_are_found(self):
        import trace
        with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
            file.write("a = 1\n\n\ndef f():\n    return a\n")
            file.flush()
            self.assertLessEqual({1, 4, 5}, set(trace._find_executable_linenos(file.name)))


if __name__ == "__main__":
    unittest.main()
