#!/bin/bash
# Everything `make test` runs after the release build, in order. Each part that fails is named at the end, and the
# others still run, so that one look at the log shows all there is to repair.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PATH="$PATH:/usr/sbin:/sbin"
export SWIFT_BACKTRACE=enable=no
jobs=${SWIFT_JOBS:-$(nproc)}

started=$SECONDS
failed=()
passed=0

# part NAME COMMAND…
part() {
  local name=$1 began=$SECONDS status=0
  shift
  echo
  echo "==> $name"
  "$@" || status=$?
  if [ "$status" -eq 0 ]; then
    passed=$((passed + 1))
    echo "<== $name: passed in $((SECONDS - began)) s"
  else
    failed+=("$name")
    echo "<== $name: FAILED (exit status $status) after $((SECONDS - began)) s"
  fi
  return "$status"
}

finish() {
  echo
  if [ ${#failed[@]} -eq 0 ]; then
    echo "make test: all $passed parts passed in $((SECONDS - started)) s"
    exit 0
  fi
  printf 'make test: FAILED after %d s:' $((SECONDS - started))
  printf ' [%s]' "${failed[@]}"
  echo
  exit 1
}

# Thousands of lines say that a test began or passed; what remains is what failed, and the sum.
unit_tests() {
  swift test --skip-build 2>&1 | awk '!/^◇/ && (!/^✔/ || /^✔ Test run/)'
}

# Without these nothing that follows can run.
part "system packages" scripts/install-system-packages.sh build test gates || finish
part "build of the tests" swift build --build-tests -j "$jobs" || finish
part "python environment" scripts/python-environment.sh || finish

python=.venv/bin/python
part "unit tests (swift test)" unit_tests
if [ -d clients/python/tests ]; then
  part "python client" "$python" -m pytest -q --durations=5 clients/python/tests
fi
part "end-to-end tests" "$python" -m pytest -q --durations=10 Tests/EndToEndTests
part "gates" python3 Benchmarks/check_gates.py
part "autobahn" python3 Tests/ConformanceTests/autobahn/run.py --sections 1-7,9,10 --sample 12,13
finish
