// The table of attribute forms that a thread keeps.
#include "interp/attr_table.h"

#include <string>
#include <vector>

#include "catch.h"
#include "sync/ref.h"

using namespace amphis;

namespace {

AttrForm form_of(Word word) { return {Op::LOAD_ATTR_SLOT, word, {}}; }

// Names of which lookups under one version meet in one pair of entries.
std::vector<Ref<>> names_that_meet(ThreadState* ts, uint32_t version, size_t n) {
  std::vector<Ref<>> found, others;  // what lives has an address of its own
  const AttrEntry* pair = nullptr;
  for (int i = 0; found.size() < n; ++i) {
    Ref<> name = steal(PyUnicode_FromString(("attribute_" + std::to_string(i)).c_str()));
    const AttrEntry* where = attr_pair(ts->attr_table, version, name, AttrUse::kLoad);
    if (pair == nullptr) pair = where;
    (where == pair ? found : others).push_back(std::move(name));
  }
  return found;
}

Word word_of(ThreadState* ts, uint32_t version, PyObject* name) {
  const AttrEntry* entry = attr_find(ts, version, name, AttrUse::kLoad);
  return entry != nullptr ? entry->form.word : 0;
}

}  // namespace

TEST_CASE("two lookups that meet in the attribute table are both remembered, and a third takes the place of the older") {
  ThreadState* ts = current_thread();
  constexpr uint32_t kVersion = 0x7ffffff1;
  const Ref<> first = steal(PyUnicode_FromString("makes the table"));
  attr_table_set(ts, kVersion, first, AttrUse::kLoad, form_of(1));
  const std::vector<Ref<>> names = names_that_meet(ts, kVersion, 3);
  attr_table_set(ts, kVersion, names[0], AttrUse::kLoad, form_of(10));
  attr_table_set(ts, kVersion, names[1], AttrUse::kLoad, form_of(11));
  CHECK(word_of(ts, kVersion, names[0]) == 10);
  CHECK(word_of(ts, kVersion, names[1]) == 11);
  CHECK(attr_find(ts, kVersion, names[0], AttrUse::kStore) == nullptr);
  CHECK(attr_find(ts, kVersion + 1, names[0], AttrUse::kLoad) == nullptr);
  attr_table_set(ts, kVersion, names[0], AttrUse::kLoad, form_of(20));
  CHECK(word_of(ts, kVersion, names[0]) == 20);
  CHECK(word_of(ts, kVersion, names[1]) == 11);
  attr_table_set(ts, kVersion, names[2], AttrUse::kLoad, form_of(12));
  CHECK(word_of(ts, kVersion, names[2]) == 12);
  CHECK(word_of(ts, kVersion, names[0]) == 20);
  CHECK(attr_find(ts, kVersion, names[1], AttrUse::kLoad) == nullptr);
}
