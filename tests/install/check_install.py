"""Installs a build tree (and the other variant's, where it is built) into one temporary prefix, moves that elsewhere, and
checks at both places that everything works: executable, library, headers, sysconfig, extension modules, embedding.

    check_install.py CMAKE C-COMPILER BUILD-TREE [OTHER-BUILD-TREE]
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

REPORT = """
import json, os, sys, sysconfig
import hashlib, json.decoder, random, unittest, zlib
print(json.dumps({
    "prefix": sys.prefix, "stdlib": os.path.dirname(os.__file__), "abiflags": sys.abiflags,
    "gil": sys._is_gil_enabled(), "disabled": sysconfig.get_config_var("Py_GIL_DISABLED"),
    "suffix": sysconfig.get_config_var("EXT_SUFFIX"), "include": sysconfig.get_path("include"),
    "library": os.path.join(sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("INSTSONAME")),
    "ldversion": sysconfig.get_config_var("LDVERSION"), "path": sys.path,
    "sha": hashlib.sha256(b"").hexdigest()[:8], "data": sysconfig._get_sysconfigdata_name(),
}))
"""

EXTENSION = """
#include <Python.h>
static PyObject* answer(PyObject* self, PyObject* arg) { return PyNumber_Add(arg, arg); }
static PyMethodDef methods[] = {{"answer", answer, METH_O, 0}, {0}};
static PyModuleDef_Slot slots[] = {{Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0}};
static PyModuleDef def = {PyModuleDef_HEAD_INIT, "probe", 0, 0, methods, slots};
PyMODINIT_FUNC PyInit_probe(void) { return PyModuleDef_Init(&def); }
"""

EMBEDDING = """
#include <Python.h>
int main(void) {
  Py_Initialize();
  int status = PyRun_SimpleString("import os, sys; print(os.path.dirname(os.__file__), sys.abiflags or '-')");
  return Py_FinalizeEx() < 0 ? 120 : status;
}
"""


def run(*command, **kwargs):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "AMPHIS_"))}
    environment.update(kwargs.pop("environment", {}))
    done = subprocess.run(command, capture_output=True, text=True, env=environment, **kwargs)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\nfailed with status {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def check(value, expected, what):
    if value != expected:
        sys.exit(f"{what}: {value!r}, expected {expected!r}")


def check_variant(prefix, flags, compiler, work):
    name = f"amphis3.14{flags}"
    executable = os.path.join(prefix, "bin", name)
    report = json.loads(run(executable, "-c", REPORT, cwd="/"))
    check(report["prefix"], prefix, "sys.prefix")
    check(report["stdlib"], os.path.join(prefix, "lib", "amphis3.14"), "the standard library's folder")
    check(report["abiflags"], flags, "sys.abiflags")
    check(report["gil"], flags == "", "sys._is_gil_enabled()")
    check(report["disabled"], int(flags == "t"), "Py_GIL_DISABLED")
    check(report["suffix"], f".amphis-314{flags}-x86_64-linux-gnu.so", "EXT_SUFFIX")
    check(report["include"], os.path.join(prefix, "include", name), "sysconfig's include folder")
    check(report["ldversion"], "3.14" + flags, "LDVERSION")
    check(report["data"], f"_sysconfigdata_{flags}_linux_x86_64-linux-gnu", "the name of sysconfig's data")
    check(report["sha"], "e3b0c442", "SHA-256 of nothing")
    check(os.path.exists(report["library"]), True, f"{report['library']} exists")
    outside = [p for p in report["path"] if p and not p.startswith((prefix, os.path.expanduser("~/.local")))]
    check(outside, [], "entries of sys.path outside the prefix")
    version = run(executable, "-VV")
    check(("free-threading" in version) == (flags == "t"), True, f"-VV names the variant: {version!r}")

    # An extension module made with what sysconfig says, in a virtual environment.
    environment = os.path.join(work, "venv" + flags)
    run(executable, "-m", "venv", "--without-pip", environment)
    python = os.path.join(environment, "bin", "python")
    source = os.path.join(work, "probe.c")
    with open(source, "w") as file:
        file.write(EXTENSION)
    target = os.path.join(work, "probe" + report["suffix"])
    run(compiler, "-shared", "-fPIC", "-Wall", "-Werror", "-Wno-missing-braces", "-I", report["include"], source, "-o", target)
    out = run(python, "-c", "import probe, sys; print(probe.answer(21), sys._is_gil_enabled(), sys.prefix)", cwd=work)
    check(out.split(), ["42", str(flags == ""), environment], "the extension module in a virtual environment")

    # A program that embeds the runtime, by pkg-config.
    if shutil.which("pkg-config"):
        with open(os.path.join(work, "embed.c"), "w") as file:
            file.write(EMBEDDING)
        path = {"PKG_CONFIG_PATH": os.path.join(os.path.dirname(report["library"]), "pkgconfig")}
        options = run("pkg-config", "--cflags", "--libs", f"amphis-3.14{flags}-embed", environment=path).split()
        run("pkg-config", "--cflags", f"amphis-3.14{flags}", environment=path)
        program = os.path.join(work, "embed" + flags)
        run(compiler, os.path.join(work, "embed.c"), "-o", program, *options)
        out = run(program, environment={"LD_LIBRARY_PATH": os.path.dirname(report["library"]), "PYTHONHOME": prefix})
        check(out.split(), [report["stdlib"], flags or "-"], "the embedding program")


def check_package(cmake, prefix, flags, work):
    """find_package finds the library and links a program with it."""
    folder = os.path.join(work, "package" + flags)
    os.mkdir(folder)
    name = f"amphis3.14{flags}"
    with open(os.path.join(folder, "CMakeLists.txt"), "w") as file:
        file.write(f"cmake_minimum_required(VERSION 3.25)\nproject(probe C)\nfind_package({name} 3.14 REQUIRED)\n"
                   f"add_executable(probe probe.c)\ntarget_link_libraries(probe Amphis::{name})\n")
    with open(os.path.join(folder, "probe.c"), "w") as file:
        file.write(EMBEDDING)
    run(cmake, "-G", "Ninja", "-S", folder, "-B", folder + "/build", f"-DCMAKE_PREFIX_PATH={prefix}")
    run(cmake, "--build", folder + "/build")
    out = run(folder + "/build/probe", environment={"PYTHONHOME": prefix})
    check(out.split()[-1], flags or "-", "the program made with the CMake package")


def main(cmake, compiler, *trees):
    with tempfile.TemporaryDirectory() as work:
        work = os.path.realpath(work)
        first, second = os.path.join(work, "first"), os.path.join(work, "second", "place")
        for tree in trees:
            run(cmake, "--install", tree, "--prefix", first)
        variants = [flags for flags in ("", "t") if os.path.exists(os.path.join(first, "bin", "amphis3.14" + flags))]
        check(len(variants), len(trees), "number of variants installed")
        for flags in variants:
            check_variant(first, flags, compiler, work)
        os.makedirs(os.path.dirname(second))
        os.rename(first, second)
        for flags in variants:
            shutil.rmtree(os.path.join(work, "venv" + flags))
            check_variant(second, flags, compiler, work)
            check_package(cmake, second, flags, work)
    print("installed, moved and checked:", *("amphis3.14" + flags for flags in variants))


def is_built(tree):
    """Whether the other variant's tree is there and its library newer than the sources."""
    library = [os.path.join(tree, "runtime", f"libamphis3.14{flags}.so.1.0") for flags in ("", "t")]
    library = [path for path in library if os.path.exists(path)]
    if not library:
        return False
    built = os.path.getmtime(library[0])
    top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return all(os.path.getmtime(os.path.join(folder, name)) <= built
               for part in ("abi", "cmake", "extensions", "library", "runtime")
               for folder, _, names in os.walk(os.path.join(top, part))
               for name in names if name.endswith((".h", ".hpp", ".cpp", ".c", ".def", ".in", ".py", ".txt", ".cmake")))


own, *others = dict.fromkeys(sys.argv[3:])
main(sys.argv[1], sys.argv[2], own, *(tree for tree in others if is_built(tree)))
