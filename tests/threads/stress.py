"""Threads hammer one shared object with every pair of its operations; then its invariants are checked.

A Case names a type: how a shared object is made, a table of operations, and what must hold afterwards. Operations are
called as op(shared, me), `me` being the Worker that runs them. Those in `exact` keep a ledger (me.add, me.take): after a
pair of them the object must hold exactly what it held at first, plus what was added, less what was taken. Those in
`loose` throw things away or are made of several atomic steps; after a pair with one of them only `check` must hold.
Exceptions in `allowed` are what the language lets such an operation raise; any other one fails the test.

Each pair goes on until every thread has done its share of rounds, so that the threads overlap. From the environment:

    AMPHIS_STRESS_SECONDS   go through the pairs in new random orders until this many seconds are over, for each file
    AMPHIS_STRESS_SEED      the seed that a failed run has printed
    AMPHIS_STRESS_PAIR      only this pair of operations, as in append,pop (choose the case with -k)
    AMPHIS_STRESS_THREADS   how many threads (default: 3)
    AMPHIS_STRESS_ROUNDS    each thread's share in one pair (default: 60)
    AMPHIS_STRESS_TRACE     say on stderr which pair begins: the last line before a crash names it
"""
import faulthandler
import itertools
import os
import random
import sys
import threading
import time
import unittest
from collections import Counter

THREADS = int(os.environ.get("AMPHIS_STRESS_THREADS", 3))
SECONDS = float(os.environ.get("AMPHIS_STRESS_SECONDS", 0))
SEED = int(os.environ.get("AMPHIS_STRESS_SEED", 20250914))
PAIR = os.environ.get("AMPHIS_STRESS_PAIR")
TRACE = "AMPHIS_STRESS_TRACE" in os.environ
ROUNDS = int(os.environ.get("AMPHIS_STRESS_ROUNDS", 60))
PATIENCE = 4       # a thread that waits for the others does at most this many times its share
SWITCH_INTERVAL = 5e-5  # short, so that threads interleave under a GIL too
HANG_SECONDS = 240


class Box:
    """A shared object with attributes that operations may replace."""

    def __init__(self, **attributes):
        self.__dict__.update(attributes)


class Worker:
    """One of the threads: its random numbers, and its ledger of what it has added to and taken from the object."""

    def __init__(self, number):
        self.number = number
        self.random = random.Random(SEED * 1000 + number)
        self.added = []
        self.taken = []
        self.fresh = itertools.count(1_000_000 * (number + 1))

    def add(self, put, *rest):
        """put(a new int, *rest)"""
        x = next(self.fresh)
        put(x, *rest)
        self.added.append(x)
        return x

    def add_many(self, put, make=list):
        """put(a container of three new ints)"""
        xs = [next(self.fresh) for _ in range(3)]
        put(make(xs))
        self.added += xs

    def add_at(self, put, where):
        """put(where, a new int)"""
        x = next(self.fresh)
        put(where, x)
        self.added.append(x)

    def add_byte(self, put):
        x = self.random.randrange(100)
        put(x)
        self.added.append(x)

    def take(self, get, *arguments):
        self.taken.append(get(*arguments))

    def take_mine(self, remove, *rest):
        """remove(something that this thread has added, *rest), if there is such a thing"""
        if self.added:
            x = self.added[-1]
            remove(x, *rest)
            self.taken.append(x)

    def below(self, n):
        return self.random.randrange(n)


class Case:
    def __init__(self, make, loose=None, exact=None, contents=None, check=None, allowed=()):
        self.make = make
        self.exact = exact or {}
        self.operations = {**self.exact, **(loose or {})}
        self.contents = contents
        self.check = check
        self.allowed = allowed

    def pairs(self):
        if PAIR:
            return [tuple(PAIR.split(","))]
        return list(itertools.combinations_with_replacement(self.operations, 2))


class Race:
    """The threads of one case. They meet at a barrier before each pair; the last to arrive checks the pair before."""

    def __init__(self, name, case, pairs):
        self.name = name
        self.case = case
        self.pairs = iter(pairs)
        self.pair = None
        self.errors = []
        self.workers = [Worker(i) for i in range(THREADS)]
        self.barrier = threading.Barrier(THREADS, action=self.next_pair)

    def next_pair(self):
        try:
            if self.pair:
                self.check()
            self.pair = None if self.errors else next(self.pairs, None)
            if not self.pair:
                return
            if TRACE:
                print(f"{self.name}: {','.join(self.pair)}", file=sys.stderr, flush=True)
            self.shared = self.case.make()
            self.initial = self.case.contents and Counter(self.case.contents(self.shared))
            self.finished = []
            for worker in self.workers:
                worker.added, worker.taken = [], []
        except BaseException as e:
            self.fail(e)
            self.pair = None

    def fail(self, e):
        e.add_note(f"after {self.name}: {','.join(self.pair)} with AMPHIS_STRESS_SEED={SEED}")
        self.errors.append(e)

    def check(self):
        if self.initial is not None and all(name in self.case.exact for name in self.pair):
            expected = self.initial.copy()
            for worker in self.workers:
                expected.update(worker.added)
            for worker in self.workers:
                expected.subtract(worker.taken)
            found = Counter(self.case.contents(self.shared))
            if +expected != found or any(n < 0 for n in expected.values()):
                found.subtract(expected)
                wrong = {k: n for k, n in found.items() if n}
                raise AssertionError(f"{len(wrong)} are too many (or, below zero, too few): {str(wrong)[:200]}")
        if self.case.check:
            self.case.check(self.shared)

    def run(self, worker):
        while True:
            self.barrier.wait()
            if not self.pair:
                return
            operation = self.case.operations[self.pair[worker.number % 2]]
            shared, finished, allowed = self.shared, self.finished, self.case.allowed
            try:
                rounds = 0
                while rounds < ROUNDS or (len(finished) < THREADS and rounds < ROUNDS * PATIENCE):
                    try:
                        operation(shared, worker)
                    except allowed:
                        pass
                    rounds += 1
                    if rounds == ROUNDS:
                        finished.append(worker)
            except BaseException as e:
                finished.append(worker)
                self.fail(e)
            operation = shared = finished = None

    def start(self):
        threads = [threading.Thread(target=self.run, args=(worker,)) for worker in self.workers]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        if self.errors:
            raise self.errors[0]


def run_case(name, case, seconds):
    order = random.Random(SEED)
    end = time.monotonic() + seconds
    while True:
        pairs = case.pairs()
        order.shuffle(pairs)
        Race(name, case, pairs).start()
        if time.monotonic() >= end:
            return


def test_class(cases):
    """A unittest class with one test for each case of the table."""
    body = {}
    for name, case in cases.items():
        def test(self, name=name, case=case):
            run_case(name, case, SECONDS / len(cases))
        test.__doc__ = f"{name}: every pair of operations from several threads"
        body[f"test_{name}"] = test

    def enter(cls):
        cls.interval = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_INTERVAL)
        faulthandler.dump_traceback_later(HANG_SECONDS + 2 * SECONDS, exit=True)

    def leave(cls):
        faulthandler.cancel_dump_traceback_later()
        sys.setswitchinterval(cls.interval)
    body["setUpClass"] = classmethod(enter)
    body["tearDownClass"] = classmethod(leave)
    return type("Pairs", (unittest.TestCase,), body)
