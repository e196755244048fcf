// The module posix, put together from the posix_*.cpp files, and its constants.
#include "modules/posix.h"

#include <dlfcn.h>
#include <limits.h>
#include <linux/limits.h>
#include <sched.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <sysexits.h>
#include <unistd.h>

// Kernel constants that <fcntl.h> and <sys/mman.h> leave to linux/ headers, which clash with them.
#ifndef MFD_HUGE_SHIFT
#define MFD_HUGE_SHIFT 26
#define MFD_HUGE_MASK 0x3f
#define MFD_HUGE_64KB (16 << MFD_HUGE_SHIFT)
#define MFD_HUGE_512KB (19 << MFD_HUGE_SHIFT)
#define MFD_HUGE_1MB (20 << MFD_HUGE_SHIFT)
#define MFD_HUGE_2MB (21 << MFD_HUGE_SHIFT)
#define MFD_HUGE_8MB (23 << MFD_HUGE_SHIFT)
#define MFD_HUGE_16MB (24 << MFD_HUGE_SHIFT)
#define MFD_HUGE_32MB (25 << MFD_HUGE_SHIFT)
#define MFD_HUGE_256MB (28 << MFD_HUGE_SHIFT)
#define MFD_HUGE_512MB (29 << MFD_HUGE_SHIFT)
#define MFD_HUGE_1GB (30 << MFD_HUGE_SHIFT)
#define MFD_HUGE_2GB (31U << MFD_HUGE_SHIFT)
#define MFD_HUGE_16GB (34ULL << MFD_HUGE_SHIFT & 0xffffffff)
#endif
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE 6
#endif

namespace amphis::posix {
namespace {

struct Constant {
  const char* name;
  long long value;
};
constexpr Constant kConstants[] = {
#define AMPHIS_POSIX_CONSTANT(name) {#name, static_cast<long long>(name)},
#include "modules/posix_constants.def"
#undef AMPHIS_POSIX_CONSTANT
    {"POSIX_SPAWN_OPEN", 0},
    {"POSIX_SPAWN_CLOSE", 1},
    {"POSIX_SPAWN_DUP2", 2},
    {"POSIX_SPAWN_CLOSEFROM", 3},
    {"NGROUPS_MAX", NGROUPS_MAX},
    {"TMP_MAX", TMP_MAX},
    {"SCHED_NORMAL", SCHED_OTHER},
    {"P_PIDFD", 3},
    {"PIDFD_NONBLOCK", O_NONBLOCK},
    {"O_LARGEFILE", 0},
    {"XATTR_SIZE_MAX", 65536},
};

// What os.py builds its sets of supported features from.
constexpr const char* kFeatures[] = {
    "HAVE_EVENTFD",  "HAVE_TIMERFD_CREATE", "HAVE_FACCESSAT", "HAVE_FCHDIR",    "HAVE_FCHMOD",     "HAVE_FCHMODAT",
    "HAVE_FCHOWN",   "HAVE_FCHOWNAT",       "HAVE_FEXECVE",   "HAVE_FDOPENDIR", "HAVE_FPATHCONF",  "HAVE_FSTATAT",
    "HAVE_FSTATVFS", "HAVE_FTRUNCATE",      "HAVE_FUTIMENS",  "HAVE_FUTIMES",   "HAVE_FUTIMESAT",  "HAVE_LINKAT",
    "HAVE_LCHOWN",   "HAVE_LSTAT",          "HAVE_LUTIMES",   "HAVE_MEMFD_CREATE", "HAVE_MKDIRAT", "HAVE_MKFIFOAT",
    "HAVE_MKNODAT",  "HAVE_OPENAT",         "HAVE_READLINKAT", "HAVE_RENAMEAT", "HAVE_SYMLINKAT",  "HAVE_UNLINKAT",
    "HAVE_UTIMENSAT", "HAVE_PTSNAME_R",
};

int add_features(PyObject* module) {
  Ref<> list = Ref<>::steal(PyList_New(0));
  if (!list) return -1;
  for (const char* feature : kFeatures) {
    Ref<> text = Ref<>::steal(PyUnicode_FromString(feature));
    if (!text || PyList_Append(list.get(), text.get()) < 0) return -1;
  }
  return PyModule_AddObjectRef(module, "_have_functions", list.get());
}

int module_exec(PyObject* module) {
  for (PyMethodDef* table : {path_methods, stat_methods, dir_methods, fd_methods, fd_more_methods, process_methods,
                             identity_methods, schedule_methods, system_methods}) {
    if (PyModule_AddFunctions(module, table) < 0) return -1;
  }
  if (PyModule_AddObjectRef(module, "error", PyExc_OSError) < 0) return -1;
  if (add_constants(module) < 0 || add_features(module) < 0) return -1;
  return add_stat(module) < 0 || add_dir(module) < 0 || add_process(module) < 0 || add_schedule(module) < 0 ||
                 add_system(module) < 0
             ? -1
             : 0;
}

PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(module_exec)},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};

PyModuleDef module_definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "posix",
    .m_doc = "The system calls of POSIX and Linux. The module os shows them, with more around them.",
    .m_size = 0,
    .m_slots = module_slots,
};

}  // namespace

int add_constants(PyObject* module) {
  for (const Constant& constant : kConstants) {
    Ref<> value = Ref<>::steal(PyLong_FromLongLong(constant.value));
    if (!value || PyModule_AddObjectRef(module, constant.name, value.get()) < 0) return -1;
  }
  return 0;
}

}  // namespace amphis::posix

PyMODINIT_FUNC PyInit_posix(void) { return PyModuleDef_Init(&amphis::posix::module_definition); }
