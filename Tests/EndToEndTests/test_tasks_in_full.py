"""Wire contract §1 and §3.2: nodes, parents, logs, leases, cancels of many and expected ends, on the real gateway."""

from __future__ import annotations

import json
import time
from typing import Any, Dict, List

import pytest

from support.api import Api, fresh
from support.process import GatewayProcess
from support.sockets import Watcher, eventually
from support.tokens import token


@pytest.fixture(scope="module")
def gateway(start: Any) -> GatewayProcess:
    """Two loops, so that parents and children have different homes now and then."""
    return start("--threads", "2", "--lease-grace", "1")


@pytest.fixture(scope="module")
def secured(start: Any) -> GatewayProcess:
    return start("--threads", "2", secured=True)


def node(api: Api, task: str, name: str, status: str, **members: Any) -> Dict[str, Any]:
    answer = api.post(f"/api/v1/tasks/{task}/nodes/{name}", {"status": status, **members})
    assert answer.status == 202, answer
    return answer.body


def log(api: Api, task: str, *messages: str) -> Dict[str, Any]:
    answer = api.post(
        f"/api/v1/tasks/{task}/logs", {"lines": [{"level": "info", "message": message} for message in messages]}
    )
    assert answer.status == 202, answer
    return answer.body


def bulk(api: Api, operations: List[Dict[str, Any]]) -> Dict[str, Any]:
    lines = "\n".join(json.dumps(operation) for operation in operations)
    answer = api.post("/api/v1/publish", content=lines.encode(), content_type="application/x-ndjson")
    assert answer.status == 200, answer
    return answer.body


def subscribed(watch: Any, task: str) -> Watcher:
    watcher = watch("/ws")
    watcher.send({"action": "subscribe", "task_id": task, "wait": True})
    assert watcher.next()["type"] == "subscription_confirmed"
    return watcher


class TestNodes:
    def test_the_task_s_progress_is_the_weighted_mean_of_its_nodes(self, api: Api) -> None:
        task = fresh()
        assert node(api, task, "fetch", "completed") == {
            "epoch": api.task(task)["epoch"], "offset": 1, "cancel_requested": False,
        }  # fmt: skip
        node(api, task, "index", "running", progress=10, weight=2, message="页 1")
        body = api.task(task)
        assert (body["status"], body["progress"], body["offset"]) == ("running", 40, 2)
        assert body["nodes"] == [
            {"node_id": "fetch", "status": "completed", "progress": 100, "message": None, "weight": 1},
            {"node_id": "index", "status": "running", "progress": 10, "message": "页 1", "weight": 2},
        ]
        api.progress(task, 90)
        assert api.task(task)["progress"] == 90
        node(api, task, "index", "failed", progress=-1)
        assert api.task(task)["progress"] == 40

    def test_a_task_without_nodes_shows_none(self, api: Api) -> None:
        task = fresh()
        api.progress(task, 1)
        assert "nodes" not in api.task(task)

    def test_each_dialect_shows_a_node_in_its_own_words(self, api: Api, watch: Any) -> None:
        task = fresh()
        api.register(task)
        native = subscribed(watch, task)
        seed = watch(f"/ws/task/{task}")
        plain = watch(f"/api/v1/ws/executions/{task}")
        asking = watch(f"/api/v1/ws/executions/{task}?nodes=1")
        for watcher in (seed, plain, asking):
            watcher.next()
        receipt = node(api, task, "a", "running", progress=25.5, extra={"k": [1]})
        assert native.next() == {
            "type": "node_status", "task_id": task, "epoch": receipt["epoch"], "offset": 1, "node_id": "a",
            "status": "running", "progress": 25.5, "extra": {"k": [1]}, "task_progress": 25.5,
        }  # fmt: skip
        message = seed.next()
        assert (message["type"], message["progress"], message["status"]) == ("progress", 25.5, "processing")
        assert (plain.next()["progress"], asking.next()["progress"]) == (25.5, 25.5)
        assert asking.next() == {
            "type": "node_status", "execution_id": task, "node_id": "a", "status": "running", "progress": 25.5,
            "extra": {"k": [1]}, "task_progress": 25.5,
        }  # fmt: skip
        # Nothing came before the answer to this.
        plain.send({"type": "ping"})
        assert plain.next() == {"type": "pong"}

    def test_a_node_s_event_is_kept_and_resumed(self, api: Api, watch: Any) -> None:
        task = fresh()
        epoch = node(api, task, "a", "running", progress=5)["epoch"]
        node(api, task, "b", "running", progress=15)
        events = api.get(f"/api/v1/tasks/{task}/events?after=1").body["events"]
        assert events == [
            {
                "type": "node_status", "offset": 2, "node_id": "b", "status": "running", "progress": 15,
                "task_progress": 10,
            }
        ]  # fmt: skip
        watcher = watch("/ws")
        watcher.send({"action": "subscribe", "task_id": task, "since": {"epoch": epoch, "offset": 1}})
        assert watcher.next()["recovered"] is True
        assert {**events[0], "task_id": task, "epoch": epoch} == watcher.next()

    @pytest.mark.parametrize(
        "body",
        [
            {}, {"status": ""}, {"status": "x" * 65}, {"status": "x", "progress": 101}, {"status": "x", "weight": 0},
            {"status": "x", "weight": 1e10},
        ],
    )  # fmt: skip
    def test_a_wrong_report_is_refused_and_registers_nothing(self, api: Api, body: Dict[str, Any]) -> None:
        task = fresh()
        assert api.post(f"/api/v1/tasks/{task}/nodes/n", body).code == "bad_request"
        assert api.get(f"/api/v1/tasks/{task}").code == "task_not_found"

    def test_a_name_that_breaks_the_rule_is_refused(self, api: Api) -> None:
        assert api.post(f"/api/v1/tasks/{fresh()}/nodes/a%20b", {"status": "x"}).code == "bad_request"

    def test_one_node_more_than_a_task_may_have(self, api: Api) -> None:
        task = fresh()
        lines = [
            {"op": "node", "task_id": task, "node_id": f"n{number}", "status": "running"} for number in range(1025)
        ]
        answer = bulk(api, lines)
        assert answer["accepted"] == 1024
        assert [(entry["line"], entry["error"]["code"]) for entry in answer["rejected"]] == [(1025, "over_capacity")]


