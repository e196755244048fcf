// Connections: opening and closing, transactions, settings, backups.
#include "sqlite.h"

#include <climits>
#include <cstring>
#include <memory>
#include <string>

namespace sqlite {

namespace {

// ---- arguments ----

constexpr const char* kLevels[] = {"", "DEFERRED", "IMMEDIATE", "EXCLUSIVE"};

bool to_level(PyObject* value, const char** level) {
  if (value == Py_None) {
    *level = nullptr;
    return true;
  }
  if (!PyUnicode_Check(value)) {
    PyErr_SetString(PyExc_TypeError, "isolation_level must be str or None");
    return false;
  }
  const char* text = text_argument(value, "isolation_level");
  if (text == nullptr) return false;
  for (const char* known : kLevels) {
    if (sqlite3_stricmp(text, known) == 0) {
      *level = known;
      return true;
    }
  }
  PyErr_SetString(PyExc_ValueError, "isolation_level string must be '', 'DEFERRED', 'IMMEDIATE', or 'EXCLUSIVE'");
  return false;
}
int level_converter(PyObject* value, void* out) { return to_level(value, static_cast<const char**>(out)); }

int autocommit_converter(PyObject* value, void* out) {
  auto* mode = static_cast<int*>(out);
  if (value == Py_True || value == Py_False) {
    *mode = value == Py_True ? kAutomatic : kManual;
    return 1;
  }
  if (PyLong_Check(value)) {
    *mode = PyLong_AsInt(value);
    if (*mode == kLegacy && !PyErr_Occurred()) return 1;
    PyErr_Clear();
  }
  PyErr_SetString(PyExc_ValueError, "autocommit must be True, False, or sqlite3.LEGACY_TRANSACTION_CONTROL");
  return 0;
}

// ---- opening and closing ----

void set_off(Callback*& callback) { free_callback(std::exchange(callback, nullptr)); }

void close_database(Connection* self) {
  PyMutex_Lock(&self->closing);
  sqlite3* db = std::exchange(self->db, nullptr);
  PyMutex_Unlock(&self->closing);
  if (db == nullptr) return;
  if (self->mutex.depth() > 1) {
    self->doomed = db;
    return;
  }
  {
    ext::Away away;
    sqlite3_close_v2(db);
  }
  set_off(self->trace);
  set_off(self->progress);
  set_off(self->authorizer);
}

// With autocommit off, a transaction is always open, and ends with the connection.
bool roll_back_open(Connection* self) {
  return self->autocommit != kManual || sqlite3_get_autocommit(self->db) || execute_simple(self, "ROLLBACK");
}

void close_blobs(Connection* self) {
  Ref blobs(std::exchange(self->blobs, nullptr));
  for (Py_ssize_t i = 0; blobs && i < PyList_GET_SIZE(blobs.get()); i++) {
    PyObject* blob;
    if (PyWeakref_GetRef(PyList_GET_ITEM(blobs.get(), i), &blob) > 0) {
      close_blob(blob);
      Py_DECREF(blob);
    }
  }
}

int connection_init(PyObject* op, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"database", "timeout", "detect_types", "isolation_level", "check_same_thread",
                                         "factory",  "cached_statements", "uri", "autocommit", nullptr};
  Connection* self = connection_of(op);
  if (PyTuple_GET_SIZE(args) > 1 &&
      PyErr_WarnEx(PyExc_DeprecationWarning,
                   "Passing more than 1 positional argument to _sqlite3.Connection() is deprecated. Parameters 'timeout', "
                   "'detect_types', 'isolation_level', 'check_same_thread', 'factory', 'cached_statements' and 'uri' will become "
                   "keyword-only parameters in Python 3.15.",
                   1) < 0)
    return -1;
  PyObject *database, *factory = nullptr;
  double timeout = 5.0;
  int detect_types = 0, same_thread = 1, cached = 128, uri = 0, autocommit = kLegacy;
  const char* level = "";
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|diO&pOip$O&:Connection", const_cast<char**>(keywords), &database, &timeout,
                                   &detect_types, level_converter, &level, &same_thread, &factory, &cached, &uri,
                                   autocommit_converter, &autocommit))
    return -1;
  Ref path;
  if (PySys_Audit("sqlite3.connect", "O", database) < 0 || !PyUnicode_FSConverter(database, path.out())) return -1;
  if (self->initialized) {
    self->mutex.lock();
    const bool used = self->mutex.depth() > 1;
    if (!used) {
      self->initialized = false;
      if (self->db != nullptr && !roll_back_open(self)) PyErr_Clear();
      close_blobs(self);
      close_database(self);
    }
    leave(self);
    if (used) {
      PyErr_SetString(errors.programming, "A connection cannot be initialized while it is used.");
      return -1;
    }
  }
  Ref statements(PyDict_New()), blobs(PyList_New(0));
  if (!statements || !blobs) return -1;
  sqlite3* db = nullptr;
  int code;
  {
    ext::Away away;
    code = sqlite3_open_v2(PyBytes_AS_STRING(path.get()), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | (uri ? SQLITE_OPEN_URI : 0),
                           nullptr);
    if (code == SQLITE_OK) sqlite3_busy_timeout(db, static_cast<int>(timeout * 1000));
  }
  if (code != SQLITE_OK) {
    if (db == nullptr)
      PyErr_NoMemory();
    else
      raise_error(db);
    sqlite3_close(db);
    return -1;
  }
  self->mutex.lock();
  if (self->initialized) {  // by another thread, meanwhile
    leave(self);
    sqlite3_close(db);
    PyErr_SetString(errors.programming, "A connection cannot be initialized while it is used.");
    return -1;
  }
  self->db = db;
  Ref old(std::exchange(self->statements, statements.release())), old_blobs(std::exchange(self->blobs, blobs.release()));
  self->cache_size = cached;
  self->detect_types = detect_types;
  self->isolation_level = level;
  self->autocommit = autocommit;
  self->check_thread = same_thread != 0;
  self->thread = PyThread_get_thread_ident();
  write_field(op, self->row_factory, Py_None);
  write_field(op, self->text_factory, object_of(&PyUnicode_Type));
  self->initialized = true;
  leave(self);
  if (PySys_Audit("sqlite3.connect/handle", "O", op) < 0) return -1;
  return autocommit == kManual && !execute_simple(self, "BEGIN") ? -1 : 0;
}

