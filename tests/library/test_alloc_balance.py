"""-X alloc_balance of debug builds: what a program has allocated is given back when the runtime ends, or accounted for."""
import os
import re
import subprocess
import sys
import unittest

LIVES = os.environ.get("AMPHIS_LIVES")
EXTENSIONS = ":".join(path for path in sys.path if path.endswith("lib-dynload"))
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")} | {"PYTHONDONTWRITEBYTECODE": "1"}


def reports(text):
    """One for each life: blocks left, blocks that nobody accounts for."""
    return list(zip((int(n) for n in re.findall(r"(\d+) blocks left", text)),
                    (int(n) for n in re.findall(r"not accounted for: (\d+) blocks", text))))


def run(program, *options):
    return subprocess.run([sys.executable, "-X", "alloc_balance", *options, "-c", program], capture_output=True, text=True,
                          env=ENVIRONMENT, timeout=120)


DEBUG = bool(reports(run("pass").stderr))

PROGRAMS = {
    "nothing": "pass",
    "json and re": "import json, re; json.loads(json.dumps({'a': [1, 2.5, None]})); re.sub('(a)(b)+', 'x', 'aabbb')",
    "classes, cycles and generators": """
class A:
    def __init__(self): self.x = self
    @property
    def y(self): return 1
    def __del__(self): pass
for i in range(100): A().y
try: 1 / 0
except Exception as e: error = e
g = (i for i in range(3)); next(g)
""",
    "asyncio": """
import asyncio
async def numbers():
    yield 1
    yield 2
async def main():
    async for x in numbers(): break
    async with asyncio.timeout(1): await asyncio.to_thread(str, 3)
    async with asyncio.TaskGroup() as group: group.create_task(asyncio.sleep(0))
    await asyncio.gather(*[asyncio.sleep(0, i) for i in range(5)])
asyncio.run(main())
""",
    "typing and dataclasses": """
import dataclasses, enum, functools, typing
class P[T](typing.Protocol): x: typing.Optional[T]
typing.get_type_hints(P)
class N(typing.NamedTuple): a: int
class D(typing.TypedDict): a: list[int]
@dataclasses.dataclass
class C: x: int = 0
class E(enum.Enum): A = 1
functools.lru_cache(lambda x: x)(3)
""",
    "decimal": "import decimal; decimal.Decimal('1.1') + 2; decimal.getcontext().prec = 10",
    "ctypes": """
import ctypes
class S(ctypes.Structure): _fields_ = [('a', ctypes.c_int), ('p', ctypes.POINTER(ctypes.c_int))]
S(1)
callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda x: x)
callback(3)
""",
    "sockets and processes": """
import socket, subprocess
a, b = socket.socketpair(); a.send(b'x'); b.recv(1); a.close(); b.close()
subprocess.run(['true'])
""",
    "threads": """
import concurrent.futures, queue, threading
made = []
threads = [threading.Thread(target=lambda: [made.append({i: str(i)}) for i in range(500)]) for _ in range(4)]
for t in threads: t.start()
for t in threads: t.join()
local = threading.local()
def use(): local.x = {}; local.x[1] = local
t = threading.Thread(target=use); t.start(); t.join()
with concurrent.futures.ThreadPoolExecutor(2) as pool: list(pool.map(str, range(10)))
""",
    "weak references, contexts and finalizers": """
import atexit, contextvars, weakref
class A: pass
a = A(); r = weakref.ref(a); weakref.finalize(a, print, end='')
v = contextvars.ContextVar('v'); v.set(a)
d = weakref.WeakValueDictionary(); d[1] = a
atexit.register(print, end='')
""",
    "ast and tokens": "import ast, dis, inspect, tokenize; ast.dump(ast.parse('x = 1')); compile('lambda: 3', 'f', 'exec')",
    "pickle and dates": "import calendar, copy, datetime, pickle; pickle.loads(pickle.dumps({'a': datetime.datetime.now()})); copy.deepcopy([[1]])",
    "formats": """
import array, csv, io, logging, struct, unicodedata, xml.etree.ElementTree as tree, zlib
tree.fromstring('<a><b/></a>'); list(csv.reader(io.StringIO('a,b'))); zlib.decompress(zlib.compress(b'x' * 100))
logging.basicConfig(stream=io.StringIO()); logging.warning('x'); array.array('i', [1]); struct.pack('i', 3)
""",
    "hashes": "import hashlib, hmac; hashlib.sha256(b'x').hexdigest(); hmac.new(b'k', b'x', 'sha256').digest()",
    "an uncaught exception": "def f(): raise ValueError('x')\nf()",
    "sys.exit with objects on the stack": "import sys, atexit; atexit.register(print, end=''); sys.exit(0)",
}


@unittest.skipUnless(DEBUG, "release builds do not count")
class Balance(unittest.TestCase):
    def test_every_block_is_given_back_or_accounted_for_when_a_program_ends(self):
        for name, program in PROGRAMS.items():
            with self.subTest(name):
                done = run(program)
                found = reports(done.stderr)
                self.assertEqual(len(found), 1, done.stderr)
                self.assertEqual(found[0][1], 0, done.stderr)

    def test_an_object_with_one_reference_too_many_is_reported_with_its_type(self):
        text = run("import ctypes; ctypes.pythonapi.Py_IncRef(ctypes.py_object([3.5]))").stderr
        self.assertRegex(text, r"not accounted for: [1-9]")
        self.assertRegex(text, r"1 blocks, \d+ bytes: list\n")

    def test_raw_memory_that_nobody_frees_is_reported_with_its_size(self):
        for domain in ("PyMem_Malloc", "PyMem_RawMalloc"):
            with self.subTest(domain):
                text = run(f"import ctypes; ctypes.pythonapi.{domain}(ctypes.c_size_t(54321))").stderr
                self.assertIn("not accounted for: 1 blocks, 54321 bytes\n", text)

    def test_what_is_accounted_for_is_given_a_reason(self):
        text = run("pass").stderr
        for line in re.findall(r"alloc_balance: accounted for: .*", text):
            self.assertRegex(line, r"blocks, \d+ bytes: \w+")

    def test_the_environment_and_a_number_of_frames_ask_for_it_too(self):
        done = subprocess.run([sys.executable, "-c", "pass"], capture_output=True, text=True,
                              env=ENVIRONMENT | {"PYTHONALLOCBALANCE": "1"}, timeout=120)
        self.assertEqual([lost for _, lost in reports(done.stderr)], [0])
        done = run("import ctypes; ctypes.pythonapi.Py_IncRef(ctypes.py_object([3.5]))", "-X", "alloc_balance=5")
        self.assertIn("libamphis", done.stderr)

    @unittest.skipUnless(LIVES, "the program that embeds the runtime is not named")
    def test_as_many_blocks_are_left_after_some_lives_as_after_three_more(self):
        for name in ("nothing", "json and re", "classes, cycles and generators", "asyncio", "typing and dataclasses", "decimal", "threads", "ctypes",
                     "ast and tokens", "pickle and dates", "formats"):
            with self.subTest(name):
                done = subprocess.run([LIVES, "6", PROGRAMS[name]], capture_output=True, text=True,
                                      env=ENVIRONMENT | {"PYTHONALLOCBALANCE": "0", "PYTHONPATH": EXTENSIONS}, timeout=240)
                found = reports(done.stderr)
                self.assertEqual(len(found), 6, done.stderr)
                self.assertEqual([lost for _, lost in found], [0] * 6, done.stderr)
                self.assertEqual(found[2][0], found[5][0], [left for left, _ in found])


if __name__ == "__main__":
    unittest.main()
