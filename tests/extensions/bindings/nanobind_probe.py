import sys

import nanobind_probe as probe

assert (probe.add(1), probe.add(a=3, b=4)) == (3, 7)
p = probe.P(5, "n")
p.extra, p.x = 1, 7
assert (p.get(), p.name, p.__dict__) == (7, "n", {"extra": 1})
assert probe.cb(lambda x: x + 1) == 15 and probe.vec([5]) == [5, 1]
try:
    probe.fail()
except probe.Oops as error:
    assert str(error) == "oo"
else:
    raise AssertionError


class Derived(probe.P):
    pass


assert Derived(1, "z").get() == 1
assert sys._is_gil_enabled() == (sys.abiflags == "")
print("nanobind: classes, exceptions, containers and callbacks work")
