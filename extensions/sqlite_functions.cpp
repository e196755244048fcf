// What SQL calls: functions, aggregates and collations written in Python, and the handlers of a connection.
//
// SQLite calls these while its caller has let other threads run: each attaches first.
#include "sqlite.h"

#include <climits>
#include <cstring>

namespace sqlite {

namespace {

// An exception that is set, as when a statement ends because of it, is set aside.
class Attached {
 public:
  explicit Attached(void* callback = nullptr)
      : state_(PyGILState_Ensure()), raised_(PyErr_GetRaisedException()), callback_(static_cast<Callback*>(callback)) {
    if (callback_ != nullptr) callback_->owners.fetch_add(1, std::memory_order_relaxed);
  }
  ~Attached() {
    free_callback(callback_);
    PyErr_SetRaisedException(raised_);
    PyGILState_Release(state_);
  }
  Attached(const Attached&) = delete;
  Attached& operator=(const Attached&) = delete;

 private:
  PyGILState_STATE state_;
  PyObject* raised_;
  Callback* callback_;
};

Callback* new_callback(PyObject* callable) {
  auto* callback = static_cast<Callback*>(PyMem_RawMalloc(sizeof(Callback)));
  if (callback == nullptr) {
    PyErr_NoMemory();
    return nullptr;
  }
  callback->callable = Py_NewRef(callable);
  callback->owners.store(1, std::memory_order_relaxed);
  return callback;
}
void on_destroy(void* callback) {
  Attached attached;
  free_callback(static_cast<Callback*>(callback));
}

// What a callback has raised does not get through SQL.
void drop_exception(Callback* callback) {
  if (callback_tracebacks.load(std::memory_order_relaxed))
    PyErr_FormatUnraisable("Exception ignored on sqlite3 callback %R", callback->callable);
  else
    PyErr_Clear();
}
void fail(sqlite3_context* context, const char* message) {
  if (PyErr_ExceptionMatches(PyExc_MemoryError))
    sqlite3_result_error_nomem(context);
  else if (PyErr_ExceptionMatches(PyExc_OverflowError))
    sqlite3_result_error_toobig(context);
  else
    sqlite3_result_error(context, message, -1);
  drop_exception(static_cast<Callback*>(sqlite3_user_data(context)));
}

PyObject* value_object(sqlite3_value* value) {
  switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER: return PyLong_FromLongLong(sqlite3_value_int64(value));
    case SQLITE_FLOAT: return PyFloat_FromDouble(sqlite3_value_double(value));
    case SQLITE_TEXT: {
      auto* text = reinterpret_cast<const char*>(sqlite3_value_text(value));
      if (text == nullptr) return PyErr_NoMemory();
      return PyUnicode_FromStringAndSize(text, sqlite3_value_bytes(value));
    }
    case SQLITE_BLOB: {
      const void* bytes = sqlite3_value_blob(value);
      return PyBytes_FromStringAndSize(static_cast<const char*>(bytes), sqlite3_value_bytes(value));
    }
    default: return Py_NewRef(Py_None);
  }
}
Ref argument_tuple(int count, sqlite3_value** values) {
  Ref args(PyTuple_New(count));
  for (int i = 0; args && i < count; i++) {
    PyObject* value = value_object(values[i]);
    if (value == nullptr) return Ref();
    PyTuple_SET_ITEM(args.get(), i, value);
  }
  return args;
}

bool set_result(sqlite3_context* context, PyObject* value) {
  if (value == Py_None) {
    sqlite3_result_null(context);
  } else if (PyLong_Check(value)) {
    int overflow;
    const long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow != 0) PyErr_SetString(PyExc_OverflowError, "Python int too large to convert to SQLite INTEGER");
    if (PyErr_Occurred()) return false;
    sqlite3_result_int64(context, number);
  } else if (PyFloat_Check(value)) {
    sqlite3_result_double(context, PyFloat_AsDouble(value));
  } else if (PyUnicode_Check(value)) {
    Py_ssize_t size;
    const char* text = PyUnicode_AsUTF8AndSize(value, &size);
    if (text == nullptr) return false;
    if (size > INT_MAX) {
      PyErr_SetString(PyExc_OverflowError, "string is longer than INT_MAX bytes");
      return false;
    }
    sqlite3_result_text(context, text, static_cast<int>(size), SQLITE_TRANSIENT);
  } else if (PyObject_CheckBuffer(value)) {
    ext::Buffer buffer;
    if (!buffer.get(value)) return false;
    if (buffer.size() > INT_MAX) {
      PyErr_SetString(PyExc_OverflowError, "BLOB longer than INT_MAX bytes");
      return false;
    }
    sqlite3_result_blob(context, buffer.data(), static_cast<int>(buffer.size()), SQLITE_TRANSIENT);
  } else {
    PyErr_Format(errors.programming, "User-defined functions cannot return '%s' values to SQLite", Py_TYPE(value)->tp_name);
    return false;
  }
  return true;
}

