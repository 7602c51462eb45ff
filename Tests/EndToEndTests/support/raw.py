"""Bytes on a TCP connection, for what no proper client would send."""

from __future__ import annotations

import base64
import os
import socket
import struct
from typing import Dict, Optional, Tuple

from .process import GatewayProcess

MESSAGE_SECONDS_MAX = 5.0
MASK = b"\x37\xfa\x21\x3d"
"""RFC 6455 §5.7's own; the same in every run, so that tests keep their names."""


def frame(opcode: int, payload: bytes = b"", *, final: bool = True, masked: bool = True, reserved: int = 0) -> bytes:
    """A client's frame (RFC 6455 §5.2)."""
    head = bytes([(0x80 if final else 0) | (reserved << 4) | opcode])
    mask_bit = 0x80 if masked else 0
    if len(payload) < 126:
        head += bytes([mask_bit | len(payload)])
    elif len(payload) < 65536:
        head += bytes([mask_bit | 126]) + struct.pack("!H", len(payload))
    else:
        head += bytes([mask_bit | 127]) + struct.pack("!Q", len(payload))
    if not masked:
        return head + payload
    mask = MASK
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


class RawSocket:
    """A TCP connection to a gateway; every read has a deadline."""

    def __init__(self, gateway: GatewayProcess, *, receive_buffer_byte_count: Optional[int] = None) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer_byte_count is not None:
            # Before connecting: the window that the gateway sees is decided in the handshake.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_byte_count)
        self.socket.settimeout(MESSAGE_SECONDS_MAX)
        self.socket.connect((gateway.host, gateway.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.host = f"{gateway.host}:{gateway.port}"
        self._buffer = b""
        self.last_payload = b""

    def __enter__(self) -> "RawSocket":
        return self

    def __exit__(self, *exception: object) -> None:
        self.socket.close()

    def send(self, content: bytes) -> None:
        self.socket.sendall(content)

    def reset(self) -> None:
        """Ends the connection with a TCP reset instead of a FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def read(self, count: int) -> bytes:
        while len(self._buffer) < count:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError(f"the gateway closed the connection; read so far: {self._buffer!r}")
            self._buffer += more
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def read_to_end(self) -> bytes:
        """Everything up to the end of the stream."""
        while True:
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                taken, self._buffer = self._buffer, b""
                return taken
            self._buffer += more

    def answer(self) -> Tuple[int, Dict[str, str], bytes]:
        """One HTTP answer: status, headers in lower case, body by Content-Length."""
        while b"\r\n\r\n" not in self._buffer:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError(f"the gateway closed the connection; read so far: {self._buffer!r}")
            self._buffer += more
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        version, status = lines[0].split(" ")[:2]
        assert version == "HTTP/1.1", lines[0]
        headers = {name.strip().lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:])}
        length = 0 if int(status) in (101, 204, 304) else int(headers.get("content-length", "0"))
        return int(status), headers, self.read(length)

    def upgrade(self, path: str = "/ws", extra: str = "", key: Optional[str] = None) -> Dict[str, str]:
        """The opening handshake, which must succeed."""
        self.send(self.upgrade_request(path, extra, key))
        status, headers, body = self.answer()
        assert status == 101, (status, headers, body)
        return headers

    def upgrade_request(self, path: str = "/ws", extra: str = "", key: Optional[str] = None) -> bytes:
        key = key or base64.b64encode(os.urandom(16)).decode()
        return (
            f"GET {path} HTTP/1.1\r\nHost: {self.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{extra}\r\n"
        ).encode()

    def frame(self) -> Tuple[int, bytes]:
        """One frame from the gateway, which must be whole and unmasked: (opcode, payload)."""
        first, second = self.read(2)
        assert first & 0x80 and not second & 0x80, (first, second)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self.read(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self.read(8))
        self.last_payload = self.read(length)
        return first & 0x0F, self.last_payload

    def close_frame(self) -> Tuple[int, str]:
        """The next close frame's code and reason; other frames before it are passed over."""
        while True:
            opcode, payload = self.frame()
            if opcode == 8:
                return (int.from_bytes(payload[:2], "big") if payload else 1005), payload[2:].decode()
