// The command line: options into the configuration, what remains into argv.
#include "lifecycle/config.h"

#include <climits>
#include <cstring>
#include <cwchar>
#include <unistd.h>

namespace amphis {

namespace {

// Letters that take a value have a colon behind them.
constexpr wchar_t kOptions[] = L"+bBc:dEhiIJm:OPqRsStuvVW:xX:?";

// Walks over argv the way getopt does, without its global state.
class OptionScanner {
 public:
  explicit OptionScanner(const PyWideStringList& argv) : argv_(argv) {}

  enum : int { kEnd = -1, kError = -2, kCheckHash = -3, kHelpAll = -4, kHelpEnv = -5, kHelpX = -6 };

  // The next option; its value in value().
  int next() {
    if (*rest_ == 0) {
      if (index_ >= argv_.length || argv_.items[index_][0] != L'-' || argv_.items[index_][1] == 0) return kEnd;
      const wchar_t* text = argv_.items[index_++];
      if (wcscmp(text, L"--") == 0) return kEnd;
      if (wcscmp(text, L"--help") == 0) return 'h';
      if (wcscmp(text, L"--version") == 0) return 'V';
      rest_ = text + 1;
    }
    wchar_t letter = *rest_++;
    if (letter == L'-') {
      if (*rest_ == 0) {
        fprintf(stderr, "Expected long option\n");
        return kError;
      }
      const wchar_t* name = rest_;
      rest_ = L"";
      if (wcscmp(name, L"check-hash-based-pycs") == 0) {
        if (index_ >= argv_.length) {
          fprintf(stderr, "Argument expected for the --%s option\n", encode_bytes(name).c_str());
          return kError;
        }
        value_ = argv_.items[index_++];
        return kCheckHash;
      }
      if (wcscmp(name, L"help-all") == 0) return kHelpAll;
      if (wcscmp(name, L"help-env") == 0) return kHelpEnv;
      if (wcscmp(name, L"help-xoptions") == 0) return kHelpX;
      fprintf(stderr, "Unknown option: --%s\n", encode_bytes(name).c_str());
      return kError;
    }
    const wchar_t* known = letter == L':' ? nullptr : wcschr(kOptions + 1, letter);
    if (known == nullptr || letter == L'J') {
      fprintf(stderr, "%s: -%s\n", letter == L'J' ? "-J is reserved for Jython" : "Unknown option",
              encode_bytes(std::wstring(1, letter).c_str()).c_str());
      return kError;
    }
    if (known[1] != L':') return static_cast<int>(letter);
    if (*rest_ != 0) {
      value_ = rest_;
      rest_ = L"";
    } else if (index_ < argv_.length) {
      value_ = argv_.items[index_++];
    } else {
      fprintf(stderr, "Argument expected for the -%s option\n", encode_bytes(std::wstring(1, letter).c_str()).c_str());
      return kError;
    }
    return static_cast<int>(letter);
  }

  const wchar_t* value() const { return value_; }
  Py_ssize_t index() const { return index_; }

