// Levenshtein distance over short names, with a lower price for a difference of case.
#include "objects/suggest.h"

#include <string.h>

namespace amphis {
namespace {

constexpr size_t kMove = 2, kCase = 1;
constexpr size_t kLongest = 40;

size_t price(char a, char b) {
  if (a == b) return 0;
  auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return lower(a) == lower(b) ? kCase : kMove;
}

}  // namespace

size_t spelling_distance(const char* a, size_t n, const char* b, size_t m, size_t limit) {
  while (n && m && *a == *b) a++, b++, n--, m--;
  while (n && m && a[n - 1] == b[m - 1]) n--, m--;
  if (n == 0 || m == 0) return (n + m) * kMove;
  if (n > kLongest || m > kLongest) return limit + 1;
  if (((n > m ? n - m : m - n) * kMove) > limit) return limit + 1;
  size_t row[kLongest + 1];
  for (size_t j = 0; j <= m; j++) row[j] = j * kMove;
  for (size_t i = 1; i <= n; i++) {
    size_t diagonal = row[0];
    row[0] = i * kMove;
    size_t least = row[0];
    for (size_t j = 1; j <= m; j++) {
      size_t best = diagonal + price(a[i - 1], b[j - 1]);
      if (row[j] + kMove < best) best = row[j] + kMove;
      if (row[j - 1] + kMove < best) best = row[j - 1] + kMove;
      diagonal = row[j];
      row[j] = best;
      if (best < least) least = best;
    }
    if (least > limit) return limit + 1;
  }
  return row[m];
}

const char* closest_name(PyObject* name, const char* const* candidates, size_t count) {
  if (!PyUnicode_Check(name)) return nullptr;
  Py_ssize_t size;
  const char* text = PyUnicode_AsUTF8AndSize(name, &size);
  if (!text) {
    PyErr_Clear();
    return nullptr;
  }
  size_t n = static_cast<size_t>(size), nearest = SIZE_MAX;
  const char* best = nullptr;
  for (size_t i = 0; i < count; i++) {
    size_t m = strlen(candidates[i]);
    if (m == 0) continue;
    size_t limit = (n + m + 3) * kMove / 6;
    if (best && nearest - 1 < limit) limit = nearest - 1;
    size_t distance = spelling_distance(text, n, candidates[i], m, limit);
    if (distance > limit) continue;
    best = candidates[i];
    nearest = distance;
    if (nearest == 0) break;
  }
  return best;
}

}  // namespace amphis
