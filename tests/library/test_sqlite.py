"""_sqlite3 and the package over it: extensions/sqlite_*.cpp."""
import gc
import os
import shutil
import sys
import tempfile
import threading
import time
import unittest
import warnings
import weakref
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "threads"))
from together import together

try:
    import sqlite3
except ImportError:
    raise unittest.SkipTest("built without SQLite")


class SqliteTest(unittest.TestCase):
    def open(self, *args, **kwargs):
        connection = sqlite3.connect(*args or (":memory:",), **kwargs)
        self.addCleanup(connection.close)
        return connection

    def file(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        return os.path.join(folder, "data.db")

    def table(self, rows=3, **kwargs):
        connection = self.open(**kwargs)
        connection.execute("create table t(a integer primary key, b text, c blob)")
        connection.executemany("insert into t(b, c) values(?, ?)", [(f"b{i}", b"c%d" % i) for i in range(rows)])
        connection.commit()
        return connection


class Statements(SqliteTest):
    def test_values_of_all_types_come_back(self):
        values = [None, 0, -2**63, 2**63 - 1, 1.5, "text \u20ac\U0001f40d", "", b"bytes\0", b"", True]
        connection = self.open()
        for value in values:
            self.assertEqual(connection.execute("select ?", [value]).fetchone(), (value,))
        self.assertEqual(connection.execute("select ?", (bytearray(b"x"),)).fetchone(), (b"x",))
        self.assertEqual(connection.execute("select :a + :b", {"a": 1, "b": 2}).fetchone(), (3,))

    def test_wrong_parameters_are_refused(self):
        connection = self.open()
        for sql, parameters, error, message in (
                ("select ?", (1, 2), sqlite3.ProgrammingError, "uses 1, and there are 2 supplied"),
                ("select :a", (1,), sqlite3.ProgrammingError, "Binding 1 \\(':a'\\) is a named parameter"),
                ("select :a", {}, sqlite3.ProgrammingError, "did not supply a value for binding parameter :a"),
                ("select ?", {"a": 1}, sqlite3.ProgrammingError, "Binding 1 has no name"),
                ("select ?", 1, sqlite3.ProgrammingError, "parameters are of unsupported type"),
                ("select ?", (object(),), sqlite3.ProgrammingError, "type 'object' is not supported"),
                ("select ?", (2**63,), OverflowError, "too large to convert to SQLite INTEGER"),
                ("select 1; select 2", (), sqlite3.ProgrammingError, "one statement at a time"),
                ("a\0", (), sqlite3.ProgrammingError, "null character"),
                (1, (), TypeError, "must be str, not int")):
            self.assertRaisesRegex(error, message, connection.execute, sql, parameters)

    def test_rows_are_fetched_one_many_and_all(self):
        cursor = self.table(10).execute("select a from t")
        self.assertEqual((cursor.fetchone(), cursor.fetchmany(), cursor.fetchmany(3)), ((1,), [(2,)], [(3,), (4,), (5,)]))
        self.assertEqual(next(cursor), (6,))
        self.assertEqual((len(cursor.fetchall()), cursor.fetchone(), cursor.fetchall()), (4, None, []))
        self.assertEqual(cursor.description, (("a",) + (None,) * 6,))

    def test_counts_and_the_last_row_are_told(self):
        connection = self.table()
        cursor = connection.cursor()
        self.assertEqual((cursor.rowcount, cursor.lastrowid, cursor.description), (-1, None, None))
        self.assertEqual(cursor.execute("update t set b = 'x' where a < 3").rowcount, 2)
        self.assertEqual(cursor.execute("insert into t(b) values('y')").lastrowid, 4)
        cursor.executemany("delete from t where a = ?", [(1,), (2,), (77,)])
        self.assertEqual((cursor.rowcount, connection.total_changes), (2, 8))
        self.assertEqual(cursor.execute("insert into t(b) values('z'), ('w') returning a").fetchall(), [(5,), (6,)])
        self.assertEqual(cursor.rowcount, 2)

    def test_errors_have_codes_and_classes(self):
        connection = self.table()
        for sql, error, name in (("selec", sqlite3.OperationalError, "SQLITE_ERROR"),
                                 ("insert into t(a) values(1)", sqlite3.IntegrityError, "SQLITE_CONSTRAINT_PRIMARYKEY"),
                                 ("insert into t(a) values('x')", sqlite3.IntegrityError, "SQLITE_MISMATCH")):
            with self.assertRaises(error) as caught:
                connection.execute(sql)
            self.assertEqual(caught.exception.sqlite_errorname, name)
            self.assertEqual(caught.exception.sqlite_errorcode, getattr(sqlite3, name))
        with self.assertRaisesRegex(sqlite3.OperationalError, "Could not decode to UTF-8 column 'x' with text"):
            connection.execute("select cast(x'ff' as text) as x").fetchall()
        self.assertIs(connection.Error, sqlite3.Error)

    def test_only_statements_that_change_data_are_executed_many_times(self):
        connection = self.table()
        self.assertRaisesRegex(sqlite3.ProgrammingError, "only execute DML", connection.executemany, "select 1", [()])
        connection.executescript("create table u(a); insert into u values(1); -- end\ninsert into u values(2);")
        self.assertEqual(connection.execute("select count(*) from u").fetchone(), (2,))

    def test_the_cache_keeps_statements_and_gives_a_busy_one_once(self):
        connection = self.table(cached_statements=2)
        first, second = connection.execute("select a from t"), connection.execute("select a from t")
        self.assertEqual((next(first), next(second), next(first)), ((1,), (1,), (2,)))
        for i in range(10):
            self.assertEqual(connection.execute(f"select {i}").fetchone(), (i,))
        self.assertEqual(first.fetchall(), [(3,)])

    def test_a_cursor_is_not_used_while_it_is_used(self):
        connection = self.table()
        cursor = connection.cursor()

        class Recursive:
            def __conform__(self, protocol):
                return cursor.execute("select 1")

        self.assertRaisesRegex(sqlite3.ProgrammingError, "Recursive use of cursors", cursor.execute, "select ?", (Recursive(),))
        connection.create_function("again", 0, lambda: len(cursor.fetchall()))
        sqlite3.enable_callback_tracebacks(False)
        self.assertRaisesRegex(sqlite3.OperationalError, "user-defined function raised", cursor.execute,
                               "select again() from t")
        connection.create_function("other", 0, lambda: connection.execute("select count(*) from t").fetchone()[0])
        self.assertEqual(cursor.execute("select other() from t").fetchall(), [(3,)] * 3)

    def test_converters_adapters_and_factories(self):
        class Point:
            def __init__(self, x, y):
                self.x, self.y = x, y

            def __conform__(self, protocol):
                return f"{self.x};{self.y}" if protocol is sqlite3.PrepareProtocol else None

        sqlite3.register_converter("point", lambda text: Point(*map(int, text.split(b";"))))
        connection = self.open(detect_types=sqlite3.PARSE_DECLTYPES | sqlite3.PARSE_COLNAMES)
        connection.execute("create table p(p point)")
        connection.execute("insert into p values(?)", (Point(3, 4),))
        self.assertEqual(connection.execute("select p from p").fetchone()[0].y, 4)
        cursor = connection.execute("select '5;6' as \"q [point]\"")
        self.assertEqual((cursor.fetchone()[0].x, cursor.description[0][0]), (5, "q"))
        connection.row_factory = lambda cursor, row: {column[0]: value for column, value in zip(cursor.description, row)}
        connection.text_factory = bytes
        self.assertEqual(connection.execute("select 'x' as name").fetchone(), {"name": b"x"})

    def test_rows_have_names(self):
        connection = self.table()
        connection.row_factory = sqlite3.Row
        row = connection.execute("select a, b as Name from t").fetchone()
        self.assertEqual((row["NAME"], row[0], row[-1], tuple(row), len(row), row.keys(), row[:1]),
                         ("b0", 1, "b0", (1, "b0"), 2, ["a", "Name"], (1,)))
        self.assertRaisesRegex(IndexError, "No item with key 'c'", lambda: row["c"])
        again = connection.execute("select a, b as Name from t").fetchone()
        self.assertEqual((row == again, hash(row) == hash(again), row != again), (True, True, False))


class Connections(SqliteTest):
    def test_transactions_begin_with_changes_and_end_with_the_block(self):
        connection = self.table()
        self.assertFalse(connection.in_transaction)
        with connection:
            connection.execute("delete from t")
            self.assertTrue(connection.in_transaction)
        with self.assertRaises(LookupError), connection:
            connection.execute("insert into t(b) values(1)")
            raise LookupError
        self.assertEqual(connection.execute("select count(*) from t").fetchone(), (0,))
        connection.isolation_level = None
        connection.execute("insert into t(b) values(1)")
        self.assertFalse(connection.in_transaction)

    def test_autocommit_is_on_off_or_as_it_was(self):
        path = self.file()
        connection = self.open(path, autocommit=False)
        self.assertTrue(connection.in_transaction)
        connection.execute("create table t(a)")
        connection.commit()
        connection.execute("insert into t values(1)")
        connection.close()
        other = self.open(path, autocommit=True)
        self.assertEqual(other.execute("select count(*) from t").fetchone(), (0,))
        other.execute("insert into t values(1)")
        self.assertEqual((other.in_transaction, other.autocommit), (False, True))
        other.autocommit = sqlite3.LEGACY_TRANSACTION_CONTROL
        self.assertEqual(other.autocommit, -1)
        with self.assertRaises(ValueError):
            other.autocommit = 5

    def test_what_is_closed_or_was_never_open_is_refused(self):
        connection = self.table()
        cursor = connection.execute("select a from t")
        blob = connection.blobopen("t", "c", 1)
        connection.close()
        connection.close()
        for use in (cursor.fetchone, connection.commit, connection.cursor, blob.read, lambda: connection.in_transaction,
                    lambda: connection.execute("select 1"), connection.interrupt):
            self.assertRaisesRegex(sqlite3.ProgrammingError, "closed database", use)
        cursor = self.table().cursor()
        cursor.close()
        self.assertRaisesRegex(sqlite3.ProgrammingError, "closed cursor", cursor.execute, "select 1")
        empty = sqlite3.Connection.__new__(sqlite3.Connection)
        self.assertRaisesRegex(sqlite3.ProgrammingError, "Base Connection.__init__ not called", empty.execute, "select 1")
        empty = sqlite3.Cursor.__new__(sqlite3.Cursor)
        self.assertRaisesRegex(sqlite3.ProgrammingError, "Base Cursor.__init__ not called", empty.fetchone)

    def test_code_that_sql_calls_may_close_the_connection(self):
        sqlite3.enable_callback_tracebacks(False)

        def closing(connection):
            def close(*args):
                connection.close()
                return 1
            return close

        connection = self.table()
        connection.create_function("close", 0, closing(connection))
        with self.assertRaisesRegex(sqlite3.ProgrammingError, "closed database"):
            connection.execute("update t set b = close()")
        connection = self.table()
        connection.create_function("close", 0, closing(connection))
        with self.assertRaisesRegex(sqlite3.ProgrammingError, "closed database"):
            connection.executescript("select close(); select 1;")
        for handler in ("set_trace_callback", "set_authorizer"):
            connection = self.table()
            getattr(connection, handler)(closing(connection))
            with self.assertRaises(sqlite3.Error):
                connection.execute("insert into t(b) values(5)")
        connection = self.table()
        connection.text_factory = closing(connection)
        with self.assertRaisesRegex(sqlite3.ProgrammingError, "closed database"):
            connection.execute("select b, b from t").fetchall()

    def test_a_handler_may_replace_itself(self):
        connection = self.table()
        seen = []

        def first(sql):
            connection.set_trace_callback(None)
            gc.collect()
            seen.append(sql)

        connection.set_trace_callback(first)
        del first
        connection.execute("select 1")
        connection.execute("select 2")
        self.assertEqual(seen, ["select 1"])

    def test_an_open_connection_that_is_forgotten_warns(self):
        connection = sqlite3.connect(":memory:")
        reference = weakref.ref(connection.cursor())
        self.assertIsNone(reference())
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del connection
            gc.collect()
        self.assertEqual([w.category for w in caught], [ResourceWarning])

    def test_limits_settings_and_copies(self):
        connection = self.table()
        limit = connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, 100)
        self.assertEqual(connection.getlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH), 100)
        self.assertRaisesRegex(sqlite3.DataError, "query string is too large", connection.execute, "select " + "1" * 100)
        self.assertRaisesRegex(sqlite3.ProgrammingError, "'category' is out of bounds", connection.getlimit, 1111)
        connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, limit)
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_FKEY)
        self.assertIs(connection.getconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_FKEY), True)
        other = self.open()
        steps = []
        connection.backup(other, pages=1, progress=lambda *state: steps.append(state))
        self.assertEqual(other.execute("select count(*) from t").fetchone(), (3,))
        self.assertGreater(len(steps), 1)
        third = self.open()
        third.deserialize(connection.serialize())
        self.assertEqual(list(third.iterdump()), list(connection.iterdump()))
        self.assertIn("INSERT INTO \"t\" VALUES(1,'b0',X'6330');", list(connection.iterdump()))

    def test_blobs_are_files_and_sequences(self):
        connection = self.open()
        connection.execute("create table t(a)")
        connection.execute("insert into t values(zeroblob(10))")
        with connection.blobopen("t", "a", 1) as blob:
            blob.write(b"hello")
            blob[5] = ord("!")
            blob[6:10:2] = b"xy"
            blob.seek(-10, os.SEEK_END)
            self.assertEqual((blob.read(6), blob.tell(), blob.read(), len(blob)), (b"hello!", 6, b"x\0y\0", 10))
            self.assertEqual((blob[0], blob[-4], blob[0:5:2], blob[8:3]), (ord("h"), ord("x"), b"hlo", b""))
            for bad, error in ((lambda: blob[10], IndexError), (lambda: blob.seek(11), ValueError), (lambda: blob.write(b"x"), ValueError),
                               (lambda: blob.__setitem__(0, 256), ValueError), (lambda: blob.__delitem__(0), TypeError),
                               (lambda: blob.__setitem__(slice(0, 2), b"x"), IndexError), (lambda: blob[5:1:-1], ValueError)):
                self.assertRaises(error, bad)
        self.assertRaisesRegex(sqlite3.ProgrammingError, "closed blob", blob.read)


