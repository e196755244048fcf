// Cursors and prepared statements: binding of parameters, execution, and rows.
#include "sqlite.h"

#include <climits>
#include <cstring>
#include <string>

namespace sqlite {

namespace {

// ---- statements ----

// Where the text goes on behind blanks and comments; null: nowhere.
const char* skip_comments(const char* sql) {
  for (; *sql != '\0'; sql++) {
    if (std::strchr(" \t\f\n\r", *sql) != nullptr) continue;
    if (sql[0] == '-' && sql[1] == '-') {
      sql = std::strchr(sql, '\n');
      if (sql == nullptr) return nullptr;
    } else if (sql[0] == '/' && sql[1] == '*') {
      sql = std::strstr(sql + 2, "*/");
      if (sql == nullptr) return nullptr;
      sql++;
    } else {
      return sql;
    }
  }
  return nullptr;
}

bool changes_data(const char* sql) {
  for (const char* word : {"insert", "update", "delete", "replace"}) {
    if (sqlite3_strnicmp(sql, word, static_cast<int>(std::strlen(word))) == 0) return true;
  }
  return false;
}

int statement_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(op));
  return 0;
}
void statement_dealloc(PyObject* op) {
  PyObject_GC_UnTrack(op);
  PyTypeObject* type = Py_TYPE(op);
  if (sqlite3_stmt* st = statement_of(op)->st; st != nullptr) {
    ext::Away away;
    sqlite3_finalize(st);
  }
  type->tp_free(op);
  Py_DECREF(type);
}
PyType_Slot statement_slots[] = {{Py_tp_traverse, slot(statement_traverse)}, {Py_tp_dealloc, slot(statement_dealloc)}, {0, nullptr}};
PyType_Spec statement_spec = {"sqlite3.Statement", sizeof(Statement), 0,
                              Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
                              statement_slots};

// ---- binding ----

bool bind_value(Connection* self, sqlite3_stmt* st, int position, PyObject* value) {
  int code;
  if (value == Py_None) {
    code = sqlite3_bind_null(st, position);
  } else if (PyLong_Check(value)) {
    int overflow;
    const long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow != 0) PyErr_SetString(PyExc_OverflowError, "Python int too large to convert to SQLite INTEGER");
    if (PyErr_Occurred()) return false;
    code = sqlite3_bind_int64(st, position, number);
  } else if (PyFloat_Check(value)) {
    code = sqlite3_bind_double(st, position, PyFloat_AsDouble(value));
  } else if (PyUnicode_Check(value)) {
    Py_ssize_t size;
    const char* text = PyUnicode_AsUTF8AndSize(value, &size);
    if (text == nullptr) return false;
    if (size > INT_MAX) {
      PyErr_SetString(PyExc_OverflowError, "string longer than INT_MAX bytes");
      return false;
    }
    code = sqlite3_bind_text(st, position, text, static_cast<int>(size), SQLITE_TRANSIENT);
  } else if (PyObject_CheckBuffer(value)) {
    ext::Buffer buffer;
    if (!buffer.get(value)) return false;
    if (buffer.size() > INT_MAX) {
      PyErr_SetString(PyExc_OverflowError, "BLOB longer than INT_MAX bytes");
      return false;
    }
    code = sqlite3_bind_blob(st, position, buffer.size() > 0 ? buffer.data() : reinterpret_cast<const unsigned char*>(""),
                             static_cast<int>(buffer.size()), SQLITE_TRANSIENT);
  } else {
    PyErr_Format(errors.programming, "Error binding parameter %d: type '%s' is not supported", position, Py_TYPE(value)->tp_name);
    return false;
  }
  return code == SQLITE_OK || raise_error(self->db);
}

bool needs_no_adapter(PyObject* value) {
  return !base_type_adapted.load(std::memory_order_relaxed) &&
         (PyLong_CheckExact(value) || PyFloat_CheckExact(value) || PyUnicode_CheckExact(value) || PyByteArray_CheckExact(value));
}
bool bind_adapted(Connection* self, sqlite3_stmt* st, int position, PyObject* value) {
  if (value == Py_None || needs_no_adapter(value)) return bind_value(self, st, position, value);
  Ref adapted(adapt(value, object_of(types.protocol), value));
  return adapted && bind_value(self, st, position, adapted.get());
}

