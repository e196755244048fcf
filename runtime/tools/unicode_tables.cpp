// Build-time generator of the Unicode tables: reads the files of the Unicode Character Database from a folder
// and writes unicode_tables.inc (properties, case, decomposition, composition) and unicode_names.inc (names,
// aliases, sequences).
//
// usage: unicode_tables UCD-FOLDER SUPPLEMENT OUTPUT-FOLDER
//
// The supplement brings an older database up to the version that it names; a database of that version or a
// newer one is taken as it is. The standard library insists on that version.
//
// The shapes of the tables are those that objects/unicode_data.h, unicode_data.cpp, unicode_normalize.cpp and
// unicode_names.cpp read.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace {

constexpr uint32_t kCount = 0x110000;
using Chars = std::vector<uint32_t>;

[[noreturn]] void fail(const std::string& message) {
  fprintf(stderr, "unicode_tables: %s\n", message.c_str());
  exit(1);
}

std::string folder;

std::string trim(const std::string& s) {
  size_t a = s.find_first_not_of(" \t\r\n"), b = s.find_last_not_of(" \t\r\n");
  return a == std::string::npos ? "" : s.substr(a, b - a + 1);
}

std::vector<std::string> split(const std::string& s, char separator) {
  std::vector<std::string> parts;
  size_t start = 0;
  for (;;) {
    size_t at = s.find(separator, start);
    parts.push_back(trim(s.substr(start, at == std::string::npos ? at : at - start)));
    if (at == std::string::npos) return parts;
    start = at + 1;
  }
}

std::map<std::string, std::vector<std::string>> supplement;  // by file, where the database is older

template <class F>
void each_supplement_line(const char* name, F f) {
  for (const std::string& line : supplement[name]) f(split(line, ';'));
}

// Calls f(fields) for each data line: comments removed, fields between semicolons. The supplement's lines
// come last, so that they win, or first where f keeps what it has.
template <class F>
void each_line(const char* name, F f, bool supplement_first = false) {
  if (supplement_first) each_supplement_line(name, f);
  std::string path = folder + "/" + name;
  FILE* file = fopen(path.c_str(), "r");
  if (!file) {
    fail("cannot open " + path +
         ": the Unicode Character Database is missing (on Debian and Ubuntu: apt install unicode-data), or "
         "AMPHIS_UNICODE_DATA names the wrong folder");
  }
  char* line = nullptr;
  size_t capacity = 0;
  while (getline(&line, &capacity, file) >= 0) {
    std::string text = line;
    text = trim(text.substr(0, text.find('#')));
    if (!text.empty()) f(split(text, ';'));
  }
  free(line);
  fclose(file);
  if (!supplement_first) each_supplement_line(name, f);
}

uint32_t hex(const std::string& s) {
  return static_cast<uint32_t>(strtoul(s.c_str(), nullptr, 16));
}

std::string hex_text(uint32_t c) {
  char text[12];
  snprintf(text, sizeof text, "%04X", static_cast<unsigned>(c));
  return text;
}

Chars hex_list(const std::string& s) {
  Chars out;
  for (const std::string& part : split(s, ' ')) {
    if (!part.empty()) out.push_back(hex(part));
  }
  return out;
}

template <class F>
void each_in_range(const std::string& range, F f) {
  size_t dots = range.find("..");
  uint32_t first = hex(range), last = dots == std::string::npos ? first : hex(range.substr(dots + 2));
  for (uint32_t c = first; c <= last; c++) f(c);
}

const char* const kCategories[] = {"Cn", "Lu", "Ll", "Lt", "Mn", "Mc", "Me", "Nd", "Nl", "No",
                                   "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Lm", "Lo", "Pc",
                                   "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So"};
const char* const kBidirectional[] = {"",    "L",  "LRE", "LRO", "R",   "AL",  "RLE", "RLO",
                                      "PDF", "EN", "ES",  "ET",  "AN",  "CS",  "NSM", "BN",
                                      "B",   "S",  "WS",  "ON",  "LRI", "RLI", "FSI", "PDI"};
