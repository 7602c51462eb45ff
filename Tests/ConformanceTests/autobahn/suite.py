#!/usr/bin/env python3
"""Runs the converted suite's fuzzing client: `suite.py SPECIFICATION`, in the environment that install.py makes.

Everything in the suite that is text stands for bytes, one character for each (see install.py). This file is the border:
what the cases send becomes bytes, what they receive becomes such text. Beside that it replaces what would be slow in pure
Python, or does not matter here: masking, the validation of UTF-8 and the HTML reports.
"""

import json
import os
import sys
from pathlib import Path

import install

sys.path.insert(0, str(install.TOOLS / "suite"))

from autobahn.websocket import protocol as websocket_protocol  # noqa: E402
from autobahn.websocket import xormasker  # noqa: E402
from twisted.internet import reactor  # noqa: E402

from autobahntestsuite import fuzzing  # noqa: E402
from autobahntestsuite.compatibility import Utf8Validator, as_bytes, binascii  # noqa: E402


def as_text(data):
    return data.decode("latin-1") if isinstance(data, (bytes, bytearray)) else data


# --- What would be slow --------------------------------------------------------------------------------------------


class XorMasker:
    """Masks a whole block as one large number; the position in the mask goes on from block to block."""

    def __init__(self, mask, length=None):
        self.mask = bytes(mask)
        self.position = 0

    def pointer(self):
        return self.position

    def reset(self):
        self.position = 0

    def process(self, data):
        count = len(data)
        start = self.position & 3
        self.position += count
        rotated = self.mask[start:] + self.mask[:start]
        key = (rotated * (count // 4 + 1))[:count]
        return (int.from_bytes(data, "little") ^ int.from_bytes(key, "little")).to_bytes(count, "little")


def create_xor_masker(mask, length=None):
    return XorMasker(mask, length)


xormasker.createXorMasker = websocket_protocol.createXorMasker = create_xor_masker
websocket_protocol.Utf8Validator = Utf8Validator


# --- The border ----------------------------------------------------------------------------------------------------


def hexadecimal(data, maxlen=64):
    data = as_bytes(data)
    return binascii.b2a_hex(data[:maxlen]) + (" ..." if len(data) > maxlen - 4 else "")


def readable(data, maxlen=64, replace=False):
    data = as_bytes(data)
    try:
        return data[:maxlen].decode("utf-8", "replace" if replace else "strict") + (" ..." if len(data) > maxlen - 4 else "")
    except UnicodeDecodeError:
        return "0x" + hexadecimal(data, maxlen)


fuzzing.binLogData = hexadecimal
fuzzing.asciiLogData = readable


class ClientProtocol(fuzzing.FuzzingClientProtocol):
    # Sending: text of the cases becomes bytes. The library calls these with bytes itself, which pass.

    def sendData(self, data, sync=False, chopsize=None):
        return super().sendData(as_bytes(data), sync, chopsize)

    def sendFrame(self, opcode, payload=b"", payload_len=None, **options):
        payload = as_bytes(payload)
        if payload_len is not None:
            # Repeated to this length; the library divides with `/`, which makes a fraction today.
            payload = (payload * (payload_len // len(payload) + 1))[:payload_len]
        return super().sendFrame(opcode=opcode, payload=payload, **options)

    def sendMessage(self, payload, *arguments, **options):
        return super().sendMessage(as_bytes(payload), *arguments, **options)

    def sendMessageFrameData(self, payload, sync=False):
        return super().sendMessageFrameData(as_bytes(payload), sync)

    def sendCloseFrame(self, code=None, reasonUtf8=None, isReply=False):
        return super().sendCloseFrame(code, as_bytes(reasonUtf8), isReply)

    def sendClose(self, code=None, reason=None):
        return super().sendClose(code, as_bytes(reason).decode("utf-8") if reason is not None else None)

    # Receiving: bytes become text, but for cases 12 and 13, which compare digests of bytes.

    def onMessage(self, payload, isBinary):
        wants_bytes = hasattr(self.runCase, "TESTDATA")
        super().onMessage(payload if wants_bytes else as_text(payload), isBinary)

    def onPing(self, payload):
        super().onPing(payload)

    def onPong(self, payload):
        super().onPong(as_text(payload))

    # The record of what went over the wire.

    def logRxFrame(self, frameHeader, payload):
        super().logRxFrame(frameHeader, [as_text(part) for part in payload])


fuzzing.FuzzingClientProtocol = ClientProtocol


# --- Reports -------------------------------------------------------------------------------------------------------


def write_reports(factory):
    """The index with the verdicts, and for every case what was expected, received and seen on the wire; all JSON."""
    directory = Path(factory.outdir)
    index = {}
    for agent, cases in factory.agents.items():
        index[agent] = {}
        for case, record in cases.items():
            name = factory.makeAgentCaseReportFilename(agent, case, "json")
            verdict = {key: record[key] for key in ("behavior", "behaviorClose", "remoteCloseCode", "duration")}
            index[agent][case] = {**verdict, "reportfile": name}
            (directory / name).write_text(json.dumps(record, indent=1, default=as_text))
    (directory / "index.json").write_text(json.dumps(index, indent=1, sort_keys=True))


fuzzing.FuzzingFactory.createReports = write_reports


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: suite.py SPECIFICATION")
    fuzzing.startClient(json.loads(Path(sys.argv[1]).read_text()))
    reactor.run()


if __name__ == "__main__":
    # The caller watches the output for progress.
    sys.stdout.reconfigure(line_buffering=True)
    main()
