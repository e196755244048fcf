"""The library exports the C API and nothing else: Py*, PY_* and _Py* names, and all that the headers of abi/ promise; and C++'s
operators new and delete.

    check_exports.py NM LIBRARY
"""
import re
import subprocess
import sys


def main(nm, library):
    out = subprocess.run([nm, "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout
    names = {line.split()[-1].partition("@")[0] for line in out.splitlines() if line.strip()}
    operators = {name for name in names if re.match(r"_Z(n[wa]m|d[la]Pv)", name)}
    inside = sorted(name for name in names - operators if not re.match(r"_?Py|PY_", name))
    mangled = sorted(name for name in names - operators if name.startswith("_Z"))
    missing = {"Py_Initialize", "PyObject_Call", "PyList_New", "PyType_FromSpec", "_Py_NoneStruct", "Py_Version"} - names
    print(f"{len(names)} exported names")
    if inside or mangled:
        print("of the implementation's own:", *inside[:20], *mangled[:20])
    if missing:
        print("missing:", *sorted(missing))
    return 1 if inside or mangled or missing else 0


sys.exit(main(*sys.argv[1:]))
