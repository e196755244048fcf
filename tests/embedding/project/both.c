// Both variants in one process, each loaded for itself: the same program runs on both and gives the same results, also at
// the same time.
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A host that includes neither variant's headers names what it calls.
struct library {
  void* handle;
  void (*set_home)(const wchar_t*);
  void (*initialize)(int);
  int (*run)(const char*, void*);
  int (*finalize)(void);
  char result[4096];
};

static const char program[] =
    "import sys, os, math, collections\n"
    "def work():\n"
    "    d = collections.OrderedDict((str(i), i * i) for i in range(2000))\n"
    "    class A:\n"
    "        def __init__(self, v): self.v = v\n"
    "        def __lt__(self, o): return self.v > o.v\n"
    "    order = [a.v for a in sorted(A(hash(k) if False else v % 97) for k, v in d.items())]\n"
    "    return sum(i * v for i, v in enumerate(order)), math.factorial(50) % 1000003, '%r' % (1.1 + 2.2), repr(b'\\xff'), 2 ** 200\n"
    "text = repr(work())\n"
    "with open(os.environ['AMPHIS_RESULT' + sys.abiflags], 'w') as file: file.write(text)\n";

static int load(struct library* it, const char* path) {
  it->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (it->handle == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return -1;
  }
  *(void**)&it->initialize = dlsym(it->handle, "Py_InitializeEx");
  *(void**)&it->run = dlsym(it->handle, "PyRun_SimpleStringFlags");
  *(void**)&it->finalize = dlsym(it->handle, "Py_FinalizeEx");
  return it->initialize && it->run && it->finalize ? 0 : -1;
}

static void* run(void* argument) {
  struct library* it = argument;
  it->initialize(0);
  int status = it->run(program, NULL);
  if (it->finalize() < 0) status = -1;
  return (void*)(long)status;
}

static int read_file(const char* path, char* buffer, size_t size) {
  FILE* file = fopen(path, "r");
  if (file == NULL) return -1;
  size_t count = fread(buffer, 1, size - 1, file);
  buffer[count] = '\0';
  fclose(file);
  return count > 0 ? 0 : -1;
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  static struct library libraries[2];
  char name[2][256];
  for (int i = 0; i < 2; ++i) {
    if (load(&libraries[i], argv[i + 1]) < 0) return 1;
    snprintf(name[i], sizeof name[i], "result%d.txt", i);
  }
  setenv("AMPHIS_RESULT", name[0], 1);
  setenv("AMPHIS_RESULTt", name[1], 1);
  pthread_t threads[2];
  for (int i = 0; i < 2; ++i) pthread_create(&threads[i], NULL, run, &libraries[i]);
  for (int i = 0; i < 2; ++i) {
    void* status;
    pthread_join(threads[i], &status);
    if (status != NULL) {
      fprintf(stderr, "%s failed\n", argv[i + 1]);
      return 1;
    }
  }
  for (int i = 0; i < 2; ++i) {
    if (read_file(name[i], libraries[i].result, sizeof libraries[i].result) < 0) return 1;
  }
  printf("%.60s...\n", libraries[0].result);
  return strcmp(libraries[0].result, libraries[1].result) != 0;
}
