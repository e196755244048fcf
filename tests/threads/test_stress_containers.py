"""Every pair of operations on one shared container (see stress.py)."""
import array
import bisect
import copy
import heapq
import pickle
import queue
import random
import unittest
from collections import ChainMap, Counter, OrderedDict, defaultdict, deque

from stress import Box, Case, test_class

MISSING = object()
CHANGED = (RuntimeError, IndexError, KeyError, ValueError)  # "changed during iteration", nothing left, not there


def consistent(o):
    n = len(list(o))
    assert len(o) == n, (len(o), n)
    repr(o)
    copy.copy(o)


def heap_ordered(o):
    consistent(o)
    if isinstance(o, list):
        sorted(o)


# --- what readers do; no reader may crash, or find what never was there

sequence_reads = {
    "index": lambda o, me: o[me.below(len(o) or 1)],
    "slice": lambda o, me: o[2:9],
    "stride": lambda o, me: o[::-2],
    "contains": lambda o, me: 5 in o,
    "count": lambda o, me: o.count(3),
    "find": lambda o, me: o.index(7),
    "iterate": lambda o, me: [x for x in o],
    "reversed": lambda o, me: list(reversed(o)),
    "equal": lambda o, me: (o == o.copy() if hasattr(o, "copy") else o == o[:]),
    "less": lambda o, me: o < o[:],
    "concat": lambda o, me: o + o,
    "repr": lambda o, me: repr(o),
    "copy": lambda o, me: copy.copy(o),
    "pickle": lambda o, me: pickle.loads(pickle.dumps(o)),
    "tuple": lambda o, me: tuple(o),
}
mapping_reads = {
    "get": lambda o, me: o.get(me.below(30)),
    "contains": lambda o, me: me.below(30) in o,
    "keys": lambda o, me: list(o),
    "items": lambda o, me: [k for k, v in o.items()],
    "values": lambda o, me: list(o.values()),
    "reversed": lambda o, me: list(reversed(o)),
    "views": lambda o, me: (o.keys() & {1, 2}, o.items() | set(), o.keys() == {1}),
    "equal": lambda o, me: o == o.copy(),
    "repr": lambda o, me: repr(o),
    "unpack": lambda o, me: {**o},
    "star": lambda o, me: [*o],
    "to dict": lambda o, me: dict(o),
    "pickle": lambda o, me: pickle.loads(pickle.dumps(o)),
}
set_reads = {
    "contains": lambda o, me: me.below(30) in o,
    "iterate": lambda o, me: [x for x in o],
    "union": lambda o, me: o | {1, -1},
    "intersection": lambda o, me: o & {1, 2, 3},
    "difference": lambda o, me: o - {1, 2, 3},
    "symmetric": lambda o, me: o ^ {1, -2},
    "subset": lambda o, me: (o <= {1, 2}, o >= {1}, o.isdisjoint({1})),
    "equal": lambda o, me: o == set(o),
    "repr": lambda o, me: repr(o),
    "frozen": lambda o, me: hash(frozenset(o)),
    "pickle": lambda o, me: pickle.loads(pickle.dumps(o)),
    "copy": lambda o, me: o.copy(),
}


def extend_in_place(o, me):
    me.add_many(o.__iadd__)


def grow_twice(o, me):
    if len(o) < 500:
        o *= 2


def delete_slice(o, me):
    del o[1:4]


def delete_stride(o, me):
    del o[::3]


def set_item(o, me):
    o[me.below(len(o) or 1)] = 1


def delete_item(o, me):
    del o[me.below(len(o) or 1)]


def set_slice(o, me):
    o[2:5] = o[:4]


def set_whole(o, me):
    o[:] = o


list_exact = {
    "append": lambda o, me: me.add(o.append),
    "extend": lambda o, me: me.add_many(o.extend),
    "extend from generator": lambda o, me: me.add_many(lambda xs: o.extend(x for x in xs)),
    "extend in place": extend_in_place,
    "insert": lambda o, me: me.add_at(o.insert, 3),
    "pop": lambda o, me: me.take(o.pop),
    "pop first": lambda o, me: me.take(o.pop, 0),
    "remove": lambda o, me: me.take_mine(o.remove),
    "sort": lambda o, me: o.sort(),
    "reverse": lambda o, me: o.reverse(),
    **{name: sequence_reads[name] for name in ("index", "slice", "iterate", "equal", "pickle")},
}
list_loose = {
    **sequence_reads,
    "clear": lambda o, me: (o.clear(), o.extend(range(20))),
    "init": lambda o, me: o.__init__(range(20)),
    "sort by key": lambda o, me: o.sort(key=lambda x: -x),
    "repeat": grow_twice,
    "set item": set_item,
    "set slice": set_slice,
    "set whole": set_whole,
    "delete item": delete_item,
    "delete slice": delete_slice,
    "delete stride": delete_stride,
    "unpack": lambda o, me: (lambda *a: a)(*o),
    "join": lambda o, me: ",".join(map(str, o)),
    "sum": lambda o, me: (sum(o), max(o, default=0), sorted(o)),
}


