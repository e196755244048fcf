"""One object that several threads change at once: each value that it gives up is let go of once, and none is used afterwards.

The attributes are those that the classes of the objects below have, and that can be assigned. The values are shared by all
threads, or fresh ones of a class of their own; in the end the shared ones and that class have as many references as before.
"""
import array
import ast
import codecs
import collections
import contextlib
import contextvars
import ctypes
import faulthandler
import functools
import gc
import io
import itertools
import operator
import os
import pickle
import random
import signal
import struct
import sys
import sysconfig
import threading
import types
import typing
import unittest
import warnings
import weakref
import xml.etree.ElementTree as ElementTree
from xml.parsers import expat

from together import THREADS, together

# ThreadSanitizer sees neither how OpenSSL counts, which is built without it, nor that an address orders what is read through it,
# as of a class that another thread has made meanwhile. A race that it reported of a pointer of ctypes is not explained yet.
SANITIZED = "-fsanitize=thread" in sysconfig.get_config_var("CFLAGS")
ROUNDS = int(os.environ.get("AMPHIS_ASSIGNMENT_ROUNDS", 400))
IMMORTAL = 1 << 28
numbers = itertools.count(10**6)


class Tag:
    """A value that can be told by its class, and that serves as a function, too."""
    def __call__(self, *args, **kwargs):
        return self


def text():
    return "text" + str(next(numbers))


def kinds(tag):
    # Plain texts and numbers that threads read may become immortal: objects of subclasses tell what happens to their counts.
    string, data = type("String", (str,), {"tag": tag}), type("Data", (bytes,), {"tag": tag})
    return {
        "object": tag, "string": lambda: string(text()), "text": text, "tuple": lambda: (tag(),), "dict": lambda: {"key": tag()},
        "list": lambda: [tag()], "set": lambda: frozenset([tag()]), "error": lambda: ValueError(tag()),
        "data": lambda: data(text().encode()), "bytes": lambda: text().encode(), "number": lambda: next(numbers),
        "small number": lambda: 3, "flag": lambda: True, "hook": lambda: functools.partial(dict().get, tag()),
    }


class Case:
    """`steps` are f(o, value), all done in each round; `seldom` in some."""
    def __init__(self, name, make, steps, values=("object",), seldom=()):
        self.name, self.make, self.steps, self.seldom = name, make, steps, seldom
        self.tag = type("Fresh", (Tag,), {})
        known = kinds(self.tag)
        self.fresh = [known[v] if isinstance(v, str) else v for v in values]
        self.shared = [f() for f in self.fresh for _ in range(2)]

    def counts(self):
        # An object that became immortal meanwhile has no count.
        return [c if c < IMMORTAL else -1 for c in map(sys.getrefcount, self.shared + [self.tag])]

    def run(self, o, number):
        for n in range(number, number + ROUNDS):
            value = self.fresh[n % len(self.fresh)]() if n % 3 == 0 else self.shared[n % len(self.shared)]
            for step in self.steps if n % 8 else (*self.steps, *self.seldom):
                try:
                    step(o, value)
                except (SystemError, MemoryError):
                    raise
                except Exception:
                    pass  # of what another thread has done


# --- objects with attributes

def function():
    cell = 1

    def f(a=1, *, b=2):
        return cell
    return f


def make_class():
    return type("C", (), {"method": lambda self: None})


def generator():
    yield


async def coroutine():
    pass


async def asynchronous():
    yield


def closed_coroutine():
    c = coroutine()
    c.close()
    return c


def traceback():
    try:
        raise ValueError
    except ValueError as e:
        return e.__traceback__


class Plain:
    def __init__(self):
        self.a = self.b = 1


class Slots:
    __slots__ = "a", "b", "__dict__", "__weakref__"

    def __init__(self):
        self.a = 1


class OnlySlots:
    __slots__ = "a", "b"


class Reference(weakref.ref):
    pass


