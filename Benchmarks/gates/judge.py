"""Compares figures with the bounds of gates.json, says what to do where one is passed, and rewrites them."""

from __future__ import annotations

import dataclasses
import json
import math
import pathlib

# A bound is this share, and by kind this much, above what was measured when it was set: that is what turns that end
# sooner or later, and seeds of hash tables, vary.
RELATIVE_MARGIN = 0.05
ABSOLUTE_MARGINS = {
    "instructions": 5.0, "allocations": 0.03, "blocks": 0.03, "system-calls": 0.1, "sends": 0.02, "bytes": 8.0}
# A figure this far below its bound asks for a lower one.
IMPROVEMENT = 0.15
WHAT_TO_DO = {
    "instructions": "Benchmarks/instructions.py --paths {path} shows them by function",
    "allocations": "Benchmarks/instructions.py --paths {path} --allocations shows them by who wants the memory",
    "blocks": "valgrind --leak-check=full on a gateway that is stopped by SIGTERM shows who keeps them",
    "system-calls": "strace -f -c shows them by name, Benchmarks/gates/paths.py what is run",
    "sends": "each connection is written once in a turn; strace -f -e trace=sendto,sendmsg,writev shows the calls",
    "bytes": "what a connection holds is in Sources/Gateway/Connection/Connection.swift; a leak shows under valgrind --tool=massif",
}


@dataclasses.dataclass
class Gate:
    name: str
    bound: float
    unit: str
    reason: str
    # The bound is a promise of the project and not what was measured: --update leaves it.
    is_fixed: bool = False

    @property
    def kind(self) -> str:
        return self.name.split(".")[0]

    @property
    def path(self) -> str:
        return self.name.split(".", 1)[1]

    def bound_for(self, value: float) -> float:
        """A bound for what was measured: the margin above it, rounded up to what a reader can compare."""
        return rounded_up(value + RELATIVE_MARGIN * abs(value) + ABSOLUTE_MARGINS[self.kind])

    def is_passed_by(self, value: float) -> bool:
        return not value <= self.bound  # what is no number does not keep it either

    def asks_for_less(self, value: float) -> bool:
        return not self.is_fixed and value < (1 - IMPROVEMENT) * self.bound and self.bound_for(value) < self.bound

    def complaint(self, value: float) -> str:
        """The value, the bound, the remedy."""
        what = WHAT_TO_DO[self.kind].format(path=self.path)
        remedy = (
            "the bound is a promise and stays" if self.is_fixed
            else "a price that is worth paying is entered with Benchmarks/check_gates.py --update, with the reason in the commit")
        return f"{self.name} is {shown(value)} {self.unit}, must be at most {shown(self.bound)}: {self.reason}. {what}; {remedy}."


def rounded_up(value: float) -> float:
    """Three digits that mean something, never less than the value."""
    if value <= 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    up = math.ceil(round(value / unit, 6)) * unit
    return round(up, 6) if up < 100 else float(round(up))


def shown(value: float) -> str:
    if value != value:
        return "not a number"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    text = f"{value:.3f}" if abs(value) >= 0.1 else f"{value:.4f}"
    return text.rstrip("0").rstrip(".") or "0"


def load(file: pathlib.Path) -> dict[str, Gate]:
    gates: dict[str, Gate] = {}
    for name, entry in json.loads(file.read_text(encoding="utf-8")).items():
        gates[name] = Gate(name, float(entry["bound"]), entry["unit"], entry["reason"], entry.get("fixed", False))
        if gates[name].kind not in ABSOLUTE_MARGINS:
            raise SystemExit(f"gates: {file.name} has a gate {name}, must begin with one of {', '.join(ABSOLUTE_MARGINS)}")
    return gates


def save(gates: dict[str, Gate], file: pathlib.Path) -> None:
    lines = []
    for gate in gates.values():
        bound = int(gate.bound) if gate.bound == int(gate.bound) else gate.bound
        entry = {"bound": bound, "unit": gate.unit, "reason": gate.reason}
        if gate.is_fixed:
            entry["fixed"] = True
        lines.append(f"  {json.dumps(gate.name)}: {json.dumps(entry, ensure_ascii=False)}")
    file.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def updated(gates: dict[str, Gate], figures: dict[str, float]) -> dict[str, Gate]:
    """The gates with bounds for these figures; fixed ones and those that were not measured as they were."""
    return {
        name: gate if gate.is_fixed or name not in figures else dataclasses.replace(gate, bound=gate.bound_for(figures[name]))
        for name, gate in gates.items()
    }


def table(gates: dict[str, Gate], figures: dict[str, float]) -> str:
    rows = [("gate", "value", "bound", "unit", "")]
    for name, value in figures.items():
        gate = gates[name]
        verdict = "FAILED" if gate.is_passed_by(value) else "could be lower" if gate.asks_for_less(value) else "ok"
        rows.append((name, shown(value), shown(gate.bound), gate.unit, verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join(
        f"{row[0]:{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:>{widths[2]}}  {row[3]:{widths[3]}}  {row[4]}".rstrip()
        for row in rows)


def complaints(gates: dict[str, Gate], figures: dict[str, float]) -> list[str]:
    return [gates[name].complaint(value) for name, value in figures.items() if gates[name].is_passed_by(value)]


def notes(gates: dict[str, Gate], figures: dict[str, float]) -> list[str]:
    return [
        f"{name} is {shown(value)}, more than {IMPROVEMENT:.0%} below its bound of {shown(gates[name].bound)}: lower the bound to "
        f"{shown(gates[name].bound_for(value))} with Benchmarks/check_gates.py --update, or the gain can be lost unseen."
        for name, value in figures.items() if gates[name].asks_for_less(value)
    ]
