"""From records to the Markdown report."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import platform
import statistics
import subprocess

from .scenarios import CEILINGS, OURS, Scenario, value_at
from .servers import ROOT, SERVERS


@dataclasses.dataclass(frozen=True)
class Machine:
    processor: str
    cores: int
    kernel: str
    swift: str
    commit: str
    load_average: float


@dataclasses.dataclass(frozen=True)
class Row:
    """One server in one scenario, over all repetitions."""

    scenario: Scenario
    server: str
    median: float
    lowest: float
    highest: float
    # Median of the repetitions' ratios to the reference's figure of the same repetition.
    ratio: float | None
    ratio_lowest: float | None
    ratio_highest: float | None
    is_saturated: bool
    is_late: bool
    latency: dict[str, float] | None
    start_ms: float
    resident_at_start: float

    @property
    def reaches_aim(self) -> bool | None:
        """None for what no aim is set for: ceilings, peers, and what could not be compared."""
        if self.scenario.aim is None or self.server != self.scenario.servers[-1]:
            return None
        value = self.median if self.scenario.reference is None else self.ratio
        return None if value is None else value <= self.scenario.aim

    @property
    def marks(self) -> str:
        return (" ¹" if self.is_saturated else "") + (" ²" if self.is_late else "")


def output_of(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=30).stdout.strip()
    except OSError:
        return ""


def describe_machine() -> Machine:
    processor = next(
        (line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith("model name")), platform.machine())
    return Machine(
        processor=processor, cores=os.cpu_count() or 1, kernel=f"Linux {platform.release()}",
        swift=(output_of("swift", "--version").splitlines() or ["Swift"])[0],
        commit=output_of("git", "describe", "--always", "--dirty"), load_average=os.getloadavg()[0])


def rows(scenarios: list[Scenario], records: list[dict]) -> list[Row]:
    result: list[Row] = []
    for scenario in scenarios:
        of_scenario = [record for record in records if record["row"] == scenario.name]
        reference = {
            record["repetition"]: record["figure"] for record in of_scenario if record["server"] == scenario.reference}
        for server in scenario.all_servers():
            mine = [record for record in of_scenario if record["server"] == server]
            if mine:
                result.append(row(scenario, server, mine, reference))
    return result


def row(scenario: Scenario, server: str, records: list[dict], reference: dict[int, float]) -> Row:
    figures = [record["figure"] for record in records]
    ratios = [
        record["figure"] / reference[record["repetition"]] for record in records if reference.get(record["repetition"])]
    latencies = [record["latency_us"] for record in records if "latency_us" in record]
    return Row(
        scenario=scenario, server=server, median=statistics.median(figures), lowest=min(figures), highest=max(figures),
        ratio=statistics.median(ratios) if ratios else None, ratio_lowest=min(ratios, default=None),
        ratio_highest=max(ratios, default=None), is_saturated=any(record.get("load_saturated") for record in records),
        is_late=any(record.get("load_late") for record in records),
        latency={key: statistics.median(each[key] for each in latencies) for key in latencies[0]} if latencies else None,
        start_ms=statistics.median(record["start_ms"] for record in records),
        resident_at_start=statistics.median(record["resident_bytes_at_start"] for record in records))


# MARK: text


def number(value: float) -> str:
    """Three digits that mean something."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def short_ratio(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def ratio_text(row: Row) -> str:
    if row.ratio is None or row.server == row.scenario.reference:
        return ""
    return f"**{row.ratio:.2f}** ({row.ratio_lowest:.2f}–{row.ratio_highest:.2f})"


def aim_text(row: Row) -> str:
    if row.reaches_aim is None:
        return ""
    unit = "" if row.scenario.reference else f" {row.scenario.unit}"
    return f"≤ {number(row.scenario.aim)}{unit} {'✓' if row.reaches_aim else '✗'}"


def table(heads: list[str], lines: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *(f"| {' | '.join(line)} |" for line in lines)]


def grouped(rows: list[Row]) -> list[tuple[Scenario, dict[str, Row]]]:
    groups: dict[str, tuple[Scenario, dict[str, Row]]] = {}
    for row in rows:
        groups.setdefault(row.scenario.name, (row.scenario, {}))[1][row.server] = row
    return list(groups.values())


def column_of(server: str) -> str:
    """A peer that compresses stands in the column of the one that does not."""
    return server.removesuffix("-deflate")


def overview(rows: list[Row]) -> list[str]:
    """Work by server, as ratios to the ceiling; figures where there is nothing to compare with."""
    peers = list(dict.fromkeys(column_of(row.server) for row in rows if row.server not in (*CEILINGS, *OURS)))
    lines = []
    for scenario, by_server in grouped(rows):
        ours = by_server.get(scenario.servers[-1])
        reference = by_server.get(scenario.reference or "ceiling")

        def cell(row: Row | None, is_bold: bool = False) -> str:
            if row is None:
                return "–"
            if scenario.reference is None or row.ratio is None:
                text = f"{number(row.median)} {scenario.unit}"
            else:
                text = short_ratio(row.ratio)
            return (f"**{text}**" if is_bold else text) + row.marks

        lines.append([
            scenario.title,
            reference_text(reference),
            *(cell(next((row for name, row in by_server.items() if column_of(name) == peer and name not in CEILINGS), None))
              for peer in peers),
            cell(ours, is_bold=True),
            aim_text(ours) if ours else "",
        ])
    return table(["work (CPU µs unless said otherwise)", "ceiling", *peers, "**signalbox**", "aim"], lines)


