"""_abc under the library's abc, and the small modules _suggestions and _statistics. A failure here implicates
runtime/modules/abc.cpp, suggestions.cpp or statistics.cpp."""
import _abc
import abc
import collections.abc
import gc
import threading
import unittest
import weakref
from _statistics import _normal_dist_inv_cdf
from _suggestions import _generate_suggestions


class AbstractMethods(unittest.TestCase):
    def test_they_are_collected_from_the_class_and_its_bases(self):
        class A(abc.ABC):
            @abc.abstractmethod
            def f(self): pass

            @property
            @abc.abstractmethod
            def g(self): pass

        class B(A):
            def f(self): pass

        self.assertEqual(A.__abstractmethods__, {"f", "g"})
        self.assertEqual(B.__abstractmethods__, {"g"})
        with self.assertRaisesRegex(TypeError, "without an implementation for abstract method 'g'"):
            B()
        B.g = None
        self.assertEqual(abc.update_abstractmethods(B).__abstractmethods__, set())
        B()


class Registering(unittest.TestCase):
    def setUp(self):
        class A(abc.ABC): pass
        class B(A): pass
        class C: pass
        self.A, self.B, self.C = A, B, C

    def test_registered_classes_and_their_subclasses_count(self):
        A, B, C = self.A, self.B, self.C
        self.assertFalse(isinstance(C(), A))
        token = abc.get_cache_token()
        self.assertIs(B.register(C), C)
        self.assertNotEqual(abc.get_cache_token(), token)
        class D(C): pass
        for cls in (C, D):
            for _ in range(2):
                self.assertTrue(issubclass(cls, A) and isinstance(cls(), B))
        self.assertFalse(isinstance(3, A))
        self.assertFalse(isinstance(3, A))

    def test_mistakes(self):
        A, B, C = self.A, self.B, self.C
        self.assertRaisesRegex(TypeError, "Can only register classes", A.register, 1)
        self.assertRaisesRegex(RuntimeError, "inheritance cycle", B.register, A)
        self.assertIs(A.register(A), A)
        self.assertRaisesRegex(TypeError, r"issubclass\(\) arg 1 must be a class", issubclass, 1, A)
        class H(abc.ABC):
            @classmethod
            def __subclasshook__(cls, other): return 5
        self.assertRaises(AssertionError, issubclass, int, H)

    def test_an_instance_may_claim_another_class(self):
        A, C = self.A, self.C
        A.register(C)
        class Proxy:
            def __init__(self, cls): self.cls = cls
            __class__ = property(lambda self: self.cls)
        self.assertTrue(isinstance(Proxy(C), A))
        self.assertFalse(isinstance(Proxy(int), A))

    def test_classes_are_held_weakly(self):
        A = self.A
        def make():
            class T: pass
            A.register(T)
            isinstance(T(), self.B)
            return weakref.ref(T)
        ref = make()
        gc.collect()
        self.assertIsNone(ref())
        self.assertEqual(_abc._get_dump(A)[0], set())
        self.assertEqual(_abc._get_dump(self.B)[2], set())

    def test_dump_and_reset(self):
        A, C = self.A, self.C
        A.register(C)
        class D(C): pass
        isinstance(D(), A), isinstance("", A)
        registry, cache, negative, version = _abc._get_dump(A)
        self.assertEqual([{r() for r in s} for s in (registry, cache, negative)], [{C}, {D}, {str}])
        self.assertEqual(version, abc.get_cache_token())
        A._abc_caches_clear()
        A._abc_registry_clear()
        self.assertEqual(_abc._get_dump(A)[:3], (set(), set(), set()))

    def test_many_classes(self):
        A = self.A
        classes = [type(f"T{i}", (), {}) for i in range(300)]
        for cls in classes[::2]:
            A.register(cls)
        for _ in range(2):
            self.assertEqual([issubclass(cls, A) for cls in classes], [True, False] * 150)

    def test_collection_flags_reach_registered_classes(self):
        class MySequence:
            def __len__(self): return 1
            def __getitem__(self, i): return ["x"][i]
        class Derived(MySequence): pass
        collections.abc.Sequence.register(MySequence)
        for cls in (MySequence, Derived):
            match cls():
                case ["x"]: pass
                case _: self.fail(cls)
        with self.assertRaisesRegex(TypeError, "__abc_tpflags__ cannot be both"):
            type("Z", (abc.ABC,), {"__abc_tpflags__": (1 << 5) | (1 << 6)})

    def test_threads_check_and_register_together(self):
        A = self.A
        classes = [type(f"T{i}", (), {}) for i in range(200)]
        wrong = []
        def work(start):
            for i in range(start, 200, 4):
                A.register(classes[i])
                if not isinstance(classes[i](), A):
                    wrong.append(i)
                issubclass(int, A)
        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for t in threads: t.start()
        for t in threads: t.join()
        self.assertEqual(wrong, [])
        self.assertTrue(all(issubclass(cls, A) for cls in classes))


class Small(unittest.TestCase):
    def test_suggestions(self):
        for candidates, name, expected in (
            (["abc", "abd"], "abx", "abc"), (["bluch"], "blech", "bluch"), (["ABC"], "abc", "ABC"), (["abc"], "abc", None),
            (["zzz"], "abc", None), (["a" * 50], "a" * 49, "a" * 50), ([f"b{i}" for i in range(760)], "b759", None),
            (["\xe91"], "\xe92", "\xe91"), ([], "a", None), (["abcde", "abcdE"], "abcdf", "abcde"),
        ):
            self.assertEqual(_generate_suggestions(candidates, name), expected)
        self.assertRaisesRegex(TypeError, "candidates must be a list", _generate_suggestions, ("a",), "b")
        self.assertRaisesRegex(TypeError, "must be strings", _generate_suggestions, [1], "b")

    def test_inverse_of_the_normal_distribution(self):
        for p, expected in ((0.5, 0.0), (0.1, -1.2815515655446008), (1e-300, -37.0470962993612), (5e-324, -38.46740561714434)):
            self.assertEqual(_normal_dist_inv_cdf(p, 0, 1), expected)
        self.assertEqual(_normal_dist_inv_cdf(0.999999, 3, 2), 12.506848617634178)
        for p in (0, 1, 2, -1):
            self.assertRaises(ValueError, _normal_dist_inv_cdf, p, 0, 1)


if __name__ == "__main__":
    unittest.main()
