// String literals: prefixes and escapes, implicit concatenation, and the fields of f-strings and t-strings.
#include <cstdio>
#include <cstring>

#include "source/hooks.h"
#include "source/utf8.h"
#include "syntax/parser_impl.h"

namespace amphis {

using namespace ast;

namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Positions in messages of the unicode-escape codec are those in its own input, where characters above
// U+007F, and backslashes before them, have been spelled as escapes.
size_t codec_position(std::string_view body, size_t until) {
  size_t position = 0;
  for (size_t i = 0; i < until;) {
    auto c = static_cast<unsigned char>(body[i]);
    if (c >= 0x80) {
      position += 10;
      i += static_cast<size_t>(utf8::sequence_length(c));
    } else if (c == '\\' && i + 1 < body.size() && static_cast<unsigned char>(body[i + 1]) >= 0x80) {
      position += 6;
      ++i;
    } else if (c == '\\' && i + 1 < until) {
      position += 1;
      ++i;
      if (static_cast<unsigned char>(body[i]) < 0x80) {
        position += 1;
        ++i;
      }
    } else {
      ++position;
      ++i;
    }
  }
  return position;
}

}  // namespace

// Each literal warns once, though the first pass may read it more than once; `text` is its token.
void Parser::warn_escape(std::string_view escape, bool is_octal, int newlines_before, const Token& text,
                         const Token& at) {
  if (second_pass_ || !warnings_ || text.start < next_warning_at_) return;
  next_warning_at_ = text.start + 1;
  std::string e(escape);
  SyntaxWarningInfo warning;
  warning.message = "\"" + e + "\" is an invalid " + (is_octal ? "octal " : "") +
                    "escape sequence. Such sequences will not work in the future. Did you mean \"\\" + e +
                    "\"? A raw string is also an option.";
  warning.lineno = at.line + newlines_before;
  warning.text = lexer_.error_line(at.line);
  const char* start = lexer_.line_begin(at.line);
  warning.error_lineno = at.line;
  warning.offset = utf8::count({start, static_cast<size_t>(at.col)}) + 1;
  warning.end_lineno = at.end_line;
  warning.end_offset = utf8::count({lexer_.line_begin(at.end_line), static_cast<size_t>(at.end_col)}) + 1;
  if (text.kind == Tok::String) {
    // As an error it points at the sequence itself.
    warning.error_lineno = warning.end_lineno = warning.lineno;
    warning.text = lexer_.error_line(warning.lineno);
    const char* line = lexer_.line_begin(warning.lineno);
    warning.offset = utf8::count({line, static_cast<size_t>(escape.data() - line)}) + 1;
    warning.end_offset = warning.offset + 2;
  }
  warnings_->push_back(std::move(warning));
}

