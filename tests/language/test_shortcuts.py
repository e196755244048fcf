"""What the machine performs itself: steps of enumerate, zip and dict.items, numbers in containers, slices, ints in sets,
and attribute sites that see many classes."""
import unittest


class Raises:
    def __init__(self, n):
        self.n = n

    def __iter__(self):
        return self

    def __next__(self):
        if self.n == 0:
            raise ZeroDivisionError
        self.n -= 1
        return self.n


class Shortcuts(unittest.TestCase):
    def test_zip_ends_with_its_shorter_part_and_takes_one_item_too_many_from_the_first(self):
        first, second = iter([1, 2, 3]), iter("ab")
        self.assertEqual([(x, y) for x, y in zip(first, second)], [(1, "a"), (2, "b")])
        self.assertEqual(list(first), [])

    def test_an_exception_in_either_part_of_zip_leaves_the_loop(self):
        for parts in ((Raises(2), [1, 2, 3]), ([1, 2, 3], Raises(2))):
            seen = []
            with self.assertRaises(ZeroDivisionError):
                for x, y in zip(*parts):
                    seen.append((x, y))
            self.assertEqual(len(seen), 2)

    def test_strict_zip_and_zip_of_three_unpack_as_tuples_do(self):
        with self.assertRaisesRegex(ValueError, "is shorter than"):
            for x, y in zip([1, 2], [1], strict=True):
                pass
        with self.assertRaisesRegex(ValueError, "too many values to unpack"):
            for x, y in zip([1], [2], [3]):
                pass

    def test_enumerate_counts_beyond_what_a_register_holds(self):
        start = 2**47 - 1
        self.assertEqual([i for i, _ in enumerate("abc", start)], [start, start + 1, start + 2])
        self.assertEqual([i for i, _ in enumerate("ab", 2**80)], [2**80, 2**80 + 1])

    def test_a_dict_that_grows_while_its_items_are_walked_raises(self):
        d = {1: 2}
        with self.assertRaisesRegex(RuntimeError, "changed size during iteration"):
            for k, v in d.items():
                d[k + 1] = v

    def test_numbers_stored_over_numbers_do_not_change_what_others_hold(self):
        a = [1.5, 100000]
        kept_float, kept_int = a[0], a[1]
        for i in range(3):
            a[0] = a[0] * 2.0
            a[1] = a[1] + 70000
        self.assertEqual((kept_float, kept_int), (1.5, 100000))
        self.assertEqual(a, [12.0, 310000])

        class Counter:
            pass

        c = Counter()
        c.n = 50000
        snapshots = []
        for _ in range(3):
            c.n += 1
            snapshots.append(c.n)
        self.assertEqual(snapshots, [50001, 50002, 50003])

    def test_int_keys_of_the_same_hash_are_told_apart(self):
        d = {-1: "one", -2: "two", 2**61 - 1: "zero too", 1.0: "float"}
        for key, value in ((-1, "one"), (-2, "two"), (2**61 - 1, "zero too"), (1, "float")):
            self.assertEqual(d[key], value)
        d[-1], d[-2] = "ONE", "TWO"
        d[1] = "int"
        self.assertEqual(list(d.items()), [(-1, "ONE"), (-2, "TWO"), (2**61 - 1, "zero too"), (1.0, "int")])
        with self.assertRaises(KeyError):
            d[0]

    def test_plain_slices_take_any_bounds_that_slice_objects_take(self):
        class Index:
            def __index__(self):
                return 1

        class Shows:
            def __getitem__(self, key):
                return key

            def __setitem__(self, key, value):
                self.stored = key, value

        a, i, none = [0, 1, 2, 3], Index(), None
        self.assertEqual(a[i:none], [1, 2, 3])
        self.assertEqual("abcd"[-10**30:i], "a")
        self.assertEqual((1, 2, 3)[none:-i.__index__()], (1, 2))
        with self.assertRaisesRegex(TypeError, "slice indices must be integers or None"):
            a["x":i]
        s = Shows()
        self.assertEqual(s[i:none], slice(i, None))
        s[none:2] = 5
        self.assertEqual(s.stored, (slice(None, 2), 5))
        a[i:3] = "xyz"
        self.assertEqual(a, [0, "x", "y", "z", 3])

    def test_slices_with_a_step_read_and_write_what_slice_objects_do(self):
        bounds = (None, -12, -9, -3, -1, 0, 1, 4, 8, 9, 15)
        whole = list(range(9))
        for start in bounds:
            for stop in bounds:
                for step in (None, -9, -2, -1, 1, 2, 10):
                    where = slice(start, stop, step)
                    self.assertEqual(whole[start:stop:step], whole[where])
                    self.assertEqual(tuple(whole)[start:stop:step], tuple(whole)[where])
                    fresh = [str(i) for i in whole[where]]
                    a, b = whole[:], whole[:]
                    a[start:stop:step] = fresh
                    b[where] = tuple(fresh)
                    self.assertEqual(a, b)
        zero = 0
        with self.assertRaisesRegex(ValueError, "slice step cannot be zero"):
            whole[::zero]
        with self.assertRaisesRegex(ValueError, "slice step cannot be zero"):
            whole[::zero] = []
        two = 2
        with self.assertRaisesRegex(ValueError, "attempt to assign sequence of size 1 to extended slice of size 5"):
            whole[::two] = [1]
        with self.assertRaisesRegex(TypeError, "slice indices must be integers or None"):
            whole[two:"x":two]

    def test_a_list_may_be_assigned_to_a_slice_of_itself(self):
        a = [1, 2, 3, 4]
        k = 1
        a[k:3] = a
        self.assertEqual(a, [1, 1, 2, 3, 4, 4])
        a[::-k] = a
        self.assertEqual(a, [4, 4, 3, 2, 1, 1])

    def test_items_that_a_slice_loses_may_look_at_the_list(self):
        seen = []

        class Item:
            def __del__(self):
                seen.append(len(a))

        k = 0
        a = [Item(), Item(), 3]
        a[k:2] = ["x", "y"]
        self.assertEqual(seen, [3, 3])
        a = [Item(), Item(), 3]
        a[k:2] = ["x"]
        self.assertEqual(seen, [3, 3, 2, 2])

    def test_an_int_is_in_a_set_that_holds_something_equal(self):
        for i in (1, -1, -2, 0, 2**46, 7):
            self.assertIs(i in {1.0, -1.0, 2.0**46}, i in (1, -1, 2**46))
            self.assertIs(i in frozenset({True, "1"}), i == 1)
            self.assertIs(i in {-1, -2, 7 + 8, 7 + 16}, i in (-1, -2))

        class Seven:
            def __hash__(self):
                return 7

            def __eq__(self, other):
                if other == 7:
                    raise ZeroDivisionError
                return False

        with self.assertRaises(ZeroDivisionError):
            seven = 7
            seven in {Seven()}

    def test_a_union_of_sets_shares_nothing_with_its_parts(self):
        a = frozenset(range(100))
        b = a | {1000}
        self.assertEqual(len(b), 101)
        c = set(b)
        c.discard(5)
        c |= {-1}
        self.assertEqual((len(a), len(b), len(c), 5 in b, 5 in c), (100, 101, 101, True, False))
        self.assertEqual(set(c), c)
        self.assertEqual(sorted(c - a), [-1, 1000])


    def test_numbers_in_loops_keep_their_values_and_types(self):
        values = [1, 2.5, True, 2**70, -0.0, float("inf"), "x", None, 1j]
        self.assertEqual([(type(a), type(b)) for a, b in zip(values, tuple(values))], [(type(v), type(v)) for v in values])
        total = 0
        for i, (x, y) in enumerate(zip([1, 2.5, True, 2**70], (2**70, 1j, 3, False))):
            total += x * y + i
        self.assertEqual(total, 2**70 + 2.5j + 3 + 6)
        for x in (7, 7.5, "seven"):
            if x:
                x
        self.assertEqual(locals()["x"], "seven")
        with self.assertRaises(TypeError):
            for a in [1, "1"]:
                a + 1

    def test_integers_around_64_bits_calculate_as_all_others(self):
        edges = [0, 1, -1, 7, -7, 2**31, 2**47 - 1, -(2**47), 2**47, 2**60, -(2**62) - 1, 2**63 - 1, -(2**63), 2**63, -(2**64)]

        class Int(int):
            pass

        def results(a, b):
            for operation in ("+", "-", "*", "&", "|", "^", "//", "%", ">>", "<<"):
                if operation in ("<<", ">>") and abs(b) > 100:
                    continue
                try:
                    yield eval(f"a {operation} b")
                except (ZeroDivisionError, ValueError) as e:
                    yield str(e)

        for a in edges:
            for b in edges:
                # Subclasses go through the number protocol.
                self.assertEqual(list(results(a, b)), list(results(Int(a), b)), (a, b))
                self.assertEqual(a == b, str(a) == str(b))

    def test_a_nan_stays_the_same_nan(self):
        nan = float("nan")
        for a, b in [(nan, 1), (nan, 2)]:
            b + 1
            self.assertIn(a, [nan])

    def test_a_dict_walked_in_order_gives_keys_values_and_items_across_holes(self):
        d = {f"k{i}": i + 0.5 for i in range(20)}
        for i in range(0, 20, 3):
            del d[f"k{i}"]
        left = [i for i in range(20) if i % 3]
        self.assertEqual([k for k in d], [f"k{i}" for i in left])
        self.assertEqual([v for v in d.values()], [i + 0.5 for i in left])
        self.assertEqual([(k, v) for k, v in d.items()], [(f"k{i}", i + 0.5) for i in left])
        with self.assertRaisesRegex(RuntimeError, "changed size during iteration"):
            for k in d:
                del d[k]
        with self.assertRaisesRegex(RuntimeError, "keys changed during iteration"):
            d = {0: 1}
            for k in d:
                del d[k]
                d[k + 1] = 1


