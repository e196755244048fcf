// Who called: names for addresses, from the table of symbols in the library's file, and the findings that say them.
#include "checked/report.h"

#if AMPHIS_CHECKED

#include "objects/exceptions.h"
#include "sync/object_lock.h"
#include "sync/ref.h"
#include "sync/thread_state.h"

#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace amphis::checked {

namespace {

constinit thread_local const Site* newest_site_ AMPHIS_TLS_IE = nullptr;
constinit thread_local const NativeCall* newest_call_ AMPHIS_TLS_IE = nullptr;

// The function that covers `offset` from the library's base, by the file's full table of symbols; empty if it was stripped.
std::string symbol_in_file(const char* path, uintptr_t offset) {
  std::string name;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat status;
  if (fd < 0) return name;
  if (fstat(fd, &status) == 0 && status.st_size > static_cast<off_t>(sizeof(Elf64_Ehdr))) {
    const auto size = static_cast<size_t>(status.st_size);
    void* mapping = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapping != MAP_FAILED) {
      const auto* data = static_cast<const char*>(mapping);
      const auto* header = reinterpret_cast<const Elf64_Ehdr*>(data);
      const bool whole = memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
                         header->e_shoff + uint64_t{header->e_shnum} * sizeof(Elf64_Shdr) <= size;
      const auto* sections = reinterpret_cast<const Elf64_Shdr*>(data + header->e_shoff);
      for (unsigned i = 0; whole && i < header->e_shnum; ++i) {
        const Elf64_Shdr& table = sections[i];
        if (table.sh_type != SHT_SYMTAB || table.sh_link >= header->e_shnum || table.sh_offset + table.sh_size > size) continue;
        const Elf64_Shdr& strings = sections[table.sh_link];
        const auto* symbols = reinterpret_cast<const Elf64_Sym*>(data + table.sh_offset);
        for (size_t k = 0; k < table.sh_size / sizeof(Elf64_Sym); ++k) {
          const Elf64_Sym& symbol = symbols[k];
          if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || offset < symbol.st_value || offset >= symbol.st_value + symbol.st_size) continue;
          if (symbol.st_name < strings.sh_size && strings.sh_offset + strings.sh_size <= size) {
            name = data + strings.sh_offset + symbol.st_name;
          }
        }
      }
      munmap(mapping, size);
    }
  }
  close(fd);
  return name;
}

}  // namespace

const Site* newest_site() { return newest_site_; }
const NativeCall* NativeCall::newest() { return newest_call_; }

SiteScope::SiteScope(const char* api, const void* caller) : site_{api, caller, newest_site_} { newest_site_ = &site_; }
SiteScope::~SiteScope() { newest_site_ = site_.outer; }

const char* method_now() { return newest_call_ != nullptr ? newest_call_->def()->ml_name : nullptr; }

std::string place_of(const void* address, const char* method) {
  Dl_info info;
  std::string text;
  // The address is that behind the call, which may be the function's last instruction.
  const auto* inside = static_cast<const char*>(address) - 1;
  if (dladdr(inside, &info) != 0 && info.dli_fname != nullptr) {
    const char* slash = strrchr(info.dli_fname, '/');
    const char* file = slash != nullptr ? slash + 1 : info.dli_fname;
    const auto offset = static_cast<uintptr_t>(inside - static_cast<const char*>(info.dli_fbase));
    std::string name = symbol_in_file(info.dli_fname, offset);
    if (name.empty() && info.dli_sname != nullptr) name = info.dli_sname;
    char number[32];
    snprintf(number, sizeof number, "+0x%zx", static_cast<size_t>(offset));
    text = name.empty() ? std::string(file) + number : name + "() in " + file;
  } else {
    text = "an unknown place";
  }
  if (method != nullptr) text += std::string(", method '") + method + "'";
  return text;
}

void raise_finding(const Site& site, const std::string& text) {
  Ref<> cause = Ref<>::steal(PyErr_GetRaisedException());
  PyErr_Format(PyExc_SystemError, "%s() %s; called from %s", site.api, text.c_str(), place_of(site.caller).c_str());
  if (!cause) return;
  PyObject* error = PyErr_GetRaisedException();
  PyException_SetCause(error, Py_NewRef(cause.get()));
  PyException_SetContext(error, cause.release());
  PyErr_SetRaisedException(error);
}

void fatal_finding(const Site& site, const std::string& text) {
  const std::string message = text + "; called from " + place_of(site.caller);
  _Py_FatalErrorFunc(site.api, message.c_str());
  __builtin_unreachable();
}

NativeCall::NativeCall(const PyMethodDef* def) : def_(def), outer_(newest_call_), section_(0) {
  newest_call_ = this;
  if (ThreadState* ts = current_thread()) section_ = ts->critical_section;
}

NativeCall::~NativeCall() {
  newest_call_ = outer_;
  const ThreadState* ts = current_thread();
  if (ts == nullptr) {
    _Py_FatalErrorFunc(def_->ml_name, "the function returned without an attached thread state: its Py_BEGIN_ALLOW_THREADS or "
                                      "PyEval_SaveThread has no end");
  }
  // The low bits say how a section is held.
  if ((ts->critical_section & ~uintptr_t{3}) != (section_ & ~uintptr_t{3})) {
    _Py_FatalErrorFunc(def_->ml_name, "the function returned inside of a critical section: its Py_BEGIN_CRITICAL_SECTION has no end");
  }
}

namespace {

bool breaks_promise(PyObject* owner, const char* slot, const void* function, bool failed) {
  const bool raised = current_thread()->current_exception != nullptr;
  if (failed == raised) return false;
  Ref<> cause = Ref<>::steal(PyErr_GetRaisedException());
  PyErr_Format(PyExc_SystemError, failed ? "slot %s of type '%.200s' failed without setting an exception: %s"
                                         : "slot %s of type '%.200s' succeeded with an exception set: %s",
               slot, Py_TYPE(owner)->tp_name, place_of(static_cast<const char*>(function) + 1).c_str());
  if (cause) {
    PyObject* error = PyErr_GetRaisedException();
    PyException_SetCause(error, Py_NewRef(cause.get()));
    PyException_SetContext(error, cause.release());
    PyErr_SetRaisedException(error);
  }
  return true;
}

}  // namespace

bool is_raising() { return current_thread()->current_exception != nullptr; }

PyObject* check_slot_result(PyObject* owner, const char* slot, const void* function, PyObject* result) {
  if (!breaks_promise(owner, slot, function, result == nullptr)) return result;
  Py_XDECREF(result);
  return nullptr;
}

Py_ssize_t check_slot_status(PyObject* owner, const char* slot, const void* function, Py_ssize_t result) {
  return breaks_promise(owner, slot, function, result == -1) ? -1 : result;
}

}  // namespace amphis::checked

#endif