def set_key(o, me):
    me.add(lambda k: o.__setitem__(k, k))


def merge_in_place(o, me):
    me.add_many(lambda xs: o.__ior__(dict.fromkeys(xs)))


def pop_mine(o, me):
    """Under a ledger a key that this thread has added is there until it takes it, or another's popitem did."""
    if me.added:
        x = o.pop(me.added[-1], MISSING)
        if x is not MISSING:
            me.taken.append(me.added[-1])


dict_exact = {
    "set": set_key,
    "setdefault": lambda o, me: me.add(o.setdefault),
    "update": lambda o, me: me.add_many(o.update, dict.fromkeys),
    "update from pairs": lambda o, me: me.add_many(lambda xs: o.update([(x, 0) for x in xs])),
    "merge in place": merge_in_place,
    "pop": pop_mine,
    "popitem": lambda o, me: me.taken.append(o.popitem()[0]),
    **{name: mapping_reads[name] for name in ("get", "keys", "equal", "to dict")},
}
dict_loose = {
    **mapping_reads,
    "clear": lambda o, me: o.clear(),
    "refill": lambda o, me: o.update(dict.fromkeys(range(30), me.number)),
    "replace": lambda o, me: o.__setitem__(me.below(30), "value"),
    "delete": lambda o, me: o.__delitem__(me.below(30)),
    "init": lambda o, me: o.__init__({1: 2}),
    "copy": lambda o, me: o.copy(),
}
odict_exact = {
    **dict_exact,
    "popitem first": lambda o, me: me.taken.append(o.popitem(last=False)[0]),
    "move to end": lambda o, me: o.move_to_end(me.below(20)),
    "move to front": lambda o, me: o.move_to_end(me.below(20), last=False),
}
set_exact = {
    "add": lambda o, me: me.add(o.add),
    "update": lambda o, me: me.add_many(o.update),
    "update from set": lambda o, me: me.add_many(o.update, set),
    "or in place": lambda o, me: me.add_many(o.__ior__, set),
    "pop": lambda o, me: me.take(o.pop),
    "remove": lambda o, me: me.take_mine(o.remove),
    **{name: set_reads[name] for name in ("contains", "iterate", "union", "copy")},
}
set_loose = {
    **set_reads,
    "discard": lambda o, me: o.discard(me.below(30)),
    "clear": lambda o, me: (o.clear(), o.update(range(20))),
    "and in place": lambda o, me: o.__iand__({1, 2, 3, 4}),
    "minus in place": lambda o, me: o.__isub__({1, 2, 3}),
    "xor in place": lambda o, me: o.__ixor__({1, 2, 3}),
    "init": lambda o, me: o.__init__(range(20)),
}
deque_exact = {
    **{name: list_exact[name] for name in ("append", "extend", "extend in place", "pop", "remove", "reverse", "insert", "index")},
    "appendleft": lambda o, me: me.add(o.appendleft),
    "extendleft": lambda o, me: me.add_many(o.extendleft),
    "popleft": lambda o, me: me.take(o.popleft),
    "rotate": lambda o, me: o.rotate(3),
    "copy": lambda o, me: o.copy(),
}
deque_loose = {
    **{name: f for name, f in sequence_reads.items() if name not in ("slice", "stride", "less")},
    "clear": list_loose["clear"],
    "init": list_loose["init"],
    "repeat": grow_twice,
    "set item": set_item,
    "delete item": delete_item,
}
bytes_exact = {
    "append": lambda o, me: me.add_byte(o.append),
    "insert": lambda o, me: me.add_byte(lambda x: o.insert(2, x)),
    "extend": lambda o, me: me.add_byte(lambda x: o.extend([x])),
    "extend in place": lambda o, me: me.add_byte(lambda x: o.__iadd__(bytes([x]))),
    "pop": lambda o, me: me.take(o.pop),
    "pop first": lambda o, me: me.take(o.pop, 0),
    "reverse": lambda o, me: o.reverse(),
    "index": sequence_reads["index"],
    "slice": sequence_reads["slice"],
}


