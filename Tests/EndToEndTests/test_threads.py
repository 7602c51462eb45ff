"""Several event loops behave as one: order and completeness across shards (wire contract §4.1, §4.2)."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any, Dict, List

import pytest
from websockets.asyncio.client import ClientConnection, connect

from support.api import Api, fresh
from support.process import GatewayProcess
from support.sockets import eventually

CONNECTIONS, TASKS, EVENTS = 80, 40, 25
SECONDS_MAX = 20


@pytest.fixture(scope="module")
def gateway(start: Any) -> GatewayProcess:
    return start("--threads", "4", "--history-events", "64")


async def open_all(gateway: GatewayProcess, count: int) -> List[ClientConnection]:
    url = gateway.websocket_url + "/ws"
    return await asyncio.gather(*(connect(url, proxy=None, ping_interval=None) for _ in range(count)))


async def close_all(connections: List[ClientConnection]) -> None:
    await asyncio.gather(*(connection.close() for connection in connections))


async def receive(connection: ClientConnection) -> Dict[str, Any]:
    return json.loads(await asyncio.wait_for(connection.recv(), SECONDS_MAX))


def publish_all(gateway: GatewayProcess, tasks: List[str]) -> None:
    """Every task's events in order, the tasks mixed, in batches and single requests."""
    api = Api(gateway.url)
    order = random.Random(7)
    lines = [task for task in tasks for _ in range(EVENTS)]
    order.shuffle(lines)
    counts = dict.fromkeys(tasks, 0)
    while lines:
        batch = lines[: order.choice([1, 5, 50])]
        lines = lines[len(batch) :]
        operations = []
        for task in batch:
            counts[task] += 1
            if counts[task] == EVENTS:
                operations.append({"op": "complete", "task_id": task, "result": counts[task]})
            else:
                operations.append({"op": "progress", "task_id": task, "progress": counts[task]})
        content = "\n".join(json.dumps(operation) for operation in operations).encode()
        answer = api.post("/api/v1/publish", content=content, content_type="application/x-ndjson")
        assert (answer.status, answer.body["accepted"], answer.body["rejected"]) == (200, len(batch), [])


def test_every_subscriber_sees_every_event_of_every_task_in_order(gateway: GatewayProcess) -> None:
    tasks = [fresh() for _ in range(TASKS)]

    async def watch_all() -> None:
        connections = await open_all(gateway, CONNECTIONS)
        picks = random.Random(3)
        chosen = [picks.sample(tasks, 10) for _ in connections]
        for connection, some in zip(connections, chosen):
            for task in some:
                await connection.send(json.dumps({"action": "subscribe", "task_id": task, "wait": True}))
        for connection, some in zip(connections, chosen):
            for _ in some:
                assert (await receive(connection))["type"] == "subscription_confirmed"

        async def follow(connection: ClientConnection, some: List[str]) -> None:
            offsets = dict.fromkeys(some, 0)
            ended = set()
            while len(ended) < len(some):
                event = await receive(connection)
                task = event["task_id"]
                assert event["offset"] == offsets[task] + 1 + event.get("skipped", 0), (task, offsets[task], event)
                offsets[task] = event["offset"]
                if event["type"] == "complete":
                    ended.add(task)
            assert set(offsets.values()) == {EVENTS}

        publishing = asyncio.create_task(asyncio.to_thread(publish_all, gateway, tasks))
        await asyncio.gather(*(follow(each, some) for each, some in zip(connections, chosen)))
        await publishing
        await close_all(connections)

    asyncio.run(asyncio.wait_for(watch_all(), 60))


def test_subscribing_in_the_midst_of_events_misses_none(gateway: GatewayProcess) -> None:
    task = fresh()
    total = 300

    def publish() -> None:
        api = Api(gateway.url)
        for number in range(1, total):
            api.progress(task, number % 101)
        api.complete(task)

    async def watch_all() -> None:
        Api(gateway.url).register(task)
        connections = await open_all(gateway, 40)
        publishing = asyncio.create_task(asyncio.to_thread(publish))

        async def follow(number: int, connection: ClientConnection) -> None:
            await asyncio.sleep(number * 0.005)  # spreads the subscriptions over the publishing
            await connection.send(json.dumps({"action": "subscribe", "task_id": task}))
            confirmed = await receive(connection)
            offset = confirmed["offset"]
            assert confirmed["snapshot"]["offset"] == offset
            while offset < total:
                event = await receive(connection)
                assert event["offset"] == offset + 1 + event.get("skipped", 0)
                offset = event["offset"]

        await asyncio.gather(*(follow(number, each) for number, each in enumerate(connections)))
        await publishing
        await close_all(connections)

    asyncio.run(asyncio.wait_for(watch_all(), 60))


def test_a_user_on_every_shard_gets_each_message_once_and_in_order(gateway: GatewayProcess) -> None:
    user = fresh("user")

    async def watch_all() -> None:
        connections = await open_all(gateway, 40)
        for connection in connections:
            await connection.send(json.dumps({"action": "subscribe", "user_id": user}))
            assert (await receive(connection))["type"] == "subscription_confirmed"

        def publish() -> None:
            api = Api(gateway.url)
            for number in range(50):
                answer = api.post(f"/api/v1/users/{user}/messages", {"type": "note", "n": number})
                assert answer.body["connections"] == 40

        await asyncio.to_thread(publish)
        for connection in connections:
            assert [(await receive(connection))["n"] for _ in range(50)] == list(range(50))
        await close_all(connections)

    asyncio.run(asyncio.wait_for(watch_all(), 60))


def test_a_broadcast_reaches_every_shard(gateway: GatewayProcess) -> None:
    async def watch_all() -> None:
        connections = await open_all(gateway, 60)
        api = Api(gateway.url)
        await asyncio.to_thread(eventually, lambda: api.status()["active_connections"] == 60)
        answer = await asyncio.to_thread(api.post, "/api/v1/broadcast", {"type": "all"})
        assert answer.body["connections"] == 60
        for connection in connections:
            assert await receive(connection) == {"type": "all"}
        await close_all(connections)

    asyncio.run(asyncio.wait_for(watch_all(), 60))


def test_the_cap_holds_across_shards(start_own: Any) -> None:
    gateway = start_own("--threads", "4", "--max-connections", "20")

    async def crowd() -> "tuple[int, int]":
        connections = await open_all(gateway, 60)
        accepted, refused = 0, 0

        async def look(connection: ClientConnection) -> bool:
            try:
                await connection.send('{"action":"ping"}')
                return (await receive(connection))["type"] == "pong"
            except Exception:
                assert (connection.close_code, connection.close_reason) == (1013, "Server connection limit reached")
                return False

        for inside in await asyncio.gather(*(look(connection) for connection in connections)):
            accepted, refused = accepted + inside, refused + (not inside)
        await close_all(connections)
        return accepted, refused

    assert asyncio.run(asyncio.wait_for(crowd(), 30)) == (20, 40)


def test_listing_and_counting_sum_over_the_shards(gateway: GatewayProcess) -> None:
    api = Api(gateway.url)
    kind = fresh("kind")
    tasks = {fresh() for _ in range(40)}
    for task in tasks:
        api.register(task, kind=kind)
    listed, cursor = [], None
    while True:
        page = api.get(f"/api/v1/tasks?kind={kind}&limit=7" + (f"&cursor={cursor}" if cursor else "")).body
        listed += [task["task_id"] for task in page["tasks"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(listed) == sorted(tasks)
