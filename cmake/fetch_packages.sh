#!/usr/bin/env bash
# Downloads packages of Debian's through this machine's package client and unpacks them:
#
#   fetch_packages.sh FOLDER FILE PACKAGE...     until FOLDER/FILE exists
#
# The system's own package state is not touched. The mirror is the one in the machine's package sources; the suite is
# Debian's rolling one unless AMPHIS_STDLIB_SUITE says otherwise.
set -euo pipefail

usage="usage: fetch_packages.sh FOLDER FILE PACKAGE..."
folder=${1:?$usage}
file=${2:?$usage}
shift 2
suite=${AMPHIS_STDLIB_SUITE:-unstable}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
exec 9>"$folder/.lock"
flock 9
[ -e "$folder/$file" ] && exit 0

command -v apt-get >/dev/null && command -v dpkg >/dev/null || { echo "fetch_packages: this machine has no apt" >&2; exit 1; }
mirror() {
  awk '/^URIs:/ {print $2; exit}' /etc/apt/sources.list.d/debian.sources 2>/dev/null
  awk '$1 == "deb" && /debian/ {for (i = 2; i <= NF; i++) if ($i ~ /^[a-z]+:\/\//) {print $i; exit}}' \
    /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null
}
uri=$(mirror | head -n 1 || true)
[ -n "$uri" ] || { echo "fetch_packages: no Debian mirror in this machine's package sources" >&2; exit 1; }
keyring=$(find /usr/share/keyrings -name 'debian-archive-keyring.*' 2>/dev/null | sort | head -n 1)
signed=${keyring:+[signed-by=$keyring] }

state=$(mktemp -d "$folder/apt.XXXXXX")
trap 'rm -rf "$state"' EXIT
mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$state/deb"
: >"$state/status"
echo "deb $signed$uri $suite main" >"$state/sources.list"
cat >"$state/apt.conf" <<CONF
Dir::Etc::SourceList "$state/sources.list";
Dir::Etc::SourceParts "-";
Dir::State::Lists "$state/lists";
Dir::State::Status "$state/status";
Dir::Cache "$state/cache";
CONF
[ "$(id -u)" -ne 0 ] || echo 'APT::Sandbox::User "root";' >>"$state/apt.conf"
export APT_CONFIG=$state/apt.conf
apt-get -qq update
cd "$state/deb"
apt-get -qq download "$@"
mkdir "$state/tree"
for package in *.deb; do dpkg -x "$package" "$state/tree"; done
# The shared objects are CPython's own and of no use here.
rm -rf "$state/tree/usr/lib/python3.14/lib-dynload"
cp -a "$state/tree/usr" "$folder/"
[ -e "$folder/$file" ]
