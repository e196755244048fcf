"""Disassembler of the machine's instructions, with the interface of the standard module.

A line shows: source line, label, name of the instruction, operands. Operands are registers, constants, names and numbers
in the order in which the instruction has them, mostly the destination first. Variables are registers of their own name;
temporaries are t0, t1 and so on; `!` marks a register that the instruction empties. Offsets count two for each word of
code, as f_lasti, tb_lasti and co_lines() do. co_code has two bytes for each word, for programs that follow code by such offsets
(opcode), and behind them all the words, of eight bytes each.
"""

import collections
import io
import sys
import types

import _opcode
from opcode import *
from opcode import __all__ as _opcode_names, _inline_cache_entries, _specialized_opmap

__all__ = ["code_info", "dis", "disassemble", "distb", "disco", "findlinestarts", "findlabels", "show_code",
           "get_instructions", "Instruction", "Bytecode", *_opcode_names]
del _opcode_names

_all_opmap = opmap | _specialized_opmap
_base_of = {number: base for _, number, base, _ in _opcode.table()}

# inspect and code_info() read these names of the bits of co_flags.
COMPILER_FLAG_NAMES = {
    0x1: "OPTIMIZED",
    0x2: "NEWLOCALS",
    0x4: "VARARGS",
    0x8: "VARKEYWORDS",
    0x10: "NESTED",
    0x20: "GENERATOR",
    0x40: "NOFREE",
    0x80: "COROUTINE",
    0x100: "ITERABLE_COROUTINE",
    0x200: "ASYNC_GENERATOR",
    0x4000000: "HAS_DOCSTRING",
    0x8000000: "METHOD",
}


def pretty_flags(flags):
    """The names of the bits of co_flags."""
    names = [COMPILER_FLAG_NAMES.get(1 << i, hex(1 << i)) for i in range(flags.bit_length()) if flags >> i & 1]
    return ", ".join(names) or "0x0"


Positions = collections.namedtuple("Positions", "lineno end_lineno col_offset end_col_offset", defaults=[None] * 4)

_Instruction = collections.namedtuple(
    "_Instruction",
    "opname opcode arg argval argrepr offset start_offset starts_line line_number label positions cache_info",
    defaults=[None, None, None])


class Instruction(_Instruction):
    """One instruction.

    opname, opcode   name and number
    arg              index of a constant or name, plain number, or distance of a jump in words; None without such
    argval           the constant, the name, the number, or the offset that a jump goes to
    argrepr          all operands as text
    offset           where it begins; start_offset is the same
    starts_line      whether it is the first one of a source line
    line_number      its source line, or None
    label            number of its label if jumps or exceptions lead to it, or None
    positions        its Positions in the source
    cache_info       a list of (name, number of words, data) of its caches, or None
    """

    __slots__ = ()

    @property
    def oparg(self):
        """Another name of arg."""
        return self.arg

    @property
    def baseopcode(self):
        """The number of the general form if the instruction is specialised, else opcode."""
        return _base_of[self.opcode]

    @property
    def baseopname(self):
        """The name of the general form if the instruction is specialised, else opname."""
        return opname[self.baseopcode]

    @property
    def cache_offset(self):
        """Where its caches begin."""
        return self.offset + 2

    @property
    def end_offset(self):
        """Where the next instruction begins."""
        return self.cache_offset + 2 * _inline_cache_entries[self.opname]

    @property
    def jump_target(self):
        """The offset that it jumps to, or None."""
        return self.argval if self.baseopcode in hasjump else None

    @property
    def is_jump_target(self):
        """Whether jumps or exceptions lead to it."""
        return self.label is not None

    def __str__(self):
        return _Layout(width=len(self.opname)).instruction(self).strip()


_ExceptionEntry = collections.namedtuple("_ExceptionEntry", "start end target depth")


def _exception_entries(co):
    return [_ExceptionEntry(start * 2, end * 2, target * 2, register)
            for start, end, target, register in _opcode.exception_ranges(co)]


