"""A client that sends ping frames and nothing else: what any received frame costs, without a message in it."""

from __future__ import annotations

import socket

# RFC 6455 §5.5.2: final, opcode 9, masked; eight bytes under a key of zero stay as they are.
PING = b"\x89\x88\x00\x00\x00\x00" + b"pingpong"
PONG = b"\x8a\x08" + b"pingpong"
REQUEST = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
WARM_UP_COUNT = 50


def exchange(port: int, count: int) -> int:
    """Sends so many pings, each when the one before is answered; returns how many were."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(REQUEST)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += received(connection)
        if not answer.startswith(b"HTTP/1.1 101"):
            raise SystemExit(f"the handshake was answered: {answer[:200]!r}")
        if not answer.endswith(b"\r\n\r\n"):
            raise SystemExit(f"unasked: {answer[-200:]!r}")
        for _ in range(WARM_UP_COUNT + count):
            connection.sendall(PING)
            pong = b""
            while len(pong) < len(PONG):
                pong += received(connection)
            if pong != PONG:
                raise SystemExit(f"a ping was answered: {pong!r}")
    return count


def received(connection: socket.socket) -> bytes:
    chunk = connection.recv(65536)
    if not chunk:
        raise SystemExit("the server closed the connection")
    return chunk
