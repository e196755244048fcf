// The module _blake2: BLAKE2b and BLAKE2s (RFC 7693) with key, salt, personalisation and tree parameters, for which the
// digest interface of the cryptography library has no room.
//
// The last block is compressed with a flag of its own, so a full block waits in `pending` until more data comes.
#include "hashing.h"

#include <bit>
#include <climits>
#include <cstdint>
#include <cstring>

namespace {

using ext::Buffer;
using ext::Ref;

constexpr uint8_t kSchedule[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

struct B {
  using Word = uint64_t;
  static constexpr const char *kName = "blake2b", *kTitle = "Blake2b", *kTypeName = "_blake2.blake2b";
  static constexpr int kRounds = 12, kTurns[4] = {32, 24, 16, 63}, kOffsetBytes = 8;
  static constexpr Word kInitial[8] = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
                                       0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};
};
struct S {
  using Word = uint32_t;
  static constexpr const char *kName = "blake2s", *kTitle = "Blake2s", *kTypeName = "_blake2.blake2s";
  static constexpr int kRounds = 10, kTurns[4] = {16, 12, 8, 7}, kOffsetBytes = 6;
  static constexpr Word kInitial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
};

// A hash in progress. Words are little-endian, as this machine's are.
static_assert(std::endian::native == std::endian::little);
template <class V>
struct State {
  using Word = typename V::Word;
  static constexpr size_t kOut = sizeof(Word) * 8, kBlock = kOut * 2, kSalt = kOut / 4;

  Word h[8], count[2];
  uint8_t pending[kBlock];
  size_t used;
  uint8_t size;
  bool last_node;

  // parameters: the parameter block, kOut bytes.
  void begin(const uint8_t* parameters, bool last) {
    memset(this, 0, sizeof *this);
    memcpy(h, parameters, kOut);
    for (int i = 0; i < 8; i++) h[i] ^= V::kInitial[i];
    size = parameters[0];
    last_node = last;
  }

  void update(const uint8_t* data, size_t n) {
    while (n > 0) {
      if (used == kBlock) {
        compress(pending, kBlock, false);
        used = 0;
      }
      if (used == 0) {
        for (; n > kBlock; data += kBlock, n -= kBlock) compress(data, kBlock, false);
      }
      const size_t piece = n < kBlock - used ? n : kBlock - used;
      memcpy(pending + used, data, piece);
      used += piece;
      data += piece;
      n -= piece;
    }
  }

  // The digest; this state is used up.
  void finish(uint8_t* out) {
    memset(pending + used, 0, kBlock - used);
    compress(pending, used, true);
    memcpy(out, h, size);
  }

 private:
  void compress(const uint8_t* block, size_t bytes, bool last) {
    count[0] += static_cast<Word>(bytes);
    count[1] += count[0] < bytes;
    Word m[16], v[16];
    memcpy(m, block, kBlock);
    for (int i = 0; i < 8; i++) {
      v[i] = h[i];
      v[i + 8] = V::kInitial[i];
    }
    v[12] ^= count[0];
    v[13] ^= count[1];
    if (last) v[14] = static_cast<Word>(~v[14]);
    if (last && last_node) v[15] = static_cast<Word>(~v[15]);
    for (int round = 0; round < V::kRounds; round++) {
      const uint8_t* s = kSchedule[round % 10];
      for (int i = 0; i < 4; i++) mix(v, i, i + 4, i + 8, i + 12, m[s[2 * i]], m[s[2 * i + 1]]);
      for (int i = 0; i < 4; i++)
        mix(v, i, (i + 1) % 4 + 4, (i + 2) % 4 + 8, (i + 3) % 4 + 12, m[s[2 * i + 8]], m[s[2 * i + 9]]);
    }
    for (int i = 0; i < 8; i++) h[i] ^= v[i] ^ v[i + 8];
  }
  static void mix(Word* v, int a, int b, int c, int d, Word x, Word y) {
    v[a] += v[b] + x;
    v[d] = std::rotr(static_cast<Word>(v[d] ^ v[a]), V::kTurns[0]);
    v[c] += v[d];
    v[b] = std::rotr(static_cast<Word>(v[b] ^ v[c]), V::kTurns[1]);
    v[a] += v[b] + y;
    v[d] = std::rotr(static_cast<Word>(v[d] ^ v[a]), V::kTurns[2]);
    v[c] += v[d];
    v[b] = std::rotr(static_cast<Word>(v[b] ^ v[c]), V::kTurns[3]);
  }
};

bool in_range(bool ok, PyObject* exception, const char* message) {
  if (!ok) PyErr_SetString(exception, message);
  return ok;
}

template <class V>
struct Kind {
  using Hashing = State<V>;
  struct Object {
    PyObject_HEAD
    PyMutex mutex;
    Hashing state;
  };
  static inline PyTypeObject* type = nullptr;
  static Object* self_of(PyObject* object) { return reinterpret_cast<Object*>(object); }