bool bind_sequence(Connection* self, sqlite3_stmt* st, PyObject* parameters) {
  const int needed = sqlite3_bind_parameter_count(st);
  const Py_ssize_t given = PySequence_Size(parameters);
  if (given == -1) return false;
  if (given != needed) {
    PyErr_Format(errors.programming, "Incorrect number of bindings supplied. The current statement uses %d, and there are %zd supplied.",
                 needed, given);
    return false;
  }
  for (int i = 0; i < needed; i++) {
    const char* name = sqlite3_bind_parameter_name(st, i + 1);
    if (name != nullptr && name[0] != '?') {
      PyErr_Format(errors.programming,
                   "Binding %d ('%s') is a named parameter, but you supplied a sequence which requires nameless (qmark) placeholders.",
                   i + 1, name);
      return false;
    }
    Ref value(PySequence_GetItem(parameters, i));
    if (!value || !bind_adapted(self, st, i + 1, value.get())) return false;
  }
  return true;
}

bool bind_mapping(Connection* self, sqlite3_stmt* st, PyObject* parameters) {
  for (int i = 0, needed = sqlite3_bind_parameter_count(st); i < needed; i++) {
    const char* name = sqlite3_bind_parameter_name(st, i + 1);
    if (name == nullptr) {
      PyErr_Format(errors.programming, "Binding %d has no name, but you supplied a dictionary (which has only names).", i + 1);
      return false;
    }
    Ref key(PyUnicode_FromString(name + 1));
    Ref value(key ? PyObject_GetItem(parameters, key.get()) : nullptr);
    if (!value) {
      if (key && PyErr_ExceptionMatches(PyExc_LookupError))
        PyErr_Format(errors.programming, "You did not supply a value for binding parameter :%s.", name + 1);
      return false;
    }
    if (!bind_adapted(self, st, i + 1, value.get())) return false;
  }
  return true;
}

bool bind(Connection* self, sqlite3_stmt* st, PyObject* parameters) {
  if (PyTuple_CheckExact(parameters) || PyList_CheckExact(parameters) || (!PyDict_Check(parameters) && PySequence_Check(parameters)))
    return bind_sequence(self, st, parameters);
  if (PyMapping_Check(parameters)) return bind_mapping(self, st, parameters);
  PyErr_SetString(errors.programming, "parameters are of unsupported type");
  return false;
}

// ---- what a cursor is used under ----

bool check_cursor(Cursor* self) {
  if (!self->initialized) {
    PyErr_SetString(errors.programming, "Base Cursor.__init__ not called.");
    return false;
  }
  if (self->closed) {
    PyErr_SetString(errors.programming, "Cannot operate on a closed cursor.");
    return false;
  }
  if (self->locked) {
    PyErr_SetString(errors.programming, "Recursive use of cursors not allowed.");
    return false;
  }
  return true;
}

// What it was made for, which __init__ may replace at any time: a new reference, or null.
Ref own_connection(Cursor* self) {
  Ref connection;
  Py_BEGIN_CRITICAL_SECTION(self);
  connection = Ref(Py_XNewRef(object_of(self->connection)));
  Py_END_CRITICAL_SECTION();
  return connection;
}

// The use of a cursor's connection; the cursor of a thread that may not use it is not looked at.
class UseCursor {
 public:
  explicit UseCursor(Cursor* self) {
    if (!self->initialized) {
      check_cursor(self);
      return;
    }
    for (;;) {
      Ref own = own_connection(self);
      Connection* connection = connection_of(own.get());
      // Who may not use it does not wait for it.
      if (connection->check_thread && connection->thread != PyThread_get_thread_ident()) {
        if (check_cursor(self)) check_thread(connection);
        return;
      }
      connection->mutex.lock();
      if (__atomic_load_n(&self->connection, __ATOMIC_ACQUIRE) == connection) {
        connection_ = connection_of(own.release());
        break;
      }
      leave(connection);
    }
    ok_ = check_cursor(self) && check_ready();
  }
  ~UseCursor() {
    if (connection_ == nullptr) return;
    leave(connection_);
    Py_DECREF(connection_);
  }
  UseCursor(const UseCursor&) = delete;
  UseCursor& operator=(const UseCursor&) = delete;
  bool ok() const { return ok_; }

 private:
  bool check_ready() const {
    if (!connection_->initialized) {
      PyErr_SetString(errors.programming, "Base Connection.__init__ not called.");
      return false;
    }
    return check_connection(connection_);
  }
  Connection* connection_ = nullptr;
  bool ok_ = false;
};

struct Locked {
  explicit Locked(Cursor* cursor) : cursor(cursor) { cursor->locked = true; }
  ~Locked() { cursor->locked = false; }
  Cursor* cursor;
};

