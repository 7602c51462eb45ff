#!/usr/bin/env python3
"""Shows that the load generator notices what it claims to verify: the ceiling breaks one message of one subscriber, in
one way after the other, and every such run must fail; without a fault it must not."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

from harness.servers import BUILT, SERVERS, Running

# The fault, and what the load generator must say about it. Whom it strikes may be the first to receive or a later one,
# so what is noticed is either a wrong number or a difference from the others.
EXPECTED = {
    None: (),
    "drop": ("got different bytes", "got message", "nothing for ten seconds"),
    "repeat": ("got different bytes", "got message"),
    "swap": ("got different bytes", "got message"),
    "flip": ("got different bytes",),
    "cut": ("got different bytes", "a frame that starts", "got message"),
}
SCENARIOS = ("closed", "stream")


def main() -> None:
    failures = 0
    for scenario in SCENARIOS:
        for fault, messages in EXPECTED.items():
            # In a closed loop nobody gets the next message before the struck one arrives, which is never.
            allowed = messages + (("nothing for ten seconds",) if scenario == "closed" and messages else ())
            status, said = run(scenario, fault)
            is_right = status == 0 if fault is None else status != 0 and any(text in said for text in allowed)
            failures += not is_right
            print(f"{'ok    ' if is_right else 'FAILED'} {scenario:8} {fault or 'no fault':10} {said.splitlines()[0][:90]}")
    sys.exit(1 if failures else 0)


def run(scenario: str, fault: str | None) -> tuple[int, str]:
    ceiling = SERVERS["ceiling"]
    options = ("--fault", fault) if fault else ()
    with Running(dataclasses.replace(ceiling, command=(*ceiling.command, *options))) as running:
        load = [
            str(BUILT / "load"), "--scenario", scenario, "--target", "ceiling", "--port", str(running.port), "--server",
            str(running.process.pid), "--clients", "9", "--warm-up", "10", "--operations", "200", "--under-way", "16",
        ]
        answer = subprocess.run(load, capture_output=True, text=True, timeout=60)
    return answer.returncode, answer.stderr or answer.stdout


if __name__ == "__main__":
    main()