  static bool copy_parameter(PyObject* object, const char* name, size_t most, uint8_t* to, uint8_t* size = nullptr) {
    if (object == nullptr) return true;
    Buffer data;
    if (!data.get(object)) return false;
    if (static_cast<size_t>(data.size()) > most) {
      PyErr_Format(PyExc_ValueError, "maximum %s length is %zu bytes", name, most);
      return false;
    }
    memcpy(to, data.data(), static_cast<size_t>(data.size()));
    if (size != nullptr) *size = static_cast<uint8_t>(data.size());
    return true;
  }

  static PyObject* create(PyTypeObject*, PyObject* args, PyObject* kwargs) {
    static const char* const keywords[] = {"data",  "digest_size", "key",         "salt",       "person",
                                           "fanout", "depth",      "leaf_size",   "node_offset", "node_depth",
                                           "inner_size", "last_node", "usedforsecurity", "string", nullptr};
    PyObject *data = nullptr, *text = nullptr, *key = nullptr, *salt = nullptr, *person = nullptr, *leaf = nullptr,
             *offset = nullptr;
    int size = Hashing::kOut, fanout = 1, depth = 1, node_depth = 0, inner = 0, last = 0, for_security = 1;
    static const char format[] = "|O$iOOOiiOOiippO:blake2b";
    char own_format[sizeof format];
    memcpy(own_format, format, sizeof format);
    own_format[sizeof format - 2] = V::kName[6];
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, own_format, const_cast<char**>(keywords), &data, &size, &key, &salt,
                                     &person, &fanout, &depth, &leaf, &offset, &node_depth, &inner, &last, &for_security,
                                     &text) ||
        !hashing::choose_data(&data, text))
      return nullptr;
    if (size <= 0 || static_cast<size_t>(size) > Hashing::kOut)
      return PyErr_Format(PyExc_ValueError, "digest_size for %s must be between 1 and %zu bytes, here it is %d", V::kTitle,
                          Hashing::kOut, size);
    // The parameter block.
    uint8_t block[Hashing::kOut] = {}, key_block[Hashing::kBlock] = {};
    constexpr size_t kTail = Hashing::kOut - 2 * Hashing::kSalt;
    unsigned long long leaf_size = 0, node_offset = 0;
    if (!copy_parameter(salt, "salt", Hashing::kSalt, block + kTail) ||
        !copy_parameter(person, "person", Hashing::kSalt, block + kTail + Hashing::kSalt) ||
        !in_range(fanout >= 0 && fanout <= 255, PyExc_ValueError, "fanout must be between 0 and 255") ||
        !in_range(depth > 0 && depth <= 255, PyExc_ValueError, "depth must be between 1 and 255") ||
        (leaf != nullptr && !ext::to_unsigned(leaf, &leaf_size)) ||
        !in_range(leaf_size <= UINT32_MAX, PyExc_OverflowError, "leaf_size is too large") ||
        (offset != nullptr && !ext::to_unsigned(offset, &node_offset)) ||
        !in_range(V::kOffsetBytes == 8 || node_offset >> 48 == 0, PyExc_OverflowError, "node_offset is too large") ||
        !in_range(node_depth >= 0 && node_depth <= 255, PyExc_ValueError, "node_depth must be between 0 and 255"))
      return nullptr;
    if (inner < 0 || static_cast<size_t>(inner) > Hashing::kOut)
      return PyErr_Format(PyExc_ValueError, "inner_size must be between 0 and is %zu", Hashing::kOut);
    block[0] = static_cast<uint8_t>(size);
    if (!copy_parameter(key, "key", Hashing::kOut, key_block, &block[1])) return nullptr;
    block[2] = static_cast<uint8_t>(fanout);
    block[3] = static_cast<uint8_t>(depth);
    memcpy(block + 4, &leaf_size, 4);
    memcpy(block + 8, &node_offset, V::kOffsetBytes);
    block[8 + V::kOffsetBytes] = static_cast<uint8_t>(node_depth);
    block[9 + V::kOffsetBytes] = static_cast<uint8_t>(inner);