def look_through_view(o, me):
    with memoryview(o) as m:
        m[0] = m[-1]


bytearray_loose = {
    **sequence_reads,
    "clear": list_loose["clear"],
    "init": list_loose["init"],
    "repeat": grow_twice,
    "set item": set_item,
    "set slice": set_slice,
    "set whole": set_whole,
    "delete item": delete_item,
    "delete slice": delete_slice,
    "delete stride": delete_stride,
    "resize": lambda o, me: o.resize(40),
    "view": look_through_view,
    "bytes": lambda o, me: bytes(o),
    "decode": lambda o, me: o.decode("latin-1"),
    "search": lambda o, me: (o.find(b"\x07"), o.rfind(b"\x07"), o.startswith(b"\0"), b"\x05" in o),
    "split": lambda o, me: (o.split(b"\x05"), o.partition(b"\x06"), o.splitlines()),
    "replace": lambda o, me: (o.replace(b"\x03", b"--"), o.translate(None, b"\x04"), o.strip(), o.upper()),
    "join": lambda o, me: (o.join([b"a", b"b"]), b"".join([o, o])),
    "hex": lambda o, me: (o.hex(), o.isalnum(), o.zfill(50)),
    "int": lambda o, me: int.from_bytes(o, "little"),
}
array_loose = {
    **{name: f for name, f in bytearray_loose.items()
       if name not in ("clear", "init", "resize", "decode", "search", "split", "replace", "join", "hex", "int")},
    "frombytes": lambda o, me: o.frombytes(b"abcd"),
    "tobytes": lambda o, me: o.tobytes(),
    "tolist": lambda o, me: o.tolist(),
    "byteswap": lambda o, me: o.byteswap(),
    "buffer info": lambda o, me: o.buffer_info(),
}


def renew_view(o, me):
    old, o.view = o.view, memoryview(o.bytes)
    old.release()


memoryview_loose = {
    "renew": renew_view,
    "index": lambda o, me: o.view[3],
    "set": lambda o, me: o.view.__setitem__(me.below(64), 1),
    "set slice": lambda o, me: o.view.__setitem__(slice(0, 4), b"abcd"),
    "slice": lambda o, me: o.view[3:20][::2].tolist(),
    "cast": lambda o, me: o.view.cast("I")[2],
    "tobytes": lambda o, me: o.view.tobytes(),
    "hex": lambda o, me: o.view.hex(),
    "iterate": lambda o, me: list(o.view),
    "equal": lambda o, me: o.view == o.view[:],
    "readonly": lambda o, me: hash(memoryview(bytes(o.view))),
    "with": lambda o, me: o.view.toreadonly().__enter__().release(),
    "resize": lambda o, me: o.bytes.append(1),
    "info": lambda o, me: (o.view.shape, o.view.strides, o.view.format, o.view.nbytes, repr(o.view), len(o.view)),
}

