// The methods that bytes and bytearray have in common, as a template on the kind of bytes.
//
// Kind says: Lock (taken while self's memory is read), Hold (keeps self's size while arguments are converted, which may run
// any code), span(self), make(data, size), from(builder), share(self): self when it
// is immutable and exact, else null; kName. Arguments are converted before self's memory is looked at, because
// converting them may run any code.
#pragma once

#include <cstring>

#include "capi/getargs.h"
#include "objects/bytes_algorithms.h"
#include "objects/int.h"
#include "sync/ref.h"

namespace amphis {

template <class Kind>
struct BytesMethods {
  using Lock = typename Kind::Lock;

  static PyObject* make(ByteSpan span) { return Kind::make(span.data, span.size); }
  // A copy of the whole, or self itself.
  static PyObject* whole(PyObject* self) {
    PyObject* same = Kind::share(self);
    return same != nullptr ? same : make(Kind::span(self));
  }

  template <Py_ssize_t (*Find)(ByteSpan, ByteSpan)>
  static bool find_at(PyObject* self, const char* name, PyObject* const* args, Py_ssize_t nargs, Py_ssize_t* at) {
    typename Kind::Hold hold(self);
    FindArguments a;
    if (!read_find_arguments(name, args, nargs, &a)) return false;
    Lock lock(self);
    const ByteSpan text = Kind::span(self);
    clip_slice(text.size, &a.start, &a.end);
    *at = -1;
    if (a.end - a.start >= a.part.size && a.start <= text.size) {
      *at = Find({text.data + a.start, a.end - a.start}, a.part);
      if (*at >= 0) *at += a.start;
    }
    return true;
  }
  template <Py_ssize_t (*Find)(ByteSpan, ByteSpan)>
  static PyObject* find_or_minus_one(PyObject* self, const char* name, PyObject* const* args, Py_ssize_t nargs) {
    Py_ssize_t at;
    return find_at<Find>(self, name, args, nargs, &at) ? int_from_int64(at) : nullptr;
  }
  template <Py_ssize_t (*Find)(ByteSpan, ByteSpan)>
  static PyObject* find_or_raise(PyObject* self, const char* name, PyObject* const* args, Py_ssize_t nargs) {
    Py_ssize_t at;
    if (!find_at<Find>(self, name, args, nargs, &at)) return nullptr;
    if (at >= 0) return int_from_int64(at);
    PyErr_SetString(PyExc_ValueError, "subsection not found");
    return nullptr;
  }
  static PyObject* find(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
    return find_or_minus_one<find_bytes>(self, "find", args, nargs);
  }
  static PyObject* rfind(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
    return find_or_minus_one<rfind_bytes>(self, "rfind", args, nargs);
  }
  static PyObject* index(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
    return find_or_raise<find_bytes>(self, "index", args, nargs);
  }
  static PyObject* rindex(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
    return find_or_raise<rfind_bytes>(self, "rindex", args, nargs);
  }

  static PyObject* count(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
    typename Kind::Hold hold(self);
    FindArguments a;
    if (!read_find_arguments("count", args, nargs, &a)) return nullptr;
    Lock lock(self);
    const ByteSpan text = Kind::span(self);
    clip_slice(text.size, &a.start, &a.end);
    if (a.end < a.start || a.start > text.size) return small_int(0);
    return int_from_int64(count_bytes({text.data + a.start, a.end - a.start}, a.part, PY_SSIZE_T_MAX));
  }

  static int contains(PyObject* self, PyObject* item) {
    typename Kind::Hold hold(self);
    ByteArgument held;
    uint8_t byte;
    ByteSpan part;
    if (PyIndex_Check(item)) {
      if (!read_byte(item, &byte)) return -1;
      part = {&byte, 1};
    } else {
      if (!held.acquire_stable(item)) return -1;
      part = held.span();
    }
    Lock lock(self);
    return find_bytes(Kind::span(self), part) >= 0;
  }

