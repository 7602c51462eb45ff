"""Wire contract §2.3: the action dialect, the third seed's and the native one."""

from __future__ import annotations

import time
from typing import Any, Dict, List

import pytest

from support.api import Api, fresh
from support.process import GatewayProcess
from support.sockets import Watcher, eventually

NATIVE = ["signalbox.v1"]


@pytest.fixture(scope="module")
def gateway(start: Any) -> GatewayProcess:
    return start("--history-events", "8")


def is_now(timestamp: Any) -> bool:
    return isinstance(timestamp, (int, float)) and abs(time.time() - timestamp) < 10


def subscribe(watcher: Watcher, **keys: Any) -> Dict[str, Any]:
    answer = watcher.ask({"action": "subscribe", **keys})
    assert answer["type"] == "subscription_confirmed", answer
    return answer


class TestPing:
    @pytest.mark.parametrize("path", ["/", "/ws", "/ws/"])
    def test_nothing_is_said_before_the_client_speaks(self, watch: Any, path: str) -> None:
        assert watch(path).everything_so_far() == []

    def test_a_pong_returns_the_whole_message(self, watch: Any) -> None:
        ping = {"action": "ping", "timestamp": 1737540000123, "text": "文字", "nested": [{"a": None}]}
        pong = watch().ask(ping)
        assert is_now(pong.pop("timestamp"))
        assert pong == {"type": "pong", "original_data": ping}


class TestErrors:
    @pytest.mark.parametrize(
        ("sent", "message"),
        [
            ({"action": "dance"}, "Unknown action: dance"),
            ({}, "Unknown action: None"),
            ({"type": "ping"}, "Unknown action: None"),
            ("{", "Invalid JSON format"),
            ("", "Invalid JSON format"),
            ("ping", "Invalid JSON format"),
            ("[]", "Invalid JSON format"),
            ("null", "Invalid JSON format"),
            ('"ping"', "Invalid JSON format"),
            ('{"action":"ping"} x', "Invalid JSON format"),
            ('{"action":"ping",}', "Invalid JSON format"),
            ('{"action":NaN}', "Invalid JSON format"),
        ],
    )
    def test_a_mistake_is_named_and_the_connection_survives(self, watch: Any, sent: Any, message: str) -> None:
        watcher = watch()
        error = watcher.ask(sent)
        assert is_now(error.pop("timestamp"))
        assert error == {"type": "error", "message": message}
        assert watcher.everything_so_far() == []

    @pytest.mark.parametrize("silent", [{"action": "subscribe"}, {"action": "cancel"}])
    def test_naming_nothing_is_answered_by_nothing(self, watch: Any, silent: Any) -> None:
        watcher = watch()
        watcher.send(silent)
        assert watcher.everything_so_far() == []

    def test_a_message_of_the_greatest_length_is_taken_and_one_byte_more_is_1009(self, watch: Any) -> None:
        empty = len('{"action":"ping","text":""}')
        longest = '{"action":"ping","text":"%s"}' % ("x" * (65536 - empty))
        watcher = watch(compression=None)
        assert watcher.ask(longest)["original_data"]["text"] == "x" * (65536 - empty)
        watcher.send(longest + " ")
        assert watcher.closed()[0] == 1009

    def test_the_bound_holds_for_what_was_compressed(self, watch: Any) -> None:
        watcher = watch()
        watcher.send('{"action":"ping","text":"%s"}' % ("x" * 1_000_000))
        assert watcher.closed()[0] == 1009


