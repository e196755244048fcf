// What the parts of the module _sqlite3 share: the layouts of its types, errors, and how a connection is used.
//
// A connection is used by one thread at a time, under its mutex, which the same thread may take again: SQL calls Python
// functions that may use the connection. The mutex is held while SQLite works and other threads run Python. Attributes that
// are objects are read and written under the critical section of the object that has them, without the mutex: to look at a
// cursor does not wait for a query.
#pragma once

#include "support.h"

#include <sqlite3.h>

#include <atomic>

namespace sqlite {

using ext::Ref;

struct Errors {
  PyObject *warning, *error, *interface, *database, *internal, *operational, *programming, *integrity, *data, *not_supported;
};
extern Errors errors;

struct Types {
  PyTypeObject *connection, *cursor, *row, *blob, *statement, *protocol;
  PyObject *adapters, *converters;  // dicts
};
extern Types types;
extern std::atomic<bool> base_type_adapted, callback_tracebacks;

constexpr int kLegacy = -1, kManual = 0, kAutomatic = 1;  // values of autocommit
constexpr int kParseDecltypes = 1, kParseColnames = 2;

class RecursiveMutex {
 public:
  void lock() {
    const unsigned long self = PyThread_get_thread_ident();
    if (owner_.load(std::memory_order_relaxed) != self) {
      PyMutex_Lock(&mutex_);
      owner_.store(self, std::memory_order_relaxed);
    }
    depth_++;
  }
  void unlock() {
    if (--depth_ != 0) return;
    owner_.store(0, std::memory_order_relaxed);
    PyMutex_Unlock(&mutex_);
  }
  // For who holds it: how often.
  int depth() const { return depth_; }

 private:
  PyMutex mutex_;
  std::atomic<unsigned long> owner_;
  int depth_;
};

// A Python object that SQLite calls; SQLite owns those of functions and collations. One that replaces itself lives until it
// returns.
struct Callback {
  PyObject* callable;
  std::atomic<int> owners;
};

struct Connection {
  PyObject_HEAD
  sqlite3* db;      // null: closed
  sqlite3* doomed;  // closed by what SQL has called: it goes when its outermost use ends
  RecursiveMutex mutex;
  PyMutex closing;  // around taking `db` away, and the one use of it without the mutex: interrupt()
  std::atomic<bool> initialized;  // asked without the mutex, too
  std::atomic<bool> check_thread;  // both are read by threads that the connection may refuse
  std::atomic<unsigned long> thread;
  int detect_types, autocommit;
  const char* isolation_level;  // one of four words; null: no transactions are begun
  PyObject* statements;         // prepared ones by their text, the least used first
  Py_ssize_t cache_size;
  PyObject* blobs;  // weak references to the open ones
  PyObject *row_factory, *text_factory;
  Callback *trace, *progress, *authorizer;
};

struct Statement {
  PyObject_HEAD
  sqlite3_stmt* st;  // null: there is nothing but comments
  bool is_dml;
};

struct Cursor {
  PyObject_HEAD
  Connection* connection;
  PyObject *description, *lastrowid, *row_factory;
  PyObject* casts;  // converters of the columns, or null
  Statement* statement;
  std::atomic<unsigned> arraysize;
  std::atomic<long long> rowcount;
  std::atomic<bool> initialized, closed, locked;
  PyObject* weakrefs;
};

inline Connection* connection_of(PyObject* op) { return reinterpret_cast<Connection*>(op); }
inline Cursor* cursor_of(PyObject* op) { return reinterpret_cast<Cursor*>(op); }
inline Statement* statement_of(PyObject* op) { return reinterpret_cast<Statement*>(op); }
template <class T>
PyObject* object_of(T* p) {
  return reinterpret_cast<PyObject*>(p);
}

// Raises what the last call on this connection has met; false.
bool raise_error(sqlite3* db);

bool check_thread(Connection* self);
// Whether it is initialized and open; raises.
bool check_connection(Connection* self);

// Ends a use: unlocks the mutex.
void leave(Connection* self);

// RAII: this thread uses the connection, if it may (see ok()).
class Use {
 public:
  explicit Use(Connection* connection) : connection_(connection) {
    if (!connection->initialized) {
      PyErr_SetString(errors.programming, "Base Connection.__init__ not called.");
    } else if (check_thread(connection)) {
      connection->mutex.lock();
      held_ = true;
      ok_ = check_connection(connection);
    }
  }
  ~Use() {
    if (held_) leave(connection_);
  }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;
  bool ok() const { return ok_; }

 private:
  Connection* connection_;
  bool held_ = false, ok_ = false;
};

// An attribute that is an object.
inline PyObject* read_field([[maybe_unused]] PyObject* self, PyObject* const& field) {
  PyObject* result;
  Py_BEGIN_CRITICAL_SECTION(self);
  result = Py_NewRef(field != nullptr ? field : Py_None);
  Py_END_CRITICAL_SECTION();
  return result;
}
inline void write_field([[maybe_unused]] PyObject* self, PyObject*& field, PyObject* value) {
  Ref old;
  Py_BEGIN_CRITICAL_SECTION(self);
  old = Ref(std::exchange(field, Py_XNewRef(value)));
  Py_END_CRITICAL_SECTION();
}

// The text as UTF-8 without zeros in it; null with an exception.
const char* text_argument(PyObject* value, const char* where);

// Runs one statement without results, as "COMMIT".
bool execute_simple(Connection* self, const char* sql);
bool commit(Connection* self);
bool rollback(Connection* self);
// A prepared statement, from the connection's cache; a new one if that is in use.
Ref prepared(Connection* self, PyObject* sql);
Ref new_statement(Connection* self, PyObject* sql);
int step(sqlite3_stmt* st);
int reset(Statement* statement);
void remember_blob(Connection* self, PyObject* blob);

PyObject* adapt(PyObject* object, PyObject* protocol, PyObject* alternative);

// Functions, aggregates, collations and handlers.
extern PyMethodDef callback_methods[];
void free_callback(Callback* callback);
bool make_connection_type(PyObject* module, PyMethodDef* more);
bool make_cursor_types(PyObject* module);
bool make_row_types(PyObject* module);
bool make_blob_type(PyObject* module);
PyObject* open_blob(PyObject* self, PyObject* args, PyObject* kwargs);
void close_blob(PyObject* blob);

template <class F>
void* slot(F f) {
  return reinterpret_cast<void*>(f);
}

// One of our types, which the module shows; null with an exception.
inline PyTypeObject* make_type(PyObject* module, PyType_Spec* spec, bool shown = true) {
  auto* type = reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, spec, nullptr));
  return type == nullptr || (shown && PyModule_AddType(module, type) < 0) ? nullptr : type;
}

}  // namespace sqlite
