// The arena: memory of one compilation. Tokens' texts, identifiers and AST nodes live in it and die together.
//
// Invariant: nothing allocated here is ever freed singly and no destructor runs, so only trivially
// destructible types may be made in it. An identifier is interned: within one arena equal spelling means
// equal pointer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

namespace amphis {

// The spelling of an identifier: UTF-8, NFKC-normalised. `cookie` belongs to whoever consumes the tree (the
// compiler keeps the interned str of the name there); the front end leaves it null.
struct IdentifierText {
  const char* data;
  uint32_t size;
  uint32_t hash;
  mutable void* cookie;
  std::string_view view() const { return {data, size}; }
};
using Identifier = const IdentifierText*;

class Arena {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena();

  // Raw memory aligned for any scalar. Throws std::bad_alloc only (caught at the entries of the parser).
  void* allocate(size_t bytes) {
    bytes = (bytes + 7) & ~size_t{7};
    if (bytes > static_cast<size_t>(limit_ - next_)) return allocate_slow(bytes);
    char* result = next_;
    next_ += bytes;
    return result;
  }

  template <class T, class... Args>
  T* make(Args&&... args) {
    static_assert(std::is_trivially_destructible_v<T>);
    return ::new (allocate(sizeof(T))) T(std::forward<Args>(args)...);
  }

  // A copy of `text` that lives as long as the arena (with a terminating null after its end).
  std::string_view copy(std::string_view text);

  // The one identifier of this spelling. The text is copied when it is new.
  Identifier intern(std::string_view text);

  // Visits every identifier, so that the consumer can drop what it keeps in `cookie`.
  template <class F>
  void for_each_identifier(F&& visit) const {
    for (size_t i = 0; i < table_size_; ++i) {
      if (table_[i]) visit(table_[i]);
    }
  }

  size_t bytes_reserved() const { return reserved_; }

 private:
  struct Block {
    Block* next;
  };
  void* allocate_slow(size_t bytes);
  void grow_table();

  char* next_ = nullptr;
  char* limit_ = nullptr;
  Block* blocks_ = nullptr;
  size_t reserved_ = 0;
  size_t next_block_size_ = 16 * 1024;
  IdentifierText** table_ = nullptr;  // open addressing, a power of two slots
  size_t table_size_ = 0;
  size_t table_used_ = 0;
};

}  // namespace amphis