    Ref result(type->tp_alloc(type, 0));
    if (!result) return nullptr;
    Hashing& state = self_of(result.get())->state;
    state.begin(block, last != 0);
    if (block[1] != 0) state.update(key_block, sizeof key_block);
    if (data != nullptr && !add(result.get(), data)) return nullptr;
    return result.release();
  }

  static bool add(PyObject* object, PyObject* data) {
    Py_buffer view;
    if (!hashing::get_bytes(data, &view)) return false;
    Object* self = self_of(object);
    const auto* bytes = static_cast<const uint8_t*>(view.buf);
    const auto n = static_cast<size_t>(view.len);
    PyMutex_Lock(&self->mutex);
    if (view.len > hashing::kDetachAbove) {
      ext::Away away;
      self->state.update(bytes, n);
    } else {
      self->state.update(bytes, n);
    }
    PyMutex_Unlock(&self->mutex);
    PyBuffer_Release(&view);
    return true;
  }

  static Hashing snapshot(PyObject* object) {
    Object* self = self_of(object);
    PyMutex_Lock(&self->mutex);
    Hashing state = self->state;
    PyMutex_Unlock(&self->mutex);
    return state;
  }

  static PyObject* update(PyObject* self, PyObject* data) {
    if (!add(self, data)) return nullptr;
    Py_RETURN_NONE;
  }
  static PyObject* copy(PyObject* self, PyObject*) {
    PyObject* other = type->tp_alloc(type, 0);
    if (other != nullptr) self_of(other)->state = snapshot(self);
    return other;
  }
  static PyObject* digest(PyObject* self, PyObject*) {
    Hashing state = snapshot(self);
    uint8_t out[Hashing::kOut];
    state.finish(out);
    return PyBytes_FromStringAndSize(reinterpret_cast<char*>(out), state.size);
  }
  static PyObject* hexdigest(PyObject* self, PyObject*) {
    Hashing state = snapshot(self);
    uint8_t out[Hashing::kOut];
    state.finish(out);
    return hashing::hexadecimal(out, state.size);
  }
  static PyObject* get_name(PyObject*, void*) { return PyUnicode_FromString(V::kName); }
  static PyObject* get_block_size(PyObject*, void*) { return PyLong_FromLong(Hashing::kBlock); }
  static PyObject* get_digest_size(PyObject* self, void*) { return PyLong_FromLong(self_of(self)->state.size); }

  static void dealloc(PyObject* self) {
    PyTypeObject* own = Py_TYPE(self);
    own->tp_free(self);
    Py_DECREF(own);
  }

  static int add_to(PyObject* module, const char* upper) {
    static PyMethodDef methods[] = {
        {"update", update, METH_O, "update($self, data, /)\n--\n\nUpdate this hash object's state with the provided bytes-like object."},
        {"digest", digest, METH_NOARGS, "digest($self, /)\n--\n\nReturn the digest value as a bytes object."},
        {"hexdigest", hexdigest, METH_NOARGS,
         "hexdigest($self, /)\n--\n\nReturn the digest value as a string of hexadecimal digits."},
        {"copy", copy, METH_NOARGS, "copy($self, /)\n--\n\nReturn a copy of the hash object."},
        {nullptr, nullptr, 0, nullptr}};
    static PyGetSetDef getset[] = {{"name", get_name, nullptr, nullptr, nullptr},
                                   {"block_size", get_block_size, nullptr, nullptr, nullptr},
                                   {"digest_size", get_digest_size, nullptr, nullptr, nullptr},
                                   {nullptr, nullptr, nullptr, nullptr, nullptr}};
    static std::string doc = std::string(V::kName) +
                             "(data=b'', *, digest_size=_blake2." + V::kName + ".MAX_DIGEST_SIZE,\n        key=b'', salt=b'', "
                             "person=b'', fanout=1, depth=1, leaf_size=0,\n        node_offset=0, node_depth=0, inner_size=0, "
                             "last_node=False,\n        usedforsecurity=True, string=None)\n--\n\nReturn a new " +
                             (V::kName[6] == 'b' ? "BLAKE2b" : "BLAKE2s") + " hash object.";
    PyType_Slot slots[] = {{Py_tp_new, reinterpret_cast<void*>(create)},   {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
                           {Py_tp_methods, methods},                       {Py_tp_getset, getset},
                           {Py_tp_doc, doc.data()},                        {0, nullptr}};
    PyType_Spec spec = {V::kTypeName, sizeof(Object), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, slots};
    if (!ext::keep(&type, PyType_FromModuleAndSpec(module, &spec, nullptr))) return -1;
    const struct {
      const char* name;
      size_t value;
    } limits[] = {{"SALT_SIZE", Hashing::kSalt},
                  {"PERSON_SIZE", Hashing::kSalt},
                  {"MAX_KEY_SIZE", Hashing::kOut},
                  {"MAX_DIGEST_SIZE", Hashing::kOut}};
    Ref names(PyType_GetDict(type));
    for (const auto& limit : limits) {
      Ref value(PyLong_FromSize_t(limit.value)), name(PyUnicode_FromFormat("%s_%s", upper, limit.name));
      if (!value || !name || PyDict_SetItemString(names.get(), limit.name, value.get()) < 0 ||
          PyObject_SetAttr(module, name.get(), value.get()) < 0)
        return -1;
    }
    PyType_Modified(type);
    return PyModule_AddType(module, type);
  }
};

int execute(PyObject* module) {
  return Kind<B>::add_to(module, "BLAKE2B") < 0 || Kind<S>::add_to(module, "BLAKE2S") < 0
             ? -1
             : PyModule_AddIntConstant(module, "_GIL_MINSIZE", hashing::kDetachAbove);
}

PyModuleDef_Slot slots[] = EXT_MODULE_SLOTS(execute);
PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_blake2",
    .m_doc = "BLAKE2b and BLAKE2s for hashlib.",
    .m_size = 0,
    .m_slots = slots,
};

}  // namespace

PyMODINIT_FUNC PyInit__blake2(void) { return PyModuleDef_Init(&definition); }
