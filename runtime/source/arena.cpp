// Bodies of the arena: blocks that double in size, and the identifier table (open addressing, linear
// probing).
#include "source/arena.h"

namespace amphis {

namespace {
constexpr size_t kMaxBlockSize = size_t{1} << 20;

uint32_t hash_text(std::string_view text) {
  uint64_t h = 0xcbf29ce484222325ull;  // FNV-1a: names are short
  for (unsigned char c : text) h = (h ^ c) * 0x100000001b3ull;
  return static_cast<uint32_t>(h ^ (h >> 32));
}
}  // namespace

Arena::~Arena() {
  for (Block* b = blocks_; b != nullptr;) {
    Block* following = b->next;
    std::free(b);
    b = following;
  }
  std::free(table_);
}

void* Arena::allocate_slow(size_t bytes) {
  constexpr size_t header = (sizeof(Block) + 15) & ~size_t{15};
  bool is_own_block = bytes > next_block_size_ / 2;
  size_t payload = is_own_block ? bytes : next_block_size_;
  auto* block = static_cast<Block*>(std::malloc(header + payload));
  if (!block) throw std::bad_alloc();
  reserved_ += header + payload;
  block->next = blocks_;
  blocks_ = block;
  char* start = reinterpret_cast<char*>(block) + header;
  if (is_own_block) return start;  // the current block keeps serving small requests
  if (next_block_size_ < kMaxBlockSize) next_block_size_ *= 2;
  next_ = start + bytes;
  limit_ = start + payload;
  return start;
}

std::string_view Arena::copy(std::string_view text) {
  char* p = static_cast<char*>(allocate(text.size() + 1));
  if (!text.empty()) std::memcpy(p, text.data(), text.size());
  p[text.size()] = '\0';
  return {p, text.size()};
}

void Arena::grow_table() {
  size_t size = table_size_ ? table_size_ * 2 : 256;
  auto** table = static_cast<IdentifierText**>(std::calloc(size, sizeof(IdentifierText*)));
  if (!table) throw std::bad_alloc();
  for (size_t i = 0; i < table_size_; ++i) {
    if (!table_[i]) continue;
    size_t slot = table_[i]->hash & (size - 1);
    while (table[slot]) slot = (slot + 1) & (size - 1);
    table[slot] = table_[i];
  }
  std::free(table_);
  table_ = table;
  table_size_ = size;
}

Identifier Arena::intern(std::string_view text) {
  if (table_used_ * 2 >= table_size_) grow_table();
  uint32_t hash = hash_text(text);
  size_t slot = hash & (table_size_ - 1);
  for (; table_[slot]; slot = (slot + 1) & (table_size_ - 1)) {
    IdentifierText* id = table_[slot];
    if (id->hash == hash && id->view() == text) return id;
  }
  std::string_view own = copy(text);
  auto* id =
      make<IdentifierText>(IdentifierText{own.data(), static_cast<uint32_t>(own.size()), hash, nullptr});
  table_[slot] = id;
  ++table_used_;
  return id;
}

}  // namespace amphis
