"""The store's records as a Markdown table."""

from __future__ import annotations

import statistics

from .report import Machine, number, table
from .store_rows import Row, value_at


def markdown(
    rows: list[Row], records: list[dict], machine: Machine, name: str, repetitions: int, seconds: float, is_quick: bool
) -> str:
    loads = [record["load_average"] for record in records]
    lines = [
        f"# Benchmarks of the store, {name}",
        "",
        f"`make bench-store{' QUICK=1' if is_quick else ''}` · {machine.processor}, {machine.cores} cores · {machine.kernel} · "
        f"{machine.swift} · commit {machine.commit} · load average {min(loads):.1f}–{max(loads):.1f} · "
        f"repetitions: {repetitions}, in {seconds:.0f} s",
        "",
        *table(["work", "with", "median (lowest–highest)", "to memory", "aim", "beside it"],
               [cells for row in rows for cells in row_cells(row, records)]),
        "",
        "CPU µs are those of all the gateway's threads for one operation, its store's thread and the kernel's share included. "
        "One loop and the store's thread share core 0, the load generator has core 1, where nothing else is said. `store` is "
        "SQLite's file on this disk, `memory` is `--store memory`; ratios are medians of those within each repetition. The "
        "files of a start are in the page cache. Seconds and rates are wall clock: they hold on a machine that has nothing "
        "else to do (see the load average); CPU holds on a busy one too.",
        "",
    ]
    return "\n".join(lines)


def row_cells(row: Row, records: list[dict]) -> list[list[str]]:
    mine = [record for record in records if record["row"] == row.name]
    lines = []
    for variant in row.variants:
        found = [record for record in mine if record["variant"] == variant]
        values = [value_at(row.figure, record) for record in found]
        median = statistics.median(values)
        ratio = ratio_of(row, variant, mine)
        lines.append([
            row.title if variant == row.variants[0] else "", variant,
            f"**{number(median)} {row.unit}** ({number(min(values))}–{number(max(values))})",
            "" if ratio is None else f"**{ratio:.2f}**",
            aim_text(row, variant, median, ratio),
            ", ".join(detail for each in row.details if (detail := detail_text(each, found))),
        ])
    return lines


def ratio_of(row: Row, variant: str, records: list[dict]) -> float | None:
    """The median of the repetitions' ratios to the variant that is the reference, or to memory for the record."""
    reference = row.reference or "memory"
    if reference == variant or reference not in row.variants:
        return None
    figures = {(record["variant"], record["repetition"]): value_at(row.figure, record) for record in records}
    return statistics.median(
        figures[variant, repetition] / figures[reference, repetition]
        for (each, repetition) in figures if each == variant)


def aim_text(row: Row, variant: str, median: float, ratio: float | None) -> str:
    if row.aim is None or variant == "memory":
        return ""
    value = ratio if row.reference else median
    return f"≤ {number(row.aim)}{'' if row.reference else ' ' + row.unit} {'✓' if value <= row.aim else '✗'}"


def detail_text(detail: tuple[str, tuple[str, ...], float], records: list[dict]) -> str:
    title, path, divisor = detail
    values = [value for record in records if (value := value_at(path, record)) is not None]
    return f"{title}: {number(statistics.median(values) / divisor)}" if values else ""
