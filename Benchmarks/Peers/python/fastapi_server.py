"""FastAPI, run by uvicorn: `uvicorn fastapi_server:app --port PORT`. Versions and settings: ../README.md."""

from __future__ import annotations

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from paths import parse_publication, subscribers_by_topic

app = FastAPI()
subscribers = subscribers_by_topic()


@app.websocket("/t/{topic}")
async def subscribe(connection: WebSocket, topic: str) -> None:
    await connection.accept()
    subscribers[topic].add(connection)
    try:
        while True:
            await connection.receive_text()
    except WebSocketDisconnect:
        subscribers[topic].discard(connection)


@app.websocket("/publish")
async def publish(connection: WebSocket) -> None:
    await connection.accept()
    async for message in connection.iter_text():
        topic, payload = parse_publication(message)
        for subscriber in list(subscribers[topic]):
            await subscriber.send_text(payload)


@app.websocket("/echo")
async def echo(connection: WebSocket) -> None:
    await connection.accept()
    async for message in connection.iter_text():
        await connection.send_text(message)
