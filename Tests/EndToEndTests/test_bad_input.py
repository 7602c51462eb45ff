"""Bytes that no proper client sends: each gets its answer, and the gateway lives on."""

from __future__ import annotations

import random
import struct
import zlib
from typing import Any, Optional, Set

import psutil
import pytest

from support.api import Api
from support.process import API_KEY, GatewayProcess
from support.raw import RawSocket, frame
from support.sockets import eventually

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
AUTHORIZED = f"Authorization: Bearer {API_KEY}\r\nContent-Type: application/json\r\n".encode()
POST = b"POST /api/v1/broadcast HTTP/1.1\r\nHost: h\r\n" + AUTHORIZED


@pytest.fixture(scope="module")
def gateway(start: Any) -> GatewayProcess:
    return start()


@pytest.fixture(autouse=True)
def _lives_on(gateway: GatewayProcess) -> Any:
    yield
    assert gateway.is_running, gateway.tail()
    assert Api(gateway.url).get("/livez").status == 200


class TestHTTP:
    @pytest.mark.parametrize(
        ("request_bytes", "statuses"),
        [
            (b"GET /livez HTTP/1.1\r\n\r\n", {400}),
            (b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", {400}),
            (b"GET /livez HTTP/9.9\r\nHost: h\r\n\r\n", {400, 505}),
            (b"GET  /livez HTTP/1.1\r\nHost: h\r\n\r\n", {400}),
            (b"GET /livez\r\n\r\n", {400}),
            (b"G\x00T /livez HTTP/1.1\r\nHost: h\r\n\r\n", {400}),
            (b"GET /li vez HTTP/1.1\r\nHost: h\r\n\r\n", {400}),
            (b"GET /livez HTTP/1.1\r\nHost : h\r\n\r\n", {400}),
            (b"GET /livez HTTP/1.1\r\nHost: h\r\n folded: x\r\n\r\n", {400}),
            (b"GET /livez HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n", {400}),
            (b"GET /livez HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n", {400}),
            (b"GET /livez HTTP/1.1\r\nHost: h\r\n: no name\r\n\r\n", {400}),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 32 + b"\r\n\r\n", {400}),
            (POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
            (POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", {400}),
            (POST + b"Content-Length: -1\r\n\r\n", {400}),
            (POST + b"Content-Length: +2\r\n\r\n{}", {400}),
            (POST + b"Content-Length: 0x2\r\n\r\n{}", {400}),
            (POST + b"Content-Length: 99999999999999999999999999\r\n\r\n", {400, 413}),
            (POST + b"Content-Length: 9223372036854775807\r\n\r\n", {400, 413}),
            (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", {400}),
            (POST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", {400, 413}),
            (POST + b"Transfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n", {400, 413}),
            (POST + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n", {400}),
            (POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}XX0\r\n\r\n", {400}),
            (POST + b"Transfer-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", {400, 501}),
            (POST + b"Transfer-Encoding: xchunked\r\n\r\n", {400, 501}),
            (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", {414}),
            (b"GET /livez HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", {431}),
            (b"GET /livez HTTP/1.1\r\nHost: h\r\n" + b"X: y\r\n" * 5_000 + b"\r\n", {431}),
            (b"GET /ws/task/%zz HTTP/1.1\r\nHost: h\r\n\r\n", {400, 404, 426}),
        ],
    )
    def test_a_malformed_request_gets_its_status_and_the_connection_is_closed(
        self, gateway: GatewayProcess, request_bytes: bytes, statuses: Set[int]
    ) -> None:
        with RawSocket(gateway) as raw:
            try:
                raw.send(request_bytes)
            except ConnectionError:
                pass  # refused while we were still talking; the answer is read all the same
            status, headers, body = raw.answer()
            assert status in statuses, (status, body)
            if status in (400, 413, 414, 431) and b"%zz" not in request_bytes:
                assert headers.get("content-type", "").startswith("application/problem+json")
                assert raw.read_to_end() == b"", "one answer, and the end"

    def test_requests_are_answered_in_order_byte_by_byte(self, gateway: GatewayProcess) -> None:
        with RawSocket(gateway) as raw:
            two = b"GET /livez HTTP/1.1\r\nHost: h\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n"
            for index in range(len(two)):
                raw.send(two[index : index + 1])
            assert [raw.answer()[0], raw.answer()[0]] == [200, 404]

    def test_pipelined_requests_in_one_segment_are_all_answered(self, gateway: GatewayProcess) -> None:
        with RawSocket(gateway) as raw:
            request = POST + b"Content-Length: 9\r\n\r\n" + b'{"n": 1 }'
            raw.send(request * 50)
            assert [raw.answer()[0] for _ in range(50)] == [200] * 50

    def test_a_chunked_body_is_read(self, gateway: GatewayProcess) -> None:
        with RawSocket(gateway) as raw:
            raw.send(POST + b'Transfer-Encoding: chunked\r\n\r\n1;x=y\r\n{\r\n6\r\n"a":1}\r\n0\r\nTrailer: t\r\n\r\n')
            assert raw.answer()[0] == 200
            raw.send(POST + b"Content-Length: 2\r\n\r\n{}")
            assert raw.answer()[0] == 200

    def test_who_expects_100_is_told_to_go_on(self, gateway: GatewayProcess) -> None:
        with RawSocket(gateway) as raw:
            raw.send(POST + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
            assert raw.answer()[0] == 100
            raw.send(b"{}")
            assert raw.answer()[0] == 200

    def test_a_body_that_is_too_long_is_refused_before_it_is_sent(self, gateway: GatewayProcess) -> None:
        with RawSocket(gateway) as raw:
            raw.send(POST + b"Content-Length: 1073741824\r\nExpect: 100-continue\r\n\r\n")
            assert raw.answer()[0] == 413

    @pytest.mark.parametrize(
        ("change", "statuses"),
        [
            (("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 12"), {426}),
            (("Sec-WebSocket-Version: 13\r\n", ""), {400, 426}),
            (("Upgrade: websocket", "Upgrade: h2c"), {400, 426}),
            (("Connection: Upgrade", "Connection: keep-alive"), {400, 426}),
            (("GET ", "POST "), {400, 405, 426}),
        ],
    )
    def test_a_handshake_that_is_none_is_refused(
        self, gateway: GatewayProcess, change: Any, statuses: Set[int]
    ) -> None:
        with RawSocket(gateway) as raw:
            raw.send(raw.upgrade_request().decode().replace(*change).encode())
            status, headers, body = raw.answer()
            assert status in statuses, (status, body)
            if status == 426:
                assert headers["sec-websocket-version"] == "13"

    @pytest.mark.parametrize("key", ["", "short", "AAAAAAAAAAAAAAAAAAAAAA", "A" * 400, "!" * 24])
    def test_a_bad_key_is_refused(self, gateway: GatewayProcess, key: str) -> None:
        with RawSocket(gateway) as raw:
            request = raw.upgrade_request(key="replace me").decode().replace("replace me", key)
            raw.send(request.encode())
            assert raw.answer()[0] == 400

    def test_the_sample_key_of_the_rfc_has_its_answer(self, gateway: GatewayProcess) -> None:
        with RawSocket(gateway) as raw:
            headers = raw.upgrade(key="dGhlIHNhbXBsZSBub25jZQ==")
            assert headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
            assert headers["upgrade"].lower() == "websocket" and headers["connection"].lower() == "upgrade"


class TestFrames:
    @pytest.mark.parametrize(
        ("content", "code"),
        [
            (frame(TEXT, b"{}", masked=False), 1002),
            (frame(TEXT, b"{}", reserved=4), 1002),
            (frame(TEXT, b"{}", reserved=2), 1002),
            (frame(TEXT, b"{}", reserved=1), 1002),
            (frame(3), 1002),
            (frame(7), 1002),
            (frame(11), 1002),
            (frame(15), 1002),
            (frame(PING, b"", final=False), 1002),
            (frame(PING, b"x" * 126), 1002),
            (frame(CLOSE, b"x"), 1002),
            (frame(CLOSE, struct.pack("!H", 1005)), 1002),
            (frame(CLOSE, struct.pack("!H", 1006)), 1002),
            (frame(CLOSE, struct.pack("!H", 999)), 1002),
            (frame(CLOSE, struct.pack("!H", 5000)), 1002),
            (frame(CLOSE, struct.pack("!H", 1000) + b"\xff"), 1007),
            (frame(0, b"x"), 1002),
            (frame(TEXT, b"{", final=False) + frame(TEXT, b"}"), 1002),
            (frame(TEXT, b"\xff"), 1007),
            (frame(TEXT, b"\xed\xa0\x80"), 1007),
            (frame(TEXT, b"\xc3"), 1007),
            (frame(TEXT, b"\xf8\x88", final=False), 1007),
            (bytes([0x81, 0xFF]) + struct.pack("!Q", 1 << 63) + b"mask", 1002),
            (bytes([0x81, 0xFF]) + struct.pack("!Q", (1 << 64) - 1) + b"mask", 1002),
            (bytes([0x81, 0xFF]) + struct.pack("!Q", (1 << 63) - 1) + b"mask", 1009),
            (bytes([0x81, 0xFF]) + struct.pack("!Q", 1 << 40) + b"mask", 1009),
            (bytes([0x81, 0xFE]) + struct.pack("!H", 5) + b"mask" + b"12345", 1002),
            (bytes([0x81, 0xFF]) + struct.pack("!Q", 300) + b"mask", 1002),
            (frame(TEXT, b"x" * 40_000, final=False) + frame(0, b"x" * 40_000), 1009),
        ],
    )
    @pytest.mark.parametrize("cut", [None, 1], ids=["whole", "byte by byte"])
    def test_a_malformed_frame_gets_its_close_code(
        self, gateway: GatewayProcess, content: bytes, code: int, cut: Optional[int]
    ) -> None:
        if cut is not None and len(content) > 1000:
            cut = 997
        with RawSocket(gateway) as raw:
            raw.upgrade()
            try:
                for begin in range(0, len(content), cut or len(content)):
                    raw.send(content[begin : begin + (cut or len(content))])
            except ConnectionError:
                pass  # closed while we were still talking
            assert raw.close_frame()[0] == code
            assert raw.read_to_end() == b""

    def test_frames_in_the_segment_of_the_handshake_are_read(self, gateway: GatewayProcess) -> None:
        with RawSocket(gateway) as raw:
            raw.send(raw.upgrade_request() + frame(PING, b"early") + frame(TEXT, b'{"action":"ping"}'))
            assert raw.answer()[0] == 101
            assert raw.frame() == (PONG, b"early")
            assert raw.frame()[0] == TEXT

    def test_a_ping_between_fragments_is_answered_at_once(self, gateway: GatewayProcess) -> None:
        with RawSocket(gateway) as raw:
            raw.upgrade()
            raw.send(frame(TEXT, b'{"action":', final=False) + frame(PING, b"now"))
            assert raw.frame() == (PONG, b"now")
            raw.send(frame(0, b'"ping"', final=False) + frame(0, b"}"))
            opcode, payload = raw.frame()
            assert opcode == TEXT and b'"pong"' in payload

    def test_a_close_is_answered_with_its_code(self, gateway: GatewayProcess) -> None:
        for payload, expected in (
            (struct.pack("!H", 1000) + b"bye", 1000),
            (b"", 1005),
            (struct.pack("!H", 4000), 4000),
        ):
            with RawSocket(gateway) as raw:
                raw.upgrade()
                raw.send(frame(CLOSE, payload))
                assert raw.close_frame()[0] == expected
                assert raw.read_to_end() == b""

    @pytest.mark.parametrize("content", [b"\x00\xff\xfe garbage \xff" * 4, b""])
    def test_bad_deflate_data_is_refused(self, gateway: GatewayProcess, content: bytes) -> None:
        with RawSocket(gateway) as raw:
            headers = raw.upgrade(extra="Sec-WebSocket-Extensions: permessage-deflate\r\n")
            assert "permessage-deflate" in headers["sec-websocket-extensions"]
            raw.send(frame(TEXT, content, reserved=4))
            if content:
                assert raw.close_frame()[0] in (1002, 1007)
            else:
                assert raw.frame()[0] == TEXT, "no bytes are an empty message, which is no JSON"

    def test_a_bomb_is_refused_while_it_is_inflated(self, gateway: GatewayProcess) -> None:
        compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
        bomb = compressor.compress(b"\x20" * (64 << 20)) + compressor.flush(zlib.Z_SYNC_FLUSH)
        assert len(bomb) < 66_000
        before = psutil.Process(gateway.identifier).memory_info().rss
        with RawSocket(gateway) as raw:
            raw.upgrade(extra="Sec-WebSocket-Extensions: permessage-deflate\r\n")
            raw.send(frame(TEXT, bomb[:-4][:60_000], reserved=4))
            assert raw.close_frame()[0] == 1009
        assert psutil.Process(gateway.identifier).memory_info().rss - before < 8 << 20

    def test_deep_nesting_is_an_error_and_no_crash(self, gateway: GatewayProcess) -> None:
        with RawSocket(gateway) as raw:
            raw.upgrade()
            raw.send(frame(TEXT, b"[" * 60_000))
            opcode, payload = raw.frame()
            assert opcode == TEXT and b"Invalid JSON format" in payload

    @pytest.mark.parametrize("seed", range(20))
    def test_noise(self, gateway: GatewayProcess, seed: int) -> None:
        noise = random.Random(seed)
        for upgraded in (False, True):
            with RawSocket(gateway) as raw:
                if upgraded:
                    raw.upgrade(extra="Sec-WebSocket-Extensions: permessage-deflate\r\n")
                try:
                    for _ in range(20):
                        if upgraded and noise.random() < 0.7:
                            content = frame(
                                noise.choice([0, 1, 2, 8, 9, 10, noise.randrange(16)]),
                                noise.randbytes(noise.choice([0, 1, 2, 125, 126, 1000])),
                                final=noise.random() < 0.7,
                                masked=noise.random() < 0.95,
                                reserved=noise.choice([0, 0, 0, 4, noise.randrange(8)]),
                            )
                        else:
                            content = noise.randbytes(noise.randrange(1, 2000))
                        raw.send(content)
                except ConnectionError:
                    pass


class TestLeaving:
    @pytest.mark.parametrize(
        "sent",
        [
            b"",
            b"GET /livez HT",
            POST + b"Content-Length: 100\r\n\r\n{",
            "upgrade",
            "upgrade and half a frame",
        ],
    )
    @pytest.mark.parametrize("how", ["reset", "close"])
    def test_who_leaves_without_a_word_leaves_nothing_behind(
        self, gateway: GatewayProcess, sent: Any, how: str
    ) -> None:
        process = psutil.Process(gateway.identifier)
        before = process.num_fds()
        for _ in range(10):
            raw = RawSocket(gateway)
            if isinstance(sent, bytes):
                raw.send(sent)
            else:
                raw.upgrade()
                if "half" in sent:
                    raw.send(frame(TEXT, b"half of this")[:7])
            raw.reset() if how == "reset" else raw.socket.close()
        api = Api(gateway.url)
        eventually(lambda: api.status()["active_connections"] == 0)
        eventually(lambda: process.num_fds() <= before + 1)