// ---- functions and aggregates ----

void on_function(sqlite3_context* context, int count, sqlite3_value** values) {
  Attached attached;
  auto* callback = static_cast<Callback*>(sqlite3_user_data(context));
  Ref args = argument_tuple(count, values);
  Ref result(args ? PyObject_CallObject(callback->callable, args.get()) : nullptr);
  if (!result || !set_result(context, result.get())) fail(context, "user-defined function raised exception");
}

// The instance of the aggregate's class lives in SQLite's memory for the group; it is made by the first step.
PyObject** aggregate_slot(sqlite3_context* context) {
  return static_cast<PyObject**>(sqlite3_aggregate_context(context, sizeof(PyObject*)));
}

void call_with_values(sqlite3_context* context, PyObject* instance, const char* method, int count, sqlite3_value** values,
                      const char* missing, const char* raised) {
  Ref function(PyObject_GetAttrString(instance, method));
  if (!function) return fail(context, PyErr_ExceptionMatches(PyExc_AttributeError) ? missing : raised);
  Ref args = argument_tuple(count, values);
  Ref done(args ? PyObject_CallObject(function.get(), args.get()) : nullptr);
  if (!done) fail(context, raised);
}

void on_step(sqlite3_context* context, int count, sqlite3_value** values) {
  Attached attached;
  auto* callback = static_cast<Callback*>(sqlite3_user_data(context));
  PyObject** instance = aggregate_slot(context);
  if (instance == nullptr) return sqlite3_result_error(context, "unable to allocate SQLite aggregate context", -1);
  if (*instance == nullptr) {
    *instance = PyObject_CallNoArgs(callback->callable);
    if (*instance == nullptr) return fail(context, "user-defined aggregate's '__init__' method raised error");
  }
  call_with_values(context, *instance, "step", count, values, "user-defined aggregate's 'step' method not defined",
                   "user-defined aggregate's 'step' method raised error");
}

void on_inverse(sqlite3_context* context, int count, sqlite3_value** values) {
  Attached attached;
  PyObject** instance = aggregate_slot(context);
  if (instance == nullptr || *instance == nullptr) return;
  call_with_values(context, *instance, "inverse", count, values, "user-defined aggregate's 'inverse' method not defined",
                   "user-defined aggregate's 'inverse' method raised error");
}

void finish(sqlite3_context* context, PyObject* instance, const char* method, const char* missing, const char* raised) {
  Ref function(PyObject_GetAttrString(instance, method));
  if (!function) return fail(context, PyErr_ExceptionMatches(PyExc_AttributeError) ? missing : raised);
  Ref result(PyObject_CallNoArgs(function.get()));
  if (!result || !set_result(context, result.get())) fail(context, raised);
}

void on_final(sqlite3_context* context) {
  Attached attached;
  // A group without rows, or one whose first step has failed, has no instance.
  auto** slot = static_cast<PyObject**>(sqlite3_aggregate_context(context, 0));
  if (slot == nullptr || *slot == nullptr) return;
  // An exception of the step before is SQLite's already, as an error.
  Ref instance(std::exchange(*slot, nullptr));
  finish(context, instance.get(), "finalize", "user-defined aggregate's 'finalize' method not defined",
         "user-defined aggregate's 'finalize' method raised error");
}

void on_value(sqlite3_context* context) {
  Attached attached;
  PyObject** instance = aggregate_slot(context);
  if (instance == nullptr || *instance == nullptr) return;
  finish(context, *instance, "value", "user-defined aggregate's 'value' method not defined",
         "user-defined aggregate's 'value' method raised error");
}