  static PyObject* tail(PyObject* self, const char* name, PyObject* const* args, Py_ssize_t nargs, bool at_end) {
    Py_ssize_t start = 0, end = PY_SSIZE_T_MAX;
    if (!read_slice_arguments(name, args, nargs, &start, &end)) return nullptr;
    PyObject* part = args[0];
    typename Kind::Hold hold(self);
    const auto matches = [&](PyObject* candidate) {
      ByteArgument held;
      if (!held.acquire_stable(candidate)) return -1;
      Lock lock(self);
      return tail_match(Kind::span(self), held.span(), start, end, at_end);
    };
    if (PyTuple_Check(part)) {
      for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(part); ++i) {
        const int result = matches(PyTuple_GET_ITEM(part, i));
        if (result != 0) return result < 0 ? nullptr : Py_NewRef(Py_True);
      }
      Py_RETURN_FALSE;
    }
    if (!PyObject_CheckBuffer(part)) {
      PyErr_Format(PyExc_TypeError, "%s first arg must be bytes or a tuple of bytes, not %s", name,
                   Py_TYPE(part)->tp_name);
      return nullptr;
    }
    const int result = matches(part);
    return result < 0 ? nullptr : PyBool_FromLong(result);
  }
  static PyObject* startswith(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
    return tail(self, "startswith", args, nargs, false);
  }
  static PyObject* endswith(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
    return tail(self, "endswith", args, nargs, true);
  }

  template <Side kSide>
  static PyObject* strip_side(PyObject* self, const char* name, PyObject* const* args, Py_ssize_t nargs) {
    if (!_PyArg_CheckPositional(name, nargs, 0, 1)) return nullptr;
    ByteArgument held;
    const bool has_set = nargs > 0 && args[0] != Py_None;
    if (has_set && !held.acquire_stable(args[0])) return nullptr;
    const ByteSpan set = held.span();
    Lock lock(self);
    const ByteSpan text = Kind::span(self);
    const ByteSpan rest = strip_bytes(text, has_set ? &set : nullptr, kSide);
    return rest.size == text.size ? whole(self) : make(rest);
  }
  static PyObject* strip(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
    return strip_side<Side::kBoth>(self, "strip", args, nargs);
  }
  static PyObject* lstrip(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
    return strip_side<Side::kLeft>(self, "lstrip", args, nargs);
  }
  static PyObject* rstrip(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
    return strip_side<Side::kRight>(self, "rstrip", args, nargs);
  }

  static bool push(PyObject* list, ByteSpan piece) {
    PyObject* item = make(piece);
    if (item == nullptr) return false;
    const int status = PyList_Append(list, item);
    Py_DECREF(item);
    return status == 0;
  }

