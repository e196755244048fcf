"""Every pair of operations on shared instances, classes, functions, generators and references (see stress.py)."""
import contextvars
import copy
import functools
import gc
import inspect
import pickle
import sys
import types
import unittest
import warnings
import weakref

from stress import Box, Case, test_class


# --- instances

class Plain:
    x = -1

    def __init__(self):
        self.a, self.b, self.c = 1, 2, 3

    def method(self):
        return self.a


class Likewise(Plain):
    pass


class Slots:
    __slots__ = ("a", "b", "__weakref__", "__dict__")

    def __init__(self):
        self.a = self.b = 1


def replace_dict(o, me):
    o.__dict__ = {"a": me.number, "b": 2, "c": 3}


def name(me):
    return f"n{me.below(40)}"


instance_operations = {
    "read": lambda o, me: (o.a, o.b),
    "write": lambda o, me: setattr(o, "a", [me.number]),
    "write number": lambda o, me: setattr(o, "a", me.number * 1.5),
    "method": lambda o, me: o.method(),
    "delete": lambda o, me: delattr(o, "a"),
    "many names": lambda o, me: setattr(o, name(me), me.number),
    "read many": lambda o, me: getattr(o, name(me), None),
    "delete many": lambda o, me: delattr(o, name(me)),
    "dict": lambda o, me: o.__dict__.get("a"),
    "dict write": lambda o, me: o.__dict__.__setitem__("a", me.number),
    "dict iterate": lambda o, me: list(vars(o).items()),
    "dict clear": lambda o, me: o.__dict__.clear(),
    "dict update": lambda o, me: o.__dict__.update(a=1, b=2, c=3),
    "replace dict": replace_dict,
    "dir": lambda o, me: dir(o),
    "copy": lambda o, me: copy.copy(o),
    "reduce": lambda o, me: o.__reduce_ex__(4),
    "weak": lambda o, me: weakref.ref(o)(),
}


def consistent_instance(o):
    o.a = "last"
    assert o.a == "last" and vars(o)["a"] == "last"


def change_class(o, me):
    o.__class__ = Likewise if type(o) is Plain else Plain


# --- classes

class First:
    def f(self):
        return 1


class Second:
    def f(self):
        return 2


class Base:
    def f(self):
        return 0

    def g(self):
        return 0


def make_class():
    class C(First, Base):
        counter = 0

        def __init__(self):
            self.x = 1

        @property
        def p(self):
            return 1

        @classmethod
        def made(cls):
            return cls()

        def f(self):
            return super().f()
    return C


def set_bases(o, me):
    o.__bases__ = (Second, Base) if me.below(2) else (First, Base)


def make_subclass(o, me):
    class D(o):
        pass
    D().f()


def check_instance_dict(o, me):
    i = o()
    i.y = 2
    return i.__dict__


class_operations = {
    "make": lambda o, me: o().x,
    "call method": lambda o, me: o().f(),
    "call inherited": lambda o, me: o().g(),
    "property": lambda o, me: o().p,
    "class method": lambda o, me: o.made(),
    "read": lambda o, me: o.counter,
    "write": lambda o, me: setattr(o, "counter", me.number),
    "write other": lambda o, me: setattr(o, name(me), me.number),
    "delete other": lambda o, me: delattr(o, name(me)),
    "set method": lambda o, me: setattr(o, "g", lambda self, n=me.number: n),
    "delete method": lambda o, me: delattr(o, "g"),
    "set init": lambda o, me: setattr(o, "__init__", lambda self, n=me.number: setattr(self, "x", n)),
    "set len": lambda o, me: setattr(o, "__len__", lambda self: 3),
    "delete len": lambda o, me: delattr(o, "__len__"),
    "len": lambda o, me: len(o()),
    "set getattr": lambda o, me: setattr(o, "__getattr__", lambda self, n: 1),
    "delete getattr": lambda o, me: delattr(o, "__getattr__"),
    "missing attribute": lambda o, me: o().nothing,
    "set property": lambda o, me: setattr(o, "p", property(lambda self: me.number)),
    "bases": set_bases,
    "mro": lambda o, me: (o.__mro__, o.mro()),
    "subclass": make_subclass,
    "subclasses": lambda o, me: Base.__subclasses__(),
    "isinstance": lambda o, me: (isinstance(o(), Base), issubclass(o, Second)),
    "name": lambda o, me: (setattr(o, "__name__", name(me)), setattr(o, "__qualname__", "q"), repr(o)),
    "doc": lambda o, me: (setattr(o, "__doc__", "d"), o.__doc__),
    "dict": lambda o, me: (list(o.__dict__), o.__dict__.get("f")),
    "dir": lambda o, me: dir(o),
    "annotations": lambda o, me: (setattr(o, "__annotations__", {"a": int}), o.__annotations__),
    "instance attributes": check_instance_dict,
    "abstract": lambda o, me: setattr(o, "__abstractmethods__", frozenset()),
    "module": lambda o, me: (setattr(o, "__module__", "m"), o.__module__),
    "members": lambda o, me: inspect.getmro(o),
}


