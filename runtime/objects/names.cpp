// Fills the table of names that the runtime looks up by itself (names.def).
#include "objects/names.h"

namespace amphis {

Names names;

namespace {
constexpr const char* kTexts[] = {
#define AMPHIS_DUNDER(x) "__" #x "__",
#define AMPHIS_PLAIN(x) #x,
#include "objects/names.def"
#undef AMPHIS_DUNDER
#undef AMPHIS_PLAIN
};
static_assert(sizeof(kTexts) / sizeof(kTexts[0]) == sizeof(Names) / sizeof(PyObject*));
}  // namespace

int init_names() {
  PyObject** slot = reinterpret_cast<PyObject**>(&names);
  if (*slot != nullptr) return 0;
  for (const char* text : kTexts) {
    *slot = PyUnicode_InternFromString(text);
    if (*slot == nullptr) return -1;
    ++slot;
  }
  return 0;
}

}  // namespace amphis
