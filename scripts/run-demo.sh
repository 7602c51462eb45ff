#!/bin/bash
# `make run`: the gateway with --dev, and demo tasks that move. Ctrl-C ends both.
#
# PORT=9000 make run   listens elsewhere than on 8765.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
port=${PORT:-8765}
url=http://127.0.0.1:$port

.build/release/signalbox serve --dev --port "$port" --store memory &
gateway=$!
demo=
finish() {
  trap - EXIT INT TERM
  [ -n "$demo" ] && kill "$demo" 2>/dev/null || true
  kill "$gateway" 2>/dev/null || true
  wait || true
}
trap finish EXIT INT TERM

# Bash opens the connection itself: curl is not everywhere.
for _ in $(seq 100); do
  if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then break; fi
  kill -0 "$gateway" 2>/dev/null || { wait "$gateway"; exit $?; }
  sleep 0.1
done

if [ -f scripts/demo.py ]; then
  if command -v python3 >/dev/null; then
    python3 scripts/demo.py --url "$url" &
    demo=$!
  else
    echo "the demo tasks need python3, which is not installed: the gateway runs without them" >&2
  fi
fi

cat <<TEXT

  Signalbox runs. Open
    $url/ui/                live tasks, with answer buttons for open questions
    $url/metrics            what Prometheus reads
    $url/api/v1/status      the gateway in one JSON object
  Ctrl-C stops it.

TEXT
wait "$gateway"