class TestSubscribing:
    def test_a_user_is_confirmed_as_by_the_seed(self, watch: Any) -> None:
        user = fresh("user")
        assert watch().ask({"action": "subscribe", "user_id": user}) == {
            "type": "subscription_confirmed",
            "user_id": user,
        }

    def test_each_thing_named_is_confirmed_once(self, api: Api, watch: Any) -> None:
        task, execution, user, channel = fresh(), fresh("execution"), fresh("user"), fresh("channel")
        api.progress(task, 1)
        api.progress(execution, 1)
        watcher = watch()
        watcher.send(
            {"action": "subscribe", "user_id": user, "task_id": task, "execution_id": execution, "channel": channel}
        )
        answers = [watcher.next() for _ in range(4)]
        assert {answer["type"] for answer in answers} == {"subscription_confirmed"}
        keys = [
            (key, answer[key])
            for answer in answers
            for key in ("user_id", "task_id", "execution_id", "channel")
            if key in answer
        ]
        assert sorted(keys) == sorted(
            [("user_id", user), ("task_id", task), ("execution_id", execution), ("channel", channel)]
        )
        assert watcher.everything_so_far() == []

    def test_a_task_is_confirmed_with_its_snapshot(self, api: Api, watch: Any) -> None:
        task = fresh()
        last = {}
        for number in (10, 20, 30):
            last = api.progress(task, number, message=f"at {number}")
        answer = subscribe(watch(), task_id=task)
        assert (answer["task_id"], answer["epoch"], answer["offset"]) == (task, last["epoch"], last["offset"])
        assert answer["recovered"] is False
        assert answer["snapshot"] == api.task(task)
        assert (answer["snapshot"]["progress"], answer["snapshot"]["message"]) == (30, "at 30")

    def test_an_unknown_task_is_an_error_that_names_it(self, watch: Any) -> None:
        task = fresh()
        error = watch().ask({"action": "subscribe", "task_id": task})
        assert is_now(error.pop("timestamp"))
        assert error == {"type": "error", "message": "Task not found", "task_id": task}

    def test_who_waits_is_confirmed_before_the_task_exists(self, api: Api, watch: Any) -> None:
        task = fresh()
        watcher = watch()
        answer = subscribe(watcher, task_id=task, wait=True)
        assert (answer["epoch"], answer["offset"], answer["recovered"], answer["snapshot"]) == (None, 0, False, None)
        first = api.progress(task, 1)
        event = watcher.next()
        assert (event["offset"], event["epoch"]) == (1, first["epoch"]) and first["offset"] == 1

    def test_after_the_snapshot_come_the_next_offsets(self, api: Api, watch: Any) -> None:
        task = fresh()
        epoch = api.progress(task, 1)["epoch"]
        watcher = watch()
        offset = subscribe(watcher, task_id=task)["offset"]
        api.progress(task, 50, current=3, total=5, message="m", details={"a": [None]})
        api.progress(task, 60, status="indexing")
        api.complete(task, result={"r": 1})
        first, second, last = watcher.next(), watcher.next(), watcher.next()
        base = {"task_id": task, "epoch": epoch}
        expected = {"progress": 50, "current": 3, "total": 5, "message": "m", "details": {"a": [None]}}
        assert first.items() >= {"type": "progress", **base, "offset": offset + 1}.items()
        assert {key: first[key] for key in expected} == expected
        assert (second["type"], second["offset"], second["progress"]) == ("progress", offset + 2, 60)
        assert second["status"] == "indexing"
        assert not {"current", "total", "message", "details", "skipped"} & set(second), second
        assert (last["type"], last["offset"], last["success"]) == ("complete", offset + 3, True)
        assert last["result"] == {"r": 1}
        assert "message" not in last, "default messages are the task dialect's alone"

    def test_an_error_and_a_cancellation_are_events(self, api: Api, watch: Any) -> None:
        failing, cancelled = fresh(), fresh()
        watcher = watch()
        subscribe(watcher, task_id=failing, wait=True)
        subscribe(watcher, task_id=cancelled, wait=True)
        api.error(failing, "boom", error_code="E003", details={"a": 1})
        event = watcher.next_of("error")
        assert (event["task_id"], event["offset"]) == (failing, 1)
        assert (event["error"], event["error_code"], event["details"]) == ("boom", "E003", {"a": 1})
        api.progress(cancelled, 5)
        api.cancel(cancelled)
        api.acknowledge_cancel(cancelled)
        event = watcher.next_of("cancelled")
        assert (event["task_id"], event["offset"]) == (cancelled, 2)

    def test_unsubscribing_ends_the_events(self, api: Api, watch: Any) -> None:
        task, channel = fresh(), fresh("channel")
        watcher = watch()
        subscribe(watcher, task_id=task, wait=True)
        subscribe(watcher, channel=channel)
        answer = watcher.ask({"action": "unsubscribe", "task_id": task})
        assert (answer["type"], answer["task_id"]) == ("unsubscribed", task)
        answer = watcher.ask({"action": "unsubscribe", "channel": channel})
        assert (answer["type"], answer["channel"]) == ("unsubscribed", channel)
        api.progress(task, 1)
        api.post(f"/api/v1/channels/{channel}", {"a": 1})
        assert watcher.everything_so_far() == []

    def test_subscribing_twice_delivers_once(self, api: Api, watch: Any) -> None:
        task = fresh()
        watcher = watch()
        subscribe(watcher, task_id=task, wait=True)
        subscribe(watcher, task_id=task, wait=True)
        api.progress(task, 1)
        assert [event["offset"] for event in watcher.everything_so_far()] == [1]

    def test_a_channel_brings_its_messages_and_no_history(self, api: Api, watch: Any) -> None:
        channel = fresh("channel")
        api.post(f"/api/v1/channels/{channel}", {"n": 0})
        subscriber, other = watch(), watch()
        subscribe(subscriber, channel=channel)
        answer = api.post(f"/api/v1/channels/{channel}", {"type": "news", "n": 1, "nested": {"a": None}})
        assert answer.status == 200 and answer.body["connections"] == 1, answer
        assert subscriber.everything_so_far() == [{"type": "news", "n": 1, "nested": {"a": None}, "channel": channel}]
        assert other.everything_so_far() == []


