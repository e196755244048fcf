"""A second thread may start between any two instructions. From the next one on the first thread reckons with it, and is alone
again when it has ended: a reference that is lost or dropped twice shows in how many objects were freed."""
import gc
import threading
import unittest

ROUNDS = 1500
freed = []


class Item:
    def __del__(self):
        freed.append(None)


class Box:
    pass


class Slotted:
    __slots__ = ("value",)


class Places:
    """What both threads replace items in."""

    def __init__(self):
        self.box = Box()
        self.slotted = Slotted()
        self.items = [None]
        self.mapping = {}


HAMMER = """
def hammer(places, starter):
    box, slotted, items, mapping = places.box, places.slotted, places.items, places.mapping
    for i in range(ROUNDS):
        item = Item()
        if i == 100 and starter is not None:
            {statement}
        box.value = item
        slotted.value = item
        items[0] = item
        mapping[1] = item
        mapping["key"] = item
        found = box.value, slotted.value, items[0], mapping[1], mapping["key"]
        items.append(item)
        for item in items:
            break
        items.pop()
"""


def hammer(statement):
    namespace = {"ROUNDS": ROUNDS, "Item": Item}
    exec(HAMMER.format(statement=statement), namespace)
    return namespace["hammer"]


class Starter:
    """Starts the other thread in whatever method the interpreter calls."""

    def __init__(self, places):
        self.thread = threading.Thread(target=hammer("pass"), args=(places, None))

    def start(self, *_):
        self.thread.start()
        return 1

    attribute = property(start)
    __getitem__ = __neg__ = __eq__ = __len__ = __enter__ = __next__ = __contains__ = start

    def __iter__(self):
        return self

    def __exit__(self, *_):
        return False


class Ending:
    def __init__(self, starter):
        self.starter = starter

    def __del__(self):
        self.starter.start()


class ASecondThread(unittest.TestCase):
    def check(self, statement, wrap=lambda starter: starter):
        freed.clear()
        places = Places()
        starter = Starter(places)
        run = hammer(statement)
        run(places, wrap(starter))
        starter.thread.join()
        # Alone again, in a loop that was entered with the other thread.
        run(places, None)
        del places, starter
        gc.collect()  # what one thread drops for another ends when that one comes to it
        self.assertEqual(len(freed), 3 * ROUNDS)

    def test_may_start_in_a_call(self):
        self.check("starter.start()")

    def test_may_start_in_a_property(self):
        self.check("starter.attribute")

    def test_may_start_in_a_subscript(self):
        self.check("starter[0]")

    def test_may_start_in_an_operator(self):
        self.check("-starter")

    def test_may_start_in_a_comparison(self):
        self.check("starter == 1")

    def test_may_start_in_a_containment_test(self):
        self.check("2 in starter")

    def test_may_start_in_a_condition(self):
        self.check("not starter")

    def test_may_start_in_a_with_statement(self):
        self.check("\n            with starter: pass")

    def test_may_start_in_a_step_of_an_iterator(self):
        self.check("\n            for _ in starter: break")

    def test_may_start_between_the_two_steps_of_a_zip(self):
        self.check("\n            for _, other in zip(starter, items): break")

    def test_may_start_when_a_register_drops_its_object(self):
        self.check("starter = None", Ending)


if __name__ == "__main__":
    unittest.main()
