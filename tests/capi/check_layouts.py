"""Every public struct has the layout of CPython 3.14's ABI of the same variant: each row of cp314-layouts.tsv (struct, size,
field, offset, bits) is asked of the headers by a C program, compiled as C11 and as C++17.

    check_layouts.py   (run by the interpreter whose headers are meant; needs its C compiler)
"""
import os
import subprocess
import sys
import sysconfig
import tempfile

HEADERS = ["Python.h", "structmember.h", "datetime.h", "frameobject.h", "stddef.h", "string.h", "stdio.h"]


def read_rows(abi):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cp314-layouts.tsv")
    with open(path) as file:
        for line in file:
            name, struct, size, field, offset, bits = (line.rstrip("\n").split("\t") + ["", ""])[:6]
            if name == abi:
                yield struct, int(size), field, offset, bits


# Names of structs without a typedef of the same name.
def spelling(struct):
    tags = {"_object", "_typeobject", "_heaptypeobject", "_ts", "_longobject", "_err_stackitem", "_PyUnicodeObject_state",
            "_specialization_cache", "wrapperbase", "_line_offsets", "_opaque", "_PyMonitoringState", "_Py_tss_t", "_PyWeakReference"}
    return "struct " + struct if struct in tags else struct


def program(rows):
    lines = [f"#include <{header}>" for header in HEADERS]
    lines += ["static int failures;",
              "static void same(const char* what, long long is, long long ought) {",
              '  if (is != ought) { printf("%s is %lld, not %lld\\n", what, is, ought); ++failures; }', "}",
              "int main(void) {"]
    seen = set()
    for struct, size, field, offset, bits in rows:
        name = spelling(struct)
        if struct not in seen:
            seen.add(struct)
            lines.append(f'  same("sizeof {struct}", sizeof({name}), {size});')
        if not field or not field.isidentifier() or field in ("int", "unsigned"):
            continue  # padding has no name
        if bits:
            first, last = map(int, bits.split("-"))
            # A field of bits has no address: with all its bits set, these are the bits that memory shows.
            mask = ((1 << (last - first + 1)) - 1) << first
            lines.append(f"  {{ union {{ {name} s; unsigned char raw[sizeof({name})]; }} u; unsigned long long found = 0;"
                         f" memset(&u, 0, sizeof u); u.s.{field} = {(1 << (last - first + 1)) - 1};"
                         f' memcpy(&found, u.raw + {offset}, sizeof u - {offset} < 8 ? sizeof u - {offset} : 8);'
                         f' same("{struct}.{field}", (long long)found, {mask}LL); }}')
        else:
            lines.append(f'  same("{struct}.{field}", offsetof({name}, {field}), {offset});')
    lines += ["  return failures != 0;", "}"]
    return "\n".join(lines) + "\n", len(seen)


def main():
    abi = "cp314t" if sys.abiflags == "t" else "cp314"
    rows = list(read_rows(abi))
    source, structs = program(rows)
    include = {sysconfig.get_path("include"), sysconfig.get_path("platinclude"), sysconfig.get_config_var("CONFINCLUDEPY")}
    status = 0
    with tempfile.TemporaryDirectory() as work:
        for suffix, compiler, standard in ((".c", "CC", "-std=gnu11"), (".cpp", "CXX", "-std=gnu++17")):
            path, binary = os.path.join(work, "layouts" + suffix), os.path.join(work, "layouts")
            with open(path, "w") as file:
                file.write(source)
            subprocess.run([*sysconfig.get_config_var(compiler).split(), standard, *(["-Wno-invalid-offsetof"] if compiler == "CXX" else []),
                            *("-I" + folder for folder in sorted(include)), path, "-o", binary], check=True)
            done = subprocess.run([binary], capture_output=True, text=True)
            print(done.stdout, end="")
            status |= done.returncode
            print(f"{abi}, {standard}: {len(rows)} rows, {structs} structs: {'all equal' if done.returncode == 0 else 'differences'}")
    return status


sys.exit(main())