# --- functions

def make_function():
    def outer(start):
        total = start

        def f(a=1, *, b=2):
            nonlocal total
            total = a
            return a, b, total
        return f
    return outer(0)


def other_code():
    """Another number of parameters, and of registers."""
    total = 1

    def f(a=3, c=5, d=7, *more, b=4, e=6, **rest):
        x, y, z = a, c, d
        return total, [x, y, z, a, b, more, e, rest], "other"
    return f.__code__


codes = [make_function().__code__, other_code()]
function_operations = {
    "call": lambda o, me: o(),
    "call with keywords": lambda o, me: o(1, b=3),
    "partial": lambda o, me: functools.partial(o, b=1)(),
    "swap code": lambda o, me: setattr(o, "__code__", codes[me.below(2)]),
    "defaults": lambda o, me: setattr(o, "__defaults__", (me.number,)),
    "read defaults": lambda o, me: (o.__defaults__, o.__kwdefaults__),
    "keyword defaults": lambda o, me: setattr(o, "__kwdefaults__", {"b": me.number, "e": 1}),
    "delete defaults": lambda o, me: (delattr(o, "__defaults__"), setattr(o, "__defaults__", (1,))),
    "attribute": lambda o, me: setattr(o, name(me), 1),
    "dict": lambda o, me: (list(o.__dict__), setattr(o, "__dict__", {})),
    "annotations": lambda o, me: (setattr(o, "__annotations__", {"a": int}), o.__annotations__),
    "annotate": lambda o, me: (setattr(o, "__annotate__", lambda format: {}), o.__annotate__),
    "name": lambda o, me: (setattr(o, "__name__", name(me)), setattr(o, "__qualname__", "q"), repr(o)),
    "cell": lambda o, me: setattr(o.__closure__[0], "cell_contents", [me.number]),
    "read cell": lambda o, me: o.__closure__[0].cell_contents,
    "delete cell": lambda o, me: delattr(o.__closure__[0], "cell_contents"),
    "type parameters": lambda o, me: (setattr(o, "__type_params__", ()), o.__type_params__),
    "code positions": lambda o, me: (list(o.__code__.co_positions()), o.__code__.co_varnames, o.__code__.replace(co_name="f")),
    "signature": lambda o, me: inspect.signature(o),
    "bind": lambda o, me: types.MethodType(o, 1)(),
}


# --- generators and coroutines

class Stop(Exception):
    pass


def count_up():
    n = 0
    while n < 50:
        try:
            n += 1
            yield n
        except Stop:
            n += 10


async def wait_a_little():
    for _ in range(20):
        try:
            await nothing()
        except Stop:
            pass


@types.coroutine
def nothing():
    yield


async def count_asynchronously():
    for i in range(30):
        yield i


def run_step(awaitable):
    try:
        awaitable.send(None)
    except StopIteration as e:
        return e.value


def generator_case(make, **more):
    def renew(o, me):
        o.g = make()
    return Case(lambda: Box(g=make()), {
        "send": lambda o, me: o.g.send(None),
        "throw": lambda o, me: o.g.throw(Stop()),
        "close": lambda o, me: o.g.close(),
        "renew": renew,
        "name": lambda o, me: (setattr(o.g, "__name__", "n"), repr(o.g)),
        **more,
    }, allowed=(ValueError, StopIteration, Stop, RuntimeError), check=lambda o: o.g.close())


def inspect_frame(g):
    if frame := g.gi_frame:
        return frame.f_lineno, frame.f_locals.get("n"), frame.f_back, frame.f_code


