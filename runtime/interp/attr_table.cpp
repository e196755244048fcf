#include "interp/attr_table.h"

#include "base/spares.h"

#include <cstdlib>

namespace amphis {

namespace {
// Tables of threads that have ended. What they know is as true for the next thread, as long as the versions are.
Spares<AttrTable, 8> spares;

void free_table(AttrTable* table) {
  for (auto& pair : table->pairs)
    for (AttrEntry& entry : pair) Py_XDECREF(entry.name);
  std::free(table);
}
}  // namespace

void attr_table_set(ThreadState* ts, uint32_t version, PyObject* name, AttrUse use, const AttrForm& form) {
  if (ts->attr_table == nullptr) {
    ts->attr_table = spares.take();
    if (ts->attr_table == nullptr) ts->attr_table = static_cast<AttrTable*>(std::calloc(1, sizeof(AttrTable)));
    if (ts->attr_table == nullptr) return;
  }
  AttrEntry* pair = attr_pair(ts->attr_table, version, name, use);
  const int place = attr_entry_is(pair[0], version, name, use) ? 0 : 1;
  PyObject* old = pair[place].name;
  if (place == 1) pair[1] = pair[0];
  pair[0] = AttrEntry{version, use, Py_NewRef(name), form};
  Py_XDECREF(old);
}

void attr_table_drop(ThreadState* ts) {
  AttrTable* table = ts->attr_table;
  ts->attr_table = nullptr;
  if (sync::finalizing()) {
    while (AttrTable* spare = spares.take()) free_table(spare);
  } else if (table != nullptr && spares.put(table)) {
    return;
  }
  if (table != nullptr) free_table(table);
}

}  // namespace amphis
