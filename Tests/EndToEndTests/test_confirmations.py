"""Wire contract §2.3 and §3.2: a question to a user is answered exactly once."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import Any, Callable, Dict, List

import pytest
from websockets.asyncio.client import connect

from support.api import Api, fresh
from support.process import GatewayProcess
from support.sockets import Watcher, eventually

NATIVE = ["signalbox.v1"]


@pytest.fixture
def gateway(start_own: Any) -> GatewayProcess:
    """One for each test: who names nobody is asked every open question, another test's too."""
    return start_own()


@pytest.fixture
def user() -> str:
    return fresh("user")


@pytest.fixture
def user_watch(watch: Any, user: str) -> Callable[..., Watcher]:
    """Opens a connection of the test's user; with the subprotocol unless told otherwise."""

    def open_one(native: bool = True) -> Watcher:
        watcher = watch(subprotocols=NATIVE if native else None)
        if native:
            watcher.next_of("welcome")
        watcher.send({"action": "subscribe", "user_id": user})
        watcher.next_of("subscription_confirmed")
        return watcher

    return open_one


class Asking(threading.Thread):
    """A held request for an answer."""

    def __init__(self, api: Api, **members: Any) -> None:
        super().__init__(daemon=True)
        self._api, self._members = Api(api.url), members
        self.outcome: Dict[str, Any] = {}
        self.seconds = 0.0
        self.start()

    def run(self) -> None:
        begun = time.monotonic()
        self.outcome = self._api.confirmation(wait=5, **self._members)
        self.seconds = time.monotonic() - begun

    def answer(self) -> Dict[str, Any]:
        self.join(8)
        assert self.outcome, "the held request was not answered"
        return self.outcome


def test_the_question_of_the_seed_field_by_field(api: Api, user: str, user_watch: Any) -> None:
    task = fresh()
    watcher = user_watch(native=False)
    step_result = {
        "step": "model_training",
        "result": {"validated_rows": 1000, "list": [None, "二"]},
        "completed": False,
        "message": "Model training failed, retry?",
        "status": "failed",
        "error_code": "E003",
        "error_message": "GPU memory insufficient",
    }
    asked = api.confirmation(task_id=task, user_id=user, step=2, step_result=step_result, timeout=60)
    assert (asked["status"], asked["proceed"], asked["feedback"], asked["resolved_by"]) == ("pending",) + (None,) * 3
    assert abs(asked["deadline"] - time.time() - 60) < 10
    question = watcher.next()
    assert abs(question.pop("timestamp") - time.time()) < 10
    assert question == {
        "type": "task_step_result",
        "callback_id": asked["callback_id"],
        "step": 2,
        "message": "Model training failed, retry?",
        "result": {"validated_rows": 1000, "list": [None, "二"]},
        "status": "failed",
        "error_code": "E003",
        "error_message": "GPU memory insufficient",
        "user_id": user,
        "task_id": task,
        "deadline": asked["deadline"],
        "default_proceed": True,
    }


def test_the_fields_of_the_seed_are_there_when_they_are_null(api: Api, user: str, user_watch: Any) -> None:
    watcher = user_watch(native=False)
    api.confirmation(user_id=user, step_result={"step": "s", "message": "m", "status": "completed"})
    question = watcher.next()
    assert (question["result"], question["error_code"], question["error_message"]) == (None, None, None)


@pytest.mark.parametrize(
    ("reply", "status", "proceed", "feedback"),
    [
        ({"proceed": True, "feedback": "Agree to continue"}, "confirmed", True, "Agree to continue"),
        ({"proceed": False, "feedback": "Cancel execution"}, "rejected", False, "Cancel execution"),
        ({"proceed": True}, "confirmed", True, None),
        ({}, "rejected", False, None),
        ({"feedback": "forgot the rest"}, "rejected", False, "forgot the rest"),
    ],
)
def test_the_seeds_answer_reaches_the_worker(
    api: Api, user: str, user_watch: Any, reply: Dict[str, Any], status: str, proceed: bool, feedback: Any
) -> None:
    watcher = user_watch(native=False)
    asking = Asking(api, user_id=user)
    question = watcher.next_of("task_step_result")
    watcher.send({"action": "confirm", "callback_id": question["callback_id"], **reply})
    outcome = asking.answer()
    assert asking.seconds < 3, "the answer must not wait for the end of the held request"
    assert (outcome["status"], outcome["proceed"], outcome["feedback"], outcome["resolved_by"]) == (
        status,
        proceed,
        feedback,
        "user",
    )
    assert watcher.everything_so_far() == [], "the seed acknowledges nothing"


