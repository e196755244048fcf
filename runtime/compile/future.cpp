// `from __future__ import …`: which features, and that they stand at the beginning.
#include <cstring>

#include "compile/symtable.h"

namespace amphis::compile {

namespace {

struct Feature {
  std::string_view name;
  int flag;
};
constexpr Feature kFeatures[] = {
    {"nested_scopes", 0},      {"generators", 0},          {"division", 0},
    {"absolute_import", 0},    {"with_statement", 0},      {"print_function", 0},
    {"unicode_literals", 0},   {"barry_as_FLUFL", CO_FUTURE_BARRY_AS_BDFL},
    {"generator_stop", 0},     {"annotations", CO_FUTURE_ANNOTATIONS},
};

bool is_docstring(const ast::stmt* s) {
  const auto* e = s->dyn<ast::Expr>();
  if (e == nullptr) return false;
  const auto* c = e->value->dyn<ast::Constant>();
  return c != nullptr && c->value.kind == ast::ConstantKind::Str;
}

}  // namespace

int future_features(const CompilerContext& context, ast::mod* tree, ast::Location* last) {
  ast::Seq<ast::stmt*> body;
  if (auto* m = tree->dyn<ast::Module>()) {
    body = m->body;
  } else if (auto* m = tree->dyn<ast::Interactive>()) {
    body = m->body;
  }
  int flags = 0;
  bool first = true;
  for (ast::stmt* s : body) {
    const bool docstring = first && is_docstring(s);
    first = false;
    if (docstring) continue;
    auto* import = s->dyn<ast::ImportFrom>();
    if (import == nullptr || import->level != 0 || import->module == nullptr ||
        import->module->view() != "__future__") {
      break;
    }
    for (ast::alias* name : import->names) {
      std::string_view text = name->name->view();
      bool found = false;
      for (const Feature& feature : kFeatures) {
        if (feature.name == text) {
          flags |= feature.flag;
          found = true;
        }
      }
      if (found) continue;
      if (text == "braces") syntax_error(context.filename, name->location(), "not a chance");
      syntax_error(context.filename, name->location(), "future feature %.100s is not defined",
                   std::string(text).c_str());
    }
    *last = s->location();
  }
  return flags;
}

}  // namespace amphis::compile
