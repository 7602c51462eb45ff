#!/usr/bin/env python3
"""Counts the gateway's instructions for one operation, with valgrind's callgrind: repeatable on a busy machine too.

    ./instructions.py [--paths NAME,…] [--server NAME] [--top N] [--lines] [--allocations]

Each path runs twice, with few and with many operations; the difference divided by the operations between them is what
one costs in user space, start-up and connecting taken out. What the kernel does is not in these figures. Which paths
there are stands in gates/paths.py; check_gates.py holds the same counts against bounds.
"""

from __future__ import annotations

import argparse

from gates import callgrind
from gates.measurements import COUNTED_BY_CALLGRIND
from gates.paths import PATHS
from harness.servers import SERVERS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--paths", default=",".join(COUNTED_BY_CALLGRIND))
    parser.add_argument("--server", default="signalbox", choices=sorted(SERVERS))
    parser.add_argument("--top", type=int, default=25, help="functions to list")
    parser.add_argument("--lines", action="store_true", help="list source lines as well")
    parser.add_argument("--allocations", action="store_true", help="list who allocates as well")
    arguments = parser.parse_args()
    for name in arguments.paths.split(","):
        if name not in PATHS:
            parser.error(f"no path {name}: one of {', '.join(PATHS)}")
        if not arguments.server.startswith("signalbox") and ("publish" in name or name == "ping"):
            continue
        server = SERVERS[arguments.server]
        profile = callgrind.measured(PATHS[name], server)
        functions = profile.functions()
        own = profile.instructions_in(server.command[0].rsplit("/", 1)[-1])
        print(
            f"\n{name}: {PATHS[name].title}: {sum(functions.values()):,.0f} instructions, {own:,.0f} of them in the program's "
            f"own file; {profile.allocations:,.3f} allocations")
        show(functions, arguments.top)
        if arguments.lines:
            show(profile.lines, arguments.top)
        if arguments.allocations:
            print("  allocations, by who wants the memory:")
            show({key: value for key, value in profile.allocating().items() if abs(value) > 0.0005}, arguments.top, digits=3)


def show(costs: dict[str, float], top: int, digits: int = 1) -> None:
    ranked = sorted(costs.items(), key=lambda item: -item[1])[:top]
    for (_, cost), shown in zip(ranked, callgrind.demangled([key for key, _ in ranked])):
        print(f"  {cost:10,.{digits}f}  {shown[:160]}")


if __name__ == "__main__":
    main()