void drop_statement(Cursor* self) {
  if (self->statement == nullptr) return;
  reset(self->statement);
  Ref old(object_of(std::exchange(self->statement, nullptr)));
}

// ---- rows ----

// A converter by its name: a new reference, null without an exception where there is none.
Ref converter(const char* name, size_t size) {
  Ref key(PyUnicode_FromStringAndSize(name, static_cast<Py_ssize_t>(size)));
  Ref upper(key ? PyObject_CallMethod(key.get(), "upper", nullptr) : nullptr);
  PyObject* found = nullptr;
  if (upper && PyDict_GetItemRef(types.converters, upper.get(), &found) < 0) return Ref();
  return Ref(found);
}

// The converters of the columns, from "[name]" in their names, or from their declared types.
bool find_converters(Cursor* self) {
  const int modes = self->connection->detect_types;
  Py_CLEAR(self->casts);
  if (modes == 0) return true;
  sqlite3_stmt* st = self->statement->st;
  const int count = sqlite3_column_count(st);
  Ref casts(PyTuple_New(count));
  for (int i = 0; casts && i < count; i++) {
    Ref found;
    if ((modes & kParseColnames) != 0) {
      const char* name = sqlite3_column_name(st, i);
      const char* open = name != nullptr ? std::strchr(name, '[') : nullptr;
      const char* close = open != nullptr ? std::strchr(open, ']') : nullptr;
      if (close != nullptr) found = converter(open + 1, static_cast<size_t>(close - open - 1));
    }
    if (!found && !PyErr_Occurred() && (modes & kParseDecltypes) != 0) {
      if (const char* type = sqlite3_column_decltype(st, i); type != nullptr) found = converter(type, std::strcspn(type, " ("));
    }
    if (PyErr_Occurred()) return false;
    PyTuple_SET_ITEM(casts.get(), i, found ? found.release() : Py_NewRef(Py_None));
  }
  self->casts = casts.release();
  return self->casts != nullptr;
}

Ref description_of(Cursor* self) {
  sqlite3_stmt* st = self->statement->st;
  const int count = sqlite3_column_count(st);
  Ref all(PyTuple_New(count));
  for (int i = 0; all && i < count; i++) {
    const char* name = sqlite3_column_name(st, i);
    if (name == nullptr) {
      PyErr_NoMemory();
      return Ref();
    }
    size_t size = std::strlen(name);
    if ((self->connection->detect_types & kParseColnames) != 0) {
      if (const char* open = std::strchr(name, '['); open != nullptr) {
        size = static_cast<size_t>(open - name);
        if (size > 0 && name[size - 1] == ' ') size--;
      }
    }
    PyObject* column = Py_BuildValue("(s#OOOOOO)", name, static_cast<Py_ssize_t>(size), Py_None, Py_None, Py_None, Py_None, Py_None, Py_None);
    if (column == nullptr) return Ref();
    PyTuple_SET_ITEM(all.get(), i, column);
  }
  return all;
}

PyObject* text_value(sqlite3_stmt* st, int column, PyObject* factory) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(st, column));
  const Py_ssize_t size = sqlite3_column_bytes(st, column);
  if (text == nullptr) return PyErr_NoMemory();
  if (factory == object_of(&PyUnicode_Type)) {
    PyObject* result = PyUnicode_FromStringAndSize(text, size);
    if (result == nullptr && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
      PyErr_Clear();
      const char* name = sqlite3_column_name(st, column);
      Ref shown(PyUnicode_DecodeASCII(text, size, "replace"));
      Ref message(shown ? PyUnicode_FromFormat("Could not decode to UTF-8 column '%s' with text '%U'", name, shown.get()) : nullptr);
      if (message) PyErr_SetObject(errors.operational, message.get());
    }
    return result;
  }
  if (factory == object_of(&PyBytes_Type)) return PyBytes_FromStringAndSize(text, size);
  if (factory == object_of(&PyByteArray_Type)) return PyByteArray_FromStringAndSize(text, size);
  return PyObject_CallFunction(factory, "y#", text, size);
}

