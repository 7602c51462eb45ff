#!/bin/bash
# The thread sanitizer over the unit tests and over a gateway under load. Any report fails the run.
#
# Its builds live in .build/tsan, since instrumented objects must not mix with the others. LOAD_SECONDS=60 loads longer.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export SWIFT_BACKTRACE=enable=no
jobs=${SWIFT_JOBS:-$(nproc)}
scratch=.build/tsan
reports=$PWD/reports/tsan
rm -rf "$reports"
mkdir -p "$reports"

# halt_on_error=0: all races of a run, not the first. exitcode: also the process says that there was one.
# report_signal_unsafe=0: our signal handler only writes to a descriptor.
tsan_options() {
  echo "halt_on_error=0:exitcode=66:history_size=4:report_signal_unsafe=0:log_path=$reports/$1"
}

failed=0
check() {
  local name=$1 status=$2
  # The sanitizer appends the process id to the path.
  if compgen -G "$reports/$name.*" >/dev/null; then
    echo "tsan: races in $name:"
    cat "$reports/$name".* | head -n 200
    failed=1
  elif [ "$status" -ne 0 ]; then
    echo "tsan: $name failed with exit status $status"
    failed=1
  else
    echo "tsan: $name: no races"
  fi
}

echo "==> unit tests under the thread sanitizer"
swift build --build-tests --sanitize=thread --scratch-path $scratch -j "$jobs" || exit 1
TSAN_OPTIONS=$(tsan_options unit-tests) swift test --skip-build --sanitize=thread --scratch-path $scratch
check unit-tests $?

echo "==> a gateway under the thread sanitizer, loaded"
swift build --product signalbox --sanitize=thread --scratch-path $scratch -j "$jobs" || exit 1
scripts/python-environment.sh || exit 1
TSAN_OPTIONS=$(tsan_options gateway) .venv/bin/python scripts/tsan_load.py \
  --binary $scratch/debug/signalbox --seconds "${LOAD_SECONDS:-20}"
check gateway $?

[ $failed -eq 0 ] && echo "tsan: no races"
exit $failed