const char* const kWidths[] = {"F", "H", "W", "Na", "A", "N"};

template <size_t N>
uint8_t index_in(const char* const (&names)[N], const std::string& name) {
  for (size_t i = 0; i < N; i++) {
    if (name == names[i]) return static_cast<uint8_t>(i);
  }
  fail("unknown property value " + name);
}

// The order of the flags is that of amphis::unicode::Flag.
enum Flag : uint32_t {
  kAlpha = 1u << 0,
  kDecimal = 1u << 1,
  kDigit = 1u << 2,
  kNumeric = 1u << 3,
  kLower = 1u << 4,
  kUpper = 1u << 5,
  kTitle = 1u << 6,
  kSpace = 1u << 7,
  kLinebreak = 1u << 8,
  kPrintable = 1u << 9,
  kXidStart = 1u << 10,
  kXidContinue = 1u << 11,
  kCased = 1u << 12,
  kCaseIgnorable = 1u << 13,
  kMirrored = 1u << 14,
};

struct Char {
  std::string name;
  uint32_t flags = 0;
  uint8_t category = 0, combining = 0, bidirectional = 0, width = 5, decimal = 255, digit = 255, age = 0,
          quick = 0;
  uint32_t lower = 0, upper = 0, title = 0;
  Chars lower_full, upper_full, title_full, fold;
  bool has_fold = false;
  std::string numeric;
  std::string tag;
  Chars decomposition;
};

std::vector<Char> chars(kCount);
std::string version = "15.0.0";
std::vector<std::pair<uint32_t, uint32_t>> ideograph_ranges[2];  // CJK UNIFIED, TANGUT
std::set<uint32_t> composition_exclusions;
std::vector<std::tuple<uint32_t, uint32_t>>
    corrections_after_3_2;  // character, mapping before the correction

// The version stands in a comment of every file: "# DerivedAge-15.0.0.txt".
void read_version() {
  FILE* file = fopen((folder + "/DerivedAge.txt").c_str(), "r");
  char line[100];
  if (file && fgets(line, sizeof line, file)) {
    std::string text = line;
    size_t dash = text.find('-'), end = text.find(".txt");
    if (dash != std::string::npos && end != std::string::npos)
      version = text.substr(dash + 1, end - dash - 1);
  }
  if (file) fclose(file);
}

void read_supplement(const char* path) {
  FILE* file = fopen(path, "r");
  if (!file) fail(std::string("cannot open ") + path);
  char* line = nullptr;
  size_t capacity = 0;
  std::string section;
  bool newer = true;  // than the database
  while (getline(&line, &capacity, file) >= 0) {
    std::string text = trim(line);
    if (text.empty() || (text[0] == '#' && section.empty())) continue;
    if (text.compare(0, 9, "@version ") == 0) {
      newer = atof(version.c_str()) < atof(text.c_str() + 9);
      if (newer) version = text.substr(9);
    } else if (text[0] == '@') {
      section = text.substr(1);
    } else if (newer || section.compare(0, 3, "3.2") == 0) {
      supplement[section].push_back(text);
    }
  }
  free(line);
  fclose(file);
}