// The value of the text between the quotes. `at` is where errors are said to be, `warn_at` where warnings
// are.
bool Parser::decode_text(std::string_view body, bool is_bytes, bool is_raw, const Token& at,
                         const Token& warn_at, std::string_view& out) {
  if (is_raw || body.find('\\') == std::string_view::npos) {
    out = body;
    return true;
  }
  // Escapes never grow, except that of \N: a sequence may have several characters.
  std::string named;
  char* buffer = static_cast<char*>(arena_.allocate(body.size() + 1));
  size_t size = 0;
  std::string spill;  // used instead of the buffer once a named sequence has been met
  bool spilled = false;
  auto put = [&](std::string_view text) {
    if (!spilled && size + text.size() > body.size()) {
      spill.assign(buffer, size);
      spilled = true;
    }
    if (spilled) {
      spill.append(text);
    } else {
      std::memcpy(buffer + size, text.data(), text.size());
      size += text.size();
    }
  };
  auto put_code = [&](uint32_t c) {
    std::string text;
    utf8::append(text, c);
    put(text);
  };
  auto codec_error = [&](size_t from, size_t to, const char* why) {
    size_t first = codec_position(body, from);
    size_t last = first + (to - from) - 1;
    char message[160];
    if (first == last) {
      std::snprintf(message, sizeof(message),
                    "(unicode error) 'unicodeescape' codec can't decode byte 0x5c in position %zu: %s", first,
                    why);
    } else {
      std::snprintf(message, sizeof(message),
                    "(unicode error) 'unicodeescape' codec can't decode bytes in position %zu-%zu: %s", first,
                    last, why);
    }
    raise(at, message);
    return false;
  };
  bool warned = false;
  int newlines = 0;
  auto warn = [&](std::string_view escape, bool is_octal) {
    if (warned) return;
    warned = true;
    bool is_brace = escape == "\\{" || escape == "\\}";
    if (is_brace && at.kind != Tok::String) return;  // the lexer has warned already
    warn_escape(escape, is_octal, newlines, at, warn_at);
  };
  const char* p = body.data();
  const char* end = p + body.size();
  while (p < end) {
    const void* found = std::memchr(p, '\\', static_cast<size_t>(end - p));
    const char* slash = found ? static_cast<const char*>(found) : end;
    if (!warned) {
      for (const char* q = p; q < slash; ++q) newlines += *q == '\n';
    }
    if (slash > p) put({p, static_cast<size_t>(slash - p)});
    p = slash;
    if (p == end) break;
    size_t escape_at = static_cast<size_t>(p - body.data());
    ++p;
    if (p == end || static_cast<unsigned char>(*p) >= 0x80) {
      put("\\");
      continue;
    }
    char c = *p++;
    switch (c) {
      case '\n':
        ++newlines;
        break;
      case '\\':
        put("\\");
        break;
      case '\'':
        put("'");
        break;
      case '"':
        put("\"");
        break;
      case 'a':
        put("\a");
        break;
      case 'b':
        put("\b");
        break;
      case 'f':
        put("\f");
        break;
      case 'n':
        put("\n");
        break;
      case 'r':
        put("\r");
        break;
      case 't':
        put("\t");
        break;
      case 'v':
        put("\v");
        break;
      case '0':
      case '1':
      case '2':
      case '3':
      case '4':
      case '5':
      case '6':
      case '7': {
        const char* digits = p - 1;
        uint32_t value = static_cast<uint32_t>(c - '0');
        for (int i = 0; i < 2 && p < end && *p >= '0' && *p <= '7'; ++i)
          value = value * 8 + static_cast<uint32_t>(*p++ - '0');
        if (value > 0377) warn({digits - 1, static_cast<size_t>(p - digits) + 1}, true);
        if (is_bytes) {
          char byte = static_cast<char>(value);
          put({&byte, 1});
        } else {
          put_code(value);
        }
        break;
      }
      case 'x': {
        int high = p < end ? hex_value(*p) : -1;
        int low = high >= 0 && p + 1 < end ? hex_value(p[1]) : -1;
        if (low >= 0) {
          p += 2;
          if (is_bytes) {
            char byte = static_cast<char>(high * 16 + low);
            put({&byte, 1});
          } else {
            put_code(static_cast<uint32_t>(high * 16 + low));
          }
          break;
        }
        if (is_bytes) {
          raise(at, "(value error) invalid \\x escape at position " + std::to_string(escape_at));
          return false;
        }
        return codec_error(escape_at, escape_at + (high >= 0 ? 3 : 2), "truncated \\xXX escape");
      }
      case 'u':
      case 'U': {
        if (is_bytes) goto unknown;
        int wanted = c == 'u' ? 4 : 8;
        uint32_t value = 0;
        int got = 0;
        while (got < wanted && p < end && hex_value(*p) >= 0) {
          value = value * 16 + static_cast<uint32_t>(hex_value(*p++));
          ++got;
        }
        size_t to = static_cast<size_t>(p - body.data());
        if (got < wanted)
          return codec_error(escape_at, to,
                             c == 'u' ? "truncated \\uXXXX escape" : "truncated \\UXXXXXXXX escape");
        if (value > 0x10FFFF) return codec_error(escape_at, to, "illegal Unicode character");
        put_code(value);
        break;
      }
      case 'N': {
        if (is_bytes) goto unknown;
        const char* name = p;
        if (p < end && *p == '{') {
          name = ++p;
          while (p < end && *p != '}') ++p;
          if (p > name && p < end) {
            std::string_view spelled(name, static_cast<size_t>(p - name));
            ++p;
            named.clear();
            if (source_hooks.lookup_name && source_hooks.lookup_name(spelled, named)) {
              put(named);
              break;
            }
            return codec_error(escape_at, static_cast<size_t>(p - body.data()),
                               "unknown Unicode character name");
          }
        }
        return codec_error(escape_at, static_cast<size_t>(p - body.data()), "malformed \\N character escape");
      }
      default:
      unknown:
        warn({p - 2, 2}, false);
        put({p - 2, 2});
    }
  }
  out = spilled ? arena_.copy(spill) : std::string_view(buffer, size);
  return true;
}

