"""Wire contract §2.2: the execution dialect, as the second seed's clients know it."""

from __future__ import annotations

import time
from typing import Any, Dict

import pytest

from support.api import Api, fresh
from support.process import GatewayProcess
from support.sockets import Watcher


@pytest.fixture(scope="module")
def gateway(start: Any) -> GatewayProcess:
    return start()


def path(execution: str) -> str:
    return f"/api/v1/ws/executions/{execution}"


def status(execution: str, word: str, progress: float, **members: Any) -> Dict[str, Any]:
    empty = {"message": None, "result": None, "error": None, "execution_time": None}
    return {"type": "status", "execution_id": execution, "status": word, "progress": progress, **empty, **members}


def without_time(message: Dict[str, Any]) -> Dict[str, Any]:
    """The message of a task that has run, whose ``execution_time`` must be seconds."""
    assert isinstance(message["execution_time"], (int, float)) and 0 <= message["execution_time"] < 60, message
    return {**message, "execution_time": None}


def create(api: Api) -> str:
    answer = api.post("/api/v1/executions", {"workflow_id": "workflow-id", "input_data": {"input": "test"}})
    assert answer.status == 201, answer
    assert answer.body["status"] == "pending"
    assert answer.body["id"] == answer.body["execution_id"]
    return answer.body["id"]


def test_the_whole_way_of_the_seed_every_key_always_there(api: Api, watch: Any) -> None:
    execution = create(api)
    watcher = watch(path(execution))
    assert watcher.next() == status(execution, "pending", 0)
    api.progress(execution, 50, message="执行中...")
    assert without_time(watcher.next()) == status(execution, "running", 50, message="执行中...")
    api.complete(execution, result={"output": [1, None, "二"]}, message="fertig")
    assert without_time(watcher.next()) == status(
        execution, "completed", 100, message="fertig", result={"output": [1, None, "二"]}
    )
    assert watcher.closed_next(1.0)[0] == 1000


def test_the_status_comes_at_once_to_who_connects_while_it_runs(api: Api, watch: Any) -> None:
    task = fresh()
    api.progress(task, 12.5, message="m", status="a free word")
    assert without_time(watch(path(task)).next()) == status(task, "running", 12.5, message="m")


def test_an_absent_field_keeps_its_value_and_null_clears_it(api: Api, watch: Any) -> None:
    task = fresh()
    api.progress(task, 1, message="first")
    watcher = watch(path(task))
    watcher.next()
    api.progress(task, 2)
    assert watcher.next()["message"] == "first"
    api.progress(task, 3, message=None)
    assert watcher.next()["message"] is None


@pytest.mark.parametrize(
    ("end", "word", "members"),
    [
        (lambda api, task: api.error(task, "exploded"), "failed", {"error": "exploded"}),
        (lambda api, task: api.complete(task, success=False, message="no"), "failed", {"error": "no"}),
        (lambda api, task: api.complete(task, success=False), "failed", {"error": "failed"}),
        (lambda api, task: (api.cancel(task), api.acknowledge_cancel(task)), "failed", {"error": "cancelled"}),
        (lambda api, task: api.progress(task, 40, status="failed"), "failed", {"error": "failed"}),
    ],
    ids=["error", "unsuccessful", "unsuccessful without a message", "cancelled", "a terminal word"],
)
def test_every_unhappy_end_is_failed_with_an_error(
    api: Api, watch: Any, end: Any, word: str, members: Dict[str, Any]
) -> None:
    task = fresh()
    api.progress(task, 30)
    before = watch(path(task))
    before.next()
    end(api, task)

    def last(watcher: Watcher) -> Dict[str, Any]:
        while True:
            message = watcher.next()
            if message["status"] != "running":
                assert watcher.closed_next(1.0)[0] == 1000
                return message

    for message in (last(before), last(watch(path(task)))):
        assert (message["status"], message["error"]) == (word, members["error"])
        assert set(message) == set(status(task, word, 0))


def test_a_finished_execution_is_told_and_closed(api: Api, watch: Any) -> None:
    task = fresh()
    api.complete(task, result=7)
    watcher = watch(path(task))
    message = watcher.next()
    assert (message["status"], message["progress"], message["result"]) == ("completed", 100, 7)
    begun = time.monotonic()
    assert watcher.closed_next()[0] == 1000
    assert time.monotonic() - begun < 1.0, "the execution dialect closes at once"


def test_a_ping_is_answered_by_exactly_a_pong(api: Api, watch: Any) -> None:
    watcher = watch(path(create(api)))
    watcher.next()
    assert watcher.ask({"type": "ping"}) == {"type": "pong"}
    assert watcher.ask({"type": "ping", "more": 1}) == {"type": "pong"}


def test_mistakes_are_told_and_the_connection_survives(api: Api, watch: Any) -> None:
    watcher = watch(path(create(api)))
    watcher.next()
    for mistake in ("{", "ping", "", "{]"):
        answer = watcher.ask(mistake)
        assert set(answer) == {"type", "message"} and answer["type"] == "error" and answer["message"], answer
    assert watcher.ask({"type": "dance"}) == {"type": "error", "message": "Unknown message type: dance"}
    assert watcher.ask({"type": "ping"}) == {"type": "pong"}


def test_an_unknown_execution_is_told_and_refused(watch: Any) -> None:
    watcher = watch(path(fresh()))
    message = watcher.next()
    assert message["type"] == "error" and message["message"]
    assert watcher.closed_next() == (1008, "Execution not found")


def test_a_task_and_an_execution_are_the_same_object(api: Api, watch: Any) -> None:
    execution = create(api)
    assert api.task(execution)["status"] == "pending"
    assert api.get(f"/api/v1/executions/{execution}").body["execution_id"] == execution
    task_watcher = watch(f"/ws/task/{execution}")
    task_watcher.next_of("connected")
    api.progress(execution, 5)
    assert task_watcher.next()["progress"] == 5


def test_the_latest_status_is_repeated_when_an_interval_is_given(start_own: Any) -> None:
    gateway = start_own("--status-interval", "0.2")
    api = Api(gateway.url)
    task = fresh()
    api.progress(task, 50)
    with Watcher(gateway.websocket_url + path(task)) as watcher:
        first = without_time(watcher.next())
        begun = time.monotonic()
        assert without_time(watcher.next()) == first
        assert without_time(watcher.next()) == first
        assert 0.2 < time.monotonic() - begun < 2.0


def test_nothing_is_repeated_otherwise(api: Api, watch: Any) -> None:
    task = fresh()
    api.progress(task, 50)
    watcher = watch(path(task))
    watcher.next()
    assert watcher.ask({"type": "ping"}) == {"type": "pong"}


def test_executions_need_a_token_where_authentication_is_on(start_own: Any) -> None:
    from support.tokens import token

    gateway = start_own(secured=True)
    execution = create(Api(gateway.url))
    with Watcher(gateway.websocket_url + path(execution)) as watcher:
        assert watcher.closed() == (1008, "Authentication failed")
    with Watcher(f"{gateway.websocket_url}{path(execution)}?token={token()}") as watcher:
        assert watcher.next()["status"] == "pending"
