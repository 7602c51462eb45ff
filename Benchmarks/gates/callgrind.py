"""Instructions and heap allocations for one operation, counted by valgrind's callgrind.

A path runs twice, with few and with many operations; the difference divided by the operations between them is what one
costs in user space, start-up and connecting taken out."""

from __future__ import annotations

import collections
import dataclasses
import os
import pathlib
import re
import subprocess
import tempfile
from typing import Counter

from harness.servers import Running, Server

from .paths import Path, drive

# What glibc offers for memory.
ALLOCATORS = frozenset({"malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign", "reallocarray"})
# Where glibc allocates for itself, one allocator mostly calls another: that request has been counted already.
LIBC = re.compile(r"^libc[.-]")
# Functions that allocate for their callers, the runtimes' and the standard library's arrays: who called them is what one
# wants to know.
PASSED_THROUGH = re.compile(
    r"swift_slowAlloc|swift_allocObject|swift_bufferAllocate|^operator new|^CRYPTO_|consumeAndCreateNew|_ContiguousArrayBuffer|"
    r"CollectionToContiguousArray|createNewBuffer|reserveCapacity|BufferUninitialized|^\$sSa6append|^\$sSa8Protocol|^0x[0-9a-f]+$")


@dataclasses.dataclass
class Profile:
    """One run's counts, or with fractions the difference of two for one operation."""

    # By object file, and by function name within it.
    instructions: dict[tuple[str, str], float] = dataclasses.field(default_factory=collections.Counter)
    lines: dict[str, float] = dataclasses.field(default_factory=collections.Counter)
    # Calls by anybody but glibc: caller, callee.
    calls: dict[tuple[str, str], float] = dataclasses.field(default_factory=collections.Counter)

    @property
    def allocations(self) -> float:
        return sum(count for (_, callee), count in self.calls.items() if callee in ALLOCATORS)

    @property
    def kept(self) -> float:
        """Blocks that were taken and not given back. Giving back a null pointer counts as well, so it may be below 0."""
        return self.allocations - sum(count for (_, callee), count in self.calls.items() if callee == "free")

    def instructions_in(self, object_name: str) -> float:
        """In one object file. What glibc runs differs with the processor (its string functions come in several forms),
        and zlib and libcrypto are the distribution's: gates look at our own code."""
        return sum(count for (owner, _), count in self.instructions.items() if os.path.basename(owner) == object_name)

    def functions(self) -> dict[str, float]:
        sums: Counter[str] = collections.Counter()
        for (_, function), count in self.instructions.items():
            sums[function] += count
        return sums

    def allocating(self) -> dict[str, float]:
        """The allocations by the function that wanted the memory, as far as calls tell it apart."""
        callers: dict[str, dict[str, float]] = collections.defaultdict(dict)
        for (caller, callee), count in self.calls.items():
            if count:
                callers[callee][caller] = callers[callee].get(caller, 0) + count
        sums: Counter[str] = collections.Counter()

        def attribute(callee: str, count: float, seen: frozenset[str]) -> None:
            above = callers.get(callee, {})
            total = sum(above.values())
            for caller, share in above.items():
                part = count * share / total if total else 0
                if PASSED_THROUGH.search(caller) and caller not in seen:
                    attribute(caller, part, seen | {caller})
                else:
                    sums[caller] += part

        for allocator in ALLOCATORS & set(callers):
            attribute(allocator, sum(callers[allocator].values()), frozenset({allocator}))
        return sums

    def per_operation(self, fewer: Profile, operations: int) -> Profile:
        """What one of the operations between `fewer` and this cost."""
        def difference(high: dict, low: dict) -> dict:
            return {key: (high.get(key, 0) - low.get(key, 0)) / operations for key in high.keys() | low.keys()}

        return Profile(
            difference(self.instructions, fewer.instructions), difference(self.lines, fewer.lines),
            difference(self.calls, fewer.calls))


def measured(path: Path, server: Server) -> Profile:
    """What one operation costs."""
    few, few_operations = profiled(path, path.few, server)
    many, many_operations = profiled(path, path.many, server)
    return many.per_operation(few, many_operations - few_operations)


def profiled(path: Path, count: int, server: Server) -> tuple[Profile, int]:
    """One run under callgrind, and how many operations the client counted."""
    with tempfile.TemporaryDirectory() as directory:
        file = pathlib.Path(directory) / "callgrind.out"
        command = ("valgrind", "--tool=callgrind", f"--callgrind-out-file={file}", *server.command)
        with Running(dataclasses.replace(server, command=command), echoes=path.echoes) as running:
            operations = drive(running, path, count, server.target)
        return read(file.read_text(errors="replace")), operations


def read(text: str) -> Profile:
    """Reads callgrind's format: a function's own cost lines; `calls=` says how often it calls another, and the line
    after that is the other's cost and is skipped."""
    names: dict[tuple[str, str], str] = {}
    profile = Profile()
    owner = function = source = called = ""
    skips = False
    line_number = 0

    def name(kind: str, compressed: str) -> str:
        match = re.match(r"\((\d+)\)(?: (.*))?", compressed)
        if not match:
            return compressed
        if match[2]:
            names[kind, match[1]] = match[2]
        return names.get((kind, match[1]), "?")

    def function_name(compressed: str) -> str:
        # The second activation of a recursive function is another function to callgrind.
        return re.sub(r"'\d+$", "", name("fn", compressed))

    for line in text.splitlines():
        if line.startswith("fn="):
            function = function_name(line[3:])
        elif line.startswith("cfn="):
            called = function_name(line[4:])
        elif line.startswith("ob="):
            owner = name("ob", line[3:])
        elif line.startswith("cob="):
            name("ob", line[4:])
        elif line[:3] in ("fl=", "fi=", "fe="):
            source = name("fl", line[3:])
        elif line.startswith(("cfi=", "cfl=")):
            name("fl", line[4:])
        elif line.startswith("calls="):
            skips = True
            if not LIBC.match(os.path.basename(owner)):
                profile.calls[function, called] += int(line[6:].split()[0])
        elif line and line[0] in "+-*0123456789":
            position, *costs = line.split()
            if position[0] in "+-":
                line_number += int(position)
            elif position != "*":
                line_number = int(position)
            if skips:
                skips = False
            elif costs:
                profile.instructions[owner, function] += int(costs[0])
                profile.lines[f"{os.path.basename(source)}:{line_number} in {function}"] += int(costs[0])
    return profile


def demangled(names: list[str]) -> list[str]:
    """Swift's names in words; as they are where there is no Swift toolchain."""
    try:
        answer = subprocess.run(
            ["swift", "demangle", "--simplified"], input="\n".join(names), capture_output=True, text=True)
    except FileNotFoundError:
        return names
    return answer.stdout.splitlines() if answer.returncode == 0 else names