class Callbacks(SqliteTest):
    def setUp(self):
        sqlite3.enable_callback_tracebacks(False)

    def test_functions_aggregates_windows_and_collations(self):
        connection = self.table(4)
        connection.create_function("joined", -1, lambda *all: "-".join(map(str, all)), deterministic=True)
        self.assertEqual(connection.execute("select joined(1, 'x', 2.5, null)").fetchone(), ("1-x-2.5-None",))

        class Sum:
            def __init__(self):
                self.total = 0

            def step(self, value):
                self.total += value

            def inverse(self, value):
                self.total -= value

            def value(self):
                return self.total

            finalize = value

        connection.create_aggregate("total_of", 1, Sum)
        self.assertEqual(connection.execute("select total_of(a) from t").fetchone(), (10,))
        self.assertEqual(connection.execute("select total_of(a) from t where 0").fetchone(), (None,))
        connection.create_window_function("moving", 1, Sum)
        rows = connection.execute("select moving(a) over (order by a rows between 1 preceding and current row) from t").fetchall()
        self.assertEqual(rows, [(1,), (3,), (5,), (7,)])
        connection.create_collation("backwards", lambda a, b: (a < b) - (a > b))
        self.assertEqual(connection.execute("select b from t order by b collate backwards").fetchone(), ("b3",))
        connection.create_function("joined", -1, None)
        self.assertRaises(sqlite3.OperationalError, connection.execute, "select joined(1)")

    def test_exceptions_in_callbacks_become_errors_of_sql(self):
        connection = self.table()

        class Bad:
            def step(self, value):
                1 / 0

        connection.create_function("bad", 0, lambda: 1 / 0)
        connection.create_function("large", 0, lambda: 2**70)
        connection.create_function("strange", 0, object)
        connection.create_aggregate("bad_sum", 1, Bad)
        for sql, error, message in (("select bad()", sqlite3.OperationalError, "user-defined function raised exception"),
                                    ("select large()", sqlite3.DataError, "string or blob too big"),
                                    ("select strange()", sqlite3.OperationalError, "user-defined function raised exception"),
                                    ("select bad_sum(a) from t", sqlite3.OperationalError, "'step' method raised error")):
            self.assertRaisesRegex(error, message, connection.execute, sql)
        connection.create_collation("bad", lambda a, b: 1 / 0)
        self.assertEqual(len(connection.execute("select b from t order by b collate bad").fetchall()), 3)

    def test_an_authorizer_refuses_and_a_progress_handler_stops(self):
        connection = self.table()
        connection.set_authorizer(lambda action, *names: sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_DELETE else sqlite3.SQLITE_OK)
        with self.assertRaisesRegex(sqlite3.DatabaseError, "not authorized"):
            connection.execute("delete from t")
        connection.set_authorizer(None)
        endless = "with recursive r(n) as (select 1 union all select n + 1 from r) select count(*) from r"
        connection.set_progress_handler(lambda: True, 100)
        with self.assertRaisesRegex(sqlite3.OperationalError, "interrupted"):
            connection.execute(endless)
        connection.set_progress_handler(None, 0)
        seen = []
        connection.set_trace_callback(seen.append)
        connection.execute("select ?", ("x",))
        self.assertEqual(seen, ["select 'x'"])


