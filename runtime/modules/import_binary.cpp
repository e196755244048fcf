// Reads an extension module's file without loading it.
//
// The ABI is told, in this order, by the notes that abi/ leaves in every object compiled with it (abi/amphis/abi_tag.h), by
// the file's name, and by what the file imports: code compiled for free threading calls _Py_DecRefShared and
// _Py_MergeZeroLocalRefcount where code with the GIL calls _Py_Dealloc. Linkers put notes into the first page, so a library
// that has them costs one small read; loading it is what an import's time goes into.
//
// A few modules made for CPython would break the process whatever their ABI: those that move its interpreter's frames
// themselves. They are known by their init functions and refused; compiled with the headers of abi/ they would be others.
#include "modules/import_binary.h"

#include <algorithm>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <string_view>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace amphis {

namespace {

constexpr bool kFree = AMPHIS_ABIFLAGS[0] == 't';
constexpr const char* kOwnTag = kFree ? "amphis-314t" : "amphis-314";

enum class Abi { kUnknown, kGil, kFree, kStable, kBoth };

// The contents of a file. Its first page is read, which mostly says enough; the rest is mapped when it is asked for.
class Contents {
 public:
  explicit Contents(const char* path) : fd_(open(path, O_RDONLY | O_CLOEXEC)) {
    if (fd_ < 0) return;
    const ssize_t got = pread(fd_, first_, sizeof first_, 0);
    if (got > 0) held_ = size_ = static_cast<size_t>(got);
    // Less than asked for is the whole of a file.
    struct stat status;
    if (held_ == sizeof first_ && fstat(fd_, &status) == 0 && S_ISREG(status.st_mode)) {
      size_ = std::max(held_, static_cast<size_t>(status.st_size));
    }
  }
  ~Contents() {
    if (data_ != first_) munmap(const_cast<char*>(data_), held_);
    if (fd_ >= 0) close(fd_);
  }
  Contents(const Contents&) = delete;
  Contents& operator=(const Contents&) = delete;

  // Makes all of the file readable if it can.
  void hold_all() {
    if (held_ == size_) return;
    void* address = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd_, 0);
    if (address == MAP_FAILED) return;
    data_ = static_cast<const char*>(address);
    held_ = size_;
  }

  // Of the file.
  size_t size() const { return size_; }
  bool promises(uint64_t offset, uint64_t length) const { return offset <= size_ && length <= size_ - offset; }

  // Of what can be read.
  bool has(uint64_t offset, uint64_t length) const { return offset <= held_ && length <= held_ - offset; }
  // Null if it cannot be read.
  template <typename T>
  const T* at(uint64_t offset, uint64_t count = 1) const {
    if (count > held_ / sizeof(T) || !has(offset, count * sizeof(T)) || offset % alignof(T) != 0) return nullptr;
    return reinterpret_cast<const T*>(data_ + offset);
  }
  // Whether the file has this text there; with its closing zero if `whole`.
  template <size_t N>
  bool has_text(uint64_t offset, const char (&text)[N], bool whole = false) const {
    return has(offset, N) && memcmp(data_ + offset, text, N - 1) == 0 && (!whole || data_[offset + N - 1] == '\0');
  }
  std::string_view text(uint64_t offset) const {
    if (offset >= held_) return {};
    return {data_ + offset, strnlen(data_ + offset, held_ - offset)};
  }

 private:
  int fd_;
  alignas(16) char first_[4096];
  const char* data_ = first_;
  size_t held_ = 0;
  size_t size_ = 0;
};

Abi abi_of_tag(std::string_view tag) {
  if (tag == "314") return Abi::kGil;
  if (tag == "314t") return Abi::kFree;
  if (tag == "abi3") return Abi::kStable;
  if (tag == "abi3t") return Abi::kBoth;
  return Abi::kUnknown;
}

bool fits(Abi abi) { return abi == Abi::kUnknown || abi == Abi::kBoth || (kFree ? abi == Abi::kFree : abi != Abi::kFree); }