class TestParents:
    def test_children_make_the_parent_s_progress_wherever_they_live(self, api: Api, watch: Any) -> None:
        parent = fresh("parent")
        api.register(parent)
        watcher = subscribed(watch, parent)
        children = [fresh("child") for _ in range(8)]
        for child in children:
            api.register(child, parent_id=parent)
        for child in children:
            api.progress(child, 50)
        eventually(lambda: api.task(parent)["progress"] == 50)
        api.complete(children[0])
        api.error(children[1], "no")
        eventually(lambda: api.task(parent)["progress"] == 56.25)
        events = watcher.everything_so_far()
        assert [event["offset"] for event in events] == list(range(1, len(events) + 1))
        assert events[-1]["progress"] == 56.25 and {event["type"] for event in events} == {"progress"}
        listed = api.get(f"/api/v1/tasks?parent_id={parent}").body["tasks"]
        assert {task["task_id"] for task in listed} == set(children)

    def test_weights_count_and_grandparents_are_told(self, api: Api) -> None:
        top, middle, leaf, other = (fresh(name) for name in ("top", "middle", "leaf", "other"))
        api.register(top)
        api.register(middle, parent_id=top, weight=3)
        api.register(other, parent_id=top)
        api.register(leaf, parent_id=middle)
        api.progress(leaf, 40)
        api.progress(other, 80)
        eventually(lambda: (api.task(middle)["progress"], api.task(top)["progress"]) == (40, 50))

    def test_a_task_is_not_its_own_parent(self, api: Api) -> None:
        task = fresh()
        assert api.post("/api/v1/tasks", {"task_id": task, "parent_id": task}).code == "bad_request"

    def test_what_a_task_depends_on_is_shown(self, api: Api) -> None:
        first, second = fresh(), fresh()
        assert api.register(second, depends_on=[first])["depends_on"] == [first]

    def test_a_parent_s_cancel_asks_its_children_and_theirs(self, api: Api, watch: Any) -> None:
        top, middle, leaf, done = (fresh(name) for name in ("top", "middle", "leaf", "done"))
        api.register(top)
        api.register(middle, parent_id=top)
        for task in (leaf, done):
            api.register(task, parent_id=middle)
        api.complete(done)
        watcher = watch("/ws")
        # With a name of its own it hears of this task only.
        watcher.send({"action": "subscribe", "task_id": leaf, "user_id": "somebody-else"})
        assert {watcher.next()["type"] for _ in range(2)} == {"subscription_confirmed"}
        api.cancel(top, user_id="ann", reason="late")
        assert watcher.next_of("task_cancelled")["task_id"] == leaf
        for task in (middle, leaf):
            eventually(lambda task=task: api.task(task)["cancel_requested"])
        assert api.task(done)["cancel_requested"] is False
        assert api.progress(leaf, 5)["cancel_requested"] is True
        late = fresh("late")
        api.register(late, parent_id=middle)
        eventually(lambda: api.task(late)["cancel_requested"])