void read_database() {
  for (uint32_t c = 0; c < kCount; c++) chars[c].lower = chars[c].upper = chars[c].title = c;

  uint32_t range_first = 0;
  each_line("UnicodeData.txt", [&](const std::vector<std::string>& f) {
    uint32_t first = hex(f[0]), c = first;
    if (size_t dots = f[0].find(".."); dots != std::string::npos) c = hex(f[0].substr(dots + 2));
    std::string name = f[1];
    if (name.size() > 8 && name.compare(name.size() - 8, 8, ", First>") == 0) {
      range_first = c;
      return;
    }
    bool is_range = name.size() > 7 && name.compare(name.size() - 7, 7, ", Last>") == 0;
    if (is_range) {
      first = range_first;
      if (name.compare(0, 14, "<CJK Ideograph") == 0) ideograph_ranges[0].push_back({first, c});
      if (name.compare(0, 17, "<Tangut Ideograph") == 0) ideograph_ranges[1].push_back({first, c});
    }
    for (uint32_t at = first; at <= c; at++) {
      Char& ch = chars[at];
      ch = Char();
      ch.lower = ch.upper = ch.title = at;
      if (!is_range && name[0] != '<') {
        ch.name = name;
        if (ch.name.back() == '#') ch.name.replace(ch.name.size() - 1, 1, hex_text(at));
      }
      ch.category = index_in(kCategories, f[2]);
      ch.combining = static_cast<uint8_t>(atoi(f[3].c_str()));
      ch.bidirectional = index_in(kBidirectional, f[4]);
      if (!f[5].empty()) {
        std::string mapping = f[5];
        if (mapping[0] == '<') {
          size_t close = mapping.find('>');
          ch.tag = mapping.substr(0, close + 1);
          mapping = mapping.substr(close + 1);
        }
        ch.decomposition = hex_list(mapping);
      }
      if (!f[6].empty()) ch.decimal = static_cast<uint8_t>(atoi(f[6].c_str()));
      if (!f[7].empty()) ch.digit = static_cast<uint8_t>(atoi(f[7].c_str()));
      ch.numeric = f[8];
      if (f[9] == "Y") ch.flags |= kMirrored;
      if (!f[12].empty()) ch.upper = hex(f[12]);
      if (!f[13].empty()) ch.lower = hex(f[13]);
      ch.title = f[14].empty() ? ch.upper : hex(f[14]);
      if (f[2][0] == 'L') ch.flags |= kAlpha;
      if (f[2] == "Lt") ch.flags |= kTitle;
      if (f[2] == "Zs" || f[4] == "WS" || f[4] == "B" || f[4] == "S") ch.flags |= kSpace;
      if (f[4] == "B") ch.flags |= kLinebreak;
      if (c == ' ' || (f[2][0] != 'C' && f[2][0] != 'Z')) ch.flags |= kPrintable;
    }
  });

  each_line(
      "extracted/DerivedNumericValues.txt",
      [](const std::vector<std::string>& f) {
        each_in_range(f[0], [&](uint32_t c) {
          if (chars[c].numeric.empty()) chars[c].numeric = f[3];
        });
      },
      true);
  for (Char& ch : chars) {
    if (ch.decimal != 255) ch.flags |= kDecimal;
    if (ch.digit != 255) ch.flags |= kDigit;
    if (!ch.numeric.empty()) ch.flags |= kNumeric;
  }

  each_line("DerivedCoreProperties.txt", [](const std::vector<std::string>& f) {
    static const std::map<std::string, uint32_t> kWanted = {
        {"Lowercase", kLower},          {"Uppercase", kUpper}, {"XID_Start", kXidStart},
        {"XID_Continue", kXidContinue}, {"Cased", kCased},     {"Case_Ignorable", kCaseIgnorable}};
    bool remove = f[1][0] == '-';
    auto wanted = kWanted.find(remove ? f[1].substr(1) : f[1]);
    if (wanted == kWanted.end()) return;
    each_in_range(f[0], [&](uint32_t c) {
      chars[c].flags = remove ? chars[c].flags & ~wanted->second : chars[c].flags | wanted->second;
    });
  });
  each_line("LineBreak.txt", [](const std::vector<std::string>& f) {
    if (f[1] != "BK" && f[1] != "CR" && f[1] != "LF" && f[1] != "NL") return;
    each_in_range(f[0], [](uint32_t c) { chars[c].flags |= kLinebreak; });
  });
  each_line("EastAsianWidth.txt", [](const std::vector<std::string>& f) {
    uint8_t width = index_in(kWidths, f[1]);
    each_in_range(f[0], [&](uint32_t c) { chars[c].width = width; });
  });
  // Reserved code points of the supplementary ideographic planes are wide by default (UAX #11).
  for (uint32_t c = 0x20000; c <= 0x3FFFD; c++) {
    if ((c & 0xFFFF) <= 0xFFFD) chars[c].width = 2;
  }
  for (uint32_t block : {0x3400u, 0x4E00u, 0xF900u}) {
    uint32_t last = block == 0x3400 ? 0x4DBF : block == 0x4E00 ? 0x9FFF : 0xFAFF;
    for (uint32_t c = block; c <= last; c++) chars[c].width = 2;
  }
  each_line("DerivedAge.txt", [](const std::vector<std::string>& f) {
    double age = atof(f[1].c_str());
    each_in_range(f[0], [&](uint32_t c) { chars[c].age = age <= 3.25 ? 1 : 2; });
  });
  each_line("SpecialCasing.txt", [](const std::vector<std::string>& f) {
    if (f.size() > 4 && !f[4].empty()) return;  // conditional or for one language
    Char& ch = chars[hex(f[0])];
    ch.lower_full = hex_list(f[1]);
    ch.title_full = hex_list(f[2]);
    ch.upper_full = hex_list(f[3]);
  });
  each_line("CaseFolding.txt", [](const std::vector<std::string>& f) {
    if (f[1] != "C" && f[1] != "F") return;
    Char& ch = chars[hex(f[0])];
    ch.fold = hex_list(f[2]);
    ch.has_fold = true;
  });
  each_line("CompositionExclusions.txt",
            [](const std::vector<std::string>& f) { composition_exclusions.insert(hex(f[0])); });
  each_line("DerivedNormalizationProps.txt", [](const std::vector<std::string>& f) {
    static const char* const kNames[] = {"NFD_QC", "NFKD_QC", "NFC_QC", "NFKC_QC"};
    if (f.size() < 2) return;
    for (int form = 0; form < 4; form++) {
      if (f[1] != kNames[form]) continue;
      uint8_t answer = f[2] == "N" ? 2 : 1;
      each_in_range(f[0], [&](uint32_t c) { chars[c].quick |= static_cast<uint8_t>(answer << (2 * form)); });
    }
    if (f[1] == "Full_Composition_Exclusion") {
      each_in_range(f[0], [](uint32_t c) { composition_exclusions.insert(c); });
    }
  });
  each_line("NormalizationCorrections.txt", [](const std::vector<std::string>& f) {
    if (f[3] != "3.2.0") corrections_after_3_2.push_back({hex(f[0]), hex(f[1])});
  });
}

