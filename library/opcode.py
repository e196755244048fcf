"""The instruction set of the machine: names, numbers and properties, as the runtime's own table has them.

An instruction is one 64-bit word with three register operands, followed by its cache words. Numbers are not grouped:
use `hasarg` instead of HAVE_ARGUMENT; there are no prefixes, so that EXTENDED_ARG is no instruction's number.

Programs that look for CPython's instructions by name find names that this machine lacks among the pseudo-instructions:
their numbers, from EXTENDED_ARG upwards, never occur in code. A few are other names of instructions of this machine. What such
programs want of co_code is in its first part, which has two bytes for each word as CPython's has, with CACHE for cache words; the
words themselves are behind it.
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

opmap["CACHE"] = 255
opname[255] = "CACHE"
for _name, _own in (("JUMP_FORWARD", "JUMP"), ("JUMP_BACKWARD", "JUMP_BACK"), ("RETURN_VALUE", "RETURN")):
    opmap[_name] = opmap[_own]
del _own

# What CPython 3.14 has and this machine has not.
_foreign_names = """
EXTENDED_ARG
ANNOTATIONS_PLACEHOLDER BINARY_OP BINARY_SLICE CALL_FUNCTION_EX CALL_INTRINSIC_1 CALL_INTRINSIC_2
COMPARE_OP CONTAINS_OP CONVERT_VALUE END_FOR END_SEND ENTER_EXECUTOR EXIT_INIT_CHECK INSTRUMENTED_CALL
INSTRUMENTED_CALL_FUNCTION_EX INSTRUMENTED_CALL_KW INSTRUMENTED_END_ASYNC_FOR INSTRUMENTED_END_FOR
INSTRUMENTED_END_SEND INSTRUMENTED_FOR_ITER INSTRUMENTED_INSTRUCTION INSTRUMENTED_JUMP_BACKWARD
INSTRUMENTED_JUMP_FORWARD INSTRUMENTED_LINE INSTRUMENTED_LOAD_SUPER_ATTR INSTRUMENTED_NOT_TAKEN
INSTRUMENTED_POP_ITER INSTRUMENTED_POP_JUMP_IF_FALSE INSTRUMENTED_POP_JUMP_IF_NONE
INSTRUMENTED_POP_JUMP_IF_NOT_NONE INSTRUMENTED_POP_JUMP_IF_TRUE INSTRUMENTED_RESUME INSTRUMENTED_RETURN_VALUE
INSTRUMENTED_YIELD_VALUE INTERPRETER_EXIT IS_OP JUMP_BACKWARD_NO_INTERRUPT
JUMP_NO_INTERRUPT LOAD_CLOSURE LOAD_FAST LOAD_FAST_AND_CLEAR LOAD_FAST_BORROW LOAD_FAST_BORROW_LOAD_FAST_BORROW
LOAD_FAST_CHECK LOAD_FAST_LOAD_FAST LOAD_SMALL_INT NOT_TAKEN POP_BLOCK POP_ITER POP_JUMP_IF_FALSE
POP_JUMP_IF_NONE POP_JUMP_IF_NOT_NONE POP_JUMP_IF_TRUE POP_TOP PUSH_NULL RAISE_VARARGS RESERVED
SETUP_CLEANUP SETUP_FINALLY SETUP_WITH SET_FUNCTION_ATTRIBUTE STORE_FAST STORE_FAST_LOAD_FAST
STORE_FAST_MAYBE_NULL STORE_FAST_STORE_FAST SWAP UNARY_INVERT UNARY_NEGATIVE UNARY_NOT
"""
for _number, _name in enumerate(_foreign_names.split(), EXTENDED_ARG):
    opmap[_name] = _number
    opname.append(_name)
del _number, _name, _foreign_names
