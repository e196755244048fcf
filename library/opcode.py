"""The instruction set of the machine: names, numbers and properties, as the runtime's own table has them.

An instruction is one 64-bit word with three register operands, followed by its cache words. Numbers are not grouped:
use `hasarg` instead of HAVE_ARGUMENT; there are no prefixes, so that EXTENDED_ARG is no instruction's number.
"""

__all__ = ["cmp_op", "stack_effect", "hascompare", "opname", "opmap", "HAVE_ARGUMENT", "EXTENDED_ARG", "hasarg",
           "hasconst", "hasname", "hasjump", "hasjrel", "hasjabs", "hasfree", "haslocal", "hasexc"]

import builtins
import _opcode
from _opcode import stack_effect

opmap = {}                  # general instructions, those that the compiler emits
_specialized_opmap = {}     # forms that replace them while the code runs
_specializations = {}       # general name -> names of its special forms
_inline_cache_entries = {}  # name -> number of cache words
opname = ["<%r>" % op for op in range(256)]

for _name, _number, _base, _words in _opcode.table():
    opname[_number] = _name
    _inline_cache_entries[_name] = _words
    if _base == _number:
        opmap[_name] = _number
    else:
        _specialized_opmap[_name] = _number
        _specializations.setdefault(opname[_base], []).append(_name)
del _name, _number, _base, _words

HAVE_ARGUMENT = 0
EXTENDED_ARG = 256

cmp_op = ("<", "<=", "==", "!=", ">", ">=")


def _those(test):
    return [number for number in opmap.values() if test(number)]


hasarg = _those(_opcode.has_arg)
hasconst = _those(_opcode.has_const)
hasname = _those(_opcode.has_name)
hasjump = _those(_opcode.has_jump)
hasjrel = hasjump
hasjabs = []
hasfree = _those(_opcode.has_free)
haslocal = _those(_opcode.has_local)
hasexc = _those(_opcode.has_exc)
hascompare = [opmap[name] for name in ("LT", "LE", "EQ", "NE", "GT", "GE")]

_cache_format = {name: {"cache": words} for name, words in _inline_cache_entries.items() if words}
_common_constants = [builtins.AssertionError, builtins.NotImplementedError, builtins.tuple, builtins.all, builtins.any]
_special_method_names = _opcode.get_special_method_names()
_intrinsic_1_descs = _opcode.get_intrinsic1_descs()
_intrinsic_2_descs = _opcode.get_intrinsic2_descs()
_nb_ops = _opcode.get_nb_ops()