class Structure(ctypes.Structure):
    _fields_ = [("object", ctypes.py_object), ("text", ctypes.c_char_p), ("pointer", ctypes.POINTER(ctypes.c_int))]


def from_context(make):
    """In a context of its own, so that what it sets is not kept."""
    return contextvars.Context().run(make)


def optional(*names):
    """The modules, or None where one of them was not built."""
    try:
        return [__import__(name) for name in names]
    except ImportError:
        return None


OBJECTS = {
    "function": function, "class": make_class, "generator": generator, "coroutine": closed_coroutine,
    "asynchronous generator": asynchronous, "built-in function": lambda: [].append, "method of C": lambda: types.MethodType(function(), 1),
    "traceback": traceback, "frame": lambda: traceback().tb_frame, "cell": types.CellType,
    "property": lambda: property(function()), "staticmethod": lambda: staticmethod(function()),
    "classmethod": lambda: classmethod(function()), "module": lambda: types.ModuleType("m"),
    "namespace": types.SimpleNamespace, "plain": Plain, "slots": Slots, "only slots": OnlySlots,
    "partial": lambda: functools.partial(function()), "lru_cache": lambda: functools.lru_cache(function()),
    "key": lambda: functools.cmp_to_key(operator.sub)(1), "defaultdict": collections.defaultdict,
    "OrderedDict": collections.OrderedDict, "field of a named tuple": lambda: collections.namedtuple("N", "a").a,
    "TypeVar": lambda: typing.TypeVar("T"), "ParamSpec": lambda: typing.ParamSpec("P"),
    "TypeVarTuple": lambda: typing.TypeVarTuple("T"), "weak reference": lambda: Reference(make_class()),
    "BytesIO": io.BytesIO, "StringIO": io.StringIO, "FileIO": lambda: io.FileIO(os.devnull),
    "BufferedReader": lambda: io.BufferedReader(io.BytesIO()), "TextIOWrapper": lambda: io.TextIOWrapper(io.BytesIO()),
    "BufferedRWPair": lambda: io.BufferedRWPair(io.BytesIO(), io.BytesIO()), "node": lambda: ast.Name("a"),
    "local": threading.local, "Structure": Structure, "c_int": ctypes.c_int, "py_object": ctypes.py_object,
    "c_char_p": ctypes.c_char_p, "array of characters": ctypes.create_string_buffer(20).__class__,
    "foreign function": ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int), "Element": lambda: ElementTree.Element("a"),
    "XML parser": expat.ParserCreate, "Pickler": lambda: pickle.Pickler(io.BytesIO()),
    "Unpickler": lambda: pickle.Unpickler(io.BytesIO()), "encoder": codecs.getincrementalencoder("gb2312"),
    "decoder": codecs.getincrementaldecoder("gb2312"), "group": lambda: ExceptionGroup("g", [ValueError()]),
    "SyntaxError": SyntaxError, "OSError": lambda: OSError(1, "text", "name"), "BlockingIOError": BlockingIOError,
    "UnicodeDecodeError": lambda: UnicodeDecodeError("utf-8", b"b", 0, 1, "reason"),
    "UnicodeEncodeError": lambda: UnicodeEncodeError("utf-8", "b", 0, 1, "reason"),
    "UnicodeTranslateError": lambda: UnicodeTranslateError("b", 0, 1, "reason"),
    "StopIteration": StopIteration, "SystemExit": SystemExit, "ImportError": ImportError, "NameError": NameError,
    "AttributeError": AttributeError, "ValueError": lambda: ValueError(1), "KeyError": lambda: KeyError(1),
}
if sqlite := optional("sqlite3"):
    def connection():
        return sqlite[0].connect(":memory:", check_same_thread=False)
    OBJECTS |= {"connection": connection, "cursor": lambda: connection().cursor()}
