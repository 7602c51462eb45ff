"""The paths and the publications that every server program here understands, told once for those in Python."""

from __future__ import annotations

import collections
import typing

Connection = typing.TypeVar("Connection")


def topic_of(path: str) -> str | None:
    """The topic that a connection to this path receives, None where it receives none."""
    return path.removeprefix("/t/") if path.startswith("/t/") else None


def parse_publication(message: str) -> tuple[str, str]:
    """A publication is its topic, a space, and what is delivered."""
    topic, _, payload = message.partition(" ")
    return topic, payload


def subscribers_by_topic() -> collections.defaultdict[str, set]:
    return collections.defaultdict(set)
