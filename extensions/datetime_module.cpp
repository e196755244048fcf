// _datetime: the module, the constants of its classes, and the table of functions that C code reaches through the capsule
// datetime.datetime_CAPI.
#include "datetime_module.h"

namespace ext::dt {

namespace {

PyObject* capi_date(int year, int month, int day, PyTypeObject* type) { return new_date({year, month, day}, type); }
PyObject* capi_datetime_fold(int year, int month, int day, int hour, int minute, int second, int us, PyObject* tzinfo, int fold, PyTypeObject* type) {
  return new_datetime({year, month, day}, {hour, minute, second, us, fold}, tzinfo, type);
}
PyObject* capi_datetime(int year, int month, int day, int hour, int minute, int second, int us, PyObject* tzinfo, PyTypeObject* type) {
  return capi_datetime_fold(year, month, day, hour, minute, second, us, tzinfo, 0, type);
}
PyObject* capi_time_fold(int hour, int minute, int second, int us, PyObject* tzinfo, int fold, PyTypeObject* type) {
  return new_time({hour, minute, second, us, fold}, tzinfo, type);
}
PyObject* capi_time(int hour, int minute, int second, int us, PyObject* tzinfo, PyTypeObject* type) {
  return capi_time_fold(hour, minute, second, us, tzinfo, 0, type);
}
PyObject* capi_datetime_timestamp(PyObject* cls, PyObject* args, PyObject* kwargs) {
  Ref function(PyObject_GetAttrString(cls, "fromtimestamp"));
  return function ? PyObject_Call(function.get(), args, kwargs) : nullptr;
}
PyObject* capi_date_timestamp(PyObject* cls, PyObject* args) {
  Ref function(PyObject_GetAttrString(cls, "fromtimestamp"));
  return function ? PyObject_CallObject(function.get(), args) : nullptr;
}

PyDateTime_CAPI capi = {
    &date_type, &datetime_type, &time_type, &delta_type, &tzinfo_type, nullptr, capi_date, capi_datetime, capi_time, delta_from_parts, new_timezone,
    capi_datetime_timestamp, capi_date_timestamp, capi_datetime_fold, capi_time_fold,
};

// A constant in a static class's namespace.
bool add_constant(PyTypeObject* type, const char* name, PyObject* steals) {
  Ref value(steals);
  Ref dict(value ? PyType_GetDict(type) : nullptr);
  return dict && PyDict_SetItemString(dict.get(), name, value.get()) == 0;
}

// The classes are static and keep them: a second module finds them there.
bool add_constants() {
  if (utc != nullptr) return true;
  constexpr Microseconds kLastOfDay = kDayMicroseconds - 1;
  constexpr Clock kLast = {23, 59, 59, 999999, 0};
  Ref zero(new_delta(0));
  utc = zero ? new_timezone(zero.get(), nullptr) : nullptr;
  if (utc == nullptr) return false;
  _Py_SetImmortal(utc);
  capi.TimeZone_UTC = utc;
  epoch = new_datetime({1970, 1, 1}, Clock{}, utc, &datetime_type);
  if (epoch == nullptr) return false;
  _Py_SetImmortal(epoch);
  // Extremes of timezone that whole minutes reach.
  constexpr Microseconds kLimit = (23 * 3600 + 59 * 60) * kMillion;
  Ref least(new_delta(-kLimit)), most(new_delta(kLimit));
  return least && most && add_constant(&delta_type, "min", new_delta(Microseconds{-kMaxDeltaDays} * kDayMicroseconds)) &&
         add_constant(&delta_type, "max", new_delta(Microseconds{kMaxDeltaDays} * kDayMicroseconds + kLastOfDay)) &&
         add_constant(&delta_type, "resolution", new_delta(1)) && add_constant(&date_type, "min", new_date({1, 1, 1}, &date_type)) &&
         add_constant(&date_type, "max", new_date({9999, 12, 31}, &date_type)) && add_constant(&date_type, "resolution", new_delta(kDayMicroseconds)) &&
         add_constant(&time_type, "min", new_time(Clock{}, Py_None, &time_type)) && add_constant(&time_type, "max", new_time(kLast, Py_None, &time_type)) &&
         add_constant(&time_type, "resolution", new_delta(1)) &&
         add_constant(&datetime_type, "min", new_datetime({1, 1, 1}, Clock{}, Py_None, &datetime_type)) &&
         add_constant(&datetime_type, "max", new_datetime({9999, 12, 31}, kLast, Py_None, &datetime_type)) &&
         add_constant(&datetime_type, "resolution", new_delta(1)) && add_constant(&timezone_type, "utc", Py_NewRef(utc)) &&
         add_constant(&timezone_type, "min", new_timezone(least.get(), nullptr)) && add_constant(&timezone_type, "max", new_timezone(most.get(), nullptr));
}

int exec_module(PyObject* module) {
  const struct {
    const char* name;
    PyTypeObject* type;
  } types[] = {{"date", &date_type}, {"datetime", &datetime_type}, {"time", &time_type}, {"timedelta", &delta_type}, {"tzinfo", &tzinfo_type},
               {"timezone", &timezone_type}};
  for (const auto& [name, type] : types) {
    if (PyType_Ready(type) < 0 || PyModule_AddObjectRef(module, name, reinterpret_cast<PyObject*>(type)) < 0) return -1;
  }
  if (PyType_Ready(&iso_calendar_type) < 0 || !add_constants()) return -1;
  if (PyModule_AddObjectRef(module, "UTC", utc) < 0 || PyModule_AddIntConstant(module, "MINYEAR", kMinYear) < 0 ||
      PyModule_AddIntConstant(module, "MAXYEAR", kMaxYear) < 0) {
    return -1;
  }
  return PyModule_Add(module, "datetime_CAPI", PyCapsule_New(&capi, PyDateTime_CAPSULE_NAME, nullptr));
}

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(exec_module)},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};

PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_datetime",
    .m_doc = PyDoc_STR("Fast implementation of the datetime module."),
    .m_slots = slots,
};

}  // namespace

}  // namespace ext::dt

PyMODINIT_FUNC PyInit__datetime(void) { return PyModuleDef_Init(&ext::dt::definition); }