  // The pieces in order for split, from the end for rsplit; `limit` cuts at most.
  static bool split_at(ByteSpan text, ByteSpan separator, Py_ssize_t limit, PyObject* list) {
    for (; limit > 0; --limit) {
      const Py_ssize_t at = find_bytes(text, separator);
      if (at < 0) break;
      if (!push(list, {text.data, at})) return false;
      text = {text.data + at + separator.size, text.size - at - separator.size};
    }
    return push(list, text);
  }
  static bool rsplit_at(ByteSpan text, ByteSpan separator, Py_ssize_t limit, PyObject* list) {
    for (; limit > 0; --limit) {
      const Py_ssize_t at = rfind_bytes(text, separator);
      if (at < 0) break;
      if (!push(list, {text.data + at + separator.size, text.size - at - separator.size})) return false;
      text.size = at;
    }
    return push(list, text);
  }
  static bool split_space(ByteSpan text, Py_ssize_t limit, PyObject* list) {
    text = strip_bytes(text, nullptr, Side::kLeft);
    while (text.size > 0) {
      if (limit-- <= 0) return push(list, text);
      Py_ssize_t n = 0;
      while (n < text.size && !is_space(text.data[n])) ++n;
      if (!push(list, {text.data, n})) return false;
      text = strip_bytes({text.data + n, text.size - n}, nullptr, Side::kLeft);
    }
    return true;
  }
  static bool rsplit_space(ByteSpan text, Py_ssize_t limit, PyObject* list) {
    text = strip_bytes(text, nullptr, Side::kRight);
    while (text.size > 0) {
      if (limit-- <= 0) return push(list, text);
      Py_ssize_t n = text.size;
      while (n > 0 && !is_space(text.data[n - 1])) --n;
      if (!push(list, {text.data + n, text.size - n})) return false;
      text = strip_bytes({text.data, n}, nullptr, Side::kRight);
    }
    return true;
  }
  static PyObject* split_either(PyObject* self, const char* name, PyObject* const* args, Py_ssize_t nargs,
                                PyObject* kwnames, bool reverse) {
    static constexpr const char* kNames[] = {"sep", "maxsplit", nullptr};
    PyObject* given[2];
    if (!unpack_keywords(args, nargs, kwnames, {name, kNames, 2, 0}, given)) return nullptr;
    Py_ssize_t limit = -1;
    if (given[1] != nullptr && !read_size(given[1], &limit)) return nullptr;
    if (limit < 0) limit = PY_SSIZE_T_MAX;
    typename Kind::Hold hold(self);
    ByteArgument held;
    const bool has_separator = given[0] != nullptr && given[0] != Py_None;
    if (has_separator) {
      if (!held.acquire_stable(given[0])) return nullptr;
      if (held.span().size == 0) {
        PyErr_SetString(PyExc_ValueError, "empty separator");
        return nullptr;
      }
    }
    auto list = Ref<>::steal(PyList_New(0));
    if (!list) return nullptr;
    Lock lock(self);
    const ByteSpan text = Kind::span(self);
    const bool ok = has_separator ? (reverse ? rsplit_at(text, held.span(), limit, list.get())
                                             : split_at(text, held.span(), limit, list.get()))
                                  : (reverse ? rsplit_space(text, limit, list.get()) : split_space(text, limit, list.get()));
    if (!ok || (reverse && PyList_Reverse(list.get()) < 0)) return nullptr;
    return list.release();
  }
  static PyObject* split(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
    return split_either(self, "split", args, nargs, kwnames, false);
  }
  static PyObject* rsplit(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
    return split_either(self, "rsplit", args, nargs, kwnames, true);
  }

  static PyObject* splitlines(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
    static constexpr const char* kNames[] = {"keepends", nullptr};
    PyObject* given[1];
    if (!unpack_keywords(args, nargs, kwnames, {"splitlines", kNames, 1, 0}, given)) return nullptr;
    int keep = 0;
    if (given[0] != nullptr && (keep = PyObject_IsTrue(given[0])) < 0) return nullptr;
    auto list = Ref<>::steal(PyList_New(0));
    if (!list) return nullptr;
    Lock lock(self);
    const ByteSpan text = Kind::span(self);
    for (const uint8_t* p = text.data; p != text.end();) {
      const uint8_t* line = p;
      while (p != text.end() && *p != '\n' && *p != '\r') ++p;
      const uint8_t* line_end = p;
      if (p != text.end()) p += *p == '\r' && p + 1 != text.end() && p[1] == '\n' ? 2 : 1;
      if (!push(list.get(), {line, (keep ? p : line_end) - line})) return nullptr;
    }
    return list.release();
  }

