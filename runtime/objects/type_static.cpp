// Makes every built-in static type ready, in the order of static_types.def (bases first).
#include "gc/gc_bits.h"
#include "objects/template_string.h"
#include "objects/type.h"
#include "objects/type_slots.h"
#include "objects/typevar.h"

extern "C" {
#define AMPHIS_STATIC_TYPE(Name) extern PyTypeObject Name;
#include "objects/static_types.def"
#undef AMPHIS_STATIC_TYPE
}

namespace amphis {

int init_static_types() {
  static PyTypeObject* const types[] = {
#define AMPHIS_STATIC_TYPE(Name) &Name,
#include "objects/static_types.def"
#undef AMPHIS_STATIC_TYPE
  };
  if (init_names() < 0 || init_slot_table() < 0) return -1;
  type_cache_init();
  for (PyTypeObject* type : types) {
    type->tp_flags |= _Py_TPFLAGS_STATIC_BUILTIN;
    if (PyType_Ready(type) < 0) return -1;
    untrack(type->tp_dict);  // for ever reachable, and a third of what the collector would look at otherwise
  }
  return init_template_strings() < 0 ? -1 : init_type_parameters();
}

}  // namespace amphis
