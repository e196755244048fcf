// The front end's errors and warnings, under the name the parser's callers look for; source/diagnostic.h owns
// them.
#pragma once

#include "source/diagnostic.h"