if ssl := optional("ssl"):
    def ssl_object():
        context = ssl[0].SSLContext(ssl[0].PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        return context.wrap_bio(ssl[0].MemoryBIO(), ssl[0].MemoryBIO())._sslobj
    OBJECTS |= {"SSL context": lambda: __import__("_ssl")._SSLContext(ssl[0].PROTOCOL_TLS_SERVER), "SSL object": ssl_object}

if SANITIZED:
    for kind in ("SSL context", "SSL object", "Structure", "c_int", "py_object", "c_char_p", "array of characters", "foreign function"):
        OBJECTS.pop(kind, None)


def other_class(name, base, namespace):
    classes = [type(name, (base,), dict(namespace)) for _ in range(2)]
    return (lambda: random.choice(classes)) if SANITIZED else lambda: type(name, (base,), dict(namespace))


# What is none of the kinds above: the values for an attribute of some class.
VALUES = {
    (types.FunctionType, "__code__"): [lambda: function().__code__.replace(co_name=text())],
    (types.TracebackType, "tb_next"): [traceback, lambda: None],
    (type, "__bases__"): [lambda: (make_class(),)],
    (Plain, "__class__"): [other_class("Other", Plain, {})],
    (Slots, "__class__"): [other_class("Other", Slots, {"__slots__": ()})],
    (types.ModuleType, "__class__"): [other_class("M", types.ModuleType, {})],
    (ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int), "argtypes"): [lambda: [type("c", (ctypes.c_int,), {})]],
    (ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int), "restype"): [lambda: type("c", (ctypes.c_int,), {})],
    (Structure, "pointer"): [lambda: ctypes.pointer(ctypes.c_int())],
    (Structure, "text"): ["bytes"], (ctypes.c_char_p, "value"): ["bytes"],  # numbers would be addresses
}
if ssl:
    VALUES[type(ssl_object()), "context"] = [lambda: __import__("_ssl")._SSLContext(ssl[0].PROTOCOL_TLS_CLIENT)]
    VALUES[__import__("_ssl")._SSLContext, "keylog_filename"] = [lambda: os.path.join(os.sep, "dev", "null"), lambda: None]
# Readers of all attributes of an object.
READERS = [lambda o, value: repr(o), lambda o, value: str(o), lambda o, value: o.__reduce_ex__(2)]
SPECIAL_READERS = {
    types.FunctionType: [lambda o, value: o(), lambda o, value: o(b=1), lambda o, value: o(1, 2, 3, 4)],
    types.CellType: [lambda o, value: o == o], types.TracebackType: [lambda o, value: list(walk(o))],
    type(functools.cmp_to_key(operator.sub)(1)): [lambda o, value: o < o],
}


def walk(t):
    while t is not None:
        yield t
        t = t.tb_next


def attributes(o):
    """Name and values of each attribute that can be assigned, and whether it can be deleted."""
    names = {}
    for cls in type(o).__mro__:
        for name, d in vars(cls).items():
            if isinstance(d, (types.GetSetDescriptorType, types.MemberDescriptorType)) or hasattr(type(d), "__set__"):
                names.setdefault(name)
    if hasattr(o, "__dict__"):
        names["attribute"] = None
    if isinstance(o, (pickle.Pickler, pickle.Unpickler)):
        names["persistent_id" if isinstance(o, pickle.Pickler) else "persistent_load"] = None
    for name in names:
        accepted = VALUES.get((type(o), name))
        if not accepted:
            accepted = []
            for kind, make in kinds(Tag).items():
                with contextlib.suppress(Exception):
                    setattr(o, name, make())
                    accepted.append(kind)
        if accepted:
            deletes = False
            with contextlib.suppress(Exception):
                setattr(o, name, accepted[0]() if callable(accepted[0]) else kinds(Tag)[accepted[0]]())
                delattr(o, name)
                deletes = True
            yield name, accepted[:4], deletes


