"""Every pair of operations on one shared iterator, while what it iterates over changes (see stress.py)."""
import array
import copy
import itertools
import operator
import unittest
from collections import OrderedDict, deque

from stress import Box, Case, test_class


class OldSequence:
    """Iterable through __getitem__ alone."""

    def __init__(self, n):
        self.n = n

    def __getitem__(self, i):
        if i >= self.n:
            raise IndexError(i)
        return i

    def __len__(self):
        return self.n


def take(o, me):
    try:
        return next(o.iterator)
    except StopIteration:
        o.iterator = o.renew()


def set_state(o, me):
    o.iterator.__setstate__(me.below(6))


def iteration(make, change=None, source=lambda: None, **more):
    """A case for the iterators that make(source()) gives; `change` mutates the source."""
    def box():
        s = source()
        o = Box(source=s, renew=lambda: make(s))
        o.iterator = o.renew()
        return o
    operations = {
        "next": take,
        "next three": lambda o, me: [take(o, me) for _ in range(3)],
        "rest": lambda o, me: list(itertools.islice(o.iterator, 30)),
        "hint": lambda o, me: operator.length_hint(o.iterator),
        "reduce": lambda o, me: o.iterator.__reduce__(),
        "copy": lambda o, me: list(itertools.islice(copy.copy(o.iterator), 9)),
        "renew": lambda o, me: setattr(o, "iterator", o.renew()),
        "repr": lambda o, me: repr(o.iterator),
        "iter": lambda o, me: iter(o.iterator),
        **more,
    }
    if hasattr(make(source()), "__setstate__"):
        operations["set state"] = set_state
    if change:
        operations["change"] = lambda o, me: change(o.source, me)
    return Case(box, operations, allowed=(RuntimeError, TypeError, ValueError, IndexError, KeyError, StopIteration))


def grow_and_shrink(s, me):
    if me.below(2):
        s.append(me.below(100))
    else:
        s.pop()


def change_dict(d, me):
    k = me.below(60)
    if d.pop(k, None) is None:
        d[k] = k


def change_set(s, me):
    s ^= {me.below(60)}


def list_of_20():
    return list(range(20))


def dict_of_20():
    return dict.fromkeys(range(20), 1)


def pairs_of(make_one):
    """The case of an itertools object over a shared list that changes."""
    return iteration(make_one, grow_and_shrink, list_of_20)


