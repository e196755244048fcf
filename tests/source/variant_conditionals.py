"""Counts the files with code that depends on the variant: at most twelve, all in sync/, memory/, gc/ or the ABI's head."""
import os
import re
import sys

LIMIT = 12
ALLOWED = ("abi/", "runtime/sync/", "runtime/memory/", "runtime/gc/")
PATTERN = re.compile(
    r"^[ \t]*#[ \t]*(if|ifdef|ifndef|elif).*(AMPHIS_GIL|AMPHIS_NOGIL|AMPHIS_FREE|Py_GIL_DISABLED)", re.M)


def main(root):
    found = []
    for top in ("runtime", "abi", "extensions"):
        for folder, _, files in os.walk(os.path.join(root, top)):
            for name in files:
                if not name.endswith((".h", ".hpp", ".c", ".cpp", ".in", ".def")):
                    continue
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8") as file:
                    if PATTERN.search(file.read()):
                        found.append(os.path.relpath(path, root))
    outside = [path for path in found if not path.startswith(ALLOWED)]
    print(f"{len(found)} files with variant conditionals (at most {LIMIT})")
    for path in found:
        print(" ", path)
    if outside:
        print("outside the folders that may have them:", *outside)
    return 1 if outside or len(found) > LIMIT else 0


sys.exit(main(sys.argv[1]))
