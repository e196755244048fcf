// The tree of an expression back to source text, as `ast.unparse` writes it.
#pragma once

#include <string>

#include "syntax/ast.h"

namespace amphis {

// The text that annotations become under `from __future__ import annotations`. UTF-8.
std::string unparse(const ast::expr* e);

}  // namespace amphis