expr* Parser::string_constant(std::string_view text, const Location& from, const Location& to) {
  auto* n = arena_.make<Constant>();
  n->lineno = from.lineno;
  n->col_offset = from.col_offset;
  n->end_lineno = to.end_lineno;
  n->end_col_offset = to.end_col_offset;
  n->value.kind = ConstantKind::Str;
  n->value.text = text;
  return n;
}

expr* Parser::string_literal(const Token& t) {
  std::string_view text = token_text(t);
  bool is_bytes = false, is_raw = false, is_unicode = false;
  size_t i = 0;
  for (; text[i] != '"' && text[i] != '\''; ++i) {
    switch (text[i] | 0x20) {
      case 'b':
        is_bytes = true;
        break;
      case 'r':
        is_raw = true;
        break;
      case 'u':
        is_unicode = true;
        break;
      default:
        break;
    }
  }
  size_t quotes = text.size() - i >= 6 && text[i + 1] == text[i] && text[i + 2] == text[i] ? 3 : 1;
  std::string_view body = text.substr(i + quotes, text.size() - i - 2 * quotes);
  if (is_bytes && !utf8::is_ascii(body)) return raise(t, "bytes can only contain ASCII literal characters");
  auto* n = open<Constant>(t);
  n->end_lineno = t.end_line;
  n->end_col_offset = t.end_col;
  n->value.kind = is_bytes ? ConstantKind::Bytes : ConstantKind::Str;
  if (is_unicode) n->kind = "u";
  if (!decode_text(body, is_bytes, is_raw, t, t, n->value.text)) return nullptr;
  return n;
}

// The items with each run of constants made one, and empty ones (or null) dropped.
Seq<expr*> Parser::merge_constants(ListBuilder<expr*>& items) {
  ListBuilder<expr*> values(arena_);
  for (size_t i = 0; i < items.size();) {
    if (items[i] && !items[i]->is<Constant>()) {
      values.push(items[i++]);
      continue;
    }
    std::string text;
    expr* first = nullptr;
    expr* last = nullptr;
    for (; i < items.size() && (!items[i] || items[i]->is<Constant>()); ++i) {
      if (!items[i]) continue;
      if (!first) first = items[i];
      last = items[i];
      text += last->as<Constant>()->value.text;
    }
    if (text.empty()) continue;
    if (first != last) {
      expr* merged = string_constant(arena_.copy(text), *first, *last);
      merged->as<Constant>()->kind = first->as<Constant>()->kind;
      first = merged;
    }
    values.push(first);
  }
  return values.finish();
}

