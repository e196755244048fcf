// The texts that -h and its kin print.
#include "lifecycle/config.h"

#include <cstdio>

namespace amphis {

namespace {

constexpr char kUsageLine[] = "usage: %s [option] ... [-c cmd | -m mod | file | -] [arg] ...\n";

constexpr char kOptions[] = R"(Options (and the environment variables that do the same):
-b     : warn when bytes are turned into str or compared with str or int
         (-bb: make that an error)
-B     : do not write .pyc files; also PYTHONDONTWRITEBYTECODE=x
-c cmd : run cmd as the program (ends the options)
-d     : accepted for compatibility; also PYTHONDEBUG=x
-E     : take no notice of PYTHON* environment variables
-h     : print this text (also -? or --help)
-i     : go on interactively after the program; also PYTHONINSPECT=x
-I     : isolated from the user's environment: -E, -P and -s together
-m mod : find the module mod and run it as a script (ends the options)
-O     : leave out assert statements and code under __debug__; optimized .pyc
         files have names of their own; also PYTHONOPTIMIZE=x
-OO    : -O, and leave out docstrings
-P     : do not put the script's folder on sys.path; also PYTHONSAFEPATH
-q     : start the interactive mode without a banner
-s     : leave the user's site directory off sys.path; also PYTHONNOUSERSITE=x
-S     : do not import the module site
-u     : write stdout and stderr unbuffered; also PYTHONUNBUFFERED=x
-v     : tell of every import (more often: in more detail); also PYTHONVERBOSE=x
-V     : print the version (twice: more about the build); also --version
-W arg : what to do with warnings, action:message:category:module:lineno;
         also PYTHONWARNINGS=arg
-x     : skip the first line of the program, whatever it is
-X opt : set an option of this implementation
--check-hash-based-pycs always|default|never:
         when to compare .pyc files that carry a hash with their source
--help-env: print the environment variables
--help-xoptions: print the -X options
--help-all: print all of it

Arguments:
file   : the program, in a file
-      : the program comes from stdin (the default; interactive at a terminal)
arg ...: arguments for the program, in sys.argv[1:]
)";

constexpr char kEnvironment[] = R"(Environment variables that change behavior:
PYTHONASYNCIODEBUG: run asyncio in debug mode
PYTHON_BASIC_REPL: use the plain interactive mode
PYTHONBREAKPOINT: what breakpoint() calls; 0 for nothing
PYTHONCOERCECLOCALE: 0 leaves the C locale as it is
PYTHON_COLORS   : 1 colors output, 0 does not
PYTHONHASHSEED  : seed of the hashes of str and bytes: 'random' or an integer
                  in the range [0,4294967295]
PYTHON_HISTORY  : the file of the interactive history
PYTHONHOME      : where the standard library is: its <prefix>
PYTHONIOENCODING: encoding[:errors] of stdin, stdout and stderr
PYTHONPATH      : directories, separated by ':', to put on sys.path
PYTHONPLATLIBDIR: value of sys.platlibdir
PYTHONSTARTUP   : file to run when the interactive mode starts
PYTHONUSERBASE  : the user's base directory (site.USER_BASE)

These variables have equivalent command-line options (see --help for details):
PYTHONALLOCBALANCE: debug builds: what memory nobody gave back
         (-X alloc_balance)
PYTHON_CONTEXT_AWARE_WARNINGS: (-X context_aware_warnings)
PYTHON_CPU_COUNT: what os.cpu_count() returns (-X cpu_count)
PYTHONDEBUG     : (-d)
PYTHONDEVMODE   : development mode (-X dev)
PYTHONDONTWRITEBYTECODE: (-B)
PYTHONFAULTHANDLER: (-X faulthandler)
PYTHON_FROZEN_MODULES: (-X frozen_modules)
PYTHON_GIL      : (-X gil)
PYTHONINSPECT   : (-i)
PYTHONINTMAXSTRDIGITS: (-X int_max_str_digits)
PYTHONNODEBUGRANGES: (-X no_debug_ranges)
PYTHONNOUSERSITE: (-s)
PYTHONOPTIMIZE  : (-O)
PYTHONPROFILEIMPORTTIME: (-X importtime)
PYTHONPYCACHEPREFIX: (-X pycache_prefix)
PYTHONSAFEPATH  : (-P)
PYTHONSTOPLOG   : (-X stop_log)
PYTHON_THREAD_INHERIT_CONTEXT: (-X thread_inherit_context)
PYTHONTRACEMALLOC: (-X tracemalloc)
PYTHONUNBUFFERED: (-u)
PYTHONUTF8      : (-X utf8)
PYTHONVERBOSE   : (-v)
PYTHONWARNDEFAULTENCODING: (-X warn_default_encoding)
PYTHONWARNINGS  : (-W)
)";

constexpr char kXOptions[] = R"(The following implementation-specific options are available:
-X alloc_balance[=N]: debug builds: at the end, tell what memory nobody gave
         back, with N return addresses of each allocation
-X context_aware_warnings=[0|1]: whether warning filters belong to the context
-X cpu_count=N: what os.cpu_count() returns; 'default' for the real number
-X dev : development mode: more checks and warnings at run time
-X faulthandler: print the traceback on fatal errors
-X frozen_modules=[on|off]: whether to use the modules inside the library
-X gil=[0|1]: whether the free-threaded build enables the GIL
-X importtime[=2]: tell how long each import takes
-X int_max_str_digits=N: limit of int <-> str conversions; 0 for none
-X no_debug_ranges: leave columns out of code objects
-X pycache_prefix=PATH: write .pyc files to a tree of their own
-X stop_log=FILE: append a line whenever one thread stops all others
-X thread_inherit_context=[0|1]: whether threads start with a copy of the
         context of their creator
-X tracemalloc[=N]: trace memory with N frames each
-X utf8[=0|1]: UTF-8 mode
-X warn_default_encoding: warn where encoding=None is relied on
)";

}  // namespace

void print_usage(bool error, const wchar_t* program) {
  FILE* out = error ? stderr : stdout;
  fprintf(out, kUsageLine, encode_bytes(program).c_str());
  if (error) {
    fprintf(out, "Try `python -h' for more information.\n");
  } else {
    fputs(kOptions, out);
  }
}

void print_help(int which, const wchar_t* program) {
  if (which == 1 || which == 4) print_usage(false, program);
  if (which == 4) fputc('\n', stdout);
  if (which == 3 || which == 4) fputs(kEnvironment, stdout);
  if (which == 4) fputc('\n', stdout);
  if (which == 2 || which == 4) fputs(kXOptions, stdout);
}

}  // namespace amphis
