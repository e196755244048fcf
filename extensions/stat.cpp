// The module _stat: the bits of st_mode.
#include "support.h"

#include <sys/stat.h>

namespace {

bool to_mode(PyObject* arg, mode_t* mode) {
  ext::Ref index(PyNumber_Index(arg));
  if (!index) return false;
  const unsigned long value = PyLong_AsUnsignedLong(index.get());
  if (value == static_cast<unsigned long>(-1) && PyErr_Occurred()) return false;
  *mode = static_cast<mode_t>(value);
  if (*mode == value) return true;
  PyErr_SetString(PyExc_OverflowError, "mode out of range");
  return false;
}

template <mode_t Type>
PyObject* is_type(PyObject*, PyObject* arg) {
  mode_t mode;
  return to_mode(arg, &mode) ? PyBool_FromLong(Type != 0 && (mode & S_IFMT) == Type) : nullptr;
}
PyObject* permissions(PyObject*, PyObject* arg) {
  mode_t mode;
  return to_mode(arg, &mode) ? PyLong_FromUnsignedLong(mode & 07777) : nullptr;
}
PyObject* type_bits(PyObject*, PyObject* arg) {
  mode_t mode;
  return to_mode(arg, &mode) ? PyLong_FromUnsignedLong(mode & S_IFMT) : nullptr;
}

char type_letter(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return '-';
    case S_IFDIR:
      return 'd';
    case S_IFLNK:
      return 'l';
    case S_IFBLK:
      return 'b';
    case S_IFCHR:
      return 'c';
    case S_IFIFO:
      return 'p';
    case S_IFSOCK:
      return 's';
    default:
      return '?';
  }
}

PyObject* filemode(PyObject*, PyObject* arg) {
  mode_t mode;
  if (!to_mode(arg, &mode)) return nullptr;
  char text[10] = {type_letter(mode)};
  for (int i = 0; i < 9; i++) text[i + 1] = mode & (0400u >> i) ? "rwx"[i % 3] : '-';
  if (mode & S_ISUID) text[3] = mode & S_IXUSR ? 's' : 'S';
  if (mode & S_ISGID) text[6] = mode & S_IXGRP ? 's' : 'S';
  if (mode & S_ISVTX) text[9] = mode & S_IXOTH ? 't' : 'T';
  return PyUnicode_FromStringAndSize(text, sizeof text);
}

#define CONSTANT(name) {#name, static_cast<long long>(name)}
const ext::IntConstant constants[] = {
    CONSTANT(S_IFDIR), CONSTANT(S_IFCHR), CONSTANT(S_IFBLK), CONSTANT(S_IFREG), CONSTANT(S_IFIFO), CONSTANT(S_IFLNK),
    CONSTANT(S_IFSOCK), {"S_IFDOOR", 0}, {"S_IFPORT", 0}, {"S_IFWHT", 0}, CONSTANT(S_ISUID), CONSTANT(S_ISGID),
    CONSTANT(S_ISVTX), {"S_ENFMT", S_ISGID}, CONSTANT(S_IREAD), CONSTANT(S_IWRITE), CONSTANT(S_IEXEC),
    CONSTANT(S_IRWXU), CONSTANT(S_IRUSR), CONSTANT(S_IWUSR), CONSTANT(S_IXUSR), CONSTANT(S_IRWXG), CONSTANT(S_IRGRP),
    CONSTANT(S_IWGRP), CONSTANT(S_IXGRP), CONSTANT(S_IRWXO), CONSTANT(S_IROTH), CONSTANT(S_IWOTH), CONSTANT(S_IXOTH),
    {"UF_SETTABLE", 0xffff}, {"UF_NODUMP", 1}, {"UF_IMMUTABLE", 2}, {"UF_APPEND", 4}, {"UF_OPAQUE", 8},
    {"UF_NOUNLINK", 0x10}, {"UF_COMPRESSED", 0x20}, {"UF_TRACKED", 0x40}, {"UF_DATAVAULT", 0x80},
    {"UF_HIDDEN", 0x8000}, {"SF_SETTABLE", 0xffff0000}, {"SF_ARCHIVED", 0x10000}, {"SF_IMMUTABLE", 0x20000},
    {"SF_APPEND", 0x40000}, {"SF_NOUNLINK", 0x100000}, {"SF_SNAPSHOT", 0x200000}, {"SF_FIRMLINK", 0x800000},
    {"SF_DATALESS", 0x40000000}, {"ST_MODE", 0}, {"ST_INO", 1}, {"ST_DEV", 2}, {"ST_NLINK", 3}, {"ST_UID", 4},
    {"ST_GID", 5}, {"ST_SIZE", 6}, {"ST_ATIME", 7}, {"ST_MTIME", 8}, {"ST_CTIME", 9},
};

int execute(PyObject* module) { return ext::add_constants(module, constants); }

#define TEST(name, type) {#name, is_type<type>, METH_O, #name "(mode) -> bool"}
PyMethodDef methods[] = {
    TEST(S_ISDIR, S_IFDIR), TEST(S_ISCHR, S_IFCHR), TEST(S_ISBLK, S_IFBLK), TEST(S_ISREG, S_IFREG),
    TEST(S_ISFIFO, S_IFIFO), TEST(S_ISLNK, S_IFLNK), TEST(S_ISSOCK, S_IFSOCK), TEST(S_ISDOOR, 0), TEST(S_ISPORT, 0),
    TEST(S_ISWHT, 0),
    {"S_IMODE", permissions, METH_O, "The bits of a mode that os.chmod() can set."},
    {"S_IFMT", type_bits, METH_O, "The bits of a mode that tell the type of the file."},
    {"filemode", filemode, METH_O, "A mode as ls shows it: '-rwxrwxrwx'."},
    {nullptr, nullptr, 0, nullptr},
};
PyModuleDef_Slot slots[] = EXT_MODULE_SLOTS(execute);
PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_stat",
    .m_doc = "The bits of st_mode.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace

PyMODINIT_FUNC PyInit__stat(void) { return PyModuleDef_Init(&definition); }