PyObject* connection_close(PyObject* op, PyObject*) {
  Connection* self = connection_of(op);
  if (!self->initialized) {
    PyErr_SetString(errors.programming, "Base Connection.__init__ not called.");
    return nullptr;
  }
  if (!check_thread(self)) return nullptr;
  self->mutex.lock();
  bool done = true;
  if (self->db != nullptr) {
    close_blobs(self);
    done = roll_back_open(self);
    if (self->statements != nullptr) PyDict_Clear(self->statements);
    close_database(self);
  }
  leave(self);
  if (!done) return nullptr;
  Py_RETURN_NONE;
}

void connection_finalize(PyObject* op) {
  Connection* self = connection_of(op);
  PyObject* raised = PyErr_GetRaisedException();
  if (self->db != nullptr) {
    if (PyErr_ResourceWarning(op, 1, "unclosed database in %R", op) < 0) {
      if (PyErr_ExceptionMatches(PyExc_Warning))
        PyErr_FormatUnraisable("Exception ignored while finalizing database connection %R", op);
      else
        PyErr_Clear();
    }
    if (!roll_back_open(self)) PyErr_FormatUnraisable("Exception ignored while closing database %R", op);
  }
  close_database(self);
  PyErr_SetRaisedException(raised);
}

int connection_traverse(PyObject* op, visitproc visit, void* arg) {
  Connection* self = connection_of(op);
  Py_VISIT(Py_TYPE(op));
  for (PyObject* held : {self->statements, self->blobs, self->row_factory, self->text_factory}) Py_VISIT(held);
  for (Callback* callback : {self->trace, self->progress, self->authorizer}) {
    if (callback != nullptr) Py_VISIT(callback->callable);
  }
  return 0;
}
int connection_clear(PyObject* op) {
  Connection* self = connection_of(op);
  Py_CLEAR(self->statements);
  Py_CLEAR(self->blobs);
  Py_CLEAR(self->row_factory);
  Py_CLEAR(self->text_factory);
  return 0;
}
void connection_dealloc(PyObject* op) {
  if (PyObject_CallFinalizerFromDealloc(op) < 0) return;
  PyObject_GC_UnTrack(op);
  PyTypeObject* type = Py_TYPE(op);
  connection_clear(op);
  close_database(connection_of(op));
  type->tp_free(op);
  Py_DECREF(type);
}

