"""The gates' own judgement: a worse figure is refused, with its value, its bound and the remedy; nothing uncounted passes.

The figures are made up here; `make gates` counts the real ones."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from typing import Dict

import pytest

from support.process import REPOSITORY

BENCHMARKS = REPOSITORY / "Benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from gates import callgrind, judge, measurements, strace  # noqa: E402

BOUNDS = BENCHMARKS / "gates.json"
GATES = judge.load(BOUNDS)


def check(
    tmp_path: pathlib.Path, figures: Dict[str, float], *arguments: str, bounds: pathlib.Path = BOUNDS
) -> "subprocess.CompletedProcess[str]":
    file = tmp_path / "figures.json"
    file.write_text(json.dumps(figures))
    return subprocess.run(
        [sys.executable, str(BENCHMARKS / "check_gates.py"), "--figures", str(file), "--bounds", str(bounds), *arguments],
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip


def at_the_bounds() -> Dict[str, float]:
    return {name: gate.bound for name, gate in GATES.items()}


# The bounds that are committed


def test_every_gate_is_measured_once_and_has_a_bound_and_a_reason() -> None:
    measured = [gate for measurement in measurements.MEASUREMENTS for gate in measurement.gates]
    assert len(measured) == len(set(measured))
    assert set(measured) == set(GATES)
    for gate in GATES.values():
        assert gate.bound > 0 and len(gate.reason) > 20 and gate.unit, gate.name


def test_what_the_project_promises_is_not_set_by_measuring() -> None:
    fixed = {name for name, gate in GATES.items() if gate.is_fixed}
    assert {"bytes.connection", "sends.closed-1000", "sends.batch", "sends.echo", "blocks.visit"} <= fixed
    assert GATES["bytes.connection"].bound == 400


# What is refused


def test_figures_at_their_bounds_pass(tmp_path: pathlib.Path) -> None:
    answer = check(tmp_path, at_the_bounds())
    assert answer.returncode == 0, answer.stderr
    assert f"gates: {len(GATES)} of {len(GATES)} kept" in answer.stdout


def a_worse_figure(gate: judge.Gate) -> float:
    """One allocation or call more for each operation, or a tenth more of what is counted by hundreds."""
    return gate.bound * 1.1 if gate.bound > 100 else gate.bound + 1


@pytest.mark.parametrize("name", sorted(GATES))
def test_one_worse_figure_is_complained_of_with_value_bound_and_remedy(name: str) -> None:
    gate = GATES[name]
    worse = a_worse_figure(gate)
    [complaint] = judge.complaints(GATES, {**at_the_bounds(), name: worse})
    assert complaint.startswith(f"{name} is {judge.shown(worse)} {gate.unit}, must be at most {judge.shown(gate.bound)}: ")
    assert gate.reason in complaint
    assert ("check_gates.py --update" in complaint) is not gate.is_fixed


@pytest.mark.parametrize("kind", sorted(judge.ABSOLUTE_MARGINS))
def test_one_worse_figure_fails_the_check(kind: str, tmp_path: pathlib.Path) -> None:
    gate = next(gate for gate in GATES.values() if gate.kind == kind)
    answer = check(tmp_path, {**at_the_bounds(), gate.name: a_worse_figure(gate)})
    assert answer.returncode == 1
    [complaint] = answer.stderr.splitlines()
    assert complaint.startswith(f"gates: {gate.name} is ")
    assert f"gates: {len(GATES) - 1} of {len(GATES)} kept" in answer.stdout
    assert sum("FAILED" in line for line in answer.stdout.splitlines()) == 1


def test_what_is_no_number_does_not_pass(tmp_path: pathlib.Path) -> None:
    answer = check(tmp_path, {**at_the_bounds(), "instructions.echo": float("nan")})
    assert answer.returncode == 1
    assert "instructions.echo is not a number instructions" in answer.stderr


def test_a_figure_without_a_bound_ends_the_check(tmp_path: pathlib.Path) -> None:
    answer = check(tmp_path, {"instructions.unheard-of": 1.0})
    assert answer.returncode == 1
    assert "gates.json has no bound for instructions.unheard-of" in answer.stderr


def test_a_gate_of_an_unknown_kind_is_refused(tmp_path: pathlib.Path) -> None:
    bounds = tmp_path / "gates.json"
    bounds.write_text(json.dumps({"seconds.echo": {"bound": 1, "unit": "s", "reason": "time is no count"}}))
    answer = check(tmp_path, {}, bounds=bounds)
    assert answer.returncode == 1
    assert "has a gate seconds.echo, must begin with one of" in answer.stderr


# What is better, and --update


def test_an_improvement_asks_for_a_lower_bound_and_passes(tmp_path: pathlib.Path) -> None:
    bound = GATES["instructions.handshake"].bound
    answer = check(tmp_path, {**at_the_bounds(), "instructions.handshake": bound * 0.84})
    assert answer.returncode == 0
    [note] = [line for line in answer.stdout.splitlines() if line.startswith("note: ")]
    assert note.startswith("note: instructions.handshake is ") and "--update" in note
    answer = check(tmp_path, {**at_the_bounds(), "instructions.handshake": bound * 0.86})
    assert "note: " not in answer.stdout


def test_an_update_sets_the_bounds_above_the_figures_and_leaves_the_promises(tmp_path: pathlib.Path) -> None:
    bounds = tmp_path / "gates.json"
    bounds.write_text(BOUNDS.read_text())
    figures = {
        **at_the_bounds(), "instructions.echo": 1000.0, "allocations.echo": 0.0, "system-calls.echo": 2.5,
        "bytes.connection": 300.0,
    }  # fmt: skip
    answer = check(tmp_path, figures, "--update", bounds=bounds)
    assert answer.returncode == 0, answer.stderr
    after = judge.load(bounds)
    assert after["instructions.echo"].bound == 1060
    assert after["allocations.echo"].bound == 0.03
    assert after["system-calls.echo"].bound == 2.73
    assert after["bytes.connection"] == GATES["bytes.connection"]
    assert list(after) == list(GATES)
    assert [gate.reason for gate in after.values()] == [gate.reason for gate in GATES.values()]
    # Freshly set bounds hold, and ask for nothing.
    answer = check(tmp_path, figures, bounds=bounds)
    assert answer.returncode == 0 and "note: " not in answer.stdout


def test_an_update_does_not_excuse_a_broken_promise(tmp_path: pathlib.Path) -> None:
    bounds = tmp_path / "gates.json"
    bounds.write_text(BOUNDS.read_text())
    answer = check(tmp_path, {**at_the_bounds(), "bytes.connection": 401.0}, "--update", bounds=bounds)
    assert answer.returncode == 1
    assert "bytes.connection is 401 bytes, must be at most 400" in answer.stderr
    assert "the bound is a promise and stays" in answer.stderr


@pytest.mark.parametrize(
    "value, text",
    [(0, "0"), (0.03041, "0.0305"), (0.03, "0.03"), (1.001, "1.01"), (99.91, "100"), (1234, "1,240"), (13_209_600, "13,300,000")],
)  # fmt: skip
def test_a_bound_has_three_digits_and_is_never_below_its_value(value: float, text: str) -> None:
    assert judge.rounded_up(value) >= value
    assert judge.shown(judge.rounded_up(value)) == text


# Counting

# Two allocations by `work` (one by way of the runtime, one by an aligned allocator that calls malloc itself), one freed.
CALLGRIND = """\
# callgrind format
events: Ir