class Site:
    """One site in a program that sees objects of many classes."""

    @staticmethod
    def load(o):
        return o.value

    @staticmethod
    def call(o):
        return o.method()

    @staticmethod
    def store(o, value):
        o.value = value


def many_classes():
    class Plain:
        def __init__(self):
            self.other, self.value = 0, "plain"

        def method(self):
            return "Plain.method"

    class Slots:
        __slots__ = ("value",)

        def __init__(self):
            self.value = "slots"

        def method(self):
            return "Slots.method"

    class OnClass:
        value = "class"

        @classmethod
        def method(cls):
            return cls.__name__ + ".method"

    class Computed:
        @property
        def value(self):
            return "computed"

        @value.setter
        def value(self, new):
            self.new = new

        @staticmethod
        def method():
            return "Computed.method"

    class Dynamic:
        def __getattr__(self, name):
            return (lambda: "Dynamic.method") if name == "method" else name

    class InDict:
        def __init__(self):
            self.__dict__["value"] = "dict"
            self.method = lambda: "InDict.method"

    return Plain, Slots, OnClass, Computed, Dynamic, InDict


class AttributesOfManyClasses(unittest.TestCase):
    def test_a_site_gives_each_object_its_own_attribute(self):
        classes = many_classes()
        expected = ["plain", "slots", "class", "computed", "value", "dict"]
        for _ in range(40):
            self.assertEqual([Site.load(cls()) for cls in classes], expected)
            self.assertEqual([Site.call(cls()) for cls in classes], [cls.__name__ + ".method" for cls in classes])

    def test_a_site_stores_where_each_object_keeps_its_attribute(self):
        for _ in range(3):
            for turn in range(20):
                for cls in many_classes():
                    o = cls()
                    Site.store(o, turn)
                    self.assertEqual(Site.load(o), "computed" if cls.__name__ == "Computed" else turn)

    def test_a_change_to_a_class_is_seen_at_once(self):
        classes = many_classes()
        objects = [cls() for cls in classes]
        for o in objects * 20:
            Site.load(o), Site.call(o)
        for turn in range(30):
            for cls, o in zip(classes, objects):
                cls.method = lambda self: turn
                self.assertEqual(Site.call(o), "InDict.method" if cls.__name__ == "InDict" else turn)
            classes[2].value = turn
            self.assertEqual(Site.load(objects[2]), turn)
        del classes[2].value
        with self.assertRaises(AttributeError):
            Site.load(objects[2])

    def test_an_attribute_of_the_instance_comes_to_hide_that_of_the_class(self):
        for _ in range(30):
            plain, _slots, on_class, *_rest = many_classes()
            a, b = on_class(), on_class()
            for o in (a, b, plain()) * 10:
                Site.load(o), Site.call(o)
            a.value = "mine"
            a.method = lambda: "my method"
            self.assertEqual([Site.load(o) for o in (a, b)], ["mine", "class"])
            self.assertEqual([Site.call(o) for o in (a, b)], ["my method", "OnClass.method"])
            del a.value, a.method
            self.assertEqual([Site.load(o) for o in (a, b)], ["class", "class"])

    def test_a_deleted_slot_raises_where_it_was_read_before(self):
        slots = many_classes()[1]
        for _ in range(30):
            o = slots()
            self.assertEqual(Site.load(o), "slots")
            del o.value
            with self.assertRaises(AttributeError):
                Site.load(o)

    def test_a_property_is_called_with_its_object_and_its_errors_pass(self):
        class Owner:
            def __init__(self, n):
                self.n = n

            @property
            def double(self):
                return self.n * 2

            @property
            def fails(self):
                raise ZeroDivisionError(self.n)

            @property
            def absent(self):
                return self.nothing

            @property
            def with_default(self, extra=5):
                return self.n + extra

            @property
            def endless(self):
                return self.endless

        def doubles():
            for i in range(30):
                yield Owner(i).double + Owner(i).with_default

        self.assertEqual(list(doubles()), [3 * i + 5 for i in range(30)])
        for i in range(30):
            owner = Owner(i)
            self.assertEqual((owner.double, Owner(i).double, owner.with_default), (2 * i, 2 * i, i + 5))
            with self.assertRaisesRegex(ZeroDivisionError, f"^{i}$"):
                owner.fails
            with self.assertRaisesRegex(AttributeError, "'Owner' object has no attribute 'nothing'"):
                Owner(i).absent
        with self.assertRaises(RecursionError):
            owner.endless
        read = Owner.__dict__["double"]
        for i in range(10):
            read.__init__(lambda self, i=i: i)
            self.assertEqual(owner.double, i)
        for i in range(10):
            read.__init__(lambda self: -i)
            self.assertEqual(owner.double, -i)
        del Owner.double
        with self.assertRaises(AttributeError):
            owner.double

    def test_super_finds_the_next_class_of_each_object(self):
        class Base:
            def who(self):
                return "Base"

        class Left(Base):
            def who(self):
                return "Left " + super().who()

        class Right(Base):
            def who(self):
                return "Right " + super().who()

        class Both(Left, Right):
            def who(self):
                return "Both " + super().who()

        for _ in range(10):
            self.assertEqual([cls().who() for cls in (Left, Right, Both)], ["Left Base", "Right Base", "Both Left Right Base"])
        Right.who = lambda self: "new"
        self.assertEqual(Both().who(), "Both Left new")
        del Right.who
        self.assertEqual(Both().who(), "Both Left Base")

        class Meta(type):
            def who(cls):
                return super().mro()[0].__name__

        class A(metaclass=Meta):
            pass

        class SubMeta(Meta, metaclass=Meta):
            pass

        for _ in range(5):
            self.assertEqual(A.who(), "A")
            with self.assertRaisesRegex(TypeError, "unbound method type.mro"):
                Meta.who(SubMeta)

        class Claims:
            __class__ = Left

        for _ in range(5):
            self.assertEqual(Left.who(Claims()), "Left Base")

    def test_a_finalizer_that_runs_in_a_store_does_not_mislead_the_site(self):
        class Loud:
            def __del__(self):
                for cls in many_classes():
                    Site.store(cls(), 1)

        for _ in range(30):
            for cls in many_classes()[:2]:
                o = cls()
                Site.store(o, Loud())
                Site.store(o, 5)
                self.assertEqual(Site.load(o), 5)


if __name__ == "__main__":
    unittest.main()
