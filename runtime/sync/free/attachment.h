// Free-threaded build: what sync/ itself asks of the variant at compile time.
#pragma once

namespace amphis::sync {

// Whether attached threads run at the same time, so that spinning for a lock can pay.
inline constexpr bool kParallel = true;

}  // namespace amphis::sync
