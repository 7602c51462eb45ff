"""Wire contract §1, §3 and §4: what a restart leaves as it was, on the real gateway and a file of SQLite's.

In order (SIGTERM) nothing at all is lost. After a crash (SIGKILL) what was promised is there, and what may have been
lost is told: a task that was not finished has another epoch, so that nobody takes its numbers for the old ones.
"""

from __future__ import annotations

import json
import threading
import time
from typing import Any, Dict, Iterator, List

import pytest

from support.api import Answer, Api, fresh
from support.process import API_KEY
from support.sockets import Watcher, eventually
from support.stream import Stream
from support.succession import Succession
from support.worker import Worker

NATIVE = ["signalbox.v1"]


@pytest.fixture
def succession(tmp_path: Any) -> Iterator[Succession]:
    with Succession(tmp_path) as succession:
        yield succession


def events(api: Api, task: str, after: int = 0) -> Dict[str, Any]:
    answer = api.get(f"/api/v1/tasks/{task}/events?after={after}&limit=1000")
    assert answer.status == 200, answer
    return answer.body


def resumed(succession: Succession, task: str, epoch: str, offset: int) -> Watcher:
    watcher = succession.watch()
    watcher.send({"action": "subscribe", "task_id": task, "since": {"epoch": epoch, "offset": offset}})
    return watcher


class UserSocket(Watcher):
    """A user's connection. `greeting` is what it was sent because of that: open questions."""

    def __init__(self, succession: Succession, user: str) -> None:
        assert succession.gateway is not None
        super().__init__(succession.gateway.websocket_url + "/ws", subprotocols=NATIVE)
        self.next_of("welcome")
        self.send({"action": "subscribe", "user_id": user})
        self.greeting = [each for each in self.everything_so_far() if each["type"] != "subscription_confirmed"]

    def confirm(self, callback_id: str, proceed: bool, **members: Any) -> Dict[str, Any]:
        self.send({"action": "confirm", "callback_id": callback_id, "proceed": proceed, **members})
        return self.next_of("confirmation_result")


def log(api: Api, task: str, *messages: str) -> None:
    answer = api.post(f"/api/v1/tasks/{task}/logs", {"lines": [{"level": "info", "message": m} for m in messages]})
    assert answer.status == 202, answer


def message_to(api: Api, user: str, **members: Any) -> str:
    answer = api.post(f"/api/v1/users/{user}/messages?requires_ack=1", members)
    assert answer.status == 200, answer
    return answer.body["message_id"]


