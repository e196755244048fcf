// The loop for many threads: the text of eval.cpp once more (sync/free/loops.h).
#define AMPHIS_LOOP_AMONG_THREADS
#include "interp/eval.cpp"
