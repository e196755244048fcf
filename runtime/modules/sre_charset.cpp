// Character categories and sets of regular expressions.
#include "modules/sre_charset.h"

namespace amphis::sre {

bool in_category(Category category, Char ch) {
  switch (category) {
    case Category::kDigit:
      return ch < 128 && Py_ISDIGIT(static_cast<unsigned char>(ch));
    case Category::kNotDigit:
      return !in_category(Category::kDigit, ch);
    case Category::kSpace:
      return ch < 128 && Py_ISSPACE(static_cast<unsigned char>(ch));
    case Category::kNotSpace:
      return !in_category(Category::kSpace, ch);
    case Category::kWord:
      return is_word_ascii(ch);
    case Category::kNotWord:
      return !is_word_ascii(ch);
    case Category::kLinebreak:
      return ch == '\n';
    case Category::kNotLinebreak:
      return ch != '\n';
    case Category::kLocWord:
      return is_word_locale(ch);
    case Category::kLocNotWord:
      return !is_word_locale(ch);
    case Category::kUniDigit:
      return Py_UNICODE_ISDECIMAL(ch) != 0;
    case Category::kUniNotDigit:
      return Py_UNICODE_ISDECIMAL(ch) == 0;
    case Category::kUniSpace:
      return Py_UNICODE_ISSPACE(ch) != 0;
    case Category::kUniNotSpace:
      return Py_UNICODE_ISSPACE(ch) == 0;
    case Category::kUniWord:
      return is_word_unicode(ch);
    case Category::kUniNotWord:
      return !is_word_unicode(ch);
    case Category::kUniLinebreak:
      return Py_UNICODE_ISLINEBREAK(ch) != 0;
    case Category::kUniNotLinebreak:
      return Py_UNICODE_ISLINEBREAK(ch) == 0;
    case Category::kCount:
      break;
  }
  return false;
}

namespace {

constexpr int kBitmapWords = 256 / 32;
constexpr int kChunkIndexWords = 256 / 4;

bool bit(const Word* bitmap, Char index) {
  return (bitmap[index >> 5] >> (index & 31)) & 1;
}

}  // namespace

bool in_charset(const Word* set, Char ch, Char other) {
  bool found = true;  // what a hit means; NEGATE turns it around
  auto either = [=](auto matches) { return matches(ch) || (other != ch && matches(other)); };
  for (;;) {
    bool hit = false;
    switch (*set++) {
      case code::kFailure:
        return !found;
      case code::kNegate:
        found = !found;
        break;
      case code::kLiteral:
        hit = either([=](Char c) { return c == set[0]; });
        set += 1;
        break;
      case code::kCategory:
        hit = either([=](Char c) { return in_category(static_cast<Category>(set[0]), c); });
        set += 1;
        break;
      case code::kCharset:
        hit = either([=](Char c) { return c < 256 && bit(set, c); });
        set += kBitmapWords;
        break;
      case code::kRange:
        hit = either([=](Char c) { return set[0] <= c && c <= set[1]; });
        set += 2;
        break;
      case code::kRangeUniIgnore:
        hit = either([=](Char c) {
          const Char upper = Py_UNICODE_TOUPPER(c);
          return (set[0] <= c && c <= set[1]) || (set[0] <= upper && upper <= set[1]);
        });
        set += 2;
        break;
      case code::kBigCharset: {
        const Word chunks = *set++;
        hit = either([=](Char c) {
          if (c >= 65536) return false;
          const Char chunk = reinterpret_cast<const uint8_t*>(set)[c >> 8];
          return bit(set + kChunkIndexWords, chunk * 256 + (c & 255));
        });
        set += kChunkIndexWords + chunks * kBitmapWords;
        break;
      }
      default:
        return false;  // not in a set that valid_charset has seen
    }
    if (hit) return found;
  }
}

bool valid_charset(const Word* set, const Word* end) {
  auto take = [&](Word n) {
    if (static_cast<size_t>(end - set) < n) return false;
    set += n;
    return true;
  };
  while (set < end) {
    switch (*set++) {
      case code::kFailure:
        return set == end;
      case code::kNegate:
        break;
      case code::kLiteral:
        if (!take(1)) return false;
        break;
      case code::kRange:
      case code::kRangeUniIgnore:
        if (!take(2)) return false;
        break;
      case code::kCharset:
        if (!take(kBitmapWords)) return false;
        break;
      case code::kBigCharset: {
        if (set == end) return false;
        const Word chunks = *set++;
        const auto* index = reinterpret_cast<const uint8_t*>(set);
        if (chunks > 256 || !take(kChunkIndexWords)) return false;
        for (int i = 0; i < 256; ++i) {
          if (index[i] >= chunks) return false;
        }
        if (!take(chunks * kBitmapWords)) return false;
        break;
      }
      case code::kCategory:
        if (set == end || *set >= static_cast<Word>(Category::kCount)) return false;
        ++set;
        break;
      default:
        return false;
    }
  }
  return false;
}

bool CharRule::operator()(Char ch) const {
  if (kind != kSet) {
    bool equal = false;
    switch (fold) {
      case Fold::kNone:
        equal = ch == literal;
        break;
      case Fold::kAscii:
        equal = lower_ascii(ch) == literal;
        break;
      case Fold::kUnicode:
        equal = lower_unicode(ch) == literal;
        break;
      case Fold::kLocale:
        equal = ch == literal || lower_locale(ch) == literal || upper_locale(ch) == literal;
        break;
    }
    return equal == (kind == kLiteral);
  }
  switch (fold) {
    case Fold::kNone:
      return in_charset(set, ch, ch);
    case Fold::kAscii:
      return in_charset(set, lower_ascii(ch), lower_ascii(ch));
    case Fold::kUnicode:
      return in_charset(set, lower_unicode(ch), lower_unicode(ch));
    case Fold::kLocale:
      return in_charset(set, lower_locale(ch), upper_locale(ch));
  }
  return false;
}

bool CharRule::depends_on_locale() const {
  if (fold == Fold::kLocale) return true;
  if (kind != kSet) return false;
  for (const Word* p = set;;) {
    switch (*p++) {
      case code::kNegate:
        break;
      case code::kLiteral:
        p += 1;
        break;
      case code::kRange:
      case code::kRangeUniIgnore:
        p += 2;
        break;
      case code::kCharset:
        p += kBitmapWords;
        break;
      case code::kBigCharset:
        p += 1 + kChunkIndexWords + *p * kBitmapWords;
        break;
      case code::kCategory: {
        const auto category = static_cast<Category>(*p++);
        if (category == Category::kLocWord || category == Category::kLocNotWord) return true;
        break;
      }
      default:
        return false;
    }
  }
}

namespace {

// What is asked about characters below U+0100 again and again, asked once.
struct LowTables {
  LowSet categories[static_cast<int>(Category::kCount)];
  uint8_t lower_ascii_of[256];
  uint8_t lower_unicode_of[256];
  LowTables() {
    for (Char ch = 0; ch < 256; ++ch) {
      for (int i = 0; i < static_cast<int>(Category::kCount); ++i) {
        if (in_category(static_cast<Category>(i), ch)) categories[i].add(ch);
      }
      lower_ascii_of[ch] = static_cast<uint8_t>(lower_ascii(ch));
      lower_unicode_of[ch] = static_cast<uint8_t>(lower_unicode(ch));
    }
  }
};

const LowTables& low_tables() {
  static const LowTables tables;
  return tables;
}

LowSet low_set_of(const Word* set) {
  LowSet result, decided;
  bool found = true;
  auto hit = [&](const LowSet& hits) {
    for (int i = 0; i < 4; ++i) {
      if (found) result.bits[i] |= hits.bits[i] & ~decided.bits[i];
      decided.bits[i] |= hits.bits[i];
    }
  };
  auto bitmap = [](const Word* words) {
    LowSet s;
    for (int i = 0; i < 4; ++i) s.bits[i] = words[2 * i] | static_cast<uint64_t>(words[2 * i + 1]) << 32;
    return s;
  };
  for (;;) {
    LowSet hits;
    switch (*set++) {
      case code::kFailure:
        if (!found) {
          for (int i = 0; i < 4; ++i) result.bits[i] |= ~decided.bits[i];
        }
        return result;
      case code::kNegate:
        found = !found;
        break;
      case code::kLiteral:
        if (set[0] < 256) hits.add(set[0]);
        set += 1;
        break;
      case code::kRange:
      case code::kRangeUniIgnore:
        for (Char ch = set[0]; ch <= set[1] && ch < 256; ++ch) hits.add(ch);
        if (set[-1] == code::kRangeUniIgnore) {
          for (Char ch = 0; ch < 256; ++ch) {
            const Char upper = Py_UNICODE_TOUPPER(ch);
            if (set[0] <= upper && upper <= set[1]) hits.add(ch);
          }
        }
        set += 2;
        break;
      case code::kCharset:
        hits = bitmap(set);
        set += kBitmapWords;
        break;
      case code::kBigCharset: {
        const Word chunks = *set++;
        hits = bitmap(set + kChunkIndexWords + reinterpret_cast<const uint8_t*>(set)[0] * kBitmapWords);
        set += kChunkIndexWords + chunks * kBitmapWords;
        break;
      }
      case code::kCategory:
        hits = low_tables().categories[*set++];
        break;
      default:
        return result;  // not in a set that valid_charset has seen
    }
    hit(hits);
  }
}

}  // namespace

LowSet CharRule::low_set() const {
  const LowTables& tables = low_tables();
  const uint8_t* lower = fold == Fold::kAscii ? tables.lower_ascii_of : tables.lower_unicode_of;
  LowSet plain;
  if (kind == kSet) {
    plain = low_set_of(set);
  } else {
    if (kind == kNotLiteral) plain = LowSet::all();
    if (literal < 256) kind == kLiteral ? plain.add(literal) : plain.remove(literal);
  }
  if (fold == Fold::kNone) return plain;
  LowSet folded;
  for (Char ch = 0; ch < 256; ++ch) {
    if (plain.has(lower[ch])) folded.add(ch);
  }
  return folded;
}

bool CharClass::high(Char ch) const {
  switch (wide) {
    case kNever:
      return false;
    case kAlways:
      return true;
    case kByRule:
      return rule(ch);
    case kUnicodeWord:
      return is_word_unicode(ch);
    case kNotUnicodeWord:
      return !is_word_unicode(ch);
  }
  return false;
}

}  // namespace amphis::sre