// ---- output ----

FILE* open_output(const std::string& path) {
  FILE* out = fopen(path.c_str(), "w");
  if (!out) fail("cannot write " + path);
  fputs("// Made by tools/unicode_tables.cpp from the Unicode Character Database. Do not edit.\n", out);
  return out;
}

template <class T>
void write_array(FILE* out, const char* type, const char* name, const std::vector<T>& values) {
  fprintf(out, "constexpr %s %s[] = {", type, name);
  for (size_t i = 0; i < values.size(); i++) {
    fprintf(out, "%s%lld,", i % 24 == 0 ? "\n" : "", static_cast<long long>(values[i]));
  }
  fputs("\n};\n", out);
}

// Two stages: pages of 1 << shift values, equal pages stored once.
void write_two_stage(FILE* out, const char* name, const std::vector<uint32_t>& values, int shift) {
  std::map<std::vector<uint32_t>, uint32_t> known;
  std::vector<uint32_t> first, second;
  size_t size = size_t{1} << shift;
  for (size_t at = 0; at < values.size(); at += size) {
    std::vector<uint32_t> page(values.begin() + static_cast<long>(at),
                               values.begin() + static_cast<long>(at + size));
    auto [it, added] = known.insert({page, static_cast<uint32_t>(known.size())});
    if (added) second.insert(second.end(), page.begin(), page.end());
    first.push_back(it->second);
  }
  fprintf(out, "constexpr int %sShift = %d;\n", name, shift);
  write_array(out, known.size() < 256 ? "uint8_t" : "uint16_t", (std::string(name) + "Page").c_str(), first);
  write_array(out, "uint16_t", name, second);
}

double numeric_of(const std::string& s) {
  size_t slash = s.find('/');
  double value = atof(s.c_str());
  return slash == std::string::npos ? value : value / atof(s.c_str() + slash + 1);
}

