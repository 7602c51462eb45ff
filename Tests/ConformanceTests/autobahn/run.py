#!/usr/bin/env python3
"""Runs the Autobahn test suite against the gateway's echo endpoint and compares every case with what is expected.

    run.py --sections 1-7,9,10 --sample 12,13      what `make test` runs
    run.py --all                                   all 517 cases, what `make soak` runs
    run.py --cases 6.4.1,9.*                       some cases, while repairing
    run.py --all --url ws://127.0.0.1:9001/        another server than our own

The suite is a client that speaks to us as badly as RFC 6455 and RFC 7692 allow and as they do not. Its verdicts are OK,
NON-STRICT (right, but later or less exact than the RFC wishes), INFORMATIONAL (the RFC leaves it open), FAILED, and more.
expected-results.json holds one verdict for the behaviour and one for the close handshake of every case. A differing case,
also one that is unexpectedly better, and a case that did not run fail the run. Needs nothing but the standard library;
the suite itself lives in .tools/autobahn, see install.py.
"""

import argparse
import collections
import fnmatch
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import install

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
EXPECTED = HERE / "expected-results.json"
BINARY = ROOT / ".build" / "release" / "signalbox"
REPORTS = ROOT / "reports" / "autobahn"
AGENT = "signalbox"
SECONDS_TO_START = 20
SECONDS_TO_STOP = 10
# The slowest known case takes a few seconds; a run that is silent for this long hangs.
SECONDS_WITHOUT_PROGRESS = 120
DIFFERENCES_SHOWN = 40
# Of a sampled section every group (12.1, 12.2, …) gives messages of 16, 256 and 8192 bytes, and of 8192 bytes in
# fragments of 256. Larger ones take minutes, most of them in the suite itself.
SAMPLED_CASES_OF_A_GROUP = {"1", "3", "6", "11"}


def natural(case):
    return tuple(int(part) for part in case.split("."))


def sections_of(text):
    """`1-7,9` → {"1", …, "7", "9"}."""
    sections = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        sections.update(str(number) for number in range(int(first), int(last or first) + 1))
    return sections


def select(arguments, known):
    if arguments.all:
        return known
    patterns = list(filter(None, arguments.cases.split(",")))
    whole, sampled = sections_of(arguments.sections), sections_of(arguments.sample)
    return [
        case
        for case in known
        if case.split(".")[0] in whole
        or (case.split(".")[0] in sampled and case.split(".")[-1] in SAMPLED_CASES_OF_A_GROUP)
        or any(fnmatch.fnmatchcase(case, pattern) for pattern in patterns)
    ]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Gateway:
    """Our own server under test, for the time of the run."""

    def __init__(self, binary):
        if not binary.exists():
            sys.exit(f"autobahn: {binary} does not exist: make build")
        port = free_port()
        self.url = f"ws://127.0.0.1:{port}/echo"
        command = [str(binary), "serve", "--echo", "--auth", "off", "--host", "127.0.0.1", "--port", str(port)]
        self.log_path = REPORTS / "gateway.log"
        with self.log_path.open("w") as log:
            self.process = subprocess.Popen([*command, "--store", "memory"], stderr=log, stdout=log, cwd=REPORTS)
        deadline = time.monotonic() + SECONDS_TO_START
        while True:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                sys.exit(f"autobahn: the gateway did not start: {' '.join(command)}\n{self.log_path.read_text()}")
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)

    def stop(self):
        """What is wrong with how it ended; None when nothing is."""
        if self.process.poll() is not None:
            return f"the gateway ended by itself with {self.process.returncode}, see {self.log_path}"
        self.process.terminate()
        try:
            status = self.process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return f"the gateway did not stop within {SECONDS_TO_STOP} s of SIGTERM"
        return None if status in (0, -signal.SIGTERM) else f"the gateway ended with {status}, see {self.log_path}"


