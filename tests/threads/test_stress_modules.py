"""Every pair of operations on one shared object of a C-coded module of the standard library (see stress.py)."""
import collections
import csv
import datetime
import decimal
import fractions
import functools
import hashlib
import io
import json
import logging
import operator
import pickle
import random
import re
import struct
import tempfile
import threading
import types
import unittest
import zlib

from stress import Box, Case, test_class

CHANGED = (RuntimeError, IndexError, KeyError, ValueError)


# --- io

def write_numbers(o, me):
    me.add(lambda n: o.write(b"%8d" % n))


def bytes_written(o):
    return [int(x) for x in o.getvalue().decode().split()]


def texts_written(o):
    return [int(x) for x in o.getvalue().split()]


stream_operations = {
    "read": lambda o, me: o.read(5),
    "read all": lambda o, me: o.read(),
    "line": lambda o, me: o.readline(),
    "lines": lambda o, me: o.readlines(),
    "next": lambda o, me: next(o),
    "seek": lambda o, me: o.seek(me.below(30)),
    "seek to end": lambda o, me: o.seek(0, 2),
    "tell": lambda o, me: o.tell(),
    "truncate": lambda o, me: o.truncate(20),
    "flush": lambda o, me: o.flush(),
}
text_operations = {**stream_operations, "write text": lambda o, me: o.write("some text\n"),
                   "write lines": lambda o, me: o.writelines(["a\n", "b\n"])}
byte_operations = {**stream_operations, "write text": lambda o, me: o.write(b"some bytes\n"),
                   "write lines": lambda o, me: o.writelines([b"a\n", b"b\n"]),
                   "into": lambda o, me: o.readinto(bytearray(7)), "read1": lambda o, me: o.read1(4)}


def view_buffer(o, me):
    with o.getbuffer() as view:
        if view:
            view[0] = 32


def random_access():
    return io.BufferedRandom(tempfile.TemporaryFile(buffering=0), 64)


def text_file(newline="\n"):
    return io.TextIOWrapper(io.BytesIO(b"first line\nsecond line\n" * 4), encoding="utf-8", newline=newline)


# --- functools

def make_cache(**options):
    calls = []

    @functools.lru_cache(**options)
    def cached(x):
        calls.append(x)
        return [x]
    return Box(f=cached, calls=calls)


def check_cache(o):
    info = o.f.cache_info()
    assert info.maxsize is None or info.currsize <= info.maxsize, info


cache_operations = {
    "call": lambda o, me: o.f(me.below(12))[0] == 5,
    "call new": lambda o, me: o.f(1000 + me.below(1000)),
    "clear": lambda o, me: o.f.cache_clear(),
    "info": lambda o, me: o.f.cache_info(),
    "parameters": lambda o, me: o.f.cache_parameters(),
    "wrapped": lambda o, me: o.f.__wrapped__(3),
    "unhashable": lambda o, me: o.f([]),
}


def renew_state(o, me):
    o.__setstate__((pow, (2, 3), {}, {"a": me.number}))


def count_locked(o, me):
    with o.lock:
        o.n += 1
    me.added.append("n")


def try_lock(o, me):
    if o.lock.acquire(blocking=False):
        o.n += 1
        o.lock.release()
        me.added.append("n")


def count_twice(o, me):
    with o.again, o.again:
        o.m += 1
    me.added.append("m")


def buffered_writer():
    raw = io.BytesIO()
    return Box(raw=raw, writer=io.BufferedWriter(raw, 32))


def flushed(o):
    o.writer.flush()
    return bytes_written(o.raw)


# --- re, struct, json, pickle, csv: the objects are immutable, what they work on is not

pattern = re.compile(r"(?P<word>\w+)\s*=\s*(\d+)")
text = "alpha = 1, beta = 22, gamma = 333"
record = struct.Struct("<ihq")
things = {"list": [1, 2.5, None, True, "text"], "map": {"a": {"b": [1]}}, "text": "\xe9\u20ac"}


def writer_of(o):
    return csv.writer(o, quoting=csv.QUOTE_ALL)


