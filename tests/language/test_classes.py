"""Classes: construction, inheritance, descriptors, metaclasses, slots, finalizers, weak references."""
import gc
import collections
import dataclasses
import subprocess
import sys
import unittest
import weakref


class Construction(unittest.TestCase):
    def test_the_mro_is_c3(self):
        class A: pass
        class B(A): pass
        class C(A): pass
        class D(B, C): pass
        self.assertEqual([c.__name__ for c in D.__mro__], ["D", "B", "C", "A", "object"])
        with self.assertRaisesRegex(TypeError, "Cannot create a consistent method resolution"):
            type("X", (A, B), {})

    def test_super_walks_the_mro_of_the_instance(self):
        class A:
            def f(self): return ["A"]
        class B(A):
            def f(self): return ["B"] + super().f()
        class C(A):
            def f(self): return ["C"] + super().f()
        class D(B, C):
            def f(self): return ["D"] + super(D, self).f()
        self.assertEqual(D().f(), ["D", "B", "C", "A"])

    def test_a_comparison_raises_what_its_method_raises_when_it_is_got(self):
        class Hidden:
            def __get__(self, instance, owner):
                raise LookupError(owner.__name__)

        class Compared:
            __eq__ = Hidden()
            __lt__ = Hidden()
        for compare in (lambda a, b: a == b, lambda a, b: a < b, lambda a, b: a > b):
            with self.assertRaisesRegex(LookupError, "Compared"):
                compare(Compared(), Compared())

    def test_set_name_and_init_subclass_are_called(self):
        log = []

        class Field:
            def __set_name__(self, owner, name):
                log.append((owner.__name__, name))

        class Base:
            def __init_subclass__(cls, /, tag=None, **kw):
                super().__init_subclass__(**kw)
                log.append((cls.__name__, tag))

        class Derived(Base, tag="t"):
            x = Field()
        self.assertEqual(log, [("Derived", "x"), ("Derived", "t")])

    def test_metaclasses_prepare_and_make_classes(self):
        class Meta(type):
            @classmethod
            def __prepare__(mcs, name, bases, **kw):
                return {"prepared": True}

            def __new__(mcs, name, bases, ns, **kw):
                ns["made_by"] = "Meta"
                return super().__new__(mcs, name, bases, ns)

            def __call__(cls, *args):
                instance = super().__call__(*args)
                instance.tagged = True
                return instance

        class X(metaclass=Meta):
            pass
        self.assertTrue(X.prepared)
        self.assertEqual(X.made_by, "Meta")
        self.assertTrue(X().tagged)

    def test_conflicting_metaclasses_are_refused(self):
        class M1(type): pass
        class M2(type): pass
        class A(metaclass=M1): pass
        class B(metaclass=M2): pass
        with self.assertRaisesRegex(TypeError, "metaclass conflict"):
            class C(A, B): pass

    def test_class_assignment_needs_one_layout(self):
        class A: pass
        class B: pass
        a = A()
        a.__class__ = B
        self.assertIsInstance(a, B)
        with self.assertRaises(TypeError):
            a.__class__ = int

    def test_init_must_return_none(self):
        class A:
            def __init__(self): return 1
        with self.assertRaisesRegex(TypeError, r"__init__\(\) should return None, not 'int'"):
            A()

    def test_object_takes_no_arguments(self):
        class A: pass
        with self.assertRaisesRegex(TypeError, r"A\(\) takes no arguments"):
            A(1)