class Threads(SqliteTest):
    def test_another_thread_is_refused_unless_it_is_allowed(self):
        connection = self.table()
        cursor = connection.cursor()
        refused = []

        def work(number):
            for use in (connection.commit, connection.cursor, cursor.fetchone, connection.close, lambda: cursor.execute("select 1")):
                try:
                    use()
                except sqlite3.ProgrammingError as error:
                    refused.append(str(error))

        together(work, threads=1)
        self.assertEqual(len(refused), 5)
        self.assertTrue(all("can only be used in that same thread" in text for text in refused))

    def test_threads_share_a_connection(self):
        connection = self.table(0, check_same_thread=False)
        connection.create_function("twice", 1, lambda value: value * 2)

        def work(number):
            for i in range(50):
                connection.execute("insert into t(b) values(twice(?))", (number * 1000 + i,))
                cursor = connection.execute("select a, b from t order by a")
                self.assertEqual(cursor.fetchone()[0], 1)
                cursor.description, cursor.lastrowid, connection.row_factory

        together(work, threads=4)
        self.assertEqual(connection.execute("select count(*), count(distinct b) from t").fetchone(), (200, 200))

    def test_threads_share_a_cursor_without_harm(self):
        connection = self.table(500, check_same_thread=False)
        cursor = connection.execute("select a from t")
        got = []

        def work(number):
            while (row := cursor.fetchone()) is not None:
                got.append(row[0])

        together(work, threads=4)
        self.assertEqual(sorted(got), list(range(1, 501)))

    def test_a_query_is_interrupted_by_another_thread(self):
        connection = self.open(check_same_thread=False)
        running = threading.Event()
        connection.create_function("mark", 0, lambda: running.set() or 1)
        done = threading.Event()

        def stop(number):
            running.wait(30)
            while not done.is_set():
                connection.interrupt()
                time.sleep(0.001)

        stopper = threading.Thread(target=stop, args=(0,))
        stopper.start()
        try:
            with self.assertRaisesRegex(sqlite3.OperationalError, "interrupted"):
                connection.execute("with recursive r(n) as (select mark() union all select n + 1 from r) select count(*) from r")
        finally:
            done.set()
            stopper.join()

    def test_a_connection_is_closed_while_others_interrupt_it(self):
        for _ in range(20):
            connection = sqlite3.connect(":memory:", check_same_thread=False)

            def work(number):
                if number == 0:
                    connection.close()
                else:
                    try:
                        for _ in range(50):
                            connection.interrupt()
                    except sqlite3.ProgrammingError:
                        pass

            together(work, threads=3)

    def test_threads_have_connections_to_one_file(self):
        path = self.file()
        self.open(path).execute("create table t(a)")

        def work(number):
            connection = sqlite3.connect(path, timeout=30)
            for i in range(10):
                with connection:
                    connection.execute("insert into t values(?)", (number,))
            connection.close()

        together(work, threads=4)
        self.assertEqual(self.open(path).execute("select count(*) from t").fetchone(), (40,))


if __name__ == "__main__":
    unittest.main()
