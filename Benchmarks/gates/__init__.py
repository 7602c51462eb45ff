"""Counts that CI holds the gateway to: instructions, heap allocations, system calls, bytes. Never time.

`paths` says what is run, `callgrind`, `strace` and `memory` count, `judge` compares with the bounds of gates.json."""
