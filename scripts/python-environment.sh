#!/bin/sh
# Makes .venv with what the end-to-end tests need, and the Python client in place. Running it again costs a second.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
environment="$root/.venv"
requirements="$root/Tests/EndToEndTests/requirements.txt"
stamp="$environment/.signalbox-requirements"

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

if ! command -v python3 >/dev/null 2>&1 || ! python3 -c 'import ensurepip, venv' >/dev/null 2>&1; then
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3 python3-venv
fi

# A virtual environment is bound to its place and its interpreter: one that was moved or lost its Python is made anew.
if ! "$environment/bin/python" -c 'import pip' >/dev/null 2>&1; then
  rm -rf "$environment"
  python3 -m venv "$environment"
fi

wanted=$(cat "$requirements" "$root/clients/python/pyproject.toml" | sha256sum)
if [ "$wanted" != "$(cat "$stamp" 2>/dev/null || true)" ]; then
  "$environment/bin/python" -m pip install --quiet --disable-pip-version-check \
    --requirement "$requirements" --editable "$root/clients/python"
  printf '%s\n' "$wanted" >"$stamp"
fi
