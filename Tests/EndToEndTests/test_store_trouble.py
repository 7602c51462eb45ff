"""Wire contract §3 and §4.3: a store that takes no changes, while the gateway runs and at its start.

While it runs: what is promised to be durable is refused with 503 and has not happened; what is only shown goes on; and
when the trouble is over, so is its trace, without a restart. At the start: one clear line, and the file is left as it
was.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import resource
import sqlite3
import subprocess
import threading
import time
from typing import Any, Callable, ContextManager, Dict, Iterator, List, Tuple

import pytest

from support.api import Answer, Api, fresh
from support.process import API_KEY, binary, clean_environment
from support.sockets import Watcher, eventually
from support.succession import STORE_NAME, Succession
from support.worker import Worker

RECOVERY_SECONDS_MAX = 5.0
UNAVAILABLE = 69


@pytest.fixture
def succession(tmp_path: Any) -> Iterator[Succession]:
    with Succession(tmp_path) as succession:
        yield succession


# The troubles: each lasts for as long as its context


@contextlib.contextmanager
def full(succession: Succession) -> Iterator[None]:
    """No file of the gateway's may grow: what a full disk and a quota come to."""
    assert succession.gateway is not None
    identifier = succession.gateway.identifier
    before = resource.prlimit(identifier, resource.RLIMIT_FSIZE)
    resource.prlimit(identifier, resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.prlimit(identifier, resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def locked(succession: Succession, how: str = "IMMEDIATE") -> Iterator[None]:
    """Another program has begun a transaction that writes."""
    connection = sqlite3.connect(succession.path, isolation_level=None, timeout=5)
    connection.execute(f"BEGIN {how}")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def locked_exclusively(succession: Succession) -> ContextManager[None]:
    return locked(succession, "EXCLUSIVE")


@contextlib.contextmanager
def folder_moved_away(succession: Succession) -> Iterator[None]:
    elsewhere = succession.directory.with_name(succession.directory.name + "-elsewhere")
    succession.directory.rename(elsewhere)
    try:
        yield
    finally:
        elsewhere.rename(succession.directory)


@contextlib.contextmanager
def file_replaced_by_garbage(succession: Succession) -> Iterator[None]:
    elsewhere = succession.path.with_name("elsewhere")
    succession.path.rename(elsewhere)
    succession.path.write_bytes(os.urandom(65536))
    try:
        yield
    finally:
        elsewhere.replace(succession.path)


@contextlib.contextmanager
def file_replaced_by_a_copy(succession: Succession) -> Iterator[None]:
    """A whole database, of yesterday perhaps: what was reported as kept is not in it."""
    elsewhere = succession.path.with_name("elsewhere")
    content = succession.path.read_bytes()
    succession.path.rename(elsewhere)
    succession.path.write_bytes(content)
    try:
        yield
    finally:
        elsewhere.replace(succession.path)


Trouble = Callable[[Succession], ContextManager[None]]

# With a word of the sentence that says what is the matter, and the label of the metric.
TROUBLES: List[Tuple[Trouble, str, str]] = [
    (full, "no room to grow", "full"),
    (locked, "locked by another program", "locked"),
    (locked_exclusively, "locked by another program", "locked"),
    (folder_moved_away, "moved or replaced", "other"),
    (file_replaced_by_garbage, "moved or replaced", "other"),
    (file_replaced_by_a_copy, "moved or replaced", "other"),
]


def names(value: Any) -> str:
    return value.__name__ if callable(value) else ""


every_trouble = pytest.mark.parametrize(("trouble", "said", "kind"), TROUBLES, ids=names)


# What `/readyz` says, which anybody may ask.
CAUSES = {
    "full": "the disk is full",
    "locked": "another program holds the store",
    "other": "the store cannot be written",
}


def refused(answer: Answer, said: str) -> None:
    assert (answer.status, answer.code) == (503, "store_unavailable"), answer
    assert said in answer.body["detail"] and STORE_NAME in answer.body["detail"], answer
    assert int(answer.headers["retry-after"]) >= 1


def metric(api: Api, series: str) -> float:
    page = api.get("/metrics").content.decode()
    found = re.search(rf"^{re.escape(series)} (\S+)$", page, re.MULTILINE)
    assert found, f"no {series} on\n{page}"
    return float(found.group(1))


def is_ready(api: Api) -> bool:
    return api.get("/readyz").status == 200


def watching(succession: Succession, task: str) -> Watcher:
    watcher = succession.watch()
    watcher.send({"action": "subscribe", "task_id": task, "wait": True})
    assert watcher.next()["type"] == "subscription_confirmed"
    return watcher


def question(task: str, user: str) -> Dict[str, Any]:
    return {
        "task_id": task, "user_id": user, "step": 1, "step_result": {"step": "s", "message": "m", "status": "x"},
    }  # fmt: skip


class TestWhileItRuns:
    @every_trouble
    @pytest.mark.parametrize("threads", [1, 2])
    def test_an_end_is_refused_and_has_not_happened_progress_goes_on(
        self, succession: Succession, trouble: Trouble, said: str, kind: str, threads: int
    ) -> None:
        api, task = succession.start(threads=threads), fresh()
        api.register(task, title="kept")
        api.progress(task, 10)
        with watching(succession, task) as watcher:
            with trouble(succession):
                for attempt in range(2):
                    refused(api.post(f"/api/v1/tasks/{task}/complete", {"result": "done"}), said)
                    refused(api.post(f"/api/v1/tasks/{task}/error", {"error": "no"}), said)
                    state = api.task(task)
                    assert (state["status"], state["result"], state["error"]) == ("running", None, None)
                    receipt = api.progress(task, 20 + attempt, message="weiter")
                    event = watcher.next()
                    assert (event["type"], event["progress"]) == ("progress", 20 + attempt), "nobody heard of an end"
                    assert event["offset"] == receipt["offset"] == 2 + attempt, "the end's number is free again"
                ready = api.get("/readyz")
                assert (ready.status, ready.body["status"]) == (503, "store_unavailable")
                # For everybody, so without paths.
                assert ready.body["detail"] == CAUSES[kind]
                assert api.get("/livez").status == 200
                assert metric(api, "signalbox_store_up") == 0
                assert metric(api, f'signalbox_store_failures_total{{kind="{kind}"}}') >= 1
            eventually(lambda: is_ready(api), RECOVERY_SECONDS_MAX)
            assert metric(api, "signalbox_store_up") == 1
            receipt = api.complete(task, result="done")
            event = watcher.next()
            assert (event["type"], event["offset"], event["result"]) == ("complete", receipt["offset"], "done")
            assert receipt["offset"] == 4
        before = api.task(task)
        api = succession.crash()
        assert api.task(task) == before

    @every_trouble
    def test_everything_that_is_promised_is_refused_and_leaves_nothing(
        self, succession: Succession, trouble: Trouble, said: str, kind: str
    ) -> None:
        api, user, task = succession.start(threads=2), fresh("user"), fresh()
        api.register(task)
        opened = api.confirmation(user_id=user, task_id=task, timeout=60)
        new = {name: fresh(name) for name in ("register", "complete", "word", "question")}
        with succession.watch(subprotocols=["signalbox.v1"]) as watcher:
            watcher.send({"action": "subscribe", "user_id": user})
            watcher.next_of("task_step_result")
            watcher.everything_so_far()
            with trouble(succession):
                # Which finds it out; below is who does so with something else.
                refused(api.post(f"/api/v1/tasks/{task}/complete"), said)
                for path, body in (
                    ("/api/v1/tasks", {"task_id": new["register"]}),
                    (f"/api/v1/tasks/{new['complete']}/complete", {}),
                    (f"/api/v1/tasks/{new['word']}/progress", {"status": "failed", "message": "no"}),
                    (f"/api/v1/tasks/{task}/cancel", {}),
                    (f"/api/v1/tasks/{task}/cancel/ack", {}),
                    ("/api/v1/executions", {"workflow_id": "w"}),
                    ("/api/v1/confirmations?wait=3", question(new["question"], user)),
                    (f"/api/v1/users/{user}/messages?requires_ack=1", {"type": "notice"}),
                ):
                    refused(api.post(path, body), said)
                refused(api.delete(f"/api/v1/confirmations/{opened['callback_id']}"), said)
                # An answer to an open question is not taken either, and the question stays open.
                watcher.send({"action": "confirm", "callback_id": opened["callback_id"], "proceed": True})
                assert said in watcher.next_of("error")["message"]
                assert api.get(f"/api/v1/confirmations/{opened['callback_id']}").body == opened
                assert api.task(task)["cancel_requested"] is False
                # What needs no store goes on.
                answer = api.post(f"/api/v1/users/{user}/messages", {"type": "hello"})
                assert (answer.status, answer.body["connections"]) == (200, 1)
                assert watcher.next()["type"] == "hello", "and nothing of what was refused came before it"
            eventually(lambda: is_ready(api), RECOVERY_SECONDS_MAX)
            for name in new.values():
                assert api.get(f"/api/v1/tasks/{name}").status == 404, name
            assert watcher.everything_so_far() == []
            watcher.send({"action": "confirm", "callback_id": opened["callback_id"], "proceed": True})
            assert watcher.next_of("confirmation_result")["status"] == "accepted"
        # Not even in the file.
        api = succession.crash()
        listed = api.get("/api/v1/tasks?limit=100").body["tasks"]
        assert [entry["task_id"] for entry in listed] == [task]
        assert api.get(f"/api/v1/confirmations/{opened['callback_id']}").body["status"] == "confirmed"
        with succession.watch(subprotocols=["signalbox.v1"]) as watcher:
            watcher.next_of("welcome")
            watcher.send({"action": "subscribe", "user_id": user})
            assert [each["type"] for each in watcher.everything_so_far()] == ["subscription_confirmed"]

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("/api/v1/tasks", {"task_id": "new"}),
            ("/api/v1/tasks", {"title": "without a name"}),
            ("/api/v1/tasks/new/complete", {}),
            ("/api/v1/tasks/new/error", {"error": "no"}),
            ("/api/v1/tasks/new/progress", {"status": "failed", "message": "no"}),
            ("/api/v1/executions", {"workflow_id": "w"}),
            ("/api/v1/confirmations?wait=3", question("new", "ann")),
            ("/api/v1/users/ann/messages?requires_ack=1", {"type": "notice"}),
        ],
    )  # fmt: skip
    def test_who_finds_it_out_leaves_nothing(
        self, succession: Succession, path: str, body: Dict[str, Any]
    ) -> None:
        api = succession.start(threads=2)
        assert succession.gateway is not None
        with Worker(succession.gateway, Authorization=f"Bearer {API_KEY}") as worker, succession.watch() as watcher:
            worker.done("accept_executions", limit=5)
            watcher.send({"action": "subscribe", "user_id": "ann", "task_id": "new", "wait": True})
            watcher.everything_so_far()
            with locked(succession):
                refused(api.post(path, body), "locked")
                assert api.get("/api/v1/tasks?limit=10").body["tasks"] == []
                assert api.status()["pending_callbacks"] == 0
            eventually(lambda: is_ready(api), RECOVERY_SECONDS_MAX)
            assert watcher.everything_so_far() == [], "nobody has heard of it"
            # The worker's answer is the next that it gets: nothing was offered.
            worker.done("heartbeat", task_id="another")
        api = succession.crash()
        assert [task["task_id"] for task in api.get("/api/v1/tasks?limit=10").body["tasks"]] in ([], ["another"])
        assert api.status()["pending_callbacks"] == 0

    def test_a_cancel_stands_whoever_is_told_to_ask_again(self, succession: Succession) -> None:
        """It has been relayed when the store fails, and to ask again changes nothing."""
        api, task = succession.start(), fresh()
        api.progress(task, 1)
        with locked(succession):
            refused(api.post(f"/api/v1/tasks/{task}/cancel"), "locked")
        eventually(lambda: is_ready(api), RECOVERY_SECONDS_MAX)
        api.cancel(task)
        api = succession.crash()
        assert api.task(task)["cancel_requested"] is True

    def test_an_answer_that_finds_it_out_is_the_outcome_and_waits(self, succession: Succession) -> None:
        api, user = succession.start(), fresh("user")
        asked = api.confirmation(user_id=user, timeout=60)
        path = f"/api/v1/confirmations/{asked['callback_id']}"
        with succession.watch(subprotocols=["signalbox.v1"]) as watcher:
            watcher.send({"action": "subscribe", "user_id": user})
            watcher.next_of("task_step_result")
            watcher.everything_so_far()
            with locked(succession):
                watcher.send({"action": "confirm", "callback_id": asked["callback_id"], "proceed": False})
                eventually(lambda: not is_ready(api), RECOVERY_SECONDS_MAX)
                told = [message for message in watcher.everything_so_far() if message["type"] != "error"]
                assert told == [], "nobody is told an outcome that a crash could take back"
                answer = api.get(path)
                assert answer.status == 503 or answer.body["status"] == "pending", answer
            resolved = watcher.next_of("confirmation_resolved")
            assert (resolved["status"], resolved["proceed"]) == ("rejected", False)
        api = succession.crash()
        assert api.get(path).body["status"] == "rejected"

    @pytest.mark.parametrize("threads", [1, 2])
    def test_a_key_whose_call_was_refused_is_free(self, succession: Succession, threads: int) -> None:
        api, task = succession.start(threads=threads), fresh()
        path, headers = f"/api/v1/tasks/{task}/complete", {"Idempotency-Key": "k"}
        with locked(succession):
            for _ in range(3):
                refused(api.post(path, {"result": 1}, headers=headers), "locked")
        eventually(lambda: is_ready(api), RECOVERY_SECONDS_MAX)
        first = api.post(path, {"result": 2}, headers=headers)
        assert first.status == 200 and "idempotency-replayed" not in first.headers
        api = succession.crash()
        again = api.post(path, {"result": 2}, headers=headers)
        assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")
        assert api.task(task)["result"] == 2

    @pytest.mark.parametrize("threads", [1, 2])
    def test_lines_in_bulk_and_a_worker_s_operations_are_refused_one_by_one(
        self, succession: Succession, threads: int
    ) -> None:
        api, tasks = succession.start(threads=threads), [fresh() for _ in range(6)]
        assert succession.gateway is not None
        operations: List[Dict[str, Any]] = []
        for task in tasks:
            operations += [{"op": "progress", "task_id": task, "progress": 5}, {"op": "complete", "task_id": task}]
        content = "\n".join(json.dumps(operation) for operation in operations).encode()
        with Worker(succession.gateway, Authorization=f"Bearer {API_KEY}") as worker, locked(succession):
            # The first one finds out, the others know.
            for _ in range(2):
                answer = api.post("/api/v1/publish", content=content, content_type="application/x-ndjson")
                if answer.status == 503:
                    refused(answer, "locked")
                else:
                    assert answer.body["accepted"] == len(tasks)
                    assert [(entry["line"], entry["error"]["code"]) for entry in answer.body["rejected"]] == [
                        (2 * place + 2, "store_unavailable") for place in range(len(tasks))
                    ]
            refusal = worker.ask("complete", task_id=tasks[0])
            assert refusal["ok"] is False and refusal["error"]["code"] == "store_unavailable"
            assert worker.done("progress", task_id=tasks[0], progress=6)["cancel_requested"] is False
            assert {api.task(task)["status"] for task in tasks} == {"running"}
        eventually(lambda: is_ready(api), RECOVERY_SECONDS_MAX)
        answer = api.post("/api/v1/publish", content=content, content_type="application/x-ndjson")
        assert (answer.body["accepted"], answer.body["rejected"]) == (len(operations), [])
        api = succession.crash()
        assert {api.task(task)["status"] for task in tasks} == {"completed"}

    def test_a_deadline_passes_and_its_outcome_is_told_when_it_is_kept(self, succession: Succession) -> None:
        api = succession.start()
        asked = api.confirmation(timeout=0.6, default_proceed=False)
        with locked(succession):
            refused(api.post(f"/api/v1/tasks/{fresh()}/complete"), "locked")
            # Told now it might be another one after a crash: the wall clock, by which a restart goes, can be set back.
            refused(api.get(f"/api/v1/confirmations/{asked['callback_id']}?wait=2"), "locked")
        eventually(lambda: is_ready(api), RECOVERY_SECONDS_MAX)
        outcome = api.get(f"/api/v1/confirmations/{asked['callback_id']}?wait=3").body
        assert (outcome["status"], outcome["proceed"]) == ("timed_out", False)
        api = succession.crash()
        again = api.get(f"/api/v1/confirmations/{asked['callback_id']}?wait=3").body
        assert {**again, "deadline": None} == {**outcome, "deadline": None}

    def test_progress_during_the_trouble_is_kept_when_it_is_over(self, succession: Succession) -> None:
        api, tasks = succession.start(threads=2), [fresh() for _ in range(20)]
        with locked(succession):
            for number in range(50):
                for task in tasks:
                    api.progress(task, number, message=f"步 {number}")
            refused(api.post(f"/api/v1/tasks/{tasks[0]}/complete"), "locked")
        eventually(lambda: is_ready(api), RECOVERY_SECONDS_MAX)
        time.sleep(1.1)
        api = succession.crash()
        assert {(api.task(task)["progress"], api.task(task)["message"]) for task in tasks} == {(49, "步 49")}

    def test_who_stops_in_trouble_does_not_pretend_to_have_stopped_in_order(self, succession: Succession) -> None:
        api, task = succession.start(), fresh()
        old = api.register(task)["epoch"]
        with locked(succession):
            api.progress(task, 30)
            refused(api.post(f"/api/v1/tasks/{task}/complete"), "locked")
            succession.stop()
        api = succession.start()
        assert api.task(task)["epoch"] != old, "offset 1 of the old epoch was told and is not kept"
        assert api.task(task)["status"] in ("pending", "running")

    def test_who_is_killed_in_trouble_has_kept_nothing_that_it_refused(self, succession: Succession) -> None:
        api, task, new = succession.start(threads=2), fresh(), fresh()
        api.register(task)
        with locked(succession):
            for name in (task, new):
                refused(api.post(f"/api/v1/tasks/{name}/complete"), "locked")
                api.progress(name, 30)
            succession.kill()
        api = succession.start()
        assert api.task(task)["status"] == "pending"
        assert api.get(f"/api/v1/tasks/{new}").status == 404

    def test_a_short_transaction_of_another_program_is_waited_for(self, succession: Succession) -> None:
        api = succession.start()
        for _ in range(5):
            held = threading.Event()

            def hold(held: threading.Event = held) -> None:
                with locked(succession):
                    held.set()
                    time.sleep(0.05)

            holding = threading.Thread(target=hold)
            holding.start()
            assert held.wait(5)
            api.complete(fresh())
            holding.join()
        assert metric(api, "signalbox_store_up") == 1

    def test_a_copy_that_is_made_meanwhile_is_a_store(self, succession: Succession, tmp_path: pathlib.Path) -> None:
        """As `docs/operations.md` says: by SQLite's own backup, while the gateway writes."""
        api, ends = succession.start(threads=2), threading.Event()
        done: List[str] = []

        def publish() -> None:
            mine = Api(api.url)
            while not ends.is_set():
                name = fresh("copied")
                mine.complete(name, result="x" * 1000)
                done.append(name)

        publisher = threading.Thread(target=publish)
        publisher.start()
        eventually(lambda: len(done) >= 50)
        before = list(done)
        (tmp_path / "copy").mkdir()
        with contextlib.closing(sqlite3.connect(succession.path)) as source:
            with contextlib.closing(sqlite3.connect(tmp_path / "copy" / STORE_NAME)) as copy:
                source.backup(copy)
        ends.set()
        publisher.join(5)
        with Succession(tmp_path / "copy") as other:
            copied = other.start()
            assert {copied.task(name)["status"] for name in before} == {"completed"}
        assert {api.task(name)["status"] for name in done} == {"completed"}

    def test_many_who_publish_at_the_moment_it_begins_and_ends_learn_the_truth(self, succession: Succession) -> None:
        api = succession.start(threads=2)
        truths: Dict[str, bool] = {}
        ends = threading.Event()

        def publish(number: int) -> None:
            mine, count = Api(api.url), 0
            while not ends.is_set():
                task = f"race-{number}-{count}"
                count += 1
                mine.progress(task, 1)
                answer = mine.post(f"/api/v1/tasks/{task}/complete", {"result": task})
                assert answer.status in (200, 503), answer
                truths[task] = answer.status == 200

        publishers = [threading.Thread(target=publish, args=(number,)) for number in range(4)]
        for publisher in publishers:
            publisher.start()
        for _ in range(3):
            time.sleep(0.2)
            with locked(succession):
                eventually(lambda: not is_ready(api), RECOVERY_SECONDS_MAX)
            eventually(lambda: is_ready(api), RECOVERY_SECONDS_MAX)
        ends.set()
        for publisher in publishers:
            publisher.join(10)
        assert {True, False} == set(truths.values())
        wrong = {task for task, is_done in truths.items() if (api.task(task)["status"] == "completed") != is_done}
        assert not wrong, "an end that was refused has not happened, one that was answered has"
        api = succession.crash()
        wrong = {task for task, is_done in truths.items() if is_done and api.task(task)["status"] != "completed"}
        assert not wrong
        wrong = {
            task
            for task, is_done in truths.items()
            if not is_done and api.get(f"/api/v1/tasks/{task}").body.get("status") == "completed"
        }
        assert not wrong