PyObject* column_value(sqlite3_stmt* st, int column, PyObject* convert, PyObject* text_factory) {
  if (convert != nullptr && convert != Py_None) {
    const void* bytes = sqlite3_column_blob(st, column);
    if (bytes == nullptr) return Py_NewRef(Py_None);  // also what is empty
    Ref data(PyBytes_FromStringAndSize(static_cast<const char*>(bytes), sqlite3_column_bytes(st, column)));
    return data ? PyObject_CallOneArg(convert, data.get()) : nullptr;
  }
  switch (sqlite3_column_type(st, column)) {
    case SQLITE_NULL: return Py_NewRef(Py_None);
    case SQLITE_INTEGER: return PyLong_FromLongLong(sqlite3_column_int64(st, column));
    case SQLITE_FLOAT: return PyFloat_FromDouble(sqlite3_column_double(st, column));
    case SQLITE_TEXT: return text_value(st, column, text_factory);
    default: {
      const void* bytes = sqlite3_column_blob(st, column);
      return PyBytes_FromStringAndSize(static_cast<const char*>(bytes), sqlite3_column_bytes(st, column));
    }
  }
}

// The row that the statement stands at.
Ref current_row(Cursor* self) {
  Connection* connection = self->connection;
  Ref statement(Py_NewRef(object_of(self->statement))), casts(Py_XNewRef(self->casts));
  Ref text_factory(read_field(object_of(connection), connection->text_factory));
  sqlite3_stmt* st = self->statement->st;
  const int count = sqlite3_data_count(st);
  Ref row(PyTuple_New(count));
  for (int i = 0; row && i < count; i++) {
    PyObject* convert = casts && i < PyTuple_GET_SIZE(casts.get()) ? PyTuple_GET_ITEM(casts.get(), i) : nullptr;
    PyObject* value = column_value(st, i, convert, text_factory.get());
    if (value == nullptr) return Ref();
    PyTuple_SET_ITEM(row.get(), i, value);
    if (connection->db == nullptr) {
      // A factory or converter has closed the connection.
      check_connection(connection);
      return Ref();
    }
  }
  return row;
}

PyObject* next_row(Cursor* self) {
  if (self->statement == nullptr) return nullptr;
  Ref row;
  {
    Locked lock(self);
    row = current_row(self);
  }
  if (!row) return nullptr;
  if (self->statement == nullptr) return row.release();
  int code;
  {
    Locked lock(self);
    code = step(self->statement->st);
  }
  if (!check_connection(self->connection)) {
    drop_statement(self);
    return nullptr;
  }
  if (code == SQLITE_DONE) {
    if (self->statement->is_dml) self->rowcount = sqlite3_changes(self->connection->db);
    drop_statement(self);
  } else if (code != SQLITE_ROW) {
    raise_error(self->connection->db);
    drop_statement(self);
    return nullptr;
  }
  Ref factory(read_field(object_of(self), self->row_factory));
  if (factory.get() == Py_None) return row.release();
  return PyObject_CallFunctionObjArgs(factory.get(), object_of(self), row.get(), nullptr);
}

// ---- execution ----

bool begin_transaction(Connection* self) { return execute_simple(self, (std::string("BEGIN ") + self->isolation_level).c_str()); }

// Binds, runs to the first row or the end.
bool run_once(Cursor* self, PyObject* parameters, bool many, int* code) {
  Connection* connection = self->connection;
  sqlite3_stmt* st = self->statement->st;
  if (!bind(connection, st, parameters) || !check_connection(connection)) return false;
  *code = st != nullptr ? step(st) : SQLITE_DONE;
  if (!check_connection(connection)) return false;
  if (*code != SQLITE_DONE && *code != SQLITE_ROW) return raise_error(connection->db);
  if (!find_converters(self)) return false;
  if (self->description == nullptr && sqlite3_column_count(st) > 0) {
    Ref description = description_of(self);
    if (!description) return false;
    write_field(object_of(self), self->description, description.get());
  }
  if (*code == SQLITE_DONE && self->statement->is_dml) self->rowcount += sqlite3_changes(connection->db);
  if (many) {
    reset(self->statement);
    return true;
  }
  if (st == nullptr) return true;
  Ref last(PyLong_FromLongLong(sqlite3_last_insert_rowid(connection->db)));
  if (!last) return false;
  write_field(object_of(self), self->lastrowid, last.get());
  return true;
}