async_operations = {
    "step": lambda o, me: run_step(o.g.__anext__()),
    "send": lambda o, me: run_step(o.g.asend(None)),
    "throw": lambda o, me: run_step(o.g.athrow(Stop())),
    "close": lambda o, me: run_step(o.g.aclose()),
    "renew": lambda o, me: setattr(o, "g", count_asynchronously()),
    "look": lambda o, me: (o.g.ag_running, o.g.ag_frame, o.g.ag_await, o.g.ag_suspended),
}


# --- weak references

class Target:
    def __eq__(self, other):
        return self is other
    __hash__ = object.__hash__


def renew_target(o, me):
    o.target = Target()


weak_operations = {
    "renew": renew_target,
    "make": lambda o, me: weakref.ref(o.target),
    "make and keep": lambda o, me: setattr(o, "ref", weakref.ref(o.target)),
    "with callback": lambda o, me: setattr(o, "other", weakref.ref(o.target, o.calls.append)),
    "call": lambda o, me: o.ref(),
    "call other": lambda o, me: o.other(),
    "compare": lambda o, me: o.ref == o.other,
    "hash": lambda o, me: hash(o.ref),
    "repr": lambda o, me: repr(o.ref),
    "count": lambda o, me: (weakref.getweakrefcount(o.target), weakref.getweakrefs(o.target)),
    "proxy": lambda o, me: weakref.proxy(o.target).__class__,
    "finalize": lambda o, me: weakref.finalize(o.target, o.calls.append, 1).detach(),
    "finalize and drop": lambda o, me: weakref.finalize(Target(), o.calls.append, 1),
    "method": lambda o, me: weakref.WeakMethod(o.target.__eq__)(),
}
weak_map_operations = {
    "look": lambda o, me: [x for x in o.map.items()],
    "size": lambda o, me: len(o.map),
    "copy": lambda o, me: o.map.copy(),
    "clear": lambda o, me: o.map.clear(),
    "drop": lambda o, me: o.alive.clear(),
    "setdefault": lambda o, me: o.map.setdefault(o.target, o.target),
    "get": lambda o, me: o.map.get(o.target),
    "pop": lambda o, me: o.map.pop(o.target, None),
    "refs": lambda o, me: (o.map.keyrefs if hasattr(o.map, "keyrefs") else o.map.valuerefs)(),
}


def weak_map(make):
    def add(o, me):
        t = Target()
        o.map[t if make is weakref.WeakKeyDictionary else me.below(50)] = t if make is weakref.WeakValueDictionary else 1
        o.alive.append(t)
    return Case(lambda: Box(map=make(), alive=[], target=Target()), {**weak_map_operations, "add": add},
                check=lambda o: len(o.map), allowed=(RuntimeError, KeyError))


# --- context variables, exceptions, modules, descriptors

variable = contextvars.ContextVar("variable", default=0)


def set_and_reset(o, me):
    def inside():
        token = variable.set(me.number)
        assert variable.get() == me.number
        variable.reset(token)
    contextvars.copy_context().run(inside)


def raise_shared(o, me):
    error = o.error
    try:
        raise error
    except ValueError as e:
        assert e is error


def raise_deeper(o, me):
    error = o.error

    def inner():
        raise error
    try:
        inner()
    except ValueError:
        try:
            raise KeyError from error
        except KeyError as e:
            assert e.__cause__ is error


exception_operations = {
    "raise": raise_shared,
    "raise deeper": raise_deeper,
    "walk": lambda o, me: [t.tb_lineno for t in iter_tracebacks(o.error.__traceback__)],
    "clear traceback": lambda o, me: setattr(o.error, "__traceback__", None),
    "with traceback": lambda o, me: o.error.with_traceback(None),
    "context": lambda o, me: setattr(o.error, "__context__", KeyError()),
    "cause": lambda o, me: (setattr(o.error, "__cause__", KeyError()), o.error.__cause__),
    "suppress": lambda o, me: (setattr(o.error, "__suppress_context__", True), o.error.__context__),
    "args": lambda o, me: (setattr(o.error, "args", (1, 2)), str(o.error), repr(o.error)),
    "note": lambda o, me: o.error.add_note("note") if len(getattr(o.error, "__notes__", ())) < 50 else None,
    "pickle": lambda o, me: o.error.__reduce__(),
    "renew": lambda o, me: setattr(o, "error", ValueError("text")),
    "group": lambda o, me: ExceptionGroup("g", [o.error]).split(ValueError),
}


def iter_tracebacks(t):
    for _ in range(100):
        if not t:
            return
        yield t
        t = t.tb_next