// ---- transactions ----

PyObject* connection_commit(PyObject* op, PyObject*) {
  Use use(connection_of(op));
  if (!use.ok() || !commit(connection_of(op))) return nullptr;
  Py_RETURN_NONE;
}
PyObject* connection_rollback(PyObject* op, PyObject*) {
  Use use(connection_of(op));
  if (!use.ok() || !rollback(connection_of(op))) return nullptr;
  Py_RETURN_NONE;
}

PyObject* connection_enter(PyObject* op, PyObject*) {
  Use use(connection_of(op));
  return use.ok() ? Py_NewRef(op) : nullptr;
}
PyObject* connection_exit(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  if (!ext::check_positional("__exit__", nargs, 3, 3)) return nullptr;
  Use use(connection_of(op));
  if (!use.ok()) return nullptr;
  Connection* self = connection_of(op);
  if (args[0] == Py_None && args[1] == Py_None && args[2] == Py_None) {
    if (!commit(self)) {
      // Nothing of a transaction that cannot be committed stays.
      PyObject* raised = PyErr_GetRaisedException();
      if (!rollback(self)) {
        _PyErr_ChainExceptions1(raised);
      } else {
        PyErr_SetRaisedException(raised);
      }
      return nullptr;
    }
  } else if (!rollback(self)) {
    return nullptr;
  }
  Py_RETURN_FALSE;
}

// ---- cursors and statements ----

PyObject* new_cursor(PyObject* op, PyObject* factory) {
  {
    Use use(connection_of(op));
    if (!use.ok()) return nullptr;
  }
  Ref cursor(PyObject_CallOneArg(factory, op));
  if (!cursor) return nullptr;
  if (!PyObject_TypeCheck(cursor.get(), types.cursor))
    return PyErr_Format(PyExc_TypeError, "factory must return a cursor, not %.100s", Py_TYPE(cursor.get())->tp_name);
  Ref row_factory(read_field(op, connection_of(op)->row_factory));
  if (row_factory.get() != Py_None) write_field(cursor.get(), cursor_of(cursor.get())->row_factory, row_factory.get());
  return cursor.release();
}
PyObject* connection_cursor(PyObject* op, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"factory", nullptr};
  PyObject* factory = object_of(types.cursor);
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:cursor", const_cast<char**>(keywords), &factory)) return nullptr;
  return new_cursor(op, factory);
}

// conn.METHOD(...) is conn.cursor().METHOD(...).
template <const char* const& name>
PyObject* by_cursor(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  Ref cursor(Py_IS_TYPE(op, types.connection) ? new_cursor(op, object_of(types.cursor)) : PyObject_CallMethod(op, "cursor", nullptr));
  Ref method(cursor ? PyObject_GetAttrString(cursor.get(), name) : nullptr);
  return method ? PyObject_Vectorcall(method.get(), args, static_cast<size_t>(nargs), nullptr) : nullptr;
}
const char* const kExecute = "execute";
const char* const kExecuteMany = "executemany";
const char* const kExecuteScript = "executescript";

PyObject* connection_call(PyObject* op, PyObject* args, PyObject* kwargs) {
  if (kwargs != nullptr && PyDict_GET_SIZE(kwargs) > 0) {
    PyErr_SetString(PyExc_TypeError, "Connection() takes no keyword arguments");
    return nullptr;
  }
  Use use(connection_of(op));
  PyObject* sql;
  if (!use.ok() || !PyArg_ParseTuple(args, "U", &sql)) return nullptr;
  return new_statement(connection_of(op), sql).release();
}

PyObject* interrupt(PyObject* op, PyObject*) {
  // Another thread is using the connection.
  Connection* self = connection_of(op);
  if (!self->initialized) {
    PyErr_SetString(errors.programming, "Base Connection.__init__ not called.");
    return nullptr;
  }
  PyMutex_Lock(&self->closing);
  const bool open = self->db != nullptr;
  if (open) sqlite3_interrupt(self->db);
  PyMutex_Unlock(&self->closing);
  if (open || check_connection(self)) Py_RETURN_NONE;
  return nullptr;
}