  static PyObject* partition_at(PyObject* self, PyObject* separator, bool from_end) {
    ByteArgument held;
    if (!held.acquire_stable(separator)) return nullptr;
    const ByteSpan part = held.span();
    if (part.size == 0) {
      PyErr_SetString(PyExc_ValueError, "empty separator");
      return nullptr;
    }
    Lock lock(self);
    const ByteSpan text = Kind::span(self);
    const Py_ssize_t at = from_end ? rfind_bytes(text, part) : find_bytes(text, part);
    Ref<> pieces[3];
    if (at < 0) {
      for (int i = 0; i < 3; ++i) {
        pieces[i] = Ref<>::steal(i == (from_end ? 2 : 0) ? whole(self) : make({text.data, 0}));
      }
    } else {
      pieces[0] = Ref<>::steal(make({text.data, at}));
      // bytes hands the separator itself on.
      pieces[1] = Ref<>::steal(Kind::kImmutable && PyBytes_CheckExact(separator) ? Py_NewRef(separator) : make(part));
      pieces[2] = Ref<>::steal(make({text.data + at + part.size, text.size - at - part.size}));
    }
    if (!pieces[0] || !pieces[1] || !pieces[2]) return nullptr;
    return PyTuple_Pack(3, pieces[0].get(), pieces[1].get(), pieces[2].get());
  }
  static PyObject* partition(PyObject* self, PyObject* separator) { return partition_at(self, separator, false); }
  static PyObject* rpartition(PyObject* self, PyObject* separator) { return partition_at(self, separator, true); }

  static PyObject* replace(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
    if (!_PyArg_CheckPositional("replace", nargs, 2, 3)) return nullptr;
    ByteArgument from, to;
    if (!from.acquire_stable(args[0]) || !to.acquire_stable(args[1])) return nullptr;
    Py_ssize_t limit = -1;
    if (nargs > 2 && !read_size(args[2], &limit)) return nullptr;
    Lock lock(self);
    const ByteSpan text = Kind::span(self);
    ByteBuilder out(0);
    bool changed;
    if (!replace_bytes(text, from.span(), to.span(), limit, &out, &changed)) return nullptr;
    return changed ? Kind::from(out) : whole(self);
  }

  static PyObject* removeprefix(PyObject* self, PyObject* prefix) {
    ByteArgument held;
    if (!held.acquire_stable(prefix)) return nullptr;
    const Py_ssize_t n = held.span().size;
    Lock lock(self);
    const ByteSpan text = Kind::span(self);
    if (n > 0 && tail_match(text, held.span(), 0, PY_SSIZE_T_MAX, false)) return make({text.data + n, text.size - n});
    return whole(self);
  }
  static PyObject* removesuffix(PyObject* self, PyObject* suffix) {
    ByteArgument held;
    if (!held.acquire_stable(suffix)) return nullptr;
    const Py_ssize_t n = held.span().size;
    Lock lock(self);
    const ByteSpan text = Kind::span(self);
    if (n > 0 && tail_match(text, held.span(), 0, PY_SSIZE_T_MAX, true)) return make({text.data, text.size - n});
    return whole(self);
  }

  static PyObject* translate(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
    static constexpr const char* kNames[] = {"", "delete", nullptr};
    PyObject* given[2];
    if (!unpack_keywords(args, nargs, kwnames, {"translate", kNames, 2, 1}, given)) return nullptr;
    ByteArgument table, removed;
    const bool has_table = given[0] != Py_None;
    if (has_table) {
      if (!table.acquire_stable(given[0])) return nullptr;
      if (table.span().size != 256) {
        PyErr_SetString(PyExc_ValueError, "translation table must be 256 characters long");
        return nullptr;
      }
    }
    if (given[1] != nullptr && !removed.acquire_stable(given[1])) return nullptr;
    bool remove[256] = {};
    for (Py_ssize_t i = 0; i < removed.span().size; ++i) remove[removed.span().data[i]] = true;
    Lock lock(self);
    const ByteSpan text = Kind::span(self);
    ByteBuilder out(text.size);
    if (!out.ok()) return nullptr;
    for (Py_ssize_t i = 0; i < text.size; ++i) {
      const uint8_t c = text.data[i];
      if (!remove[c]) out.push(has_table ? table.span().data[c] : c);
    }
    if (out.size() == text.size && std::memcmp(out.data(), text.data, static_cast<size_t>(text.size)) == 0) {
      return whole(self);
    }
    return Kind::from(out);
  }

