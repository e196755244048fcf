"""Extension packages as they are on a package registry: fetched through pip, compiled against abi/ as their own set-up
would, and run with their own test suites.

    check_package.py PACKAGE CACHE-FOLDER

Run it with the interpreter under test. Exit status: 0 all passed, 77 nothing could be fetched (the reason is printed),
1 otherwise. With AMPHIS_REFERENCE naming a CPython 3.14, the same source is compiled again and tested there, and the
counts must be equal.
"""
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from concurrent.futures import ThreadPoolExecutor

SKIPPED = 77
TEST_TOOLS = ["pytest", "pluggy", "iniconfig", "packaging", "pygments"]


class Package:
    """One extension package: `sources` maps the module's file (without suffix) to its source files."""

    def __init__(self, name, requirement, sources, tests, flags=(), libraries=(), python=".", tools=(), test_files=()):
        self.name, self.requirement, self.sources, self.tests = name, requirement, sources, tests
        self.flags, self.libraries, self.python, self.tools = flags, libraries, python, tools
        self.test_files = test_files


CONVERSION = "src/ujson/deps/double-conversion/double-conversion"
PYTEST = ["-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider"]
PACKAGES = {package.name: package for package in (
    Package("markupsafe", "markupsafe>=3,<4", {"markupsafe/_speedups": ["src/markupsafe/_speedups.c"]},
            [*PYTEST, "tests"], python="src", tools=TEST_TOOLS),
    Package("ujson", "ujson", {"ujson": ["src/ujson/ujson.c", "src/ujson/encode.c", "src/ujson/decode.c",
                                         "src/ujson/dconv_wrapper.cc", CONVERSION + "/*.cc"]},
            [*PYTEST, "tests/test_ujson.py"], python="src/none", tools=TEST_TOOLS,
            flags=["-D_GNU_SOURCE", '-DUJSON_VERSION="@VERSION@"', "-Isrc/ujson", "-I" + CONVERSION],
            libraries=["-lstdc++", "-lm"]),
    Package("bitarray", "bitarray>=3", {"bitarray/_bitarray": ["bitarray/_bitarray.c"], "bitarray/_util": ["bitarray/_util.c"]},
            ["-c", "import bitarray, sys; sys.exit(not bitarray.test().wasSuccessful())"], flags=["-Ibitarray"]),
    Package("hiredis", "hiredis>=3", {"hiredis/hiredis": ["src/*.c", *(f"vendor/hiredis/{name}.c" for name in (
                "alloc", "async", "hiredis", "net", "read", "sds", "sockcompat"))]},
            [*PYTEST, "tests"], flags=["-Ivendor", "-D_GNU_SOURCE"], tools=TEST_TOOLS),
    # Written in Cython; the source distribution has the C code.
    Package("httptools", "httptools<1", {"httptools/parser/parser": ["httptools/parser/parser.c", "vendor/llhttp/src/*.c"],
                                         "httptools/parser/url_parser": ["httptools/parser/url_parser.c", "vendor/http-parser/http_parser.c"]},
            [*PYTEST, "tests"], flags=["-Ivendor/llhttp/include", "-Ivendor/http-parser", "-DCYTHON_FREETHREADING_COMPATIBLE=1"],
            tools=TEST_TOOLS),
)}


def skip(why):
    print("skipped:", why)
    sys.exit(SKIPPED)


def find_pip():
    """A Python on this machine that has pip: it only fetches files."""
    for candidate in ("python3", "python"):
        path = shutil.which(candidate)
        if path and subprocess.run([path, "-m", "pip", "--version"], capture_output=True).returncode == 0:
            return [path, "-m", "pip", "--disable-pip-version-check", "-q"]
    skip("no Python with pip on this machine to fetch packages with")


def run_pip(arguments):
    try:
        done = subprocess.run([*find_pip(), *arguments], capture_output=True, text=True, timeout=200)
    except subprocess.TimeoutExpired:
        skip("no package registry answered in time")
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        text = "\n".join(lines[-6:])
        network = re.search(r"NewConnectionError|Max retries|No matching distribution|Temporary failure|timed out|ProxyError|"
                            r"SSLError|Connection|403|404|50\d", done.stderr)
        if network:
            skip(f"no package registry answered: {text}")
        sys.exit(f"pip {' '.join(arguments)} failed:\n{text}")


def fetch(package, cache):
    """The folder with the package's unpacked source distribution."""
    folder = os.path.join(cache, package.name)
    done = os.path.join(folder, ".complete")
    if not os.path.exists(done):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        run_pip(["download", "--no-deps", "--no-binary", package.name, "-d", folder, package.requirement])
        archives = [name for name in os.listdir(folder) if name.endswith(".tar.gz")]
        if len(archives) != 1:
            sys.exit(f"expected one source distribution, found {os.listdir(folder)}")
        with tarfile.open(os.path.join(folder, archives[0])) as archive:
            archive.extractall(folder, filter="data")
        open(done, "w").close()
    (name,) = [name for name in os.listdir(folder) if os.path.isdir(os.path.join(folder, name))]
    return os.path.join(folder, name)


def fetch_tools(package, cache):
    """A folder for PYTHONPATH with what the package's tests import."""
    if not package.tools:
        return None
    folder = os.path.join(cache, "tools-" + re.sub(r"[^a-z0-9]+", "-", " ".join(package.tools).lower()))
    if not os.path.exists(folder):
        # Tests of several packages may want it at the same time: it appears complete, and the first one stays.
        mine = f"{folder}.{os.getpid()}"
        run_pip(["install", "--no-deps", "--no-compile", "--only-binary", ":all:", "--target", mine, *package.tools])
        try:
            os.rename(mine, folder)
        except OSError:
            shutil.rmtree(mine)
    return folder


