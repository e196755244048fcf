// C++ on top of the C API, nothing else: handles that own or borrow, exceptions in both directions, scopes for attaching
// and detaching a thread, and a scope for the runtime itself. Header only; C++17.
//
//   amphis::Interpreter python(amphis::Interpreter::Options{}.home(prefix));
//   amphis::Object json = amphis::import("json");
//   std::string text = json.attr("dumps")(amphis::Object::from(42)).as<std::string>();
//
// Every function here needs an attached thread unless it says otherwise. What raises in Python throws amphis::Error; code
// that Python calls wraps its body in amphis::guard, which turns exceptions of C++ into Python's.
#ifndef AMPHIS_AMPHIS_HPP
#define AMPHIS_AMPHIS_HPP

#include <Python.h>

#include <cstdint>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace amphis {
// Code for one variant and code for the other may live in one program.
#ifdef Py_GIL_DISABLED
inline namespace nogil {
#else
inline namespace gil {
#endif

class Object;

// An object that somebody else keeps alive.
class Borrowed {
 public:
  Borrowed(PyObject* object = nullptr) noexcept : object_(object) {}
  PyObject* get() const noexcept { return object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }
  bool is(Borrowed other) const noexcept { return object_ == other.object_; }

  Object attr(const char* name) const;
  void set_attr(const char* name, Borrowed value) const;
  Object operator[](Borrowed key) const;
  template <typename... Arguments>
  Object operator()(const Arguments&... arguments) const;
  // To C++: bool, integers, floating point, std::string (of a str).
  template <typename T>
  T as() const;
  // str(object) and repr(object).
  std::string str() const;
  std::string repr() const;

 protected:
  PyObject* object_;
};

// An owned reference, or nothing.
class Object : public Borrowed {
 public:
  Object() noexcept = default;
  // Takes over a new reference; null is allowed and means nothing.
  static Object steal(PyObject* object) noexcept {
    Object result;
    result.object_ = object;
    return result;
  }
  static Object share(Borrowed object) noexcept { return steal(Py_XNewRef(object.get())); }
  Object(const Object& other) noexcept : Borrowed(Py_XNewRef(other.object_)) {}
  Object(Object&& other) noexcept : Borrowed(std::exchange(other.object_, nullptr)) {}
  Object& operator=(Object other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Object() { Py_XDECREF(object_); }
  // Gives the reference away.
  PyObject* release() noexcept { return std::exchange(object_, nullptr); }

  // From C++: bool, integers, floating point, text in UTF-8, objects.
  template <typename T>
  static Object from(const T& value);
};

// A Python exception on its way through C++. It may be caught on a thread that is not attached, but not destroyed there.
class Error : public std::exception {
 public:
  // Takes the current exception of this thread.
  Error() : exception_(Object::steal(PyErr_GetRaisedException())) {
    if (!exception_) {
      PyErr_SetString(PyExc_SystemError, "amphis::Error without a Python exception");
      exception_ = Object::steal(PyErr_GetRaisedException());
    }
    PyObject* text = PyObject_Str(exception_.get());
    const char* utf8 = text != nullptr ? PyUnicode_AsUTF8(text) : nullptr;
    Object name = Object::steal(PyType_GetName(Py_TYPE(exception_.get())));
    const char* type = name ? PyUnicode_AsUTF8(name.get()) : nullptr;
    what_ = std::string(type != nullptr ? type : "exception") + (utf8 != nullptr && *utf8 != '\0' ? std::string(": ") + utf8 : "");
    Py_XDECREF(text);
    PyErr_Clear();
  }
  const char* what() const noexcept override { return what_.c_str(); }
  bool matches(Borrowed type) const { return PyErr_GivenExceptionMatches(exception_.get(), type.get()) != 0; }
  Borrowed value() const noexcept { return exception_; }
  // Raises it again in Python.
  void restore() const noexcept { PyErr_SetRaisedException(Py_NewRef(exception_.get())); }

 private:
  Object exception_;
  std::string what_;
};

// What the C API returns, checked: a new reference, or a negative number for an error.
inline Object check(PyObject* result) {
  if (result == nullptr) throw Error();
  return Object::steal(result);
}
inline int check(int result) {
  if (result < 0) throw Error();
  return result;
}

// Runs a body that returns an Object (or anything that PyObject* is made of) for a function that Python calls: null with a
// Python exception if the body throws.
template <typename Body>
PyObject* guard(Body&& body) noexcept {
  try {
    if constexpr (std::is_void_v<decltype(body())>) {
      body();
      return Py_NewRef(Py_None);
    } else {
      return Object(body()).release();
    }
  } catch (const Error& error) {
    error.restore();
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::out_of_range& error) {
    PyErr_SetString(PyExc_IndexError, error.what());
  } catch (const std::invalid_argument& error) {
    PyErr_SetString(PyExc_ValueError, error.what());
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  } catch (...) {
    PyErr_SetString(PyExc_RuntimeError, "unknown C++ exception");
  }
  return nullptr;
}

// Attaches this thread, whichever it is, for the scope.
class Attach {
 public:
  Attach() noexcept : state_(PyGILState_Ensure()) {}
  ~Attach() { PyGILState_Release(state_); }
  Attach(const Attach&) = delete;
  Attach& operator=(const Attach&) = delete;

 private:
  PyGILState_STATE state_;
};

// Detaches this attached thread for the scope: for code that blocks and touches no object.
class Detach {
 public:
  Detach() noexcept : state_(PyEval_SaveThread()) {}
  ~Detach() { PyEval_RestoreThread(state_); }
  Detach(const Detach&) = delete;
  Detach& operator=(const Detach&) = delete;

 private:
  PyThreadState* state_;
};

// The lock of one object for the scope (nothing in the variant with the GIL).
class Lock {
 public:
#ifdef Py_GIL_DISABLED
  explicit Lock(Borrowed object) noexcept { PyCriticalSection_Begin(&section_, object.get()); }
  ~Lock() { PyCriticalSection_End(&section_); }

 private:
  PyCriticalSection section_;
#else
  explicit Lock(Borrowed) noexcept {}
  ~Lock() {}
#endif

 public:
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
};

// The runtime: from construction to destruction. The constructor throws std::runtime_error; this thread is attached then.
class Interpreter {
 public:
  class Options {
   public:
    Options() { PyConfig_InitIsolatedConfig(&config_); }
    ~Options() { PyConfig_Clear(&config_); }
    Options(const Options&) = delete;
    Options& operator=(const Options&) = delete;
    // The prefix of the installation.
    Options& home(const std::string& path) { return set(&config_.home, path); }
    Options& program_name(const std::string& name) { return set(&config_.program_name, name); }
    Options& use_environment(bool yes) {
      config_.use_environment = yes;
      return *this;
    }
    Options& site(bool yes) {
      config_.site_import = yes;
      return *this;
    }
    PyConfig* get() { return &config_; }

   private:
    Options& set(wchar_t** field, const std::string& text) {
      require(PyConfig_SetBytesString(&config_, field, text.c_str()));
      return *this;
    }
    PyConfig config_;
  };

  Interpreter() : Interpreter(Options()) {}
  explicit Interpreter(Options&& options) { require(Py_InitializeFromConfig(options.get())); }
  explicit Interpreter(Options& options) { require(Py_InitializeFromConfig(options.get())); }
  ~Interpreter() { Py_FinalizeEx(); }
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

 private:
  static void require(PyStatus status) {
    if (PyStatus_Exception(status)) throw std::runtime_error(status.err_msg != nullptr ? status.err_msg : "the runtime asks to exit");
  }
};

inline Object import(const char* name) { return check(PyImport_ImportModule(name)); }

// Evaluates an expression, or runs statements (then the result is None), in the given namespace.
inline Object eval(const char* expression, Borrowed globals) {
  return check(PyRun_String(expression, Py_eval_input, globals.get(), globals.get()));
}
inline Object exec(const char* statements, Borrowed globals) {
  return check(PyRun_String(statements, Py_file_input, globals.get(), globals.get()));
}
// A new namespace for the two.
inline Object new_namespace() {
  Object dict = check(PyDict_New());
  check(PyDict_SetItemString(dict.get(), "__builtins__", PyEval_GetBuiltins()));
  return dict;
}

inline Object Borrowed::attr(const char* name) const { return check(PyObject_GetAttrString(object_, name)); }
inline void Borrowed::set_attr(const char* name, Borrowed value) const {
  check(PyObject_SetAttrString(object_, name, value.get()));
}
inline Object Borrowed::operator[](Borrowed key) const { return check(PyObject_GetItem(object_, key.get())); }
template <typename... Arguments>
Object Borrowed::operator()(const Arguments&... arguments) const {
  Object owned[] = {Object(), Object::from(arguments)...};  // the first place is the callee's to use
  PyObject* values[sizeof...(Arguments) + 1];
  for (std::size_t i = 0; i <= sizeof...(Arguments); ++i) values[i] = owned[i].get();
  return check(PyObject_Vectorcall(object_, values + 1, sizeof...(Arguments) | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr));
}
inline std::string Borrowed::str() const { return check(PyObject_Str(object_)).as<std::string>(); }
inline std::string Borrowed::repr() const { return check(PyObject_Repr(object_)).as<std::string>(); }

namespace detail {
template <typename T, typename Wide>
T narrow(Wide value) {
  if (static_cast<Wide>(static_cast<T>(value)) != value) {
    PyErr_SetString(PyExc_OverflowError, "Python int too large for the C++ type");
    throw Error();
  }
  return static_cast<T>(value);
}
}  // namespace detail

template <typename T>
T Borrowed::as() const {
  if constexpr (std::is_same_v<T, bool>) {
    return check(PyObject_IsTrue(object_)) != 0;
  } else if constexpr (std::is_integral_v<T> && std::is_unsigned_v<T>) {
    std::uint64_t value;
    check(PyLong_AsUInt64(object_, &value));
    return detail::narrow<T>(value);
  } else if constexpr (std::is_integral_v<T>) {
    std::int64_t value;
    check(PyLong_AsInt64(object_, &value));
    return detail::narrow<T>(value);
  } else if constexpr (std::is_floating_point_v<T>) {
    double value = PyFloat_AsDouble(object_);
    if (value == -1.0 && PyErr_Occurred()) throw Error();
    return static_cast<T>(value);
  } else {
    static_assert(std::is_same_v<T, std::string>, "as<T>: T is bool, a number or std::string");
    Py_ssize_t size;
    const char* text = PyUnicode_AsUTF8AndSize(object_, &size);
    if (text == nullptr) throw Error();
    return std::string(text, static_cast<std::size_t>(size));
  }
}

template <typename T>
Object Object::from(const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return share(value ? Py_True : Py_False);
  } else if constexpr (std::is_integral_v<T> && std::is_unsigned_v<T>) {
    return check(PyLong_FromUInt64(value));
  } else if constexpr (std::is_integral_v<T>) {
    return check(PyLong_FromInt64(value));
  } else if constexpr (std::is_floating_point_v<T>) {
    return check(PyFloat_FromDouble(static_cast<double>(value)));
  } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    std::string_view text = value;
    return check(PyUnicode_FromStringAndSize(text.data(), static_cast<Py_ssize_t>(text.size())));
  } else {
    return share(value);
  }
}

}  // namespace gil or nogil
}  // namespace amphis

#endif
