// The monitored loop: the text of eval.cpp once more, with the words that deliver events (interp/monitoring.h).
#define AMPHIS_MONITORED_LOOP
#include "interp/eval.cpp"