def test_a_native_client_is_told_what_became_of_its_answer(api: Api, user: str, user_watch: Any) -> None:
    watcher = user_watch()
    callback_id = api.confirmation(user_id=user)["callback_id"]
    watcher.next_of("task_step_result")
    watcher.send({"action": "confirm", "callback_id": callback_id, "proceed": True, "feedback": "go"})
    messages = {message["type"]: message for message in watcher.everything_so_far()}
    outcome = {"proceed": True, "feedback": "go", "resolved_by": "user"}
    assert messages["confirmation_result"].items() >= {"callback_id": callback_id, "status": "accepted"}.items()
    assert messages["confirmation_resolved"].items() >= {"callback_id": callback_id, "status": "confirmed"}.items()
    assert messages["confirmation_resolved"].items() >= outcome.items()
    again = watcher.ask({"action": "confirm", "callback_id": callback_id, "proceed": False, "feedback": "no"})
    assert again.items() >= {"type": "confirmation_result", "status": "already_resolved", **outcome}.items()
    unknown = watcher.ask({"action": "confirm", "callback_id": "unheard-of", "proceed": True})
    assert (
        unknown.items()
        >= {
            "type": "confirmation_result",
            "callback_id": "unheard-of",
            "status": "unknown",
        }.items()
    )


def test_an_unknown_callback_is_silence_for_the_seeds_clients(watch: Any) -> None:
    watcher = watch()
    watcher.send({"action": "confirm", "callback_id": "unheard-of", "proceed": True})
    watcher.send({"action": "confirm"})
    assert watcher.everything_so_far() == []


@pytest.mark.parametrize("default", [True, False])
def test_nobodys_answer_is_the_default_at_the_deadline(api: Api, user: str, user_watch: Any, default: bool) -> None:
    watcher = user_watch()
    begun = time.monotonic()
    outcome = api.confirmation(wait=5, user_id=user, timeout=0.4, default_proceed=default)
    assert 0.3 < time.monotonic() - begun < 3
    assert (outcome["status"], outcome["proceed"], outcome["resolved_by"]) == ("timed_out", default, "timeout")
    resolved = watcher.next_of("confirmation_resolved")
    assert (resolved["status"], resolved["proceed"], resolved["resolved_by"]) == ("timed_out", default, "timeout")
    late = watcher.ask({"action": "confirm", "callback_id": outcome["callback_id"], "proceed": not default})
    assert (late["status"], late["proceed"], late["resolved_by"]) == ("expired", default, "timeout")
    assert api.get(f"/api/v1/confirmations/{outcome['callback_id']}").body["proceed"] is default


def test_the_gateways_own_timeout_and_default_are_taken_when_none_are_given(start_own: Any) -> None:
    gateway = start_own("--callback-timeout", "1", "--callback-default", "reject")
    begun = time.monotonic()
    outcome = Api(gateway.url).confirmation(wait=5)
    assert 0.5 < time.monotonic() - begun < 4
    assert (outcome["status"], outcome["proceed"]) == ("timed_out", False)


def test_a_held_request_returns_pending_when_its_time_is_over(api: Api, user: str) -> None:
    begun = time.monotonic()
    outcome = api.confirmation(wait=0.3, user_id=user)
    assert 0.2 < time.monotonic() - begun < 3
    assert (outcome["status"], outcome["proceed"], outcome["resolved_by"]) == ("pending", None, None)
    path = f"/api/v1/confirmations/{outcome['callback_id']}"
    begun = time.monotonic()
    assert api.get(path).body == outcome
    assert time.monotonic() - begun < 0.3
    assert api.get(f"{path}?wait=0.3").body["status"] == "pending"


