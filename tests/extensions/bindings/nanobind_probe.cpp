// A nanobind module: classes with attributes of their own, exceptions, containers, callbacks from a C++ thread.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>
#include <nanobind/stl/function.h>
#include <thread>
namespace nb = nanobind;
struct P { int x; std::string name; int get() { return x; } };
NB_MODULE(nanobind_probe, m) {
  m.def("add", [](int a, int b) { return a + b; }, nb::arg("a"), nb::arg("b") = 2);
  nb::class_<P>(m, "P", nb::dynamic_attr()).def(nb::init<int, std::string>()).def_rw("x", &P::x).def_ro("name", &P::name).def("get", &P::get);
  nb::exception<std::out_of_range>(m, "Oops");
  m.def("fail", [] { throw std::out_of_range("oo"); });
  m.def("cb", [](std::function<int(int)> f) { int s = 0; { nb::gil_scoped_release r; std::thread([&] { nb::gil_scoped_acquire a; for (int i = 0; i < 5; i++) s += f(i); }).join(); } return s; });
  m.def("vec", [](std::vector<int> v) { v.push_back(1); return v; });
}
