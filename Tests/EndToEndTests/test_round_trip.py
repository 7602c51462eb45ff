"""Wire contract §4.7: any JSON value arrives as it was published, numbers included, and text unescaped."""

from __future__ import annotations

import json
from typing import Any, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.api import Api, fresh
from support.process import GatewayProcess
from support.sockets import Watcher

numbers = st.one_of(
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(min_value=-(2**70), max_value=2**70),
)
text = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, text),
    lambda children: st.one_of(st.lists(children, max_size=5), st.dictionaries(text, children, max_size=5)),
    max_leaves=25,
)
often = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def gateway(start: Any) -> GatewayProcess:
    return start()


@pytest.fixture(scope="module")
def subscriber(gateway: GatewayProcess) -> Iterator[Watcher]:
    with Watcher(gateway.websocket_url + "/ws") as watcher:
        yield watcher


def exactly(value: Any) -> str:
    """Tells 1 from 1.0 and from True, which Python's equality does not."""
    return json.dumps(value, sort_keys=True)


@often
@given(value=values)
def test_a_result_reaches_the_event_and_the_snapshot(api: Api, subscriber: Watcher, value: Any) -> None:
    task = fresh()
    subscriber.send({"action": "subscribe", "task_id": task, "wait": True})
    subscriber.next_of("subscription_confirmed")
    api.complete(task, result=value)
    assert exactly(subscriber.next_of("complete")["result"]) == exactly(value)
    assert exactly(api.task(task)["result"]) == exactly(value)


@often
@given(value=values)
def test_details_reach_the_event_and_the_snapshot(api: Api, subscriber: Watcher, value: Any) -> None:
    task = fresh()
    subscriber.send({"action": "subscribe", "task_id": task, "wait": True})
    subscriber.next_of("subscription_confirmed")
    api.progress(task, 1, details=value)
    assert exactly(subscriber.next_of("progress")["details"]) == exactly(value)
    assert exactly(api.task(task)["details"]) == exactly(value)


@often
@given(message=st.dictionaries(text, values, max_size=5))
def test_a_broadcast_reaches_the_connections(api: Api, subscriber: Watcher, message: Any) -> None:
    message["type"] = "round-trip"
    api.post("/api/v1/broadcast", message)
    assert exactly(subscriber.next_of("round-trip")) == exactly(message)


@often
@given(original=st.dictionaries(text, values, max_size=5))
def test_a_ping_returns_its_message(subscriber: Watcher, original: Any) -> None:
    original["action"] = "ping"
    assert exactly(subscriber.ask(original)["original_data"]) == exactly(original)


@pytest.mark.parametrize(
    "literal",
    [
        "1e400",
        "-1E+400",
        "1.0",
        "1.10",
        "-0",
        "-0.0",
        "0.1e1",
        "123456789012345678901234567890",
        "0.1000000000000000055511151231257827",
        '"\\u0041\\/\\ud83d\\ude80"',
        '"🚀 </script> \u2028"',
        '{"a":1,"a":2}',
        "[1,  2 ]",
        '"\\u0000"',
    ],
)
def test_a_literal_keeps_its_value(api: Api, watch: Any, literal: str) -> None:
    task = fresh()
    watcher = watch()
    watcher.send({"action": "subscribe", "task_id": task, "wait": True})
    watcher.next_of("subscription_confirmed")
    answer = api.post(f"/api/v1/tasks/{task}/complete", content=b'{"result":' + literal.encode() + b"}")
    assert answer.status == 200, answer
    event = watcher.next_text()
    if literal[0] in "-0123456789":
        assert f'"result":{literal}' in event.replace(": ", ":"), event

    def pairs(text: str) -> Any:
        return json.loads(text, object_pairs_hook=list, parse_int=str, parse_float=str)

    assert dict(pairs(event))["result"] == pairs(literal)
    stored = api.get(f"/api/v1/tasks/{task}").content.decode()
    assert dict(pairs(stored))["result"] == pairs(literal)


@pytest.mark.parametrize("compression", ["deflate", None])
@pytest.mark.parametrize("size", [1, 125, 126, 65_535, 65_536, 900_000])
def test_a_message_of_any_length_arrives(
    start_own: Any, gateway: GatewayProcess, api: Api, watch: Any, size: int, compression: Any
) -> None:
    watcher = watch(compression=compression)
    text = "文字0123456789" * (size // 16)
    message = {"type": "long", "text": text + "." * (size - len(text.encode()))}
    assert api.post("/api/v1/broadcast", message).status == 200
    assert watcher.next_of("long") == message