bool run(Cursor* self, PyObject* sql, PyObject* parameters, bool many) {
  Connection* connection = self->connection;
  Ref all;
  if (many) {
    all = Ref(PyIter_Check(parameters) ? Py_NewRef(parameters) : PyObject_GetIter(parameters));
    if (!all) return false;
  }
  drop_statement(self);
  self->rowcount = -1;
  write_field(object_of(self), self->description, nullptr);
  Ref statement = prepared(connection, sql);
  if (!statement || !check_connection(connection)) return false;
  self->statement = statement_of(statement.release());
  if (many && self->statement->st != nullptr && sqlite3_stmt_readonly(self->statement->st)) {
    PyErr_SetString(errors.programming, "executemany() can only execute DML statements.");
    return false;
  }
  self->rowcount = self->statement->is_dml ? 0 : -1;
  if (connection->autocommit == kLegacy && connection->isolation_level != nullptr && self->statement->is_dml &&
      sqlite3_get_autocommit(connection->db) && !begin_transaction(connection))
    return false;
  int code = SQLITE_DONE;
  if (!many) {
    if (!run_once(self, parameters, false, &code)) return false;
    if (code != SQLITE_ROW) drop_statement(self);
    return true;
  }
  for (;;) {
    Ref next(PyIter_Next(all.get()));
    if (!next) break;
    if (!check_connection(connection) || !run_once(self, next.get(), true, &code)) return false;
  }
  if (PyErr_Occurred()) return false;
  drop_statement(self);
  return true;
}

PyObject* execute(PyObject* op, PyObject* sql, PyObject* parameters, bool many) {
  Cursor* self = cursor_of(op);
  UseCursor use(self);
  if (!use.ok()) return nullptr;
  bool done;
  {
    Locked lock(self);
    done = run(self, sql, parameters, many);
    if (!done) {
      PyObject* raised = PyErr_GetRaisedException();
      drop_statement(self);
      self->rowcount = -1;
      PyErr_SetRaisedException(raised);
    }
  }
  return done ? Py_NewRef(op) : nullptr;
}

bool is_text(PyObject* value, const char* function) {
  if (PyUnicode_Check(value)) return true;
  PyErr_Format(PyExc_TypeError, "%s() argument 1 must be str, not %s", function, value == Py_None ? "None" : Py_TYPE(value)->tp_name);
  return false;
}

PyObject* cursor_execute(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  if (!ext::check_positional("execute", nargs, 1, 2) || !is_text(args[0], "execute")) return nullptr;
  Ref none(PyTuple_New(0));
  return none ? execute(op, args[0], nargs > 1 ? args[1] : none.get(), false) : nullptr;
}
PyObject* cursor_executemany(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  if (!ext::check_positional("executemany", nargs, 2, 2) || !is_text(args[0], "executemany")) return nullptr;
  return execute(op, args[0], args[1], true);
}

PyObject* cursor_executescript(PyObject* op, PyObject* script) {
  const char* sql = text_argument(script, "executescript() argument");
  if (sql == nullptr) return nullptr;
  Cursor* self = cursor_of(op);
  UseCursor use(self);
  if (!use.ok()) return nullptr;
  Connection* connection = self->connection;
  sqlite3* db = connection->db;
  if (std::strlen(sql) > static_cast<size_t>(sqlite3_limit(db, SQLITE_LIMIT_SQL_LENGTH, -1))) {
    PyErr_SetString(errors.data, "query string is too large");
    return nullptr;
  }
  if (connection->autocommit == kLegacy && !sqlite3_get_autocommit(db) && !execute_simple(connection, "COMMIT")) return nullptr;
  while (*sql != '\0') {
    int code;
    {
      ext::Away away;
      sqlite3_stmt* st;
      code = sqlite3_prepare_v2(db, sql, -1, &st, &sql);
      if (code == SQLITE_OK) {
        do code = sqlite3_step(st);
        while (code == SQLITE_ROW);
        code = sqlite3_finalize(st);
      }
    }
    if (!check_connection(connection)) return nullptr;
    if (code != SQLITE_OK) {
      raise_error(db);
      return nullptr;
    }
  }
  return Py_NewRef(op);
}

PyObject* cursor_next(PyObject* op) {
  UseCursor use(cursor_of(op));
  return use.ok() ? next_row(cursor_of(op)) : nullptr;
}
PyObject* fetchone(PyObject* op, PyObject*) {
  PyObject* row = cursor_next(op);
  return row != nullptr || PyErr_Occurred() ? row : Py_NewRef(Py_None);
}
PyObject* fetch(PyObject* op, size_t count) {
  Ref rows(PyList_New(0));
  for (size_t i = 0; rows && i < count; i++) {
    Ref row(cursor_next(op));
    if (!row) break;
    if (PyList_Append(rows.get(), row.get()) < 0) return nullptr;
  }
  return PyErr_Occurred() ? nullptr : rows.release();
}
PyObject* fetchall(PyObject* op, PyObject*) { return fetch(op, SIZE_MAX); }

