// The monitored loop: the text of eval.cpp once more, with the words that deliver events (interp/monitoring.h).
#define AMPHIS_MONITORED_LOOP
#include "interp/eval.cpp"

namespace amphis {

namespace {
PyObject left_monitoring[1] = {PyObject_HEAD_INIT(&PyBaseObject_Type)};
}
PyObject* const kLeftMonitoring = left_monitoring;

}  // namespace amphis