class TestResuming:
    @staticmethod
    def offsets(messages: List[Dict[str, Any]]) -> List[int]:
        return [message["offset"] for message in messages]

    def test_what_was_missed_within_the_history_is_sent_again(self, api: Api, watch: Any) -> None:
        task = fresh()
        for number in range(1, 11):
            epoch = api.progress(task, number, message=f"m{number}")["epoch"]
        watcher = watch()
        answer = subscribe(watcher, task_id=task, since={"epoch": epoch, "offset": 6})
        assert (answer["recovered"], answer["snapshot"], answer["offset"]) == (True, None, 6)
        api.progress(task, 11)
        events = watcher.everything_so_far()
        assert self.offsets(events) == [7, 8, 9, 10, 11]
        assert [event["progress"] for event in events] == [7, 8, 9, 10, 11]
        assert events[0]["message"] == "m7" and all("skipped" not in event for event in events)

    def test_who_missed_nothing_is_recovered_at_the_head(self, api: Api, watch: Any) -> None:
        task = fresh()
        last = api.progress(task, 1)
        watcher = watch()
        answer = subscribe(watcher, task_id=task, since={"epoch": last["epoch"], "offset": last["offset"]})
        assert (answer["recovered"], answer["snapshot"], answer["offset"]) == (True, None, last["offset"])
        assert watcher.everything_so_far() == []

    @pytest.mark.parametrize(
        "since",
        [
            lambda epoch: {"epoch": epoch, "offset": 1},
            lambda epoch: {"epoch": "another", "offset": 9},
            lambda epoch: {"epoch": epoch, "offset": 99},
            lambda epoch: {"epoch": None, "offset": 0},
        ],
        ids=["older than the history", "another epoch", "beyond the head", "no epoch"],
    )
    def test_otherwise_the_snapshot_says_so_honestly(self, api: Api, watch: Any, since: Any) -> None:
        task = fresh()
        for number in range(1, 13):
            last = api.progress(task, number)
        watcher = watch()
        answer = subscribe(watcher, task_id=task, since=since(last["epoch"]))
        assert (answer["recovered"], answer["offset"], answer["epoch"]) == (False, 12, last["epoch"])
        assert answer["snapshot"]["progress"] == 12
        api.progress(task, 13)
        assert self.offsets(watcher.everything_so_far()) == [13]

    def test_the_history_is_as_long_as_configured(self, api: Api, watch: Any) -> None:
        task = fresh()
        for number in range(1, 13):
            epoch = api.progress(task, number)["epoch"]
        at_the_bound = subscribe(watch(), task_id=task, since={"epoch": epoch, "offset": 4})
        one_past = subscribe(watch(), task_id=task, since={"epoch": epoch, "offset": 3})
        assert (at_the_bound["recovered"], one_past["recovered"]) == (True, False)

    def test_the_end_that_was_missed_comes_too(self, api: Api, watch: Any) -> None:
        task = fresh()
        epoch = api.progress(task, 1)["epoch"]
        api.progress(task, 2)
        api.complete(task, result="r")
        watcher = watch()
        assert subscribe(watcher, task_id=task, since={"epoch": epoch, "offset": 1})["recovered"] is True
        assert [event["type"] for event in watcher.everything_so_far()] == ["progress", "complete"]