bool check_count(Connection* self, const char* name, int count) {
  const int limit = sqlite3_limit(self->db, SQLITE_LIMIT_FUNCTION_ARG, -1);
  if (count >= -1 && count <= limit) return true;
  PyErr_Format(errors.programming, "'%s' must be between -1 and %d, not %d", name, limit, count);
  return false;
}

bool warn_keywords(PyObject* args, Py_ssize_t positional, const char* text) {
  return PyTuple_GET_SIZE(args) >= positional || PyErr_WarnEx(PyExc_DeprecationWarning, text, 1) == 0;
}

PyObject* create_function(PyObject* op, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"name", "narg", "func", "deterministic", nullptr};
  const char* name;
  int count, deterministic = 0;
  PyObject* function;
  if (!warn_keywords(args, 3,
                     "Passing keyword arguments 'name', 'narg' and 'func' to _sqlite3.Connection.create_function() is deprecated. "
                     "Parameters 'name', 'narg' and 'func' will become positional-only in Python 3.15.") ||
      !PyArg_ParseTupleAndKeywords(args, kwargs, "siO|$p:create_function", const_cast<char**>(keywords), &name, &count, &function,
                                   &deterministic))
    return nullptr;
  Connection* self = connection_of(op);
  Use use(self);
  if (!use.ok() || !check_count(self, "narg", count)) return nullptr;
  const int flags = SQLITE_UTF8 | (deterministic ? SQLITE_DETERMINISTIC : 0);
  int code;
  if (function == Py_None) {
    code = sqlite3_create_function_v2(self->db, name, count, flags, nullptr, nullptr, nullptr, nullptr, nullptr);
  } else {
    Callback* callback = new_callback(function);
    if (callback == nullptr) return nullptr;
    code = sqlite3_create_function_v2(self->db, name, count, flags, callback, on_function, nullptr, nullptr, on_destroy);
  }
  if (code == SQLITE_OK) Py_RETURN_NONE;
  PyErr_SetString(errors.operational, "Error creating function");
  return nullptr;
}

PyObject* create_aggregate(PyObject* op, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"name", "n_arg", "aggregate_class", nullptr};
  const char* name;
  int count;
  PyObject* cls;
  if (!warn_keywords(args, 3,
                     "Passing keyword arguments 'name', 'n_arg' and 'aggregate_class' to _sqlite3.Connection.create_aggregate() is "
                     "deprecated. Parameters 'name', 'n_arg' and 'aggregate_class' will become positional-only in Python 3.15.") ||
      !PyArg_ParseTupleAndKeywords(args, kwargs, "siO:create_aggregate", const_cast<char**>(keywords), &name, &count, &cls))
    return nullptr;
  Connection* self = connection_of(op);
  Use use(self);
  if (!use.ok() || !check_count(self, "n_arg", count)) return nullptr;
  int code;
  if (cls == Py_None) {
    code = sqlite3_create_function_v2(self->db, name, count, SQLITE_UTF8, nullptr, nullptr, nullptr, nullptr, nullptr);
  } else {
    Callback* callback = new_callback(cls);
    if (callback == nullptr) return nullptr;
    code = sqlite3_create_function_v2(self->db, name, count, SQLITE_UTF8, callback, nullptr, on_step, on_final, on_destroy);
  }
  if (code == SQLITE_OK) Py_RETURN_NONE;
  PyErr_SetString(errors.operational, "Error creating aggregate");
  return nullptr;
}

PyObject* create_window_function(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  int count;
  if (!ext::check_positional("create_window_function", nargs, 3, 3)) return nullptr;
  const char* name = text_argument(args[0], "create_window_function() argument 1");
  if (name == nullptr || !ext::to_int(args[1], &count)) return nullptr;
  Connection* self = connection_of(op);
  Use use(self);
  if (!use.ok() || !check_count(self, "num_params", count)) return nullptr;
  int code;
  if (args[2] == Py_None) {
    code = sqlite3_create_window_function(self->db, name, count, SQLITE_UTF8, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr);
  } else {
    Callback* callback = new_callback(args[2]);
    if (callback == nullptr) return nullptr;
    code = sqlite3_create_window_function(self->db, name, count, SQLITE_UTF8, callback, on_step, on_final, on_value, on_inverse, on_destroy);
  }
  if (code == SQLITE_OK) Py_RETURN_NONE;
  raise_error(self->db);
  return nullptr;
}

// ---- collations ----

