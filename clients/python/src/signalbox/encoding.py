"""Python values as JSON that any reader takes, whatever a task put into its result."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import math
import os
import uuid
from typing import Any, FrozenSet, List

from .errors import GatewayError

NESTING_DEPTH_MAX = 64
"""Deeper values are replaced by their repr: no watcher shows them, and readers bound their recursion."""

REPR_CHARACTER_COUNT_MAX = 2048
"""A repr longer than this is cut: it is a hint for a person, not data."""


def encode(value: Any, *, strict: bool = False) -> bytes:
    """``value`` as UTF-8 JSON.

    What JSON cannot say becomes text: dates in ISO 8601, UUIDs, paths and decimals as ``str``, anything else as its
    ``repr``. NaN and the infinities, which no JSON reader accepts, become text too; with ``strict`` they are refused
    with GatewayError ``unencodable``, because a strict caller wants to hear that a number is not one.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_substitute)
    except ValueError as error:  # NaN, an infinity, or a cycle
        if strict:
            raise GatewayError("unencodable", f"the value has no form in JSON: {error}") from error
        text = _encode_repaired(value)
    except (TypeError, RecursionError):  # a key that is no text, or a value nested without end
        text = _encode_repaired(value)
    # A lone surrogate has no UTF-8 form; "?" in its place keeps the rest of the message.
    return text.encode("utf-8", "replace")


def _encode_repaired(value: Any) -> str:
    return json.dumps(_repair(value, 0, frozenset()), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _repair(value: Any, depth: int, ancestors: FrozenSet[int]) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else repr(float(value))
    if depth >= NESTING_DEPTH_MAX or id(value) in ancestors:
        return _repr(value) if depth < NESTING_DEPTH_MAX else f"<{type(value).__name__} nested too deeply>"
    within = ancestors | {id(value)}
    if isinstance(value, dict):
        return {_key(key): _repair(each, depth + 1, within) for key, each in list(value.items())}
    if isinstance(value, (list, tuple)):
        return [_repair(each, depth + 1, within) for each in value]
    return _repair(_substitute(value), depth + 1, within)


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    if key is None or isinstance(key, (bool, int)):
        return json.dumps(key)
    return _repr(key)


def _substitute(value: Any) -> Any:
    """What stands for a value that JSON has no word for."""
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (uuid.UUID, decimal.Decimal)):
        return str(value)
    if isinstance(value, os.PathLike):
        return str(value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (set, frozenset)):
        return _sorted_when_possible(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    return _repr(value)


def _sorted_when_possible(values: Any) -> List[Any]:
    try:
        return sorted(values)
    except TypeError:
        return list(values)


def _repr(value: Any) -> str:
    try:
        text = repr(value)
    except Exception as error:  # a repr is other people's code
        return f"<{type(value).__name__}, whose repr raised {type(error).__name__}>"
    return text if len(text) <= REPR_CHARACTER_COUNT_MAX else text[:REPR_CHARACTER_COUNT_MAX] + "…"