class TestCancelling:
    def cancelled_shape(self, user: str, task: str, message: Dict[str, Any]) -> None:
        assert is_now(message.pop("timestamp"))
        assert message == {"type": "task_cancelled", "user_id": user, "task_id": task}

    def test_the_request_reaches_watchers_the_user_and_who_named_nobody(self, api: Api, watch: Any) -> None:
        task, user = fresh(), fresh("user")
        api.progress(task, 1)
        watcher, users, nameless, others, asking = watch(), watch(), watch(), watch(), watch()
        subscribe(watcher, task_id=task)
        subscribe(watcher, user_id=fresh("watcher"))
        subscribe(users, user_id=user)
        subscribe(others, user_id=fresh("other"))
        asking.send({"action": "cancel", "user_id": user, "task_id": task, "reason": "enough"})
        for receiver in (asking, watcher, users, nameless):
            self.cancelled_shape(user, task, receiver.next_of("task_cancelled"))
        assert others.everything_so_far() == []
        assert api.task(task)["cancel_requested"] is True
        assert api.task(task)["status"] == "running"

    def test_nobody_is_told_twice(self, api: Api, watch: Any) -> None:
        task, user = fresh(), fresh("user")
        api.progress(task, 1)
        watcher = watch()
        subscribe(watcher, task_id=task)
        subscribe(watcher, user_id=user)
        watcher.send({"action": "cancel", "user_id": user, "task_id": task})
        assert [message["type"] for message in watcher.everything_so_far()] == ["task_cancelled"]

    def test_an_unknown_tasks_cancel_is_relayed_as_by_the_seed(self, watch: Any) -> None:
        asking, nameless = watch(), watch()
        task, user = fresh(), fresh("user")
        asking.send({"action": "cancel", "user_id": user, "task_id": task})
        self.cancelled_shape(user, task, asking.next())
        self.cancelled_shape(user, task, nameless.next())

    def test_the_worker_is_told_in_the_answer_to_its_next_report(self, api: Api, watch: Any) -> None:
        task = fresh()
        assert api.progress(task, 1)["cancel_requested"] is False
        asking = watch()
        asking.send({"action": "cancel", "user_id": "u", "task_id": task})
        asking.next_of("task_cancelled")
        assert api.progress(task, 2)["cancel_requested"] is True
        answer = api.post(f"/api/v1/tasks/{task}/heartbeat")
        assert (answer.status, answer.body["cancel_requested"]) == (200, True)
        subscriber = watch()
        subscribe(subscriber, task_id=task)
        api.acknowledge_cancel(task)
        assert subscriber.next_of("cancelled")["offset"] == 3
        assert api.task(task)["status"] == "cancelled"

    def test_a_worker_that_does_not_acknowledge_is_not_waited_for(self, start_own: Any) -> None:
        gateway = start_own("--cancel-timeout", "0.3")
        api = Api(gateway.url)
        task = fresh()
        api.progress(task, 1)
        with Watcher(gateway.websocket_url + "/ws") as watcher:
            subscribe(watcher, task_id=task)
            watcher.send({"action": "cancel", "user_id": "u", "task_id": task})
            begun = time.monotonic()
            watcher.next_of("task_cancelled")
            watcher.next_of("cancelled")
            assert 0.2 < time.monotonic() - begun < 3.0
        assert api.task(task)["status"] == "cancelled"