class TestInOrder:
    def test_a_task_is_as_it_was_to_the_last_member(self, succession: Succession) -> None:
        api, task = succession.start(), fresh()
        api.register(
            task, owner="安", viewers=["bob", "eve"], kind="scan", title="Ünïcode \u0000 \"title\"", total=7,
            metadata={"big": 12345678901234567890, "small": 1e-7, "list": [None, True, {"": []}]},
        )  # fmt: skip
        api.progress(task, 12.5, current=1, message="第一", details={"a": 0.1})
        api.post(f"/api/v1/tasks/{task}/nodes/one", {"status": "running", "progress": 50, "weight": 3})
        before = api.task(task)
        history = api.get(f"/api/v1/tasks/{task}/events?after=0&limit=10").content
        api = succession.restart()
        after = api.task(task)
        assert {**after, "eta": None} == {**before, "eta": None}
        assert api.get(f"/api/v1/tasks/{task}/events?after=0&limit=10").content == history

    def test_who_comes_back_gets_what_it_missed_and_the_numbers_go_on(self, succession: Succession) -> None:
        api, task = succession.start(), fresh()
        for number in range(1, 6):
            epoch = api.progress(task, number)["epoch"]
        api = succession.restart()
        with resumed(succession, task, epoch, 2) as watcher:
            confirmed = watcher.next()
            assert (confirmed["recovered"], confirmed["snapshot"], confirmed["offset"]) == (True, None, 2)
            assert [(event["offset"], event["progress"]) for event in watcher.everything_so_far()] == [
                (3, 3), (4, 4), (5, 5),
            ]  # fmt: skip
            assert api.progress(task, 6)["offset"] == 6
            event = watcher.next()
            assert (event["epoch"], event["offset"], event["progress"]) == (epoch, 6, 6)
            assert api.complete(task, result={"n": 1}) == {"epoch": epoch, "offset": 7}
            assert watcher.next()["result"] == {"n": 1}

    def test_a_stream_comes_back_where_it_was(self, succession: Succession) -> None:
        api, task = succession.start(), fresh()
        for number in range(1, 4):
            epoch = api.progress(task, number)["epoch"]
        succession.restart()
        assert succession.gateway is not None
        with Stream(succession.gateway, task, Last_Event_ID=f"{epoch}:1") as stream:
            assert [(block["event"], block["id"]) for block in (stream.block(), stream.block()) if block] == [
                ("progress", f"{epoch}:2"), ("progress", f"{epoch}:3"),
            ]  # fmt: skip

    def test_ends_are_there_with_their_results_again_and_again(self, succession: Succession) -> None:
        api = succession.start()
        done, failed, cancelled = fresh("done"), fresh("failed"), fresh("cancelled")
        receipts = {done: api.complete(done, message="fine", result=[1, {"二": 2.50}]), failed: api.error(failed, "no")}
        api.register(cancelled)
        api.cancel(cancelled, reason="enough")
        api.acknowledge_cancel(cancelled)
        tasks = {name: api.task(name) for name in (done, failed, cancelled)}
        for _ in range(2):
            api = succession.restart()
            for name, task in tasks.items():
                assert api.task(name) == task
                assert [event["type"] for event in events(api, name)["events"]] == [
                    {done: "complete", failed: "error", cancelled: "cancelled"}[name]
                ]
            for name, receipt in receipts.items():
                assert (tasks[name]["epoch"], tasks[name]["offset"]) == (receipt["epoch"], receipt["offset"])
                assert api.post(f"/api/v1/tasks/{name}/complete").code == "task_finished"
                # A browser of the seed's finds the end, too.
                with succession.watch(f"/ws/task/{name}") as watcher:
                    assert watcher.next()["type"] == "connected"
                    assert watcher.next()["type"] == {done: "complete", failed: "error"}[name]

    def test_logs_are_kept_and_go_on(self, succession: Succession) -> None:
        api, task = succession.start(), fresh()
        log(api, task, "一", "two")
        before = api.get(f"/api/v1/tasks/{task}/logs").body
        api = succession.restart()
        assert api.get(f"/api/v1/tasks/{task}/logs").body == before
        log(api, task, "three")
        lines = api.get(f"/api/v1/tasks/{task}/logs").body["lines"]
        assert [(line["log_offset"], line["message"]) for line in lines] == [(1, "一"), (2, "two"), (3, "three")]

    def test_children_still_make_their_parent_s_progress(self, succession: Succession) -> None:
        api, parent = succession.start(threads=2), fresh("parent")
        api.register(parent)
        children = [fresh("child") for _ in range(4)]
        for child in children:
            api.register(child, parent_id=parent)
            api.progress(child, 40)
        eventually(lambda: api.task(parent)["progress"] == 40)
        api = succession.restart(threads=3)
        assert api.task(parent)["progress"] == 40
        api.complete(children[0])
        eventually(lambda: api.task(parent)["progress"] == 55)

    def test_a_cancel_that_was_asked_for_is_told_to_the_worker_and_has_an_end(self, succession: Succession) -> None:
        api, task, other = succession.start(), fresh(), fresh()
        for name in (task, other):
            api.progress(name, 1)
            api.cancel(name, user_id="ann", reason="late")
        api = succession.restart("--cancel-timeout", "1")
        assert api.task(task)["cancel_requested"] is True
        assert api.progress(task, 2)["cancel_requested"] is True
        api.acknowledge_cancel(other)
        eventually(lambda: api.task(task)["status"] == "cancelled")
        assert (api.task(task)["error_code"], api.task(other)["error_code"]) == ("cancel_timeout", None)

    def test_a_lease_runs_anew_and_ends_who_does_not_come_back(self, succession: Succession) -> None:
        api, kept, lost = succession.start("--lease-grace", "0.5"), fresh("kept"), fresh("lost")
        for name in (kept, lost):
            api.register(name, lease_seconds=1)
            api.progress(name, 1)
        api = succession.restart("--lease-grace", "0.5")
        assert api.task(lost)["stale"] is False
        begun = time.monotonic()
        while api.task(lost)["status"] != "failed":
            api.post(f"/api/v1/tasks/{kept}/heartbeat")
            assert time.monotonic() < begun + 5
            time.sleep(0.1)
        assert time.monotonic() > begun + 0.7, "a whole lease: the time of the stop is nobody's fault"
        assert (api.task(lost)["error_code"], api.task(kept)["status"]) == ("worker_lost", "running")

    def test_executions_that_nobody_began_are_offered_again(self, succession: Succession) -> None:
        api = succession.start(threads=2)
        made = {}
        assert succession.gateway is not None
        with Worker(succession.gateway, Authorization=f"Bearer {API_KEY}") as worker:
            worker.done("accept_executions", limit=10)
            for workflow in ("begun", "offered"):
                created = api.post("/api/v1/executions", {"workflow_id": workflow, "input_data": {"pages": 12.50}}).body
                assert worker.next()["execution_id"] == created["execution_id"]
                made[workflow] = created
            worker.done("progress", task_id=made["begun"]["execution_id"], progress=5)
        waiting = api.post("/api/v1/executions", {"workflow_id": "waiting"}).body
        succession.restart(threads=3)
        assert succession.gateway is not None
        with Worker(succession.gateway, Authorization=f"Bearer {API_KEY}") as worker:
            worker.done("accept_executions", limit=10)
            offers = [worker.next() for _ in range(2)]
            assert {offer["execution_id"] for offer in offers} == {
                waiting["execution_id"], made["offered"]["execution_id"],
            }  # fmt: skip
            again = next(offer for offer in offers if offer["workflow_id"] == "offered")
            assert again == {
                "type": "execution_created", **made["offered"], "workflow_id": "offered", "input_data": {"pages": 12.5},
            }  # fmt: skip
            # Nothing else is offered.
            assert worker.done("heartbeat", task_id=waiting["execution_id"])
            for offer in offers:
                worker.done("complete", task_id=offer["execution_id"])
        assert Api(succession.gateway.url).task(made["begun"]["execution_id"])["status"] == "running"

    def test_what_was_finished_long_ago_leaves(self, succession: Succession) -> None:
        api, old, open_one = succession.start(), fresh("old"), fresh("open")
        api.complete(old)
        api.progress(open_one, 1)
        finished = api.task(old)["finished_at"]
        api = succession.restart("--history-ttl", "1")
        eventually(lambda: api.get(f"/api/v1/tasks/{old}").status == 404)
        assert time.time() - finished > 0.9
        assert api.task(open_one)["status"] == "running"
        api = succession.restart()
        assert api.get(f"/api/v1/tasks/{old}").status == 404

    @pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1), (2, 4)])
    def test_another_number_of_loops_changes_nothing(self, succession: Succession, before: int, after: int) -> None:
        api = succession.start(threads=before)
        names, user = [fresh() for _ in range(40)], fresh("user")
        for number, name in enumerate(names):
            for step in range(number % 5 + 1):
                api.progress(name, step, message=f"步 {step}")
            if number % 3 == 0:
                api.complete(name, result=number)
        questions = {api.confirmation(user_id=user, task_id=name)["callback_id"] for name in names[:5]}
        keyed = {name: idempotent(api, f"/api/v1/tasks/{name}/complete", {"result": name}) for name in names[1:30:3]}
        tasks, histories = {name: api.task(name) for name in names}, {name: events(api, name) for name in names}
        api = succession.restart(threads=after)
        assert {name: api.task(name) for name in names} == tasks
        assert {name: events(api, name) for name in names} == histories
        listed = api.get("/api/v1/tasks?limit=1000").body["tasks"]
        assert {task["task_id"] for task in listed} == set(names)
        for name, first in keyed.items():
            again = idempotent(api, f"/api/v1/tasks/{name}/complete", {"result": name}, key=first.headers["x-key"])
            assert (again.body, again.headers.get("idempotency-replayed")) == (first.body, "true")
        with UserSocket(succession, user) as watcher:
            while len(watcher.greeting) < len(questions):
                watcher.greeting += watcher.everything_so_far()
            assert sorted(message["callback_id"] for message in watcher.greeting) == sorted(questions)
            for callback_id in questions:
                assert watcher.confirm(callback_id, True)["status"] == "accepted"
        for name in names[1::3]:
            with resumed(succession, name, tasks[name]["epoch"], 0) as watcher:
                assert watcher.next()["recovered"] is True
                assert len(watcher.everything_so_far()) == tasks[name]["offset"]