PyObject* iterdump(PyObject* op, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"filter", nullptr};
  PyObject* filter = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$O:iterdump", const_cast<char**>(keywords), &filter)) return nullptr;
  {
    Use use(connection_of(op));
    if (!use.ok()) return nullptr;
  }
  Ref module(PyImport_ImportModule("sqlite3.dump"));
  PyObject* found = nullptr;
  Ref name(PyUnicode_FromString("_iterdump"));
  if (!module || !name || PyObject_GetOptionalAttr(module.get(), name.get(), &found) < 0) return nullptr;
  if (found == nullptr) {
    PyErr_SetString(errors.operational, "Failed to obtain _iterdump() reference");
    return nullptr;
  }
  Ref function(found), positional(PyTuple_Pack(1, op)), named(Py_BuildValue("{sO}", "filter", filter));
  return positional && named ? PyObject_Call(function.get(), positional.get(), named.get()) : nullptr;
}

// ---- copies ----

PyObject* backup(PyObject* op, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"target", "pages", "progress", "name", "sleep", nullptr};
  PyObject *target, *progress = Py_None;
  int pages = -1;
  const char* name = "main";
  double sleep = 0.25;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$iOsd:backup", const_cast<char**>(keywords), &target, &pages, &progress, &name,
                                   &sleep))
    return nullptr;
  if (!PyObject_TypeCheck(target, types.connection))
    return PyErr_Format(PyExc_TypeError, "backup() argument 'target' must be sqlite3.Connection, not %s", Py_TYPE(target)->tp_name);
  Connection *self = connection_of(op), *other = connection_of(target);
  if (self == other) {
    PyErr_SetString(PyExc_ValueError, "target cannot be the same connection instance");
    return nullptr;
  }
  // In one order everywhere: two backups in opposite directions wait for each other, but not forever.
  Use first(self < other ? self : other);
  if (!first.ok()) return nullptr;
  Use second(self < other ? other : self);
  if (!second.ok()) return nullptr;
  if (progress != Py_None && !PyCallable_Check(progress)) {
    PyErr_SetString(PyExc_TypeError, "progress argument must be a callable");
    return nullptr;
  }
  if (pages == 0) pages = -1;
  sqlite3_backup* handle;
  {
    ext::Away away;
    handle = sqlite3_backup_init(other->db, "main", self->db, name);
  }
  if (handle == nullptr) {
    raise_error(other->db);
    return nullptr;
  }
  int code;
  do {
    {
      ext::Away away;
      code = sqlite3_backup_step(handle, pages);
    }
    if (progress != Py_None) {
      Ref done(PyObject_CallFunction(progress, "iii", code, sqlite3_backup_remaining(handle), sqlite3_backup_pagecount(handle)));
      if (!done) {
        ext::Away away;
        sqlite3_backup_finish(handle);
        code = -1;
        break;
      }
    }
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED) {
      ext::Away away;
      sqlite3_sleep(static_cast<int>(sleep * 1000));
    }
  } while (code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_LOCKED);
  if (code == -1) return nullptr;
  {
    ext::Away away;
    code = sqlite3_backup_finish(handle);
  }
  if (code == SQLITE_OK) Py_RETURN_NONE;
  raise_error(other->db);
  return nullptr;
}

PyObject* serialize(PyObject* op, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"name", nullptr};
  const char* name = "main";
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$s:serialize", const_cast<char**>(keywords), &name)) return nullptr;
  Use use(connection_of(op));
  if (!use.ok()) return nullptr;
  sqlite3* db = connection_of(op)->db;
  sqlite3_int64 size = 0;
  // The bytes of a database in memory can be looked at in place.
  if (const unsigned char* bytes = sqlite3_serialize(db, name, &size, SQLITE_SERIALIZE_NOCOPY); bytes != nullptr)
    return PyBytes_FromStringAndSize(reinterpret_cast<const char*>(bytes), static_cast<Py_ssize_t>(size));
  unsigned char* copy;
  {
    ext::Away away;
    copy = sqlite3_serialize(db, name, &size, 0);
  }
  std::unique_ptr<unsigned char, decltype(&sqlite3_free)> owned(copy, sqlite3_free);
  if (copy == nullptr) return PyErr_Format(errors.operational, "unable to serialize '%s'", name);
  return PyBytes_FromStringAndSize(reinterpret_cast<char*>(copy), static_cast<Py_ssize_t>(size));
}