// What the notes in a segment say: each object that was linked into the library has left one. The first that does not fit counts.
Abi abi_of_notes(const Contents& file, const Elf64_Phdr& segment) {
  Abi noted = Abi::kUnknown;
  uint64_t offset = segment.p_offset;
  for (uint64_t end = offset + segment.p_filesz; offset + sizeof(Elf64_Nhdr) <= end;) {
    const auto* note = file.at<Elf64_Nhdr>(offset);
    if (note == nullptr) break;
    const uint64_t name = offset + sizeof(Elf64_Nhdr);
    const uint64_t content = name + ((uint64_t{note->n_namesz} + 3) & ~uint64_t{3});
    if (!file.has(content, note->n_descsz)) break;
    if (note->n_namesz == 7 && file.text(name) == "Amphis") {
      const Abi abi = abi_of_tag(file.text(content));
      if (noted == Abi::kUnknown || !fits(abi)) noted = abi;
      if (!fits(abi)) break;
    }
    offset = content + ((uint64_t{note->n_descsz} + 3) & ~uint64_t{3});
  }
  return noted;
}

Abi abi_of_name(std::string_view path) {
  std::string_view name = path.substr(path.rfind('/') + 1);
  for (std::string_view tag : {".cpython-314t-", ".amphis-314t-"}) {
    if (name.find(tag) != name.npos) return Abi::kFree;
  }
  for (std::string_view tag : {".cpython-314-", ".amphis-314-"}) {
    if (name.find(tag) != name.npos) return Abi::kGil;
  }
  if (name.ends_with(".abi3t.so") || name.find(".abi3.abi3t.") != name.npos) return Abi::kBoth;
  if (name.ends_with(".abi3.so")) return Abi::kStable;
  return Abi::kUnknown;
}

// greenlet saves and restores CPython's data stack and rewrites the links between its frames when it switches.
constexpr char kMovesFrames[] = "PyInit__greenlet";

struct Symbols {
  Abi imported = Abi::kUnknown;
  bool moves_frames = false;
};

Symbols symbols_of(const Contents& file, const Elf64_Shdr* sections, const Elf64_Shdr& symbols, unsigned section_count) {
  Symbols result;
  if (symbols.sh_link >= section_count) return result;
  uint64_t count = symbols.sh_size / sizeof(Elf64_Sym);
  const auto* table = file.at<Elf64_Sym>(symbols.sh_offset, count);
  uint64_t strings = sections[symbols.sh_link].sh_offset;
  for (uint64_t i = 0; table != nullptr && i < count; ++i) {
    const uint64_t name = strings + table[i].st_name;
    if (table[i].st_shndx != SHN_UNDEF) {
      result.moves_frames = result.moves_frames || file.has_text(name, kMovesFrames, true);
    } else if (file.has_text(name, "_Py_")) {
      if (file.has_text(name, "_Py_DecRefShared", true) || file.has_text(name, "_Py_MergeZeroLocalRefcount", true)) {
        result.imported = Abi::kFree;
      }
      if (result.imported == Abi::kUnknown && file.has_text(name, "_Py_Dealloc", true)) result.imported = Abi::kGil;
    }
  }
  return result;
}

const char* tag_of(Abi abi) {
  switch (abi) {
    case Abi::kGil:
      return "amphis-314 (with the GIL)";
    case Abi::kFree:
      return "amphis-314t (free-threaded)";
    case Abi::kStable:
      return "abi3 (the stable ABI of builds with the GIL)";
    case Abi::kBoth:
      return "abi3t";
    default:
      return "CPython 3.14";
  }
}

std::string refusal(const std::string& path, Abi abi) {
  std::string text = path + " was built for " + tag_of(abi) + ", but this interpreter is " + kOwnTag +
                     (kFree ? " (free-threaded)" : " (with the GIL)") + ": build the module for " + kOwnTag;
  text += kFree ? " or for abi3t, or run it with amphis3.14" : ", abi3 or abi3t, or run it with amphis3.14t";
  return text;
}

}  // namespace

