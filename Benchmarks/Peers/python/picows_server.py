"""picows: `python picows_server.py PORT`. Versions and settings: ../README.md."""

from __future__ import annotations

import sys

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

from paths import subscribers_by_topic, topic_of

# What picows wants before a message, to write the frame's header there.
HEADER_BYTE_COUNT_MAX = 14
# Each connection has a buffer of this size from the start, larger ones as it needs them: a few of our messages.
READ_BUFFER_BYTE_COUNT = 2048

subscribers = subscribers_by_topic()


class Subscriber(WSListener):
    def __init__(self, topic: str):
        self.topic = topic

    def on_ws_connected(self, transport: WSTransport) -> None:
        subscribers[self.topic].add(transport)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        subscribers[self.topic].discard(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()


class Publisher(WSListener):
    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            return transport.disconnect()
        topic, _, payload = frame.get_payload_as_bytes().partition(b" ")
        message = bytearray(HEADER_BYTE_COUNT_MAX) + payload
        for subscriber in subscribers[topic.decode()]:
            subscriber.send_reuse_external_bytearray(WSMsgType.TEXT, message, HEADER_BYTE_COUNT_MAX)


class Echo(WSListener):
    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            return transport.disconnect()
        transport.send(frame.msg_type, frame.get_payload_as_memoryview())


def listener_for(request: WSUpgradeRequest) -> WSListener | None:
    path = request.path.decode()
    topic = topic_of(path)
    if topic is not None:
        return Subscriber(topic)
    return {"/publish": Publisher, "/echo": Echo}.get(path, lambda: None)()


async def main() -> None:
    server = await ws_create_server(
        listener_for, "127.0.0.1", int(sys.argv[1]), read_buffer_init_size=READ_BUFFER_BYTE_COUNT, backlog=4096)
    await server.serve_forever()


uvloop.run(main())