class TestDamagedPages:
    ROW_COUNT = 56
    ROW_BYTE_COUNT = 1_000_000
    # Behind the pages that a start writes to, and before those that SQLite keeps in memory when it has read everything.
    DAMAGE = slice(1 << 20, 16 << 20)

    def test_damage_is_noticed_where_it_is_met_and_mended_by_putting_the_pages_back(
        self, succession: Succession
    ) -> None:
        api = succession.start("--max-request-bytes", "2097152")
        tasks = [fresh() for _ in range(self.ROW_COUNT)]
        for task in tasks:
            api.register(task, metadata={"text": "x" * self.ROW_BYTE_COUNT})
        api = succession.restart()
        damaged = tasks[2 : self.DAMAGE.stop // self.ROW_BYTE_COUNT - 2]
        with open(succession.path, "r+b") as file:
            file.seek(self.DAMAGE.start)
            original = file.read(self.DAMAGE.stop - self.DAMAGE.start)
            file.seek(self.DAMAGE.start)
            file.write(b"\xa5" * len(original))
            file.flush()
            for task in damaged[:3]:
                answer = api.post(f"/api/v1/tasks/{task}/complete")
                refused(answer, "is damaged")
                assert api.task(task)["status"] == "pending"
            assert api.progress(damaged[0], 50)["offset"] == 1
            assert metric(api, 'signalbox_store_failures_total{kind="corrupt"}') >= 1
            assert not is_ready(api)
            file.seek(self.DAMAGE.start)
            file.write(original)
        eventually(lambda: is_ready(api), RECOVERY_SECONDS_MAX)
        for task in damaged:
            api.complete(task)
        api = succession.crash()
        assert {api.task(task)["status"] for task in damaged} == {"completed"}
        assert {len(api.task(task)["metadata"]["text"]) for task in tasks} == {self.ROW_BYTE_COUNT}


# At the start


def begin(path: pathlib.Path, *, directory: pathlib.Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [
            binary(), "serve", "--host", "127.0.0.1", "--port", "0", "--auth", "off", "--api-keys", API_KEY,
            "--store", f"sqlite:{path}",
        ],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=directory,
        env=clean_environment(),
    )  # fmt: skip


def refusal(process: "subprocess.Popen[str]", seconds: float = 10.0) -> str:
    """The one line with which a gateway that cannot start ends."""
    try:
        output, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    assert process.returncode == UNAVAILABLE, errors
    assert output == ""
    lines = errors.splitlines()
    assert len(lines) == 1, errors
    assert lines[0].startswith("signalbox: the "), lines
    return lines[0]


def contents(directory: pathlib.Path) -> Dict[str, bytes]:
    """Every file but the lock, which a start may leave."""
    return {
        path.name: path.read_bytes()
        for path in directory.iterdir()
        if path.is_file() and not path.name.endswith("-lock")
    }


@pytest.fixture
def store(succession: Succession) -> pathlib.Path:
    """A store that a gateway left in order, with a task in it."""
    api = succession.start()
    api.complete("kept", result="x" * 20_000)
    succession.stop()
    return succession.path


def change(store: pathlib.Path, statement: str) -> None:
    connection = sqlite3.connect(store)
    connection.execute(statement)
    connection.commit()
    connection.close()


def newer(store: pathlib.Path) -> None:
    change(store, "PRAGMA user_version = 77")


def foreign(store: pathlib.Path) -> None:
    change(store, "PRAGMA application_id = 42")


def another_programs(store: pathlib.Path) -> None:
    store.unlink()
    change(store, "CREATE TABLE addresses (name TEXT)")


def some_text(store: pathlib.Path) -> None:
    store.write_text("# Shopping list\n\nbread\n" * 100)


def cut_within_its_header(store: pathlib.Path) -> None:
    store.write_bytes(store.read_bytes()[:60])


def cut_within_its_pages(store: pathlib.Path) -> None:
    store.write_bytes(store.read_bytes()[:8192])


def garbage_behind_its_header(store: pathlib.Path) -> None:
    content = bytearray(store.read_bytes())
    content[16:100] = bytes(84)
    store.write_bytes(content)


def a_folder(store: pathlib.Path) -> None:
    store.unlink()
    store.mkdir()


def a_pipe(store: pathlib.Path) -> None:
    store.unlink()
    os.mkfifo(store)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (newer, ["schema version 77", "knows 1", "newer release"]),
        (foreign, ["another program's database", "--store"]),
        (another_programs, ["another program's database", "--store"]),
        (some_text, ["not an SQLite database", "--store"]),
        (cut_within_its_header, ["damaged", "cut off", "restore a backup"]),
        (cut_within_its_pages, ["damaged", "of its", "pages", "restore a backup"]),
        (garbage_behind_its_header, ["damaged", "header", "restore a backup"]),
        (a_folder, ["a folder", "--store"]),
        (a_pipe, ["no regular file", "--store"]),
    ],
    ids=names,
)
def test_a_start_on_what_is_no_store_of_ours_says_so_and_changes_nothing(
    store: pathlib.Path, spoil: Callable[[pathlib.Path], None], said: List[str]
) -> None:
    spoil(store)
    before = contents(store.parent)
    line = refusal(begin(store, directory=store.parent))
    assert str(store) in line
    for words in said:
        assert words in line, line
    assert contents(store.parent) == before
    kinds = {path.name for path in store.parent.iterdir()}
    assert kinds <= {STORE_NAME, STORE_NAME + "-lock"}, "nothing was made beside it"