PyObject* deserialize(PyObject* op, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"", "name", nullptr};
  PyObject* data;
  const char* name = "main";
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$s:deserialize", const_cast<char**>(keywords), &data, &name)) return nullptr;
  Ref encoded(PyUnicode_Check(data) ? PyUnicode_AsUTF8String(data) : Py_NewRef(data));
  ext::Buffer buffer;
  if (!encoded || !buffer.get(encoded.get())) return nullptr;
  Use use(connection_of(op));
  if (!use.ok()) return nullptr;
  const auto size = static_cast<sqlite3_uint64>(buffer.size());
  auto* copy = static_cast<unsigned char*>(sqlite3_malloc64(size));
  if (copy == nullptr) return PyErr_NoMemory();
  std::memcpy(copy, buffer.data(), size);
  sqlite3* db = connection_of(op)->db;
  int code;
  {
    ext::Away away;
    code = sqlite3_deserialize(db, name, copy, static_cast<sqlite3_int64>(size), static_cast<sqlite3_int64>(size),
                               SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE);
  }
  if (code == SQLITE_OK) Py_RETURN_NONE;
  raise_error(db);
  return nullptr;
}

// ---- settings ----

bool check_category(Connection* self, int category) {
  if (sqlite3_limit(self->db, category, -1) >= 0) return true;
  PyErr_SetString(errors.programming, "'category' is out of bounds");
  return false;
}
PyObject* getlimit(PyObject* op, PyObject* argument) {
  Connection* self = connection_of(op);
  int category;
  if (!ext::to_int(argument, &category)) return nullptr;
  Use use(self);
  return use.ok() && check_category(self, category) ? PyLong_FromLong(sqlite3_limit(self->db, category, -1)) : nullptr;
}
PyObject* setlimit(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  Connection* self = connection_of(op);
  int category, limit;
  if (!ext::check_positional("setlimit", nargs, 2, 2) || !ext::to_int(args[0], &category) || !ext::to_int(args[1], &limit)) return nullptr;
  Use use(self);
  return use.ok() && check_category(self, category) ? PyLong_FromLong(sqlite3_limit(self->db, category, limit)) : nullptr;
}

bool check_option(int option) {
  switch (option) {
    case SQLITE_DBCONFIG_ENABLE_FKEY:
    case SQLITE_DBCONFIG_ENABLE_TRIGGER:
    case SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER:
    case SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION:
    case SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE:
    case SQLITE_DBCONFIG_ENABLE_QPSG:
    case SQLITE_DBCONFIG_TRIGGER_EQP:
    case SQLITE_DBCONFIG_RESET_DATABASE:
    case SQLITE_DBCONFIG_DEFENSIVE:
    case SQLITE_DBCONFIG_WRITABLE_SCHEMA:
    case SQLITE_DBCONFIG_LEGACY_ALTER_TABLE:
    case SQLITE_DBCONFIG_DQS_DML:
    case SQLITE_DBCONFIG_DQS_DDL:
    case SQLITE_DBCONFIG_ENABLE_VIEW:
    case SQLITE_DBCONFIG_LEGACY_FILE_FORMAT:
    case SQLITE_DBCONFIG_TRUSTED_SCHEMA: return true;
    default: PyErr_Format(PyExc_ValueError, "unknown config 'op': %d", option); return false;
  }
}
PyObject* configure(Connection* self, int option, int value, bool set) {
  Use use(self);
  if (!use.ok() || !check_option(option)) return nullptr;
  int actual;
  if (sqlite3_db_config(self->db, option, value, &actual) != SQLITE_OK) {
    raise_error(self->db);
    return nullptr;
  }
  if (!set) return PyBool_FromLong(actual);
  if (actual == value) Py_RETURN_NONE;
  PyErr_SetString(errors.operational, "Unable to set config");
  return nullptr;
}
PyObject* getconfig(PyObject* op, PyObject* argument) {
  int option;
  return ext::to_int(argument, &option) ? configure(connection_of(op), option, -1, false) : nullptr;
}
PyObject* setconfig(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  int option;
  if (!ext::check_positional("setconfig", nargs, 1, 2) || !ext::to_int(args[0], &option)) return nullptr;
  const int enable = nargs > 1 ? PyObject_IsTrue(args[1]) : 1;
  return enable >= 0 ? configure(connection_of(op), option, enable, true) : nullptr;
}

