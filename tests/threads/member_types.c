/* A class with a member of each kind, for the library's tests of members that several threads write. */
#include <Python.h>
#include <stddef.h>

typedef struct {
  PyObject_HEAD
  char bool_member, byte_member, char_member;
  unsigned char ubyte_member;
  short short_member;
  unsigned short ushort_member;
  int int_member;
  unsigned int uint_member;
  long long_member;
  unsigned long ulong_member;
  long long longlong_member;
  unsigned long long ulonglong_member;
  Py_ssize_t pyssizet_member;
  float float_member;
  double double_member;
  char inplace_member[6];
} AllMembers;

#define MEMBER(kind, field) {"T_" #kind, Py_T_##kind, offsetof(AllMembers, field), 0, NULL}
static PyMemberDef members[] = {
    MEMBER(BOOL, bool_member),         MEMBER(BYTE, byte_member),
    MEMBER(UBYTE, ubyte_member),       MEMBER(SHORT, short_member),
    MEMBER(USHORT, ushort_member),     MEMBER(INT, int_member),
    MEMBER(UINT, uint_member),         MEMBER(LONG, long_member),
    MEMBER(ULONG, ulong_member),       MEMBER(LONGLONG, longlong_member),
    MEMBER(ULONGLONG, ulonglong_member), MEMBER(PYSSIZET, pyssizet_member),
    MEMBER(FLOAT, float_member),       MEMBER(DOUBLE, double_member),
    MEMBER(CHAR, char_member),
    {"T_STRING_INPLACE", Py_T_STRING_INPLACE, offsetof(AllMembers, inplace_member), Py_READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};
static PyType_Slot slots[] = {{Py_tp_members, members}, {0, NULL}};
static PyType_Spec spec = {"member_types.AllMembers", sizeof(AllMembers), 0, Py_TPFLAGS_DEFAULT, slots};

static int add_types(PyObject* module) {
  PyObject* type = PyType_FromSpec(&spec);
  if (type == NULL) return -1;
  int status = PyModule_AddObjectRef(module, "_test_structmembersType_OldAPI", type);
  if (status == 0) status = PyModule_AddObjectRef(module, "_test_structmembersType_NewAPI", type);
  Py_DECREF(type);
  return status;
}
static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, (void*)add_types},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, NULL},
};
static PyModuleDef module = {PyModuleDef_HEAD_INIT, "member_types", NULL, 0, NULL, module_slots, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_member_types(void) { return PyModuleDef_Init(&module); }
