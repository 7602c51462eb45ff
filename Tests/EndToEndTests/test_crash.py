"""Wire contract §4: a gateway that is killed again and again under load breaks none of its promises.

The seed decides when it is killed and what clients do; it is printed, and `SIGNALBOX_SEED` sets it. The kernel decides
the rest.
"""

from __future__ import annotations

import json
import os
import random
import time
from typing import Any, Dict, List

from support.api import Api
from support.careful import Asker, Client, Messenger, Publisher, SocketWatcher, StreamWatcher, User
from support.notes import Address, Notes, TaskNote
from support.sockets import Watcher, eventually
from support.succession import Succession

ROUNDS = 9
ROUND_SECONDS_MAX = 2.2
# One that ends in order, among those that are killed.
ORDERLY_ROUND = 4
# Of progress at most the last second may be lost.
LOST_SECONDS_MAX = 1.0
JOIN_SECONDS_MAX = 15.0


def crew(notes: Notes) -> List[Client]:
    return [
        # Some that end a task every few milliseconds, and some whose tasks live through several crashes.
        *(Publisher(notes, f"quick-{n}", task_count=1, report_count=3, pace=0.004) for n in range(3)),
        *(Publisher(notes, f"slow-{n}", task_count=6, report_count=60, pace=0.008) for n in range(2)),
        *(SocketWatcher(notes, f"watcher-{n}") for n in range(2)),
        StreamWatcher(notes, "stream"),
        *(Asker(notes, f"asker-{n}", f"user-{n}") for n in range(2)),
        *(User(notes, f"user-{n}-{m}", f"user-{n}", is_willing=m < 2) for n in range(2) for m in range(3)),
        *(Messenger(notes, f"messenger-{n}", f"user-{n}") for n in range(2)),
    ]


def settled(notes: Notes, moment: float) -> Dict[str, int]:
    """By task that was not finished a second before `moment`, the last report that had been answered by then."""
    numbers: Dict[str, int] = {}
    for task in list(notes.tasks):
        if task.end is None:
            old = [number for at, number in list(task.receipts) if at < moment - LOST_SECONDS_MAX]
            if old:
                numbers[task.name] = old[-1]
    return numbers


def check_progress(api: Api, numbers: Dict[str, int], notes: Notes) -> None:
    for name, number in numbers.items():
        details = api.task(name)["details"]
        if details is None or details["n"] < number:
            notes.fail(f"{name}: report {number} was more than a second old at the kill, and now it says {details}")
        notes.count("settled reports")


def check_task(api: Api, task: TaskNote, notes: Notes) -> None:
    answer = api.get(f"/api/v1/tasks/{task.name}")
    if answer.status == 404:
        assert not task.is_registered and task.end is None, f"{task.name} is gone"
        return
    body = answer.body
    assert body["title"] == task.title, body
    if task.is_cancel_requested:
        assert body["cancel_requested"] or body["status"] == "cancelled", body
    if task.end is None:
        return
    assert body["status"] == task.end["status"], (task.end, body)
    # What a worker says to a cancel stands in the event alone.
    assert body["status"] == "cancelled" or task.end["mark"] in json.dumps(body), (task.end, body)
    if "epoch" in task.end:
        assert (body["epoch"], body["offset"]) == (task.end["epoch"], task.end["offset"]), (task.end, body)
    # The event is kept with it, and is the one that watchers were told.
    kept = api.get(f"/api/v1/tasks/{task.name}/events?after={body['offset'] - 1}").body
    (event,) = kept["events"]
    assert (kept["epoch"], event.pop("offset")) == (body["epoch"], body["offset"])
    assert task.end["mark"] in json.dumps(event), (task.end, event)
    notes.saw_event(task.name, body["epoch"], body["offset"], event)


def check_ends_told(api: Api, notes: Notes) -> None:
    """An end that any watcher was told is one for ever."""
    for (name, epoch, offset), content in list(notes.events.items()):
        if json.loads(content)["type"] in ("complete", "error", "cancelled"):
            body = api.task(name)
            assert (body["epoch"], body["offset"]) == (epoch, offset), (content, body)
            notes.count("ends told")


