"""Threads that come and go, make things, share them and drop them: what is in use does not grow.

AMPHIS_CHURN_SECONDS says for how long each test does so (default 2): the longer, the smaller the loss that is seen.
"""
import copy
import functools
import gc
import os
import queue
import re
import sys
import threading
import time
import unittest
import weakref

SECONDS = float(os.environ.get("AMPHIS_CHURN_SECONDS", "2"))
THREADS = 3


class Node:
    def __init__(self, value, peer=None):
        self.value = value
        self.peer = peer

    def method(self):
        return self.value

    @classmethod
    def made(cls, value):
        return cls(value)

    def __eq__(self, other):
        return self is other

    __hash__ = object.__hash__


def cycles(shared):
    for i in range(50):
        a = Node(i)
        a.peer = Node(i, a)


def closures(shared):
    calls = [lambda i=i: shared["node"].method() for i in range(50)]
    for call in calls:
        call()
    shared["call"] = calls[0]


def containers(shared):
    for i in range(50):
        shared["list"].append(Node.made(i))
        shared["set"].add(Node(i))
        shared["dict"][i] = {"a": [i], "b": (Node(i),)}
    if len(shared["list"]) > 200:
        shared["list"].clear()
        shared["set"].clear()
        shared["dict"].clear()


def classes(shared):
    class Made(Node):
        def method(self):
            return super().method()

        @property
        def prop(self):
            return self.value
    made = Made(1)
    made.method()
    made.prop
    Made.__len__ = lambda self: 1
    len(made)
    shared["class"] = Made


def errors(shared):
    for i in range(20):
        try:
            try:
                raise KeyError(i)
            except KeyError as e:
                raise ValueError(i) from e
        except ValueError as e:
            shared["error"] = e.__cause__


def generators(shared):
    def generate(n):
        for i in range(n):
            yield Node(i)
    for _ in generate(20):
        pass
    shared["generator"] = g = generate(5)
    next(g)


def references(shared):
    node = Node(1)
    shared["ref"] = weakref.ref(node, lambda ref: None)
    shared["finalize"] = weakref.WeakSet([node])


def library(shared):
    shared["match"] = re.match(r"(\w+) (\w+)", "some words")
    shared["partial"] = functools.partial(Node, 1)
    shared["partial"]()
    copy.deepcopy({"a": [1, (2, [3])]})
    local = threading.local()
    local.x = Node(1)


WORK = [cycles, closures, containers, classes, errors, generators, references, library]


class Churn(unittest.TestCase):
    def settled(self):
        for _ in range(4):
            gc.collect()
        return sys.getallocatedblocks()

    def check(self, one_round, rounds, slack):
        """The blocks in use after some rounds, again and again for the time given: the least of the later is not above the
        most of the earlier ones, but for what caches and retired memory take for a while."""
        counts = []
        end = time.monotonic() + SECONDS
        while time.monotonic() < end or len(counts) < 6:
            for _ in range(rounds):
                one_round()
            counts.append(self.settled())
        middle = len(counts) // 2
        self.assertLessEqual(min(counts[middle:]), max(counts[1:middle]) + slack, counts)

    def test_threads_that_come_and_go_leave_nothing(self):
        shared = {"list": [], "set": set(), "dict": {}}

        def run(number):
            for work in WORK[number % 4:] + WORK[:number % 4]:
                work(shared)

        def one_round():
            shared["node"] = Node(1)
            threads = [threading.Thread(target=run, args=(n,)) for n in range(THREADS)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            shared.clear()
            shared.update({"list": [], "set": set(), "dict": {}})
        self.check(one_round, 5, 100)

    def test_messages_between_threads_leave_nothing(self):
        there, back = queue.Queue(), queue.Queue()

        def answer():
            while (message := there.get()) is not None:
                back.put((message, Node(message)))
        threads = [threading.Thread(target=answer) for _ in range(THREADS)]
        for t in threads:
            t.start()

        def one_round():
            for i in range(100):
                there.put(Node(i))
            for i in range(100):
                back.get()
        try:
            self.check(one_round, 5, 1000)
        finally:
            for _ in threads:
                there.put(None)
            for t in threads:
                t.join()


if __name__ == "__main__":
    unittest.main()
