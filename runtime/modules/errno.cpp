// errno: the system's error numbers by name, and back.
#include "sync/ref.h"

#include <cerrno>

namespace amphis {

namespace {

constexpr struct {
  const char* name;
  int value;
} kErrors[] = {
#define E(name) {#name, name},
    E(ENODEV) E(ENOCSI) E(EHOSTUNREACH) E(ENOMSG) E(EUCLEAN) E(EL2NSYNC) E(EL2HLT) E(ENODATA) E(ENOTBLK) E(ENOSYS) E(EPIPE)
    E(EINVAL) E(EOVERFLOW) E(EADV) E(EINTR) E(EUSERS) E(ENOTEMPTY) E(ENOBUFS) E(EPROTO) E(EREMOTE) E(ENAVAIL) E(ECHILD)
    E(ELOOP) E(EXDEV) E(E2BIG) E(ESRCH) E(EMSGSIZE) E(EAFNOSUPPORT) E(EBADR) E(EHOSTDOWN) E(EPFNOSUPPORT) E(ENOPROTOOPT)
    E(EBUSY) E(EWOULDBLOCK) E(EBADFD) E(EDOTDOT) E(EISCONN) E(ENOTCONN) E(ESHUTDOWN) E(ENONET) E(EBADE) E(EBADF)
    E(EMULTIHOP) E(EIO) E(EUNATCH) E(EPROTOTYPE) E(ENOSPC) E(ENOEXEC) E(EALREADY) E(ENETDOWN) E(ENOTNAM) E(EACCES) E(ELNRNG)
    E(EILSEQ) E(ENOTDIR) E(ENOTUNIQ) E(EPERM) E(EDOM) E(EXFULL) E(ECONNREFUSED) E(EISDIR) E(EPROTONOSUPPORT) E(EROFS)
    E(EADDRNOTAVAIL) E(EIDRM) E(ECOMM) E(ESRMNT) E(EREMOTEIO) E(EL3RST) E(EBADMSG) E(ENFILE) E(ELIBMAX) E(ESPIPE) E(ENOLINK)
    E(ENETRESET) E(ETIMEDOUT) E(ENOENT) E(EEXIST) E(EDQUOT) E(ENOSTR) E(EBADSLT) E(EBADRQC) E(ELIBACC) E(EFAULT) E(EFBIG)
    E(EDEADLK) E(EDEADLOCK) E(ELIBBAD) E(ENOSR) E(ENOTSOCK) E(EDESTADDRREQ) E(EISNAM) E(ESTRPIPE) E(EBFONT) E(ELIBSCN)
    E(ELIBEXEC) E(EMFILE) E(ENOLCK) E(ENOMEM) E(ENOTSUP) E(EOPNOTSUPP) E(ERANGE) E(ERESTART) E(ESOCKTNOSUPPORT) E(ESTALE)
    E(ETIME) E(ETOOMANYREFS) E(ETXTBSY) E(EADDRINUSE) E(EAGAIN) E(ECANCELED) E(ECHRNG) E(ECONNABORTED) E(ECONNRESET)
    E(EINPROGRESS) E(EKEYEXPIRED) E(EKEYREJECTED) E(EKEYREVOKED) E(EMEDIUMTYPE) E(EMLINK) E(ENAMETOOLONG) E(ENETUNREACH)
    E(ENOANO) E(ENOKEY) E(ENOMEDIUM) E(ENOPKG) E(ENOTRECOVERABLE) E(ENOTTY) E(ENXIO) E(EOWNERDEAD) E(EREMCHG) E(ERFKILL)
    E(EHWPOISON) E(EL3HLT)
#undef E
};

int exec(PyObject* module) {
  PyObject* dict = PyModule_GetDict(module);
  Ref<> codes = Ref<>::steal(PyDict_New());
  if (!codes || PyDict_SetItemString(dict, "errorcode", codes) < 0) return -1;
  for (const auto& e : kErrors) {
    Ref<> name = Ref<>::steal(PyUnicode_InternFromString(e.name));
    Ref<> value = Ref<>::steal(PyLong_FromLong(e.value));
    if (!name || !value || PyDict_SetItem(dict, name, value) < 0 || PyDict_SetItem(codes, value, name) < 0) return -1;
  }
  return 0;
}

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(exec)},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};
PyModuleDef def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "errno",
    .m_doc = "This module makes available standard errno system symbols.\n\nThe value of each symbol is the corresponding "
             "integer value,\ne.g., on most systems, errno.ENOENT equals the integer 2.\n\nThe dictionary errno.errorcode "
             "maps numeric codes to symbol names,\ne.g., errno.errorcode[2] could be the string 'ENOENT'.\n\nSymbols that "
             "are not relevant to the underlying system are not defined.\n\nTo map error codes to error messages, use the "
             "function os.strerror(),\ne.g. os.strerror(2) could return 'No such file or directory'.",
    .m_size = 0,
    .m_slots = slots,
};

}  // namespace

}  // namespace amphis

extern "C" PyObject* PyInit_errno(void) { return PyModuleDef_Init(&amphis::def); }