class Attributes(unittest.TestCase):
    def test_data_descriptors_win_over_the_instance(self):
        class Data:
            def __get__(self, obj, owner): return "data"
            def __set__(self, obj, value): obj.__dict__["stored"] = value
        class NonData:
            def __get__(self, obj, owner): return "nondata"
        class A:
            d = Data()
            n = NonData()
        a = A()
        a.d = 1
        self.assertEqual((a.d, a.stored), ("data", 1))
        a.__dict__["n"] = 2
        self.assertEqual(a.n, 2)

    def test_properties_get_set_and_delete(self):
        class A:
            def __init__(self): self._x = 1
            @property
            def x(self): return self._x
            @x.setter
            def x(self, v): self._x = v
            @x.deleter
            def x(self): del self._x
        a = A()
        a.x = 5
        self.assertEqual(a.x, 5)
        del a.x
        self.assertFalse(hasattr(a, "x"))
        with self.assertRaisesRegex(AttributeError, "property 'y' of '.*B' object has no setter"):
            class B:
                y = property(lambda self: 1)
            B().y = 2

    def test_the_instance_dict_keeps_insertion_order(self):
        class A: pass
        a = A()
        a.x, a.y = 1, 2
        b = A()
        b.y, b.x = 1, 2
        self.assertEqual(list(a.__dict__), ["x", "y"])
        self.assertEqual(list(b.__dict__), ["y", "x"])
        del a.x
        a.x = 3
        self.assertEqual(list(vars(a)), ["y", "x"])

    def test_attributes_through_the_dict_and_directly_are_the_same(self):
        class A:
            def __init__(self): self.x = 1
        a = A()
        d = a.__dict__
        d["z"] = 9
        a.x = 2
        self.assertEqual((a.z, d), (9, {"x": 2, "z": 9}))
        a.__dict__ = {"q": 1}
        self.assertEqual(a.q, 1)
        self.assertFalse(hasattr(a, "x"))

    def test_class_changes_are_seen_by_running_code(self):
        class A:
            def f(self): return 1
        def call(a):
            return a.f()
        a = A()
        results = [call(a) for _ in range(5)]
        A.f = lambda self: 2
        results += [call(a) for _ in range(5)]
        a.f = lambda: 3
        results += [call(a) for _ in range(5)]
        self.assertEqual(results, [1] * 5 + [2] * 5 + [3] * 5)

    def test_slots_have_no_dict(self):
        class A:
            __slots__ = ("x", "y")
        a = A()
        a.x = 1
        self.assertEqual(a.x, 1)
        with self.assertRaises(AttributeError):
            a.z = 1
        with self.assertRaises(AttributeError):
            a.y
        with self.assertRaisesRegex(ValueError, "'x' in __slots__ conflicts with class variable"):
            class B:
                __slots__ = ("x",)
                x = 1

    def test_getattr_is_asked_last(self):
        class A:
            x = 1
            def __getattr__(self, name): return name.upper()
        self.assertEqual((A().x, A().y), (1, "Y"))

    def test_errors_name_class_and_attribute(self):
        class A: pass
        with self.assertRaisesRegex(AttributeError, "'A' object has no attribute 'nope'") as caught:
            A().nope
        self.assertEqual(caught.exception.name, "nope")
        with self.assertRaisesRegex(AttributeError, "type object 'A' has no attribute 'nope'"):
            A.nope


class SpecialMethods(unittest.TestCase):
    def test_operators_try_the_reflected_method(self):
        class L:
            def __add__(self, other): return NotImplemented
        class R:
            def __radd__(self, other): return "R"
        self.assertEqual(L() + R(), "R")
        with self.assertRaisesRegex(TypeError, r"unsupported operand type\(s\) for \+: 'L' and 'int'"):
            L() + 1

    def test_subclass_reflected_methods_come_first(self):
        class A:
            def __add__(self, other): return "A"
        class B(A):
            def __radd__(self, other): return "B"
        self.assertEqual(A() + B(), "B")

    def test_containers_by_special_methods(self):
        class C:
            def __len__(self): return 3
            def __getitem__(self, i):
                if i >= 3: raise IndexError
                return i * 2
            def __contains__(self, x): return x == "in"
        c = C()
        self.assertEqual((len(c), list(c), c[1], "in" in c, bool(c)), (3, [0, 2, 4], 2, True, True))

    def test_call_hash_and_eq(self):
        class A:
            def __init__(self, v): self.v = v
            def __call__(self, x): return self.v + x
            def __eq__(self, o): return self.v == o.v
            def __hash__(self): return hash(self.v)
        self.assertEqual(A(1)(2), 3)
        self.assertEqual(len({A(1), A(1), A(2)}), 2)
        class B:
            def __eq__(self, o): return True
        with self.assertRaisesRegex(TypeError, "unhashable type: 'B'"):
            hash(B())


class Lifetime(unittest.TestCase):
    def test_finalizers_run_when_the_last_reference_goes(self):
        log = []
        class A:
            def __del__(self): log.append("gone")
        a = A()
        b = a
        del a
        self.assertEqual(log, [])
        del b
        self.assertEqual(log, ["gone"])

    def test_temporaries_die_at_once(self):
        log = []
        class A:
            def f(self): return 1
            def __del__(self): log.append("gone")
        A().f()
        self.assertEqual(log, ["gone"])
        [A() for _ in range(2)][0]
        self.assertEqual(len(log), 3)

    def test_cycles_are_collected_and_weak_references_told(self):
        log = []
        class A: pass
        a, b = A(), A()
        a.other, b.other = b, a
        r = weakref.ref(a, lambda _: log.append("dead"))
        del a, b
        gc.collect()
        self.assertIsNone(r())
        self.assertEqual(log, ["dead"])

    def test_resurrection_is_possible_once(self):
        kept = []
        class A:
            def __del__(self): kept.append(self)
        A()
        self.assertEqual(len(kept), 1)
        kept.clear()
        self.assertEqual(kept, [])

    def test_deep_structures_are_freed_without_recursion(self):
        x = None
        for _ in range(200000):
            x = (x,)
        del x
        class Node:
            __slots__ = ("next",)
        head = None
        for _ in range(100000):
            n = Node()
            n.next = head
            head = n
        del head, n



