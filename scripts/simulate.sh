#!/bin/bash
# Runs the durability simulation: SEEDS of them from FIRST on, or one SEED with a trace of what happens in it.
#
#   make simulate SEEDS=10000
#   make simulate SEED=87
#
# Many seeds are run by an optimised build in a folder of its own, some minutes the first time; a single one by the debug
# build that `make test` uses.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export SWIFT_BACKTRACE=enable=no
jobs=${SWIFT_JOBS:-$(nproc)}

if [ -n "${SEED:-}" ]; then
  swift build --build-tests -j "$jobs"
  SIGNALBOX_SEED=$SEED exec swift test --skip-build --filter 'DurabilitySimulationTests.*promised'
fi

export SIGNALBOX_SIMULATE=1
options=(-c release -Xswiftc -enable-testing --scratch-path .build-simulate)
swift build --build-tests -j "$jobs" "${options[@]}"
export SIGNALBOX_SEEDS=${SEEDS:-10000} SIGNALBOX_FIRST_SEED=${FIRST:-0}
echo "simulating $SIGNALBOX_SEEDS seeds from $SIGNALBOX_FIRST_SEED on"
exec swift test --skip-build "${options[@]}" --filter 'DurabilitySimulationTests.*promised'