  static PyObject* join(PyObject* self, PyObject* iterable) {
    if constexpr (Kind::kImmutable) {
      // A single item is the result.
      const bool list = PyList_CheckExact(iterable);
      if ((list ? PyList_GET_SIZE(iterable) : PyTuple_CheckExact(iterable) ? PyTuple_GET_SIZE(iterable) : 0) == 1) {
        auto only = Ref<>::steal(list ? PyList_GetItemRef(iterable, 0) : Py_NewRef(PyTuple_GET_ITEM(iterable, 0)));
        if (only && PyBytes_CheckExact(only.get())) return only.release();
        PyErr_Clear();
      }
    }
    ByteBuilder out(0);
    typename Kind::Hold hold(self);
    Lock lock(self);
    if (!join_bytes(Kind::span(self), iterable, &out)) return nullptr;
    return Kind::from(out);
  }

  static PyObject* decode(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
    static constexpr const char* kNames[] = {"encoding", "errors", nullptr};
    PyObject* given[2];
    if (!unpack_keywords(args, nargs, kwnames, {"decode", kNames, 2, 0}, given)) return nullptr;
    const char* texts[2] = {nullptr, nullptr};
    for (int i = 0; i < 2; ++i) {
      if (given[i] == nullptr) continue;
      if (!PyUnicode_Check(given[i])) {
        _PyArg_BadArgument("decode", i == 0 ? "argument 'encoding'" : "argument 'errors'", "str", given[i]);
        return nullptr;
      }
      Py_ssize_t length;
      texts[i] = PyUnicode_AsUTF8AndSize(given[i], &length);
      if (texts[i] == nullptr) return nullptr;
      if (std::strlen(texts[i]) != static_cast<size_t>(length)) {
        PyErr_SetString(PyExc_ValueError, "embedded null character");
        return nullptr;
      }
    }
    return PyUnicode_FromEncodedObject(self, texts[0], texts[1]);
  }

  static PyObject* hex(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
    static constexpr const char* kNames[] = {"sep", "bytes_per_sep", nullptr};
    PyObject* given[2];
    if (!unpack_keywords(args, nargs, kwnames, {"hex", kNames, 2, 0}, given)) return nullptr;
    int group = 1;
    if (given[1] != nullptr) {
      group = PyLong_AsInt(given[1]);
      if (group == -1 && PyErr_Occurred()) return nullptr;
    }
    typename Kind::Hold hold(self);
    Lock lock(self);
    return bytes_hex(Kind::span(self), given[0], group);
  }
  static PyObject* fromhex(PyObject* type, PyObject* text) {
    ByteBuilder out(0);
    if (!parse_hex(text, &out)) return nullptr;
    auto result = Ref<>::steal(Kind::from(out));
    if (!result || type == reinterpret_cast<PyObject*>(Kind::type())) return result.release();
    return PyObject_CallOneArg(type, result.get());
  }

  static PyObject* expandtabs(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
    static constexpr const char* kNames[] = {"tabsize", nullptr};
    PyObject* given[1];
    if (!unpack_keywords(args, nargs, kwnames, {"expandtabs", kNames, 1, 0}, given)) return nullptr;
    int tab_size = 8;
    if (given[0] != nullptr) {
      tab_size = PyLong_AsInt(given[0]);
      if (tab_size == -1 && PyErr_Occurred()) return nullptr;
    }
    Lock lock(self);
    const ByteSpan text = Kind::span(self);
    ByteBuilder out(text.size);
    return out.ok() && expand_tabs(text, tab_size, &out) ? Kind::from(out) : nullptr;
  }