PyObject* enable_load_extension(PyObject* op, PyObject* argument) {
  const int enable = PyObject_IsTrue(argument);
  if (enable < 0 || PySys_Audit("sqlite3.enable_load_extension", "OO", op, enable ? Py_True : Py_False) < 0) return nullptr;
  Use use(connection_of(op));
  if (!use.ok()) return nullptr;
  if (sqlite3_enable_load_extension(connection_of(op)->db, enable) == SQLITE_OK) Py_RETURN_NONE;
  PyErr_SetString(errors.operational, "Error enabling load extension");
  return nullptr;
}
PyObject* load_extension(PyObject* op, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"", "entrypoint", nullptr};
  PyObject* name;
  const char* entry = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$z:load_extension", const_cast<char**>(keywords), &name, &entry)) return nullptr;
  const char* path = text_argument(name, "load_extension() argument 1");
  if (path == nullptr || PySys_Audit("sqlite3.load_extension", "Os", op, path) < 0) return nullptr;
  Use use(connection_of(op));
  if (!use.ok()) return nullptr;
  char* message = nullptr;
  if (sqlite3_load_extension(connection_of(op)->db, path, entry, &message) == SQLITE_OK) Py_RETURN_NONE;
  PyErr_SetString(errors.operational, message != nullptr ? message : "");
  sqlite3_free(message);
  return nullptr;
}

// ---- attributes ----

PyObject* get_level(PyObject* op, void*) {
  Use use(connection_of(op));
  if (!use.ok()) return nullptr;
  const char* level = connection_of(op)->isolation_level;
  return level != nullptr ? PyUnicode_FromString(level) : Py_NewRef(Py_None);
}
int set_level(PyObject* op, PyObject* value, void*) {
  if (value == nullptr) {
    PyErr_SetString(PyExc_AttributeError, "cannot delete attribute");
    return -1;
  }
  const char* level;
  if (!to_level(value, &level)) return -1;
  Use use(connection_of(op));
  if (!use.ok()) return -1;
  connection_of(op)->isolation_level = level;
  // Without a level there are no open transactions.
  return level == nullptr && !commit(connection_of(op)) ? -1 : 0;
}

PyObject* get_autocommit(PyObject* op, void*) {
  Use use(connection_of(op));
  if (!use.ok()) return nullptr;
  const int mode = connection_of(op)->autocommit;
  return mode == kLegacy ? PyLong_FromLong(mode) : PyBool_FromLong(mode);
}
int set_autocommit(PyObject* op, PyObject* value, void*) {
  if (value == nullptr) {
    PyErr_SetString(PyExc_AttributeError, "cannot delete autocommit attribute");
    return -1;
  }
  Connection* self = connection_of(op);
  Use use(self);
  int mode;
  if (!use.ok() || !autocommit_converter(value, &mode)) return -1;
  const bool idle = sqlite3_get_autocommit(self->db) != 0;
  if (mode == kAutomatic && !idle && !execute_simple(self, "COMMIT")) return -1;
  if (mode == kManual && idle && !execute_simple(self, "BEGIN")) return -1;
  self->autocommit = mode;
  return 0;
}

PyObject* get_total_changes(PyObject* op, void*) {
  Use use(connection_of(op));
  return use.ok() ? PyLong_FromLong(sqlite3_total_changes(connection_of(op)->db)) : nullptr;
}
PyObject* get_in_transaction(PyObject* op, void*) {
  Use use(connection_of(op));
  return use.ok() ? PyBool_FromLong(!sqlite3_get_autocommit(connection_of(op)->db)) : nullptr;
}

template <PyObject* Connection::* field>
PyObject* get_factory(PyObject* op, void*) {
  return read_field(op, connection_of(op)->*field);
}
template <PyObject* Connection::* field>
int set_factory(PyObject* op, PyObject* value, void* name) {
  if (value == nullptr) {
    PyErr_Format(PyExc_AttributeError, "cannot delete %s attribute", static_cast<const char*>(name));
    return -1;
  }
  write_field(op, connection_of(op)->*field, value);
  return 0;
}

PyObject* get_signature(PyObject*, void*) { return PyUnicode_FromString("(sql, /)"); }
PyObject* get_error(PyObject*, void* error) { return Py_NewRef(*static_cast<PyObject**>(error)); }