def attribute_cases():
    for kind, make in OBJECTS.items():
        for name, values, deletes in attributes(make()):
            def assign(o, value, name=name):
                setattr(o, name, value)

            def read(o, value, name=name):
                getattr(o, name)

            def delete(o, value, name=name):
                delattr(o, name)
            readers = READERS + SPECIAL_READERS.get(type(make()), [])
            yield Case(f"{kind}.{name}", make, [assign, read, assign], values, [delete] * deletes + readers)


# --- objects that are made anew where they are

class Error(OSError):
    """Its __init__ does what __new__ does otherwise."""
    def __init__(self, *args):
        super().__init__(*args)


class Stream(io.RawIOBase):
    def readable(self):
        return True

    def writable(self):
        return True

    def readinto(self, buffer):
        return 0


class Decoder:
    def decode(self, data, final=False):
        return "text"


class Box:
    """What several steps of a case share."""
    def __init__(self, **contents):
        self.__dict__.update(contents)


def detachable(make, steps):
    def detach(o, value):
        o.stream.detach()

    def renew(o, value):
        o.stream = make()
    return Case(f"detach {type(make()).__name__}", lambda: Box(stream=make()), steps, ["object"], [detach, detach, renew])


def again_cases():
    def again(make, arguments, *readers, values=("object", "string")):
        def init(o, value):
            type(o).__init__(o, *arguments(value))
        return Case(f"{type(make()).__name__}.__init__", make, [init, *readers, init], values, READERS)

    def with_keywords(make, keywords, *readers):
        def init(o, value):
            type(o).__init__(o, 1, **keywords(value))
        return Case(f"{type(make()).__name__}.__init__ with keywords", make, [init, *readers, init], ["object", "string"], READERS)

    yield again(ValueError, lambda v: (v,), lambda o, v: o.args)
    yield again(KeyError, lambda v: (v,))
    yield again(StopIteration, lambda v: (v,), lambda o, v: o.value)
    yield again(SystemExit, lambda v: (v,), lambda o, v: o.code)
    yield again(ImportError, lambda v: (v,), lambda o, v: o.msg)
    yield again(SyntaxError, lambda v: (v, (v, 1, 2, v, 3, 4)), lambda o, v: (o.end_lineno, o.text))
    yield again(lambda: Error(1, "text"), lambda v: (1, v, v, None, v), lambda o, v: (o.strerror, o.filename))
    yield again(lambda: UnicodeEncodeError("utf-8", "b", 0, 1, "reason"), lambda v: (v, v, 0, 1, v), values=["string"])
    yield again(lambda: UnicodeDecodeError("utf-8", b"b", 0, 1, "reason"), lambda v: ("u", v, 0, 1, "r"), values=["data"])
    yield again(lambda: UnicodeTranslateError("b", 0, 1, "reason"), lambda v: (v, 0, 1, v), values=["string"])
    yield with_keywords(ImportError, lambda v: {"name": v, "path": v, "name_from": v}, lambda o, v: o.name)
    yield with_keywords(NameError, lambda v: {"name": v})
    yield with_keywords(AttributeError, lambda v: {"name": v, "obj": v}, lambda o, v: o.obj)
    yield Case("BaseException.__setstate__", ValueError, [lambda o, v: o.__setstate__({"a": v, "b": v})])

    yield again(property, lambda v: (v, v, v, v), lambda o, v: o.__get__(1), lambda o, v: o.getter(v), values=["object"])
    yield again(lambda: staticmethod(len), lambda v: (v,), lambda o, v: o.__get__(1), lambda o, v: o(1), values=["object"])
    yield again(lambda: classmethod(len), lambda v: (v,), lambda o, v: o.__get__(1), lambda o, v: o.__isabstractmethod__,
                values=["object"])
    yield Case("super.__init__", lambda: super(Plain, Plain()), [
        lambda o, v: super.__init__(o, *v), lambda o, v: o.__init_subclass__, lambda o, v: super.__repr__(o),
        lambda o, v: super.__init__(o, *v),
    ], [lambda: (lambda c: (c, c()))(make_class())], READERS)
    yield again(lambda: types.ModuleType("m"), lambda v: (text(), v))
    yield again(types.SimpleNamespace, lambda v: ({"a": v},))
    yield again(list, lambda v: ([v, v, v],), lambda o, v: o[0], lambda o, v: list(o))
    yield again(dict, lambda v: ({"a": v, 1: v},), lambda o, v: o["a"], lambda o, v: list(o.items()))
    yield again(set, lambda v: ([v, 1, 2],), lambda o, v: v in o, lambda o, v: list(o))
    yield again(bytearray, lambda v: (v,), lambda o, v: bytes(o), values=["data"])
    yield again(collections.deque, lambda v: ([v, v, v], 2), lambda o, v: o[0], lambda o, v: list(o))
    yield again(collections.defaultdict, lambda v: (v, {"a": v}), lambda o, v: o[v], values=["object"])
    yield again(collections.OrderedDict, lambda v: ({"a": v},), lambda o, v: list(o.items()))
    yield again(lambda: ast.Name("a"), lambda v: (v, v))
    yield again(lambda: struct.Struct("i"), lambda v: (f"{next(numbers) % 9 + 1}i",), lambda o, v: o.pack(1), lambda o, v: o.format)
    yield again(random.Random, lambda v: (v,), lambda o, v: o.random(), values=["number"])

    yield again(io.BytesIO, lambda v: (v,), lambda o, v: o.write(v), lambda o, v: o.getvalue(), values=["data"])
    yield again(io.StringIO, lambda v: (v, "\n"), lambda o, v: o.write(v), lambda o, v: o.getvalue(), values=["string"])
    yield again(lambda: io.BufferedReader(Stream()), lambda v: (v,), lambda o, v: o.raw, lambda o, v: o.read(1), values=[Stream])
    yield again(lambda: io.BufferedWriter(Stream()), lambda v: (v,), lambda o, v: o.raw, lambda o, v: o.closed, values=[Stream])
    yield again(lambda: io.BufferedRWPair(Stream(), Stream()), lambda v: (v, v), lambda o, v: o.read(1), lambda o, v: o.closed,
                values=[Stream])
    yield again(lambda: io.TextIOWrapper(Stream()), lambda v: (v, "utf-8"), lambda o, v: o.buffer, lambda o, v: o.encoding,
                values=[Stream])
    yield again(lambda: io.IncrementalNewlineDecoder(None, True), lambda v: (v, True, v), lambda o, v: o.decode("a"),
                values=[Decoder])
    yield Case("BytesIO.__setstate__", io.BytesIO, [lambda o, v: o.__setstate__((b"abc", 0, {"a": v})), lambda o, v: o.__getstate__(),
                                                     lambda o, v: setattr(o, "__dict__", {})])
    yield Case("StringIO.__setstate__", io.StringIO, [lambda o, v: o.__setstate__(("abc", v, 0, {"a": v})),
                                                       lambda o, v: o.__getstate__(), lambda o, v: setattr(o, "__dict__", {})],
               [lambda: "\r\n"])
    binary = [lambda o, v: o.stream.read(1), lambda o, v: o.stream.tell(), lambda o, v: o.stream.closed, lambda o, v: repr(o.stream),
              lambda o, v: o.stream.readable()]
    yield detachable(lambda: io.BufferedReader(io.BytesIO(b"text")), binary)
    yield detachable(lambda: io.BufferedRandom(io.BytesIO(b"text")), [*binary, lambda o, v: o.stream.write(b"a"),
                                                                      lambda o, v: o.stream.flush()])
    yield detachable(lambda: io.TextIOWrapper(io.BytesIO(b"text\n")), [*binary, lambda o, v: o.stream.write("a"),
                                                                       lambda o, v: o.stream.readline()])

    yield again(lambda: pickle.Pickler(io.BytesIO()), lambda v: (io.BytesIO(), 5, True, v), lambda o, v: o.dump([[], 1.5]),
                lambda o, v: o.clear_memo(), lambda o, v: setattr(o, "dispatch_table", {}), lambda o, v: setattr(o, "persistent_id", v),
                lambda o, v: o.memo.copy(), values=["hook"])
    yield again(lambda: pickle.Unpickler(io.BytesIO()), lambda v: (io.BytesIO(pickle.dumps([1, [2]])),), lambda o, v: o.load(),
                lambda o, v: setattr(o, "persistent_load", v), lambda o, v: o.memo.copy(), values=["hook"])
    yield Case("partial.__setstate__", lambda: functools.partial(len), [
        lambda o, v: o.__setstate__((v, (v,), {"a": v}, {"b": v})), lambda o, v: o(), lambda o, v: functools.partial(o, v),
        lambda o, v: (o.func, o.args, o.keywords)], seldom=READERS)
    if sqlite:
        def use(o, value):
            o.execute("select 1").fetchall()
        yield again(connection, lambda v: (":memory:", 5.0, 0, "", False), use, lambda o, v: setattr(o, "row_factory", v), values=["object"])
        yield again(lambda: connection().cursor(), lambda v: (v,), use, lambda o, v: o.connection, lambda o, v: o.close(),
                    values=[connection])
    if lsprof := optional("_lsprof"):
        yield again(lsprof[0].Profiler, lambda v: (v,), values=["object"])
    for name, make in {
        "list": lambda: iter([1, 2, 3]), "reversed list": lambda: reversed([1, 2, 3]), "tuple": lambda: iter((1, 2, 3)),
        "text": lambda: iter("abc"), "wide text": lambda: iter("ab\u1234"), "bytes": lambda: iter(b"abc"),
        "bytearray": lambda: iter(bytearray(b"abc")), "range": lambda: iter(range(9)), "long range": lambda: iter(range(2**70, 2**70 + 9)),
        "array": lambda: iter(array.array("i", [1, 2, 3])), "reversed": lambda: reversed(collections.UserList([1, 2])),
        "sequence": lambda: iter(type("S", (), {"__getitem__": lambda self, i: [1, 2][i]})()), "zip": lambda: zip([1, 2], [1]),
        "map": lambda: map(len, [[], []]),
    }.items():
        yield Case(f"iterator of {name}", make, [lambda o, v: o.__setstate__(v), lambda o, v: next(o), lambda o, v: o.__reduce__(),
                                                 lambda o, v: o.__length_hint__()], ["small number"])
    yield Case("iterator of an alias", lambda: iter(tuple[int]), [lambda o, v: o.__reduce__(), lambda o, v: next(o)])
    for name, kind in ("gb2312", "text"), ("iso2022_jp", "text"):
        yield Case(f"encoder of {name}", codecs.getincrementalencoder(name), [
            lambda o, v: o.encode(v), lambda o, v: o.setstate(0), lambda o, v: o.getstate(), lambda o, v: o.reset(),
            lambda o, v: setattr(o, "errors", v)], [kind])