void write_tables(const std::string& path) {
  FILE* out = open_output(path);
  fprintf(out, "constexpr char kVersionText[] = \"%s\";\n", version.c_str());

  std::vector<double> numbers = {0};
  std::map<double, uint16_t> number_index;
  std::vector<uint32_t> extended = {0};
  std::map<Chars, uint16_t> extended_index;
  auto extend = [&](const Chars& text) -> uint16_t {
    auto [it, added] = extended_index.insert({text, static_cast<uint16_t>(extended.size())});
    if (added) {
      extended.push_back(static_cast<uint32_t>(text.size()));
      extended.insert(extended.end(), text.begin(), text.end());
    }
    return it->second;
  };

  typedef std::tuple<int32_t, int32_t, int32_t, uint16_t, uint16_t, uint16_t, uint16_t> Case;
  std::vector<Case> cases = {Case{}};
  std::map<Case, uint16_t> case_index = {{Case{}, 0}};
  typedef std::tuple<uint32_t, int, int, int, int, int, int, int, int, uint16_t, uint16_t> Record;
  std::vector<Record> records;
  std::map<Record, uint32_t> record_index;
  std::vector<uint32_t> record_of(kCount);

  for (uint32_t c = 0; c < kCount; c++) {
    Char& ch = chars[c];
    auto delta = [c](uint32_t to) { return static_cast<int32_t>(to) - static_cast<int32_t>(c); };
    auto full = [&](const Chars& text, uint32_t simple) -> uint16_t {
      return text.empty() || text == Chars{simple} ? uint16_t{0} : extend(text);
    };
    uint16_t lower_full = full(ch.lower_full, ch.lower);
    uint16_t upper_full = full(ch.upper_full, ch.upper);
    uint16_t title_full = full(ch.title_full, ch.title);
    // Where folding differs from lower case, it has an entry; "no folding" is an entry of the character
    // itself.
    Chars lower_text = lower_full ? ch.lower_full : Chars{ch.lower};
    Chars fold = ch.has_fold ? ch.fold : Chars{c};
    uint16_t fold_full = fold == lower_text ? uint16_t{0} : extend(fold);
    Case mapping{delta(ch.lower), delta(ch.upper), delta(ch.title), lower_full,
                 upper_full,      title_full,      fold_full};
    auto [case_it, case_added] = case_index.insert({mapping, static_cast<uint16_t>(cases.size())});
    if (case_added) cases.push_back(mapping);

    uint16_t number = 0;
    if (!ch.numeric.empty()) {
      double value = numeric_of(ch.numeric);
      auto [it, added] = number_index.insert({value, static_cast<uint16_t>(numbers.size())});
      if (added) numbers.push_back(value);
      number = it->second;
    }
    Record record{ch.flags, ch.category, ch.combining, ch.bidirectional, ch.width, ch.decimal,
                  ch.digit, ch.age,      ch.quick,     case_it->second,  number};
    auto [it, added] = record_index.insert({record, static_cast<uint32_t>(records.size())});
    if (added) records.push_back(record);
    record_of[c] = it->second;
  }

  auto write_names = [out](const char* name, const char* const* values, size_t n) {
    fprintf(out, "constexpr const char* %s[] = {", name);
    for (size_t i = 0; i < n; i++) fprintf(out, "\"%s\", ", values[i]);
    fputs("};\n", out);
  };
  write_names("kCategoryNames", kCategories, std::size(kCategories));
  write_names("kBidirectionalNames", kBidirectional, std::size(kBidirectional));
  write_names("kWidthNames", kWidths, std::size(kWidths));

  fputs("constexpr Record kRecords[] = {\n", out);
  for (const Record& r : records) {
    fprintf(out, "{%u,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d},\n", std::get<0>(r), std::get<1>(r), std::get<2>(r),
            std::get<3>(r), std::get<4>(r), std::get<5>(r), std::get<6>(r), std::get<7>(r), std::get<8>(r),
            std::get<9>(r), std::get<10>(r));
  }
  fputs("};\n", out);
  write_two_stage(out, "kRecordIndex", record_of, 7);
  fputs("constexpr CaseMapping kCases[] = {\n", out);
  for (const Case& c : cases) {
    fprintf(out, "{%d,%d,%d,%d,%d,%d,%d},\n", std::get<0>(c), std::get<1>(c), std::get<2>(c), std::get<3>(c),
            std::get<4>(c), std::get<5>(c), std::get<6>(c));
  }
  fputs("};\n", out);
  write_array(out, "uint32_t", "kCaseText", extended);
  fputs("constexpr double kNumericValues[] = {", out);
  for (double n : numbers) fprintf(out, "%.17g,", n);
  fputs("};\n", out);

  // Decompositions: tag * 32 + length, then the characters.
  std::vector<std::string> tags = {""};
  std::vector<uint32_t> text = {0};
  std::vector<uint32_t> text_at(kCount, 0);
  for (uint32_t c = 0; c < kCount; c++) {
    const Char& ch = chars[c];
    if (ch.decomposition.empty()) continue;
    auto tag = std::find(tags.begin(), tags.end(), ch.tag);
    uint32_t tag_number = static_cast<uint32_t>(tag - tags.begin());
    if (tag == tags.end()) tags.push_back(ch.tag);
    text_at[c] = static_cast<uint32_t>(text.size());
    text.push_back(tag_number * 32 + static_cast<uint32_t>(ch.decomposition.size()));
    text.insert(text.end(), ch.decomposition.begin(), ch.decomposition.end());
  }
  if (text.size() > 0xFFFF) fail("too many decompositions for 16-bit offsets");
  std::vector<const char*> tag_texts;
  for (const std::string& t : tags) tag_texts.push_back(t.c_str());
  write_names("kDecompositionTags", tag_texts.data(), tag_texts.size());
  write_array(out, "uint32_t", "kDecompositions", text);
  write_two_stage(out, "kDecompositionIndex", text_at, 7);

  // Compositions: open addressing by a multiplicative hash of the pair.
  struct Pair {
    uint32_t first, second, composite;
  };
  std::vector<Pair> pairs;
  for (uint32_t c = 0; c < kCount; c++) {
    const Char& ch = chars[c];
    if (ch.decomposition.size() == 2 && ch.tag.empty() && !composition_exclusions.count(c)) {
      pairs.push_back({ch.decomposition[0], ch.decomposition[1], c});
    }
  }
  size_t capacity = 1;
  while (capacity < pairs.size() * 2) capacity *= 2;
  std::vector<Pair> slots(capacity, Pair{0, 0, 0});
  for (const Pair& p : pairs) {
    size_t i = (p.first * 2654435761u ^ p.second * 40503u) & (capacity - 1);
    while (slots[i].composite) i = (i + 1) & (capacity - 1);
    slots[i] = p;
  }
  fprintf(out, "constexpr uint32_t kCompositionMask = %zu;\nconstexpr Composition kCompositions[] = {\n",
          capacity - 1);
  for (const Pair& p : slots) fprintf(out, "{%u,%u,%u},\n", p.first, p.second, p.composite);
  fputs("};\n", out);
  fputs("constexpr OldRange kOldRanges[] = {\n", out);
  each_supplement_line("3.2", [out](const std::vector<std::string>& f) {
    size_t dots = f[0].find("..");
    fprintf(out, "{%u,%u,{%d,%d,%d,%d}},\n", hex(f[0]),
            hex(dots == std::string::npos ? f[0] : f[0].substr(dots + 2)), index_in(kCategories, f[1]),
            index_in(kBidirectional, f[2]), index_in(kWidths, f[4]), f[3] == "Y");
  });
  fputs("};\n", out);
  fputs("constexpr OldNumber kOldNumbers[] = {\n", out);
  each_supplement_line("3.2 numbers", [out](const std::vector<std::string>& f) {
    fprintf(out, "{%u,%d,%.17g},\n", hex(f[0]), f[1].empty() ? -1 : atoi(f[1].c_str()),
            f[2].empty() ? -1.0 : atof(f[2].c_str()));
  });
  fputs("};\n", out);
  fputs("constexpr Correction kCorrections[] = {", out);
  for (auto& [c, before] : corrections_after_3_2) fprintf(out, "{%u,%u},", c, before);
  fputs("};\n", out);
  fclose(out);
}