  static PyObject* pad(PyObject* self, Py_ssize_t left, Py_ssize_t right, uint8_t fill) {
    const ByteSpan text = Kind::span(self);
    if (left <= 0 && right <= 0) return whole(self);
    ByteBuilder out(text.size + left + right);
    if (!out.ok()) return nullptr;
    out.fill(fill, left);
    out.append(text.data, text.size);
    out.fill(fill, right);
    return Kind::from(out);
  }
  enum class Align { kLeft, kRight, kCenter };
  template <Align kAlign>
  static PyObject* justify(PyObject* self, const char* name, PyObject* const* args, Py_ssize_t nargs) {
    if (!_PyArg_CheckPositional(name, nargs, 1, 2)) return nullptr;
    Py_ssize_t width;
    if (!read_size(args[0], &width)) return nullptr;
    uint8_t fill = ' ';
    if (nargs > 1) {
      ByteArgument held;
      if (!PyBytes_Check(args[1]) && !PyByteArray_Check(args[1])) {
        _PyArg_BadArgument(name, "argument 2", "a byte string of length 1", args[1]);
        return nullptr;
      }
      if (!held.acquire_stable(args[1])) return nullptr;
      if (held.span().size != 1) {
        PyErr_Format(PyExc_TypeError, "%s(): argument 2 must be a byte string of length 1, not a %s object of length %zd",
                     name, PyBytes_Check(args[1]) ? "bytes" : "bytearray", held.span().size);
        return nullptr;
      }
      fill = held.span().data[0];
    }
    Lock lock(self);
    const Py_ssize_t space = width - Kind::span(self).size;
    if (space <= 0) return whole(self);
    if (kAlign == Align::kLeft) return pad(self, 0, space, fill);
    if (kAlign == Align::kRight) return pad(self, space, 0, fill);
    const Py_ssize_t left = space / 2 + (space & width & 1);
    return pad(self, left, space - left, fill);
  }
  static PyObject* ljust(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
    return justify<Align::kLeft>(self, "ljust", args, nargs);
  }
  static PyObject* rjust(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
    return justify<Align::kRight>(self, "rjust", args, nargs);
  }
  static PyObject* center(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
    return justify<Align::kCenter>(self, "center", args, nargs);
  }
  static PyObject* zfill(PyObject* self, PyObject* arg) {
    Py_ssize_t width;
    if (!read_size(arg, &width)) return nullptr;
    Lock lock(self);
    const ByteSpan text = Kind::span(self);
    if (text.size >= width) return whole(self);
    const bool sign = text.size > 0 && (text.data[0] == '+' || text.data[0] == '-');
    ByteBuilder out(width);
    if (!out.ok()) return nullptr;
    if (sign) out.push(text.data[0]);
    out.fill('0', width - text.size);
    out.append(text.data + sign, text.size - sign);
    return Kind::from(out);
  }

  template <void (*Map)(ByteSpan, uint8_t*)>
  static PyObject* mapped(PyObject* self, PyObject*) {
    Lock lock(self);
    const ByteSpan text = Kind::span(self);
    ByteBuilder out(text.size);
    if (!out.ok()) return nullptr;
    out.fill(0, text.size);
    Map(text, out.data());
    return Kind::from(out);
  }
  template <bool (*Test)(ByteSpan)>
  static PyObject* tested(PyObject* self, PyObject*) {
    Lock lock(self);
    return PyBool_FromLong(Test(Kind::span(self)));
  }

  static PyObject* maketrans(PyObject*, PyObject* const* args, Py_ssize_t nargs) { return make_translation(args, nargs); }

  static PyObject* modulo(PyObject* format, PyObject* args) {
    if (!PyObject_TypeCheck(format, Kind::type())) Py_RETURN_NOTIMPLEMENTED;
    ByteBuilder out(0);
    typename Kind::Hold hold(format);
    Lock lock(format);
    return format_bytes(Kind::span(format), args, &out) ? Kind::from(out) : nullptr;
  }
};

}  // namespace amphis

