"""From records to the Markdown report."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import platform
import statistics
import subprocess

from .scenarios import Scenario
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
    latency: dict[str, float] | None
    start_ms: float
    resident_at_start: float

    @property
    def reaches_aim(self) -> bool | None:
        """None for what no aim is set for: the reference itself and what could not be compared."""
        if self.scenario.aim is None or self.server != self.scenario.servers[-1]:
            return None
        value = self.median if self.scenario.reference is None else self.ratio
        return None if value is None else value <= self.scenario.aim


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
        for server in scenario.servers:
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
        latency={key: statistics.median(each[key] for each in latencies) for key in latencies[0]} if latencies else None,
        start_ms=statistics.median(record["start_ms"] for record in records),
        resident_at_start=statistics.median(record["resident_bytes_at_start"] for record in records))


def number(value: float) -> str:
    """Three digits that mean something."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def ratio_text(row: Row) -> str:
    if row.ratio is None or row.server == row.scenario.reference:
        return ""
    return f"**{row.ratio:.2f}** ({row.ratio_lowest:.2f}–{row.ratio_highest:.2f})"


def aim_text(row: Row) -> str:
    if row.reaches_aim is None:
        return ""
    unit = "" if row.scenario.reference else f" {row.scenario.unit}"
    return f"≤ {number(row.scenario.aim)}{unit} {'✓' if row.reaches_aim else '✗'}"


def markdown(rows: list[Row], machine: Machine, name: str, repetitions: int, seconds: float, is_quick: bool) -> str:
    lines = [
        f"# Benchmarks, {name}",
        "",
        f"{machine.processor}, {machine.cores} cores · {machine.kernel} · {machine.swift} · commit {machine.commit} · "
        f"load average at the start {machine.load_average:.2f} · {repetitions} repetitions in {seconds:.0f} s",
        "",
        f"![CPU of the server relative to its ceiling]({name}.svg)",
        "",
        "The server has core 0, the load generator core 1, on loopback; delivered messages are 200 bytes of JSON. The "
        "figure is the CPU time of the server's process for one operation, as the kernel counts it (one operation is a delivery to one subscriber wherever there are subscribers): median (lowest–highest) of "
        "the repetitions. The ratio is taken within a repetition. Every subscriber got every message once, in order and "
        "byte for byte the same, or the run would have failed.",
        "",
        "| work | server | figure | ratio to the reference | aim | p50, p99 µs |",
        "|---|---|---|---|---|---|",
    ]
    previous = None
    for row in rows:
        title = "" if row.scenario is previous else row.scenario.title
        previous = row.scenario
        latency = f"{number(row.latency['p50'])}, {number(row.latency['p99'])}" if row.latency else ""
        saturated = " ¹" if row.is_saturated else ""
        lines.append(
            f"| {title} | {row.server} | {number(row.median)} {row.scenario.unit} "
            f"({number(row.lowest)}–{number(row.highest)}){saturated} | {ratio_text(row)} | {aim_text(row)} | {latency} |")
    if any(row.is_saturated for row in rows):
        lines += ["", "¹ The load generator used its core to more than 95 %: the server may have waited for it. Its CPU "
                  "time for one operation holds nevertheless, latencies and rates do not."]
    lines += ["", "| server | from start to the first connection, ms | resident bytes then |", "|---|---|---|"]
    for server in dict.fromkeys(row.server for row in rows):
        mine = [row for row in rows if row.server == server]
        start = statistics.median(row.start_ms for row in mine)
        resident = statistics.median(row.resident_at_start for row in mine)
        lines.append(f"| {server} | {number(start)} | {number(resident)} |")
    lines += ["", "Commands:", "", "```"]
    lines.append(f"make bench{' QUICK=1' if is_quick else ''}")
    for server in dict.fromkeys(row.server for row in rows):
        command = " ".join(SERVERS[server].command).replace(f"{ROOT}/", "")
        lines.append(f"taskset -c {SERVERS[server].cores} {command}")
    for scenario in dict.fromkeys(row.scenario.name for row in rows):
        arguments = next(row.scenario for row in rows if row.scenario.name == scenario).arguments(is_quick)
        lines.append(f"taskset -c 1 Benchmarks/.build/release/load --target … --port … --server PID {' '.join(arguments)}")
    return "\n".join([*lines, "```", ""])
