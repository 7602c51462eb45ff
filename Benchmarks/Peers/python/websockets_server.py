"""Python's websockets: `python websockets_server.py PORT [--deflate]`. Versions and settings: ../README.md."""

from __future__ import annotations

import sys

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

from paths import subscribers_by_topic, topic_of

subscribers = subscribers_by_topic()


async def handle(connection: ServerConnection) -> None:
    path = connection.request.path
    topic = topic_of(path)
    if topic is not None:
        subscribers[topic].add(connection)
        try:
            await connection.wait_closed()
        finally:
            subscribers[topic].discard(connection)
    elif path == "/publish":
        # UTF-8 that stays bytes: `decode` and `text` are there to save the way to str and back.
        while True:
            published, _, payload = (await connection.recv(decode=False)).partition(b" ")
            broadcast(subscribers[published.decode()], payload, text=True)
    elif path == "/echo":
        while True:
            await connection.send(await connection.recv(decode=False), text=True)


async def main() -> None:
    compression = "deflate" if "--deflate" in sys.argv else None
    async with serve(
        handle, "127.0.0.1", int(sys.argv[1]), compression=compression, ping_interval=None, backlog=4096,
    ) as server:
        await server.serve_forever()


uvloop.run(main())
