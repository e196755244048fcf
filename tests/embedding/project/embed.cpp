// Embeds the runtime from C++ through amphis.hpp: handles, exceptions both ways, scopes, threads, two lives.
#include <amphis/amphis.hpp>

#include <atomic>
#include <cstdio>
#include <thread>
#include <vector>

namespace {

#define REQUIRE(condition) \
  do { if (!(condition)) { std::fprintf(stderr, "line %d: %s\n", __LINE__, #condition); return 1; } } while (0)

PyObject* thrower(PyObject*, PyObject* kind) {
  return amphis::guard([&]() -> amphis::Object {
    int number = amphis::Borrowed(kind).as<int>();
    if (number == 0) throw std::out_of_range("no such place");
    if (number == 1) throw std::invalid_argument("not this");
    if (number == 2) throw 7;
    if (number == 3) return amphis::import("no_such_module");
    return amphis::Object::from(number * 2);
  });
}
PyMethodDef methods[] = {{"thrower", thrower, METH_O, nullptr}, {}};
PyModuleDef_Slot slots[] = {{Py_mod_gil, Py_MOD_GIL_NOT_USED}, {}};
PyModuleDef def = {PyModuleDef_HEAD_INIT, "cpphost", nullptr, 0, methods, slots, nullptr, nullptr, nullptr};

int live(const char* home) {
  amphis::Interpreter python(amphis::Interpreter::Options().home(home).program_name("embedded"));
  amphis::Object space = amphis::new_namespace();
  amphis::exec("import cpphost\nseen = []\n"
               "def catch(n):\n"
               "    try: return cpphost.thrower(n)\n"
               "    except BaseException as e: return f'{type(e).__name__}: {e}'\n", space);
  amphis::Object get = space[amphis::Object::from("catch")];
  REQUIRE(get(0).as<std::string>() == "IndexError: no such place");
  REQUIRE(get(1).as<std::string>() == "ValueError: not this");
  REQUIRE(get(2).as<std::string>() == "RuntimeError: unknown C++ exception");
  REQUIRE(get(3).as<std::string>() == "ModuleNotFoundError: No module named 'no_such_module'");
  REQUIRE(get(21).as<long>() == 42);
  REQUIRE(amphis::import("json").attr("dumps")("\u00e9").as<std::string>() == "\"\\u00e9\"");
  REQUIRE(amphis::import("math").attr("hypot")(3.0, 4).as<double>() == 5.0);
  bool caught = false;
  try {
    amphis::eval("{}['key']", space);
  } catch (const amphis::Error& error) {
    caught = error.matches(PyExc_KeyError) && std::string(error.what()) == "KeyError: 'key'";
  }
  REQUIRE(caught && !PyErr_Occurred());
  try {
    amphis::Object::from(300).as<signed char>();
    REQUIRE(false);
  } catch (const amphis::Error& error) {
    REQUIRE(error.matches(PyExc_OverflowError));
  }
  amphis::Object append = space[amphis::Object::from("seen")].attr("append");
  std::atomic<int> failures = 0;
  {
    amphis::Detach detached;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 100; ++i) {
          amphis::Attach attached;
          try {
            amphis::Lock lock(append);
            append(i);
          } catch (const amphis::Error&) {
            ++failures;
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  REQUIRE(failures == 0);
  REQUIRE(amphis::eval("len(seen), sum(seen)", space).repr() == "(400, 19800)");
  amphis::Object copy = append;
  amphis::Object moved = std::move(copy);
  REQUIRE(!copy && moved.is(append));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const char* home = argc > 1 ? argv[1] : PREFIX;
  PyImport_AppendInittab("cpphost", [] { return PyModuleDef_Init(&def); });
  for (int life = 0; life < 2; ++life) {
    if (live(home) != 0) return 1;
  }
  std::printf("two lives\n");
  return 0;
}
