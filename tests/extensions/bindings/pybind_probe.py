import sys

import pybind_probe as probe

before = sys._is_gil_enabled()
assert (probe.add(1), probe.add(a=1, b=5)) == (3, 6)


class Derived(probe.Base):
    def f(self, x):
        return x * 10


derived = Derived()
derived.extra = 1
assert (probe.call(derived, 4), probe.call(probe.Base(), 4)) == (40, 5)
assert probe.vec([1]) == [1, 9] and probe.threads(lambda x: x) == 45
try:
    probe.fail()
except probe.Err as error:
    assert str(error) == "boom"
else:
    raise AssertionError
try:
    probe.add("x")
except TypeError as error:
    assert "incompatible function arguments" in str(error)
assert memoryview(probe.Buf()).tolist() == [1.0, 2.0, 3.0]
assert before == (sys.abiflags == "")
print("pybind11: classes, exceptions, containers, buffers and callbacks work")
