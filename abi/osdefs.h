// Separators in paths and in lists of paths, as wide characters.
#ifndef Py_OSDEFS_H
#define Py_OSDEFS_H

#include <limits.h>

#ifndef MAXPATHLEN
#define MAXPATHLEN PATH_MAX
#endif
#define SEP L'/'
#define DELIM L':'

#endif