def check_everything(api: Api, notes: Notes) -> None:
    for task in notes.tasks:
        check_task(api, task, notes)
    check_ends_told(api, notes)
    for callback in list(notes.deadlines):
        answer = api.get(f"/api/v1/confirmations/{callback}")
        assert answer.status == 200, (callback, answer)
        notes.saw_deadline(callback, answer.body["deadline"])
        if answer.body["status"] != "pending":
            notes.saw_outcome(callback, answer.body)
        else:
            assert callback not in notes.outcomes, (callback, notes.outcomes[callback], answer.body)
            assert answer.body["deadline"] > time.time() - 1, answer.body
    for message in notes.messages:
        answer = api.get(f"/api/v1/messages/{message}")
        assert answer.status == 200, (message, answer)
        assert answer.body["acked"] or message not in notes.acknowledged, answer
    for (path, key), (body, status, content) in notes.kept.items():
        options: Dict[str, Any] = {"headers": {"Idempotency-Key": key}}
        if isinstance(body, bytes):
            again = api.post(path, content=body, content_type="application/x-ndjson", **options)
        else:
            again = api.post(path, body, **options)
        assert (again.status, again.content) == (status, content), (path, key, again)
        assert again.headers.get("idempotency-replayed") == "true", (path, key, again)
    assert not notes.failures, "\n".join(notes.failures[:20])


def check_open_questions(succession: Succession, api: Api) -> None:
    """They are asked again, and can be answered."""
    for user in ("user-0", "user-1"):
        with succession.watch(subprotocols=["signalbox.v1"]) as watcher:
            watcher.next_of("welcome")
            watcher.send({"action": "subscribe", "user_id": user})
            asked: List[str] = []
            quiet = 0
            while quiet < 3:
                messages = [each for each in watcher.everything_so_far() if each["type"] == "task_step_result"]
                asked += [message["callback_id"] for message in messages if message["user_id"] == user]
                quiet = 0 if messages else quiet + 1
            assert len(asked) == len(set(asked)), "each is asked once"
            for callback in asked:
                watcher.send({"action": "confirm", "callback_id": callback, "proceed": True, "feedback": "at last"})
                result = watcher.next_of("confirmation_result")
                assert result["status"] in ("accepted", "expired"), result
    status = api.status()
    assert status["pending_callbacks"] == 0, status


def check_messages_arrive(succession: Succession, api: Api, notes: Notes) -> None:
    """Whoever was not reached by a message is sent it again, as long as there are tries."""

    def missing() -> List[str]:
        return [
            message
            for message in notes.messages - notes.arrived
            if api.get(f"/api/v1/messages/{message}").body["status"] == "pending"
        ]

    if not missing():
        return
    watchers: List[Watcher] = []
    try:
        for user in ("user-0", "user-1"):
            watchers.append(succession.watch(subprotocols=["signalbox.v1"]))
            watchers[-1].send({"action": "subscribe", "user_id": user})

        def arrive() -> bool:
            for watcher in watchers:
                for message in watcher.everything_so_far():
                    if "message_id" in message:
                        notes.arrived.add(message["message_id"])
            return not missing()

        eventually(arrive, 8)
    finally:
        for watcher in watchers:
            watcher.close()


def test_killed_again_and_again_it_breaks_no_promise(tmp_path: Any) -> None:
    seed = int(os.environ.get("SIGNALBOX_SEED") or random.randrange(1 << 32))
    print(f"SIGNALBOX_SEED={seed}")
    chance, notes = random.Random(seed), Notes(seed)
    with Succession(tmp_path, threads=2) as succession:
        clients = crew(notes)
        numbers: Dict[str, int] = {}
        life = 0
        for round_number in range(ROUNDS + 1):
            api = succession.start()
            check_progress(api, numbers, notes)
            assert not notes.failures, "\n".join(notes.failures[:20])
            assert succession.gateway is not None
            notes.moved(Address(succession.gateway.host, succession.gateway.port, life))
            if round_number == 0:
                for client in clients:
                    client.start()
            if round_number == ROUNDS:
                break
            # Now and then it hardly comes to anything.
            time.sleep(chance.choice([0.05, *(chance.uniform(0.5, ROUND_SECONDS_MAX) for _ in range(4))]))
            if round_number == ORDERLY_ROUND:
                succession.stop()
                numbers = settled(notes, time.monotonic() + LOST_SECONDS_MAX)
            else:
                moment = time.monotonic()
                succession.kill()
                numbers = settled(notes, moment)
                life += 1
            notes.moved(None)
        time.sleep(1)
        notes.is_over.set()
        for client in clients:
            client.join(JOIN_SECONDS_MAX)
            assert not client.is_alive(), f"{client.name} does not come to its end"
        print(notes.counts)
        # Once more, now that everybody knows what was answered.
        api = succession.crash()
        check_everything(api, notes)
        check_messages_arrive(succession, api, notes)
        check_open_questions(succession, api)
    for what in ("ends", "cancels", "reports", "settled reports", "recovered", "not recovered", "streamed", "outcomes",
                 "questions", "ends told", "unanswered"):  # fmt: skip
        assert notes.counts.get(what), f"the test saw no {what}: {notes.counts}"
    assert notes.kept and notes.acknowledged