def idempotent(api: Api, path: str, body: Any, key: str = "") -> Answer:
    """The answer to a POST with a key, which stands among its headers as `x-key`."""
    key = key or fresh("key")
    answer = api.post(path, body, headers={"Idempotency-Key": key})
    return Answer(answer.status, {**answer.headers, "x-key": key}, answer.content)


class TestQuestions:
    def test_an_open_one_is_asked_again_with_its_deadline_and_answered_once(self, succession: Succession) -> None:
        api, user = succession.start(), fresh("user")
        asked = api.confirmation(user_id=user, timeout=60, default_proceed=False, step_result={
            "step": "训练", "result": {"n": 1.50}, "message": "go on?", "status": "failed", "error_code": "E1",
        })  # fmt: skip
        with UserSocket(succession, user) as watcher:
            (question,) = watcher.greeting
        api = succession.restart()
        assert api.get(f"/api/v1/confirmations/{asked['callback_id']}").body == asked
        with UserSocket(succession, user) as watcher:
            (again,) = watcher.greeting
            assert {**again, "timestamp": None} == {**question, "timestamp": None}
            assert again["deadline"] == asked["deadline"]
            waiting: List[Dict[str, Any]] = []
            asking = threading.Thread(
                target=lambda: waiting.append(api.get(f"/api/v1/confirmations/{asked['callback_id']}?wait=5").body)
            )
            asking.start()
            time.sleep(0.1)
            assert watcher.confirm(asked["callback_id"], True, feedback="好")["status"] == "accepted"
            asking.join(8)
        expected = ("confirmed", True, "好", "user")
        assert [tuple(one[name] for name in ("status", "proceed", "feedback", "resolved_by")) for one in waiting] == [
            expected
        ]
        for again_started in (succession.restart, succession.crash):
            api = again_started()
            outcome = api.get(f"/api/v1/confirmations/{asked['callback_id']}?wait=5").body
            assert tuple(outcome[name] for name in ("status", "proceed", "feedback", "resolved_by")) == expected
            with UserSocket(succession, user) as watcher:
                assert watcher.greeting == [], "it is answered"
                late = watcher.confirm(asked["callback_id"], False)
                assert (late["status"], late["proceed"], late["feedback"]) == ("already_resolved", True, "好")
            assert api.delete(f"/api/v1/confirmations/{asked['callback_id']}").code == "already_resolved"

    @pytest.mark.parametrize("default", [True, False])
    def test_one_whose_deadline_passed_meanwhile_has_its_default(self, succession: Succession, default: bool) -> None:
        api, user = succession.start(), fresh("user")
        callback_id = api.confirmation(user_id=user, timeout=0.4, default_proceed=default)["callback_id"]
        succession.kill()
        time.sleep(0.5)
        api = succession.start()
        outcome = api.get(f"/api/v1/confirmations/{callback_id}?wait=2").body
        assert (outcome["status"], outcome["proceed"], outcome["resolved_by"]) == ("timed_out", default, "timeout")
        with UserSocket(succession, user) as watcher:
            assert watcher.greeting == []

    def test_the_rest_of_the_time_is_all_that_is_left(self, succession: Succession) -> None:
        api = succession.start()
        asked = api.confirmation(timeout=1.5)
        api = succession.crash()
        outcome = api.get(f"/api/v1/confirmations/{asked['callback_id']}?wait=5").body
        assert outcome["status"] == "timed_out" and outcome["deadline"] == asked["deadline"]
        assert -0.05 < time.time() - asked["deadline"] < 0.6

    def test_a_held_request_ends_with_the_gateway_and_the_question_stays(self, succession: Succession) -> None:
        api, user = succession.start(), fresh("user")
        answers: List[Answer] = []
        body = {
            "task_id": "t", "user_id": user, "step": 1, "step_result": {"step": "s", "message": "m", "status": "x"},
        }  # fmt: skip
        headers = {"Idempotency-Key": "the question"}

        def ask() -> None:
            answers.append(Api(api.url).post("/api/v1/confirmations?wait=20", body, headers=headers))

        asking = threading.Thread(target=ask)
        with UserSocket(succession, user) as watcher:
            asking.start()
            callback_id = watcher.next_of("task_step_result")["callback_id"]
            api = succession.restart()
            asking.join(8)
        assert answers[0].status == 201 and answers[0].body["status"] == "pending", answers
        with UserSocket(succession, user) as watcher:
            assert [question["callback_id"] for question in watcher.greeting] == [callback_id]
            assert watcher.confirm(callback_id, True)["status"] == "accepted"
        # A publisher that asks again in the same words hears the answer, and asks nobody.
        again = api.post("/api/v1/confirmations?wait=5", body, headers=headers)
        assert (again.body["callback_id"], again.body["status"]) == (callback_id, "confirmed")

    def test_a_withdrawn_one_stays_withdrawn(self, succession: Succession) -> None:
        api, user = succession.start(), fresh("user")
        callback_id = api.confirmation(user_id=user)["callback_id"]
        assert api.delete(f"/api/v1/confirmations/{callback_id}").status == 200
        api = succession.crash()
        outcome = api.get(f"/api/v1/confirmations/{callback_id}").body
        assert (outcome["status"], outcome["proceed"], outcome["resolved_by"]) == ("withdrawn", None, "withdrawn")