def _words(code):
    """(word, flags, number, A, B, C, BC, next word) of each instruction in a byte string like co_code."""
    code = bytes(code)
    if len(code) % 10:
        raise ValueError("code has ten bytes for each word")
    code = code[len(code) // 5:]
    at = 0
    while at * 8 < len(code):
        number, flags = code[at * 8], code[at * 8 + 1]
        a, b, c = (int.from_bytes(code[at * 8 + i:at * 8 + i + 2], "little") for i in (2, 4, 6))
        wide = int.from_bytes(code[at * 8 + 4:at * 8 + 8], "little", signed=True)
        following = at + 1 + _inline_cache_entries.get(opname[number], 0)
        yield at, flags, number, a, b, c, wide, following
        at = following


def findlabels(code):
    """The offsets in a byte string of code that jumps lead to."""
    labels = []
    for *_, number, a, b, c, wide, following in _words(code):
        if _base_of.get(number) in hasjump and (following + wide) * 2 not in labels:
            labels.append((following + wide) * 2)
    return labels


def findlinestarts(code):
    """Pairs (offset, line) where lines of the source begin; the line is None where code has none."""
    last = False
    for start, _, line in code.co_lines():
        if line is not last:
            last = line
            yield start, line


def _find_imports(co):
    """(name, level, fromlist) of the import statements."""
    constants = {}
    for _, _, number, a, b, c, wide, _ in _words(co.co_code):
        if number == opmap["LOAD_CONST"]:
            constants[a] = co.co_consts[wide]
        elif number == opmap["LOAD_INT"]:
            constants[a] = wide
        elif number == opmap["IMPORT_NAME"] and b in constants and b + 1 in constants:
            yield co.co_names[c], constants[b], constants[b + 1]


def _find_store_names(co):
    """The names of the variables of modules and classes that the code assigns to."""
    for _, _, number, _, _, _, wide, _ in _words(co.co_code):
        if number in (opmap["STORE_NAME"], opmap["STORE_GLOBAL"]):
            yield co.co_names[wide]


def _compile(source, name):
    try:
        return compile(source, name, "eval")
    except SyntaxError:
        return compile(source, name, "exec")


def _code_of(x):
    """The code object in a function, method, generator or the like; x itself if it holds none."""
    x = getattr(x, "__func__", x)
    for name in ("__code__", "gi_code", "ag_code", "cr_code"):
        if hasattr(x, name):
            return getattr(x, name)
    return x


def _get_code_object(x):
    x = _code_of(x)
    if isinstance(x, str):
        x = _compile(x, "<disassembly>")
    if hasattr(x, "co_code"):
        return x
    raise TypeError(f"don't know how to disassemble {type(x).__name__} objects")


def _labels(targets):
    return {offset: number for number, offset in enumerate(sorted(set(targets)), 1)}


def _get_instructions(co, line_offset=0, adaptive=False):
    entries = _exception_entries(co)
    decoded = _opcode.instructions(co, adaptive)
    labels = _labels([target * 2 for *_, target in decoded if target is not None] +
                     [offset for entry in entries for offset in entry[:3]])
    starts = dict(findlinestarts(co))
    positions = [Positions(*p) for p in co.co_positions()]
    code = co._co_code_adaptive if adaptive else co.co_code
    code = code[len(code) // 5:]
    line = None
    for at, following, number, operands, arg, argval, target in decoded:
        offset = at * 2
        if offset in starts:
            line = starts[offset]
            if line is not None:
                line += line_offset
        if target is not None:
            argval = target * 2
            operands += (f"to L{labels[argval]}",)
        cache = [("cache", following - at - 1, code[at * 8 + 8:following * 8])] if following > at + 1 else None
        yield Instruction(opname[number], number, arg, argval, ", ".join(operands), offset, offset,
                          offset in starts and line is not None, line, labels.get(offset),
                          positions[at] if at < len(positions) else None, cache)


def get_instructions(x, *, first_line=None, show_caches=None, adaptive=False):
    """The instructions of a function, method, source text or code object, one by one.

    first_line renumbers the lines. show_caches is without effect: every instruction tells of its caches itself.
    """
    co = _get_code_object(x)
    return _get_instructions(co, 0 if first_line is None else first_line - co.co_firstlineno, adaptive)


class _Layout:
    """How a listing is laid out in columns."""

    def __init__(self, lines=0, labels=0, offsets=0, positions=0, caches=False, width=24):
        self.lines, self.labels, self.offsets, self.positions = lines, labels, offsets, positions
        self.caches, self.width = caches, width

    @classmethod
    def of(cls, instructions, caches, offsets, positions):
        known = [i.line_number for i in instructions]
        lines = max((len(str(n)) for n in known if n is not None), default=0)
        spans = max((len(cls.span(i.positions)) for i in instructions), default=0)
        return cls(lines=max(lines, 3, 4 * (None in known)) if lines and not positions else 0,
                   labels=4 + len(str(max((i.label or 0 for i in instructions), default=0))),
                   offsets=max(4, len(str(instructions[-1].offset))) if offsets and instructions else 0,
                   positions=spans if positions else 0, caches=caches)

    @staticmethod
    def span(p):
        if p is None or all(x is None for x in p):
            return "--"
        line, end_line, column, end_column = ("?" if x is None else x for x in p)
        return f"{line}:{column}-{end_line}:{end_column}"

    def instruction(self, i, current=False):
        columns = []
        if self.positions:
            columns.append(self.span(i.positions).ljust(self.positions))
        if self.lines:
            line = "" if not i.starts_line else str(i.line_number)
            columns.append(("--" if i.line_number is None else line).rjust(self.lines))
        if self.labels:
            columns.append(("" if i.label is None else f"L{i.label}:").rjust(self.labels))
        columns.append("-->" if current else "   ")
        if self.offsets:
            columns.append(str(i.offset).rjust(self.offsets))
        columns.append(i.opname.ljust(self.width))
        columns.append(i.argrepr)
        text = " ".join(columns).rstrip()
        if self.caches and i.cache_info:
            indent = " " * (len(" ".join(columns[:-2])) + 3)
            for name, words, data in i.cache_info:
                for k in range(words):
                    text += f"\n{indent}{name} {int.from_bytes(data[k * 8:k * 8 + 8], 'little'):#018x}"
        return text


def _list(co, file, lasti=-1, line_offset=0, caches=False, adaptive=False, offsets=False, positions=False):
    instructions = list(_get_instructions(co, line_offset, adaptive))
    layout = _Layout.of(instructions, caches, offsets, positions)
    first = True
    for i in instructions:
        if layout.lines and i.starts_line and not first:
            print(file=file)
        first = False
        print(layout.instruction(i, i.offset <= lasti < i.end_offset), file=file)
    entries = _exception_entries(co)
    if entries:
        labels = {i.offset: i.label for i in instructions}
        end = instructions[-1].end_offset
        print("ExceptionTable:", file=file)
        for entry in entries:
            stop = "the end" if entry.end == end else f"L{labels[entry.end]}"
            print(f"  L{labels[entry.start]} to {stop} -> L{labels[entry.target]} in {entry.depth}", file=file)


def disassemble(co, lasti=-1, *, file=None, show_caches=False, adaptive=False, show_offsets=False, show_positions=False):
    """Lists a code object; lasti is the offset that an arrow points to."""
    _list(co, file, lasti, 0, show_caches, adaptive, show_offsets, show_positions)


disco = disassemble


def _disassemble_all(co, file, depth, options):
    disassemble(co, file=file, **options)
    if depth is not None:
        if depth <= 0:
            return
        depth -= 1
    for x in co.co_consts:
        if hasattr(x, "co_code"):
            print(file=file)
            print(f"Disassembly of {x!r}:", file=file)
            _disassemble_all(x, file, depth, options)


def dis(x=None, *, file=None, depth=None, show_caches=False, adaptive=False, show_offsets=False, show_positions=False):
    """Lists the code of a class, module, function, method, generator, source text or code object and what is inside it.

    Without an argument, lists the code of the last traceback.
    """
    options = dict(show_caches=show_caches, adaptive=adaptive, show_offsets=show_offsets, show_positions=show_positions)
    if x is None:
        distb(file=file, **options)
        return
    x = _code_of(x)
    if hasattr(x, "__dict__"):
        held = (types.MethodType, types.FunctionType, types.CodeType, classmethod, staticmethod, type)
        for name, member in sorted(vars(x).items()):
            if isinstance(member, held):
                print(f"Disassembly of {name}:", file=file)
                try:
                    dis(member, file=file, depth=depth, **options)
                except TypeError as error:
                    print("Sorry:", error, file=file)
                print(file=file)
    elif hasattr(x, "co_code"):
        _disassemble_all(x, file, depth, options)
    elif isinstance(x, (bytes, bytearray)):
        _list_bytes(x, file)
    elif isinstance(x, str):
        _disassemble_all(_compile(x, "<dis>"), file, depth, options)
    else:
        raise TypeError(f"don't know how to disassemble {type(x).__name__} objects")


def _list_bytes(code, file):
    labels = _labels(findlabels(code))
    width = 4 + len(str(len(labels)))
    for at, flags, number, a, b, c, wide, following in _words(code):
        label = f"L{labels[at * 2]}:" if at * 2 in labels else ""
        operands = f"A={a} B={b} C={c} flags={flags}"
        if _base_of.get(number) in hasjump:
            operands = f"A={a} to L{labels[(following + wide) * 2]} flags={flags}"
        print(f"{label:>{width}}     {opname[number]:<24} {operands}", file=file)


def distb(tb=None, *, file=None, show_caches=False, adaptive=False, show_offsets=False, show_positions=False):
    """Lists the code in which a traceback ends (default: the last one)."""
    if tb is None:
        if hasattr(sys, "last_exc"):
            tb = sys.last_exc.__traceback__
        elif hasattr(sys, "last_traceback"):
            tb = sys.last_traceback
        else:
            raise RuntimeError("no last traceback to disassemble")
        while tb.tb_next:
            tb = tb.tb_next
    disassemble(tb.tb_frame.f_code, tb.tb_lasti, file=file, show_caches=show_caches, adaptive=adaptive,
                show_offsets=show_offsets, show_positions=show_positions)


def code_info(x):
    """What there is to know of a function, method, source text or code object, as text."""
    return _format_code_info(_get_code_object(x))


def _format_code_info(co):
    lines = [f"{title + ':':<18} {value}" for title, value in (
        ("Name", co.co_name), ("Filename", co.co_filename), ("Argument count", co.co_argcount),
        ("Positional-only arguments", co.co_posonlyargcount), ("Kw-only arguments", co.co_kwonlyargcount),
        ("Number of locals", co.co_nlocals), ("Stack size", co.co_stacksize), ("Flags", pretty_flags(co.co_flags)))]
    for title, items, show in (("Constants", co.co_consts, repr), ("Names", co.co_names, str),
                               ("Variable names", co.co_varnames, str), ("Free variables", co.co_freevars, str),
                               ("Cell variables", co.co_cellvars, str)):
        if items:
            lines.append(title + ":")
            lines += [f"{i:4}: {show(item)}" for i, item in enumerate(items)]
    return "\n".join(lines)


def show_code(co, *, file=None):
    """Prints code_info()."""
    print(code_info(co), file=file)


class Bytecode:
    """The instructions of a function, method, generator, source text or code object."""

    def __init__(self, x, *, first_line=None, current_offset=None, show_caches=False, adaptive=False, show_offsets=False,
                 show_positions=False):
        self.codeobj = co = _get_code_object(x)
        self.first_line = co.co_firstlineno if first_line is None else first_line
        self.current_offset = current_offset
        self.exception_entries = _exception_entries(co)
        self.show_caches = show_caches
        self.adaptive = adaptive
        self.show_offsets = show_offsets
        self.show_positions = show_positions
        self._original_object = x

    def __iter__(self):
        return _get_instructions(self.codeobj, self.first_line - self.codeobj.co_firstlineno, self.adaptive)

    def __repr__(self):
        return f"{type(self).__name__}({self._original_object!r})"

    @classmethod
    def from_traceback(cls, tb, *, show_caches=False, adaptive=False):
        """The code in which a traceback ends."""
        while tb.tb_next:
            tb = tb.tb_next
        return cls(tb.tb_frame.f_code, current_offset=tb.tb_lasti, show_caches=show_caches, adaptive=adaptive)

    def info(self):
        """code_info() of the code."""
        return _format_code_info(self.codeobj)

    def dis(self):
        """The listing as text."""
        with io.StringIO() as output:
            _list(self.codeobj, output, -1 if self.current_offset is None else self.current_offset,
                  self.first_line - self.codeobj.co_firstlineno, self.show_caches, self.adaptive, self.show_offsets,
                  self.show_positions)
            return output.getvalue()


def main(args=None):
    import argparse
    parser = argparse.ArgumentParser(prog="python -m dis", color=True)
    parser.add_argument("-C", "--show-caches", action="store_true", help="show inline caches")
    parser.add_argument("-O", "--show-offsets", action="store_true", help="show instruction offsets")
    parser.add_argument("-P", "--show-positions", action="store_true", help="show instruction positions")
    parser.add_argument("-S", "--specialized", action="store_true", help="show specialized bytecode")
    parser.add_argument("infile", nargs="?", default="-")
    options = parser.parse_args(args)
    if options.infile == "-":
        name, source = "<stdin>", sys.stdin.buffer.read()
    else:
        name = options.infile
        with open(name, "rb") as file:
            source = file.read()
    dis(compile(source, name, "exec"), show_caches=options.show_caches, adaptive=options.specialized,
        show_offsets=options.show_offsets, show_positions=options.show_positions)


if __name__ == "__main__":
    main()