 private:
  const PyWideStringList& argv_;
  Py_ssize_t index_ = 1;
  const wchar_t* rest_ = L"";
  const wchar_t* value_ = nullptr;
};

void bump(int& field) { field = field < 0 ? 1 : field + 1; }

}  // namespace

bool parse_int(const wchar_t* text, long long* value) {
  wchar_t* end;
  errno = 0;
  *value = wcstoll(text, &end, 10);
  return *text != 0 && *end == 0 && errno == 0;
}

PyStatus config_parse_argv(PyConfig* c, CommandLine* what) {
  OptionScanner scan(c->argv);
  const wchar_t* program = c->program_name != nullptr ? c->program_name : c->argv.length > 0 ? c->argv.items[0] : L"python";
  PyStatus status = status_ok();
  for (;;) {
    int option = scan.next();
    if (option == OptionScanner::kEnd) break;
    if (option == 'c') {
      // The text gets a final newline, as a file would have. What follows are the program's own arguments.
      if (c->run_command == nullptr) {
        status = config_set_text(&c->run_command, std::wstring(scan.value()) + L"\n");
        if (PyStatus_Exception(status)) return status;
      }
      break;
    }
    if (option == 'm') {
      if (c->run_module == nullptr) {
        status = config_set_text(&c->run_module, scan.value());
        if (PyStatus_Exception(status)) return status;
      }
      break;
    }
    switch (option) {
      case 'b': bump(c->bytes_warning); break;
      case 'd': bump(c->parser_debug); break;
      case 'i':
        c->inspect = c->interactive = 1;
        break;
      case 'I':
        c->isolated = 1;
        c->use_environment = 0;
        c->user_site_directory = 0;
        c->safe_path = 1;
        break;
      case 'E': c->use_environment = 0; break;
      case 'O': bump(c->optimization_level); break;
      case 'P': c->safe_path = 1; break;
      case 'B': c->write_bytecode = 0; break;
      case 's': c->user_site_directory = 0; break;
      case 'S': c->site_import = 0; break;
      case 't': break;
      case 'u': c->buffered_stdio = 0; break;
      case 'v': bump(c->verbose); break;
      case 'x': c->skip_source_first_line = 1; break;
      case 'q': bump(c->quiet); break;
      case 'R': c->use_hash_seed = 0; break;
      case 'h':
      case '?': what->help = 1; break;
      case 'V': what->version++; break;
      case 'W':
        status = PyWideStringList_Append(&c->warnoptions, scan.value());
        break;
      case 'X':
        status = PyWideStringList_Append(&c->xoptions, scan.value());
        break;
      case OptionScanner::kCheckHash:
        if (wcscmp(scan.value(), L"always") != 0 && wcscmp(scan.value(), L"never") != 0 && wcscmp(scan.value(), L"default") != 0) {
          fprintf(stderr, "--check-hash-based-pycs must be one of 'default', 'always', or 'never'\n");
          print_usage(true, program);
          return PyStatus_Exit(2);
        }
        status = config_set_text(&c->check_hash_pycs_mode, scan.value());
        break;
      case OptionScanner::kHelpX: what->help = 2; break;
      case OptionScanner::kHelpEnv: what->help = 3; break;
      case OptionScanner::kHelpAll: what->help = 4; break;
      default:
        print_usage(true, program);
        return PyStatus_Exit(2);
    }
    if (PyStatus_Exception(status)) return status;
  }

  // sys.argv: "-c" or "-m" or the script, then its arguments.
  Py_ssize_t first = scan.index();
  if (c->run_command == nullptr && c->run_module == nullptr && first < c->argv.length &&
      wcscmp(c->argv.items[first], L"-") != 0 && c->run_filename == nullptr) {
    // Absolute, so that the program may change its directory; sys.argv[0] stays as given.
    std::string name = encode_bytes(c->argv.items[first]);
    char cwd[PATH_MAX];
    if (!name.empty() && name[0] != '/' && getcwd(cwd, sizeof cwd) != nullptr) name = std::string(cwd) + (strcmp(cwd, "/") == 0 ? "" : "/") + name;
    status = config_set_text(&c->run_filename, decode_bytes(name.c_str()));
    if (PyStatus_Exception(status)) return status;
  }
  const wchar_t* zero = c->run_command != nullptr ? L"-c" : c->run_module != nullptr ? L"-m" : nullptr;
  PyWideStringList rest = {c->argv.length - first, c->argv.items + first};
  PyWideStringList fresh = {0, nullptr};
  if (rest.length <= 0) {
    status = PyWideStringList_Append(&fresh, zero != nullptr ? zero : L"");
  } else {
    status = list_copy(&fresh, rest);
    if (zero != nullptr && !PyStatus_Exception(status)) status = PyWideStringList_Insert(&fresh, 0, zero);
  }
  if (PyStatus_Exception(status)) return status;
  list_clear(&c->argv);
  c->argv = fresh;
  return status_ok();
}

}  // namespace amphis