int on_compare(void* context, int length1, const void* text1, int length2, const void* text2) {
  Attached attached;
  auto* callback = static_cast<Callback*>(context);
  Ref a(PyUnicode_FromStringAndSize(static_cast<const char*>(text1), length1));
  Ref b(PyUnicode_FromStringAndSize(static_cast<const char*>(text2), length2));
  Ref result(a && b ? PyObject_CallFunctionObjArgs(callback->callable, a.get(), b.get(), nullptr) : nullptr);
  if (!result) {
    drop_exception(callback);
    return 0;
  }
  int overflow;
  const long number = PyLong_AsLongAndOverflow(result.get(), &overflow);
  if (PyErr_Occurred()) drop_exception(callback);
  return overflow != 0 ? overflow : number < 0 ? -1 : number > 0;
}

PyObject* create_collation(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  if (!ext::check_positional("create_collation", nargs, 2, 2)) return nullptr;
  const char* name = text_argument(args[0], "create_collation() argument 1");
  if (name == nullptr) return nullptr;
  Connection* self = connection_of(op);
  Use use(self);
  if (!use.ok()) return nullptr;
  int code;
  if (args[1] == Py_None) {
    code = sqlite3_create_collation_v2(self->db, name, SQLITE_UTF8, nullptr, nullptr, nullptr);
  } else {
    if (!PyCallable_Check(args[1])) {
      PyErr_SetString(PyExc_TypeError, "parameter must be callable");
      return nullptr;
    }
    Callback* callback = new_callback(args[1]);
    if (callback == nullptr) return nullptr;
    code = sqlite3_create_collation_v2(self->db, name, SQLITE_UTF8, callback, on_compare, on_destroy);
    if (code != SQLITE_OK) free_callback(callback);  // this one function does not
  }
  if (code == SQLITE_OK) Py_RETURN_NONE;
  raise_error(self->db);
  return nullptr;
}

// ---- handlers ----

int on_authorize(void* context, int action, const char* first, const char* second, const char* database, const char* trigger) {
  Attached attached(context);
  auto* callback = static_cast<Callback*>(context);
  Ref result(PyObject_CallFunction(callback->callable, "izzzz", action, first, second, database, trigger));
  if (!result) {
    drop_exception(callback);
    return SQLITE_DENY;
  }
  if (!PyLong_Check(result.get())) return SQLITE_DENY;
  const int answer = PyLong_AsInt(result.get());
  if (answer != -1 || !PyErr_Occurred()) return answer;
  drop_exception(callback);
  return SQLITE_DENY;
}

int on_progress(void* context) {
  Attached attached(context);
  auto* callback = static_cast<Callback*>(context);
  Ref result(PyObject_CallNoArgs(callback->callable));
  const int stop = result ? PyObject_IsTrue(result.get()) : -1;
  if (stop >= 0) return stop;
  drop_exception(callback);
  return 1;
}

int on_trace(unsigned, void* context, void* statement, void* sql) {
  Attached attached(context);
  auto* callback = static_cast<Callback*>(context);
  // The text of a trigger's statement is a comment; others are shown with their values, unless that is too long.
  auto* text = static_cast<const char*>(sql);
  char* expanded = nullptr;
  if (std::strncmp(text, "--", 2) != 0) {
    expanded = sqlite3_expanded_sql(static_cast<sqlite3_stmt*>(statement));
    if (expanded == nullptr) {
      PyErr_SetString(errors.data, "Expanded SQL string exceeds the maximum string length");
      drop_exception(callback);
    }
  }
  const char* shown = expanded != nullptr ? expanded : text;
  Ref string(PyUnicode_DecodeUTF8(shown, static_cast<Py_ssize_t>(std::strlen(shown)), "replace"));
  sqlite3_free(expanded);
  Ref done(string ? PyObject_CallOneArg(callback->callable, string.get()) : nullptr);
  if (!done) drop_exception(callback);
  return 0;
}

// Puts a handler in place of another; `set` tells SQLite, with null for none.
template <class F>
PyObject* replace_handler(PyObject* op, PyObject* callable, Callback* Connection::* field, F set) {
  Connection* self = connection_of(op);
  Use use(self);
  if (!use.ok()) return nullptr;
  Callback* callback = callable != Py_None ? new_callback(callable) : nullptr;
  if (callable != Py_None && callback == nullptr) return nullptr;
  if (!set(self->db, callback)) {
    free_callback(callback);
    return nullptr;
  }
  free_callback(std::exchange(self->*field, callback));
  Py_RETURN_NONE;
}

