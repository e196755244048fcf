// Texts of checked mode: who called, and how a finding gets out. For this folder only.
#pragma once

#include "checked/checked.h"

#if AMPHIS_CHECKED

#include <string>

namespace amphis::checked {

// A call of an API function that is going on in this thread.
struct Site {
  const char* api;
  const void* caller;  // the return address, in an extension
  const Site* outer;
};
const Site* newest_site();

class SiteScope {
 public:
  SiteScope(const char* api, const void* caller);
  ~SiteScope();
  SiteScope(const SiteScope&) = delete;
  SiteScope& operator=(const SiteScope&) = delete;
  const Site& site() const { return site_; }

 private:
  Site site_;
};

// The name of the method that Python called in this thread, or null.
const char* method_now();
// "add_item() in spam.so, method 'add'": the function around an address, by the library's own table of symbols, which also
// knows static functions, and a method.
std::string place_of(const void* address, const char* method = method_now());

// "NAME() TEXT; called from PLACE": a SystemError, whose cause is the exception that was set, if any.
void raise_finding(const Site& site, const std::string& text);
[[noreturn]] void fatal_finding(const Site& site, const std::string& text);

}  // namespace amphis::checked

#endif