def make_module():
    m = types.ModuleType("shared_module")
    exec("x = 1\ndef f():\n    return x\ndef g():\n    global x\n    x = [x] if x == 1 else 1\n", m.__dict__)
    return m


module_operations = {
    "call": lambda o, me: o.f(),
    "store global": lambda o, me: o.g(),
    "read": lambda o, me: o.x,
    "write": lambda o, me: setattr(o, "x", me.number),
    "delete": lambda o, me: delattr(o, "x"),
    "many": lambda o, me: setattr(o, name(me), 1),
    "delete many": lambda o, me: delattr(o, name(me)),
    "hide builtin": lambda o, me: setattr(o, "len", max),
    "dict": lambda o, me: (o.__dict__.get("x"), len(vars(o))),
    "exec": lambda o, me: exec("y = x\nx = 2", o.__dict__),
    "eval": lambda o, me: eval("(x, f)", o.__dict__),
    "getattr": lambda o, me: (setattr(o, "__getattr__", lambda n: n), o.nothing),
    "clear and fill": lambda o, me: o.__dict__.update(x=1),
    "repr": lambda o, me: repr(o),
}

cell_operations = {
    "get": lambda o, me: o.cell_contents,
    "set": lambda o, me: setattr(o, "cell_contents", [me.number]),
    "delete": lambda o, me: delattr(o, "cell_contents"),
    "compare": lambda o, me: o == types.CellType(1),
    "repr": lambda o, me: repr(o),
}


class Lazy:
    @functools.cached_property
    def value(self):
        return [1]


def make_property():
    class P:
        @property
        def value(self):
            return 1
    return Box(p=P.__dict__["value"], cls=P)


def text_grow(o, me):
    o.text += "ab" if len(o.text) < 300 else ""


def text_grow_local(o, me):
    s = o.text
    s += "xyz"
    s += "\u20ac"
    return s


text_operations = {
    "grow": text_grow,
    "grow a copy": text_grow_local,
    "reset": lambda o, me: setattr(o, "text", "start\xe9"[:me.below(6)]),
    "hash": lambda o, me: hash(o.text),
    "intern": lambda o, me: sys.intern(str(o.text[:])),
    "encode": lambda o, me: o.text.encode(),
    "as name": lambda o, me: getattr(Plain, o.text, None),
    "as key": lambda o, me: (lambda s: {s: 1}["".join(s)])(o.text),
    "slice": lambda o, me: o.text[1:-1] + o.text[::2],
    "format": lambda o, me: f"{o.text!r:>9}{o.text}",
    "join": lambda o, me: o.text.join([o.text, o.text]),
    "search": lambda o, me: ("ab" in o.text, o.text.replace("a", "b"), o.text.split("b")),
    "compare": lambda o, me: o.text == o.text + "",
    "new": lambda o, me: setattr(o, "text", "".join(["n", str(me.below(1000))])),
    "int": lambda o, me: (int(str(me.below(10**6))), float("1.5"), me.below(1000) + 250),
}


def collected(o, me):
    a, b = Box(), Box()
    a.b, b.a = b, a
    a.shared = o.target


cycle_operations = {
    "make cycles": collected,
    "collect": lambda o, me: gc.collect() if me.below(12) == 0 else None,
    "collect young": lambda o, me: gc.collect(0),
    "objects": lambda o, me: len(gc.get_referents(o)),
    "tracked": lambda o, me: (gc.is_tracked(o), gc.get_count(), gc.get_stats()),
    "renew": renew_target,
    "with finalizer": lambda o, me: Finalized().self,
    "referrers": lambda o, me: gc.get_referrers(o.target) if me.below(12) == 0 else None,
}


class Finalized:
    def __init__(self):
        self.self = [self]

    def __del__(self):
        self.again = 1


