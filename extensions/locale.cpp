// The module _locale: the C library's locales and message catalogs.
#include "support.h"

#include <langinfo.h>
#include <libintl.h>
#include <locale.h>

#include <clocale>
#include <cwchar>
#include <memory>

namespace {

using ext::Ref;

PyObject* error = nullptr;

PyObject* decoded(const char* text) { return PyUnicode_DecodeLocale(text, nullptr); }

PyObject* locale_setlocale(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int category;
  if (!ext::check_positional("setlocale", nargs, 1, 2) || !ext::to_int(args[0], &category)) return nullptr;
  const char* name = nullptr;
  if (nargs == 2 && args[1] != Py_None) {
    if (!PyUnicode_Check(args[1]))
      return PyErr_Format(PyExc_TypeError, "setlocale() argument 2 must be str or None, not %T", args[1]);
    name = PyUnicode_AsUTF8(args[1]);
    if (name == nullptr) return nullptr;
  }
  const char* result = ::setlocale(category, name);
  if (result == nullptr) {
    PyErr_SetString(error, name ? "unsupported locale setting" : "locale query failed");
    return nullptr;
  }
  return decoded(result);
}

// Sizes of groups of digits: a list that ends with 0 (the last repeats) or CHAR_MAX (no more groups).
PyObject* grouping(const char* sizes) {
  Ref list(PyList_New(0));
  if (!list || sizes[0] == 0) return list.release();
  for (const char* p = sizes;; p++) {
    Ref size(PyLong_FromLong(*p));
    if (!size || PyList_Append(list.get(), size.get()) < 0) return nullptr;
    if (*p == 0 || *p == CHAR_MAX) return list.release();
  }
}

PyObject* locale_localeconv(PyObject*, PyObject*) {
  const struct lconv* l = ::localeconv();
  Ref dict(PyDict_New());
  if (!dict) return nullptr;
  auto add = [&](const char* name, PyObject* value) {
    Ref held(value);
    return held && PyDict_SetItemString(dict.get(), name, held.get()) == 0;
  };
#define TEXT(name) add(#name, decoded(l->name))
#define NUMBER(name) add(#name, PyLong_FromLong(l->name))
  const bool ok = TEXT(int_curr_symbol) && TEXT(currency_symbol) && TEXT(mon_decimal_point) && TEXT(mon_thousands_sep) &&
                  add("mon_grouping", grouping(l->mon_grouping)) && TEXT(positive_sign) && TEXT(negative_sign) &&
                  NUMBER(int_frac_digits) && NUMBER(frac_digits) && NUMBER(p_cs_precedes) && NUMBER(p_sep_by_space) &&
                  NUMBER(n_cs_precedes) && NUMBER(n_sep_by_space) && NUMBER(p_sign_posn) && NUMBER(n_sign_posn) &&
                  TEXT(decimal_point) && TEXT(thousands_sep) && add("grouping", grouping(l->grouping));
#undef TEXT
#undef NUMBER
  return ok ? dict.release() : nullptr;
}

using Wide = std::unique_ptr<wchar_t, void (*)(void*)>;

// Text without null characters.
Wide wide(PyObject* text) { return Wide(PyUnicode_AsWideCharString(text, nullptr), PyMem_Free); }

bool is_text(const char* function, int position, PyObject* arg) {
  if (PyUnicode_Check(arg)) return true;
  if (position > 0)
    PyErr_Format(PyExc_TypeError, "%s() argument %d must be str, not %T", function, position, arg);
  else
    PyErr_Format(PyExc_TypeError, "%s() argument must be str, not %T", function, arg);
  return false;
}

PyObject* locale_strcoll(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!ext::check_positional("strcoll", nargs, 2, 2) || !is_text("strcoll", 1, args[0]) || !is_text("strcoll", 2, args[1]))
    return nullptr;
  Wide a = wide(args[0]);
  Wide b = a ? wide(args[1]) : Wide(nullptr, PyMem_Free);
  return b ? PyLong_FromLong(wcscoll(a.get(), b.get())) : nullptr;
}

PyObject* locale_strxfrm(PyObject*, PyObject* arg) {
  if (!is_text("strxfrm", 0, arg)) return nullptr;
  Wide text = wide(arg);
  if (!text) return nullptr;
  errno = 0;
  size_t room = wcslen(text.get()) + 1;
  for (int i = 0; i < 2; i++) {
    auto out = std::make_unique<wchar_t[]>(room);
    const size_t n = wcsxfrm(out.get(), text.get(), room);
    if (errno != 0 && errno != ERANGE) return PyErr_SetFromErrno(PyExc_OSError);
    if (n < room) return PyUnicode_FromWideChar(out.get(), static_cast<Py_ssize_t>(n));
    room = n + 1;
  }
  return PyErr_SetFromErrno(PyExc_OSError);
}