char row_factory_name[] = "row_factory", text_factory_name[] = "text_factory";
PyGetSetDef connection_getset[] = {
    {"isolation_level", get_level, set_level, nullptr, nullptr},
    {"autocommit", get_autocommit, set_autocommit, nullptr, nullptr},
    {"total_changes", get_total_changes, nullptr, nullptr, nullptr},
    {"in_transaction", get_in_transaction, nullptr, nullptr, nullptr},
    {"row_factory", get_factory<&Connection::row_factory>, set_factory<&Connection::row_factory>, nullptr, row_factory_name},
    {"text_factory", get_factory<&Connection::text_factory>, set_factory<&Connection::text_factory>, nullptr, text_factory_name},
    {"__text_signature__", get_signature, nullptr, nullptr, nullptr},
    {"Warning", get_error, nullptr, nullptr, &errors.warning},
    {"Error", get_error, nullptr, nullptr, &errors.error},
    {"InterfaceError", get_error, nullptr, nullptr, &errors.interface},
    {"DatabaseError", get_error, nullptr, nullptr, &errors.database},
    {"DataError", get_error, nullptr, nullptr, &errors.data},
    {"OperationalError", get_error, nullptr, nullptr, &errors.operational},
    {"IntegrityError", get_error, nullptr, nullptr, &errors.integrity},
    {"InternalError", get_error, nullptr, nullptr, &errors.internal},
    {"ProgrammingError", get_error, nullptr, nullptr, &errors.programming},
    {"NotSupportedError", get_error, nullptr, nullptr, &errors.not_supported},
    {}};

constexpr int kKeywords = METH_VARARGS | METH_KEYWORDS;
constexpr int kMoreMethods = 8;
PyMethodDef connection_methods[24 + kMoreMethods] = {
    {"cursor", ext::method(connection_cursor), kKeywords,
     "cursor($self, /, factory=<unrepresentable>)\n--\n\nReturn a cursor for the connection."},
    {"close", connection_close, METH_NOARGS,
     "close($self, /)\n--\n\nClose the database connection.\n\nAny pending transaction is not committed implicitly."},
    {"commit", connection_commit, METH_NOARGS,
     "commit($self, /)\n--\n\nCommit any pending transaction to the database.\n\n"
     "If there is no open transaction, this method is a no-op."},
    {"rollback", connection_rollback, METH_NOARGS,
     "rollback($self, /)\n--\n\nRoll back to the start of any pending transaction.\n\n"
     "If there is no open transaction, this method is a no-op."},
    {"execute", ext::method(by_cursor<kExecute>), METH_FASTCALL,
     "execute($self, sql, parameters=(), /)\n--\n\nExecutes an SQL statement."},
    {"executemany", ext::method(by_cursor<kExecuteMany>), METH_FASTCALL,
     "executemany($self, sql, parameters, /)\n--\n\nRepeatedly executes an SQL statement."},
    {"executescript", ext::method(by_cursor<kExecuteScript>), METH_FASTCALL,
     "executescript($self, sql_script, /)\n--\n\nExecutes multiple SQL statements at once."},
    {"interrupt", interrupt, METH_NOARGS, "interrupt($self, /)\n--\n\nAbort any pending database operation."},
    {"iterdump", ext::method(iterdump), kKeywords,
     "iterdump($self, /, *, filter=None)\n--\n\nReturns iterator to the dump of the database in an SQL text format."},
    {"backup", ext::method(backup), kKeywords,
     "backup($self, /, target, *, pages=-1, progress=None, name='main',\n       sleep=0.25)\n--\n\nMakes a backup of the database."},
    {"blobopen", ext::method(open_blob), kKeywords,
     "blobopen($self, table, column, rowid, /, *, readonly=False, name='main')\n--\n\nOpen and return a BLOB object."},
    {"serialize", ext::method(serialize), kKeywords, "serialize($self, /, *, name='main')\n--\n\nSerialize a database into a byte string."},
    {"deserialize", ext::method(deserialize), kKeywords,
     "deserialize($self, data, /, *, name='main')\n--\n\nLoad a serialized database."},
    {"getlimit", getlimit, METH_O, "getlimit($self, category, /)\n--\n\nGet connection run-time limits."},
    {"setlimit", ext::method(setlimit), METH_FASTCALL, "setlimit($self, category, limit, /)\n--\n\nSet connection run-time limits."},
    {"getconfig", getconfig, METH_O, "getconfig($self, op, /)\n--\n\nQuery a boolean connection configuration option."},
    {"setconfig", ext::method(setconfig), METH_FASTCALL,
     "setconfig($self, op, enable=True, /)\n--\n\nSet a boolean connection configuration option."},
    {"enable_load_extension", enable_load_extension, METH_O,
     "enable_load_extension($self, enable, /)\n--\n\nEnable dynamic loading of SQLite extension modules."},
    {"load_extension", ext::method(load_extension), kKeywords,
     "load_extension($self, name, /, *, entrypoint=None)\n--\n\nLoad SQLite extension module."},
    {"__enter__", connection_enter, METH_NOARGS,
     "__enter__($self, /)\n--\n\nCalled when the connection is used as a context manager.\n\n"
     "Returns itself as a convenience to the caller."},
    {"__exit__", ext::method(connection_exit), METH_FASTCALL,
     "__exit__($self, type, value, traceback, /)\n--\n\nCalled when the connection is used as a context manager.\n\n"
     "If there was any exception, a rollback takes place; otherwise we commit."}};
