// PyUnstable_*Perf*: the file /tmp/perf-PID.map, in which producers of machine code (extensions; this runtime makes none) name
// it for the perf tool.
#include "Python.h"

#include "sync/mutex.h"

#include <cinttypes>
#include <cstdio>
#include <fcntl.h>
#include <unistd.h>

namespace {

amphis::sync::Mutex mutex;
FILE* map_file = nullptr;  // guarded by mutex

int open_map() {
  if (map_file != nullptr) return 0;
  char name[64];
  snprintf(name, sizeof name, "/tmp/perf-%jd.map", static_cast<intmax_t>(getpid()));
  int fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd == -1) return -1;
  map_file = fdopen(fd, "a");
  if (map_file != nullptr) return 0;
  close(fd);
  return -2;
}

}  // namespace

extern "C" {

int PyUnstable_PerfMapState_Init(void) {
  amphis::sync::MutexLock lock(mutex);
  return open_map();
}

int PyUnstable_WritePerfMapEntry(const void* code, unsigned int size, const char* name) {
  amphis::sync::MutexLock lock(mutex);
  if (int status = open_map(); status != 0) return status;
  fprintf(map_file, "%" PRIxPTR " %x %s\n", reinterpret_cast<uintptr_t>(code), size, name);
  fflush(map_file);
  return 0;
}

void PyUnstable_PerfMapState_Fini(void) {
  amphis::sync::MutexLock lock(mutex);
  if (map_file != nullptr) fclose(map_file);
  map_file = nullptr;
}

// A forked child goes on with what its parent has written.
int PyUnstable_CopyPerfMapFile(const char* parent_filename) {
  FILE* from = fopen(parent_filename, "r");
  if (from == nullptr) return -1;
  amphis::sync::MutexLock lock(mutex);
  int status = open_map();
  char buffer[4096];
  size_t n;
  while (status == 0 && (n = fread(buffer, 1, sizeof buffer, from)) > 0) {
    if (fwrite(buffer, 1, n, map_file) != n || fflush(map_file) != 0) status = -1;
  }
  fclose(from);
  return status;
}

// There are no trampolines to compile or to keep.
int PyUnstable_PerfTrampoline_CompileCode(PyCodeObject*) { return 0; }
int PyUnstable_PerfTrampoline_SetPersistAfterFork(int) { return 0; }

}  // extern "C"
