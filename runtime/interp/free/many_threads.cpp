// The loop for many threads: the text of eval.cpp once more (sync/free/loops.h).
#define AMPHIS_LOOP_AMONG_THREADS
#include "interp/eval.cpp"

namespace amphis {

namespace {
PyObject one_thread_left[1] = {PyObject_HEAD_INIT(&PyBaseObject_Type)};
}
PyObject* const kOneThreadLeft = one_thread_left;

}  // namespace amphis