PyType_Slot connection_slots[] = {{Py_tp_doc, const_cast<char*>("SQLite database connection object.")},
                                  {Py_tp_init, slot(connection_init)},
                                  {Py_tp_finalize, slot(connection_finalize)},
                                  {Py_tp_dealloc, slot(connection_dealloc)},
                                  {Py_tp_traverse, slot(connection_traverse)},
                                  {Py_tp_clear, slot(connection_clear)},
                                  {Py_tp_call, slot(connection_call)},
                                  {Py_tp_methods, connection_methods},
                                  {Py_tp_getset, connection_getset},
                                  {0, nullptr}};
PyType_Spec connection_spec = {"sqlite3.Connection", sizeof(Connection), 0,
                               Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
                               connection_slots};

}  // namespace

bool check_thread(Connection* self) {
  if (!self->check_thread || PyThread_get_thread_ident() == self->thread) return true;
  PyErr_Format(errors.programming,
               "SQLite objects created in a thread can only be used in that same thread. The object was created in thread id %lu and "
               "this is thread id %lu.",
               self->thread.load(), PyThread_get_thread_ident());
  return false;
}

bool check_connection(Connection* self) {
  if (self->db != nullptr) return true;
  PyErr_SetString(errors.programming, "Cannot operate on a closed database.");
  return false;
}

void leave(Connection* self) {
  if (self->doomed != nullptr && self->mutex.depth() == 1) {
    PyObject* raised = PyErr_GetRaisedException();
    self->db = std::exchange(self->doomed, nullptr);
    close_database(self);
    PyErr_SetRaisedException(raised);
  }
  self->mutex.unlock();
}

bool execute_simple(Connection* self, const char* sql) {
  int code;
  {
    ext::Away away;
    sqlite3_stmt* st;
    code = sqlite3_prepare_v2(self->db, sql, -1, &st, nullptr);
    if (code == SQLITE_OK) {
      sqlite3_step(st);
      code = sqlite3_finalize(st);
    }
  }
  return code == SQLITE_OK || raise_error(self->db);
}

namespace {
bool end_transaction(Connection* self, const char* sql) {
  if (self->autocommit == kAutomatic) return true;
  if (self->autocommit == kManual) return execute_simple(self, sql) && execute_simple(self, "BEGIN");
  return sqlite3_get_autocommit(self->db) || execute_simple(self, sql);
}
}  // namespace
bool commit(Connection* self) { return end_transaction(self, "COMMIT"); }
bool rollback(Connection* self) { return end_transaction(self, "ROLLBACK"); }

void remember_blob(Connection* self, PyObject* blob) {
  if (self->blobs == nullptr) return;
  // Those that are gone make room.
  for (Py_ssize_t i = PyList_GET_SIZE(self->blobs); i-- > 0;) {
    PyObject* living;
    if (PyWeakref_GetRef(PyList_GET_ITEM(self->blobs, i), &living) == 0) PySequence_DelItem(self->blobs, i);
    Py_XDECREF(living);
  }
  Ref reference(PyWeakref_NewRef(blob, nullptr));
  if (!reference || PyList_Append(self->blobs, reference.get()) < 0) PyErr_Clear();
}

bool make_connection_type(PyObject* module, PyMethodDef* more) {
  PyMethodDef* end = connection_methods;
  while (end->ml_name != nullptr) end++;
  if (types.connection == nullptr) {
    while (more->ml_name != nullptr) *end++ = *more++;
    types.connection = make_type(module, &connection_spec, false);
  }
  return types.connection != nullptr && PyModule_AddType(module, types.connection) == 0;
}

}  // namespace sqlite
