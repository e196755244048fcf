#!/usr/bin/env bash
# setup.sh [PACKAGE...]: installs what building Amphis needs on Debian 12 or 13, and the packages named. Does nothing when
# everything is there.
set -euo pipefail

packages=(cmake ninja-build g++ git libmimalloc-dev catch2 libgmp-dev zlib1g-dev libssl-dev libedit-dev libexpat1-dev libbz2-dev liblzma-dev
  libffi-dev uuid-dev libsqlite3-dev pkg-config unicode-data ccache mold python3-minimal ca-certificates "$@")

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || {
    echo "setup: these packages are missing and there is no sudo: ask an administrator for" >&2
    echo "  apt-get install ${missing[*]}" >&2
    exit 1
  }
  as_root=(sudo)
fi
command -v apt-get >/dev/null || {
  echo "setup: this script knows Debian and its kin only; install the equivalents of: ${missing[*]}" >&2
  exit 1
}
echo "setup: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null || {
  echo "setup: apt-get failed; run 'apt-get install ${missing[*]}' to see why" >&2
  exit 1
}
