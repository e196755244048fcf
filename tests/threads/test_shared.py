"""Threads that share built-in containers, attributes and iterators: nothing is lost, nothing breaks."""
import gc
import itertools
import json
import queue
import subprocess
import sys
import sysconfig
import threading
import unittest
import weakref
from collections import deque
from concurrent.futures import ThreadPoolExecutor

from together import THREADS, together

ROUNDS = 2000


class Shared(unittest.TestCase):
    def test_list_append_loses_nothing(self):
        l = []
        together(lambda i: [l.append(i) for _ in range(ROUNDS)])
        self.assertEqual(len(l), THREADS * ROUNDS)
        self.assertEqual(sorted(l), sorted(list(range(THREADS)) * ROUNDS))

    def test_list_pop_gives_each_item_once(self):
        l = list(range(THREADS * ROUNDS))
        got = [[] for _ in range(THREADS)]

        def pop(i):
            try:
                while True:
                    got[i].append(l.pop())
            except IndexError:
                pass
        together(pop)
        self.assertEqual(sorted(itertools.chain(*got)), list(range(THREADS * ROUNDS)))

    def test_what_stays_in_a_set_is_found_while_it_changes(self):
        stays = [f"name{i}" for i in range(4)] + [1000, 2000, len]
        s = set(stays)
        done = threading.Event()

        def look(i):
            # Other objects than those in the set.
            strings = ["".join(["name", str(n)]) for n in range(4)]
            numbers = [int("1000"), int("2000")]
            while not done.is_set():
                for key in strings:
                    assert key in s
                for key in numbers:
                    assert key in s
                assert len in s
                assert 1000 in s
                assert "missing" not in s and 7 not in s and print not in s

        def change(i):
            try:
                for n in range(ROUNDS):
                    s.add(f"other{n % 50} of {i}")
                    s.add(n + 10_000)
                    s.discard(n + 9_990)
                    if n % 20 == 0:
                        s.intersection_update(stays)
                    if n % 30 == 0:
                        s.update(range(5000, 5100))
                    if n % 50 == 0:
                        s.difference_update(range(5000, 5100))
            finally:
                done.set()
        together(look, change)
        s &= set(stays)
        self.assertEqual(s, set(stays))

    def test_a_set_is_looked_into_while_it_is_cleared_and_filled(self):
        s = set()
        found = set()

        def change(i):
            for n in range(ROUNDS):
                s.clear()
                s.add(("first" + str(n % 7))[:5])
                s.update(["second", n])

        def look(i):
            for n in range(ROUNDS):
                found.add("".join(["fi", "rst"]) in s)
                found.add(n in s)
                s.isdisjoint(["second"])
        together(change, look)
        self.assertLessEqual(found, {True, False})
        self.assertIn("second", s)

    def test_lists_are_read_while_they_change(self):
        l = [0] * 100

        def write(i):
            for k in range(ROUNDS):
                l[k % 50] = k
                if k % 7 == 0:
                    l.append(k)
                if k % 11 == 0 and len(l) > 60:
                    del l[60:]

        def read(i):
            for _ in range(ROUNDS // 10):
                for x in l:
                    int(x)
                l[:10], len(l), 5 in l
        together(write, read)

    def test_dict_setdefault_is_atomic(self):
        d = {}
        seen = [[] for _ in range(THREADS)]

        def fill(i):
            for k in range(ROUNDS):
                seen[i].append(d.setdefault(k, object()))
        together(fill)
        self.assertEqual(len(d), ROUNDS)
        for other in seen[1:]:
            self.assertTrue(all(a is b for a, b in zip(seen[0], other)))

    def test_dicts_are_read_while_they_change(self):
        d = {str(i): i for i in range(100)}

        def write(i):
            for k in range(ROUNDS):
                d[str(k % 200)] = k
                d.pop(str((k * 7) % 200), None)

        def read(i):
            for k in range(ROUNDS):
                d.get(str(k % 200))
                str(k) in d
                try:
                    for _ in d.items():
                        pass
                except RuntimeError:
                    pass
        together(write, read)

    def test_set_add_and_discard(self):
        s = set()

        def work(i):
            for k in range(ROUNDS):
                s.add((i, k))
                s.discard((i, k - 1))
        together(work)
        self.assertEqual(s, {(i, ROUNDS - 1) for i in range(THREADS)})

    def test_attributes_of_one_object(self):
        class A:
            x = 0
        a = A()

        def work(i):
            for k in range(ROUNDS):
                setattr(a, f"n{k % 40}", k)
                a.x = k
                getattr(a, f"n{(k * 3) % 40}", None)
                if k % 500 == 0:
                    a.__dict__
        together(work)
        self.assertEqual(a.x, ROUNDS - 1)

    def test_numbers_read_while_they_change_are_those_that_were_stored(self):
        # Each is its own square's root, in every kind of slot; what was freed in between would not be.
        class Inline:
            def __init__(self):
                self.pair = 4.0

        class Slots:
            __slots__ = ("pair",)

            def __init__(self):
                self.pair = 4.0

        holders, box = [Inline(), Slots()], [4.0, 10**12]
        cell = 4.0
        wrong = []

        def write(i):
            nonlocal cell
            for k in range(400):
                root = float(k % 50 + i)
                for holder in holders:
                    holder.pair = root * root
                box[0] = root * root
                box[1] = (k + 10**6) * 10**6
                cell = root * root

        def read(i):
            for _ in range(400):
                for holder in holders:
                    if (holder.pair ** 0.5) % 1.0 != 0.0:
                        wrong.append("attribute")
                if (box[0] ** 0.5) % 1.0 != 0.0 or box[1] % 10**6 != 0:
                    wrong.append("item")
                if (cell ** 0.5) % 1.0 != 0.0:
                    wrong.append("cell")
                for x in box:
                    if x * 0 != 0:
                        wrong.append("loop")

        together(write, read)
        self.assertEqual(wrong, [])

    def test_a_class_changes_while_it_is_used(self):
        class A:
            def f(self):
                return 0

        def write(i):
            for k in range(ROUNDS // 4):
                A.f = lambda self, k=k: k

        def read(i):
            a = A()
            for _ in range(ROUNDS):
                a.f()
        together(write, read)

    def test_classes_that_several_threads_assign_to_one_object_keep_their_references(self):
        class First:
            pass

        class Second:
            pass
        shared = First()
        kept = [First() for _ in range(10)] + [Second() for _ in range(10)]

        def count():
            gc.collect()
            return sys.getrefcount(First) + sys.getrefcount(Second)

        def change(_):
            for _ in range(ROUNDS):
                shared.__class__ = Second
                shared.__class__ = First
        together(change)  # what several threads read is counted otherwise from then on
        before = count()
        together(change)
        self.assertEqual(count(), before)
        self.assertEqual({type(o) for o in kept}, {First, Second})

    def test_one_iterator_for_all(self):
        for make in (lambda: iter(list(range(ROUNDS))), lambda: iter(range(ROUNDS)), lambda: itertools.count(),
                     lambda: iter(tuple(range(ROUNDS))), lambda: enumerate(list(range(ROUNDS))),
                     lambda: zip(range(ROUNDS), range(ROUNDS)), lambda: iter({i: i for i in range(ROUNDS)})):
            it = make()

            def take(i):
                for _ in itertools.islice(it, ROUNDS // THREADS):
                    pass
            together(take)

    def test_deque_is_a_queue(self):
        d = deque()

        def work(i):
            for k in range(ROUNDS):
                d.append(k)
                d.popleft()
        together(work)
        self.assertEqual(len(d), 0)

    def test_a_generator_runs_in_one_thread_only(self):
        def g():
            n = 0
            while True:
                n += 1
                yield n
        it = g()
        results = [[] for _ in range(THREADS)]

        def work(i):
            for _ in range(ROUNDS):
                try:
                    results[i].append(next(it))
                except ValueError as e:
                    assert str(e) == "generator already executing"
        together(work)
        taken = sorted(itertools.chain(*results))
        self.assertEqual(taken, list(range(1, len(taken) + 1)))

    def test_throwing_into_a_busy_generator_leaves_it_usable(self):
        class Stop(Exception):
            pass

        def g():
            while True:
                try:
                    yield
                except Stop:
                    pass
        it = g()
        next(it)

        def work(i):
            for _ in range(ROUNDS):
                try:
                    it.throw(Stop()) if i % 2 else next(it)
                except ValueError as e:
                    assert str(e) == "generator already executing"
        together(work)
        next(it)

    def test_nobody_sees_a_list_of_numbers_empty_while_it_is_sorted(self):
        l = list(range(200))

        def sort(i):
            for k in range(ROUNDS // 10):
                l.sort(reverse=k % 2)
                l.append(l.pop(0))

        def read(i):
            for _ in range(ROUNDS):
                n = len(l)
                assert n >= 200 - THREADS, n
        together(sort, read)
        self.assertEqual(sorted(l), list(range(200)))

    def test_bases_assigned_by_two_threads_leave_no_class_behind(self):
        import gc

        class A:
            pass

        class B:
            pass

        class C:
            pass

        class D(A, C):
            pass

        def work(i):
            for k in range(ROUNDS // 20):
                D.__bases__ = (B, C) if (i + k) % 2 else (A, C)
        together(work)
        bases = D.__bases__
        self.assertEqual([D in base.__subclasses__() for base in (A, B, C)], [base in bases for base in (A, B, C)])
        gone = weakref.ref(D)
        del D, work
        gc.collect()
        self.assertIsNone(gone())
        self.assertEqual(A.__subclasses__() + B.__subclasses__() + C.__subclasses__(), [])

    def test_a_class_made_while_its_base_gets_other_bases_follows_them(self):
        class A:
            pass

        class B:
            pass

        class D(A):
            pass
        made = []

        def make(i):
            for _ in range(ROUNDS // 20):
                made.append(type("E", (D,), {}))

        def assign(i):
            for k in range(ROUNDS // 20):
                D.__bases__ = (B,) if (i + k) % 2 else (A,)
        together(make, assign)
        self.assertEqual({cls.__mro__[1:] for cls in made}, {D.__mro__})

    def test_a_special_method_goes_while_others_call_it(self):
        class C:
            pass
        c = C()

        def change(i):
            for _ in range(ROUNDS // 10):
                C.__len__ = lambda self: 3
                C.__iter__ = lambda self: iter("ab")
                try:
                    del C.__len__, C.__iter__
                except AttributeError:
                    pass

        def use(i):
            for _ in range(ROUNDS // 4):
                try:
                    self.assertEqual(len(c), 3)
                    self.assertEqual(list(c), ["a", "b"])
                except (TypeError, AttributeError):
                    pass
        together(change, use)

    def test_the_first_weak_reference_dies_while_others_ask_for_it(self):
        class Target:
            pass
        target = Target()

        def ask(i):
            for _ in range(ROUNDS):
                found = target.__weakref__
                self.assertIn(type(found), (type(None), weakref.ref))

        def make(i):
            for _ in range(ROUNDS):
                weakref.ref(target, lambda _: None)
        together(ask, make)
        self.assertIsNone(target.__weakref__)

    def test_a_list_shrinks_while_it_is_encoded(self):
        shared = [[str(i)] for i in range(50)]

        def shrink(i):
            for k in range(ROUNDS // 10):
                del shared[k % 20:]
                shared.extend([[str(k)] for _ in range(50)])

        def encode(i):
            for _ in range(ROUNDS // 50):
                self.assertIsInstance(json.loads(json.dumps(shared)), list)
        together(shrink, encode)

    def test_lock_protects_a_counter(self):
        lock = threading.Lock()
        n = 0

        def work(i):
            nonlocal n
            for _ in range(ROUNDS):
                with lock:
                    n += 1
        together(work)
        self.assertEqual(n, THREADS * ROUNDS)

    def test_condition_event_and_queue(self):
        q = queue.Queue(10)
        out = []

        def work(i):
            for k in range(200):
                q.put(k)
                out.append(q.get())
        together(work)
        self.assertEqual(len(out), THREADS * 200)
        self.assertTrue(q.empty())

    def test_pool_maps_a_lambda(self):
        with ThreadPoolExecutor(THREADS) as pool:
            self.assertEqual(list(pool.map(lambda x: x * x, range(500))), [x * x for x in range(500)])
            with self.assertRaises(ZeroDivisionError):
                list(pool.map(lambda x: 1 / x, [1, 0]))

    def test_collection_while_threads_run(self):
        import gc

        def work(i):
            for _ in range(ROUNDS // 10):
                a, b = [], []
                a.append(b)
                b.append(a)
                if _ % 50 == 0:
                    gc.collect()
        together(work)

    def test_threads_have_local_storage_and_names(self):
        local = threading.local()

        def work(i):
            local.x = i
            for _ in range(100):
                assert local.x == i
        together(work)
        self.assertFalse(hasattr(local, "x"))
        names = []
        t = threading.Thread(target=lambda: names.append(threading.current_thread().name), name="worker")
        t.start()
        t.join()
        self.assertEqual(names, ["worker"])


class Forks(unittest.TestCase):
    @unittest.skipIf("-fsanitize=thread" in sysconfig.get_config_var("CFLAGS"), "ThreadSanitizer cannot follow such a child")
    def test_the_main_thread_has_ended_in_the_child_of_another_threads_fork(self):
        program = """if True:
            import os, threading
            main = threading.current_thread()
            def worker():
                pid = os.fork()
                if pid:
                    os.waitpid(pid, 0)
                    return
                joiner = threading.Thread(target=main.join)
                joiner.start()
                joiner.join()
                print("joined", flush=True)
            threading.Thread(target=worker).start()
        """
        done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=60)
        self.assertEqual((done.stdout, done.stderr), ("joined\n", ""))


if __name__ == "__main__":
    unittest.main()