// Adjacent literals, joined.
expr* Parser::strings() {
  Token start = tok();
  ListBuilder<expr*> parts(arena_);
  bool has_bytes = false, has_text = false, has_fstring = false, has_template = false, has_other = false;
  for (;;) {
    Tok kind = peek();
    expr* part;
    if (kind == Tok::String) {
      part = string_literal(tok());
      ++pos_;
      if (!part) return nullptr;
      bool is_bytes = part->as<Constant>()->value.kind == ConstantKind::Bytes;
      (is_bytes ? has_bytes : has_text) = true;
      has_other = true;
    } else if (kind == Tok::FStringStart || kind == Tok::TStringStart) {
      bool is_template = kind == Tok::TStringStart;
      part = fstring();
      if (!part) return nullptr;
      (is_template ? has_template : has_fstring) = true;
      if (!is_template) has_other = has_text = true;
    } else {
      break;
    }
    parts.push(part);
  }
  if (has_template && has_other) {
    // The error covers a run of one sort and the first literal of the other.
    if (parts[0]->is<TemplateStr>()) {
      size_t i = 1;
      while (parts[i]->is<TemplateStr>()) ++i;
      return raise_range(*parts[0], *parts[i], "cannot mix t-string literals with string or bytes literals");
    }
    size_t i = 1;
    while (!parts[i]->is<TemplateStr>()) ++i;
    return raise_range(*parts[i - 1], *parts[i],
                       "cannot mix t-string literals with string or bytes literals");
  }
  if (has_bytes && has_text) {
    peek();
    return raise_last("cannot mix bytes and nonbytes literals");
  }
  if (parts.size() == 1) return parts[0];
  if (!has_fstring && !has_template) {
    size_t total = 0;
    for (size_t i = 0; i < parts.size(); ++i) total += parts[i]->as<Constant>()->value.text.size();
    char* joined = static_cast<char*>(arena_.allocate(total + 1));
    size_t size = 0;
    for (size_t i = 0; i < parts.size(); ++i) {
      std::string_view text = parts[i]->as<Constant>()->value.text;
      if (!text.empty()) std::memcpy(joined + size, text.data(), text.size());
      size += text.size();
    }
    joined[size] = '\0';
    auto* n = open<Constant>(start);
    n->value.kind = parts[0]->as<Constant>()->value.kind;
    n->value.text = {joined, size};
    n->kind = parts[0]->as<Constant>()->kind;
    return close(n);
  }
  // Flatten into one list of constants and fields, then merge runs of constants.
  ListBuilder<expr*> flat(arena_);
  for (size_t i = 0; i < parts.size(); ++i) {
    if (auto* joined = parts[i]->dyn<JoinedStr>()) {
      for (expr* value : joined->values) flat.push(value);
    } else if (auto* templ = parts[i]->dyn<TemplateStr>()) {
      for (expr* value : templ->values) flat.push(value);
    } else {
      flat.push(parts[i]);
    }
  }
  if (has_template) {
    auto* result = open<TemplateStr>(start);
    result->values = merge_constants(flat);
    return close(result);
  }
  auto* result = open<JoinedStr>(start);
  result->values = merge_constants(flat);
  return close(result);
}

// One f-string or t-string.
expr* Parser::fstring() {
  DepthGuard guard(*this);
  if (!guard) return nullptr;
  Token start = tok();
  bool is_template = start.kind == Tok::TStringStart;
  Tok middle = is_template ? Tok::TStringMiddle : Tok::FStringMiddle;
  Tok end = is_template ? Tok::TStringEnd : Tok::FStringEnd;
  std::string_view prefix = token_text(start);
  bool is_raw = prefix.find_first_of("rR") != std::string_view::npos;
  ++pos_;
  ListBuilder<expr*> values(arena_);
  std::vector<size_t> middles;  // texts are decoded at the end, which is where their warnings are said to be
  ListBuilder<size_t> places(arena_);
  for (;;) {
    Tok kind = peek();
    if (kind == middle) {
      middles.push_back(pos_);
      places.push(values.size());
      values.push(nullptr);
      ++pos_;
    } else if (kind == Tok::LBrace) {
      if (!replacement_field(values, is_template, is_raw, false)) return nullptr;
    } else if (kind == end) {
      ++pos_;
      break;
    } else {
      return nullptr;
    }
  }
  Token end_token = previous();
  for (size_t i = 0; i < middles.size(); ++i) {
    const Token t = tokens_[middles[i]];
    std::string_view text;
    if (!decode_text(token_text(t), false, is_raw, t, end_token, text)) return nullptr;
    if (text.empty()) continue;
    Location place{t.line, t.col, t.end_line, t.end_col};
    values[places[i]] = string_constant(text, place, place);
  }
  auto fill = [&](auto* n) -> expr* {
    n->values = merge_constants(values);
    return close(n);
  };
  if (is_template) return fill(open<TemplateStr>(start));
  return fill(open<JoinedStr>(start));
}

