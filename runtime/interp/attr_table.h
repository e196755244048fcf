// A thread's table of attribute forms: what the inline caches of all its sites have found out, by type version and name.
// A site's own cache knows one class; a site that sees several asks here before it goes the general way.
//
// An entry is used only while the type has the entry's version. It belongs to one thread; it owns its name, so that no
// other name can have that address, and borrows what its record borrows, under the rules of AttrRecord (load.h).
#pragma once

#include "Python.h"
#include "interp/load.h"
#include "interp/opcode.h"
#include "sync/thread_state.h"

namespace amphis {

// How a lookup goes: the special form that does it, with its cache word or its record. The general form: no short way.
struct AttrForm {
  Op op;
  Word word;
  AttrRecord record;
};

// kSuper: a method beyond a class, which is the form's word, in the MRO of the type that the version belongs to.
enum class AttrUse : uint8_t { kLoad, kMethod, kStore, kSuper };

struct AttrEntry {
  uint32_t version;  // 0: empty
  AttrUse use;
  PyObject* name;
  AttrForm form;
};

// Hangs from ThreadState::attr_table. Two lookups that meet in one pair of entries are both remembered, newest first: programs
// with a handful of classes would otherwise lose two of their lookups to each other by the chance of addresses.
struct AttrTable {
  static constexpr size_t kPairs = 256;
  AttrEntry pairs[kPairs][2];
};

inline AttrEntry* attr_pair(AttrTable* table, uint32_t version, PyObject* name, AttrUse use) {
  const size_t address = reinterpret_cast<size_t>(name) >> 4;
  const size_t mixed = address ^ (address >> 9) ^ (size_t{version} * 0x9E3779B1u >> 5) ^ (static_cast<size_t>(use) << 3);
  return table->pairs[mixed & (AttrTable::kPairs - 1)];
}
inline bool attr_entry_is(const AttrEntry& entry, uint32_t version, PyObject* name, AttrUse use) {
  return entry.version == version && entry.name == name && entry.use == use;
}
// The entry for this lookup, or null. The version is not 0.
inline const AttrEntry* attr_find(ThreadState* ts, uint32_t version, PyObject* name, AttrUse use) {
  if (ts->attr_table == nullptr) return nullptr;
  const AttrEntry* pair = attr_pair(ts->attr_table, version, name, use);
  if (attr_entry_is(pair[0], version, name, use)) [[likely]] return &pair[0];
  return attr_entry_is(pair[1], version, name, use) ? &pair[1] : nullptr;
}

// Remembers a form; without memory for a table nothing is remembered.
void attr_table_set(ThreadState* ts, uint32_t version, PyObject* name, AttrUse use, const AttrForm& form);
// Gives the table up (ThreadHooks::clear).
void attr_table_drop(ThreadState* ts);

// Frees the records of a code object's sites, which nobody runs any more.
void release_attr_records(PyCodeObject* code);

}  // namespace amphis
