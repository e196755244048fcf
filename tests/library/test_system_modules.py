"""mmap, resource, termios, syslog, _multiprocessing and others over calls of the system: extensions/."""
import multiprocessing
import mmap
import os
import pty
import resource
import syslog
import tempfile
import termios
import threading
import unittest
import uuid
from multiprocessing import shared_memory


class MemoryMaps(unittest.TestCase):
    def test_changes_reach_the_file(self):
        with tempfile.TemporaryFile() as f:
            f.write(b"0123456789" * 1000)
            f.flush()
            with mmap.mmap(f.fileno(), 0) as m:
                self.assertEqual((len(m), m[3], m[-2:], m[1:9:3]), (10000, ord("3"), b"89", b"147"))
                m[0:3] = b"abc"
                m.move(10, 0, 3)
                m.flush()
                self.assertEqual((m.find(b"abc", 1), m.rfind(b"abc"), m.readline()[:4]), (10, 10, b"abc3"))
                m.resize(20)
            f.seek(0)
            self.assertEqual(f.read(), b"abc3456789abc3456789")

    def test_a_map_in_use_stays_open(self):
        m = mmap.mmap(-1, 100)
        view = memoryview(m)
        self.assertRaisesRegex(BufferError, "cannot close exported pointers exist", m.close)
        view.release()
        m.close()
        self.assertRaisesRegex(ValueError, "mmap closed or invalid", m.read)

    def test_a_read_only_map_refuses_changes(self):
        with tempfile.TemporaryFile() as f:
            f.write(b"text")
            f.flush()
            m = mmap.mmap(f.fileno(), 4, access=mmap.ACCESS_READ)
            with self.assertRaisesRegex(TypeError, "can't modify a readonly memory map"):
                m[0] = 1
            self.assertEqual(repr(m), "<mmap.mmap closed=False, access=ACCESS_READ, length=4, pos=0, offset=0>")



class Processes(unittest.TestCase):
    def test_a_semaphore_counts_and_refuses_too_many_releases(self):
        lock = multiprocessing.BoundedSemaphore(2)
        self.assertTrue(lock.acquire(timeout=1) and lock.acquire(False))
        self.assertFalse(lock.acquire(timeout=0.01))
        lock.release()
        lock.release()
        self.assertRaises(ValueError, lock.release)

    def test_a_recursive_lock_belongs_to_one_thread(self):
        lock = multiprocessing.RLock()
        got = []
        with lock, lock:
            thread = threading.Thread(target=lambda: got.append(lock.acquire(False)))
            thread.start()
            thread.join()
        self.assertEqual(got, [False])
        self.assertRaisesRegex(AssertionError, "not owned by thread", lock.release)

    def test_processes_work_for_a_pool(self):
        with multiprocessing.get_context("fork").Pool(2) as pool:
            self.assertEqual(pool.map(abs, range(-5, 5)), [5, 4, 3, 2, 1, 0, 1, 2, 3, 4])

    def test_memory_is_shared_by_name(self):
        block = shared_memory.SharedMemory(create=True, size=64)
        try:
            block.buf[:4] = b"data"
            other = shared_memory.SharedMemory(name=block.name)
            self.assertEqual(bytes(other.buf[:4]), b"data")
            other.close()
        finally:
            block.close()
            block.unlink()


class TheSystem(unittest.TestCase):
    def test_types_names_every_type_that_its_C_module_does(self):
        import _datetime
        import _types
        import types
        self.assertIs(types.CapsuleType, type(_datetime.datetime_CAPI))
        for name in dir(_types):
            if not name.startswith("_"):
                self.assertIs(getattr(types, name), getattr(_types, name))

    def test_resource_limits_round_trip(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
        self.assertEqual(resource.getrlimit(resource.RLIMIT_CORE), (0, hard))
        self.assertGreater(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0)
        self.assertRaisesRegex(ValueError, "invalid resource specified", resource.getrlimit, 1000)

    def test_terminal_settings_round_trip(self):
        parent, child = pty.openpty()
        try:
            mode = termios.tcgetattr(child)
            mode[3] &= ~(termios.ECHO | termios.ICANON)
            mode[6][termios.VMIN], mode[6][termios.VTIME] = 3, 1
            termios.tcsetattr(child, termios.TCSANOW, mode)
            self.assertEqual(termios.tcgetattr(child), mode)
            termios.tcsetwinsize(child, (25, 80))
            self.assertEqual(termios.tcgetwinsize(parent), (25, 80))
        finally:
            os.close(parent)
            os.close(child)

    def test_paths_that_no_file_can_have_are_taken_apart(self):
        self.assertEqual(os.path.splitroot("/a\udfff/b"), ("", "/", "a\udfff/b"))
        self.assertEqual(os.path.normpath("/a\udfff/../b"), "/b")

    def test_time_based_uuids_of_the_library_differ(self):
        try:
            import _uuid
        except ImportError:
            self.skipTest("built without libuuid")
        made = {_uuid.generate_time_safe()[0] for _ in range(100)}
        self.assertEqual((len(made), {len(id) for id in made}), (100, {16}))
        id, safe = _uuid.generate_time_safe()
        self.assertIn(safe, (0, -1))
        self.assertEqual((uuid.UUID(bytes=id).version, uuid.uuid1().version), (1, 1))

    def test_log_masks(self):
        self.assertEqual(syslog.LOG_UPTO(syslog.LOG_ERR), 0b1111)


if __name__ == "__main__":
    unittest.main()