bool to_count(PyObject* value, unsigned* count) {
  unsigned long long number;
  if (!ext::to_unsigned(value, &number)) return false;
  if (number > UINT_MAX) {
    PyErr_SetString(PyExc_OverflowError, "Python int too large to convert to C uint32_t");
    return false;
  }
  *count = static_cast<unsigned>(number);
  return true;
}
PyObject* fetchmany(PyObject* op, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"size", nullptr};
  PyObject* size = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:fetchmany", const_cast<char**>(keywords), &size)) return nullptr;
  unsigned count = cursor_of(op)->arraysize;
  return size == nullptr || to_count(size, &count) ? fetch(op, count) : nullptr;
}

PyObject* cursor_close(PyObject* op, PyObject*) {
  Cursor* self = cursor_of(op);
  for (;;) {
    Ref own = own_connection(self);
    if (!own) {
      PyErr_SetString(errors.programming, "Base Cursor.__init__ not called.");
      return nullptr;
    }
    Use use(connection_of(own.get()));
    if (!use.ok()) return nullptr;
    if (__atomic_load_n(&self->connection, __ATOMIC_ACQUIRE) != connection_of(own.get())) continue;  // it got another one meanwhile
    if (self->locked) {
      PyErr_SetString(errors.programming, "Recursive use of cursors not allowed.");
      return nullptr;
    }
    drop_statement(self);
    self->closed = true;
    Py_RETURN_NONE;
  }
}

PyObject* nothing(PyObject*, PyObject*) { Py_RETURN_NONE; }
PyObject* nothing_of_two(PyObject*, PyObject* const*, Py_ssize_t nargs) {
  if (!ext::check_positional("setoutputsize", nargs, 1, 2)) return nullptr;
  Py_RETURN_NONE;
}

// ---- the type ----

// Makes it the connection's, under the mutex of the one that it had: who waits for that to use it finds this one afterwards.
// False: an exception, or none and another thread has given it another one meanwhile.
bool begin(Cursor* self, PyObject* connection) {
  Ref before = own_connection(self), old;
  Connection* used = connection_of(before.get());
  if (used != nullptr) used->mutex.lock();
  bool done = __atomic_load_n(&self->connection, __ATOMIC_ACQUIRE) == used;
  if (done && self->locked) {
    PyErr_SetString(errors.programming, "Recursive use of cursors not allowed.");
    done = false;
  }
  if (done) {
    drop_statement(self);
    Py_CLEAR(self->casts);
    write_field(object_of(self), self->description, nullptr);
    write_field(object_of(self), self->lastrowid, Py_None);
    write_field(object_of(self), self->row_factory, Py_None);
    self->arraysize = 1;
    self->closed = false;
    self->rowcount = -1;
    Py_BEGIN_CRITICAL_SECTION(self);
    done = self->connection == used;  // the first one is given under no mutex
    if (done) old = Ref(object_of(__atomic_exchange_n(&self->connection, connection_of(Py_NewRef(connection)), __ATOMIC_ACQ_REL)));
    Py_END_CRITICAL_SECTION();
    if (done) self->initialized = true;
  }
  if (used != nullptr) leave(used);
  return done;
}

int cursor_init(PyObject* op, PyObject* args, PyObject*) {
  PyObject* connection;
  if (!PyArg_UnpackTuple(args, "Cursor", 1, 1, &connection)) return -1;
  if (!PyObject_TypeCheck(connection, types.connection)) {
    PyErr_Format(PyExc_TypeError, "Cursor() argument 1 must be sqlite3.Connection, not %s", Py_TYPE(connection)->tp_name);
    return -1;
  }
  if (Use use(connection_of(connection)); !use.ok()) return -1;
  while (!begin(cursor_of(op), connection)) {
    if (PyErr_Occurred()) return -1;
  }
  return 0;
}

int cursor_traverse(PyObject* op, visitproc visit, void* arg) {
  Cursor* self = cursor_of(op);
  Py_VISIT(Py_TYPE(op));
  Py_VISIT(object_of(self->connection));
  for (PyObject* held : {self->description, self->lastrowid, self->row_factory, self->casts}) Py_VISIT(held);
  Py_VISIT(object_of(self->statement));
  return 0;
}
int cursor_clear(PyObject* op) {
  Cursor* self = cursor_of(op);
  if (self->statement != nullptr) drop_statement(self);
  Ref connection(object_of(std::exchange(self->connection, nullptr)));
  self->initialized = false;
  Py_CLEAR(self->description);
  Py_CLEAR(self->lastrowid);
  Py_CLEAR(self->row_factory);
  Py_CLEAR(self->casts);
  return 0;
}
void cursor_dealloc(PyObject* op) {
  PyObject_GC_UnTrack(op);
  PyTypeObject* type = Py_TYPE(op);
  PyObject* raised = PyErr_GetRaisedException();
  PyObject_ClearWeakRefs(op);
  cursor_clear(op);
  PyErr_SetRaisedException(raised);
  type->tp_free(op);
  Py_DECREF(type);
}

