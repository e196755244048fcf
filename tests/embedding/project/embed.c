// Embeds the runtime from C: configuration, a built-in module, objects in and out, own threads that call back, and ten
// lives of the runtime in one process without growth.
#include <Python.h>

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define LIVES 16
#define SETTLED 9
#define CALLS 200

static PyObject* add(PyObject* self, PyObject* args) {
  (void)self;
  long a, b;
  if (!PyArg_ParseTuple(args, "ll:add", &a, &b)) return NULL;
  return PyLong_FromLong(a + b);
}
static PyMethodDef methods[] = {{"add", add, METH_VARARGS, NULL}, {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot slots[] = {{Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0, NULL}};
static PyModuleDef def = {PyModuleDef_HEAD_INIT, "host", NULL, 0, methods, slots, NULL, NULL, NULL};
static PyObject* init_host(void) { return PyModuleDef_Init(&def); }

static PyObject* callback;

static void* call_back(void* unused) {
  (void)unused;
  for (int i = 0; i < CALLS; ++i) {
    PyGILState_STATE state = PyGILState_Ensure();
    PyObject* result = PyObject_CallFunction(callback, "i", i);
    if (result == NULL) PyErr_Print();
    Py_XDECREF(result);
    PyGILState_Release(state);
  }
  return NULL;
}

static int fail(const char* what) {
  if (Py_IsInitialized() && PyErr_Occurred()) PyErr_Print();
  fprintf(stderr, "failed: %s\n", what);
  return 1;
}

static int live(const char* home, long life) {
  PyConfig config;
  PyConfig_InitIsolatedConfig(&config);
  PyStatus status = PyConfig_SetBytesString(&config, &config.home, home);
  if (!PyStatus_Exception(status)) status = PyConfig_SetBytesString(&config, &config.program_name, "embedded");
  if (!PyStatus_Exception(status)) status = Py_InitializeFromConfig(&config);
  PyConfig_Clear(&config);
  if (PyStatus_Exception(status)) {
    fprintf(stderr, "%s: %s\n", status.func, status.err_msg);
    return 1;
  }
  if (PyRun_SimpleString("import host, sys, collections\n"
                         "class Point(collections.namedtuple('Point', 'x y')): pass\n"
                         "seen = []\n"
                         "def callback(i): seen.append(host.add(i, 1)); return i\n"
                         "cycle = []; cycle.append(cycle)\n") != 0) {
    return fail("running source");
  }
  // What these modules register with the runtime, keep in variables of theirs and tie into knots goes with them.
  if (PyRun_SimpleString("import ast, asyncio, codecs, decimal, pickle, socket, typing\n"
                         "codecs.lookup('cp1250')\n"
                         "codecs.register(lambda name: None)\n"
                         "codecs.register_error('dots', lambda error: ('.', error.end))\n"
                         "assert 'a\\xe4'.encode('ascii', 'dots') == b'a.'\n") != 0) {
    return fail("imports");
  }
  PyObject* main_dict = PyModule_GetDict(PyImport_AddModule("__main__"));
  // Objects out and in.
  PyObject* value = PyRun_String("repr({'sum': host.add(40, 2), 'p': Point(1, 2)})", Py_eval_input, main_dict, main_dict);
  if (value == NULL || PyUnicode_CompareWithASCIIString(value, "{'sum': 42, 'p': Point(x=1, y=2)}") != 0) return fail("repr");
  Py_DECREF(value);
  PyObject* list = Py_BuildValue("[i,s,d,(O)]", (int)life, "text", 2.5, Py_None);
  if (list == NULL || PyDict_SetItemString(main_dict, "given", list) < 0) return fail("giving");
  Py_DECREF(list);
  if (PyRun_SimpleString("assert given[1:] == ['text', 2.5, (None,)], given\n") != 0) return fail("given");
  // An exception comes out as an object.
  if (PyRun_String("1/0", Py_eval_input, main_dict, main_dict) != NULL || !PyErr_ExceptionMatches(PyExc_ZeroDivisionError)) return fail("error");
  PyErr_Clear();
  // Threads of our own.
  if (PyDict_GetItemStringRef(main_dict, "callback", &callback) != 1) return fail("callback");
  pthread_t threads[3];
  Py_BEGIN_ALLOW_THREADS
  for (int i = 0; i < 3; ++i) pthread_create(&threads[i], NULL, call_back, NULL);
  for (int i = 0; i < 3; ++i) pthread_join(threads[i], NULL);
  Py_END_ALLOW_THREADS
  Py_CLEAR(callback);
  if (PyRun_SimpleString("assert len(seen) == 600 and sum(seen) == 3 * sum(range(201)), (len(seen), sum(seen))\n"
                         "import threading\n"
                         "t = threading.Thread(target=lambda: seen.clear()); t.start(); t.join()\n"
                         "assert seen == []\n") != 0) {
    return fail("threads");
  }
  return Py_FinalizeEx() < 0 ? fail("finalizing") : 0;
}

static long resident_kib(void) {
  long total, resident = 0;
  FILE* file = fopen("/proc/self/statm", "r");
  if (file != NULL) {
    if (fscanf(file, "%ld %ld", &total, &resident) != 2) resident = 0;
    fclose(file);
  }
  return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

struct life {
  const char* home;
  long number;
  int status;
};
static void* live_elsewhere(void* argument) {
  struct life* life = argument;
  life->status = live(life->home, life->number);
  return NULL;
}

int main(int argc, char** argv) {
  const char* home = argc > 1 ? argv[1] : PREFIX;
  if (PyImport_AppendInittab("host", init_host) < 0) return 1;
  long sizes[LIVES];
  for (long life = 0; life < LIVES; ++life) {
    // One life on a thread of its own: the state of the main thread must not stay behind, nor then that of this one.
    struct life here = {home, life, 0};
    pthread_t thread;
    if (life != 1) {
      live_elsewhere(&here);
    } else {
      pthread_create(&thread, NULL, live_elsewhere, &here);
      pthread_join(thread, NULL);
    }
    if (here.status != 0) return 1;
    sizes[life] = resident_kib();
  }
  printf("resident KiB after each life:");
  for (int i = 0; i < LIVES; ++i) printf(" %ld", sizes[i]);
  printf("\n");
  // The first lives fill caches of the C library and of the allocator, which takes memory in large pieces now and then: what
  // counts is what at least half of the lives keep below: the lower middle of the differences.
  long growth[LIVES - SETTLED];
  for (int i = 0; i < LIVES - SETTLED; ++i) {
    long difference = sizes[i + SETTLED] - sizes[i + SETTLED - 1];
    int place = i;
    for (; place > 0 && growth[place - 1] > difference; --place) growth[place] = growth[place - 1];
    growth[place] = difference;
  }
  if (growth[(LIVES - SETTLED - 1) / 2] > 96 || sizes[LIVES - 1] > sizes[SETTLED - 1] + 3 * 1024) return fail("no growth");
  return 0;
}