def nested():
    return {"list": list(range(10)), "map": {f"k{i}": i for i in range(10)}, "set": set(range(9)), "array": bytearray(b"abc")}


def change_list(o, me):
    o["list"].append([1]) if len(o["list"]) < 30 else o["list"].clear()


def change_map(o, me):
    k = f"k{me.below(20)}"
    if o["map"].pop(k, None) is None:
        o["map"][k] = {"x": me.number}


def change_set(o, me):
    o["set"] ^= {me.below(20)}


def change_array(o, me):
    if len(o["array"]) < 40:
        o["array"] += b"xy"
    else:
        o["array"].clear()


mutating_container = {
    "change list": change_list,
    "change map": change_map,
    "change set": change_set,
    "change array": change_array,
    "pickle": lambda o, me: pickle.loads(pickle.dumps(o)),
    "pickle old": lambda o, me: pickle.loads(pickle.dumps(o, 0)),
    "json": lambda o, me: json.loads(json.dumps([o["list"], o["map"]])),
    "json indented": lambda o, me: json.dumps(o["map"], indent=1, sort_keys=True),
    "repr": lambda o, me: repr(o),
    "compare": lambda o, me: o == o["map"] or o["list"] < o["list"],
    "format": lambda o, me: f"{o} {o['list']!r}" + "%s" % o["map"],
    "join": lambda o, me: "".join([str(x) for x in o["list"]]),
    "sum": lambda o, me: sum([x for x in o["list"] if type(x) is int]),
}
pickler_operations = {
    "dump": lambda o, me: o.dump([1, "two", {"three": 3}]),
    "clear memo": lambda o, me: o.clear_memo(),
    "memo": lambda o, me: len(o.memo.copy()),
    "table": lambda o, me: setattr(o, "dispatch_table", {}),
    "fast": lambda o, me: setattr(o, "fast", False),
}


def unpickler():
    return pickle.Unpickler(io.BytesIO(b"".join(pickle.dumps([i, str(i), {"a": i}]) for i in range(200))))


# --- compression, random numbers, random numbers

def check_zlib(o):
    o.flush()


generator_state = random.Random(1).getstate()