PyObject* set_authorizer(PyObject* op, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"authorizer_callback", nullptr};
  PyObject* callable;
  if (!warn_keywords(args, 1,
                     "Passing keyword argument 'authorizer_callback' to _sqlite3.Connection.set_authorizer() is deprecated. "
                     "Parameter 'authorizer_callback' will become positional-only in Python 3.15.") ||
      !PyArg_ParseTupleAndKeywords(args, kwargs, "O:set_authorizer", const_cast<char**>(keywords), &callable))
    return nullptr;
  return replace_handler(op, callable, &Connection::authorizer, [](sqlite3* db, Callback* callback) {
    if (sqlite3_set_authorizer(db, callback != nullptr ? on_authorize : nullptr, callback) == SQLITE_OK) return true;
    PyErr_SetString(errors.operational, "Error setting authorizer callback");
    return false;
  });
}

PyObject* set_progress_handler(PyObject* op, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"progress_handler", "n", nullptr};
  PyObject* callable;
  int count;
  if (!warn_keywords(args, 1,
                     "Passing keyword argument 'progress_handler' to _sqlite3.Connection.set_progress_handler() is deprecated. "
                     "Parameter 'progress_handler' will become positional-only in Python 3.15.") ||
      !PyArg_ParseTupleAndKeywords(args, kwargs, "Oi:set_progress_handler", const_cast<char**>(keywords), &callable, &count))
    return nullptr;
  return replace_handler(op, callable, &Connection::progress, [count](sqlite3* db, Callback* callback) {
    sqlite3_progress_handler(db, callback != nullptr ? count : 0, callback != nullptr ? on_progress : nullptr, callback);
    return true;
  });
}

PyObject* set_trace_callback(PyObject* op, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"trace_callback", nullptr};
  PyObject* callable;
  if (!warn_keywords(args, 1,
                     "Passing keyword argument 'trace_callback' to _sqlite3.Connection.set_trace_callback() is deprecated. "
                     "Parameter 'trace_callback' will become positional-only in Python 3.15.") ||
      !PyArg_ParseTupleAndKeywords(args, kwargs, "O:set_trace_callback", const_cast<char**>(keywords), &callable))
    return nullptr;
  return replace_handler(op, callable, &Connection::trace, [](sqlite3* db, Callback* callback) {
    sqlite3_trace_v2(db, callback != nullptr ? SQLITE_TRACE_STMT : 0, callback != nullptr ? on_trace : nullptr, callback);
    return true;
  });
}

constexpr int kKeywords = METH_VARARGS | METH_KEYWORDS;

}  // namespace

void free_callback(Callback* callback) {
  if (callback == nullptr || callback->owners.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
  Py_DECREF(callback->callable);
  PyMem_RawFree(callback);
}

PyMethodDef callback_methods[] = {
    {"create_function", ext::method(create_function), kKeywords,
     "create_function($self, /, name, narg, func, *, deterministic=False)\n--\n\nCreates a new function."},
    {"create_aggregate", ext::method(create_aggregate), kKeywords,
     "create_aggregate($self, /, name, n_arg, aggregate_class)\n--\n\nCreates a new aggregate."},
    {"create_window_function", ext::method(create_window_function), METH_FASTCALL,
     "create_window_function($self, name, num_params, aggregate_class, /)\n--\n\n"
     "Creates or redefines an aggregate window function. Non-standard."},
    {"create_collation", ext::method(create_collation), METH_FASTCALL,
     "create_collation($self, name, callback, /)\n--\n\nCreates a collation function."},
    {"set_authorizer", ext::method(set_authorizer), kKeywords,
     "set_authorizer($self, /, authorizer_callback)\n--\n\nSet authorizer callback."},
    {"set_progress_handler", ext::method(set_progress_handler), kKeywords,
     "set_progress_handler($self, /, progress_handler, n)\n--\n\nSet progress handler callback."},
    {"set_trace_callback", ext::method(set_trace_callback), kKeywords,
     "set_trace_callback($self, /, trace_callback)\n--\n\nSet a trace callback called for each SQL statement (passed as unicode)."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace sqlite