class TestMessages:
    def test_a_broadcast_reaches_every_connection_unchanged(self, api: Api, watch: Any) -> None:
        watchers = [watch() for _ in range(5)]
        subscribe(watchers[0], user_id=fresh("user"))
        message = {"type": "system_notification", "message": "维护", "severity": "warning", "timestamp": 1.25}
        answer = api.post("/api/v1/broadcast", message)
        assert answer.status == 200 and answer.body["connections"] >= 5, answer
        for watcher in watchers:
            assert watcher.next() == message

    def test_the_other_dialects_are_no_targets_of_broadcasts(self, api: Api, watch: Any) -> None:
        task = fresh()
        api.register(task)
        watcher = watch(f"/ws/task/{task}")
        watcher.next_of("connected")
        api.post("/api/v1/broadcast", {"type": "system_notification"})
        assert watcher.ask("ping")["type"] == "pong"

    def test_a_user_message_reaches_the_user_and_who_named_nobody(self, api: Api, watch: Any) -> None:
        user = fresh("user")
        first, second, nameless, other = watch(), watch(), watch(), watch()
        subscribe(first, user_id=user)
        subscribe(second, user_id=user)
        subscribe(other, user_id=fresh("other"))
        message = {"type": "personal_notification", "message": "Your task has been completed", "task_id": "task_456"}
        answer = api.post(f"/api/v1/users/{user}/messages", message)
        assert answer.status == 200, answer
        assert answer.body["connections"] >= 3
        for watcher in (first, second, nameless):
            assert watcher.next() == {**message, "target_user_id": user}
        assert other.everything_so_far() == []

    def test_an_acknowledged_message_is_waited_for(self, api: Api, watch: Any) -> None:
        import threading

        user = fresh("user")
        watcher = watch()
        subscribe(watcher, user_id=user)
        answers: List[Any] = []
        publisher = threading.Thread(
            target=lambda: answers.append(
                Api(api.url).post(f"/api/v1/users/{user}/messages?requires_ack=1&wait=5", {"type": "note", "n": 1})
            )
        )
        publisher.start()
        message = watcher.next_of("note")
        assert message["requires_ack"] is True and message["target_user_id"] == user and message["n"] == 1
        watcher.send({"action": "ack", "message_id": message["message_id"]})
        publisher.join(5)
        assert answers[0].status == 200
        assert (answers[0].body["message_id"], answers[0].body["acked"]) == (message["message_id"], True)
        assert api.get(f"/api/v1/messages/{message['message_id']}").body["acked"] is True
        assert watcher.everything_so_far() == []

    def test_an_unacknowledged_message_is_answered_when_the_wait_is_over(self, api: Api, watch: Any) -> None:
        user = fresh("user")
        watcher = watch()
        subscribe(watcher, user_id=user)
        begun = time.monotonic()
        answer = api.post(f"/api/v1/users/{user}/messages?requires_ack=1&wait=0.3", {"type": "note"})
        assert (answer.status, answer.body["acked"]) == (200, False)
        assert 0.2 < time.monotonic() - begun < 3.0
        message = watcher.next_of("note")
        watcher.send({"action": "ack", "message_id": message["message_id"]})
        path = f"/api/v1/messages/{message['message_id']}"
        eventually(lambda: api.get(path).body["acked"] is True)

    def test_a_heartbeat_is_relayed_to_the_user_and_the_watchers(self, api: Api, watch: Any) -> None:
        task, user = fresh(), fresh("user")
        api.progress(task, 1)
        users, watcher = watch(), watch()
        subscribe(users, user_id=user)
        subscribe(watcher, user_id=fresh("watcher"))
        subscribe(watcher, task_id=task)
        answer = api.post(f"/api/v1/tasks/{task}/heartbeat", {"user_id": user})
        assert (answer.status, answer.body["cancel_requested"]) == (200, False)
        for receiver in (users, watcher):
            heartbeat = receiver.next_of("heartbeat")
            assert is_now(heartbeat.pop("timestamp"))
            assert heartbeat == {
                "type": "heartbeat",
                "status": "heartbeat",
                "message": "Task is still executing...",
                "user_id": user,
                "task_id": task,
            }
            assert receiver.everything_so_far() == []

    def test_a_users_connections_can_be_closed(self, api: Api, watch: Any) -> None:
        user = fresh("user")
        first, second, other = watch(), watch(), watch()
        for watcher in (first, second):
            subscribe(watcher, user_id=user)
        subscribe(other, user_id=fresh("other"))
        answer = api.delete(f"/api/v1/users/{user}/connections")
        assert (answer.status, answer.body["connections"]) == (200, 2)
        first.closed()
        second.closed()
        assert other.everything_so_far() == []


