// A driver for the front end alone: prints the tree of source files, or the errors of snippets, in a form
// that a script can compare with another implementation's. It stands in for the Unicode database with
// approximations.
//
//   ast_dump FILE            the tree: Node(fields)@line:col-line:col, lists in brackets, ~ for None
//   ast_dump --errors        reads lines "mode flags hex-of-source", prints one line each: OK or the error
//   ast_dump --tokens FILE   the tokens, one a line, as the `tokenize` module numbers them
//   ast_dump --time FILE...  parses each file and says how fast
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>
#include <unordered_map>

#include "source/decode.h"
#include "source/hooks.h"
#include "source/lexer.h"
#include "source/utf8.h"
#include "syntax/ast_schema.h"
#include "syntax/parser.h"
#include "syntax/unparse.h"

using namespace amphis;

namespace {

std::string out;

void put_text(std::string_view text) {
  out += '\'';
  for (char c : text) {
    auto b = static_cast<unsigned char>(c);
    if (b < 0x20 || b >= 0x7F || c == '\'' || c == '\\') {
      char buffer[8];
      std::snprintf(buffer, sizeof(buffer), "\\x%02x", static_cast<unsigned>(b));
      out += buffer;
    } else {
      out += c;
    }
  }
  out += '\'';
}

// Digits in any base as lower-case hexadecimal without leading zeros.
std::string to_hex(std::string_view digits, unsigned base) {
  std::vector<uint32_t> limbs{0};
  for (char c : digits) {
    uint64_t carry = c <= '9' ? static_cast<uint64_t>(c - '0') : static_cast<uint64_t>((c | 0x20) - 'a' + 10);
    for (uint32_t& limb : limbs) {
      carry += static_cast<uint64_t>(limb) * base;
      limb = static_cast<uint32_t>(carry);
      carry >>= 32;
    }
    if (carry) limbs.push_back(static_cast<uint32_t>(carry));
  }
  std::string text;
  char buffer[16];
  for (size_t i = limbs.size(); i-- > 0;) {
    std::snprintf(buffer, sizeof(buffer), text.empty() ? "%x" : "%08x", limbs[i]);
    if (text.empty() && limbs[i] == 0 && i > 0) continue;
    text += buffer;
  }
  return text;
}

void put_double(double value) {
  uint64_t bits;
  std::memcpy(&bits, &value, 8);
  char buffer[24];
  std::snprintf(buffer, sizeof(buffer), "%016llx", static_cast<unsigned long long>(bits));
  out += buffer;
}

void put_constant(const ast::ConstantValue& value) {
  using ast::ConstantKind;
  switch (value.kind) {
    case ConstantKind::None:
      out += "~";
      return;
    case ConstantKind::True:
      out += "True";
      return;
    case ConstantKind::False:
      out += "False";
      return;
    case ConstantKind::Ellipsis:
      out += "...";
      return;
    case ConstantKind::Int: {
      std::string hex = to_hex(value.text, value.base);
      if (value.int_fits) {
        char buffer[24];
        std::snprintf(buffer, sizeof(buffer), "%llx", static_cast<unsigned long long>(value.int_value));
        if (hex != buffer) hex = "DISAGREE";
      }
      out += "i" + hex;
      return;
    }
    case ConstantKind::Float:
      out += "f";
      put_double(value.real);
      return;
    case ConstantKind::Complex:
      out += "c";
      put_double(value.imag);
      return;
    case ConstantKind::Str:
      put_text(value.text);
      return;
    case ConstantKind::Bytes:
      out += "b";
      put_text(value.text);
      return;
    case ConstantKind::Object:
      out += "object";
      return;
  }
}

void put_node(ast::TypeTag tag, const void* node);

void put_value(const ast::FieldInfo& field, const char* slot) {
  using ast::TypeTag;
  switch (field.type) {
    case TypeTag::int_:
      out += std::to_string(*reinterpret_cast<const int*>(slot));
      return;
    case TypeTag::identifier: {
      Identifier id = *reinterpret_cast<const Identifier*>(slot);
      if (id)
        put_text(id->view());
      else
        out += "~";
      return;
    }
    case TypeTag::string: {
      const auto& text = *reinterpret_cast<const std::string_view*>(slot);
      if (text.data())
        put_text(text);
      else
        out += "~";
      return;
    }
    case TypeTag::constant:
      put_constant(*reinterpret_cast<const ast::ConstantValue*>(slot));
      return;
    default:
      break;
  }
  const ast::TypeInfo& type = ast::type_info(field.type);
  if (type.type_class == ast::TypeClass::Enumeration) {
    out += type.values[static_cast<unsigned char>(*slot)];
    return;
  }
  put_node(field.type, *reinterpret_cast<void* const*>(slot));
}

void put_node(ast::TypeTag tag, const void* node) {
  if (!node) {
    out += "~";
    return;
  }
  const ast::NodeInfo& info = ast::node_info(tag, node);
  out += info.name;
  out += '(';
  for (unsigned i = 0; i < info.field_count; ++i) {
    if (i) out += ',';
    const ast::FieldInfo& field = info.fields[i];
    const char* slot = static_cast<const char*>(node) + field.offset;
    if (field.quantifier != ast::Quantifier::Many && field.quantifier != ast::Quantifier::ManyOptional) {
      put_value(field, slot);
      continue;
    }
    const auto& list = *reinterpret_cast<const ast::Seq<char>*>(slot);
    size_t item = ast::type_info(field.type).type_class == ast::TypeClass::Enumeration ? 1 : sizeof(void*);
    out += '[';
    for (size_t k = 0; k < list.size; ++k) {
      if (k) out += ',';
      put_value(field, list.data + k * item);
    }
    out += ']';
  }
  out += ')';
  if (info.located) {
    const auto& at =
        *reinterpret_cast<const ast::Location*>(static_cast<const char*>(node) + info.location_offset);
    char buffer[64];
    std::snprintf(buffer, sizeof(buffer), "@%d:%d-%d:%d", at.lineno, at.col_offset, at.end_lineno,
                  at.end_col_offset);
    out += buffer;
  }
}

std::unordered_map<std::string, std::string> names;

bool lookup_name(std::string_view name, std::string& result) {
  std::string upper;
  for (char c : name) upper += c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  auto it = names.find(upper);
  if (it == names.end()) return false;
  result = it->second;
  return true;
}

void load_names() {
  const char* path = std::getenv("AMPHIS_UNICODE_NAMES");
  if (!path) return;
  std::ifstream in(path);
  std::string line;
  while (std::getline(in, line)) {
    size_t semicolon = line.find(';');
    std::string text;
    utf8::append(text, static_cast<uint32_t>(std::stoul(line.substr(0, semicolon), nullptr, 16)));
    names[line.substr(semicolon + 1)] = text;
  }
  source_hooks.lookup_name = lookup_name;
}

// Punctuation, spaces and symbols that turn up in tests; everything else above U+007F counts as a letter.
bool is_letter(uint32_t c) {
  return !(c >= 0x80 && c < 0xAA) && !(c >= 0x2000 && c < 0x2071) && !(c >= 0x20A0 && c < 0x2100) &&
         !(c >= 0x2190 && c < 0x2C00) && !(c >= 0x3000 && c < 0x3004) && c != 0xFEFF &&
         !(c >= 0x1F000 && c < 0x20000) && c != 0xD7 && c != 0xF7 && !(c >= 0xAB && c < 0xB5) &&
         !(c >= 0xE000 && c < 0xF900) && c != 0xBB && c != 0xBF;
}
bool is_start(uint32_t c) {
  return is_letter(c) && !(c >= 0x300 && c < 0x370) && !(c >= 0x660 && c < 0x66A);
}
bool is_printable(uint32_t c) {
  return c >= 0x20 && !(c >= 0x7F && c <= 0xA0) && c != 0xAD && !(c >= 0x2000 && c < 0x2010) &&
         !(c >= 0x2028 && c < 0x2030) && c != 0xFEFF && c != 0x3000 && !(c >= 0xE000 && c < 0xF900);
}

std::string read_file(const char* path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream buffer;
  buffer << in.rdbuf();
  return buffer.str();
}

const char* kind_name(SyntaxErrorKind kind) {
  switch (kind) {
    case SyntaxErrorKind::IndentationError:
      return "IndentationError";
    case SyntaxErrorKind::TabError:
      return "TabError";
    case SyntaxErrorKind::IncompleteInputError:
      return "_IncompleteInputError";
    case SyntaxErrorKind::MemoryError:
      return "MemoryError";
    default:
      return "SyntaxError";
  }
}

void print_error(const SyntaxErrorInfo& e) {
  std::string text;
  for (char c : e.text) {
    if (c == '\n')
      text += "\\n";
    else
      text += c;
  }
  std::string message;
  for (char c : e.message) {
    if (c == '\n')
      message += "\\n";
    else
      message += c;
  }
  std::printf("%s|%s|%d|%d|%d|%d|%s\n", kind_name(e.kind), message.c_str(), e.lineno, e.offset, e.end_lineno,
              e.end_offset, text.c_str());
}

int errors() {
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream fields(line);
    std::string mode, hex;
    int flags = 0;
    fields >> mode >> flags >> hex;
    std::string source;
    for (size_t i = 0; i + 1 < hex.size(); i += 2)
      source += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    ParseOptions options;
    options.mode = mode == "eval"        ? ParseMode::Eval
                   : mode == "single"    ? ParseMode::Single
                   : mode == "func_type" ? ParseMode::FuncType
                                         : ParseMode::Exec;
    options.ignore_cookie = !(flags & 1);
    options.allow_incomplete = flags & 0x4000;
    options.dont_imply_dedent = flags & 0x200;
    Arena arena;
    ParseResult result = parse(source, options, arena);
    for (const auto& w : result.warnings) std::printf("W:%d:%s ", w.lineno, w.message.c_str());
    if (!result.tree) {
      print_error(result.error);
    } else if (flags & 0x10000) {
      out.clear();
      put_node(ast::TypeTag::mod, result.tree);
      std::printf("%s\n", out.c_str());
    } else if (flags & 0x20000) {
      std::printf("%s\n", unparse(static_cast<ast::Expression*>(result.tree)->body).c_str());
    } else {
      std::printf("OK\n");
    }
  }
  return 0;
}

