"""The limited API is what CPython 3.14 says (cp314-symbols.tsv): for each version, the headers show every function and
variable of the stable ABI from the version on in which CPython's do, and none that is not part of it; objects' insides and the
macros that reach into them are hidden; everything compiles as C11 and C++17 without a warning.

    check_limited_api.py   (run by the interpreter whose headers are meant; needs its C compiler)
"""
import csv
import os
import re
import subprocess
import sys
import sysconfig

FREE = sys.abiflags == "t"
INCLUDE = ["-I" + folder for folder in sorted({sysconfig.get_path("include"), sysconfig.get_path("platinclude"),
                                              sysconfig.get_config_var("CONFINCLUDEPY")})]
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers"]

HIDDEN = {
    "struct": ["sizeof(PyTypeObject)", "sizeof(PyLongObject)", "sizeof(PyThreadState)", "sizeof(PyFrameObject)"],
    "macro": ["PyTuple_GET_ITEM(o, 0)", "PyTuple_SET_ITEM(o, 0, o)", "PyTuple_GET_SIZE(o)", "PyList_GET_ITEM(o, 0)",
              "PyList_SET_ITEM(o, 0, o)", "PyUnicode_DATA(o)", "PyUnicode_KIND(o)", "PyUnicode_GET_LENGTH(o)",
              "PyUnicode_READ_CHAR(o, 0)", "PyBytes_AS_STRING(o)", "PyBytes_GET_SIZE(o)", "PyFloat_AS_DOUBLE(o)",
              "PyByteArray_AS_STRING(o)", "PyDict_GET_SIZE(o)", "PySet_GET_SIZE(o)", "PyCFunction_GET_FUNCTION(o)",
              "Py_TYPE(o)->tp_name", "PyUnicode_New(1, 127)", "PyUnstable_Object_IsUniquelyReferenced(o)"],
    "opaque": ["sizeof(PyObject)", "o->ob_type", "Py_SIZE(o)", "sizeof(PyModuleDef)", "sizeof(PyVarObject)"],
}


def compiler(kind="CC"):
    return sysconfig.get_config_var(kind).split()


def preprocess(defines, *options):
    done = subprocess.run([*compiler(), "-E", "-P", *options, *defines, *INCLUDE, "-x", "c", "-"],
                          input="#include <Python.h>\n", capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return done.stdout


def compiles(source, defines, kind="CC", standard="-std=c11", language="c"):
    done = subprocess.run([*compiler(kind), "-fsyntax-only", standard, *WARNINGS, *defines, *INCLUDE, "-x", language, "-"],
                          input=source, capture_output=True, text=True)
    return done.returncode == 0, done.stderr


def table(name):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    with open(path, newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def main():
    problems = []
    targets = [(f"Py_TARGET_ABI3T, 3.{minor}", [f"-DPy_TARGET_ABI3T={3 << 24 | minor << 16:#010x}"], minor) for minor in (14, 15)]
    if not FREE:
        targets += [(f"Py_LIMITED_API, 3.{minor}", [f"-DPy_LIMITED_API={3 << 24 | minor << 16:#010x}"], minor) for minor in range(2, 15)]
        targets.append(("Py_LIMITED_API=3", ["-DPy_LIMITED_API=3"], 2))
    else:
        ok, text = compiles("#include <Python.h>\n", ["-DPy_LIMITED_API=0x030a0000"])
        if ok or "Py_TARGET_ABI3T" not in text:
            problems.append("Py_LIMITED_API alone must be refused with a text that names Py_TARGET_ABI3T")
    full = set(re.findall(r"\w+", preprocess([]))) | set(re.findall(r"(?m)^#define (\w+)", preprocess([], "-dM")))
    # Functions that only this variant's headers or no headers declare are no business of this check.
    rows = [row for row in table("cp314-symbols.tsv") if row["kind"] in ("function", "data") and row["exported"] == "yes" and row["name"] in full]
    # CPython's headers show some names in other versions than the one that the table promises.
    differs = {row["name"]: int(row["minor"]) for row in table("cp314-shown-from.tsv")}
    shown = 0
    for what, defines, minor in targets:
        words = set(re.findall(r"\w+", preprocess(defines)))
        macros = set(re.findall(r"(?m)^#define (\w+)", preprocess(defines, "-dM")))
        for row in rows:
            name, since = row["name"], row["stable_since"]
            seen = name in words or name in macros
            if since.endswith("*") or name.startswith("_"):
                continue  # exported for macros: a header may show it or not
            if "ABI3T" in defines[0] and name.startswith(("PyMutex_", "PyCriticalSection")):
                continue  # part of the stable ABI for free threading
            wanted = bool(since) and differs.get(name, int(since.partition(".")[2] or 0)) <= minor
            shown += seen
            if seen and not wanted and not since:
                problems.append(f"{what}: shows {name}, which is no part of the stable ABI")
            elif seen and not wanted:
                problems.append(f"{what}: shows {name}, which came in {since}")
            elif wanted and not seen:
                problems.append(f"{what}: hides {name} of {since}")
        for kind, standard, language in (("CC", "-std=c11", "c"), ("CXX", "-std=c++17", "c++")):
            ok, text = compiles("#define PY_SSIZE_T_CLEAN\n#include <Python.h>\n#include <structmember.h>\n", defines, kind, standard, language)
            if not ok:
                problems.append(f"{what}: does not compile as {standard}: {text}")
        opaque = "ABI3T" in defines[0]
        for group in ("struct", "macro", *(["opaque"] if opaque else [])):
            for expression in HIDDEN[group]:
                ok, _ = compiles(f"#include <Python.h>\nvoid f(PyObject* o);\nvoid f(PyObject* o) {{ (void)o; (void)({expression}); }}\n", defines)
                if ok:
                    problems.append(f"{what}: {expression} compiles")
    for kind, standard, language in (("CC", "-std=c11", "c"), ("CXX", "-std=c++17", "c++"), ("CXX", "-std=c++20", "c++")):
        ok, text = compiles("#include <Python.h>\n#include <datetime.h>\n#include <frameobject.h>\n#include <structmember.h>\n", [], kind, standard, language)
        if not ok:
            problems.append(f"the whole API does not compile as {standard}: {text}")
    print(f"{len(targets)} targets, {len(rows)} exported names, {shown} seen in all")
    print("\n".join(problems))
    return 1 if problems else 0


sys.exit(main())