// The source of a field's expression from token `from` up to the start of token `to`, without comments.
std::string_view Parser::expression_source(size_t from, size_t to) {
  uint32_t begin = tokens_[from].end;  // after the brace
  uint32_t end = tokens_[to].start;
  std::string_view whole(text_.data() + begin, end - begin);
  if (whole.find('#') == std::string_view::npos) return whole;
  std::string out;
  uint32_t at = begin;
  auto copy_gap = [&](uint32_t until) {
    while (at < until) {
      if (text_[at] == '#') {
        while (at < until && text_[at] != '\n') ++at;
        continue;
      }
      out += text_[at++];
    }
  };
  for (size_t i = from + 1; i < to; ++i) {
    copy_gap(tokens_[i].start);
    out.append(text_.data() + at, tokens_[i].end - at);
    at = tokens_[i].end;
  }
  copy_gap(end);
  return arena_.copy(out);
}

// `{expression = !conversion :spec}`; pushes the text of `=` and the value.
bool Parser::replacement_field(ListBuilder<expr*>& out, bool is_template, bool is_raw, bool in_spec) {
  size_t brace = pos_;
  Token start = tok();
  const char* letter = is_template ? "t" : "f";
  auto no_match = [&] {
    if (diagnosing_ && !raised_) {
      pos_ = brace;
      diagnose_field(brace, is_template);
    }
    return false;
  };
  ++pos_;
  expr* value = annotated_rhs();
  if (!value) return no_match();
  size_t expression_end = pos_;
  peek();
  bool debug = accept(Tok::Equal);
  size_t debug_end = pos_;
  int conversion = -1;
  peek();
  if (peek() == Tok::Exclamation) {
    Token mark = tok();
    ++pos_;
    Token name = tok();
    if (name.kind != Tok::Name) return no_match();
    if (mark.end != name.start) {
      raise_range(
          mark, name,
          std::string(letter) + "-string: conversion type must come right after the exclamation mark");
      return false;
    }
    ++pos_;
    std::string_view spelled = token_text(name);
    if (spelled != "s" && spelled != "r" && spelled != "a") {
      raise(name, std::string(letter) + "-string: invalid conversion character '" + std::string(spelled) +
                      "': expected 's', 'r', or 'a'");
      return false;
    }
    conversion = spelled[0];
  }
  expr* spec = nullptr;
  if (peek() == Tok::Colon) {
    spec = format_spec(is_template, is_raw);
    if (!spec) return no_match();
  }
  if (!accept(Tok::RBrace)) return no_match();
  if (debug) {
    if (conversion < 0 && !spec) conversion = 'r';
    std::string_view text = expression_source(brace, debug_end);
    const Token& stop = tokens_[debug_end];
    Location place{start.line, start.col + 1, stop.line, stop.col};
    out.push(string_constant(text, place, place));
  }
  if (is_template && !in_spec) {
    auto* field = open<Interpolation>(start);
    field->value = value;
    field->str.kind = ConstantKind::Str;
    field->str.text = expression_source(brace, expression_end);
    field->conversion = conversion;
    field->format_spec = spec;
    out.push(close(field));
  } else {
    auto* field = open<FormattedValue>(start);
    field->value = value;
    field->conversion = conversion;
    field->format_spec = spec;
    out.push(close(field));
  }
  return true;
}

// At the colon: the format specification, itself an f-string.
expr* Parser::format_spec(bool is_template, bool is_raw) {
  auto* spec = open<JoinedStr>(tok());
  Tok middle = is_template ? Tok::TStringMiddle : Tok::FStringMiddle;
  ++pos_;
  ListBuilder<expr*> values(arena_);
  for (;;) {
    if (peek() == middle) {
      Token t = tok();
      ++pos_;
      std::string_view text;
      if (!decode_text(token_text(t), false, is_raw, t, t, text)) return nullptr;
      if (text.empty()) continue;
      Location place{t.line, t.col, t.end_line, t.end_col};
      values.push(string_constant(text, place, place));
    } else if (peek() == Tok::LBrace) {
      // Fields of a specification are those of an f-string, even in a t-string.
      size_t mark = pos_;
      if (!replacement_field(values, is_template, is_raw, true)) {
        if (raised_) return nullptr;
        pos_ = mark;
        break;
      }
    } else {
      break;
    }
  }
  spec->values = merge_constants(values);
  return close(spec);
}

}  // namespace amphis
