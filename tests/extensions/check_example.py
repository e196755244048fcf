"""The example in extensions/example, built in the ways that abi/README.md describes, and its tests on what comes out:

    check_example.py cmake CMAKE BUILD-TREE [OTHER-BUILD-TREE]     find_package(Amphis); find_package(Python)
    check_example.py pip CMAKE BUILD-TREE CACHE-FOLDER             a virtual environment, pip, setuptools

Each installs the build tree (and the other variant's, if it is built) into a temporary prefix first. Exit status: 0 all passed,
77 nothing could be fetched (the reason is printed), 1 otherwise.
"""
import os
import shutil
import subprocess
import sys
import tempfile

import check_package

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLE = os.path.join(os.path.dirname(os.path.dirname(HERE)), "extensions", "example")

FIND_PYTHON = """
cmake_minimum_required(VERSION 3.20)
project(tally LANGUAGES C)
find_package(Python REQUIRED COMPONENTS Interpreter Development.Module)
python_add_library(tally MODULE WITH_SOABI "%s/tally.c")
"""


def run(*command, **kwargs):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "AMPHIS_"))}
    environment.update(kwargs.pop("environment", {}))
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240, **kwargs)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\nfailed with status {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def install(cmake, prefix, *trees):
    """The interpreters that are installed there afterwards."""
    for number, tree in enumerate(trees):
        if os.path.exists(os.path.join(tree, "cmake_install.cmake")):
            done = subprocess.run([cmake, "--install", tree, "--prefix", prefix], capture_output=True, text=True)
            if done.returncode != 0 and number == 0:
                sys.exit(done.stdout + done.stderr)
    paths = [os.path.join(prefix, "bin", "amphis3.14" + flags) for flags in ("", "t")]
    return [path for path in paths if os.path.exists(path)]


def run_tests(python, folder, work):
    environment = {"PYTHONPATH": folder} if folder else {}
    text = run(python, os.path.join(EXAMPLE, "test_tally.py"), cwd=work, environment=environment)
    path = run(python, "-c", "import tally; print(tally.__file__)", cwd=work, environment=environment).strip()
    print(os.path.basename(python), os.path.basename(path), text.splitlines()[2])


def check_cmake(work, cmake, *trees):
    prefix = os.path.join(work, "prefix")
    interpreters = install(cmake, prefix, *trees)
    build = os.path.join(work, "build")
    run(cmake, "-G", "Ninja", "-S", EXAMPLE, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}")
    run(cmake, "--build", build)
    for python in interpreters:
        run_tests(python, build, work)
        run_tests(python, os.path.join(build, "stable"), work)
        source, build_by_python = os.path.join(work, "source"), os.path.join(work, "by_" + os.path.basename(python))
        os.makedirs(source, exist_ok=True)
        with open(os.path.join(source, "CMakeLists.txt"), "w") as file:
            file.write(FIND_PYTHON % EXAMPLE)
        run(cmake, "-G", "Ninja", "-S", source, "-B", build_by_python, f"-DPython_EXECUTABLE={python}")
        run(cmake, "--build", build_by_python)
        run_tests(python, build_by_python, work)


def check_pip(work, cmake, tree, cache):
    cache = os.path.join(os.path.realpath(cache), "build-tools")
    if not os.path.exists(os.path.join(cache, ".complete")):
        shutil.rmtree(cache, ignore_errors=True)
        check_package.run_pip(["download", "--no-deps", "--only-binary", ":all:", "-d", cache, "pip", "setuptools"])
        open(os.path.join(cache, ".complete"), "w").close()
    offline = ["--disable-pip-version-check", "-q", "--no-index", "--find-links", cache]
    host_pip = check_package.find_pip()
    for python in install(cmake, os.path.join(work, "prefix"), tree):
        environment = os.path.join(work, "environment")
        run(python, "-m", "venv", "--without-pip", environment)
        inside = os.path.join(environment, "bin", "python")
        run(host_pip[0], "-m", "pip", "--python", inside, "install", *offline, "pip", "setuptools")
        source = os.path.join(work, "tally")
        shutil.copytree(EXAMPLE, source)
        run(inside, "-m", "pip", "install", *offline, "--no-build-isolation", source)
        run_tests(inside, None, work)
        if environment not in run(inside, "-c", "import tally; print(tally.__file__)", cwd=work):
            sys.exit("the module is not in the environment")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as work:
        {"cmake": check_cmake, "pip": check_pip}[sys.argv[1]](os.path.realpath(work), *sys.argv[2:])