class TestMessages:
    def test_what_was_not_acknowledged_is_sent_again(self, succession: Succession) -> None:
        api, user = succession.start(), fresh("user")
        with UserSocket(succession, user) as watcher:
            acknowledged, open_one = (message_to(api, user, type="notice", n=n, text="讯") for n in (1, 2))
            first = [watcher.next() for _ in range(2)]
            watcher.send({"action": "ack", "message_id": acknowledged})
            eventually(lambda: api.get(f"/api/v1/messages/{acknowledged}").body["acked"])
        api = succession.restart()
        assert api.get(f"/api/v1/messages/{acknowledged}").body["status"] == "acked"
        assert api.get(f"/api/v1/messages/{open_one}").body["status"] == "pending"
        with UserSocket(succession, user) as watcher:
            again = watcher.next(8)
            assert again == next(message for message in first if message["message_id"] == open_one)
            watcher.send({"action": "ack", "message_id": open_one})
            eventually(lambda: api.get(f"/api/v1/messages/{open_one}").body["acked"])
        api = succession.crash()
        assert api.get(f"/api/v1/messages/{open_one}").body["acked"] is True


class TestIdempotencyKeys:
    @pytest.mark.parametrize("again", ["restart", "crash"])
    def test_the_first_answer_is_given_again_and_another_body_is_refused(
        self, succession: Succession, again: str
    ) -> None:
        api, task = succession.start(threads=2), fresh()
        calls: Dict[str, Dict[str, Any]] = {
            "/api/v1/tasks": {"task_id": task, "title": "one"},
            f"/api/v1/tasks/{fresh()}/complete": {"result": {"a": [1]}},
            f"/api/v1/tasks/{fresh()}/error": {"error": "no"},
            f"/api/v1/tasks/{task}/cancel": {"reason": "enough"},
            "/api/v1/executions": {"workflow_id": "report", "input_data": {}},
            "/api/v1/users/ann/messages?requires_ack=1": {"type": "notice"},
        }
        first = {path: idempotent(api, path, body) for path, body in calls.items()}
        for path, answer in first.items():
            assert 200 <= answer.status < 300 and "idempotency-replayed" not in answer.headers, (path, answer)
        api = getattr(succession, again)(threads=3)
        before = api.get("/api/v1/tasks?limit=100").body["tasks"]
        for path, answer in first.items():
            replayed = idempotent(api, path, calls[path], key=answer.headers["x-key"])
            assert (replayed.status, replayed.content) == (answer.status, answer.content), path
            assert replayed.headers.get("idempotency-replayed") == "true", path
            other = idempotent(api, path, {**calls[path], "other": 1}, key=answer.headers["x-key"])
            assert (other.status, other.code) == (422, "idempotency_mismatch"), path
        assert api.get("/api/v1/tasks?limit=100").body["tasks"] == before

    def test_another_s_key_is_another_key(self, succession: Succession) -> None:
        api = succession.start("--api-keys", f"{API_KEY},another-publisher-s-key")
        first = idempotent(api, "/api/v1/executions", {"workflow_id": "w"}, key="k")
        other = idempotent(api.using("another-publisher-s-key"), "/api/v1/executions", {"workflow_id": "w"}, key="k")
        assert first.body["execution_id"] != other.body["execution_id"]


