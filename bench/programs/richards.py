"""An operating system's scheduler: objects with methods, dispatch over subclasses."""
from _common import main

IDLE, WORKER, HANDLER_A, HANDLER_B, DEVICE_A, DEVICE_B = range(6)
KIND_DEVICE, KIND_WORK = 0, 1


class Packet:
    def __init__(self, link, ident, kind):
        self.link = link
        self.ident = ident
        self.kind = kind
        self.datum = 0
        self.data = [0] * 4

    def append_to(self, queue):
        self.link = None
        if queue is None:
            return self
        p = queue
        while p.link is not None:
            p = p.link
        p.link = self
        return queue


class Task:
    def __init__(self, scheduler, ident, priority, queue, waiting, ready):
        self.scheduler = scheduler
        self.ident = ident
        self.priority = priority
        self.queue = queue
        self.packet_pending = queue is not None
        self.waiting = waiting
        self.holding = False
        self.ready = ready
        scheduler.add(self)

    def add_packet(self, packet, old):
        if self.queue is None:
            self.queue = packet
            self.packet_pending = True
            if self.priority > old.priority:
                return self
        else:
            packet.append_to(self.queue)
        return old

    def run(self):
        packet = None
        if self.waiting and self.packet_pending:
            packet = self.queue
            self.queue = packet.link
            self.waiting = False
            self.packet_pending = self.queue is not None
        return self.step(packet)

    def is_held_or_waiting(self):
        return self.holding or (not self.packet_pending and self.waiting)

    def wait(self):
        self.waiting = True
        return self


class Idle(Task):
    def __init__(self, scheduler, priority, count):
        super().__init__(scheduler, IDLE, priority, None, False, True)
        self.control = 1
        self.count = count

    def step(self, packet):
        self.count -= 1
        if self.count == 0:
            return self.scheduler.hold(self)
        if self.control & 1 == 0:
            self.control //= 2
            return self.scheduler.release(DEVICE_A)
        self.control = self.control // 2 ^ 0xd008
        return self.scheduler.release(DEVICE_B)


class Worker(Task):
    def __init__(self, scheduler, priority, queue):
        super().__init__(scheduler, WORKER, priority, queue, True, False)
        self.destination = HANDLER_A
        self.count = 0

    def step(self, packet):
        if packet is None:
            return self.wait()
        self.destination = HANDLER_B if self.destination == HANDLER_A else HANDLER_A
        packet.ident = self.destination
        packet.datum = 0
        for i in range(4):
            self.count = self.count % 26 + 1
            packet.data[i] = 64 + self.count
        return self.scheduler.send(self, packet)


class Handler(Task):
    def __init__(self, scheduler, ident, priority, queue):
        super().__init__(scheduler, ident, priority, queue, True, False)
        self.work = None
        self.device = None

    def step(self, packet):
        if packet is not None:
            if packet.kind == KIND_WORK:
                self.work = packet.append_to(self.work)
            else:
                self.device = packet.append_to(self.device)
        if self.work is not None:
            work = self.work
            count = work.datum
            if count >= 4:
                self.work = work.link
                return self.scheduler.send(self, work)
            if self.device is not None:
                device = self.device
                self.device = device.link
                device.datum = work.data[count]
                work.datum = count + 1
                return self.scheduler.send(self, device)
        return self.wait()


class Device(Task):
    def __init__(self, scheduler, ident, priority):
        super().__init__(scheduler, ident, priority, None, True, False)
        self.pending = None

    def step(self, packet):
        if packet is None:
            if self.pending is None:
                return self.wait()
            packet = self.pending
            self.pending = None
            return self.scheduler.send(self, packet)
        self.pending = packet
        return self.scheduler.hold(self)


class Scheduler:
    def __init__(self):
        self.tasks = [None] * 6
        self.order = []
        self.holds = 0
        self.sends = 0

    def add(self, task):
        self.tasks[task.ident] = task
        self.order.insert(0, task)

    def hold(self, task):
        self.holds += 1
        task.holding = True
        return self.after(task)

    def release(self, ident):
        task = self.tasks[ident]
        task.holding = False
        current = self.current
        return task if task.priority > current.priority else current

    def send(self, sender, packet):
        self.sends += 1
        target = self.tasks[packet.ident]
        packet.link = None
        packet.ident = sender.ident
        return target.add_packet(packet, sender)

    def after(self, task):
        at = self.order.index(task) + 1
        return self.order[at] if at < len(self.order) else None

    def run(self):
        task = self.order[0]
        while task is not None:
            if task.is_held_or_waiting():
                task = self.after(task)
            else:
                self.current = task
                task = task.run()


def run(n):
    counts = None
    for _ in range(n):
        s = Scheduler()
        Idle(s, 0, 1000)
        Worker(s, 1000, Packet(Packet(None, WORKER, KIND_WORK), WORKER, KIND_WORK))
        devices = None
        for _ in range(3):
            devices = Packet(devices, DEVICE_A, KIND_DEVICE)
        Handler(s, HANDLER_A, 2000, devices)
        devices = None
        for _ in range(3):
            devices = Packet(devices, DEVICE_B, KIND_DEVICE)
        Handler(s, HANDLER_B, 3000, devices)
        Device(s, DEVICE_A, 4000)
        Device(s, DEVICE_B, 5000)
        s.run()
        counts = (s.holds, s.sends)
    return counts


if __name__ == "__main__":
    main(run, 170, {50: (928, 2322), 170: (928, 2322)})
