// The module _sre: the objects, and Session, a pattern at work on one string.
//
// The files: sre_code.h (what re._compiler emits), sre_charset (single characters), sre_program.h with
// sre_translate and sre_optimise (from code list to program), sre_matcher.cpp (the matcher), sre_session.cpp
// (strings), sre_pattern.cpp, sre_match.cpp, sre_substitute.cpp, sre_scanner.cpp (the types), sre_module.cpp
// (the module).
#pragma once

#include "Python.h"
#include "modules/sre_program.h"
#include "objects/container_support.h"
#include "sync/ref.h"

namespace amphis::sre {

struct Pattern {
  PyObject_VAR_HEAD Py_ssize_t groups;
  PyObject* group_index;  // dict: name -> number
  PyObject* index_group;  // tuple: number -> name or None
  PyObject* pattern;      // str, bytes or None
  PyObject* weakrefs;
  int flags;
  int is_bytes;  // -1: either will do
  Program* program;
};

struct Match {
  PyObject_VAR_HEAD PyObject* string;  // the subject
  PyObject* regs;                      // made on demand
  Pattern* pattern;
  Py_ssize_t pos, end_pos;
  Py_ssize_t last_index;  // -1: none
  Py_ssize_t groups;      // the whole match counts as one
  Py_ssize_t spans[2];    // start and end of each group; -1: no part of the match
};

struct Template {
  PyObject_VAR_HEAD PyObject* literal;  // what comes first
  struct Item {
    Py_ssize_t index;   // the text of this group,
    PyObject* literal;  // and then this; null for an empty one
  } items[1];
};

inline Pattern* as_pattern(PyObject* op) {
  return reinterpret_cast<Pattern*>(op);
}
inline Match* as_match(PyObject* op) {
  return reinterpret_cast<Match*>(op);
}
inline Template* as_template(PyObject* op) {
  return reinterpret_cast<Template*>(op);
}

// The characters of a str or a buffer, for as long as this lives.
class Subject {
 public:
  Subject() = default;
  ~Subject() {
    if (held_) PyBuffer_Release(&view_);
  }
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;

  // False with TypeError if it is neither.
  bool open(PyObject* string);

  PyObject* string() const { return string_; }
  const char* data() const { return data_; }
  Py_ssize_t length() const { return length_; }
  int width() const { return width_; }
  bool is_bytes() const { return is_bytes_; }
  // The part [start, end): the whole object where it is an exact str or bytes.
  PyObject* slice(Py_ssize_t start, Py_ssize_t end) const;

 private:
  PyObject* string_ = nullptr;  // borrowed
  const char* data_ = nullptr;
  Py_ssize_t length_ = 0;
  int width_ = 1;
  bool is_bytes_ = false;
  bool ascii_ = false;
  bool held_ = false;
  Py_buffer view_;
};

// A pattern at work on one string. The caller keeps both alive. Not for two threads at once.
class Session {
 public:
  Session() = default;
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // False with an exception.
  bool begin(Pattern* pattern, PyObject* string, Py_ssize_t pos = 0, Py_ssize_t end_pos = PY_SSIZE_T_MAX);

  // 1 if there is a match, 0, or -1 with an exception. They start from start().
  int match(bool full = false);
  int search();
  // After a match: the next one starts at its end, and may not be empty there if this one was empty.
  void advance() {
    must_advance_ = match_end_ == match_start_;
    start_ = match_end_;
  }

  const Subject& subject() const { return subject_; }
  Pattern* pattern() const { return pattern_; }
  Py_ssize_t start() const { return start_; }
  Py_ssize_t pos() const { return pos_; }
  Py_ssize_t end_pos() const { return end_pos_; }
  Py_ssize_t match_start() const { return match_start_; }
  Py_ssize_t match_end() const { return match_end_; }
  Py_ssize_t last_index() const { return last_index_; }
  // The span of group 1, 2, ... ; false if it has not matched.
  bool group(Py_ssize_t index, Py_ssize_t* start, Py_ssize_t* end) const;
  // Its text, or None, or with `empty`, an empty one.
  PyObject* group_text(Py_ssize_t index, bool empty) const;
  // A Match object for what was found.
  PyObject* make_match() const;

 private:
  struct Entry {
    uint32_t kind;
    uint32_t n;
    const Inst* in;
    const void* at;
    union {
      Py_ssize_t number;
      const void* other;
    };
  };
  struct Loop {
    uint32_t count;  // rounds begun
    const void* last;
  };

  template <class Ch>
  int run(const Ch* at);
  template <class Ch>
  int search_in();
  template <class Ch>
  int attempt(const Ch* at);
  bool grow(Entry** top, Entry** limit);
  bool allocate_registers(const Program& program);
  void reset_marks();
  int poll();

  // How many steps back, or rounds of loops, go by between looks at the eval breaker.
  static constexpr int kFuel = 4096;
  static constexpr size_t kInlineEntries = 48;
  static constexpr size_t kInlineWords = 32;

  Subject subject_;
  Pattern* pattern_ = nullptr;
  const Program* program_ = nullptr;
  Py_ssize_t pos_ = 0, end_pos_ = 0, start_ = 0;
  Py_ssize_t match_start_ = 0, match_end_ = 0;
  Py_ssize_t last_index_ = -1;
  bool must_advance_ = false;
  bool full_ = false;
  const void* forbidden_ = nullptr;  // where a match may not end
  int fuel_ = kFuel;

  // The registers: marks, then loops, then barriers.
  const void** marks_ = nullptr;
  Loop* loops_ = nullptr;
  size_t* barriers_ = nullptr;
  uintptr_t inline_words_[kInlineWords];
  void* register_block_ = nullptr;

  Entry* stack_ = inline_entries_;
  size_t capacity_ = kInlineEntries;
  Entry inline_entries_[kInlineEntries];
};

// The number of a group given by number or name, or -1 with IndexError.
Py_ssize_t match_group_number(Match* match, PyObject* key);
PyObject* match_group_text(Match* match, Py_ssize_t index, PyObject* fallback);

// The compiled form of a replacement string (re._compile_template).
PyObject* compile_template(PyObject* pattern, PyObject* text);
// The replacement for one match: a str or bytes.
PyObject* expand_template(Template* parts, Match* match);
PyObject* make_template(PyObject* pattern, PyObject* items);
PyObject* substitute(Pattern* pattern, PyObject* replacement, PyObject* string, Py_ssize_t count,
                     bool with_count);

PyObject* make_scanner(Pattern* pattern, PyObject* string, Py_ssize_t pos, Py_ssize_t end_pos);
PyObject* make_match_iterator(Pattern* pattern, PyObject* string, Py_ssize_t pos, Py_ssize_t end_pos);

// The result of Pattern.match and the like for one call: status 1, 0 or -1.
PyObject* match_or_none(const Session& session, int status);

}  // namespace amphis::sre

extern "C" {
extern PyTypeObject SrePattern_Type;
extern PyTypeObject SreMatch_Type;
extern PyTypeObject SreTemplate_Type;
extern PyTypeObject SreScanner_Type;
extern PyTypeObject SreMatchIterator_Type;
}
