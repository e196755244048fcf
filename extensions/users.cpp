// The modules pwd and grp: the databases of users and groups.
#include "support.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>

#include <memory>

namespace {

using ext::Ref;

PyTypeObject* passwd_type = nullptr;
PyTypeObject* group_type = nullptr;

PyObject* text(const char* value) {
  if (value == nullptr) Py_RETURN_NONE;
  return PyUnicode_DecodeFSDefault(value);
}
PyObject* id_object(uint32_t id) {
  return id == static_cast<uint32_t>(-1) ? PyLong_FromLong(-1) : PyLong_FromUnsignedLong(id);
}

// Fills a result from `values`, which are new references and all taken; null if one is null.
PyObject* result_of(PyTypeObject* type, std::initializer_list<PyObject*> values) {
  Ref result(PyStructSequence_New(type));
  bool ok = static_cast<bool>(result);
  Py_ssize_t i = 0;
  for (PyObject* value : values) {
    if (value == nullptr) ok = false;
    if (result && value != nullptr)
      PyStructSequence_SetItem(result.get(), i, value);
    else
      Py_XDECREF(value);
    i++;
  }
  return ok ? result.release() : nullptr;
}

PyObject* passwd_object(const struct passwd& p) {
  return result_of(passwd_type, {text(p.pw_name), text(p.pw_passwd), id_object(p.pw_uid), id_object(p.pw_gid),
                                 text(p.pw_gecos), text(p.pw_dir), text(p.pw_shell)});
}

PyObject* group_object(const struct group& g) {
  Ref members(PyList_New(0));
  for (char** p = g.gr_mem; members && p != nullptr && *p != nullptr; p++) {
    Ref name(text(*p));
    if (!name || PyList_Append(members.get(), name.get()) < 0) return nullptr;
  }
  return members ? result_of(group_type, {text(g.gr_name), text(g.gr_passwd), id_object(g.gr_gid), members.release()})
                 : nullptr;
}

// Calls a get..._r function with ever more memory. found is null when there is no such entry; false: an exception.
template <class Entry, class F>
bool look_up(F f, Entry* entry, Entry** found, std::unique_ptr<char[]>* memory) {
  for (size_t size = 1024; size <= size_t{1} << 24; size *= 2) {
    memory->reset(new char[size]);
    int error;
    {
      ext::Away away;
      error = f(entry, memory->get(), size, found);
    }
    if (error == ERANGE) continue;
    if (error != 0) *found = nullptr;
    return true;
  }
  PyErr_NoMemory();
  return false;
}

// Text without null characters, as bytes of the file system's encoding.
Ref name_argument(PyObject* arg) {
  PyObject* bytes = nullptr;
  return Ref(PyUnicode_FSConverter(arg, &bytes) ? bytes : nullptr);
}

PyObject* getpwnam_(PyObject*, PyObject* arg) {
  if (!PyUnicode_Check(arg)) return PyErr_Format(PyExc_TypeError, "getpwnam() argument must be str, not %T", arg);
  Ref name = name_argument(arg);
  if (!name) return nullptr;
  struct passwd entry, *found = nullptr;
  std::unique_ptr<char[]> memory;
  if (!look_up([&](auto... a) { return getpwnam_r(PyBytes_AS_STRING(name.get()), a...); }, &entry, &found, &memory))
    return nullptr;
  return found ? passwd_object(*found) : PyErr_Format(PyExc_KeyError, "getpwnam(): name not found: %R", arg);
}

PyObject* getpwuid_(PyObject*, PyObject* arg) {
  uid_t uid;
  if (!_Py_Uid_Converter(arg, &uid)) {
    if (PyErr_ExceptionMatches(PyExc_OverflowError)) PyErr_SetString(PyExc_KeyError, "getpwuid(): uid not found");
    return nullptr;
  }
  struct passwd entry, *found = nullptr;
  std::unique_ptr<char[]> memory;
  if (!look_up([&](auto... a) { return getpwuid_r(uid, a...); }, &entry, &found, &memory)) return nullptr;
  if (found) return passwd_object(*found);
  Ref number(id_object(uid));
  return number ? PyErr_Format(PyExc_KeyError, "getpwuid(): uid not found: %S", number.get()) : nullptr;
}

PyObject* getgrgid_(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"id", nullptr};
  PyObject* arg;
  gid_t gid;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:getgrgid", const_cast<char**>(keywords), &arg)) return nullptr;
  if (!_Py_Gid_Converter(arg, &gid)) return nullptr;
  struct group entry, *found = nullptr;
  std::unique_ptr<char[]> memory;
  if (!look_up([&](auto... a) { return getgrgid_r(gid, a...); }, &entry, &found, &memory)) return nullptr;
  if (found) return group_object(*found);
  Ref number(id_object(gid));
  return number ? PyErr_Format(PyExc_KeyError, "getgrgid(): gid not found: %S", number.get()) : nullptr;
}

