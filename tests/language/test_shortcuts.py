"""What the machine performs itself: steps of enumerate, zip and dict.items, numbers in containers, plain slices."""
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


if __name__ == "__main__":
    unittest.main()
