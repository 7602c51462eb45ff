"""Server-sent events through urllib3, read as the HTML Standard says."""

from __future__ import annotations

import json
from typing import Any, Dict, Iterator, List, Optional

import urllib3

from .process import GatewayProcess

STREAM_SECONDS_MAX = 10.0
Block = Dict[str, Any]


class Stream:
    """A stream's answer and its blocks, read as the HTML Standard says."""

    def __init__(self, gateway: GatewayProcess, task_id: str, query: str = "", **headers: str) -> None:
        self._pool = urllib3.connection_from_url(gateway.url, retries=False, timeout=STREAM_SECONDS_MAX)
        self.answer = self._pool.request(
            "GET", f"/api/v1/sse/tasks/{task_id}{query}", preload_content=False,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )  # fmt: skip
        self._lines = self._read()

    def _read(self) -> Iterator[str]:
        rest = b""
        # A chunk is what has arrived: no event waits for the next one.
        while piece := self.answer.read1(65536):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                yield line.decode()
        assert not rest, rest

    def block(self) -> Optional[Block]:
        """The next block; None at the end of the stream."""
        block: Block = {}
        for line in self._lines:
            if not line:
                if "data" in block:
                    block["data"] = json.loads(block["data"])
                    return block
                block = {}
                continue
            name, _, value = line.partition(":")
            if name:
                assert name not in block, line
                block[name] = value.removeprefix(" ")
        return None

    def rest(self) -> List[Block]:
        return list(iter(self.block, None))

    def close(self) -> None:
        self.answer.close()

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
