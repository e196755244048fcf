// Substring search over characters of any width, in linear time. bytes and bytearray use it as well (Ch =
// unsigned char).
//
// A vector filter looks for positions where the needle's first and last character both match and compares
// there. Where such candidates come too densely (a pathological input), the search goes over to the two-way
// algorithm of Crochemore and Perrin (1991), which needs no memory and at most 2n comparisons.
#pragma once

#include <string.h>
#include <wchar.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "Python.h"

namespace amphis::search {

typedef unsigned char Byte;

// The first occurrence in [p, end), or null.
template <class Ch>
inline const Ch* find_char(const Ch* p, const Ch* end, Ch ch) {
  if constexpr (sizeof(Ch) == 1) {
    return static_cast<const Ch*>(memchr(p, ch, static_cast<size_t>(end - p)));
  } else if constexpr (sizeof(Ch) == 4) {
    return reinterpret_cast<const Ch*>(
        wmemchr(reinterpret_cast<const wchar_t*>(p), static_cast<wchar_t>(ch), static_cast<size_t>(end - p)));
  } else {
#if defined(__SSE2__)
    // The C library's memchr is wider than what follows: look for the low byte while it seldom misleads.
    const Byte low = static_cast<Byte>(ch & 0xFF);
    for (int tries = 0; tries < 4 && end - p > 32; tries++) {
      const Byte* start = reinterpret_cast<const Byte*>(p);
      const Byte* hit = static_cast<const Byte*>(
          memchr(start, low, static_cast<size_t>(reinterpret_cast<const Byte*>(end) - start)));
      if (!hit) return nullptr;
      p += (hit - start) / 2;
      if (*p == ch) return p;
      p++;
    }
    __m128i wanted = _mm_set1_epi16(static_cast<short>(ch));
    for (; end - p >= 8; p += 8) {
      __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
      int mask = _mm_movemask_epi8(_mm_cmpeq_epi16(block, wanted));
      if (mask) return p + (__builtin_ctz(static_cast<unsigned>(mask)) >> 1);
    }
#endif
    for (; p < end; p++) {
      if (*p == ch) return p;
    }
    return nullptr;
  }
}

template <class Ch>
inline const Ch* rfind_char(const Ch* p, const Ch* end, Ch ch) {
  if constexpr (sizeof(Ch) == 1) {
    return static_cast<const Ch*>(memrchr(p, ch, static_cast<size_t>(end - p)));
  } else {
    while (end > p) {
      if (*--end == ch) return end;
    }
    return nullptr;
  }
}

// The two-way algorithm. With kReverse, both texts are read from their ends.
template <class Ch, bool kReverse>
class TwoWay {
 public:
  TwoWay(const Ch* needle, Py_ssize_t m) : x_(needle), m_(m) {
    Py_ssize_t p, q;
    Py_ssize_t i = max_suffix(&p, false), j = max_suffix(&q, true);
    cut_ = i > j ? i : j;
    period_ = i > j ? p : q;
    periodic_ = true;
    for (Py_ssize_t k = 0; k <= cut_; k++) {
      if (k + period_ >= m_ || x(k) != x(k + period_)) {
        periodic_ = false;
        break;
      }
    }
    if (!periodic_) period_ = (cut_ + 1 > m_ - cut_ - 1 ? cut_ + 1 : m_ - cut_ - 1) + 1;
  }

  // The index, in reading direction, of the first occurrence; -1 for none.
  Py_ssize_t find(const Ch* hay, Py_ssize_t n) const {
    auto y = [=](Py_ssize_t i) { return kReverse ? hay[n - 1 - i] : hay[i]; };
    Py_ssize_t j = 0, memory = -1;
    while (j <= n - m_) {
      Py_ssize_t i = (periodic_ && memory > cut_ ? memory : cut_) + 1;
      while (i < m_ && x(i) == y(i + j)) i++;
      if (i < m_) {
        j += i - cut_;
        memory = -1;
        continue;
      }
      i = cut_;
      while (i > memory && x(i) == y(i + j)) i--;
      if (i <= memory) return j;
      j += period_;
      if (periodic_) memory = m_ - period_ - 1;
    }
    return -1;
  }