PyObject* getgrnam_(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"name", nullptr};
  PyObject* arg;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:getgrnam", const_cast<char**>(keywords), &arg)) return nullptr;
  if (!PyUnicode_Check(arg)) return PyErr_Format(PyExc_TypeError, "getgrnam() argument 'name' must be str, not %T", arg);
  Ref name = name_argument(arg);
  if (!name) return nullptr;
  struct group entry, *found = nullptr;
  std::unique_ptr<char[]> memory;
  if (!look_up([&](auto... a) { return getgrnam_r(PyBytes_AS_STRING(name.get()), a...); }, &entry, &found, &memory))
    return nullptr;
  return found ? group_object(*found) : PyErr_Format(PyExc_KeyError, "getgrnam(): name not found: %R", arg);
}

// The walks over the whole databases have one position for the process.
PyMutex walking{};

template <class Next, class Make>
PyObject* collect(void (*begin)(), void (*end)(), Next next, Make make) {
  Ref list(PyList_New(0));
  if (!list) return nullptr;
  PyMutex_Lock(&walking);
  begin();
  bool ok = true;
  while (auto* entry = next()) {
    Ref item(make(*entry));
    if (!item || PyList_Append(list.get(), item.get()) < 0) {
      ok = false;
      break;
    }
  }
  end();
  PyMutex_Unlock(&walking);
  return ok ? list.release() : nullptr;
}
PyObject* getpwall_(PyObject*, PyObject*) { return collect(setpwent, endpwent, getpwent, passwd_object); }
PyObject* getgrall_(PyObject*, PyObject*) { return collect(setgrent, endgrent, getgrent, group_object); }

PyStructSequence_Field passwd_fields[] = {{"pw_name", "user name"},
                                          {"pw_passwd", "password"},
                                          {"pw_uid", "user id"},
                                          {"pw_gid", "group id"},
                                          {"pw_gecos", "real name"},
                                          {"pw_dir", "home directory"},
                                          {"pw_shell", "shell program"},
                                          {nullptr, nullptr}};
PyStructSequence_Desc passwd_desc = {"pwd.struct_passwd", "An entry of the database of users.", passwd_fields, 7};
PyStructSequence_Field group_fields[] = {{"gr_name", "group name"},
                                         {"gr_passwd", "password"},
                                         {"gr_gid", "group id"},
                                         {"gr_mem", "group members"},
                                         {nullptr, nullptr}};
PyStructSequence_Desc group_desc = {"grp.struct_group", "An entry of the database of groups.", group_fields, 4};

int execute_pwd(PyObject* module) {
  if (passwd_type == nullptr) passwd_type = PyStructSequence_NewType(&passwd_desc);
  return passwd_type ? PyModule_AddObjectRef(module, "struct_passwd", reinterpret_cast<PyObject*>(passwd_type)) : -1;
}
int execute_grp(PyObject* module) {
  if (group_type == nullptr) group_type = PyStructSequence_NewType(&group_desc);
  return group_type ? PyModule_AddObjectRef(module, "struct_group", reinterpret_cast<PyObject*>(group_type)) : -1;
}

PyMethodDef pwd_methods[] = {
    {"getpwuid", getpwuid_, METH_O, "getpwuid($module, uidobj, /)\n--\n\nThe entry of a user identifier."},
    {"getpwnam", getpwnam_, METH_O, "getpwnam($module, name, /)\n--\n\nThe entry of a user name."},
    {"getpwall", getpwall_, METH_NOARGS, "getpwall($module, /)\n--\n\nAll entries, in no order."},
    {nullptr, nullptr, 0, nullptr},
};
PyMethodDef grp_methods[] = {
    {"getgrgid", ext::method(getgrgid_), METH_VARARGS | METH_KEYWORDS,
     "getgrgid($module, /, id)\n--\n\nThe entry of a group identifier."},
    {"getgrnam", ext::method(getgrnam_), METH_VARARGS | METH_KEYWORDS,
     "getgrnam($module, /, name)\n--\n\nThe entry of a group name."},
    {"getgrall", getgrall_, METH_NOARGS, "getgrall($module, /)\n--\n\nAll entries, in no order."},
    {nullptr, nullptr, 0, nullptr},
};
PyModuleDef_Slot pwd_slots[] = EXT_MODULE_SLOTS(execute_pwd);
PyModuleDef_Slot grp_slots[] = EXT_MODULE_SLOTS(execute_grp);
PyModuleDef pwd_definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "pwd",
    .m_doc = "The database of users.",
    .m_size = 0,
    .m_methods = pwd_methods,
    .m_slots = pwd_slots,
};
PyModuleDef grp_definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "grp",
    .m_doc = "The database of groups.",
    .m_size = 0,
    .m_methods = grp_methods,
    .m_slots = grp_slots,
};

}  // namespace

PyMODINIT_FUNC PyInit_pwd(void) { return PyModuleDef_Init(&pwd_definition); }
PyMODINIT_FUNC PyInit_grp(void) { return PyModuleDef_Init(&grp_definition); }
