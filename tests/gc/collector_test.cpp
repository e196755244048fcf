#include "catch.h"

#include <thread>
#include <vector>

#include "gc/collector.h"
#include "gc/gc.h"
#include "gc/object_new.h"
#include "sync/deferred.h"
#include "sync/ref.h"

using namespace amphis;

namespace {

struct Node {
  PyObject_HEAD
  PyObject *a, *b;
  PyWeakReference* weak;
};

std::atomic<long> g_live{0}, g_finalized{0};
PyObject* g_saved = nullptr;
bool g_resurrect = false;

Node* node(PyObject* op) { return reinterpret_cast<Node*>(op); }

int node_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(node(self)->a);
  Py_VISIT(node(self)->b);
  return 0;
}
int node_clear(PyObject* self) {
  Py_CLEAR(node(self)->a);
  Py_CLEAR(node(self)->b);
  return 0;
}
void node_finalize(PyObject* self) {
  ++g_finalized;
  if (g_resurrect && !g_saved) g_saved = Py_NewRef(self);
}
void node_dealloc(PyObject* self) {
  if (PyObject_CallFinalizerFromDealloc(self) < 0) return;
  untrack(self);
  if (node(self)->weak) PyObject_ClearWeakRefs(self);
  node_clear(self);
  --g_live;
  free_object(self);
}

PyTypeObject NodeType = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "Node",
    .tp_basicsize = sizeof(Node),
    .tp_dealloc = node_dealloc,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = node_traverse,
    .tp_clear = node_clear,
    .tp_weaklistoffset = offsetof(Node, weak),
    .tp_finalize = node_finalize,
};

Node* make_node() {
  if (!(NodeType.tp_flags & Py_TPFLAGS_READY)) REQUIRE(PyType_Ready(&NodeType) == 0);
  Node* n = new_gc_object<Node>(&NodeType);
  n->a = n->b = nullptr;
  n->weak = nullptr;
  ++g_live;
  track(n);
  return n;
}
PyObject* object(Node* n) { return reinterpret_cast<PyObject*>(n); }

// Two nodes that hold each other and are held by nobody else.
Node* make_cycle() {
  Node *x = make_node(), *y = make_node();
  x->a = object(y);
  y->a = object(x);
  return x;
}

long collect() { return long(gc::collect(2, gc::Reason::kManual)); }

}  // namespace

TEST_CASE("a cycle is collected, finalized once and freed") {
  collect();
  g_finalized = 0;
  make_cycle();
  REQUIRE(g_live == 2);
  REQUIRE(collect() == 2);
  REQUIRE(g_live == 0);
  REQUIRE(g_finalized == 2);
}

TEST_CASE("a cycle referred to from outside stays") {
  Node* outside = make_node();
  outside->a = Py_NewRef(object(make_cycle()));
  REQUIRE(collect() == 0);
  REQUIRE(g_live == 3);
  Py_DECREF(outside);
  REQUIRE(g_live == 2);
  REQUIRE(collect() == 2);
  REQUIRE(g_live == 0);
}

TEST_CASE("what a finalizer brings back stays until it is garbage again, and is not finalized again") {
  g_finalized = 0;
  g_resurrect = true;
  make_cycle();
  REQUIRE(collect() == 0);
  REQUIRE(g_saved != nullptr);
  REQUIRE(g_live == 2);
  REQUIRE(PyObject_GC_IsFinalized(g_saved));
  g_resurrect = false;
  Py_CLEAR(g_saved);
  REQUIRE(collect() == 2);
  REQUIRE(g_live == 0);
  REQUIRE(g_finalized == 2);
}

TEST_CASE("weak references to garbage are cleared") {
  Node* n = make_node();
  n->a = Py_NewRef(object(n));
  auto weak = Ref<>::steal(PyWeakref_NewRef(object(n), nullptr));
  auto again = Ref<>::steal(PyWeakref_NewRef(object(n), nullptr));
  REQUIRE(weak.get() == again.get());
  PyObject* target = nullptr;
  REQUIRE(PyWeakref_GetRef(weak, &target) == 1);
  Py_DECREF(target);
  Py_DECREF(n);
  REQUIRE(PyWeakref_IsDead(weak) == 0);
  REQUIRE(collect() == 1);
  REQUIRE(g_live == 0);
  REQUIRE(PyWeakref_GetRef(weak, &target) == 0);
  REQUIRE(target == nullptr);
}

TEST_CASE("frozen objects are left alone") {
  make_cycle();
  const Py_ssize_t frozen = gc::freeze();
  REQUIRE(frozen >= 2);
  REQUIRE(gc::frozen_count() == frozen);
  REQUIRE(collect() == 0);
  gc::unfreeze();
  REQUIRE(collect() == 2);
  REQUIRE(g_live == 0);
}

TEST_CASE("tuples of atoms are no longer watched after a collection") {
  auto tuple = Ref<>::steal(Py_BuildValue("(isd)", 1, "two", 3.0));
  auto outer = Ref<>::steal(Py_BuildValue("(O[])", tuple.get()));
  REQUIRE(tuple);
  collect();
  REQUIRE(!PyObject_GC_IsTracked(tuple));
  REQUIRE(PyObject_GC_IsTracked(outer));
}

TEST_CASE("deferred objects are freed by the collector only") {
  Node* n = make_node();
  if (!sync::set_deferred(object(n))) {  // GIL build: nothing is deferred
    Py_DECREF(n);
    return;
  }
  REQUIRE(collect() == 0);
  Py_DECREF(n);
  REQUIRE(g_live == 1);
  REQUIRE(collect() == 1);
  REQUIRE(g_live == 0);
}

TEST_CASE("garbage of threads that have ended is found") {
  std::vector<std::thread> threads;
  Py_BEGIN_ALLOW_THREADS
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([] {
      PyGILState_STATE state = PyGILState_Ensure();
      for (int i = 0; i < 1000; ++i) make_cycle();
      PyGILState_Release(state);
    });
  for (auto& t : threads) t.join();
  Py_END_ALLOW_THREADS
  REQUIRE(collect() == 8000);
  REQUIRE(g_live == 0);
}