cases = {
    "list": iteration(iter, grow_and_shrink, list_of_20, clear=lambda o, me: o.source.clear()),
    "list_reversed": iteration(reversed, grow_and_shrink, list_of_20, clear=lambda o, me: o.source.clear()),
    "tuple": iteration(iter, source=lambda: tuple(range(20))),
    "str": iteration(iter, source=lambda: "abc\xe9\u20ac\U0001f600" * 3),
    "ascii_str": iteration(iter, source=lambda: "abcdef" * 3),
    "bytes": iteration(iter, source=lambda: b"abcdef" * 3),
    "bytearray": iteration(iter, grow_and_shrink, lambda: bytearray(b"abcdef" * 3)),
    "memoryview": iteration(iter, source=lambda: memoryview(b"abcdef" * 3)),
    "range": iteration(iter, source=lambda: range(20)),
    "long_range": iteration(iter, source=lambda: range(2**70, 2**70 + 20)),
    "array": iteration(iter, grow_and_shrink, lambda: array.array("i", range(20))),
    "deque": iteration(iter, grow_and_shrink, lambda: deque(range(20))),
    "deque_reversed": iteration(reversed, grow_and_shrink, lambda: deque(range(20))),
    "dict": iteration(iter, change_dict, dict_of_20, clear=lambda o, me: o.source.clear()),
    "dict_values": iteration(lambda d: iter(d.values()), change_dict, dict_of_20),
    "dict_items": iteration(lambda d: iter(d.items()), change_dict, dict_of_20, clear=lambda o, me: o.source.clear()),
    "dict_reversed": iteration(lambda d: reversed(d.items()), change_dict, dict_of_20),
    "OrderedDict": iteration(lambda d: iter(d.items()), change_dict, lambda: OrderedDict.fromkeys(range(20))),
    "OrderedDict_reversed": iteration(reversed, change_dict, lambda: OrderedDict.fromkeys(range(20))),
    "set": iteration(iter, change_set, lambda: set(range(20)), clear=lambda o, me: o.source.clear()),
    "sequence": iteration(iter, source=lambda: OldSequence(20)),
    "sequence_reversed": iteration(reversed, source=lambda: OldSequence(20)),
    "callable": iteration(lambda it: iter(lambda: next(it, 20), 20), source=lambda: itertools.cycle(range(21))),
    "enumerate": pairs_of(enumerate),
    "enumerate_from_long": pairs_of(lambda l: enumerate(l, 2**62)),
    "zip": pairs_of(lambda l: zip(l, iter(l))),
    "zip_strict": pairs_of(lambda l: zip(l, range(20), strict=True)),
    "map": pairs_of(lambda l: map(operator.add, l, l)),
    "filter": pairs_of(lambda l: filter(None, l)),
    "accumulate": pairs_of(itertools.accumulate),
    "batched": pairs_of(lambda l: itertools.batched(l, 3)),
    "chain": pairs_of(lambda l: itertools.chain(l, l, (1, 2))),
    "chain_from_iterable": pairs_of(lambda l: itertools.chain.from_iterable([l, l])),
    "combinations": pairs_of(lambda l: itertools.combinations(l[:6], 3)),
    "combinations_with_replacement": pairs_of(lambda l: itertools.combinations_with_replacement(l[:5], 3)),
    "permutations": pairs_of(lambda l: itertools.permutations(l[:5])),
    "product": pairs_of(lambda l: itertools.product(l[:4], repeat=3)),
    "compress": pairs_of(lambda l: itertools.compress(l, itertools.cycle([1, 0]))),
    "count": iteration(lambda _: itertools.count()),
    "count_beyond_words": iteration(lambda _: itertools.count(2**63 - 5)),
    "count_fractions": iteration(lambda _: itertools.count(0.5, 0.25)),
    "cycle": pairs_of(itertools.cycle),
    "dropwhile": pairs_of(lambda l: itertools.dropwhile(lambda x: x < 3, l)),
    "takewhile": pairs_of(lambda l: itertools.takewhile(lambda x: x < 16, l)),
    "filterfalse": pairs_of(lambda l: itertools.filterfalse(None, l)),
    "groupby": pairs_of(lambda l: itertools.groupby(l, lambda x: x // 3)),
    "groups": pairs_of(lambda l: (list(g) for _, g in itertools.groupby(l, lambda x: x // 3))),
    "islice": pairs_of(lambda l: itertools.islice(l, 2, 15, 3)),
    "pairwise": pairs_of(itertools.pairwise),
    "repeat": iteration(lambda _: itertools.repeat(object(), 20)),
    "starmap": pairs_of(lambda l: itertools.starmap(pow, zip(l, l))),
    "tee": pairs_of(lambda l: itertools.tee(l)[1]),
    "zip_longest": pairs_of(lambda l: itertools.zip_longest(l, range(25))),
    # Numbers that no two threads may get, and none may be left out.
    "count_is_atomic": Case(lambda: Box(it=itertools.count(), got=[]), exact={
        "next": lambda o, me: o.got.append(next(o.it)),
        "repr": lambda o, me: repr(o.it),
    }, check=lambda o: sorted(o.got) == list(range(len(o.got))) or 1 / 0),
    "tees_of_one": Case(lambda: Box(tees=itertools.tee(range(400), 4), got=[[], [], [], []]), {
        "next": lambda o, me: o.got[me.number % 4].append(next(o.tees[me.number % 4])),
        "look": lambda o, me: list(itertools.islice(copy.copy(o.tees[3]), 9)),
    }, check=lambda o: all(g == list(range(len(g))) for g in o.got) or 1 / 0, allowed=(StopIteration, RuntimeError)),
}
Pairs = test_class(cases)

if __name__ == "__main__":
    unittest.main()
