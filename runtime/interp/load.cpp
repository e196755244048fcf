// The halves of load.h that the loop calls only where other threads may write what it reads or see what it stores.
#include "interp/load.h"

#include "sync/object_lock.h"

namespace amphis {

namespace {

template <class Put>
bool put_locked(PyObject* o, Put put) {
  PyObject* old;
  bool done;
  {
    LeafLock lock(o);
    done = put(&old);
  }
  Py_XDECREF(old);
  return done;
}

}  // namespace

PyObject* load_shared(PyObject* const* slot, const void* owner) {
  Ref<> result = sync::get_ref(slot, owner);
  if (result) allow_uncounted(result);
  return result.release();
}

PyObject* try_load_shared(PyObject* const* slot) {
  Ref<> result;
  if (!sync::try_get_ref(slot, &result)) return nullptr;
  if (result) allow_uncounted(result);
  return result.release();
}

bool put_attr_inline_locked(PyObject* o, InlineValues* values, int index, Value* R, Word w) {
  return put_locked(o, [=](PyObject** old) { return put_attr_inline(values, index, R, w, old); });
}
bool put_list_item_locked(PyListObject* list, Py_ssize_t i, Value* R, Word w) {
  return put_locked(reinterpret_cast<PyObject*>(list), [=](PyObject** old) { return put_list_item(list, i, R, w, old); });
}
bool put_slot_locked(PyObject* o, PyObject** slot, Value* R, Word w) {
  return put_locked(o, [=](PyObject** old) { return put_slot(slot, R, w, old); });
}

}  // namespace amphis
