"""Coroutines driven by hand: an event loop, channels and workers without any library."""
from collections import deque

from _common import main


class Suspend:
    def __await__(self):
        yield self


class Channel:
    def __init__(self):
        self.items = deque()

    async def put(self, item):
        while len(self.items) >= 16:
            await Suspend()
        self.items.append(item)

    async def get(self):
        while not self.items:
            await Suspend()
        return self.items.popleft()


async def producer(channel, n):
    for i in range(n):
        await channel.put(i)
    await channel.put(None)


async def doubler(source, sink):
    while (item := await source.get()) is not None:
        await sink.put(item * 2)
    await sink.put(None)


async def consumer(channel, results):
    total = 0
    while (item := await channel.get()) is not None:
        total += item
    results.append(total)


def drive(coroutines):
    ready = deque(coroutines)
    while ready:
        coroutine = ready.popleft()
        try:
            coroutine.send(None)
        except StopIteration:
            continue
        ready.append(coroutine)


def run(n):
    results = []
    jobs = []
    for _ in range(4):
        a, b = Channel(), Channel()
        jobs += [producer(a, n), doubler(a, b), consumer(b, results)]
    drive(jobs)
    return results


if __name__ == "__main__":
    main(run, 240000, {60000: [3599940000, 3599940000, 3599940000, 3599940000], 240000: [57599760000, 57599760000, 57599760000, 57599760000]})