// clang-format off
#define AMPHIS_BYTES_METHODS(M)                                                                                        \
  {"capitalize", M::mapped<to_capitalized>, METH_NOARGS, "capitalize($self, /)\n--\n\nA copy with the first letter in upper and the rest in lower case."}, \
  {"center", _PyCFunction_CAST(M::center), METH_FASTCALL, "center($self, width, fillchar=b' ', /)\n--\n\nThe bytes in the middle of `width`, padded with the fill byte."}, \
  {"count", _PyCFunction_CAST(M::count), METH_FASTCALL, "count($self, sub[, start[, end]], /)\n--\n\nHow often sub occurs in B[start:end] without overlap."}, \
  {"decode", _PyCFunction_CAST(M::decode), METH_FASTCALL | METH_KEYWORDS, "decode($self, /, encoding='utf-8', errors='strict')\n--\n\nThe text that the bytes encode."}, \
  {"endswith", _PyCFunction_CAST(M::endswith), METH_FASTCALL, "endswith($self, suffix[, start[, end]], /)\n--\n\nWhether the bytes end with the suffix, or with one of a tuple of suffixes."}, \
  {"expandtabs", _PyCFunction_CAST(M::expandtabs), METH_FASTCALL | METH_KEYWORDS, "expandtabs($self, /, tabsize=8)\n--\n\nA copy with tabs replaced by spaces."}, \
  {"find", _PyCFunction_CAST(M::find), METH_FASTCALL, "find($self, sub[, start[, end]], /)\n--\n\nThe lowest index in B where sub is found within B[start:end], or -1."}, \
  {"fromhex", M::fromhex, METH_O | METH_CLASS, "fromhex($type, string, /)\n--\n\nBytes from pairs of hexadecimal digits; spaces between pairs are skipped."}, \
  {"hex", _PyCFunction_CAST(M::hex), METH_FASTCALL | METH_KEYWORDS, "hex($self, /, sep=<unrepresentable>, bytes_per_sep=1)\n--\n\nA str of two hexadecimal digits for each byte.\n\nsep goes between groups of bytes_per_sep bytes, counted from the right, or from the left if negative."}, \
  {"index", _PyCFunction_CAST(M::index), METH_FASTCALL, "index($self, sub[, start[, end]], /)\n--\n\nLike find, but raises ValueError when sub is not found."}, \
  {"isalnum", M::tested<all_alnum>, METH_NOARGS, "isalnum($self, /)\n--\n\nWhether there are bytes and all are ASCII letters or digits."}, \
  {"isalpha", M::tested<all_alpha>, METH_NOARGS, "isalpha($self, /)\n--\n\nWhether there are bytes and all are ASCII letters."}, \
  {"isascii", M::tested<all_ascii>, METH_NOARGS, "isascii($self, /)\n--\n\nWhether all bytes are below 128."}, \
  {"isdigit", M::tested<all_digit>, METH_NOARGS, "isdigit($self, /)\n--\n\nWhether there are bytes and all are ASCII digits."}, \
  {"islower", M::tested<is_lower>, METH_NOARGS, "islower($self, /)\n--\n\nWhether there are letters and all are in lower case."}, \
  {"isspace", M::tested<all_space>, METH_NOARGS, "isspace($self, /)\n--\n\nWhether there are bytes and all are ASCII white space."}, \
  {"istitle", M::tested<is_title>, METH_NOARGS, "istitle($self, /)\n--\n\nWhether the bytes are in title case."}, \
  {"isupper", M::tested<is_upper>, METH_NOARGS, "isupper($self, /)\n--\n\nWhether there are letters and all are in upper case."}, \
  {"join", M::join, METH_O, "join($self, iterable_of_bytes, /)\n--\n\nThe items joined, with these bytes between them."}, \
  {"ljust", _PyCFunction_CAST(M::ljust), METH_FASTCALL, "ljust($self, width, fillchar=b' ', /)\n--\n\nThe bytes at the left of `width`, padded with the fill byte."}, \
  {"lower", M::mapped<to_lower>, METH_NOARGS, "lower($self, /)\n--\n\nA copy in lower case."}, \
  {"lstrip", _PyCFunction_CAST(M::lstrip), METH_FASTCALL, "lstrip($self, bytes=None, /)\n--\n\nWithout leading bytes of the argument, or without leading white space."}, \
  {"maketrans", _PyCFunction_CAST(M::maketrans), METH_FASTCALL | METH_STATIC, "maketrans(frm, to, /)\n--\n\nA table for translate that maps each byte of frm to the one at its place in to."}, \
  {"partition", M::partition, METH_O, "partition($self, sep, /)\n--\n\nThe part before the first separator, the separator, and the part behind it."}, \
  {"removeprefix", M::removeprefix, METH_O, "removeprefix($self, prefix, /)\n--\n\nWithout the prefix, if there is one."}, \
  {"removesuffix", M::removesuffix, METH_O, "removesuffix($self, suffix, /)\n--\n\nWithout the suffix, if there is one."}, \
  {"replace", _PyCFunction_CAST(M::replace), METH_FASTCALL, "replace($self, old, new, count=-1, /)\n--\n\nA copy with the first `count`, or all, occurrences of old replaced by new."}, \
  {"rfind", _PyCFunction_CAST(M::rfind), METH_FASTCALL, "rfind($self, sub[, start[, end]], /)\n--\n\nThe highest index in B where sub is found within B[start:end], or -1."}, \
  {"rindex", _PyCFunction_CAST(M::rindex), METH_FASTCALL, "rindex($self, sub[, start[, end]], /)\n--\n\nLike rfind, but raises ValueError when sub is not found."}, \
  {"rjust", _PyCFunction_CAST(M::rjust), METH_FASTCALL, "rjust($self, width, fillchar=b' ', /)\n--\n\nThe bytes at the right of `width`, padded with the fill byte."}, \
  {"rpartition", M::rpartition, METH_O, "rpartition($self, sep, /)\n--\n\nThe part before the last separator, the separator, and the part behind it."}, \
  {"rsplit", _PyCFunction_CAST(M::rsplit), METH_FASTCALL | METH_KEYWORDS, "rsplit($self, /, sep=None, maxsplit=-1)\n--\n\nA list of the sections between separators, cut from the end."}, \
  {"rstrip", _PyCFunction_CAST(M::rstrip), METH_FASTCALL, "rstrip($self, bytes=None, /)\n--\n\nWithout trailing bytes of the argument, or without trailing white space."}, \
  {"split", _PyCFunction_CAST(M::split), METH_FASTCALL | METH_KEYWORDS, "split($self, /, sep=None, maxsplit=-1)\n--\n\nA list of the sections between separators; without one, between runs of white space."}, \
  {"splitlines", _PyCFunction_CAST(M::splitlines), METH_FASTCALL | METH_KEYWORDS, "splitlines($self, /, keepends=False)\n--\n\nA list of the lines, without their ends unless keepends is true."}, \
  {"startswith", _PyCFunction_CAST(M::startswith), METH_FASTCALL, "startswith($self, prefix[, start[, end]], /)\n--\n\nWhether the bytes start with the prefix, or with one of a tuple of prefixes."}, \
  {"strip", _PyCFunction_CAST(M::strip), METH_FASTCALL, "strip($self, bytes=None, /)\n--\n\nWithout leading and trailing bytes of the argument, or without white space there."}, \
  {"swapcase", M::mapped<swap_case>, METH_NOARGS, "swapcase($self, /)\n--\n\nA copy with upper and lower case exchanged."}, \
  {"title", M::mapped<to_title>, METH_NOARGS, "title($self, /)\n--\n\nA copy in which words start with an upper case letter."}, \
  {"translate", _PyCFunction_CAST(M::translate), METH_FASTCALL | METH_KEYWORDS, "translate($self, table, /, delete=b'')\n--\n\nA copy without the bytes in delete, the others mapped by a table of 256 bytes, or None."}, \
  {"upper", M::mapped<to_upper>, METH_NOARGS, "upper($self, /)\n--\n\nA copy in upper case."}, \
  {"zfill", M::zfill, METH_O, "zfill($self, width, /)\n--\n\nPadded with zeros on the left, behind a sign."}
// clang-format on