def test_everyone_who_waits_hears_the_answer(api: Api, user: str, user_watch: Any) -> None:
    watcher = user_watch()
    callback_id = api.confirmation(user_id=user)["callback_id"]
    outcomes: List[Any] = []
    waiting = [
        threading.Thread(
            target=lambda: outcomes.append(Api(api.url).get(f"/api/v1/confirmations/{callback_id}?wait=5").body)
        )
        for _ in range(5)
    ]
    for thread in waiting:
        thread.start()
    watcher.send({"action": "confirm", "callback_id": callback_id, "proceed": True})
    for thread in waiting:
        thread.join(8)
    assert [outcome["status"] for outcome in outcomes] == ["confirmed"] * 5


def test_a_withdrawn_question_is_closed_for_everyone(api: Api, user: str, user_watch: Any) -> None:
    watcher = user_watch()
    asking = Asking(api, user_id=user)
    callback_id = watcher.next_of("task_step_result")["callback_id"]
    path = f"/api/v1/confirmations/{callback_id}"
    answer = api.delete(path)
    assert answer.status == 200, answer
    assert (answer.body["status"], answer.body["proceed"], answer.body["resolved_by"]) == (
        "withdrawn",
        None,
        "withdrawn",
    )
    assert asking.answer()["status"] == "withdrawn"
    resolved = watcher.next_of("confirmation_resolved")
    assert (resolved["callback_id"], resolved["status"], resolved["proceed"]) == (callback_id, "withdrawn", None)
    again = api.delete(path)
    assert (again.status, again.code) == (409, "already_resolved")
    late = watcher.ask({"action": "confirm", "callback_id": callback_id, "proceed": True})
    assert late["status"] == "already_resolved"
    assert api.get(path).body["proceed"] is None


def test_an_unknown_confirmation_is_404(api: Api) -> None:
    for answer in (api.get("/api/v1/confirmations/unheard-of"), api.delete("/api/v1/confirmations/unheard-of")):
        assert (answer.status, answer.code) == (404, "not_found")


def test_exactly_one_of_twenty_racing_answers_is_accepted(gateway: GatewayProcess, api: Api, user: str) -> None:
    async def answer_in_a_race() -> List[Dict[str, Dict[str, Any]]]:
        connections = [
            await connect(gateway.websocket_url, subprotocols=NATIVE, proxy=None)  # type: ignore[list-item]
            for _ in range(20)
        ]
        for connection in connections:
            await connection.send(json.dumps({"action": "subscribe", "user_id": user}))
        outcome = await asyncio.to_thread(api.confirmation, user_id=user)
        callback_id = outcome["callback_id"]

        async def seen(connection: Any, number: int, until: set) -> Dict[str, Dict[str, Any]]:
            messages: Dict[str, Dict[str, Any]] = {}
            while not until <= set(messages):
                message = json.loads(await asyncio.wait_for(connection.recv(), 5))
                assert message["type"] not in messages, f"twice: {message}"
                messages[message["type"]] = message
            return messages

        try:
            await asyncio.gather(*(seen(each, n, {"task_step_result"}) for n, each in enumerate(connections)))
            confirm = {"action": "confirm", "callback_id": callback_id}
            await asyncio.gather(
                *(
                    connection.send(json.dumps({**confirm, "proceed": n % 2 == 0, "feedback": f"from {n}"}))
                    for n, connection in enumerate(connections)
                )
            )
            wanted = {"confirmation_result", "confirmation_resolved"}
            return await asyncio.gather(*(seen(each, n, wanted) for n, each in enumerate(connections)))
        finally:
            await asyncio.gather(*(connection.close() for connection in connections))

    seen = asyncio.run(answer_in_a_race())
    results = [messages["confirmation_result"]["status"] for messages in seen]
    assert sorted(results) == ["accepted"] + ["already_resolved"] * 19
    winner = results.index("accepted")
    outcome = (winner % 2 == 0, f"from {winner}", "user")
    for messages in seen:
        for message in (messages["confirmation_resolved"], messages["confirmation_result"]):
            assert (message["proceed"], message["feedback"], message["resolved_by"]) == outcome