struct Item {
  const char* name;
  int value;
};
#define ITEM(name) {#name, name}
constexpr Item items[] = {
    ITEM(DAY_1),    ITEM(DAY_2),    ITEM(DAY_3),    ITEM(DAY_4),   ITEM(DAY_5),   ITEM(DAY_6),   ITEM(DAY_7),
    ITEM(ABDAY_1),  ITEM(ABDAY_2),  ITEM(ABDAY_3),  ITEM(ABDAY_4), ITEM(ABDAY_5), ITEM(ABDAY_6), ITEM(ABDAY_7),
    ITEM(MON_1),    ITEM(MON_2),    ITEM(MON_3),    ITEM(MON_4),   ITEM(MON_5),   ITEM(MON_6),   ITEM(MON_7),
    ITEM(MON_8),    ITEM(MON_9),    ITEM(MON_10),   ITEM(MON_11),  ITEM(MON_12),  ITEM(ABMON_1), ITEM(ABMON_2),
    ITEM(ABMON_3),  ITEM(ABMON_4),  ITEM(ABMON_5),  ITEM(ABMON_6), ITEM(ABMON_7), ITEM(ABMON_8), ITEM(ABMON_9),
    ITEM(ABMON_10), ITEM(ABMON_11), ITEM(ABMON_12), ITEM(RADIXCHAR), ITEM(THOUSEP), ITEM(CRNCYSTR), ITEM(D_FMT),
    ITEM(D_T_FMT),  ITEM(T_FMT),    ITEM(AM_STR),   ITEM(PM_STR),  ITEM(CODESET), ITEM(T_FMT_AMPM), ITEM(ERA),
    ITEM(ERA_D_FMT), ITEM(ERA_D_T_FMT), ITEM(ERA_T_FMT), ITEM(ALT_DIGITS), ITEM(YESEXPR), ITEM(NOEXPR),
    {"_DATE_FMT", _DATE_FMT},
};

PyObject* locale_nl_langinfo(PyObject*, PyObject* arg) {
  int key;
  if (!ext::to_int(arg, &key)) return nullptr;
  for (const Item& item : items) {
    if (item.value != key) continue;
    const char* result = ::nl_langinfo(key);
    return decoded(result ? result : "");
  }
  PyErr_SetString(PyExc_ValueError, "unsupported langinfo constant");
  return nullptr;
}

PyObject* locale_getencoding(PyObject*, PyObject*) {
  const char* codeset = ::nl_langinfo(CODESET);
  return PyUnicode_FromString(codeset && *codeset ? codeset : "UTF-8");
}

// ---- message catalogs ----

const char* text_of(const char* function, int position, PyObject* arg) {
  return is_text(function, position, arg) ? PyUnicode_AsUTF8(arg) : nullptr;
}

PyObject* locale_gettext(PyObject*, PyObject* arg) {
  const char* message = text_of("gettext", 0, arg);
  return message ? decoded(::gettext(message)) : nullptr;
}

// None is a null pointer: the current domain.
bool optional_domain(const char* function, PyObject* arg, const char** domain) {
  *domain = nullptr;
  if (arg == Py_None) return true;
  if (!PyUnicode_Check(arg)) {
    PyErr_Format(PyExc_TypeError, "%s() argument 1 must be str or None, not %T", function, arg);
    return false;
  }
  *domain = PyUnicode_AsUTF8(arg);
  return *domain != nullptr;
}