def execute(command, cwd):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\nfailed:\n{done.stdout}{done.stderr}")


def build(package, source, work, suffix):
    """Compiles the package's modules beside a copy of its Python files in `work`."""
    import glob
    shutil.rmtree(work, ignore_errors=True)
    python = os.path.join(source, package.python)
    if os.path.isdir(python):
        shutil.copytree(python, work)
    else:
        os.makedirs(work)
    includes = [sysconfig.get_path("include")]
    version = os.path.basename(source).rpartition("-")[2]
    common = [*sysconfig.get_config_var("CFLAGS").split(), "-O1", "-fPIC", "-fwrapv", *("-I" + path for path in includes),
              *(flag.replace("@VERSION@", version) for flag in package.flags)]
    for module, patterns in package.sources.items():
        objects, commands = [], []
        for pattern in patterns:
            for path in sorted(glob.glob(pattern, root_dir=source)):
                target = os.path.join(work, (module + "_" + path).replace("/", "_") + ".o")
                compiler = "CC" if path.endswith(".c") else "CXX"
                commands.append([*sysconfig.get_config_var(compiler).split(), *common, "-c", path, "-o", target])
                objects.append(target)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda command: execute(command, source), commands))
        target = os.path.join(work, module + suffix)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        execute([*sysconfig.get_config_var("LDSHARED").split(), *objects, "-o", target, *package.libraries], source)


def run_tests(package, source, work, tools, interpreter):
    """The counts that the package's own tests report, as text without times; exits if they fail."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [work, tools])), "PYTHONDONTWRITEBYTECODE": "1"}
    # Tests run in an empty place beside the sources: what they import is what was built.
    place = work + ".tests"
    shutil.rmtree(place, ignore_errors=True)
    os.makedirs(place)
    for name in ("tests", "pyproject.toml"):
        path = os.path.join(source, name)
        if os.path.isdir(path):
            shutil.copytree(path, os.path.join(place, name))
    done = subprocess.run([interpreter, *package.tests], cwd=place, env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="backslashreplace")
    counts = re.findall(r"(?m)^.*(?:\d+ (?:passed|failed|error).*|Ran \d+ tests.*|OK.*|FAILED.*)$", done.stdout)
    counts = "; ".join(re.sub(r" in [\d.:s()]+.*", "", line).strip("= ") for line in counts)
    if done.returncode != 0 or not counts:
        print(done.stdout[-12000:])
        print(f"{package.name} on {interpreter}: {counts}")
        sys.exit(1)
    return counts


# Modules of our own, in bindings/, over header libraries from the registry: include folders and further sources there.
BINDINGS = {
    "pybind11": ("pybind_probe", ["pybind11/include"], []),
    "nanobind": ("nanobind_probe", ["nanobind/include", "nanobind/ext/robin_map/include", "nanobind/src"], ["nanobind/src/nb_combined.cpp"]),
}


def check_binding(name, cache):
    module, includes, sources = BINDINGS[name]
    library = os.path.join(cache, name)
    done = os.path.join(library, ".complete")
    if not os.path.exists(done):
        shutil.rmtree(library, ignore_errors=True)
        run_pip(["install", "--no-deps", "--no-compile", "--only-binary", ":all:", "--target", library, name])
        open(done, "w").close()
    here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bindings")
    work = os.path.join(cache, f"{name}-built{sys.abiflags}")
    os.makedirs(work, exist_ok=True)
    execute([*sysconfig.get_config_var("CXX").split(), "-shared", "-fPIC", "-std=c++17", "-w", "-O0", "-fvisibility=hidden",
             "-fno-strict-aliasing", *(["-DNB_FREE_THREADED"] if sys.abiflags else []), *sysconfig.get_config_var("CFLAGS").split(), "-O0", "-I" + sysconfig.get_path("include"),
             *("-I" + os.path.join(library, folder) for folder in includes), os.path.join(here, module + ".cpp"),
             *(os.path.join(library, path) for path in sources), "-o",
             os.path.join(work, module + sysconfig.get_config_var("EXT_SUFFIX"))], work)
    done = subprocess.run([sys.executable, "-P", os.path.join(here, module + ".py")], env={**os.environ, "PYTHONPATH": work},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout, end="")
    sys.exit(done.returncode != 0)


def main(name, cache):
    if name in BINDINGS:
        check_binding(name, os.path.realpath(cache))
    package = PACKAGES[name]
    cache = os.path.realpath(cache)
    source = fetch(package, cache)
    tools = fetch_tools(package, cache)
    if shutil.which(sysconfig.get_config_var("CC").split()[0]) is None:
        skip("no C compiler")
    work = os.path.join(cache, f"{package.name}-built{sys.abiflags}")
    build(package, source, work, sysconfig.get_config_var("EXT_SUFFIX"))
    counts = run_tests(package, source, work, tools, sys.executable)
    print(f"{os.path.basename(source)} on amphis3.14{sys.abiflags}: {counts}")
    reference = os.environ.get("AMPHIS_REFERENCE")
    if reference and not sys.abiflags:
        # The layouts are CPython's, so what was compiled here runs there.
        work += "-reference"
        build(package, source, work, ".so")
        expected = run_tests(package, source, work, tools, reference)
        print(f"{os.path.basename(source)} on CPython 3.14: {expected}")
        if expected != counts:
            sys.exit("the counts differ")


if __name__ == "__main__":
    main(*sys.argv[1:])