def test_an_open_question_is_sent_once_to_each_connection_of_the_user(
    api: Api, user: str, user_watch: Any, watch: Any
) -> None:
    open_one = api.confirmation(user_id=user)["callback_id"]
    resolved = api.confirmation(wait=3, user_id=user, timeout=0.1)["callback_id"]
    for _ in range(2):
        watcher = watch()
        for _ in range(3):
            watcher.send({"action": "subscribe", "user_id": user})
        messages = watcher.everything_so_far()
        questions = [message for message in messages if message["type"] != "subscription_confirmed"]
        assert [question["callback_id"] for question in questions] == [open_one], f"{resolved} is over"
        assert questions[0]["type"] == "task_step_result" and len(messages) == 4
    api.delete(f"/api/v1/confirmations/{open_one}")
    assert user_watch().everything_so_far() == []


def test_who_names_nobody_gets_every_open_question_at_connect_and_not_again(start_own: Any) -> None:
    gateway = start_own()
    api = Api(gateway.url)
    asked = {api.confirmation(user_id=f"user-{number}")["callback_id"] for number in range(3)}
    with Watcher(gateway.websocket_url) as watcher:
        assert {message["callback_id"] for message in watcher.everything_so_far()} == asked
        watcher.send({"action": "subscribe", "user_id": "user-1"})
        assert [message["type"] for message in watcher.everything_so_far()] == ["subscription_confirmed"]


def test_another_users_connection_is_not_asked(api: Api, user: str, watch: Any) -> None:
    other = watch()
    other.send({"action": "subscribe", "user_id": fresh("other")})
    other.next_of("subscription_confirmed")
    api.confirmation(user_id=user)
    assert other.everything_so_far() == []


def test_the_pending_ones_are_counted(start_own: Any) -> None:
    api = Api(start_own().url)

    def pending(count: int) -> None:
        eventually(lambda: api.status()["pending_callbacks"] == count)

    pending(0)
    first = api.confirmation()["callback_id"]
    api.confirmation()
    pending(2)
    api.delete(f"/api/v1/confirmations/{first}")
    pending(1)


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"task_id": None}, "task_id"),
        ({"user_id": None}, "user_id"),
        ({"user_id": ""}, "user_id"),
        ({"user_id": "x" * 129}, "user_id"),
        ({"timeout": -1}, "timeout"),
        ({"timeout": "soon"}, "timeout"),
        ({"default_proceed": "yes"}, "default_proceed"),
        ({"step_result": 7}, "step_result"),
    ],
)
def test_a_bad_question_is_refused_by_name(api: Api, members: Dict[str, Any], named: str) -> None:
    body = {"task_id": "t", "user_id": "u", "step": 1, "step_result": {"step": "s", "message": "m", "status": "x"}}
    body.update(members)
    answer = api.post("/api/v1/confirmations", body)
    assert (answer.status, answer.code) == (400, "bad_request")
    assert named in answer.body["detail"]


def test_the_python_client_asks_and_hears(api: Api, user: str, user_watch: Any) -> None:
    from signalbox import Gateway, TaskStepResult

    watcher = user_watch(native=False)
    client = Gateway(api.url, api.key)
    answers: List[Any] = []
    step = TaskStepResult(step="s", message="go on?", status="completed")
    asking = threading.Thread(target=lambda: answers.append(client.notify_user(step, user, fresh(), 1)))
    asking.start()
    question = watcher.next_of("task_step_result")
    watcher.send({"action": "confirm", "callback_id": question["callback_id"], "proceed": False, "feedback": "nein"})
    asking.join(8)
    assert (answers[0].proceed, answers[0].feedback, answers[0].resolved_by) == (False, "nein", "user")