MISSES = (AttributeError, KeyError)
ODD = (AttributeError, TypeError, ValueError, NameError, RuntimeError)
cases = {
    "instance": Case(Plain, instance_operations, check=consistent_instance, allowed=(*MISSES, RuntimeError)),
    "instance_class": Case(Plain, {
        "class": change_class, "type": lambda o, me: type(o).__name__,
        **{n: instance_operations[n] for n in ("read", "write", "method", "dict", "replace dict", "copy", "delete")},
    }, check=consistent_instance, allowed=MISSES),
    "slots": Case(Slots, {n: f for n, f in instance_operations.items() if n not in ("method", "replace dict")},
                  allowed=(*MISSES, RuntimeError)),
    "namespace": Case(lambda: types.SimpleNamespace(a=1, b=2, c=3), {
        **{n: f for n, f in instance_operations.items() if n not in ("method", "replace dict", "weak")},
        "repr": lambda o, me: repr(o), "equal": lambda o, me: o == copy.copy(o),
    }, check=consistent_instance, allowed=(*MISSES, RuntimeError)),
    "class": Case(make_class, class_operations, check=lambda o: o.__mro__, allowed=ODD),
    "function": Case(make_function, function_operations, allowed=ODD),
    "generator": generator_case(count_up, next=lambda o, me: next(o.g), frame=lambda o, me: inspect_frame(o.g),
                                state=lambda o, me: (o.g.gi_running, o.g.gi_suspended, o.g.gi_yieldfrom),
                                rest=lambda o, me: list(o.g)),
    "coroutine": generator_case(wait_a_little, state=lambda o, me: (o.g.cr_running, o.g.cr_frame, o.g.cr_await),
                                wait=lambda o, me: run_step(o.g.__await__())),
    "async_generator": Case(lambda: Box(g=count_asynchronously()), async_operations,
                            allowed=(ValueError, StopAsyncIteration, Stop, RuntimeError)),
    "weakref": Case(lambda: (lambda t: Box(target=t, ref=weakref.ref(t), other=weakref.ref(t), calls=[]))(Target()),
                    weak_operations, allowed=(ReferenceError, TypeError)),
    "WeakValueDictionary": weak_map(weakref.WeakValueDictionary),
    "WeakKeyDictionary": weak_map(weakref.WeakKeyDictionary),
    "WeakSet": Case(lambda: Box(set=weakref.WeakSet(), target=Target()), {
        "add": lambda o, me: o.set.add(o.target), "discard": lambda o, me: o.set.discard(o.target),
        "iterate": lambda o, me: list(o.set), "size": lambda o, me: len(o.set), "renew": renew_target,
        "copy": lambda o, me: o.set.copy(), "union": lambda o, me: o.set | o.set, "clear": lambda o, me: o.set.clear(),
        "contains": lambda o, me: o.target in o.set,
    }, allowed=(RuntimeError, KeyError)),
    "context": Case(contextvars.copy_context, {
        "run": lambda o, me: o.run(variable.set, me.number), "read": lambda o, me: o.get(variable),
        "iterate": lambda o, me: list(o.items()), "copy": lambda o, me: o.copy().run(variable.get),
        "set and reset": set_and_reset, "nested": lambda o, me: o.run(o.copy().run, variable.get),
    }, allowed=RuntimeError),
    "exception": Case(lambda: Box(error=ValueError("text")), exception_operations,
                      allowed=(TypeError, ValueError, AttributeError)),
    "module": Case(make_module, module_operations, allowed=(NameError, AttributeError)),
    "cell": Case(lambda: types.CellType(1), cell_operations, allowed=ValueError),
    "cached_property": Case(Lazy, {
        "get": lambda o, me: o.value, "delete": lambda o, me: delattr(o, "value"), "dict": lambda o, me: list(o.__dict__),
    }, allowed=AttributeError),
    "property": Case(make_property, {
        "get": lambda o, me: o.cls().value, "copy": lambda o, me: o.p.getter(lambda self: 2),
        "init": lambda o, me: o.p.__init__(lambda self: 3), "doc": lambda o, me: (setattr(o.p, "__doc__", "d"), o.p.__doc__),
        "name": lambda o, me: (setattr(o.p, "__name__", "n"), o.p.__name__), "fget": lambda o, me: o.p.fget,
    }, allowed=AttributeError),
    "text": Case(lambda: Box(text="start"), text_operations, allowed=AttributeError),
    "cycles": Case(lambda: Box(target=Target()), cycle_operations),
    "generic_alias": Case(lambda: list[int], {
        "call": lambda o, me: o(), "equal": lambda o, me: o == list[int], "hash": lambda o, me: hash(o),
        "parameters": lambda o, me: o.__parameters__, "repr": lambda o, me: repr(o), "pickle": lambda o, me: pickle.dumps(o),
        "union": lambda o, me: (o | None, int | o),
    }),
}
Pairs = test_class(cases)


def setUpModule():
    warnings.simplefilter("ignore", RuntimeWarning)  # coroutines that were never awaited


if __name__ == "__main__":
    unittest.main()