cases = {
    "list": Case(lambda: list(range(20)), list_loose, list_exact, list, consistent, CHANGED),
    "dict": Case(lambda: dict.fromkeys(range(20), 0), dict_loose, dict_exact, list, consistent, CHANGED),
    "dict_of_names": Case(lambda: {f"n{i}": i for i in range(20)}, {
        **{name: mapping_reads[name] for name in ("keys", "unpack", "repr", "to dict")},
        "get": lambda o, me: o.get(f"n{me.below(30)}"),
        "set": lambda o, me: o.__setitem__(f"n{me.below(30)}", me.number),
        "set int": lambda o, me: o.__setitem__(me.below(5), me.number),
        "pop": lambda o, me: o.pop(f"n{me.below(30)}", None),
        "setdefault": lambda o, me: o.setdefault(f"n{me.below(30)}", 0),
        "clear": lambda o, me: o.clear(),
        "as keywords": lambda o, me: (lambda **k: k)(**o),
    }, check=consistent, allowed=(*CHANGED, TypeError)),
    "OrderedDict": Case(lambda: OrderedDict.fromkeys(range(20), 0), dict_loose, odict_exact, list, consistent, CHANGED),
    "defaultdict": Case(lambda: defaultdict(int, dict.fromkeys(range(20), 0)),
                        {**dict_loose, "init": lambda o, me: o.__init__(float), "missing": lambda o, me: o[me.below(40)]},
                        dict_exact, list, consistent, CHANGED),
    "Counter": Case(lambda: Counter(range(20)), {
        "count": lambda o, me: o.update([me.below(30)]), "subtract": lambda o, me: o.subtract([1, 2]),
        "common": lambda o, me: o.most_common(3), "plus": lambda o, me: o + o,
        "total": lambda o, me: o.total(), "clear": lambda o, me: o.clear(),
    }, check=consistent, allowed=CHANGED),
    "ChainMap": Case(lambda: ChainMap({1: 1}, dict.fromkeys(range(20))), {
        "get": lambda o, me: o[me.below(20)], "set": lambda o, me: o.__setitem__(me.below(9), 0),
        "pop": lambda o, me: o.pop(me.below(9)), "keys": lambda o, me: list(o), "child": lambda o, me: o.new_child(),
    }, check=consistent, allowed=CHANGED),
    "set": Case(lambda: set(range(20)), set_loose, set_exact, list, consistent, CHANGED),
    "frozenset": Case(lambda: frozenset(range(20)), set_reads, check=consistent),
    "deque": Case(lambda: deque(range(20)), deque_loose, deque_exact, list, consistent, CHANGED),
    "bounded_deque": Case(lambda: deque(range(10), 10), {
        **deque_loose, **deque_exact, "init": lambda o, me: o.__init__(range(20), 10),
    }, check=lambda o: (
        consistent(o), len(o) <= 10 or 1 / 0), allowed=CHANGED),
    "bytearray": Case(lambda: bytearray(range(20)), bytearray_loose, bytes_exact, list, consistent,
                      (*CHANGED, BufferError)),
    "array": Case(lambda: array.array("i", range(20)), array_loose, {
        **bytes_exact, "extend in place": lambda o, me: me.add_many(o.__iadd__, lambda xs: array.array("i", xs)),
        "insert": list_exact["insert"], "remove": list_exact["remove"], "fromlist": lambda o, me: me.add_many(o.fromlist),
    }, list, consistent, (*CHANGED, BufferError)),
    "memoryview": Case(lambda: (lambda b: Box(bytes=b, view=memoryview(b)))(bytearray(64)), memoryview_loose,
                       allowed=(ValueError, BufferError, TypeError, IndexError)),
    "heapq": Case(lambda: list(range(20)), {
        "heapify": lambda o, me: heapq.heapify(o), "replace": lambda o, me: heapq.heapreplace(o, 7),
        "smallest": lambda o, me: heapq.nsmallest(3, o), "append": lambda o, me: o.append(3),
        "clear": lambda o, me: o.clear(),
    }, {
        "push": lambda o, me: me.add(lambda x: heapq.heappush(o, x)), "pop": lambda o, me: me.take(heapq.heappop, o),
        "pushpop": lambda o, me: me.add(lambda x: me.take(heapq.heappushpop, o, x)),
    }, list, heap_ordered, CHANGED),
    "bisect": Case(lambda: list(range(20)), {"clear": lambda o, me: o.clear(), "reverse": lambda o, me: o.reverse()}, {
        "left": lambda o, me: me.add(lambda x: bisect.insort_left(o, x)),
        "right": lambda o, me: me.add(lambda x: bisect.insort(o, x)),
        "by key": lambda o, me: me.add(lambda x: bisect.insort(o, x, key=int)),
        "find": lambda o, me: bisect.bisect(o, 7), "pop": list_exact["pop"],
    }, list, consistent, CHANGED),
    "SimpleQueue": Case(lambda: queue.SimpleQueue(), {
        "look": lambda o, me: (o.qsize(), o.empty()), "get with timeout": lambda o, me: o.get(timeout=1e-5),
    }, {
        "put": lambda o, me: me.add(o.put), "get": lambda o, me: me.take(o.get_nowait),
        "put and get": lambda o, me: (me.add(o.put), me.take(lambda: o.get(timeout=1e-3))),
    }, lambda o: [o.get() for _ in range(o.qsize())], allowed=queue.Empty),
    "shuffled_list": Case(lambda: list(range(20)), {
        "shuffle": lambda o, me: random.shuffle(o), "choice": lambda o, me: random.choice(o),
        "sort": lambda o, me: o.sort(), "sample": lambda o, me: random.sample(o, 3),
    }, check=lambda o: (consistent(o), len(o) == 20 or 1 / 0), allowed=CHANGED),
}
Pairs = test_class(cases)

if __name__ == "__main__":
    unittest.main()
