#!/usr/bin/env python3
"""Measures what the durable store costs and whether it reaches its aims; writes Results/<date>-store.md and .jsonl.
Python's standard library only.

    ./store.py [--quick] [--repetitions N] [--rows NAME,…] [--name NAME] [--no-build]

Every repetition runs all rows, and within a row all its variants one after the other, another one first each time; ratios are
taken within a repetition. What counts is the CPU time of the gateway's process, all threads together; wall-clock figures hold
on a quiet machine only. The store's files are on the disk of this repository, each run's its own.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time

from harness import report, store_report, store_rows
from harness.gateway import BINARY
from harness.servers import BENCHMARKS, BUILT


def main() -> None:
    arguments = parse_arguments()
    # So that the gateway under measurement ends with us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    if not arguments.no_build:
        # Here, because run.py imports what a store does not need.
        import run
        run.build()
    for binary in (BINARY, BUILT / "load"):
        if not binary.exists():
            raise SystemExit(f"missing: {binary} (run without --no-build)")
    rows = [row for row in store_rows.ROWS if arguments.rows is None or row.name in arguments.rows]
    machine = report.describe_machine()
    repetitions = arguments.repetitions or (1 if arguments.quick else 5)
    started = time.monotonic()
    records: list[dict] = []
    BUILT.mkdir(parents=True, exist_ok=True)
    place = pathlib.Path(tempfile.mkdtemp(prefix="store-", dir=BUILT))
    try:
        for repetition in range(repetitions):
            for row in rows:
                turn = repetition % len(row.variants)
                for variant in row.variants[turn:] + row.variants[:turn]:
                    records.append(run_once(row, variant, repetition, place, arguments.quick))
    finally:
        shutil.rmtree(place, ignore_errors=True)
    name = arguments.name or f"{datetime.date.today().isoformat()}-store{'-quick' if arguments.quick else ''}"
    text = store_report.markdown(rows, records, machine, name, repetitions, time.monotonic() - started, arguments.quick)
    results = BENCHMARKS / "Results"
    results.mkdir(exist_ok=True)
    (results / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (results / f"{name}.md").write_text(text)
    print(text)
    print(f"written to {results / name}.md, .jsonl", file=sys.stderr)


def parse_arguments() -> argparse.Namespace:
    known = [row.name for row in store_rows.ROWS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="short runs, once each: for a look")
    parser.add_argument("--repetitions", type=int, help="default 5, quick 1")
    parser.add_argument("--rows", type=lambda text: [name for name in text.split(",") if name], help=", ".join(known))
    parser.add_argument("--name", help="of the files in Results; default: today's date")
    parser.add_argument("--no-build", action="store_true", help="what is built already is measured")
    arguments = parser.parse_args()
    if arguments.repetitions is not None and arguments.repetitions < 1:
        parser.error(f"--repetitions is {arguments.repetitions}, must be at least 1")
    for name in arguments.rows or []:
        if name not in known:
            parser.error(f"no {name}: one of {', '.join(known)}")
    return arguments


def run_once(row: store_rows.Row, variant: str, repetition: int, place: pathlib.Path, is_quick: bool) -> dict:
    load_average = os.getloadavg()[0]
    result = row.run(variant, place, is_quick)
    value = store_rows.value_at(row.figure, result)
    print(f"{time.strftime('%H:%M:%S')} {row.name:22} {variant:8} {value:10.3f} {row.unit}", file=sys.stderr)
    return {"row": row.name, "variant": variant, "repetition": repetition, "load_average": load_average, **result}


if __name__ == "__main__":
    main()