 private:
  Ch x(Py_ssize_t i) const { return kReverse ? x_[m_ - 1 - i] : x_[i]; }

  // The start (less one) of the maximal suffix under the order of characters or its inverse, and that
  // suffix's period.
  Py_ssize_t max_suffix(Py_ssize_t* period, bool inverse) const {
    Py_ssize_t start = -1, j = 0, k = 1, p = 1;
    while (j + k < m_) {
      Ch a = x(j + k), b = x(start + k);
      if (inverse ? b < a : a < b) {
        j += k;
        k = 1;
        p = j - start;
      } else if (a == b) {
        if (k != p) {
          k++;
        } else {
          j += p;
          k = 1;
        }
      } else {
        start = j;
        j = start + 1;
        k = p = 1;
      }
    }
    *period = p;
    return start;
  }

  const Ch* x_;
  Py_ssize_t m_, cut_, period_;
  bool periodic_;
};

#if defined(__SSE2__)
template <class Ch>
inline __m128i splat(Ch ch) {
  if constexpr (sizeof(Ch) == 1) return _mm_set1_epi8(static_cast<char>(ch));
  if constexpr (sizeof(Ch) == 2) return _mm_set1_epi16(static_cast<short>(ch));
  if constexpr (sizeof(Ch) == 4) return _mm_set1_epi32(static_cast<int>(ch));
}
template <class Ch>
inline __m128i equal_lanes(__m128i a, __m128i b) {
  if constexpr (sizeof(Ch) == 1) return _mm_cmpeq_epi8(a, b);
  if constexpr (sizeof(Ch) == 2) return _mm_cmpeq_epi16(a, b);
  if constexpr (sizeof(Ch) == 4) return _mm_cmpeq_epi32(a, b);
}
#endif

// The index of the first occurrence of s[0:m] in h[0:n], or -1.
template <class Ch>
Py_ssize_t find(const Ch* h, Py_ssize_t n, const Ch* s, Py_ssize_t m) {
  if (m > n) return -1;
  if (m <= 1) {
    if (m == 0) return 0;
    const Ch* hit = find_char(h, h + n, s[0]);
    return hit ? hit - h : -1;
  }
  const Ch* p = h;
  const Ch* stop = h + (n - m) + 1;  // past the last possible start
  Py_ssize_t wasted = 0;
  const size_t inner = static_cast<size_t>(m - 2) * sizeof(Ch);
  const Py_ssize_t price = 1 + m / 16;
  auto too_dense = [&] { return wasted > 64 + (p - h) / 2; };
#if defined(__SSE2__)
  constexpr Py_ssize_t kLanes = 16 / sizeof(Ch);
  const __m128i first = splat(s[0]), last = splat(s[m - 1]);
  for (; stop - p >= kLanes; p += kLanes) {
    // Four vectors at a time as long as nothing matches.
    while (stop - p >= 4 * kLanes) {
      __m128i any = _mm_setzero_si128();
      for (int k = 0; k < 4; k++) {
        const Ch* q = p + k * kLanes;
        __m128i a = equal_lanes<Ch>(_mm_loadu_si128(reinterpret_cast<const __m128i*>(q)), first);
        __m128i b = equal_lanes<Ch>(_mm_loadu_si128(reinterpret_cast<const __m128i*>(q + m - 1)), last);
        any = _mm_or_si128(any, _mm_and_si128(a, b));
      }
      if (_mm_movemask_epi8(any)) break;
      p += 4 * kLanes;
    }
    if (stop - p < kLanes) break;
    __m128i a = equal_lanes<Ch>(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)), first);
    __m128i b = equal_lanes<Ch>(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + m - 1)), last);
    unsigned mask = static_cast<unsigned>(_mm_movemask_epi8(_mm_and_si128(a, b)));
    while (mask) {
      int lane = __builtin_ctz(mask) / static_cast<int>(sizeof(Ch));
      const Ch* candidate = p + lane;
      if (memcmp(candidate + 1, s + 1, inner) == 0) return candidate - h;
      wasted += price;
      mask &= ~(((1u << sizeof(Ch)) - 1) << (lane * sizeof(Ch)));
      if (mask == 0 && too_dense()) {
        Py_ssize_t at = TwoWay<Ch, false>(s, m).find(p, n - (p - h));
        return at < 0 ? -1 : at + (p - h);
      }
    }
  }