# --- containers and contexts that are changed in place

def in_place_cases():
    def add(o, value):
        o += [value]

    def merge(o, value):
        o |= {"a": value, value: 1}

    def unite(o, value):
        o |= {value}

    def differ(o, value):
        o ^= {value, 1}
    yield Case("list", lambda: [1, 2, 3], [
        lambda o, v: operator.setitem(o, slice(1, 2), [v, v]), lambda o, v: operator.setitem(o, 0, v), add,
        lambda o, v: operator.setitem(o, slice(None), [v, 1, v]), lambda o, v: o.insert(1, v), lambda o, v: o.pop(),
        lambda o, v: operator.delitem(o, slice(2, None)), lambda o, v: operator.setitem(o, slice(None, None, 2), [v] * len(o[::2])),
        lambda o, v: o.extend([v]), lambda o, v: o.remove(v), lambda o, v: o.reverse(), lambda o, v: o.sort(key=id),
    ], ["object", "string"], [lambda o, v: o.clear(), lambda o, v: o.copy(), *READERS])
    yield Case("dict", dict, [
        merge, lambda o, v: operator.setitem(o, "a", v), lambda o, v: o.pop("a"), lambda o, v: o.update({"b": v}, c=v),
        lambda o, v: o.setdefault(v, v), lambda o, v: o.popitem(), lambda o, v: operator.delitem(o, v), lambda o, v: o.get("b"),
    ], ["object", "string"], [lambda o, v: o.clear(), lambda o, v: o.copy(), *READERS])
    yield Case("OrderedDict", collections.OrderedDict, [
        merge, lambda o, v: operator.setitem(o, "a", v), lambda o, v: o.pop("a"), lambda o, v: o.move_to_end("a", False),
        lambda o, v: o.setdefault(v, v), lambda o, v: o.popitem(False), lambda o, v: operator.delitem(o, v),
    ], ["object", "string"], [lambda o, v: o.clear(), lambda o, v: o.copy()])
    yield Case("set", set, [
        unite, differ, lambda o, v: o.add(v), lambda o, v: o.discard(v), lambda o, v: o.pop(), lambda o, v: o.update([v, 2]),
        lambda o, v: o.intersection_update([v]), lambda o, v: o.difference_update([v]),
    ], ["object", "string"], [lambda o, v: o.clear(), lambda o, v: o.copy(), *READERS])
    yield Case("deque", lambda: collections.deque([1, 2, 3], 6), [
        add, lambda o, v: operator.setitem(o, 0, v), lambda o, v: o.append(v), lambda o, v: o.appendleft(v), lambda o, v: o.rotate(2),
        lambda o, v: o.pop(), lambda o, v: o.popleft(), lambda o, v: o.insert(1, v), lambda o, v: o.remove(v),
        lambda o, v: operator.delitem(o, 0), lambda o, v: o.extendleft([v]), lambda o, v: o.reverse(),
    ], ["object", "string"], [lambda o, v: o.clear(), lambda o, v: o.copy(), *READERS])
    yield Case("bytearray", lambda: bytearray(b"abc"), [
        lambda o, v: operator.setitem(o, slice(1, 2), v), lambda o, v: o.extend(v), lambda o, v: operator.iadd(o, v),
        lambda o, v: operator.delitem(o, slice(2, None)), lambda o, v: o.append(1), lambda o, v: o.pop(), lambda o, v: o.insert(1, 1),
    ], ["data"], [lambda o, v: o.clear()])
    variable = contextvars.ContextVar("variable")
    yield Case("context", contextvars.Context, [
        lambda o, v: o.run(variable.set, v), lambda o, v: o.get(variable), lambda o, v: o.copy().run(variable.set, v),
        lambda o, v: o == o.copy(), lambda o, v: list(o.items()),
    ])
    yield Case("members and attributes of one object", Slots, [
        lambda o, v: setattr(o, "a", v), lambda o, v: setattr(o, "c", v), lambda o, v: setattr(o, "__dict__", {"c": v}),
        lambda o, v: (o.a, o.c), lambda o, v: vars(o).update(c=v, d=v)], ["object", "string"],
        [lambda o, v: delattr(o, "a"), lambda o, v: delattr(o, "c"), *READERS])
    yield Case("attributes and class of one object", Plain, [
        lambda o, v: setattr(o, "a", v), lambda o, v: setattr(o, "c", v), lambda o, v: o.a, lambda o, v: setattr(o, "__class__", v)],
        [other_class("Other", Plain, {})], [lambda o, v: delattr(o, "c"), lambda o, v: setattr(o, "__dict__", {"a": v}), *READERS])
    yield Case("a function that makes generators", lambda: (lambda: (yield)), [
        lambda o, v: setattr(o, "__name__", v), lambda o, v: setattr(o, "__qualname__", v), lambda o, v: repr(o()),
        lambda o, v: o().__name__], ["string", "text"], [lambda o, v: o(1, 2)])

    def join(o, value):
        o.first.tb_next, o.second.tb_next = o.second, None
        o.second.tb_next = o.first
    yield Case("tracebacks in a ring", lambda: Box(first=traceback(), second=traceback()), [
        join, lambda o, v: setattr(o.first, "tb_next", v), lambda o, v: o.error.with_traceback(o.first),
        lambda o, v: list(itertools.islice(walk(o.second), 100))], [traceback])