def test_pages_that_are_damaged_are_found_at_the_start(store: pathlib.Path) -> None:
    content = bytearray(store.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    store.write_bytes(content)
    line = refusal(begin(store, directory=store.parent))
    assert str(store) in line and "damaged" in line and "restore a backup" in line
    assert store.read_bytes() == content
    assert {path.name for path in store.parent.iterdir()} <= {STORE_NAME, STORE_NAME + "-lock"}


def test_a_start_needs_the_folder_to_be_there(tmp_path: pathlib.Path) -> None:
    line = refusal(begin(tmp_path / "missing" / "signalbox.db", directory=tmp_path))
    assert "folder" in line and "does not exist" in line and str(tmp_path / "missing") in line
    assert list(tmp_path.iterdir()) == []


def test_a_start_on_a_disk_without_room_says_so(tmp_path: pathlib.Path) -> None:
    process = subprocess.Popen(
        [
            "prlimit", "--fsize=4096", binary(), "serve", "--port", "0", "--auth", "off", "--api-keys", API_KEY,
            "--store", "sqlite:new.db",
        ],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        env=clean_environment(),
    )  # fmt: skip
    line = refusal(process)
    assert "no room to grow" in line and "new.db" in line
    # What a start that failed has left is no obstacle to the next one.
    with Succession(tmp_path) as succession:
        (tmp_path / "new.db").rename(succession.path)
        succession.start().complete("t")


def test_a_start_on_a_store_that_another_program_holds_says_so(store: pathlib.Path) -> None:
    connection = sqlite3.connect(store, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        line = refusal(begin(store, directory=store.parent))
    finally:
        connection.close()
    assert "locked by another program" in line and str(store) in line
    with Succession(store.parent) as succession:
        assert succession.start().task("kept")["status"] == "completed"


def test_two_gateways_never_share_a_store_whatever_they_call_it(succession: Succession, tmp_path: pathlib.Path) -> None:
    api = succession.start()
    assert succession.gateway is not None
    api.progress("t", 1)
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.db"
    link.symlink_to(succession.path)
    begun = time.monotonic()
    others = [begin(path, directory=tmp_path) for path in (succession.path, link)]
    lines = [refusal(other) for other in others]
    assert 4 < time.monotonic() - begun < 9, "it waits for one that is stopping"
    for line, path in zip(lines, (succession.path, link), strict=True):
        assert str(path) in line and f"process {succession.gateway.identifier}:" in line, line
    # The one that has it noticed nothing.
    api.complete("t")
    assert is_ready(api)


def test_a_gateway_waits_for_the_one_before_it_to_stop(succession: Succession) -> None:
    api = succession.start()
    receipt = api.complete("t", result="of the first")
    first = succession.gateway
    assert first is not None
    timer = threading.Timer(1.0, first.stop)
    timer.start()
    try:
        api = succession.start()
    finally:
        timer.join()
    assert not first.is_running
    assert (api.task("t")["result"], api.task("t")["epoch"]) == ("of the first", receipt["epoch"])


def test_a_port_that_is_taken_leaves_the_store_as_it_was(store: pathlib.Path) -> None:
    """The store is opened before the port: a start that fails there has served nothing, and says so in the store."""
    with Succession(store.parent) as succession:
        epoch = succession.start().progress("open", 1)["epoch"]
        succession.stop()
        other = store.parent / "other"
        other.mkdir()
        with Succession(other) as occupant:
            occupant.start()
            assert occupant.gateway is not None
            process = subprocess.run(
                [
                    binary(), "serve", "--host", "127.0.0.1", "--port", str(occupant.gateway.port), "--auth", "off",
                    "--api-keys", API_KEY, "--store", f"sqlite:{store}",
                ],
                capture_output=True, text=True, timeout=10, cwd=store.parent, env=clean_environment(),
            )  # fmt: skip
            assert process.returncode == UNAVAILABLE and "cannot listen" in process.stderr, process
        api = succession.start()
        assert api.task("open")["epoch"] == epoch