class TestCancellingMany:
    def test_each_is_judged_by_itself_in_the_order_asked(self, secured: GatewayProcess) -> None:
        publisher, ann = Api(secured.url), Api(secured.url, key=token("ann"))
        mine, hers, over = [fresh("mine") for _ in range(5)], fresh("hers"), fresh("over")
        for task in mine:
            publisher.register(task, owner="ann")
        publisher.register(hers, owner="bob")
        publisher.register(over, owner="ann")
        publisher.complete(over)
        asked = [mine[0], hers, mine[1], "unheard-of", over, *mine[2:]]
        answer = ann.post("/api/v1/tasks/cancel", {"task_ids": asked})
        assert answer.status == 202
        assert answer.body["cancel_requested"] == mine
        assert [(entry["task_id"], entry["error"]["code"]) for entry in answer.body["rejected"]] == [
            (hers, "forbidden"), ("unheard-of", "task_not_found"), (over, "task_finished"),
        ]  # fmt: skip
        assert all(publisher.task(task)["cancel_requested"] for task in mine)
        assert publisher.task(hers)["cancel_requested"] is False

    @pytest.mark.parametrize(("count", "status"), [(0, 400), (1, 202), (1000, 202), (1001, 400)])
    def test_one_to_a_thousand(self, api: Api, count: int, status: int) -> None:
        answer = api.post("/api/v1/tasks/cancel", {"task_ids": [f"none-{number}" for number in range(count)]})
        assert answer.status == status
        if status == 202:
            assert len(answer.body["rejected"]) == count

    def test_a_task_may_be_called_cancel(self, api: Api) -> None:
        api.progress("cancel", 5)
        assert api.task("cancel")["progress"] == 5
        assert api.cancel("cancel") == {"cancel_requested": True}
        api.complete("cancel")

    def test_every_answer_to_a_worker_tells_of_the_cancel(self, api: Api) -> None:
        task, other = fresh(), fresh()
        api.progress(task, 1)
        api.cancel(task)
        assert api.progress(task, 2)["cancel_requested"] is True
        assert node(api, task, "n", "running")["cancel_requested"] is True
        assert log(api, task, "m")["cancel_requested"] is True
        assert api.post(f"/api/v1/tasks/{task}/heartbeat").body["cancel_requested"] is True
        lines = [
            {"op": "log", "task_id": other, "level": "info", "message": "m"},
            {"op": "log", "task_id": task, "level": "info", "message": "m"},
            {"op": "node", "task_id": task, "node_id": "n", "status": "running"},
        ]
        assert bulk(api, lines) == {"accepted": 3, "rejected": [], "cancel_requested": [task]}