class TestTheSubprotocol:
    def test_it_is_selected_and_welcomes_first(self, watch: Any) -> None:
        watcher = watch(subprotocols=["other", "signalbox.v1"])
        assert watcher.subprotocol == "signalbox.v1"
        welcome = watcher.next()
        assert welcome["type"] == "welcome" and welcome["connection_id"], welcome
        assert welcome["max_message_bytes"] == 65536 and welcome["ping_interval"] == 30
        assert is_now(welcome["server_time"])

    def test_connections_have_different_identifiers(self, watch: Any) -> None:
        identifiers = {watch(subprotocols=NATIVE).next()["connection_id"] for _ in range(10)}
        assert len(identifiers) == 10

    def test_without_it_there_is_no_welcome_and_no_selection(self, watch: Any) -> None:
        watcher = watch()
        assert watcher.subprotocol is None
        assert watcher.everything_so_far() == []

    def test_refreshing_with_a_bad_token_is_an_error(self, watch: Any) -> None:
        watcher = watch(subprotocols=NATIVE)
        watcher.next_of("welcome")
        error = watcher.ask({"action": "refresh", "token": "garbage"})
        assert (error["type"], error["message"]) == ("error", "Authentication failed")


class TestConnections:
    def test_the_older_connection_of_a_user_is_replaced_where_one_is_allowed(self, start_own: Any) -> None:
        gateway = start_own("--single-connection-per-user")
        with Watcher(gateway.websocket_url) as first, Watcher(gateway.websocket_url) as second:
            subscribe(first, user_id="u")
            subscribe(second, user_id="u")
            assert first.closed_next() == (4500, "Replaced by a newer connection")
            assert second.everything_so_far() == []

    def test_a_silent_connection_is_pinged_and_closed_with_1011(self, start_own: Any) -> None:
        from support.raw import RawSocket

        gateway = start_own("--ping-interval", "0.3", "--ping-timeout", "0.3")
        with RawSocket(gateway) as raw:
            raw.upgrade("/ws")
            assert raw.frame()[0] == 9, "a ping comes first"
            opcode, payload = raw.frame()
            assert (opcode, payload[:2], payload[2:].decode()) == (
                8,
                (1011).to_bytes(2, "big"),
                "keepalive ping timeout",
            )

    def test_a_connection_that_answers_pings_stays(self, start_own: Any) -> None:
        gateway = start_own("--ping-interval", "0.2", "--ping-timeout", "0.2")
        with Watcher(gateway.websocket_url) as watcher:
            with pytest.raises(TimeoutError):
                watcher.next(1.2)
            assert watcher.everything_so_far() == []