PyObject* locale_dgettext(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* domain;
  if (!ext::check_positional("dgettext", nargs, 2, 2) || !optional_domain("dgettext", args[0], &domain)) return nullptr;
  const char* message = text_of("dgettext", 2, args[1]);
  return message ? decoded(::dgettext(domain, message)) : nullptr;
}
PyObject* locale_dcgettext(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* domain;
  int category;
  if (!ext::check_positional("dcgettext", nargs, 3, 3) || !optional_domain("dcgettext", args[0], &domain)) return nullptr;
  const char* message = text_of("dcgettext", 2, args[1]);
  if (message == nullptr || !ext::to_int(args[2], &category)) return nullptr;
  return decoded(::dcgettext(domain, message, category));
}
PyObject* locale_textdomain(PyObject*, PyObject* arg) {
  const char* domain = nullptr;
  if (arg != Py_None) {
    if (!PyUnicode_Check(arg)) return PyErr_Format(PyExc_TypeError, "textdomain() argument must be str or None, not %T", arg);
    domain = PyUnicode_AsUTF8(arg);
    if (domain == nullptr) return nullptr;
  }
  const char* result = ::textdomain(domain);
  return result ? decoded(result) : PyErr_SetFromErrno(PyExc_OSError);
}
PyObject* locale_bindtextdomain(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!ext::check_positional("bindtextdomain", nargs, 2, 2)) return nullptr;
  const char* domain = text_of("bindtextdomain", 1, args[0]);
  if (domain == nullptr) return nullptr;
  if (*domain == 0) {
    PyErr_SetString(error, "domain must be a non-empty string");
    return nullptr;
  }
  Ref directory;
  if (args[1] != Py_None) {
    PyObject* bytes = nullptr;
    if (!PyUnicode_FSConverter(args[1], &bytes)) return nullptr;
    directory = Ref(bytes);
  }
  const char* result = ::bindtextdomain(domain, directory ? PyBytes_AS_STRING(directory.get()) : nullptr);
  return result ? decoded(result) : PyErr_SetFromErrno(PyExc_OSError);
}
PyObject* locale_bind_textdomain_codeset(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!ext::check_positional("bind_textdomain_codeset", nargs, 2, 2)) return nullptr;
  const char* domain = text_of("bind_textdomain_codeset", 1, args[0]);
  if (domain == nullptr) return nullptr;
  const char* codeset = nullptr;
  if (args[1] != Py_None) {
    codeset = text_of("bind_textdomain_codeset", 2, args[1]);
    if (codeset == nullptr) return nullptr;
  }
  const char* result = ::bind_textdomain_codeset(domain, codeset);
  if (result == nullptr) Py_RETURN_NONE;
  return decoded(result);
}

int execute(PyObject* module) {
  if (error == nullptr) error = PyErr_NewException("locale.Error", nullptr, nullptr);
  if (error == nullptr || PyModule_AddObjectRef(module, "Error", error) < 0) return -1;
  for (const Item& item : items) {
    if (PyModule_AddIntConstant(module, item.name, item.value) < 0) return -1;
  }
  static const ext::IntConstant categories[] = {{"LC_CTYPE", LC_CTYPE},       {"LC_TIME", LC_TIME},
                                                {"LC_COLLATE", LC_COLLATE},   {"LC_MONETARY", LC_MONETARY},
                                                {"LC_MESSAGES", LC_MESSAGES}, {"LC_NUMERIC", LC_NUMERIC},
                                                {"LC_ALL", LC_ALL},           {"CHAR_MAX", CHAR_MAX}};
  return ext::add_constants(module, categories);
}

PyMethodDef methods[] = {
    {"setlocale", ext::method(locale_setlocale), METH_FASTCALL, "setlocale($module, category, locale=None, /)\n--\n\n"},
    {"localeconv", locale_localeconv, METH_NOARGS, "localeconv($module, /)\n--\n\n"},
    {"strcoll", ext::method(locale_strcoll), METH_FASTCALL, "strcoll($module, os1, os2, /)\n--\n\n"},
    {"strxfrm", locale_strxfrm, METH_O, "strxfrm($module, string, /)\n--\n\n"},
    {"nl_langinfo", locale_nl_langinfo, METH_O, "nl_langinfo($module, key, /)\n--\n\n"},
    {"getencoding", locale_getencoding, METH_NOARGS, "getencoding($module, /)\n--\n\n"},
    {"gettext", locale_gettext, METH_O, "gettext($module, msg, /)\n--\n\n"},
    {"dgettext", ext::method(locale_dgettext), METH_FASTCALL, "dgettext($module, domain, msg, /)\n--\n\n"},
    {"dcgettext", ext::method(locale_dcgettext), METH_FASTCALL, "dcgettext($module, domain, msg, category, /)\n--\n\n"},
    {"textdomain", locale_textdomain, METH_O, "textdomain($module, domain, /)\n--\n\n"},
    {"bindtextdomain", ext::method(locale_bindtextdomain), METH_FASTCALL, "bindtextdomain($module, domain, dir, /)\n--\n\n"},
    {"bind_textdomain_codeset", ext::method(locale_bind_textdomain_codeset), METH_FASTCALL,
     "bind_textdomain_codeset($module, domain, codeset, /)\n--\n\n"},
    {nullptr, nullptr, 0, nullptr},
};
PyModuleDef_Slot slots[] = EXT_MODULE_SLOTS(execute);
PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_locale",
    .m_doc = "The C library's locales.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace

PyMODINIT_FUNC PyInit__locale(void) { return PyModuleDef_Init(&definition); }