def reference_text(row: Row | None) -> str:
    if row is None:
        return "–"
    name = "" if row.server in CEILINGS else f" ({row.server})"
    return f"{number(row.median)} {row.scenario.unit}{name}{row.marks}"


def uring_note(rows: list[Row]) -> list[str]:
    found = [row for row in rows if row.server.endswith("-uring") and row.ratio is not None]
    if not found:
        return []
    told = "; ".join(
        f"{row.scenario.title}: {number(row.median)} {row.scenario.unit}, {row.ratio:.2f} of the ceiling's "
        f"({row.ratio_lowest:.2f}–{row.ratio_highest:.2f})" for row in found)
    return ["", f"For the record, the ceiling with its sends submitted together through io_uring: {told}."]


def details(rows: list[Row], records: list[dict]) -> list[str]:
    lines = ["", "## Each row"]
    for scenario, by_server in grouped(rows):
        shown = [detail for detail in scenario.details if any(
            value_at(detail.path, record) is not None for record in records if record["row"] == scenario.name)]
        has_latency = not scenario.details and any(row.latency for row in by_server.values())
        heads = ["server", scenario.unit, "to the reference", "aim", *(["p50, p99 µs"] if has_latency else []),
                 *(detail.title for detail in shown)]
        body = []
        for server, row in by_server.items():
            line = [server, f"{number(row.median)} ({number(row.lowest)}–{number(row.highest)}){row.marks}",
                    ratio_text(row), aim_text(row)]
            if has_latency:
                line.append(f"{number(row.latency['p50'])}, {number(row.latency['p99'])}" if row.latency else "")
            mine = [record for record in records if record["row"] == scenario.name and record["server"] == server]
            for detail in shown:
                values = [value for record in mine if (value := value_at(detail.path, record)) is not None]
                line.append(number(statistics.median(values) / detail.divisor) if values else "")
            body.append(line)
        lines += ["", f"### {scenario.title}", "", f"`{scenario.name}`", "", *table(heads, body)]
    return lines


def markdown(
    rows: list[Row], records: list[dict], machine: Machine, name: str, repetitions: int, seconds: float, is_quick: bool
) -> str:
    lines = [
        f"# Benchmarks, {name}",
        "",
        f"{machine.processor}, {machine.cores} cores · {machine.kernel} · {machine.swift} · commit {machine.commit} · "
        f"load average at the start {machine.load_average:.2f} · {repetitions} repetitions in {seconds:.0f} s",
        "",
        *overview(rows),
        "",
        "The ceiling's column is its figure, the others' are ratios to it, where there is one: medians of the ratios within "
        "each repetition. The server has core 0, the load generator core 1, on loopback; delivered messages are 200 bytes "
        "of JSON where nothing else is said. CPU µs are the CPU time of the server's process for one operation, as the "
        "kernel counts it; one operation is a delivery to one subscriber wherever there are subscribers. Every subscriber "
        "got every message once, in order and byte for byte the same, or the run would have failed.",
    ]
    if any(row.is_saturated for row in rows):
        lines += ["", "¹ The load generator used its core to more than 95 %: the server may have waited for it. Its CPU "
                  "time for one operation holds nevertheless, latencies and rates do not."]
    if any(row.is_late for row in rows):
        lines += ["", "² The load generator was late with what was due at a fixed time, by more than a quarter of the "
                  "latency: that share is its own."]
    lines += [*uring_note(rows), "", f"![CPU of the server relative to its ceiling]({name}.svg)", *details(rows, records)]
    lines += ["", "## Start", "", *starts(rows), "", "## Commands", "", "```", *commands(rows, is_quick), "```", ""]
    return "\n".join(lines)


def starts(rows: list[Row]) -> list[str]:
    body = []
    for server in dict.fromkeys(row.server for row in rows):
        mine = [row for row in rows if row.server == server]
        start = statistics.median(row.start_ms for row in mine)
        resident = statistics.median(row.resident_at_start for row in mine)
        body.append([server, number(start), number(resident)])
    return table(["server", "from start to the first connection, ms", "resident bytes then"], body)


def commands(rows: list[Row], is_quick: bool) -> list[str]:
    lines = [f"make bench{' QUICK=1' if is_quick else ''}"]
    for server in dict.fromkeys(row.server for row in rows):
        lines.append(f"taskset -c {SERVERS[server].cores} {' '.join(SERVERS[server].command)}")
    for scenario, by_server in grouped(rows):
        load = f"taskset -c {scenario.load_cores} Benchmarks/.build/release/load --target … --port … --server PID"
        lines.append(f"{load} {' '.join(scenario.arguments(is_quick))}")
        if scenario.for_peers and any(server in scenario.peers for server in by_server):
            changes = " ".join(f"--{key} {value}" for key, value in scenario.for_peers.items())
            lines.append(f"    # peers: {changes}")
        for server, options in scenario.options.items():
            lines.append(f"    # {server} with {' '.join(options)}")
        if scenario.cores:
            lines.append(f"    # servers: taskset -c {scenario.cores[0]}")
    return [line.replace(f"{ROOT}/", "") for line in lines]
