#!/bin/bash
# Installs the Debian packages that building or testing needs, and only those that are missing.
#
#   scripts/install-system-packages.sh [build] [lint] [test] [gates]
#
# Nothing is installed, and no root is needed, when everything is there already. What a package would start as a
# system service is neither started nor enabled: the tests start their own nginx, Redis and Prometheus.
set -euo pipefail

# Daemons stand in /usr/sbin, which is not on everybody's PATH.
PATH="$PATH:/usr/sbin:/sbin"

missing=()

# need PACKAGE CHECK…: the package is missing unless the check succeeds.
need() {
  local package=$1
  shift
  if ! "$@" >/dev/null 2>&1; then
    missing+=("$package")
  fi
}
command_exists() { command -v "$1"; }
library_exists() { /sbin/ldconfig -p | grep -qF "$1"; }
python_has() { python3 -c "import $1"; }
# The tests drive Node's own WebSocket, which arrived (behind a flag) in version 20.10; Debian 12 has 18 with node-ws.
node_speaks_websocket() {
  command -v node || return 1
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 10) ? 0 : 1)' ||
    { test -d /usr/share/nodejs/ws && test -e /usr/bin/node; }
}

if [ $# -eq 0 ]; then
  set -- build test
fi
for purpose in "$@"; do
  case $purpose in
    build)
      need git command_exists git
      need make command_exists make
      need pkg-config command_exists pkg-config
      # Swift links with the C++ runtime's and libc's development files.
      need g++ command_exists g++
      # What the toolchain's own programs are linked with.
      need libcurl4 library_exists libcurl.so.4
      need libedit2 library_exists libedit.so.2
      need libncurses6 library_exists libncurses.so.6
      need libsqlite3-0 library_exists libsqlite3.so.0
      need libxml2 library_exists libxml2.so.2
      need zlib1g-dev test -e /usr/include/zlib.h
      need libssl-dev test -e /usr/include/openssl/evp.h
      need libsqlite3-dev test -e /usr/include/sqlite3.h
      ;;
    lint)
      need python3 command_exists python3
      ;;
    test)
      need ca-certificates test -e /etc/ssl/certs/ca-certificates.crt
      need python3 command_exists python3
      need python3-venv python_has ensurepip
      need nginx command_exists nginx
      need redis-server command_exists redis-server
      need prometheus command_exists prometheus
      need chromium command_exists chromium
      need nodejs node_speaks_websocket
      need node-ws node_speaks_websocket
      ;;
    gates)
      need python3 command_exists python3
      need valgrind command_exists valgrind
      need strace command_exists strace
      # pins programs to cores
      need util-linux command_exists taskset
      ;;
    *)
      echo "install-system-packages: '$purpose' is not a purpose, must be build, lint, test or gates" >&2
      exit 64
      ;;
  esac
done

if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "install-system-packages: these packages are missing, and there is neither root nor sudo: ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

echo "installing Debian packages: ${missing[*]}"

# Debian's way to say "install, but start nothing": a policy that answers 101 (action forbidden).
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $policy >/dev/null
  "${as_root[@]}" chmod 755 $policy
  trap '"${as_root[@]}" rm -f $policy' EXIT
fi

install_packages() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends "${missing[@]}"
}
log=$(mktemp)
if ! install_packages >"$log" 2>&1; then
  # The package lists are absent on a fresh machine and stale on an old one.
  if ! { "${as_root[@]}" apt-get update -q && install_packages; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    exit 1
  fi
fi
rm -f "$log"

# On a machine that runs systemd, a service that came with a package must not come up at the next boot either.
if command -v systemctl >/dev/null; then
  for package in "${missing[@]}"; do
    case $package in
      nginx | redis-server | prometheus) "${as_root[@]}" systemctl disable --quiet "$package" 2>/dev/null || true ;;
    esac
  done
fi