def run_suite(url, cases):
    """Lets the fuzzing client run the cases → its index: case → verdicts."""
    spec = {
        "outdir": str(REPORTS),
        "servers": [{"agent": AGENT, "url": url}],
        "cases": cases,
        "exclude-cases": [],
        "exclude-agent-cases": {},
    }
    spec_path = REPORTS / "fuzzingclient.json"
    spec_path.write_text(json.dumps(spec, indent=1))
    command = [*install.fuzzing_client(), str(spec_path)]
    log_path = REPORTS / "suite.log"
    with log_path.open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=REPORTS)
    size, changed = 0, time.monotonic()
    try:
        while process.poll() is None:
            time.sleep(0.1)
            if log_path.stat().st_size != size:
                size, changed = log_path.stat().st_size, time.monotonic()
            elif time.monotonic() - changed > SECONDS_WITHOUT_PROGRESS:
                lines = log_path.read_text().splitlines()
                print(f"autobahn: no progress for {SECONDS_WITHOUT_PROGRESS} s, at: {lines[-1] if lines else 'start'}")
                break
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    index = REPORTS / "index.json"
    if not index.exists():
        print(f"autobahn: the suite wrote no results; the end of {log_path}:")
        sys.exit("\n".join(log_path.read_text().splitlines()[-15:]))
    return json.loads(index.read_text()).get(AGENT, {})


def compare(cases, expected, results):
    """Prints the table and the differing cases → their number."""
    rows = collections.defaultdict(lambda: [0, 0, 0, 0, 0.0])
    different = []
    for case in cases:
        row = rows[case.split(".")[0]]
        row[0] += 1
        result = results.get(case)
        found = [result["behavior"], result["behaviorClose"]] if result else ["not run", "not run"]
        if found != expected[case]:
            different.append((case, expected[case], found, result))
            row[3] += 1
        elif found[0] == "OK":
            row[1] += 1
        else:
            row[2] += 1
        row[4] += result["duration"] / 1000 if result else 0
    print(f"{'section':>8} {'cases':>6} {'OK':>6} {'informational':>14} {'different':>10} {'seconds':>8}")
    rows["all"] = [sum(row[column] for row in rows.values()) for column in range(5)]
    for name, row in rows.items():
        print(f"{name:>8} {row[0]:>6} {row[1]:>6} {row[2]:>14} {row[3]:>10} {row[4]:>8.1f}")
    for case, wanted, found, result in different[:DIFFERENCES_SHOWN]:
        report = f", see {REPORTS.relative_to(ROOT)}/{result['reportfile']}" if result else ""
        print(f"case {case}: {'/'.join(found)} in place of {'/'.join(wanted)}{report}")
    if len(different) > DIFFERENCES_SHOWN:
        print(f"and {len(different) - DIFFERENCES_SHOWN} more")
    return len(different)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="all 517 cases")
    parser.add_argument("--sections", default="", help="whole sections: 1-7,9,10")
    parser.add_argument("--sample", default="", help="sections of which four cases of each group are run: 12,13")
    parser.add_argument("--cases", default="", help="cases by number or pattern: 6.4.1,9.*")
    parser.add_argument("--url", help="test the server at this address in place of our own")
    parser.add_argument("--binary", type=Path, default=BINARY, help="our own server (default: the release build)")
    arguments = parser.parse_args()

    expected = json.loads(EXPECTED.read_text())["cases"]
    cases = select(arguments, sorted(expected, key=natural))
    if not cases:
        parser.error("no case is selected: --all, --sections, --sample or --cases")

    # An end from outside, too, ends the children.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    install.install()
    shutil.rmtree(REPORTS, ignore_errors=True)
    REPORTS.mkdir(parents=True)
    began = time.monotonic()
    gateway = None if arguments.url else Gateway(arguments.binary.resolve())
    fault = None
    try:
        results = run_suite(arguments.url or gateway.url, cases)
    finally:
        if gateway:
            fault = gateway.stop()
    different = compare(cases, expected, results)
    if fault:
        print(f"autobahn: {fault}")
    passed = not different and not fault
    print(f"autobahn: {len(cases)} cases in {time.monotonic() - began:.0f} s, {'all as expected' if passed else 'FAILED'}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