#endif
  for (; p < stop; p++) {
    if (p[0] != s[0] || p[m - 1] != s[m - 1]) continue;
    if (memcmp(p + 1, s + 1, inner) == 0) return p - h;
    wasted += price;
    if (too_dense()) {
      Py_ssize_t at = TwoWay<Ch, false>(s, m).find(p, n - (p - h));
      return at < 0 ? -1 : at + (p - h);
    }
  }
  return -1;
}

// The index of the last occurrence, or -1.
template <class Ch>
Py_ssize_t rfind(const Ch* h, Py_ssize_t n, const Ch* s, Py_ssize_t m) {
  if (m > n) return -1;
  if (m <= 1) {
    if (m == 0) return n;
    const Ch* hit = rfind_char(h, h + n, s[0]);
    return hit ? hit - h : -1;
  }
  Py_ssize_t wasted = 0;
  const size_t inner = static_cast<size_t>(m - 2) * sizeof(Ch);
#if defined(__SSE2__)
  constexpr Py_ssize_t kLanes = 16 / sizeof(Ch);
  const __m128i first = splat(s[0]), last = splat(s[m - 1]);
#endif
  for (Py_ssize_t i = n - m; i >= 0; i--) {
#if defined(__SSE2__)
    // Whole vectors without a candidate are stepped over.
    while (i >= kLanes - 1) {
      const Ch* q = h + i - (kLanes - 1);
      __m128i a = equal_lanes<Ch>(_mm_loadu_si128(reinterpret_cast<const __m128i*>(q)), first);
      __m128i b = equal_lanes<Ch>(_mm_loadu_si128(reinterpret_cast<const __m128i*>(q + m - 1)), last);
      unsigned mask = static_cast<unsigned>(_mm_movemask_epi8(_mm_and_si128(a, b)));
      if (mask) {
        i -= __builtin_clz(mask << 16) / static_cast<int>(sizeof(Ch));
        break;
      }
      i -= kLanes;
    }
    if (i < 0) break;
#endif
    if (h[i] != s[0] || h[i + m - 1] != s[m - 1]) continue;
    if (memcmp(h + i + 1, s + 1, inner) == 0) return i;
    wasted += 1 + m / 16;
    if (wasted > 64 + (n - i) / 2) {
      Py_ssize_t rest = i + m - 1;
      Py_ssize_t at = TwoWay<Ch, true>(s, m).find(h, rest);
      return at < 0 ? -1 : rest - m - at;
    }
  }
  return -1;
}

// How often s occurs in h without overlap, at most `limit`. An empty s occurs n + 1 times.
template <class Ch>
Py_ssize_t count(const Ch* h, Py_ssize_t n, const Ch* s, Py_ssize_t m, Py_ssize_t limit) {
  if (limit <= 0) return 0;
  if (m == 0) return n + 1 < limit ? n + 1 : limit;
  Py_ssize_t found = 0;
  if (m == 1 && limit >= n) {
    Ch ch = s[0];
    for (Py_ssize_t i = 0; i < n; i++) found += h[i] == ch;
    return found;
  }
  while (found < limit) {
    Py_ssize_t at = find(h, n, s, m);
    if (at < 0) break;
    found++;
    h += at + m;
    n -= at + m;
  }
  return found;
}

}  // namespace amphis::search