class TestLogs:
    def test_lines_have_their_own_order_and_are_kept(self, api: Api) -> None:
        task = fresh()
        assert log(api, task, "一", "two") == {"log_offset": 2, "cancel_requested": False}
        timed = {"lines": [{"level": "warning", "message": "three", "timestamp": 1700000000.25}]}
        assert api.post(f"/api/v1/tasks/{task}/logs", timed).body["log_offset"] == 3
        held = api.get(f"/api/v1/tasks/{task}/logs").body
        assert held["log_offset"] == 3
        assert [(line["log_offset"], line["level"], line["message"]) for line in held["lines"]] == [
            (1, "info", "一"), (2, "info", "two"), (3, "warning", "three"),
        ]  # fmt: skip
        assert abs(held["lines"][0]["timestamp"] - time.time()) < 60
        assert held["lines"][2]["timestamp"] == 1700000000.25
        after = api.get(f"/api/v1/tasks/{task}/logs?after=1&limit=1").body["lines"]
        assert [line["message"] for line in after] == ["two"]
        body = api.task(task)
        assert (body["offset"], body["status"]) == (0, "pending")

    def test_watchers_get_each_line_in_order_with_the_events(self, api: Api, watch: Any) -> None:
        task = fresh()
        api.register(task)
        native, asking = subscribed(watch, task), watch(f"/api/v1/ws/executions/{task}?logs=1&nodes=1")
        plain, seed = watch(f"/api/v1/ws/executions/{task}"), watch(f"/ws/task/{task}")
        for watcher in (asking, plain, seed):
            watcher.next()
        api.progress(task, 1)
        log(api, task, "a", "b")
        api.progress(task, 2)
        log(api, task, "c")
        node(api, task, "n", "running", progress=3)
        told = [native.next() for _ in range(6)]
        assert [(one["type"], one.get("offset", one.get("log_offset"))) for one in told] == [
            ("progress", 1), ("log", 1), ("log", 2), ("progress", 2), ("log", 3), ("node_status", 3),
        ]  # fmt: skip
        assert {key: told[1][key] for key in ("task_id", "level", "message")} == {
            "task_id": task, "level": "info", "message": "a",
        }  # fmt: skip
        assert [asking.next()["type"] for _ in range(7)] == [
            "status", "log", "log", "status", "log", "status", "node_status",
        ]  # fmt: skip
        assert [plain.next()["type"] for _ in range(3)] == ["status"] * 3
        assert [seed.next()["type"] for _ in range(3)] == ["progress"] * 3

    @pytest.mark.parametrize(
        "body",
        [
            {}, {"lines": []}, {"lines": "x"}, {"lines": [{"level": "info"}]}, {"lines": [{"message": "m"}]},
            {"lines": [{"level": "", "message": "m"}]}, {"lines": [{"level": "x" * 33, "message": "m"}]},
            {"lines": [{"level": "info", "message": "m", "timestamp": "now"}]},
            {"lines": [{"level": "info", "message": "m"}] * 1001},
            {"lines": [{"level": "info", "message": "m" * 65537}]},
        ],
    )  # fmt: skip
    def test_wrong_lines_are_refused(self, api: Api, body: Dict[str, Any]) -> None:
        task = fresh()
        assert api.post(f"/api/v1/tasks/{task}/logs", body).code == "bad_request"
        assert api.get(f"/api/v1/tasks/{task}").code == "task_not_found"

    def test_the_oldest_lines_make_room(self, api: Api) -> None:
        task = fresh()
        log(api, task, *[str(number) for number in range(1, 1001)])
        log(api, task, "one more")
        held = api.get(f"/api/v1/tasks/{task}/logs?limit=1000").body["lines"]
        assert (len(held), held[0]["log_offset"], held[-1]["message"]) == (1000, 2, "one more")

    def test_another_user_s_log_is_not_read(self, secured: GatewayProcess) -> None:
        publisher, task = Api(secured.url), fresh()
        publisher.register(task, owner="ann")
        log(publisher, task, "secret")
        assert Api(secured.url, key=token("bob")).get(f"/api/v1/tasks/{task}/logs").code == "forbidden"
        assert Api(secured.url, key=token("ann")).get(f"/api/v1/tasks/{task}/logs").status == 200
        assert Api(secured.url, key=token("ann")).post(f"/api/v1/tasks/{task}/logs", {}).code == "forbidden"


class TestLeases:
    def test_a_lost_worker_s_task_is_stale_and_then_over(self, api: Api, watch: Any) -> None:
        task = fresh()
        api.register(task, lease_seconds=0.3)
        watcher = subscribed(watch, task)
        # It does not run before the first report.
        time.sleep(0.5)
        assert api.task(task)["stale"] is False
        api.progress(task, 30)
        assert watcher.next()["type"] == "progress"
        eventually(lambda: api.task(task)["stale"])
        error = watcher.next_of("error")
        assert (error["error_code"], error["offset"]) == ("worker_lost", 2)
        body = api.task(task)
        assert (body["status"], body["error_code"], body["progress"]) == ("failed", "worker_lost", 30)
        assert api.post(f"/api/v1/tasks/{task}/progress", {"progress": 31}).code == "task_finished"

    def test_any_sign_of_life_makes_it_fresh_again(self, api: Api) -> None:
        task = fresh()
        api.register(task, lease_seconds=0.2)
        reports = [
            lambda: api.progress(task, 1),
            lambda: node(api, task, "n", "running"),
            lambda: log(api, task, "m"),
            lambda: api.post(f"/api/v1/tasks/{task}/heartbeat"),
        ]
        for report in reports:
            report()
            assert api.task(task)["stale"] is False
            eventually(lambda: api.task(task)["stale"])
        assert api.task(task)["status"] == "running"


class TestExpectedEnd:
    def test_a_steady_task_is_expected_in_a_range_around_its_end(self, api: Api) -> None:
        task = fresh()
        begun = time.time()
        for number in range(12):
            api.progress(task, number * 2)
            if number < 11:
                time.sleep(max(0.0, begun + 0.25 * (number + 1) - time.time()))
        body = api.task(task)
        # Eight percent a second.
        assert body["eta"] is not None
        assert 5 < body["eta"] - time.time() < 15
        assert body["eta_earliest"] <= body["eta"] <= body["eta_latest"]
        api.complete(task)
        body = api.task(task)
        assert (body["eta"], body["eta_earliest"], body["eta_latest"]) == (None, None, None)

    def test_two_reports_are_no_pace(self, api: Api) -> None:
        task = fresh()
        api.progress(task, 1)
        api.progress(task, 2)
        assert api.task(task)["eta"] is None