template <PyObject* Cursor::* field>
PyObject* get_object(PyObject* op, void*) {
  return read_field(op, cursor_of(op)->*field);
}
PyObject* get_connection(PyObject* op, void*) {
  Ref connection = own_connection(cursor_of(op));
  if (!connection) PyErr_SetString(PyExc_AttributeError, "connection");
  return connection.release();
}
PyObject* get_rowcount(PyObject* op, void*) { return PyLong_FromLongLong(cursor_of(op)->rowcount); }
int set_row_factory(PyObject* op, PyObject* value, void*) {
  if (value == nullptr) {
    PyErr_SetString(PyExc_AttributeError, "cannot delete row_factory attribute");
    return -1;
  }
  write_field(op, cursor_of(op)->row_factory, value);
  return 0;
}
PyObject* get_arraysize(PyObject* op, void*) { return PyLong_FromUnsignedLong(cursor_of(op)->arraysize); }
int set_arraysize(PyObject* op, PyObject* value, void*) {
  if (value == nullptr) {
    PyErr_Format(PyExc_AttributeError, "attribute 'arraysize' of '%.100s' objects cannot be deleted", Py_TYPE(op)->tp_name);
    return -1;
  }
  unsigned count;
  if (!to_count(value, &count)) return -1;
  cursor_of(op)->arraysize = count;
  return 0;
}
// What is read only says so in CPython's words.
int read_only(PyObject*, PyObject*, void*) {
  PyErr_SetString(PyExc_AttributeError, "readonly attribute");
  return -1;
}

PyMemberDef cursor_members[] = {{"__weaklistoffset__", Py_T_PYSSIZET, offsetof(Cursor, weakrefs), Py_READONLY, nullptr}, {}};
PyGetSetDef cursor_getset[] = {{"connection", get_connection, read_only, nullptr, nullptr},
                               {"description", get_object<&Cursor::description>, read_only, nullptr, nullptr},
                               {"lastrowid", get_object<&Cursor::lastrowid>, read_only, nullptr, nullptr},
                               {"rowcount", get_rowcount, read_only, nullptr, nullptr},
                               {"row_factory", get_object<&Cursor::row_factory>, set_row_factory, nullptr, nullptr},
                               {"arraysize", get_arraysize, set_arraysize, nullptr, nullptr},
                               {}};
PyMethodDef cursor_methods[] = {
    {"execute", ext::method(cursor_execute), METH_FASTCALL, "execute($self, sql, parameters=(), /)\n--\n\nExecutes an SQL statement."},
    {"executemany", ext::method(cursor_executemany), METH_FASTCALL,
     "executemany($self, sql, seq_of_parameters, /)\n--\n\nRepeatedly executes an SQL statement."},
    {"executescript", cursor_executescript, METH_O,
     "executescript($self, sql_script, /)\n--\n\nExecutes multiple SQL statements at once."},
    {"fetchone", fetchone, METH_NOARGS, "fetchone($self, /)\n--\n\nFetches one row from the resultset."},
    {"fetchmany", ext::method(fetchmany), METH_VARARGS | METH_KEYWORDS,
     "fetchmany($self, /, size=1)\n--\n\nFetches several rows from the resultset.\n\n  size\n"
     "    The default value is set by the Cursor.arraysize attribute."},
    {"fetchall", fetchall, METH_NOARGS, "fetchall($self, /)\n--\n\nFetches all rows from the resultset."},
    {"close", cursor_close, METH_NOARGS, "close($self, /)\n--\n\nCloses the cursor."},
    {"setinputsizes", nothing, METH_O, "setinputsizes($self, sizes, /)\n--\n\nRequired by DB-API. Does nothing in sqlite3."},
    {"setoutputsize", ext::method(nothing_of_two), METH_FASTCALL,
     "setoutputsize($self, size, column=None, /)\n--\n\nRequired by DB-API. Does nothing in sqlite3."},
    {nullptr, nullptr, 0, nullptr}};
