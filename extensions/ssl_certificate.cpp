// Certificates and errors of the module _ssl.
#include "ssl.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cctype>
#include <cstring>

namespace ssl {

using ext::Ref;

Errors errors;

namespace {

struct Free {
  void operator()(BIO* p) const { BIO_free_all(p); }
  void operator()(GENERAL_NAMES* p) const { GENERAL_NAMES_free(p); }
  void operator()(AUTHORITY_INFO_ACCESS* p) const { AUTHORITY_INFO_ACCESS_free(p); }
  void operator()(CRL_DIST_POINTS* p) const { CRL_DIST_POINTS_free(p); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

// "certificate verify failed" is known as CERTIFICATE_VERIFY_FAILED.
std::string mnemonic(const char* text) {
  std::string name;
  for (const char* p = text; p != nullptr && *p != '\0'; p++)
    name.push_back(isalnum(static_cast<unsigned char>(*p)) ? static_cast<char>(toupper(static_cast<unsigned char>(*p))) : '_');
  return name;
}

const char* library_name(unsigned long code) {
  switch (ERR_GET_LIB(code)) {
    case ERR_LIB_SSL: return "SSL";
    case ERR_LIB_X509: return "X509";
    case ERR_LIB_PEM: return "PEM";
    case ERR_LIB_EVP: return "EVP";
    case ERR_LIB_ASN1: return "ASN1";
    case ERR_LIB_BIO: return "BIO";
    case ERR_LIB_CRYPTO: return "CRYPTO";
    case ERR_LIB_RSA: return "RSA";
    case ERR_LIB_EC: return "EC";
    case ERR_LIB_SYS: return "SYS";
    default: return nullptr;
  }
}

Ref text_of(BIO* bio) {
  char* data;
  const long n = BIO_get_mem_data(bio, &data);
  return Ref(PyUnicode_DecodeUTF8(data, n, "strict"));
}

Ref string_value(const ASN1_STRING* value) {
  unsigned char* text;
  const int n = ASN1_STRING_to_UTF8(&text, value);
  if (n < 0) {
    raise_queue();
    return Ref();
  }
  Ref result(PyUnicode_DecodeUTF8(reinterpret_cast<char*>(text), n, "strict"));
  OPENSSL_free(text);
  return result;
}

Ref object_name(const ASN1_OBJECT* object, bool no_name = false) {
  char name[256];
  const int n = OBJ_obj2txt(name, sizeof name, object, no_name);
  return n < 0 ? Ref(raise_queue()) : Ref(PyUnicode_FromStringAndSize(name, n < 255 ? n : 255));
}

// A tuple of relative names, each a tuple of (type, value) pairs.
Ref name_tuple(X509_NAME* name) {
  Ref all(PyList_New(0)), relative;
  int set = -1;
  const auto close = [&] {
    if (!relative) return true;
    Ref tuple(PyList_AsTuple(relative.get()));
    relative = Ref();
    return tuple && PyList_Append(all.get(), tuple.get()) == 0;
  };
  if (!all) return all;
  for (int i = 0; i < X509_NAME_entry_count(name); i++) {
    X509_NAME_ENTRY* entry = X509_NAME_get_entry(name, i);
    if (X509_NAME_ENTRY_set(entry) != set) {
      if (!close()) return Ref();
      set = X509_NAME_ENTRY_set(entry);
    }
    if (!relative) relative = Ref(PyList_New(0));
    Ref key = object_name(X509_NAME_ENTRY_get_object(entry)), value = string_value(X509_NAME_ENTRY_get_data(entry));
    Ref pair(key && value ? PyTuple_Pack(2, key.get(), value.get()) : nullptr);
    if (!relative || !pair || PyList_Append(relative.get(), pair.get()) < 0) return Ref();
  }
  return close() ? Ref(PyList_AsTuple(all.get())) : Ref();
}

Ref general_name(GENERAL_NAME* name) {
  const auto pair = [](const char* kind, Ref value) {
    return Ref(value ? Py_BuildValue("(sO)", kind, value.get()) : nullptr);
  };
  const auto text = [](const ASN1_IA5STRING* s) {
    return Ref(PyUnicode_DecodeUTF8(reinterpret_cast<const char*>(ASN1_STRING_get0_data(s)), ASN1_STRING_length(s), "strict"));
  };
  switch (name->type) {
    case GEN_DIRNAME: return pair("DirName", name_tuple(name->d.dirn));
    case GEN_EMAIL: return pair("email", text(name->d.rfc822Name));
    case GEN_DNS: return pair("DNS", text(name->d.dNSName));
    case GEN_URI: return pair("URI", text(name->d.uniformResourceIdentifier));
    case GEN_RID: return pair("Registered ID", object_name(name->d.registeredID));
    case GEN_IPADD: {
      const unsigned char* p = name->d.ip->data;
      if (name->d.ip->length == 4) return pair("IP Address", Ref(PyUnicode_FromFormat("%d.%d.%d.%d", p[0], p[1], p[2], p[3])));
      if (name->d.ip->length != 16) return pair("IP Address", Ref(PyUnicode_FromString("<invalid>")));
      return pair("IP Address", Ref(PyUnicode_FromFormat("%X:%X:%X:%X:%X:%X:%X:%X", p[0] << 8 | p[1], p[2] << 8 | p[3],
                                                         p[4] << 8 | p[5], p[6] << 8 | p[7], p[8] << 8 | p[9],
                                                         p[10] << 8 | p[11], p[12] << 8 | p[13], p[14] << 8 | p[15])));
    }
    default: {
      Owned<BIO> bio(BIO_new(BIO_s_mem()));
      GENERAL_NAME_print(bio.get(), name);
      Ref whole = text_of(bio.get()), colon(PyUnicode_FromString(":"));
      Ref parts(whole && colon ? PyUnicode_Split(whole.get(), colon.get(), 1) : nullptr);
      return Ref(parts ? PyList_AsTuple(parts.get()) : nullptr);
    }
  }
}

Ref names_tuple(GENERAL_NAMES* names) {
  Ref list(PyList_New(0));
  for (int i = 0; list && i < sk_GENERAL_NAME_num(names); i++) {
    Ref item = general_name(sk_GENERAL_NAME_value(names, i));
    if (!item || PyList_Append(list.get(), item.get()) < 0) return Ref();
  }
  return Ref(list ? PyList_AsTuple(list.get()) : nullptr);
}

bool add_uri(PyObject* list, const GENERAL_NAME* name) {
  if (name->type != GEN_URI) return true;
  const ASN1_IA5STRING* uri = name->d.uniformResourceIdentifier;
  Ref text(PyUnicode_FromStringAndSize(reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)), ASN1_STRING_length(uri)));
  return text && PyList_Append(list, text.get()) == 0;
}

// Sets dict[key] to the list as a tuple, unless it is empty.
bool set_list(PyObject* dict, const char* key, const Ref& list) {
  if (PyList_GET_SIZE(list.get()) == 0) return true;
  Ref tuple(PyList_AsTuple(list.get()));
  return tuple && PyDict_SetItemString(dict, key, tuple.get()) == 0;
}

bool add_authorities(PyObject* dict, X509* certificate) {
  Owned<AUTHORITY_INFO_ACCESS> info(
      static_cast<AUTHORITY_INFO_ACCESS*>(X509_get_ext_d2i(certificate, NID_info_access, nullptr, nullptr)));
  for (const auto& [nid, key] : {std::pair{NID_ad_OCSP, "OCSP"}, std::pair{NID_ad_ca_issuers, "caIssuers"}}) {
    Ref list(PyList_New(0));
    for (int i = 0; list && info && i < sk_ACCESS_DESCRIPTION_num(info.get()); i++) {
      ACCESS_DESCRIPTION* description = sk_ACCESS_DESCRIPTION_value(info.get(), i);
      if (OBJ_obj2nid(description->method) == nid && !add_uri(list.get(), description->location)) return false;
    }
    if (!list || !set_list(dict, key, list)) return false;
  }
  Owned<CRL_DIST_POINTS> points(
      static_cast<CRL_DIST_POINTS*>(X509_get_ext_d2i(certificate, NID_crl_distribution_points, nullptr, nullptr)));
  Ref list(PyList_New(0));
  for (int i = 0; list && points && i < sk_DIST_POINT_num(points.get()); i++) {
    DIST_POINT* point = sk_DIST_POINT_value(points.get(), i);
    if (point->distpoint == nullptr || point->distpoint->type != 0) continue;
    GENERAL_NAMES* names = point->distpoint->name.fullname;
    for (int j = 0; j < sk_GENERAL_NAME_num(names); j++) {
      if (!add_uri(list.get(), sk_GENERAL_NAME_value(names, j))) return false;
    }
  }
  return list && set_list(dict, "crlDistributionPoints", list);
}

}  // namespace

PyObject* raise_text(PyObject* type, int code, const char* text) {
  Ref error(PyObject_CallFunction(type, "is", code, text));
  if (!error) return nullptr;
  if (PyObject_SetAttrString(error.get(), "reason", Py_None) < 0 || PyObject_SetAttrString(error.get(), "library", Py_None) < 0)
    return nullptr;
  PyErr_SetObject(type, error.get());
  return nullptr;
}

PyObject* raise_queue(int number) {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  if (code == 0) return raise_text(errors.base, 0, "unknown error");
  const char *library = library_name(code), *text = ERR_reason_error_string(code);
  const std::string reason = mnemonic(text);
  Ref message(library != nullptr && text != nullptr
                  ? PyUnicode_FromFormat("[%s: %s] %s", library, reason.c_str(), text)
                  : PyUnicode_FromString(text != nullptr ? text : "unknown error"));
  Ref error(message ? PyObject_CallFunction(errors.base, "iO", number >= 0 ? number : static_cast<int>(ERR_GET_REASON(code)), message.get()) : nullptr);
  Ref reason_object(text != nullptr ? PyUnicode_FromString(reason.c_str()) : Py_NewRef(Py_None));
  Ref library_object(library != nullptr ? PyUnicode_FromString(library) : Py_NewRef(Py_None));
  if (!error || !reason_object || !library_object || PyObject_SetAttrString(error.get(), "reason", reason_object.get()) < 0 ||
      PyObject_SetAttrString(error.get(), "library", library_object.get()) < 0)
    return nullptr;
  PyErr_SetObject(errors.base, error.get());
  return nullptr;
}

PyObject* certificate_bytes(X509* certificate) {
  unsigned char* data = nullptr;
  const int n = i2d_X509(certificate, &data);
  if (n < 0) return raise_queue();
  PyObject* bytes = PyBytes_FromStringAndSize(reinterpret_cast<char*>(data), n);
  OPENSSL_free(data);
  return bytes;
}

PyObject* object_info(const ASN1_OBJECT* object) {
  const int nid = OBJ_obj2nid(object);
  if (nid == NID_undef) {
    PyErr_SetString(PyExc_ValueError, "Unknown object");
    return nullptr;
  }
  Ref oid = object_name(object, true);
  return oid ? Py_BuildValue("(issO)", nid, OBJ_nid2sn(nid), OBJ_nid2ln(nid), oid.get()) : nullptr;
}

PyObject* cipher_info(const SSL_CIPHER* cipher) {
  if (cipher == nullptr) Py_RETURN_NONE;
  return Py_BuildValue("(ssi)", SSL_CIPHER_get_name(cipher), SSL_CIPHER_get_version(cipher), SSL_CIPHER_get_bits(cipher, nullptr));
}

PyObject* decode_certificate(X509* certificate) {
  Ref dict(PyDict_New());
  if (!dict) return nullptr;
  const auto set = [&](const char* key, Ref value) {
    return value && PyDict_SetItemString(dict.get(), key, value.get()) == 0;
  };
  const auto printed = [](auto print) {
    Owned<BIO> bio(BIO_new(BIO_s_mem()));
    print(bio.get());
    return text_of(bio.get());
  };
  if (!set("subject", name_tuple(X509_get_subject_name(certificate))) ||
      !set("issuer", name_tuple(X509_get_issuer_name(certificate))) ||
      !set("version", Ref(PyLong_FromLong(X509_get_version(certificate) + 1))) ||
      !set("serialNumber", printed([&](BIO* bio) { i2a_ASN1_INTEGER(bio, X509_get_serialNumber(certificate)); })) ||
      !set("notBefore", printed([&](BIO* bio) { ASN1_TIME_print(bio, X509_get0_notBefore(certificate)); })) ||
      !set("notAfter", printed([&](BIO* bio) { ASN1_TIME_print(bio, X509_get0_notAfter(certificate)); })))
    return nullptr;
  Owned<GENERAL_NAMES> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  if (names && !set("subjectAltName", names_tuple(names.get()))) return nullptr;
  return add_authorities(dict.get(), certificate) ? dict.release() : nullptr;
}

// ---- the type Certificate ----

namespace {

struct Certificate {
  PyObject_HEAD
  X509* certificate;
};
X509* x509_of(PyObject* object) { return reinterpret_cast<Certificate*>(object)->certificate; }

PyObject* public_bytes(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"format", nullptr};
  constexpr int kPem = 1, kDer = 2;
  int format = kPem;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|i:public_bytes", const_cast<char**>(keywords), &format)) return nullptr;
  if (format == kDer) return certificate_bytes(x509_of(self));
  if (format != kPem) {
    PyErr_SetString(PyExc_ValueError, "Unsupported format");
    return nullptr;
  }
  Owned<BIO> bio(BIO_new(BIO_s_mem()));
  if (!PEM_write_bio_X509(bio.get(), x509_of(self))) return raise_queue();
  return text_of(bio.get()).release();
}
PyObject* get_info(PyObject* self, PyObject*) { return decode_certificate(x509_of(self)); }

PyObject* certificate_repr(PyObject* self) {
  Owned<BIO> bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), X509_get_subject_name(x509_of(self)), 0, XN_FLAG_RFC2253);
  Ref subject = text_of(bio.get());
  return subject ? PyUnicode_FromFormat("<%s '%U'>", Py_TYPE(self)->tp_name, subject.get()) : nullptr;
}
Py_hash_t certificate_hash(PyObject* self) {
  const auto hash = static_cast<Py_hash_t>(X509_subject_name_hash(x509_of(self)));
  return hash == -1 ? -2 : hash;
}
PyObject* certificate_compare(PyObject* self, PyObject* other, int op) {
  if (!Py_IS_TYPE(other, certificate_type) || (op != Py_EQ && op != Py_NE)) Py_RETURN_NOTIMPLEMENTED;
  const bool equal = X509_cmp(x509_of(self), x509_of(other)) == 0;
  return PyBool_FromLong(equal == (op == Py_EQ));
}
void certificate_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  X509_free(x509_of(self));
  type->tp_free(self);
  Py_DECREF(type);
}

PyMethodDef certificate_methods[] = {
    {"public_bytes", ext::method(public_bytes), METH_VARARGS | METH_KEYWORDS, "public_bytes($self, /, format=Encoding.PEM)\n--\n\n"},
    {"get_info", get_info, METH_NOARGS, "get_info($self, /)\n--\n\n"},
    {nullptr, nullptr, 0, nullptr}};
PyType_Slot certificate_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(certificate_dealloc)},
                                   {Py_tp_repr, reinterpret_cast<void*>(certificate_repr)},
                                   {Py_tp_hash, reinterpret_cast<void*>(certificate_hash)},
                                   {Py_tp_richcompare, reinterpret_cast<void*>(certificate_compare)},
                                   {Py_tp_methods, certificate_methods},
                                   {0, nullptr}};

}  // namespace

PyType_Spec certificate_spec = {"_ssl.Certificate", sizeof(Certificate), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
                                certificate_slots};

PyObject* new_certificate(X509* certificate) {
  PyObject* self = certificate_type->tp_alloc(certificate_type, 0);
  if (self == nullptr)
    X509_free(certificate);
  else
    reinterpret_cast<Certificate*>(self)->certificate = certificate;
  return self;
}

}  // namespace ssl