# --- settings of the process

class Settings:
    """Puts back what was set when it ends."""
    def __init__(self, *undo):
        self.undo = undo

    def __del__(self):
        for f in self.undo:
            f()


def process_cases():
    yield Case("signals", lambda: Settings(lambda: faulthandler.unregister(signal.SIGUSR1), faulthandler.cancel_dump_traceback_later), [
        lambda o, v: faulthandler.register(signal.SIGUSR1, v), lambda o, v: faulthandler.dump_traceback_later(1000, file=v),
    ], [lambda: open(os.devnull, "w")], [lambda o, v: faulthandler.unregister(signal.SIGUSR1),
                                         lambda o, v: faulthandler.cancel_dump_traceback_later()])

    def monitor():
        sys.monitoring.use_tool_id(3, "test")
        return Settings(lambda: sys.monitoring.free_tool_id(3))
    yield Case("monitoring", monitor, [lambda o, v: sys.monitoring.register_callback(3, sys.monitoring.events.LINE, v)])
    yield Case("error handlers", lambda: Settings(lambda: codecs.register_error("test", len)), [
        lambda o, v: codecs.register_error("test", v), lambda o, v: codecs.lookup_error("test")])
    if readline := optional("readline"):
        hooks = [readline[0].set_completer, readline[0].set_startup_hook, readline[0].set_pre_input_hook]
        yield Case("readline", lambda: Settings(*hooks), [
            *[lambda o, v, hook=hook: hook(v) for hook in hooks], lambda o, v: readline[0].get_completer(),
            lambda o, v: readline[0].set_completer_delims(text())])