PyType_Slot cursor_slots[] = {{Py_tp_doc, const_cast<char*>("SQLite database cursor class.")},
                              {Py_tp_init, slot(cursor_init)},
                              {Py_tp_dealloc, slot(cursor_dealloc)},
                              {Py_tp_traverse, slot(cursor_traverse)},
                              {Py_tp_clear, slot(cursor_clear)},
                              {Py_tp_iter, slot(PyObject_SelfIter)},
                              {Py_tp_iternext, slot(cursor_next)},
                              {Py_tp_methods, cursor_methods},
                              {Py_tp_members, cursor_members},
                              {Py_tp_getset, cursor_getset},
                              {0, nullptr}};
PyType_Spec cursor_spec = {"sqlite3.Cursor", sizeof(Cursor), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE, cursor_slots};

}  // namespace

int step(sqlite3_stmt* st) {
  ext::Away away;
  return sqlite3_step(st);
}

int reset(Statement* statement) {
  if (statement->st == nullptr) return SQLITE_OK;
  if (!sqlite3_stmt_busy(statement->st)) return sqlite3_reset(statement->st);  // all is done already
  ext::Away away;
  return sqlite3_reset(statement->st);
}

Ref new_statement(Connection* self, PyObject* sql) {
  Py_ssize_t size;
  const char* text = PyUnicode_AsUTF8AndSize(sql, &size);
  if (text == nullptr) return Ref();
  if (size > sqlite3_limit(self->db, SQLITE_LIMIT_SQL_LENGTH, -1)) {
    PyErr_SetString(errors.data, "query string is too large");
    return Ref();
  }
  if (std::strlen(text) != static_cast<size_t>(size)) {
    PyErr_SetString(errors.programming, "the query contains a null character");
    return Ref();
  }
  sqlite3_stmt* st = nullptr;
  const char* rest;
  int code;
  {
    ext::Away away;
    code = sqlite3_prepare_v2(self->db, text, static_cast<int>(size) + 1, &st, &rest);
  }
  if (code != SQLITE_OK) {
    raise_error(self->db);
    return Ref();
  }
  if (skip_comments(rest) != nullptr) {
    sqlite3_finalize(st);
    PyErr_SetString(errors.programming, "You can only execute one statement at a time.");
    return Ref();
  }
  PyObject* result = types.statement->tp_alloc(types.statement, 0);
  if (result == nullptr) {
    sqlite3_finalize(st);
    return Ref();
  }
  const char* start = skip_comments(text);
  statement_of(result)->st = st;
  statement_of(result)->is_dml = start != nullptr && changes_data(start);
  return Ref(result);
}

Ref prepared(Connection* self, PyObject* sql) {
  PyObject* cached = nullptr;
  // In a cache with much room the order says nothing yet.
  const bool ordered = self->statements != nullptr && PyDict_GET_SIZE(self->statements) * 2 >= self->cache_size;
  if (self->statements != nullptr &&
      (ordered ? PyDict_Pop(self->statements, sql, &cached) : PyDict_GetItemRef(self->statements, sql, &cached)) < 0)
    return Ref();
  Ref statement(cached);
  const bool found = static_cast<bool>(statement);
  if (!found) statement = new_statement(self, sql);
  if (!statement || self->statements == nullptr || self->cache_size == 0) return statement;
  // Used last: it goes to the end. The first one makes room.
  if ((ordered || !found) && PyDict_SetItem(self->statements, sql, statement.get()) < 0) return Ref();
  if (self->cache_size > 0 && PyDict_GET_SIZE(self->statements) > self->cache_size) {
    PyObject *key = nullptr, *value;
    Py_ssize_t position = 0;
    Ref oldest;
    Py_BEGIN_CRITICAL_SECTION(self->statements);
    if (PyDict_Next(self->statements, &position, &key, &value)) oldest = Ref(Py_NewRef(key));
    Py_END_CRITICAL_SECTION();
    if (oldest && PyDict_DelItem(self->statements, oldest.get()) < 0) return Ref();
  }
  sqlite3_stmt* st = statement_of(statement.get())->st;
  return st != nullptr && sqlite3_stmt_busy(st) ? new_statement(self, sql) : std::move(statement);
}

bool make_cursor_types(PyObject* module) {
  if (types.statement == nullptr) {
    types.statement = make_type(module, &statement_spec, false);
    types.cursor = types.statement != nullptr ? make_type(module, &cursor_spec, false) : nullptr;
  }
  return types.cursor != nullptr && PyModule_AddType(module, types.cursor) == 0;
}

}  // namespace sqlite