ob=(1) /somewhere/signalbox
fl=(1) Work.swift
fn=(1) work
10 100
cob=(2) /lib/libc.so.6
cfn=(2) swift_allocObject
calls=1 0
11 500
+2 50
cfn=(4) posix_memalign
calls=1 0
* 70
cfn=(6) free
calls=1 0
* 20

fn=(2)
0 9
cfn=(3) malloc
calls=1 0
0 30

fn=(7) work'2
12 3

ob=(2)
fn=(4)
0 5
cfn=(5) _mid_memalign.constprop.0
calls=1 0
0 40

fn=(5)
0 6
cfn=(3)
calls=1 0
0 30

fn=(3)
0 60
"""


def test_callgrinds_figures_are_read_by_object_and_by_function() -> None:
    profile = callgrind.read(CALLGRIND)
    assert profile.instructions_in("signalbox") == 100 + 50 + 9 + 3
    assert profile.instructions_in("libc.so.6") == 5 + 6 + 60
    assert profile.functions()["work"] == 153
    assert profile.lines["Work.swift:12 in work"] == 3
    assert profile.lines["Work.swift:13 in work"] == 50


def test_each_request_for_memory_counts_once_and_belongs_to_who_wanted_it() -> None:
    profile = callgrind.read(CALLGRIND)
    assert profile.allocations == 2
    assert profile.allocating() == {"work": 2}
    assert profile.kept == 1


def test_what_an_operation_costs_is_the_difference_by_the_operations_between() -> None:
    few, many = callgrind.Profile(), callgrind.Profile()
    few.instructions["signalbox", "start"] = 1000
    many.instructions["signalbox", "start"] = 1000
    many.instructions["signalbox", "work"] = 500
    few.calls["work", "malloc"], many.calls["work", "malloc"] = 10, 35
    cost = many.per_operation(few, 50)
    assert cost.instructions_in("signalbox") == 10
    assert cost.allocations == 0.5


def test_straces_table_is_read_with_and_without_errors() -> None:
    table = """\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 66.32    0.000321           4        72        12 recvfrom
 33.68    0.000163           2        71           sendto
  0.00    0.000000           0         3         3 accept4
------ ----------- ----------- --------- --------- ----------------
100.00    0.000484           3       146        15 total
"""
    counts = strace.read(table)
    assert counts == {"recvfrom": 72, "sendto": 71, "accept4": 3}
    assert strace.sends({name: float(count) for name, count in counts.items()}) == 71


@pytest.mark.parametrize("body, says", [
    ("echo 'strace: ptrace(PTRACE_TRACEME): Operation not permitted' >&2; exit 1", "strace may not trace here"),
    (None, "strace is not installed"),
])  # fmt: skip
def test_where_nothing_can_be_traced_the_check_fails(
    body: str, says: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if body:
        (tmp_path / "strace").write_text(f"#!/bin/sh\n{body}\n")
        os.chmod(tmp_path / "strace", 0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit) as failure:
        strace.check_permission()
    assert says in str(failure.value)