class Assignments(unittest.TestCase):
    def setUp(self):
        self.enterContext(warnings.catch_warnings(action="ignore"))
        self.addCleanup(gc.collect)

    def check(self, cases):
        cases = list(cases)
        objects = [from_context(case.make) for case in cases]
        gc.collect()
        before = [case.counts() for case in cases]
        barrier = threading.Barrier(THREADS)

        def work(i):
            try:
                for case, o in zip(cases, objects):
                    barrier.wait()
                    case.run(o, i)
            except BaseException:
                barrier.abort()
                raise
        together(work)
        objects.clear()
        del work
        # What other threads may still be reading is let go of later.
        for _ in range(5):
            gc.collect()
            after = [case.counts() for case in cases]
            if after == before:
                break
        for case, a, b in zip(cases, before, after):
            with self.subTest(case.name):
                self.assertEqual(b, [y if y < 0 else x for x, y in zip(a, b)])

    def test_attributes_that_several_threads_assign(self):
        cases = list(attribute_cases())
        names = {case.name for case in cases}
        self.assertLessEqual({"function.__code__", "class.__bases__", "ValueError.args", "frame.f_trace", "partial.__dict__"}, names)
        self.check(cases)

    def test_objects_that_several_threads_initialize_again(self):
        self.check(again_cases())

    def test_settings_that_several_threads_change(self):
        self.check(process_cases())

    def test_containers_that_several_threads_change(self):
        self.check(in_place_cases())


if __name__ == "__main__":
    unittest.main()
