// A pybind11 module: classes with overriding in Python, exceptions, containers, buffers, callbacks from a C++ thread.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/functional.h>
#include <thread>
namespace py = pybind11;
struct Base { virtual ~Base() = default; virtual int f(int x) { return x + 1; } };
struct PyBase : Base { int f(int x) override { PYBIND11_OVERRIDE(int, Base, f, x); } };
struct Err : std::runtime_error { using runtime_error::runtime_error; };
struct Buf { std::vector<double> d{1,2,3}; };
PYBIND11_MODULE(pybind_probe, m, py::mod_gil_not_used()) {
  m.doc() = "doc";
  m.def("add", [](int a, int b) { return a + b; }, py::arg("a"), py::arg("b") = 2, "Adds.");
  py::class_<Base, PyBase, std::shared_ptr<Base>>(m, "Base", py::dynamic_attr()).def(py::init<>()).def("f", &Base::f);
  m.def("call", [](Base& b, int x) { return b.f(x); });
  py::register_exception<Err>(m, "Err");
  m.def("fail", [] { throw Err("boom"); });
  m.def("vec", [](std::vector<int> v) { v.push_back(9); return v; });
  m.def("threads", [](std::function<int(int)> f) {
    int sum = 0;
    { py::gil_scoped_release r; std::thread t([&] { py::gil_scoped_acquire a; for (int i = 0; i < 10; ++i) sum += f(i); }); t.join(); }
    return sum;
  });
  py::class_<Buf>(m, "Buf", py::buffer_protocol()).def(py::init<>()).def_buffer([](Buf& b) {
    return py::buffer_info(b.d.data(), sizeof(double), py::format_descriptor<double>::format(), 1, {b.d.size()}, {sizeof(double)}); });
  py::enum_<std::memory_order>(m, "Order").value("relaxed", std::memory_order_relaxed);
}
