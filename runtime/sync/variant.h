// The one place where the build's variant chooses between sync/gil/ and sync/free/. AMPHIS_SYNC(name) names the
// chosen header of that name; both folders offer the same names with the same meaning. Deleting sync/free/ and the
// choice below removes the free-threaded variant.
#pragma once

#if AMPHIS_GIL
#define AMPHIS_VARIANT_FOLDER gil
#else
#define AMPHIS_VARIANT_FOLDER free
#endif

#define AMPHIS_SYNC_QUOTE_(path) #path
#define AMPHIS_SYNC_PATH_(folder, name) AMPHIS_SYNC_QUOTE_(sync/folder/name.h)
#define AMPHIS_SYNC_EXPAND_(folder, name) AMPHIS_SYNC_PATH_(folder, name)
#define AMPHIS_SYNC(name) AMPHIS_SYNC_EXPAND_(AMPHIS_VARIANT_FOLDER, name)
