// Normalisation forms (UAX #15): decomposition, canonical order, composition.
#include <algorithm>

#include "objects/str.h"
#include "objects/unicode_data.h"

namespace amphis::unicode {
namespace {

constexpr Py_UCS4 kHangulBase = 0xAC00, kLBase = 0x1100, kVBase = 0x1161, kTBase = 0x11A7;
constexpr Py_UCS4 kVCount = 21, kTCount = 28, kSyllables = 11172;

// A growing run of characters.
class Buffer {
 public:
  ~Buffer() { PyMem_Free(data_); }
  bool put(Py_UCS4 ch) {
    if (size_ == capacity_) {
      Py_ssize_t bigger = capacity_ ? capacity_ * 2 : 256;
      void* moved = PyMem_Realloc(data_, static_cast<size_t>(bigger) * sizeof(Py_UCS4));
      if (!moved) {
        PyErr_NoMemory();
        return false;
      }
      data_ = static_cast<Py_UCS4*>(moved);
      capacity_ = bigger;
    }
    data_[size_++] = ch;
    return true;
  }
  Py_UCS4* data() { return data_; }
  Py_ssize_t size() const { return size_; }
  void truncate(Py_ssize_t n) { size_ = n; }

 private:
  Py_UCS4* data_ = nullptr;
  Py_ssize_t size_ = 0;
  Py_ssize_t capacity_ = 0;
};

struct Normalizer {
  bool compatible;
  bool old;
  Buffer out;

  bool assigned(Py_UCS4 ch) const { return !old || record(ch).age == 1; }

  bool put_decomposed(Py_UCS4 ch) {
    if (ch < 0x80) return out.put(ch);
    if (ch - kHangulBase < kSyllables) {
      Py_UCS4 s = ch - kHangulBase, t = s % kTCount;
      return out.put(kLBase + s / (kVCount * kTCount)) &&
             out.put(kVBase + s % (kVCount * kTCount) / kTCount) && (t == 0 || out.put(kTBase + t));
    }
    if (!assigned(ch)) return out.put(ch);
    if (old) {
      if (Py_UCS4 before = mapping_before_correction(ch)) return put_decomposed(before);
    }
    const char* tag;
    const uint32_t* mapping;
    int n = decomposition(ch, &tag, &mapping);
    if (n == 0 || (*tag && !compatible)) return out.put(ch);
    for (int i = 0; i < n; i++) {
      if (!put_decomposed(mapping[i])) return false;
    }
    return true;
  }

  // Sorts each run of combining characters by class, keeping the order of equals.
  void order() {
    Py_UCS4* p = out.data();
    Py_ssize_t n = out.size();
    for (Py_ssize_t i = 0; i < n;) {
      if (p[i] < 0x300 || record(p[i]).combining == 0) {
        i++;
        continue;
      }
      Py_ssize_t start = i;
      while (i < n && record(p[i]).combining != 0) i++;
      std::stable_sort(p + start, p + i,
                       [](Py_UCS4 a, Py_UCS4 b) { return record(a).combining < record(b).combining; });
    }
  }

  void compose_all() {
    Py_UCS4* p = out.data();
    Py_ssize_t n = out.size(), to = 0, starter = -1;
    int last_class = 0;
    for (Py_ssize_t i = 0; i < n; i++) {
      Py_UCS4 ch = p[i];
      int combining = record(ch).combining;
      // Blocked: a character of the same or a higher class, or another starter, stands in between.
      if (starter >= 0 && (last_class < combining || to == starter + 1)) {
        Py_UCS4 composite = compose(p[starter], ch);
        if (composite) {
          p[starter] = composite;
          continue;
        }
      }
      if (combining == 0) starter = to;
      last_class = combining;
      p[to++] = ch;
    }
    out.truncate(to);
  }
};

enum class Check { kYes, kMaybe, kNo };

Check quick_check(const StrView& s, Form form, bool old) {
  if (s.ascii) return Check::kYes;
  if (old) return Check::kMaybe;
  int shift = form == Form::kNfd ? 0 : form == Form::kNfkd ? 2 : form == Form::kNfc ? 4 : 6;
  Check answer = Check::kYes;
  int last_class = 0;
  for (Py_ssize_t i = 0; i < s.length; i++) {
    Py_UCS4 ch = s[i];
    if (ch < 0x80) {
      last_class = 0;
      continue;
    }
    const Record& r = record(ch);
    if (r.combining && last_class > r.combining) return Check::kNo;
    last_class = r.combining;
    int q = r.quick_check >> shift & 3;
    if (q == 2) return Check::kNo;
    if (q == 1) answer = Check::kMaybe;
  }
  return answer;
}

PyObject* normalize_slowly(const StrView& s, Form form, bool old) {
  Normalizer n{form == Form::kNfkd || form == Form::kNfkc, old, {}};
  for (Py_ssize_t i = 0; i < s.length; i++) {
    if (!n.put_decomposed(s[i])) return nullptr;
  }
  n.order();
  if (form == Form::kNfc || form == Form::kNfkc) n.compose_all();
  return str_from_ucs4(n.out.data(), n.out.size());
}

}  // namespace

PyObject* normalize(PyObject* text, Form form, bool old) {
  StrView s(text);
  if (quick_check(s, form, old) == Check::kYes) return str_exact(text);
  return normalize_slowly(s, form, old);
}

int is_normalized(PyObject* text, Form form, bool old) {
  StrView s(text);
  Check quick = quick_check(s, form, old);
  if (quick != Check::kMaybe) return quick == Check::kYes;
  PyObject* normal = normalize_slowly(s, form, old);
  if (!normal) return -1;
  bool same = str_equal(normal, text);
  Py_DECREF(normal);
  return same;
}

}  // namespace amphis::unicode