class BasesAndMetaclasses(unittest.TestCase):
    def test_assignments_of_bases_within_mro_find_cycles(self):
        class Meta(type):
            ready = False

            def mro(cls):
                if Meta.ready:
                    if cls.__name__ == "B1":
                        B2.__bases__ = (B1,)
                    if cls.__name__ == "B2":
                        B1.__bases__ = (B2,)
                return type.mro(cls)

        class A(metaclass=Meta):
            pass

        class B1(A):
            pass

        class B2(A):
            pass
        Meta.ready = True
        with self.assertRaises(TypeError):
            B1.__bases__ += ()

    def test_class_cell_is_set_while_mro_runs(self):
        class Meta(type):
            def mro(cls):
                cls.seen = cls.__dict__["f"](None)
                return type.mro(cls)

        class A(metaclass=Meta):
            def f(self):
                return __class__
        self.assertIs(A.seen, A)

    def test_call_of_a_native_base_works_through_super(self):
        class Reference(weakref.ref):
            def __call__(self):
                return super().__call__()

        class Target:
            pass
        target = Target()
        self.assertIs(Reference(target)(), target)

    def test_class_with_slots_of_other_order_in_a_base_is_no_replacement(self):
        class A:
            __slots__ = ("a",)

        class B:
            __slots__ = ("a",)

        class C(A):
            __slots__ = ("e",)

        class D(B):
            __slots__ = ("e",)
        with self.assertRaises(TypeError):
            C().__class__ = D

    def test_first_class_with_an_opinion_decides_how_instances_match(self):
        class Plain:
            pass

        class Both(Plain, collections.UserDict):
            pass
        match Both():
            case {}:
                kind = "mapping"
            case _:
                kind = "other"
        self.assertEqual(kind, "mapping")

    def test_names_that_are_no_strings_warn(self):
        with self.assertWarnsRegex(RuntimeWarning, "non-string key"):
            type("A", (), {1: 2})

    def test_pickling_asks_the_class_for_new_arguments(self):
        class Picky:
            def __getattr__(self, name):
                raise AssertionError(name)
        self.assertIsNone(Picky().__reduce_ex__(2)[2])

    def test_slotted_dataclasses_release_the_class_that_they_replace(self):
        @dataclasses.dataclass(slots=True, weakref_slot=True)
        class A:
            x: int
        a = A(1)
        self.assertIs(weakref.ref(a), a.__weakref__)
        gc.collect()
        self.assertEqual([c for c in object.__subclasses__() if c.__qualname__ == A.__qualname__], [A])


class LocalsOfClassBodies(unittest.TestCase):
    def test_comprehensions_see_their_variables(self):
        ns = {}
        exec("a = [sorted(locals()) for x in [1]]\nclass C:\n    b = [eval('x') for x in [1]]", ns)
        self.assertEqual(ns["a"], [["x"]])
        self.assertEqual(ns["C"].b, [1])



class Finalizers(unittest.TestCase):
    def test_weak_references_are_dead_when_the_finalizers_of_a_cycle_run(self):
        seen = []

        class A:
            def __del__(self):
                seen.append((reference(), self))
        a = A()
        a.me = a
        reference = weakref.ref(a)
        del a
        gc.collect()
        self.assertIsNone(seen[0][0])
        self.assertIsNone(reference())

    def test_finalizers_run_when_the_program_ends_by_system_exit(self):
        code = ("class A:\n    def __del__(self): print('finalized')\n"
                "a = A()\na.me = a\nraise SystemExit(0)")
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        self.assertEqual(done.stdout, "finalized\n")



class DyingReferences(unittest.TestCase):
    def test_a_weak_reference_that_dies_with_its_target_does_not_call_back(self):
        called = []

        class Reference(weakref.ref):
            pass

        class Target:
            pass
        target = Target()
        reference = Reference(target, called.append)
        reference.target = target
        del target
        del reference
        self.assertEqual(called, [])

    def test_bound_slots_in_cycles_are_collected(self):
        class Items(list):
            pass
        items = Items()
        items.extend(items.__getattribute__(name) for name in ("__len__", "__init__", "__iter__", "__eq__") * 20)
        reference = weakref.ref(items)
        del items
        gc.collect()
        self.assertIsNone(reference())

    def test_a_comparison_that_cannot_be_got_at_is_none(self):
        class E:
            @property
            def __eq__(self):
                raise AttributeError
        self.assertFalse(E() == E())


if __name__ == "__main__":
    unittest.main()