std::string unusable_file_hint(const std::string& stem) {
  struct Suffix {
    const char* text;
    Abi abi;  // kUnknown: CPython's own, which no variant looks for
  };
  constexpr Suffix kNotSearched[] = {
      kFree ? Suffix{".amphis-314-x86_64-linux-gnu.so", Abi::kGil} : Suffix{".amphis-314t-x86_64-linux-gnu.so", Abi::kFree},
      {kFree ? ".abi3.so" : nullptr, Abi::kStable},
      {".cpython-314-x86_64-linux-gnu.so", Abi::kUnknown},
      {".cpython-314t-x86_64-linux-gnu.so", Abi::kUnknown},
  };
  for (const Suffix& suffix : kNotSearched) {
    if (suffix.text == nullptr) continue;
    std::string path = stem + suffix.text;
    if (access(path.c_str(), F_OK) == 0) return refusal(path, suffix.abi);
  }
  return {};
}

Examined examine_extension(const std::string& path) {
  Contents file(path.c_str());
  const auto* header = file.at<Elf64_Ehdr>(0);
  if (header == nullptr || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64 ||
      header->e_phentsize != sizeof(Elf64_Phdr)) {
    return {};
  }
  // Loading maps what the headers promise; touching what the file does not have would kill the process.
  bool whole = file.promises(header->e_phoff, uint64_t{header->e_phnum} * sizeof(Elf64_Phdr));
  const bool has_sections = header->e_shoff != 0 && header->e_shentsize == sizeof(Elf64_Shdr);
  if (has_sections) whole = whole && file.promises(header->e_shoff, uint64_t{header->e_shnum} * sizeof(Elf64_Shdr));
  if (whole && !file.has(header->e_phoff, uint64_t{header->e_phnum} * sizeof(Elf64_Phdr))) {
    file.hold_all();
    header = file.at<Elf64_Ehdr>(0);
  }
  const auto* segments = file.at<Elf64_Phdr>(header->e_phoff, header->e_phnum);
  whole = whole && (segments != nullptr || header->e_phnum == 0);
  Abi noted = Abi::kUnknown;
  for (unsigned i = 0; whole && i < header->e_phnum; ++i) {
    if (segments[i].p_type == PT_LOAD) whole = file.promises(segments[i].p_offset, segments[i].p_filesz);
    if (segments[i].p_type == PT_NOTE && fits(noted)) {
      const Abi abi = abi_of_notes(file, segments[i]);
      if (abi != Abi::kUnknown) noted = abi;
    }
  }
  if (!whole) return {path + ": file too short: its headers promise more than its " + std::to_string(file.size()) + " bytes"};
  if (noted != Abi::kUnknown) return {fits(noted) ? std::string() : refusal(path, noted)};

  file.hold_all();
  header = file.at<Elf64_Ehdr>(0);
  const auto* sections = has_sections ? file.at<Elf64_Shdr>(header->e_shoff, header->e_shnum) : nullptr;
  Symbols symbols;
  for (unsigned i = 0; sections != nullptr && i < header->e_shnum; ++i) {
    if (sections[i].sh_type == SHT_DYNSYM) symbols = symbols_of(file, sections, sections[i], header->e_shnum);
  }
  if (symbols.moves_frames) {
    return {path + " was built for CPython 3.14 and moves frames of its interpreter, which " + kOwnTag +
            " does not have: it cannot be used here"};
  }
  Abi abi = abi_of_name(path);
  if (abi == Abi::kUnknown) abi = symbols.imported;
  // Whatever the name says, code that counts references inline belongs to one variant.
  if (symbols.imported == Abi::kFree && !kFree) abi = symbols.imported;
  return {fits(abi) ? std::string() : refusal(path, abi), true};
}

}  // namespace amphis