// ---- names ----
//
// A name is a run of words. Words join with a space, except that none follows a word that ends in '-'. Token
// 0 ends a name; token 1 stands for the character's own number in hexadecimal; others number words in order
// of frequency, in one byte or two.

constexpr uint32_t kOneByteTokens = 200;

std::vector<std::string> words_of(const std::string& name, const std::string& own_number) {
  std::vector<std::string> words;
  std::string word;
  for (char c : name) {
    if (c == ' ') {
      if (!word.empty()) words.push_back(word);
      word.clear();
    } else {
      word += c;
      if (c == '-') {
        words.push_back(word);
        word.clear();
      }
    }
  }
  if (!word.empty()) words.push_back(word);
  if (words.back() == own_number) words.back() = "\1";
  return words;
}

std::string joined(const std::vector<std::string>& words, const std::string& own_number) {
  std::string name;
  for (const std::string& word : words) {
    if (!name.empty() && name.back() != '-') name += ' ';
    name += word == "\1" ? own_number : word;
  }
  return name;
}

void write_names(const std::string& path) {
  FILE* out = open_output(path);
  std::map<std::string, uint32_t> frequency;
  std::vector<std::pair<uint32_t, std::vector<std::string>>> named;
  std::vector<std::pair<uint32_t, std::string>> odd;  // names that the word rule cannot rebuild
  for (uint32_t c = 0; c < kCount; c++) {
    if (chars[c].name.empty()) continue;
    std::string number = hex_text(c);
    std::vector<std::string> words = words_of(chars[c].name, number);
    if (joined(words, number) != chars[c].name) {
      odd.push_back({c, chars[c].name});
      continue;
    }
    for (const std::string& w : words) frequency[w]++;
    named.push_back({c, words});
  }
  frequency.erase("\1");
  std::vector<std::pair<uint32_t, std::string>> ranked;
  for (auto& [word, n] : frequency) ranked.push_back({n, word});
  std::sort(ranked.begin(), ranked.end(),
            [](auto& a, auto& b) { return a.first != b.first ? a.first > b.first : a.second < b.second; });
  if (ranked.size() + 2 > kOneByteTokens + (256 - kOneByteTokens) * 256)
    fail("too many different words in names");
  std::map<std::string, uint32_t> token = {{"\1", 1}};
  std::string lexicon;
  std::vector<uint32_t> lexicon_at = {0, 0};
  for (size_t i = 0; i < ranked.size(); i++) {
    token[ranked[i].second] = static_cast<uint32_t>(i + 2);
    lexicon_at.push_back(static_cast<uint32_t>(lexicon.size()));
    lexicon += ranked[i].second;
  }
  lexicon_at.push_back(static_cast<uint32_t>(lexicon.size()));

  std::vector<uint32_t> code_points, stream_at;
  std::vector<uint32_t> stream;
  for (auto& [c, words] : named) {
    code_points.push_back(c);
    stream_at.push_back(static_cast<uint32_t>(stream.size()));
    for (const std::string& w : words) {
      uint32_t t = token[w];
      if (t < kOneByteTokens) {
        stream.push_back(t);
      } else {
        stream.push_back(kOneByteTokens + ((t - kOneByteTokens) >> 8));
        stream.push_back((t - kOneByteTokens) & 0xFF);
      }
    }
    stream.push_back(0);
  }
  // Hash of the upper-case name (FNV-1a) to the place in the list of named characters, plus one.
  size_t capacity = 1;
  while (capacity < code_points.size() * 3 / 2) capacity *= 2;
  std::vector<uint32_t> slots(capacity, 0);
  for (size_t i = 0; i < code_points.size(); i++) {
    uint32_t h = 2166136261u;
    for (unsigned char ch : chars[code_points[i]].name) h = (h ^ ch) * 16777619u;
    size_t at = (h ^ h >> 15) & (capacity - 1);
    while (slots[at]) at = (at + 1) & (capacity - 1);
    slots[at] = static_cast<uint32_t>(i + 1);
  }
  if (code_points.size() >= 0xFFFF) fail("too many named characters for 16-bit numbers");

  fprintf(out, "constexpr uint32_t kOneByteTokens = %u;\nconstexpr uint32_t kNameHashMask = %zu;\n",
          kOneByteTokens, capacity - 1);
  fputs("constexpr char kLexicon[] =", out);
  for (size_t i = 0; i < lexicon.size(); i += 100) fprintf(out, "\n\"%s\"", lexicon.substr(i, 100).c_str());
  fputs(";\n", out);
  write_array(out, "uint32_t", "kLexiconAt", lexicon_at);
  write_array(out, "uint32_t", "kNamedChars", code_points);
  write_array(out, "uint32_t", "kNameStreamAt", stream_at);
  write_array(out, "uint8_t", "kNameStream", stream);
  write_array(out, "uint16_t", "kNameHash", slots);

  // Names in plain text: those that the words cannot express, aliases, sequences. Sorted by name for binary
  // search.
  std::sort(odd.begin(), odd.end());
  fputs("constexpr PlainName kOddNames[] = {\n", out);
  for (auto& [c, name] : odd) fprintf(out, "{\"%s\", 1, {%u}},\n", name.c_str(), c);
  fputs("{\"\", 0, {0}},\n};\n", out);
  std::map<std::string, Chars> plain;
  each_line("NameAliases.txt", [&](const std::vector<std::string>& f) { plain[f[1]] = {hex(f[0])}; });
  size_t aliases = plain.size();
  fprintf(out, "// %zu aliases, then the named sequences among them\n", aliases);
  each_line("NamedSequences.txt", [&](const std::vector<std::string>& f) { plain[f[0]] = hex_list(f[1]); });
  fputs("constexpr PlainName kPlainNames[] = {\n", out);
  for (auto& [name, text] : plain) {
    fprintf(out, "{\"%s\", %zu, {", name.c_str(), text.size());
    for (uint32_t c : text) fprintf(out, "%u,", c);
    fputs("}},\n", out);
  }
  fputs("};\n", out);
  static const char* const kPrefixes[] = {"CJK UNIFIED IDEOGRAPH-", "TANGUT IDEOGRAPH-"};
  fputs("constexpr NumberedRange kNumberedRanges[] = {\n", out);
  for (int i = 0; i < 2; i++) {
    for (auto& [first, last] : ideograph_ranges[i])
      fprintf(out, "{\"%s\", %u, %u},\n", kPrefixes[i], first, last);
  }
  fputs("};\n", out);
  // Jamo short names (Unicode standard, section 3.12) build the names of Hangul syllables.
  std::map<uint32_t, std::string> jamo;
  each_line("Jamo.txt", [&](const std::vector<std::string>& f) { jamo[hex(f[0])] = f[1]; });
  auto write_jamo = [&](const char* name, uint32_t first, uint32_t n, bool with_none) {
    fprintf(out, "constexpr const char* %s[] = {", name);
    if (with_none) fputs("\"\", ", out);
    for (uint32_t c = first; c < first + n; c++) fprintf(out, "\"%s\", ", jamo[c].c_str());
    fputs("};\n", out);
  };
  write_jamo("kJamoL", 0x1100, 19, false);
  write_jamo("kJamoV", 0x1161, 21, false);
  write_jamo("kJamoT", 0x11A8, 27, true);
  fclose(out);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) fail("usage: unicode_tables UCD-FOLDER SUPPLEMENT OUTPUT-FOLDER");
  folder = argv[1];
  read_version();
  read_supplement(argv[2]);
  read_database();
  write_tables(std::string(argv[3]) + "/unicode_tables.inc");
  write_names(std::string(argv[3]) + "/unicode_names.inc");
  return 0;
}
