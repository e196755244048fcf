#!/usr/bin/env bash
# Fetches Debian's packages of the Python 3.14 standard library:
#
#   fetch_stdlib.sh FOLDER     then: FOLDER/usr/lib/python3.14
set -euo pipefail
folder=${1:?usage: fetch_stdlib.sh FOLDER}
"$(dirname "$0")/fetch_packages.sh" "$folder" usr/lib/python3.14/os.py libpython3.14-minimal libpython3.14-stdlib ||
  { echo "fetch_stdlib: set AMPHIS_STDLIB to a CPython 3.14 library" >&2; exit 1; }