ODD = (TypeError, ValueError, EOFError, AttributeError, pickle.PickleError, RuntimeError, KeyError, IndexError)
cases = {
    "StringIO": Case(io.StringIO, {**text_operations, "value": lambda o, me: o.getvalue(),
                                   "state": lambda o, me: o.__setstate__(("abc\n", "\n", 0, None)),
                                   "read state": lambda o, me: o.__getstate__(), "newlines": lambda o, me: o.newlines},
                     {"write": lambda o, me: me.add(lambda n: o.write("%8d" % n)), "value": lambda o, me: o.getvalue()},
                     texts_written, allowed=StopIteration),
    "BytesIO": Case(io.BytesIO, {**byte_operations, "view": view_buffer, "state": lambda o, me: o.__setstate__((b"a", 0, None)),
                                 "read state": lambda o, me: o.__getstate__(), "value": lambda o, me: o.getvalue()},
                    {"write": write_numbers, "value": lambda o, me: o.getvalue()}, bytes_written,
                    allowed=(StopIteration, BufferError)),
    "BufferedRandom": Case(random_access, {**byte_operations, "peek": lambda o, me: o.peek(3)},
                           check=lambda o: o.close(), allowed=StopIteration),
    "BufferedReader": Case(lambda: io.BufferedReader(io.BytesIO(b"some line\n" * 50), 32), {
        **{n: f for n, f in byte_operations.items() if n not in ("truncate", "write text", "write lines")},
        "peek": lambda o, me: o.peek(3)}, allowed=StopIteration),
    "BufferedWriter": Case(buffered_writer, {
        "lines": lambda o, me: o.writer.writelines([b"   1", b"    2"]), "tell": lambda o, me: o.writer.tell(),
        "repr": lambda o, me: repr(o.writer),
    }, {
        "write": lambda o, me: write_numbers(o.writer, me), "flush": lambda o, me: o.writer.flush(),
        "write long": lambda o, me: me.add(lambda n: o.writer.write(b"%80d" % n)),
    }, flushed),
    "TextIOWrapper": Case(text_file, {
        **text_operations, "reconfigure": lambda o, me: o.reconfigure(line_buffering=True),
        "detach": lambda o, me: o.detach(), "start again": lambda o, me: o.__init__(
            io.BytesIO(b"other lines\n" * 9), encoding=me.random.choice(["utf-8", "ascii", "cp1252", "utf-16"])),
        "below": lambda o, me: (o.buffer, o.closed, o.seekable(), o.name),
        "attributes": lambda o, me: (o.encoding, o.errors, o.newlines, o.line_buffering, repr(o))},
        allowed=(StopIteration, OSError, ValueError, AssertionError, AttributeError)),
    "lru_cache": Case(lambda: make_cache(maxsize=8), cache_operations, check=check_cache, allowed=TypeError),
    "cache": Case(lambda: make_cache(maxsize=None), cache_operations, check=check_cache, allowed=TypeError),
    "partial": Case(lambda: functools.partial(pow, 2, 3), {
        "call": lambda o, me: o(), "call more": lambda o, me: o(5), "state": renew_state, "reduce": lambda o, me: o.__reduce__(),
        "repr": lambda o, me: repr(o), "parts": lambda o, me: (o.func, o.args, o.keywords),
        "dict": lambda o, me: (setattr(o, "x", 1), vars(o).copy()), "keywords": lambda o, me: o.keywords.update(z=1),
        "drop keywords": lambda o, me: o.keywords.clear(), "nest": lambda o, me: functools.partial(o, 1),
    }, allowed=(TypeError, AttributeError, RuntimeError)),
    "reduce": Case(lambda: list(range(20)), {
        "reduce": lambda o, me: functools.reduce(operator.add, o, 0), "change": lambda o, me: o.append(o.pop()),
        "key": lambda o, me: sorted(o, key=functools.cmp_to_key(lambda a, b: a - b)),
        "getter": lambda o, me: operator.itemgetter(1, 2)(o), "caller": lambda o, me: operator.methodcaller("count", 1)(o),
    }, allowed=IndexError),
    "pattern": Case(lambda: pattern, {
        "search": lambda o, me: o.search(text)["word"], "findall": lambda o, me: o.findall(text),
        "sub": lambda o, me: o.sub(r"\2", text), "sub with function": lambda o, me: o.sub(lambda m: m[1], text),
        "split": lambda o, me: o.split(text), "iterate": lambda o, me: [m.span() for m in o.finditer(text)],
        "compile": lambda o, me: re.compile(f"a{me.below(600)}"), "purge": lambda o, me: re.purge(),
        "repr": lambda o, me: (repr(o), hash(o), o == pattern, o.groupindex["word"]),
    }),
    "match": Case(lambda: pattern.search(text), {
        "group": lambda o, me: o.group(1, "word"), "groups": lambda o, me: (o.groups(), o.groupdict()),
        "span": lambda o, me: (o.span(), o.regs, o.lastindex), "expand": lambda o, me: o.expand(r"\1"),
        "copy": lambda o, me: o.__copy__(), "string": lambda o, me: o.string[o.start():o.end()],
    }),
    "scanner": Case(lambda: Box(i=pattern.finditer(text * 50), s=pattern.scanner(text * 50)), {
        "next": lambda o, me: next(o.i)[0], "search": lambda o, me: o.s.search()[0], "match": lambda o, me: o.s.match(),
    }, allowed=(StopIteration, TypeError, ValueError)),
    "struct": Case(lambda: bytearray(record.size * 4), {
        "pack": lambda o, me: record.pack_into(o, 0, 1, 2, 3), "unpack": lambda o, me: record.unpack_from(o, 0),
        "iterate": lambda o, me: list(record.iter_unpack(bytes(o))), "cached": lambda o, me: struct.pack(f"<{me.below(150)}x"),
        "clear cache": lambda o, me: struct._clearcache(), "resize": lambda o, me: o.append(0),
        "iterate shared": lambda o, me: list(record.iter_unpack(o)),
    }, allowed=(BufferError, struct.error)),
    "Random": Case(random.Random, {
        "random": lambda o, me: 0 <= o.random() < 1 or 1 / 0, "bits": lambda o, me: o.getrandbits(100),
        "seed": lambda o, me: o.seed(me.number), "get state": lambda o, me: o.getstate(),
        "set state": lambda o, me: o.setstate(generator_state), "integer": lambda o, me: o.randrange(10**20),
        "gauss": lambda o, me: o.gauss(), "shuffle": lambda o, me: o.shuffle(list(range(9))),
        "sample": lambda o, me: o.sample(range(100), 5), "choices": lambda o, me: o.choices([1, 2], k=5),
        "bytes": lambda o, me: o.randbytes(9),
    }),
    "hash_object": Case(hashlib.blake2b, {
        "update": lambda o, me: o.update(b"abc"), "update much": lambda o, me: o.update(bytes(5000)),
        "digest": lambda o, me: o.digest(), "hex": lambda o, me: o.hexdigest(), "copy": lambda o, me: o.copy().digest(),
        "attributes": lambda o, me: (o.name, o.digest_size, o.block_size),
    }),
    "crc_and_compress": Case(lambda: zlib.compressobj(), {
        "compress": lambda o, me: o.compress(b"some text" * 20), "flush": lambda o, me: o.flush(zlib.Z_SYNC_FLUSH),
        "copy": lambda o, me: o.copy().flush(), "crc": lambda o, me: zlib.crc32(bytes(6000)),
    }, check=check_zlib),
    "decompress": Case(lambda: Box(d=zlib.decompressobj(), data=zlib.compress(bytes(range(256)) * 100)), {
        "decompress": lambda o, me: o.d.decompress(o.data, 100), "tail": lambda o, me: (o.d.unconsumed_tail, o.d.unused_data, o.d.eof),
        "flush": lambda o, me: o.d.flush(), "copy": lambda o, me: o.d.copy(), "renew": lambda o, me: setattr(o, "d", zlib.decompressobj()),
    }, allowed=(zlib.error, ValueError)),
    "containers_that_change": Case(nested, mutating_container, allowed=(*CHANGED, BufferError, TypeError)),
    "pickler": Case(lambda: pickle.Pickler(io.BytesIO()), pickler_operations, allowed=ODD),
    "unpickler": Case(unpickler, {
        "load": lambda o, me: o.load(), "memo": lambda o, me: o.memo.copy(), "set memo": lambda o, me: setattr(o, "memo", {}),
        "class": lambda o, me: o.find_class("builtins", "int"),
    }, allowed=ODD),
    "csv_writer": Case(lambda: (lambda b: Box(buffer=b, writer=writer_of(b)))(io.StringIO()), {
        "row": lambda o, me: o.writer.writerow([1, "two", None]), "rows": lambda o, me: o.writer.writerows([[1], [2.5]]),
        "dialect": lambda o, me: o.writer.dialect.delimiter, "register": lambda o, me: csv.register_dialect(f"d{me.below(5)}"),
        "unregister": lambda o, me: csv.unregister_dialect(f"d{me.below(5)}"), "list": lambda o, me: csv.list_dialects(),
        "limit": lambda o, me: csv.field_size_limit(), "get": lambda o, me: csv.get_dialect(f"d{me.below(5)}"),
    }, allowed=csv.Error),
    "csv_reader": Case(lambda: csv.reader(iter(['a,"b,c",d\n', "1,2,3\n"] * 300)), {
        "next": lambda o, me: next(o), "line": lambda o, me: o.line_num, "dialect": lambda o, me: o.dialect.quotechar,
        "several": lambda o, me: [row for row, _ in zip(o, range(3))],
    }, allowed=(StopIteration, csv.Error)),
    "json_coders": Case(lambda: Box(d=json.JSONDecoder(), e=json.JSONEncoder()), {
        "decode": lambda o, me: o.d.decode('{"a": [1, 2.5, null, "x"], "b": {"a": 1}}'), "encode": lambda o, me: o.e.encode(things),
        "iterate": lambda o, me: list(o.e.iterencode(things)), "fail": lambda o, me: o.d.decode("{"),
    }, allowed=ValueError),
    "numbers": Case(lambda: Box(d=decimal.Decimal("1.5"), f=fractions.Fraction(1, 3), i=10**40), {
        "decimal": lambda o, me: o.d * o.d / 3, "fraction": lambda o, me: o.f + o.f, "int": lambda o, me: o.i * o.i // 7,
        "hash": lambda o, me: (hash(o.d), hash(o.f), hash(o.i)), "text": lambda o, me: (str(o.d), str(o.f), int(str(o.i))),
        "context": lambda o, me: setattr(decimal.getcontext(), "prec", 20 + me.below(5)),
    }),
    "datetime": Case(lambda: Box(t=datetime.datetime(2024, 1, 2, 3, 4, 5)), {
        "add": lambda o, me: o.t + datetime.timedelta(days=1), "format": lambda o, me: (o.t.isoformat(), f"{o.t:%Y-%m-%d}"),
        "hash": lambda o, me: hash(o.t), "parse": lambda o, me: datetime.datetime.fromisoformat("2024-01-02T03:04:05"),
        "strptime": lambda o, me: datetime.datetime.strptime("2024-01-02", "%Y-%m-%d"), "zone": lambda o, me: o.t.astimezone(datetime.UTC),
    }),
    "namedtuple": Case(lambda: collections.namedtuple("N", "a b", defaults=(2,)), {
        "make": lambda o, me: o(1).b, "make from": lambda o, me: o._make([1, 2]), "replace": lambda o, me: o(1, 2)._replace(a=3),
        "fields": lambda o, me: (o._fields, o._field_defaults), "repr": lambda o, me: repr(o(1)), "dict": lambda o, me: o(1)._asdict(),
    }),
    "namespace_update": Case(types.SimpleNamespace, {
        "set": lambda o, me: setattr(o, f"n{me.below(9)}", 1), "delete": lambda o, me: delattr(o, f"n{me.below(9)}"),
        "repr": lambda o, me: repr(o), "equal": lambda o, me: o == types.SimpleNamespace(a=1), "copy": lambda o, me: o.__reduce__(),
    }, allowed=(AttributeError, RuntimeError)),
    "locks": Case(lambda: Box(lock=threading.Lock(), again=threading.RLock(), n=0, m=0, semaphore=threading.Semaphore(2)), exact={
        "lock": count_locked, "try": try_lock,
        "recursive": count_twice, "look": lambda o, me: (o.lock.locked(), repr(o.lock), repr(o.again)),
        "semaphore": lambda o, me: o.semaphore.acquire() and o.semaphore.release(),
        "timeout": lambda o, me: o.lock.acquire(timeout=1e-5) and o.lock.release(),
    }, contents=lambda o: {k: v for k, v in (("n", o.n), ("m", o.m)) if v}),
    "thread_local": Case(threading.local, {
        "set": lambda o, me: (setattr(o, "x", me.number), o.x == me.number or 1 / 0), "delete": lambda o, me: delattr(o, "x"),
        "dict": lambda o, me: list(o.__dict__), "many": lambda o, me: setattr(o, f"n{me.below(50)}", 1),
    }, allowed=AttributeError),
    "logger": Case(lambda: logging.getLogger("stress"), {
        "debug": lambda o, me: o.debug("nothing %s", 1), "level": lambda o, me: o.setLevel(30 + me.below(2)),
        "enabled": lambda o, me: o.isEnabledFor(10), "child": lambda o, me: o.getChild(f"c{me.below(9)}"),
        "handler": lambda o, me: (o.addHandler(logging.NullHandler()), o.handlers.clear()),
    }),
}

Pairs = test_class(cases)

if __name__ == "__main__":
    unittest.main()
