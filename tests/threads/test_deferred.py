"""Objects that several threads read all the time: nothing of them is lost, and their ends come when they should."""
import functools
import gc
import sys
import sysconfig
import threading
import types
import unittest
import weakref

from together import together

READS = 3000  # far more than an object needs to become deferred


class Node:
    """Something without a finalizer whose instances can be counted."""

    def __init__(self, value=None):
        self.value = value
        self.children = [value]


class Closing:
    closed = 0

    def __init__(self):
        self.part = [1]

    def __del__(self):
        Closing.closed += 1


def live_nodes():
    gc.collect()
    return sum(type(o) is Node for o in gc.get_objects())


class Deferred(unittest.TestCase):
    def read_often(self, holder):
        def read(_):
            for _ in range(READS):
                holder.value.value
                holder.children[0]
                for item in holder.children:
                    item
        together(read)

    def test_an_instance_that_many_threads_read_is_collected_when_it_is_dropped(self):
        before = live_nodes()
        holder = Node(Node(Node()))
        self.read_often(holder)
        self.assertEqual(live_nodes(), before + 3)
        del holder
        self.assertEqual(live_nodes(), before)

    def test_a_cycle_of_such_instances_is_collected(self):
        before = live_nodes()
        holder = Node(Node(Node()))
        holder.value.value.value = holder
        self.read_often(holder)
        del holder
        self.assertEqual(live_nodes(), before)

    def test_the_registers_of_a_running_frame_keep_what_they_hold(self):
        holder = Node(Node(Node("kept")))
        self.read_often(holder)
        node = holder.value
        inner = node.value
        holder.value = None
        node.value = None
        del holder, node
        gc.collect()
        self.assertEqual(inner.value, "kept")

    def test_a_suspended_generator_keeps_what_it_holds(self):
        holder = Node(Node(Node("kept")))
        self.read_often(holder)

        def generate():
            node = holder.value
            inner = node.value
            del node
            yield
            yield inner.value
        generator = generate()
        next(generator)
        holder.value = None
        gc.collect()
        self.assertEqual(next(generator), "kept")

    def test_an_object_with_a_finalizer_ends_with_its_last_reference(self):
        holder = Node(Closing())

        def read(_):
            for _ in range(READS):
                holder.value.part
        together(read)
        Closing.closed = 0
        holder.children.clear()
        holder.value = None
        # Threads that have ended may have left their counts to be merged.
        if not Closing.closed:
            gc.collect()
        self.assertEqual(Closing.closed, 1)

    def test_an_object_with_a_weak_reference_ends_with_its_last_reference(self):
        holder = Node(Node())
        seen = weakref.ref(holder.value)
        self.read_often(holder)
        gc.disable()
        try:
            holder.value = None
            holder.children.clear()
            self.assertIsNone(seen())
        finally:
            gc.enable()

    def test_a_generator_that_its_finalizer_brings_back_keeps_its_code_and_function(self):
        back = []
        namespace = {"back": back}
        exec("def make():\n"
             "    try:\n"
             "        yield\n"
             "    except GeneratorExit:\n"
             "        back.append(g)\n"
             "        yield_late = lambda: make\n"
             "        back.append(yield_late)\n"
             "g = make()\n"
             "next(g)\n"
             "namespace = globals()\n", namespace)
        del namespace
        for _ in range(3):
            gc.collect()
            fill = [compile("x = %d" % i, "fill", "exec") for i in range(200)]
        self.assertEqual(back[0].gi_code.co_name, "make")
        self.assertIs(back[1]().__code__, back[0].gi_code)
        self.assertEqual(back[1]()().gi_code.co_varnames, ("yield_late",))
        self.assertEqual(len(fill), 200)

    def test_suspended_frames_end_before_the_code_that_they_run(self):
        for _ in range(20):
            namespace = {}
            exec("import sys\n"
                 "def make(me):\n"
                 "    kept = [me]\n"
                 "    yield sys._getframe()\n"
                 "def use():\n"
                 "    for i in range(3):\n"
                 "        g = make(use)\n"
                 "        frames.append((g, next(g)))\n"
                 "frames = []\n"
                 "use()\n"
                 "frames.append(frames)\n", namespace)
            self.assertEqual(len(namespace["frames"]), 4)
            del namespace
            gc.collect()

    def test_objects_change_while_others_read_them_uncounted(self):
        holder = Node(Node(0))
        holder.children = [Node(i) for i in range(8)]
        done = False
        kinds = set()

        def read():
            while not done:
                node = holder.value
                kinds.add(type(node.value))
                for child in holder.children:
                    kinds.add(type(child.value))
                a, b = holder.children[1], holder.children[-1]
                kinds.add(type(a.value))
                kinds.add(type(b.value))

        def write():
            nonlocal done
            try:
                for i in range(READS):
                    holder.value = Node(i)
                    holder.children[i % 8] = Node(i)
                    if i % 100 == 0:
                        holder.children = [Node(i) for i in range(8)]
                        gc.collect()
            finally:
                done = True
        readers = [threading.Thread(target=read) for _ in range(3)]
        for t in readers:
            t.start()
        write()
        for t in readers:
            t.join()
        self.assertEqual(kinds, {int})

    def test_class_attributes_change_while_others_use_them(self):
        class Descriptor:
            def __init__(self, value):
                self.value = value

            def __get__(self, instance, owner):
                return self.value

        class Used:
            described = Descriptor(1)
            static = staticmethod(lambda: 1)

            @property
            def prop(self):
                return 1

            def __enter__(self):
                return 1

            def __exit__(self, *exc):
                pass

            def __call__(self):
                return 1
        done = False
        seen = set()

        def use():
            used = Used()
            while not done:
                seen.add(used.described)
                seen.add(used.prop)
                seen.add(Used.static())
                seen.add(used())
                with used as x:
                    seen.add(x)
        threads = [threading.Thread(target=use) for _ in range(3)]
        for t in threads:
            t.start()
        try:
            for i in range(300):
                Used.described = Descriptor(i)
                Used.prop = property(lambda self, i=i: i)
                Used.static = staticmethod(lambda i=i: i)
                Used.__enter__ = lambda self, i=i: i
                Used.__call__ = lambda self, i=i: i
                if i % 20 == 0:
                    gc.collect()
        finally:
            done = True
            for t in threads:
                t.join()
        self.assertLessEqual(seen, set(range(300)))

    def test_the_functions_of_a_module_do_not_count_for_its_name(self):
        module = types.ModuleType("a name " + "made here".title())
        self.assertTrue(sys._is_interned(module.__name__))
        if sysconfig.get_config_var("Py_GIL_DISABLED"):
            self.assertTrue(sys._is_immortal(module.__name__))

    def test_references_that_other_threads_count_for_a_function_are_counted(self):
        def keep_and_drop(function, kept, _):
            for i in range(READS):
                kept.append(function)
                if i % 3:
                    kept.pop()
        namespace = {}
        exec("def function(): return 'kept'", namespace)
        function = namespace.pop("function")
        gone = weakref.ref(function)
        before = sys.getrefcount(function)
        kept = []
        together(functools.partial(keep_and_drop, function, kept), threads=3)  # no cell: loads from it may count or not
        gc.collect()
        self.assertEqual(len(kept), 3 * READS // 3)
        self.assertEqual(sys.getrefcount(function) - before, len(kept))
        namespace.clear()
        del function
        gc.collect()
        self.assertEqual(kept[0](), "kept")
        del kept[1:]
        gc.collect()
        self.assertEqual(kept[0](), "kept")
        kept.clear()
        gc.collect()
        self.assertIsNone(gone())

    def test_references_to_more_functions_than_a_thread_has_accounts_for_are_counted(self):
        namespaces = [{} for _ in range(4000)]
        for i, namespace in enumerate(namespaces):
            exec(f"def function(): return {i}", namespace)
        functions = [namespace.pop("function") for namespace in namespaces]
        gone = [weakref.ref(f) for f in functions]
        kept = []

        def keep():
            for _ in range(3):
                mine = [(f,) for f in functions]
                mine.reverse()
                del mine[::2]
            kept.append(mine)
        together(lambda i: keep(), threads=3)
        numbers = [f() for f in functions]
        functions.clear()
        namespaces.clear()
        gc.collect()
        for mine in kept:
            for f, in mine:
                self.assertIn(f(), numbers)
        del f, mine
        kept.clear()
        gc.collect()
        self.assertEqual([ref for ref in gone if ref() is not None], [])

    def test_a_thread_hands_its_counts_over_when_it_ends_between_collections(self):
        holder = Node()
        namespace = {}
        exec("def function(): return 'kept'", namespace)
        holder.value = namespace.pop("function")
        gone = weakref.ref(holder.value)
        kept = []
        for _ in range(20):
            together(lambda i: kept.append([holder.value] * 10), threads=3)
            if len(kept) % 5 == 0:
                gc.collect()
        holder.value = holder.children = None
        gc.collect()
        self.assertEqual({f() for group in kept for f in group}, {"kept"})
        kept.clear()
        gc.collect()
        self.assertIsNone(gone())


if __name__ == "__main__":
    unittest.main()
