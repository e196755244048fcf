// Reads an extension module's file without loading it.
//
// The ABI is told, in this order, by the note that abi/ leaves in every object compiled with it (abi/amphis/abi_tag.h), by
// the file's name, and by what the file imports: code compiled for free threading calls _Py_DecRefShared and
// _Py_MergeZeroLocalRefcount where code with the GIL calls _Py_Dealloc.
//
// A few modules made for CPython would break the process whatever their ABI: those that move its interpreter's frames
// themselves. They are known by their init functions and refused; compiled with the headers of abi/ they would be others.
#include "modules/import_binary.h"

#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <memory>
#include <new>
#include <string_view>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace amphis {

namespace {

constexpr bool kFree = AMPHIS_ABIFLAGS[0] == 't';
constexpr const char* kOwnTag = kFree ? "amphis-314t" : "amphis-314";

enum class Abi { kUnknown, kGil, kFree, kStable, kBoth };

// The contents of a file: a small one is read, which costs less than mapping it, touching its pages and giving them back.
class Mapping {
 public:
  explicit Mapping(const char* path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    read_.reset(new (std::nothrow) char[kSmall]);
    // Less than asked for is the whole of a file.
    const ssize_t got = read_ != nullptr ? pread(fd, read_.get(), kSmall, 0) : -1;
    struct stat status;
    if (got >= 0 && static_cast<size_t>(got) < kSmall) {
      data_ = read_.get();
      size_ = static_cast<size_t>(got);
    } else if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
      read_.reset();
      const auto size = static_cast<size_t>(status.st_size);
      if (void* address = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0); address != MAP_FAILED) {
        data_ = static_cast<const char*>(address);
        size_ = size;
      }
    }
    close(fd);
  }
  ~Mapping() {
    if (data_ != nullptr && read_ == nullptr) munmap(const_cast<char*>(data_), size_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  size_t size() const { return size_; }
  bool has(uint64_t offset, uint64_t length) const { return offset <= size_ && length <= size_ - offset; }
  // Null if it does not lie within the file.
  template <typename T>
  const T* at(uint64_t offset, uint64_t count = 1) const {
    if (count > size_ / sizeof(T) || !has(offset, count * sizeof(T)) || offset % alignof(T) != 0) return nullptr;
    return reinterpret_cast<const T*>(data_ + offset);
  }
  // Whether the file has this text there; with its closing zero if `whole`.
  template <size_t N>
  bool has_text(uint64_t offset, const char (&text)[N], bool whole = false) const {
    return has(offset, N) && memcmp(data_ + offset, text, N - 1) == 0 && (!whole || data_[offset + N - 1] == '\0');
  }
  std::string_view text(uint64_t offset) const {
    if (offset >= size_) return {};
    return {data_ + offset, strnlen(data_ + offset, size_ - offset)};
  }

 private:
  static constexpr size_t kSmall = size_t{64} << 10;
  std::unique_ptr<char[]> read_;
  const char* data_ = nullptr;
  size_t size_ = 0;
};

Abi abi_of_tag(std::string_view tag) {
  if (tag == "314") return Abi::kGil;
  if (tag == "314t") return Abi::kFree;
  if (tag == "abi3") return Abi::kStable;
  if (tag == "abi3t") return Abi::kBoth;
  return Abi::kUnknown;
}

Abi abi_of_note(const Mapping& file, const Elf64_Shdr& section) {
  uint64_t offset = section.sh_offset, end = section.sh_offset + section.sh_size;
  while (offset + sizeof(Elf64_Nhdr) <= end) {
    const auto* note = file.at<Elf64_Nhdr>(offset);
    if (note == nullptr) break;
    uint64_t name = offset + sizeof(Elf64_Nhdr);
    uint64_t content = name + ((uint64_t{note->n_namesz} + 3) & ~uint64_t{3});
    if (!file.has(content, note->n_descsz)) break;
    if (note->n_namesz == 7 && file.text(name) == "Amphis") return abi_of_tag(file.text(content));
    offset = content + ((uint64_t{note->n_descsz} + 3) & ~uint64_t{3});
  }
  return Abi::kUnknown;
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
  bool exports = false;
};

Symbols symbols_of(const Mapping& file, const Elf64_Shdr* sections, const Elf64_Shdr& symbols, unsigned section_count) {
  Symbols result;
  if (symbols.sh_link >= section_count) return result;
  uint64_t count = symbols.sh_size / sizeof(Elf64_Sym);
  const auto* table = file.at<Elf64_Sym>(symbols.sh_offset, count);
  uint64_t strings = sections[symbols.sh_link].sh_offset;
  for (uint64_t i = 0; table != nullptr && i < count; ++i) {
    const uint64_t name = strings + table[i].st_name;
    if (table[i].st_shndx != SHN_UNDEF) {
      if (!file.has_text(name, "Py")) continue;
      result.moves_frames = result.moves_frames || file.has_text(name, kMovesFrames, true);
      result.exports = result.exports || file.has_text(name, "PyModExport");
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
  Mapping file(path.c_str());
  const auto* header = file.at<Elf64_Ehdr>(0);
  if (header == nullptr || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64 ||
      header->e_phentsize != sizeof(Elf64_Phdr)) {
    return {};
  }
  // Loading maps what the headers promise; touching what the file does not have would kill the process.
  const auto* segments = file.at<Elf64_Phdr>(header->e_phoff, header->e_phnum);
  bool whole = segments != nullptr || header->e_phnum == 0;
  for (unsigned i = 0; whole && i < header->e_phnum; ++i) {
    whole = segments[i].p_type != PT_LOAD || file.has(segments[i].p_offset, segments[i].p_filesz);
  }
  const Elf64_Shdr* sections = nullptr;
  if (header->e_shoff != 0 && header->e_shentsize == sizeof(Elf64_Shdr)) {
    sections = file.at<Elf64_Shdr>(header->e_shoff, header->e_shnum);
    whole = whole && sections != nullptr;
  }
  if (!whole) return {path + ": file too short: its headers promise more than its " + std::to_string(file.size()) + " bytes"};

  Abi noted = Abi::kUnknown;
  Symbols symbols;
  bool symbols_known = false;
  for (unsigned i = 0; sections != nullptr && i < header->e_shnum; ++i) {
    if (sections[i].sh_type == SHT_NOTE && noted == Abi::kUnknown) noted = abi_of_note(file, sections[i]);
    if (sections[i].sh_type != SHT_DYNSYM) continue;
    symbols = symbols_of(file, sections, sections[i], header->e_shnum);
    symbols_known = true;
  }
  if (symbols.moves_frames && noted == Abi::kUnknown) {
    return {path + " was built for CPython 3.14 and moves frames of its interpreter, which " + kOwnTag +
            " does not have: it cannot be used here"};
  }
  Abi abi = noted;
  if (abi == Abi::kUnknown) abi = abi_of_name(path);
  if (abi == Abi::kUnknown) abi = symbols.imported;
  // Whatever name or note say, code that counts references inline belongs to one variant.
  if (symbols.imported == Abi::kFree && !kFree) abi = symbols.imported;
  const bool fits = abi == Abi::kUnknown || abi == Abi::kBoth || (kFree ? abi == Abi::kFree : abi != Abi::kFree);
  return {fits ? std::string() : refusal(path, abi), noted == Abi::kUnknown, symbols.exports || !symbols_known};
}

}  // namespace amphis
