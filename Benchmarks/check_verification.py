#!/usr/bin/env python3
"""Shows that the load generator notices what it claims to verify: the ceiling breaks one message of one subscriber, in
one way after the other, and every such run must fail; without a fault it must not. Compressed messages and those that
clients come back for are broken too."""

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
    "flip": ("got different bytes", "got another text"),
    "cut": ("got different bytes", "a frame that starts", "got message"),
}
COMMON = ("--clients", "9", "--warm-up", "10", "--operations", "200", "--under-way", "16")


@dataclasses.dataclass(frozen=True)
class Case:
    scenario: str
    # Of the load generator, beside the common ones.
    arguments: tuple[str, ...] = ()
    server: str = "ceiling"
    options: tuple[str, ...] = ()
    faults: tuple[str | None, ...] = tuple(EXPECTED)
    # What may be said besides.
    allowed: tuple[str, ...] = ()


NEVER_COMES = ("nothing for ten seconds",)
CASES = (
    # In a closed loop nobody gets the next message before the struck one arrives, which is never.
    Case("closed", allowed=NEVER_COMES),
    Case("stream"),
    Case("deflate", ("--bytes", "2048"), server="ceiling-deflate",
         allowed=(*NEVER_COMES, "does not inflate", "got another text", "a message without")),
    Case("resume", ("--operations", "1", "--missed", "8"), options=("--history",), faults=(None, "drop", "repeat"),
         allowed=NEVER_COMES),
)


def main() -> None:
    failures = 0
    for case in CASES:
        for fault in case.faults:
            allowed = (*EXPECTED[fault], *case.allowed)
            status, said = run(case, fault)
            is_right = status == 0 if fault is None else status != 0 and any(text in said for text in allowed)
            failures += not is_right
            print(f"{'ok    ' if is_right else 'FAILED'} {case.scenario:8} {fault or 'no fault':10} {said.splitlines()[0][:90]}")
    sys.exit(1 if failures else 0)


def run(case: Case, fault: str | None) -> tuple[int, str]:
    server = SERVERS[case.server]
    options = (*case.options, *(("--fault", fault) if fault else ()))
    with Running(dataclasses.replace(server, command=(*server.command, *options))) as running:
        load = [
            str(BUILT / "load"), "--scenario", case.scenario, "--target", server.target, "--port", str(running.port),
            "--server", str(running.process.pid), *COMMON, *case.arguments,
        ]
        answer = subprocess.run(load, capture_output=True, text=True, timeout=60)
    return answer.returncode, answer.stderr or answer.stdout


if __name__ == "__main__":
    main()
