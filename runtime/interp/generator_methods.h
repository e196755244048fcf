// What generators, coroutines and asynchronous generators share beyond their frames (generator.h).
#pragma once

#include "interp/generator.h"

namespace amphis {

// gen.throw(exc) with a ready exception (borrowed): the next yielded value, or null with an exception.
PyObject* generator_throw(PyObject* self, PyObject* exc, bool close_on_exit);
// gen.close(): new reference to None or the returned value.
PyObject* generator_close(PyObject* self);
// Ends a claimed or unreachable generator without running its code.
void generator_abandon(GeneratorObject* gen);
// gi_frame: new reference to the frame object or None.
PyObject* generator_get_frame(PyObject* self);
void warn_unawaited_coroutine(PyObject* coroutine);

// Type slots.
void generator_dealloc(PyObject* self);
int generator_traverse(PyObject* self, visitproc visit, void* arg);
void generator_finalize(PyObject* self);

}  // namespace amphis
