"""The free-threading tests of the standard library's own test suite, as the distribution's package has them.

    check_free_threading.py FETCH-SCRIPT CACHE-FOLDER [MODULE...]

Run it with the interpreter under test. Exit status: 0 all passed, 77 no package could be had (the reason is printed), 1
otherwise. In the GIL build the package skips itself. Of what the tests ask of CPython's private test modules, classes with
members are compiled here (member_types.c); a test that asks for anything else of them is skipped.
"""
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor

SKIPPED = 77
HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = "test/test_free_threading"
MODULES = """code dict enumerate func_annotations functions gc iteration itertools list methodcaller races reversed set slots
    str type types weakref zip bisect bytes_object collections context csv exceptions frame functools heapq io
    itertools_batched itertools_combinatoric os pickle re string_template_race sys threading tokenize monitoring cprofile""".split()
# What asks for a moment that is another one here: a function that threads take from each other in turn ends with a collection.
OTHERWISE = {"monitoring": "MonitoringMisc.test_register_callback"}
SECONDS = 300

RUN = """
import sys, types, unittest
folder, name, members, otherwise = sys.argv[1:]

class PrivateModule(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        raise unittest.SkipTest(f"needs CPython's {self.__name__}.{name}")

sys.modules["_testinternalcapi"] = PrivateModule("_testinternalcapi")
if name == "slots":
    sys.modules["_testcapi"] = module = PrivateModule("_testcapi")
    if members:
        sys.path.insert(0, members)
        import member_types
        vars(module).update(vars(member_types))
import test
test.__path__.append(folder + "/test")
sys.path.append(folder)
if otherwise:
    case, method = otherwise.split(".")
    module = __import__("test.test_free_threading.test_" + name, fromlist=["*"])
    setattr(getattr(module, case), method, unittest.skip("ends with a collection here")(lambda self: None))
unittest.main(module="test.test_free_threading.test_" + name, argv=["unittest"])
"""


def find_package(fetch, cache):
    stdlib = sysconfig.get_path("stdlib")
    if os.path.exists(f"{stdlib}/{PACKAGE}/__init__.py"):
        return stdlib
    inner = "usr/lib/python3.14"
    done = subprocess.run([fetch, cache, f"{inner}/{PACKAGE}/__init__.py", "libpython3.14-testsuite"],
                          capture_output=True, text=True)
    if done.returncode:
        print("skipped:", done.stderr.strip() or "the package libpython3.14-testsuite could not be fetched")
        sys.exit(SKIPPED)
    return f"{cache}/{inner}"


def compile_members(folder):
    compiler = sysconfig.get_config_var("CC").split()
    if not shutil.which(compiler[0]):
        return ""
    target = f"{folder}/member_types{sysconfig.get_config_var('EXT_SUFFIX')}"
    subprocess.run([*compiler, "-shared", "-fPIC", "-O1", f"-I{sysconfig.get_path('include')}",
                    f"-I{sysconfig.get_path('platinclude')}", f"{HERE}/member_types.c", "-o", target], check=True)
    return folder


def run(folder, name, members):
    done = subprocess.run([sys.executable, "-c", RUN, folder, name, members, OTHERWISE.get(name, "")],
                          capture_output=True, text=True, timeout=SECONDS)
    last = done.stderr.strip().rpartition("\n")[2]
    # Modules skip themselves where there is a GIL.
    return name, done.returncode == 0 or "SkipTest" in last, last, done.stderr


def main():
    fetch, cache, *chosen = sys.argv[1:]
    folder = find_package(fetch, os.path.abspath(cache))
    failed = 0
    with tempfile.TemporaryDirectory() as made, ThreadPoolExecutor(2) as pool:
        members = compile_members(made)
        for name, ok, last, text in pool.map(lambda name: run(folder, name, members), chosen or MODULES):
            print(f"{name}: {last if ok else 'FAILED'}", flush=True)
            if not ok:
                failed += 1
                print(text, flush=True)
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
