"""pyconfig.h says of the platform what is true, in CPython's words: extensions choose their code by it."""
import re
import subprocess
import sysconfig
import unittest

from test_loading import COMPILER, LoadingTest, setUpModule, tearDownModule

HEADERS_IN_FOLDERS = r"^(sys|net|netinet)_"
# What is neither a header nor a function of the macro's name.
FACTS = {"DYNAMIC_LOADING", "EPOLL", "GETHOSTBYNAME_R_6_ARG", "HTOLE64", "MAKEDEV", "WORKING_TZSET", "TM_ZONE", "ADDRINFO", "CLOCK_T",
         "BUILTIN_ATOMIC", "STD_ATOMIC", "COMPUTED_GOTOS", "DIRENT_D_TYPE", "GCC_UINT128_T", "__UINT128_T", "LONG_DOUBLE", "LONG_LONG",
         "PROTOTYPES", "STDARG_PROTOTYPES", "SOCKADDR_STORAGE", "SOCKLEN_T", "SSIZE_T", "STAT_TV_NSEC", "STRUCT_STAT_ST_BLKSIZE",
         "STRUCT_STAT_ST_BLOCKS", "STRUCT_STAT_ST_RDEV", "STRUCT_TM_TM_ZONE"}
TYPES = {"VOID_P": "void*", "LONG_LONG": "long long", "LONG_DOUBLE": "long double", "_BOOL": "_Bool"}

USES = """
#include <dirent.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
SIZES
struct facts { struct addrinfo a; struct sockaddr_storage b; socklen_t c; ssize_t d; clock_t e; __uint128_t f; };
static PyObject* count(PyObject* self, PyObject* unused) {
  cpu_set_t set;  // only where all of the C library is shown
  struct stat st = {0};
  struct tm tm = {0};
  struct dirent d = {0};
  if (st.st_blksize != 0 || st.st_blocks != 0 || st.st_rdev != 0 || st.st_mtim.tv_nsec != 0 || tm.tm_zone != NULL || d.d_type != 0) return NULL;
  return sched_getaffinity(0, sizeof set, &set) < 0 ? PyErr_SetFromErrno(PyExc_OSError) : PyLong_FromLong(CPU_COUNT(&set));
}
static PyMethodDef methods[] = {{"count", count, METH_NOARGS, NULL}, {0}};
static PyModuleDef_Slot slots[] = {{Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0, NULL}};
static PyModuleDef def = {PyModuleDef_HEAD_INIT, "NAME", NULL, 0, methods, slots};
PyMODINIT_FUNC PyInit_NAME(void) { return PyModuleDef_Init(&def); }
"""


class ConfigHeader(LoadingTest):
    def macros(self):
        with open(sysconfig.get_config_h_filename()) as file:
            return dict(re.findall(r"(?m)^#define (\w+) (.+)$", file.read()))

    def test_after_the_header_all_of_the_c_library_is_shown_and_sizes_are_what_it_says(self):
        sizes = {name.removeprefix("SIZEOF_"): value for name, value in self.macros().items() if name.startswith("SIZEOF_")}
        self.assertGreater(len(sizes), 15)
        checks = "".join(f'_Static_assert(sizeof({TYPES.get(name, name.lower())}) == {value}, "{name}");\n' for name, value in sizes.items())
        self.build("shown", USES.replace("SIZES", checks), flags=["-std=c11"])
        import shown
        self.assertGreaterEqual(shown.count(), 1)
        # A module that asked for it itself is not told so again.
        self.build("asked", USES.replace("SIZES", ""), flags=["-D_GNU_SOURCE", "-D_POSIX_C_SOURCE=200112L", "-D_FILE_OFFSET_BITS=64", "-Werror", "-Wall"])

    def test_the_headers_and_functions_that_it_names_are_there(self):
        names = [name.removeprefix("HAVE_") for name in self.macros() if name.startswith("HAVE_")]
        self.assertLessEqual(FACTS, set(names))
        headers = [re.sub(HEADERS_IN_FOLDERS, r"\1/", name[:-2].lower()) + ".h" for name in names if name.endswith("_H")]
        functions = [name.lower() for name in names if not name.endswith("_H") and name not in FACTS]
        self.assertGreater(min(len(headers), len(functions)), 40)
        source = "".join(f"#include <{header}>\n" for header in headers) + "int main(void) { return (int)dlopen; }\n"
        self.compile(source, "-D_GNU_SOURCE", "-fsyntax-only")
        source = "".join(f"char {name}(void);\n" for name in functions)
        source += "int main(void) { return 0 " + "".join(f"+ {name}()" for name in functions) + "; }\n"
        self.compile(source, "-fno-builtin", "-o", f"{self.folder}/linked", "-lm", "-lpthread", "-ldl", "-lrt")

    def compile(self, source, *flags):
        done = subprocess.run([*COMPILER, "-w", "-x", "c", "-", *flags], input=source, text=True, capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