int tokens(const char* path) {
  Arena arena;
  std::string bytes = read_file(path);
  DecodedSource source = decode_source(bytes, DecodeOptions{false, true, true}, arena);
  if (source.error) return 1;
  LexerOptions options;
  options.extra_tokens = true;
  Lexer lexer(source.text, options, nullptr);
  Token t;
  do {
    lexer.next(t);
    int kind = static_cast<int>(t.kind);
    if (is_keyword(t.kind)) kind = static_cast<int>(Tok::Name);
    if (t.kind > Tok::Dedent && t.kind < Tok::Op) kind = static_cast<int>(Tok::Op);
    out.clear();
    put_text(source.text.substr(t.start, t.end - t.start));
    std::printf("%d %d:%d-%d:%d %s\n", kind, t.line, t.col, t.end_line, t.end_col, out.c_str());
  } while (t.kind != Tok::EndMarker && t.kind != Tok::Error);
  if (t.kind == Tok::Error) print_error(lexer.error());
  return 0;
}

int time_files(int count, char** paths) {
  size_t bytes = 0;
  std::vector<std::string> sources;
  for (int i = 0; i < count; ++i) {
    sources.push_back(read_file(paths[i]));
    bytes += sources.back().size();
  }
  auto begin = std::chrono::steady_clock::now();
  size_t parsed = 0;
  for (const std::string& source : sources) {
    Arena arena;
    parsed += parse(source, ParseOptions{}, arena).tree != nullptr;
  }
  std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf("%zu of %d files, %.1f MB in %.2f s: %.1f MB/s\n", parsed, count,
              static_cast<double>(bytes) / 1e6, took.count(),
              static_cast<double>(bytes) / 1e6 / took.count());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  load_names();
  source_hooks.is_identifier_start = is_start;
  source_hooks.is_identifier_continue = is_letter;
  source_hooks.is_printable = is_printable;
  if (argc > 1 && std::strcmp(argv[1], "--errors") == 0) return errors();
  if (argc > 2 && std::strcmp(argv[1], "--tokens") == 0) return tokens(argv[2]);
  if (argc > 1 && std::strcmp(argv[1], "--time") == 0) return time_files(argc - 2, argv + 2);
  if (argc > 2 && std::strcmp(argv[1], "--batch") == 0) {
    // Each line names a source file and where its dump goes.
    std::ifstream list(argv[2]);
    std::string source, target;
    while (list >> source >> target) {
      Arena arena;
      std::string text = read_file(source.c_str());
      ParseResult result = parse(text, ParseOptions{}, arena);
      out.clear();
      if (result.tree) {
        put_node(ast::TypeTag::mod, result.tree);
      } else {
        out = std::string(kind_name(result.error.kind)) + ": " + result.error.message + " " +
              std::to_string(result.error.lineno) + ":" + std::to_string(result.error.offset);
      }
      std::ofstream(target, std::ios::binary) << out;
    }
    return 0;
  }
  if (argc != 2) return 2;
  std::string source = read_file(argv[1]);
  Arena arena;
  ParseResult result = parse(source, ParseOptions{}, arena);
  if (!result.tree) {
    print_error(result.error);
    return 1;
  }
  put_node(ast::TypeTag::mod, result.tree);
  std::puts(out.c_str());
  return 0;
}