class TestAfterACrash:
    def test_an_open_task_has_another_epoch_and_old_places_get_a_snapshot(self, succession: Succession) -> None:
        api, task = succession.start(), fresh()
        for number in range(1, 6):
            old = api.progress(task, number * 10, message=f"步 {number}")["epoch"]
        time.sleep(1.1)
        api = succession.crash()
        body = api.task(task)
        assert body["epoch"] != old
        assert (body["progress"], body["message"], body["status"]) == (50, "步 5", "running"), "it is a second old"
        for offset in (0, 3, 5, 9):
            with resumed(succession, task, old, offset) as watcher:
                confirmed = watcher.next()
                assert (confirmed["recovered"], confirmed["epoch"]) == (False, body["epoch"])
                assert (confirmed["snapshot"]["progress"], confirmed["offset"]) == (50, body["offset"])
                receipt = api.progress(task, 60)
                event = watcher.next()
                assert (event["epoch"], event["offset"]) == (body["epoch"], receipt["offset"])
                body["offset"] += 1
                assert event["offset"] == body["offset"]
                api.progress(task, 50)
                body["offset"] = watcher.next()["offset"]
        assert succession.gateway is not None
        with Stream(succession.gateway, task, Last_Event_ID=f"{old}:3") as stream:
            block = stream.block()
            assert block and (block["event"], block["data"]["epoch"]) == ("snapshot", body["epoch"])

    def test_a_finished_task_keeps_its_epoch_its_offset_and_its_end(self, succession: Succession) -> None:
        api, task = succession.start(), fresh()
        for number in range(1, 4):
            epoch = api.progress(task, number)["epoch"]
        receipt = api.complete(task, result={"rows": 10.0}, message="好")
        assert receipt == {"epoch": epoch, "offset": 4}
        before = api.task(task)
        api = succession.crash()
        assert api.task(task) == before
        with resumed(succession, task, epoch, 3) as watcher:
            assert watcher.next()["recovered"] is True
            event = watcher.next()
            assert (event["type"], event["offset"], event["result"]) == ("complete", 4, {"rows": 10.0})
        # The steps before it were kept in memory only.
        with resumed(succession, task, epoch, 1) as watcher:
            confirmed = watcher.next()
            assert (confirmed["recovered"], confirmed["offset"], confirmed["snapshot"]["result"]) == (
                False, 4, {"rows": 10.0},
            )  # fmt: skip
            assert watcher.everything_so_far() == []

    def test_what_was_never_told_as_lost_is_not_lost(self, succession: Succession) -> None:
        """Registered, cancelled and asked, each killed the moment that it was answered."""
        api = succession.start()
        task, title = fresh(), "登记"
        api.register(task, title=title, owner="ann", lease_seconds=60)
        api = succession.crash()
        assert (api.task(task)["title"], api.task(task)["owner"]) == (title, "ann")
        api.cancel(task)
        api = succession.crash()
        assert api.task(task)["cancel_requested"] is True
        asked = api.confirmation(task_id=task, timeout=60)
        api = succession.crash()
        assert api.get(f"/api/v1/confirmations/{asked['callback_id']}").body == asked
        lines = [
            {"op": "progress", "task_id": task, "progress": 99},
            {"op": "complete", "task_id": task, "result": "批"},
            {"op": "error", "task_id": f"{task}-b", "error": "no"},
        ]
        content = "\n".join(json.dumps(line) for line in lines).encode()
        answer = api.post("/api/v1/publish", content=content, content_type="application/x-ndjson")
        assert answer.body["accepted"] == 3, answer
        api = succession.crash()
        assert (api.task(task)["status"], api.task(task)["result"]) == ("completed", "批")
        assert api.task(f"{task}-b")["error"] == "no"

    def test_a_crash_right_after_the_start_changes_nothing(self, succession: Succession) -> None:
        api, task = succession.start(), fresh()
        api.progress(task, 5)
        receipt = api.complete(task)
        for _ in range(3):
            api = succession.crash()
            assert (api.task(task)["epoch"], api.task(task)["offset"]) == (receipt["epoch"], 2)
