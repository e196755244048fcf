// Redirecting the calls of a library: its procedure linkage slots for functions of the C API get the addresses of thunks. So do
// its plain slots for addresses (code compiled without a linkage table calls through those), but for functions that extensions
// put into types, where their address is their identity.
#include "checked/checked.h"

#if AMPHIS_CHECKED

#include "checked/freed.h"
#include "checked/thunks.h"
#include "platform/raw_mutex.h"

#include <algorithm>
#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <string_view>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

namespace amphis::checked {

namespace {

platform::RawMutex mutex;
std::vector<uintptr_t>* seen = nullptr;  // load addresses; guarded by mutex

struct Dynamic {
  const Elf64_Sym* symbols = nullptr;
  const char* strings = nullptr;
  const Elf64_Rela* tables[2] = {};
  size_t counts[2] = {};
};

Dynamic read_dynamic(const dl_phdr_info* info) {
  Dynamic d;
  size_t plt_bytes = 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    if (info->dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
    // The C library's loader has made the addresses absolute, but for objects like the vdso.
    const auto absolute = [&](Elf64_Addr a) { return a < info->dlpi_addr ? a + info->dlpi_addr : a; };
    for (auto* e = reinterpret_cast<const Elf64_Dyn*>(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr); e->d_tag != DT_NULL; ++e) {
      switch (e->d_tag) {
        case DT_SYMTAB: d.symbols = reinterpret_cast<const Elf64_Sym*>(absolute(e->d_un.d_ptr)); break;
        case DT_STRTAB: d.strings = reinterpret_cast<const char*>(absolute(e->d_un.d_ptr)); break;
        case DT_JMPREL: d.tables[0] = reinterpret_cast<const Elf64_Rela*>(absolute(e->d_un.d_ptr)); break;
        case DT_PLTRELSZ: plt_bytes = e->d_un.d_val; break;
        case DT_RELA: d.tables[1] = reinterpret_cast<const Elf64_Rela*>(absolute(e->d_un.d_ptr)); break;
        case DT_RELASZ: d.counts[1] = e->d_un.d_val / sizeof(Elf64_Rela); break;
        default: break;
      }
    }
  }
  d.counts[0] = plt_bytes / sizeof(Elf64_Rela);
  return d;
}

bool has_identity(std::string_view name) {
  return name.starts_with("PyObject_") || name.starts_with("PyType_Generic") || name.starts_with("PyVectorcall_") ||
         name.starts_with("_Py_") || name.starts_with("PyMem_");
}

void write_slot(void** slot, void* value) {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  auto* start = reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(slot) & ~(page - 1));
  // Full RELRO has made the slots read-only; they stay writable here.
  if (mprotect(start, page, PROT_READ | PROT_WRITE) == 0) __atomic_store_n(slot, value, __ATOMIC_RELEASE);
}

// Whether anything was redirected.
bool redirect(const dl_phdr_info* info) {
  const Dynamic d = read_dynamic(info);
  if (d.symbols == nullptr || d.strings == nullptr) return false;
  const auto& table = redirections();
  bool any = false;
  for (int k = 0; k < 2; ++k) {
    for (size_t i = 0; d.tables[k] != nullptr && i < d.counts[k]; ++i) {
      const Elf64_Rela& r = d.tables[k][i];
      const auto type = ELF64_R_TYPE(r.r_info);
      if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT) continue;
      const Elf64_Sym& symbol = d.symbols[ELF64_R_SYM(r.r_info)];
      const char* name = d.strings + symbol.st_name;
      if (symbol.st_shndx != SHN_UNDEF || (strncmp(name, "Py", 2) != 0 && strncmp(name, "_Py", 3) != 0)) continue;
      auto found = std::lower_bound(table.begin(), table.end(), name, [](const Redirection& e, const char* n) { return strcmp(e.name, n) < 0; });
      if (found == table.end() || strcmp(found->name, name) != 0) continue;
      auto** slot = reinterpret_cast<void**>(info->dlpi_addr + r.r_offset);
      // Unless it is bound to another library's function of that name; a slot that is bound at the first call points into its
      // own library.
      if (type == R_X86_64_GLOB_DAT && (*slot != found->function || has_identity(name))) continue;
      write_slot(slot, found->thunk);
      any = true;
    }
  }
  return any;
}

}  // namespace

void watch_libraries() {
  static uintptr_t own = 0;
  if (own == 0) {
    Dl_info info;
    if (dladdr(reinterpret_cast<void*>(&watch_libraries), &info) == 0) return;
    own = reinterpret_cast<uintptr_t>(info.dli_fbase);
  }
  struct Search {
    uintptr_t own;
    bool any;
  } search{own, false};
  {
    platform::RawLock lock(mutex);
    if (seen == nullptr) seen = new std::vector<uintptr_t>;
    dl_iterate_phdr(
        [](dl_phdr_info* info, size_t, void* argument) {
          auto* s = static_cast<Search*>(argument);
          const Elf64_Phdr *begin = info->dlpi_phdr, *end = begin + info->dlpi_phnum;
          const auto is_load = [](const Elf64_Phdr& h) { return h.p_type == PT_LOAD; };
          const Elf64_Phdr* first = std::find_if(begin, end, is_load);
          if (first == end) return 0;
          const uintptr_t base = info->dlpi_addr + (first->p_vaddr & ~uintptr_t{4095});
          if (std::find(seen->begin(), seen->end(), base) != seen->end()) return 0;
          seen->push_back(base);
          for (const Elf64_Phdr* h = begin; h != end; ++h) {
            if (!is_load(*h) || (h->p_flags & PF_W) == 0) continue;
            add_data_segment(info->dlpi_addr + h->p_vaddr, info->dlpi_addr + h->p_vaddr + h->p_memsz);
          }
          if (base != s->own) s->any |= redirect(info);
          return 0;
        },
        &search);
  }
  if (search.any) start_quarantine();
}

}  // namespace amphis::checked

#endif
