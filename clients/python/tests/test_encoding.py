"""Any Python value becomes JSON that every reader takes."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import math
import pathlib
import uuid
from typing import Any

import pytest
from conftest import Double

from signalbox import Gateway, GatewayError
from signalbox.encoding import NESTING_DEPTH_MAX, REPR_CHARACTER_COUNT_MAX, encode


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    y: Any


class Plain:
    def __repr__(self) -> str:
        return "<plain>"


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": [1, 2.5, True, None, "文字"]}, {"a": [1, 2.5, True, None, "文字"]}),
        (datetime.datetime(2025, 1, 22, 10, 0, 0, 123456), "2025-01-22T10:00:00.123456"),
        (datetime.date(2025, 1, 22), "2025-01-22"),
        (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (decimal.Decimal("1.10"), "1.10"),
        (pathlib.PurePosixPath("/tmp/x"), "/tmp/x"),
        (Colour.RED, "red"),
        (Point(1, Point(2, None)), {"x": 1, "y": {"x": 2, "y": None}}),
        ({3, 1, 2}, [1, 2, 3]),
        ((1, (2,)), [1, [2]]),
        (b"\x00\xff", "b'\\x00\\xff'"),
        (Plain(), "<plain>"),
        ([Plain()], ["<plain>"]),
        (Hostile(), "<Hostile, whose repr raised RuntimeError>"),
        ({2: "a", None: "b", (1, 2): "c", True: "d"}, {"2": "a", "null": "b", "(1, 2)": "c", "true": "d"}),
        (math.nan, "nan"),
        ([1.0, math.inf, -math.inf], [1.0, "inf", "-inf"]),
        ({"deep": [{"x": math.nan, "y": Plain()}]}, {"deep": [{"x": "nan", "y": "<plain>"}]}),
        ("\ud800 lone", "? lone"),
        (10**400, 10**400),
    ],
)
def test_a_value_has_one_form(value: Any, expected: Any) -> None:
    def no_constants(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    assert json.loads(encode(value), parse_constant=no_constants) == expected


def test_a_cycle_ends(double: Double, gateway: Gateway) -> None:
    cycle: Any = {"name": "cycle"}
    cycle["self"] = cycle
    assert gateway.complete("t", cycle)
    assert double.last.body["result"]["name"] == "cycle"


def test_nesting_ends() -> None:
    deep: Any = "core"
    for _ in range(100_000):
        deep = [deep]
    decoded = json.loads(encode(deep))
    depth = 0
    while isinstance(decoded, list):
        decoded, depth = decoded[0], depth + 1
    assert depth == NESTING_DEPTH_MAX
    assert "too deeply" in decoded


def test_a_long_repr_is_cut() -> None:
    class Long:
        def __repr__(self) -> str:
            return "x" * 1_000_000

    assert len(json.loads(encode(Long()))) == REPR_CHARACTER_COUNT_MAX + 1


def test_not_a_number_is_text_for_a_report_and_refused_when_strict(
    double: Double, gateway: Gateway, strict_gateway: Gateway
) -> None:
    assert gateway.complete("t", {"loss": math.nan})
    assert double.last.body["result"] == {"loss": "nan"}
    with pytest.raises(GatewayError) as caught:
        strict_gateway.complete("t", {"loss": math.nan})
    assert caught.value.code == "unencodable"
    assert len(double.requests) == 1


def test_text_is_utf_8_and_not_escaped(double: Double, gateway: Gateway) -> None:
    gateway.progress("t", 1, message="处理中 3/5 🚦")
    assert "处理中 3/5 🚦".encode() in double.last.content
