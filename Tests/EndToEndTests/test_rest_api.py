"""Wire contract §3: the HTTP API, its answers and its refusals."""

from __future__ import annotations

import json
import time
from typing import Any, Dict, List

import pytest

from support.api import Api, fresh
from support.process import API_KEY, GatewayProcess
from support.tokens import token


@pytest.fixture(scope="module")
def gateway(start: Any) -> GatewayProcess:
    return start("--max-request-bytes", "4096", secured=True)


class TestForEverybody:
    @pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
    def test_health_needs_no_credentials(self, api: Api, path: str) -> None:
        assert api.using(None).get(path).status == 200

    def test_the_status_has_the_keys_of_the_seed(self, gateway: GatewayProcess, api: Api) -> None:
        status = api.using(None).get("/api/v1/status").body
        assert status["running"] is True
        assert (status["host"], status["port"]) == ("127.0.0.1", gateway.port)
        assert isinstance(status["active_connections"], int) and isinstance(status["pending_callbacks"], int)
        assert isinstance(status["version"], str) and 0 <= status["uptime_seconds"] < 600

    def test_connections_are_counted_while_they_are_open(self, api: Api, watch: Any) -> None:
        from support.sockets import eventually

        before = api.status()["active_connections"]
        watchers = [watch(f"/ws?token={token()}") for _ in range(3)]
        for watcher in watchers:
            watcher.everything_so_far()
        assert api.status()["active_connections"] == before + 3
        for watcher in watchers:
            watcher.close()
        eventually(lambda: api.status()["active_connections"] == before)

    def test_metrics_are_prometheus_text(self, api: Api) -> None:
        answer = api.using(None).get("/metrics")
        assert answer.status == 200 and answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        names = {line.split("{")[0].split(" ")[0] for line in answer.content.decode().splitlines() if line[0] != "#"}
        assert any(name.startswith("signalbox_") for name in names)

    def test_the_api_describes_itself(self, api: Api) -> None:
        answer = api.using(None).get("/api/v1/openapi.json")
        assert answer.status == 200
        assert answer.body["openapi"].startswith("3.")
        for path in ("/api/v1/tasks", "/api/v1/tasks/{id}/progress", "/api/v1/confirmations", "/api/v1/publish"):
            same = [known for known in answer.body["paths"] if known.count("/") == path.count("/")]
            assert any(
                all(
                    a == b or a.startswith("{") and b.startswith("{") for a, b in zip(known.split("/"), path.split("/"))
                )
                for known in same
            ), path


class TestRefusals:
    @pytest.mark.parametrize("key", [None, "", "wrong", API_KEY + "x", API_KEY[:-1]])
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "/api/v1/tasks"),
            ("GET", "/api/v1/tasks"),
            ("POST", "/api/v1/tasks/t/progress"),
            ("POST", "/api/v1/broadcast"),
            ("POST", "/api/v1/publish"),
            ("POST", "/api/v1/confirmations"),
            ("DELETE", "/api/v1/users/u/connections"),
        ],
    )
    def test_nothing_is_open_without_credentials(self, api: Api, key: Any, method: str, path: str) -> None:
        answer = api.using(key).request(method, path, {} if method == "POST" else None)
        assert (answer.status, answer.code) == (401, "unauthorized")

    def test_publishers_need_a_key_where_authentication_is_off(self, start_own: Any) -> None:
        api = Api(start_own().url)
        assert api.progress(fresh())["offset"] == 1
        assert api.using(None).post("/api/v1/tasks/t/progress", {"progress": 1}).code == "unauthorized"

    @pytest.mark.parametrize("role", [None, "user"])
    def test_a_users_token_publishes_nothing(self, api: Api, role: Any) -> None:
        user = api.using(token(role=role))
        for path in ("/api/v1/tasks", "/api/v1/tasks/t/progress", "/api/v1/broadcast", "/api/v1/executions"):
            answer = user.post(path, {})
            assert (answer.status, answer.code) == (403, "forbidden"), path

    @pytest.mark.parametrize("role", ["publisher", "admin"])
    def test_a_publishers_token_publishes(self, api: Api, role: str) -> None:
        assert api.using(token(role=role)).progress(fresh())["offset"] == 1

    @pytest.mark.parametrize("path", ["/nowhere", "/api/v1/", "/api/v1/tasks/t/dance", "/api/v2/tasks", "/api/v1/task"])
    def test_an_unknown_path_is_404(self, api: Api, path: str) -> None:
        answer = api.get(path)
        assert (answer.status, answer.code) == (404, "not_found")

    @pytest.mark.parametrize(
        ("method", "path", "allowed"),
        [
            ("PUT", "/api/v1/tasks", {"GET", "POST"}),
            ("DELETE", "/api/v1/tasks/t", {"GET"}),
            ("GET", "/api/v1/tasks/t/progress", {"POST"}),
            ("GET", "/api/v1/broadcast", {"POST"}),
            ("POST", "/api/v1/confirmations/c", {"DELETE", "GET"}),
            ("POST", "/livez", {"GET"}),
            ("PATCH", "/api/v1/publish", {"POST"}),
        ],
    )
    def test_another_method_is_405_and_says_which_are_allowed(
        self, api: Api, method: str, path: str, allowed: "set[str]"
    ) -> None:
        answer = api.request(method, path)
        assert (answer.status, answer.code) == (405, "method_not_allowed")
        assert {each.strip() for each in answer.headers["allow"].split(",")} - {"HEAD", "OPTIONS"} == allowed

    def test_a_body_of_the_greatest_length_is_taken_and_one_byte_more_is_413(self, api: Api) -> None:
        longest = b'{"text":"' + b"x" * (4096 - len(b'{"text":""}')) + b'"}'
        assert len(longest) == 4096
        assert api.post("/api/v1/broadcast", content=longest).status == 200
        answer = api.post("/api/v1/broadcast", content=longest + b" ")
        assert (answer.status, answer.code) == (413, "payload_too_large")
        assert api.get("/livez").status == 200

    @pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"])
    def test_another_content_type_is_415(self, api: Api, content_type: str) -> None:
        answer = api.post("/api/v1/broadcast", content=b"{}", content_type=content_type)
        assert (answer.status, answer.code) == (415, "unsupported_media_type")

    @pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
    def test_the_content_type_is_read_as_http_says(self, api: Api, content_type: str) -> None:
        assert api.post("/api/v1/broadcast", content=b"{}", content_type=content_type).status == 200

    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"7", b'{"a":1} x', b'{"a":"\xff"}', b"{'a':1}"])
    def test_what_is_no_json_object_is_400(self, api: Api, content: bytes) -> None:
        for path in ("/api/v1/broadcast", "/api/v1/tasks/t/progress"):
            answer = api.post(path, content=content)
            assert (answer.status, answer.code) == (400, "bad_request")

    @pytest.mark.parametrize(
        ("path", "body", "named"),
        [
            ("progress", {"progress": 100.5}, "progress"),
            ("progress", {"progress": -2}, "progress"),
            ("progress", {"progress": "50"}, "progress"),
            ("progress", {"progress": True}, "progress"),
            ("progress", {"progress": 1, "status": "x" * 65}, "status"),
            ("progress", {"progress": 1, "status": 7}, "status"),
            ("progress", {"progress": 1, "message": 7}, "message"),
            ("complete", {"success": "yes"}, "success"),
            ("error", {}, "error"),
            ("error", {"error": 7}, "error"),
        ],
    )
    def test_a_bad_value_is_refused_by_the_name_of_its_field(
        self, api: Api, path: str, body: Dict[str, Any], named: str
    ) -> None:
        task = fresh()
        answer = api.post(f"/api/v1/tasks/{task}/{path}", body)
        assert (answer.status, answer.code) == (400, "bad_request")
        assert named in answer.body["detail"]
        assert api.get(f"/api/v1/tasks/{task}").status == 404, "a refused report registers nothing"

    def test_a_free_word_may_have_64_characters(self, api: Api) -> None:
        task = fresh()
        api.progress(task, 1, status="字" * 64)
        assert (api.task(task)["status"], api.task(task)["status_text"]) == ("running", "字" * 64)

    @pytest.mark.parametrize("task", ["a" * 128, "A-Z_a.z:0-9", "550e8400-e29b-41d4-a716-446655440000"])
    def test_a_good_task_id_is_taken(self, api: Api, task: str) -> None:
        assert api.progress(task)["offset"] >= 1
        assert api.task(task)["task_id"] == task

    @pytest.mark.parametrize("task", ["a" * 129, "a b", "a/b", "ü", "a\x00", "a%", "<a>"])
    def test_a_bad_task_id_is_400(self, api: Api, task: str) -> None:
        answer = api.post("/api/v1/tasks", {"task_id": task})
        assert (answer.status, answer.code) == (400, "bad_request")
        assert "task_id" in answer.body["detail"]

    def test_an_unknown_task_is_404(self, api: Api) -> None:
        answer = api.get(f"/api/v1/tasks/{fresh()}")
        assert (answer.status, answer.code) == (404, "task_not_found")

    def test_reports_register_no_task_where_that_is_off(self, start_own: Any) -> None:
        api = Api(start_own("--register-on-publish", "off").url)
        task = fresh()
        answer = api.post(f"/api/v1/tasks/{task}/progress", {"progress": 1})
        assert (answer.status, answer.code) == (404, "task_not_found")
        api.register(task)
        assert api.progress(task, 1)["offset"] == 1


class TestTasks:
    def test_registering_is_idempotent(self, api: Api) -> None:
        task = fresh()
        body = {
            "task_id": task,
            "owner": "user-1",
            "viewers": ["user-2"],
            "kind": "index",
            "title": "Titel",
            "total": 5,
        }
        first = api.post("/api/v1/tasks", {**body, "metadata": {"a": [1, None]}})
        assert first.status == 201
        assert first.body.items() >= {**body, "metadata": {"a": [1, None]}, "status": "pending", "offset": 0}.items()
        again = api.post("/api/v1/tasks", {**body, "title": "another"})
        assert (again.status, again.body["title"]) == (200, "Titel")

    def test_a_task_without_an_id_is_given_one(self, api: Api) -> None:
        first, second = api.post("/api/v1/tasks", {}), api.post("/api/v1/tasks", {})
        assert (first.status, second.status) == (201, 201)
        assert first.body["task_id"] != second.body["task_id"]
        assert api.task(first.body["task_id"])["status"] == "pending"

    def test_the_task_has_every_key(self, api: Api) -> None:
        task = fresh()
        begun = time.time()
        api.progress(task, 50, current=3, total=5, message="m", details={"a": 1})
        body = api.task(task)
        assert set(body) >= set(
            "task_id status progress current total message details result error error_code owner viewers kind title "
            "parent_id depends_on metadata epoch offset stale cancel_requested eta eta_earliest eta_latest created_at started_at "
            "updated_at finished_at".split()
        )
        assert (
            body.items()
            >= {
                "task_id": task,
                "status": "running",
                "progress": 50,
                "current": 3,
                "total": 5,
                "message": "m",
                "details": {"a": 1},
                "result": None,
                "error": None,
                "owner": None,
                "cancel_requested": False,
                "stale": False,
                "offset": 1,
                "finished_at": None,
            }.items()
        )
        for name in ("created_at", "started_at", "updated_at"):
            assert begun - 5 < body[name] < time.time() + 5, name

    def test_offsets_have_no_gaps_and_one_epoch(self, api: Api) -> None:
        task = fresh()
        answers = [api.progress(task, number) for number in range(10)] + [api.complete(task)]
        assert [answer["offset"] for answer in answers] == list(range(1, 12))
        assert len({answer["epoch"] for answer in answers}) == 1

    def test_absent_fields_keep_their_value_and_null_clears_them(self, api: Api) -> None:
        task = fresh()
        api.progress(task, 10, current=1, total=9, message="m", details=[1])
        api.progress(task, 20, current=2)
        body = api.task(task)
        assert [body[name] for name in ("progress", "current", "total", "message", "details")] == [20, 2, 9, "m", [1]]
        api.progress(task, 30, message=None, details=None)
        assert (api.task(task)["message"], api.task(task)["details"]) == (None, None)

    @pytest.mark.parametrize(
        ("end", "expected"),
        [
            ("complete", {"status": "completed", "progress": 100, "error": None}),
            ("unsuccessful", {"status": "failed", "progress": 40, "message": "no"}),
            ("error", {"status": "failed", "progress": 40, "error": "boom", "error_code": "E1"}),
            ("cancelled", {"status": "cancelled", "progress": 40}),
        ],
    )
    def test_a_finished_task_takes_no_more_reports(self, api: Api, end: str, expected: Dict[str, Any]) -> None:
        task = fresh()
        api.progress(task, 40)
        if end == "complete":
            api.complete(task, result=[1])
        elif end == "unsuccessful":
            api.complete(task, success=False, message="no")
        elif end == "error":
            api.error(task, "boom", error_code="E1")
        else:
            api.cancel(task)
            api.acknowledge_cancel(task)
        for path, body in (("progress", {"progress": 1}), ("complete", {}), ("error", {"error": "e"})):
            answer = api.post(f"/api/v1/tasks/{task}/{path}", body)
            assert (answer.status, answer.code) == (409, "task_finished"), path
        body = api.task(task)
        assert {name: body[name] for name in expected} == expected
        assert body["finished_at"] is not None and body["offset"] == 2

    def test_minus_one_is_a_progress_on_error(self, api: Api) -> None:
        assert api.post(f"/api/v1/tasks/{fresh()}/progress", {"progress": -1, "status": "failed"}).status == 202

    def test_events_are_listed_after_an_offset(self, api: Api) -> None:
        task = fresh()
        for number in range(1, 6):
            epoch = api.progress(task, number, message=f"m{number}")["epoch"]
        api.complete(task)
        whole = api.get(f"/api/v1/tasks/{task}/events").body
        assert whole["epoch"] == epoch
        assert [(event["offset"], event["type"]) for event in whole["events"]] == [
            *((number, "progress") for number in range(1, 6)),
            (6, "complete"),
        ]
        assert whole["events"][0].items() >= {"progress": 1, "message": "m1"}.items()
        part = api.get(f"/api/v1/tasks/{task}/events?after=2&limit=2").body
        assert [event["offset"] for event in part["events"]] == [3, 4]
        assert api.get(f"/api/v1/tasks/{task}/events?after=6").body["events"] == []
        for query in ("after=x", "after=-1", "limit=0", "limit=x"):
            assert api.get(f"/api/v1/tasks/{task}/events?{query}").code == "bad_request", query

    def test_publishing_does_not_fail_for_want_of_subscribers(self, api: Api) -> None:
        assert api.post(f"/api/v1/channels/{fresh('channel')}", {"a": 1}).body["connections"] == 0
        assert api.post(f"/api/v1/users/{fresh('user')}/messages", {"a": 1}).body["connections"] == 0

    def test_executions_are_created_pending(self, api: Api) -> None:
        answer = api.post("/api/v1/executions", {"workflow_id": "w", "input_data": {"input": [1]}})
        assert answer.status == 201
        assert answer.body["id"] == answer.body["execution_id"] and answer.body["status"] == "pending"
        assert api.get(f"/api/v1/executions/{answer.body['id']}").body["status"] == "pending"
        assert api.get("/api/v1/executions/unheard-of").status == 404


class TestListing:
    @staticmethod
    def pages(api: Api, query: str) -> List[List[str]]:
        pages, cursor = [], None
        while True:
            answer = api.get(f"/api/v1/tasks?{query}" + (f"&cursor={cursor}" if cursor else ""))
            assert answer.status == 200, answer
            pages.append([task["task_id"] for task in answer.body["tasks"]])
            cursor = answer.body["next_cursor"]
            if cursor is None:
                return pages
            assert len(pages) < 100

    def test_pages_hold_every_task_once(self, api: Api) -> None:
        kind = fresh("kind")
        tasks = [fresh() for _ in range(25)]
        for task in tasks:
            api.register(task, kind=kind)
        pages = self.pages(api, f"kind={kind}&limit=10")
        assert [len(page) for page in pages if page] == [10, 10, 5]
        assert sorted(task for page in pages for task in page) == sorted(tasks)

    def test_filters(self, api: Api) -> None:
        kind, owner, parent = fresh("kind"), fresh("user"), fresh()
        api.register(parent)
        tasks = [fresh() for _ in range(4)]
        api.register(tasks[0], kind=kind)
        api.register(tasks[1], kind=kind, owner=owner)
        api.register(tasks[2], kind=kind, parent_id=parent)
        api.register(tasks[3], kind=kind)
        api.progress(tasks[2], 5, status="a free word")
        api.complete(tasks[3])

        def listed(query: str) -> "set[str]":
            return {task for page in self.pages(api, query) for task in page}

        assert listed(f"kind={kind}") == set(tasks)
        assert listed(f"kind={kind}&status=pending") == {tasks[0], tasks[1]}
        assert listed(f"kind={kind}&status=running") == {tasks[2]}
        assert listed(f"kind={kind}&status=completed") == {tasks[3]}
        assert listed(f"owner={owner}") == {tasks[1]}
        assert listed(f"parent_id={parent}") == {tasks[2]}
        assert listed(f"kind={fresh('kind')}") == set()

    @pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=-1", "status=dancing", "cursor=%00garbage"])
    def test_a_bad_query_is_400(self, api: Api, query: str) -> None:
        assert api.get(f"/api/v1/tasks?{query}").code == "bad_request"

    def test_a_user_sees_only_its_own(self, api: Api) -> None:
        kind = fresh("kind")
        own, others, open_to_all = fresh(), fresh(), fresh()
        api.register(own, kind=kind, owner="user-7")
        api.register(others, kind=kind, owner="user-8")
        api.register(open_to_all, kind=kind)
        listed = api.using(token("user-7")).get(f"/api/v1/tasks?kind={kind}").body["tasks"]
        assert [task["task_id"] for task in listed if task["owner"] is not None] == [own]

    def test_a_user_reads_its_own_task_and_not_another_users(self, api: Api) -> None:
        own, others = fresh(), fresh()
        api.register(own, owner="user-7")
        api.register(others, owner="user-8")
        user = api.using(token("user-7"))
        assert user.get(f"/api/v1/tasks/{own}").body["task_id"] == own
        answer = user.get(f"/api/v1/tasks/{others}")
        assert (answer.status, answer.code) == (403, "forbidden")
        assert user.post(f"/api/v1/tasks/{own}/cancel").status == 202
        assert user.post(f"/api/v1/tasks/{others}/cancel").code == "forbidden"
        assert api.task(own)["cancel_requested"] is True
        assert api.task(others)["cancel_requested"] is False


class TestInBulk:
    @staticmethod
    def publish(api: Api, *lines: Any) -> Any:
        content = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines) + b"\n"
        return api.post("/api/v1/publish", content=content, content_type="application/x-ndjson")

    def test_each_line_is_an_operation_in_order(self, api: Api) -> None:
        task = fresh()
        answer = self.publish(
            api,
            {"op": "register", "task_id": task, "title": "T", "owner": "u"},
            {"op": "progress", "task_id": task, "progress": 10, "message": "m"},
            {"op": "progress", "task_id": task, "progress": 20},
            {"op": "complete", "task_id": task, "result": {"r": 1}},
        )
        assert answer.status == 200
        assert answer.body == {"accepted": 4, "rejected": [], "cancel_requested": []}
        body = api.task(task)
        assert (body["title"], body["owner"], body["status"], body["result"], body["offset"]) == (
            "T",
            "u",
            "completed",
            {"r": 1},
            3,
        )

    def test_a_bad_line_is_rejected_by_its_number_and_the_rest_is_taken(self, api: Api) -> None:
        task = fresh()
        answer = self.publish(
            api,
            {"op": "progress", "task_id": task, "progress": 10},
            b"{ no json",
            b"",
            {"op": "dance", "task_id": task},
            {"op": "progress", "task_id": task, "progress": 1000},
            {"op": "progress", "progress": 1},
            {"op": "complete", "task_id": task},
            {"op": "progress", "task_id": task, "progress": 11},
            b"[1]",
        )
        assert answer.status == 200
        assert answer.body["accepted"] == 2
        assert [(entry["line"], entry["error"]["code"]) for entry in answer.body["rejected"]] == [
            (2, "bad_request"),
            (4, "bad_request"),
            (5, "bad_request"),
            (6, "bad_request"),
            (8, "task_finished"),
            (9, "bad_request"),
        ]

    def test_every_operation_arrives(self, api: Api, watch: Any) -> None:
        task, user, channel = fresh(), fresh("user"), fresh("channel")
        api.register(task, owner=user)
        watcher = watch(f"/ws?token={token(user)}")
        for key in ({"task_id": task}, {"channel": channel}):
            watcher.send({"action": "subscribe", **key})
            watcher.next_of("subscription_confirmed")
        answer = self.publish(
            api,
            {"op": "heartbeat", "task_id": task},
            {"op": "message", "user_id": user, "type": "beside", "n": 1},
            {"op": "message", "user_id": user, "body": {"type": "within", "op": "mine", "user_id": "mine too"}},
            {"op": "broadcast", "body": {"type": "to-all"}},
            {"op": "channel", "channel": channel, "type": "to-some"},
            {"op": "error", "task_id": task, "error": "boom"},
        )
        assert (answer.body["accepted"], answer.body["rejected"]) == (6, [])
        messages = {message["type"]: message for message in watcher.everything_so_far()}
        assert messages["beside"] == {"type": "beside", "n": 1, "target_user_id": user}
        assert messages["within"] == {"type": "within", "op": "mine", "user_id": "mine too", "target_user_id": user}
        assert messages["to-all"] == {"type": "to-all"}
        assert messages["to-some"] == {"type": "to-some", "channel": channel}
        assert messages["error"]["error"] == "boom"
        assert messages["heartbeat"]["user_id"] == user

    def test_the_tasks_to_cancel_are_named(self, api: Api) -> None:
        task, other = fresh(), fresh()
        api.progress(task, 1)
        api.cancel(task)
        answer = self.publish(
            api,
            {"op": "progress", "task_id": task, "progress": 2},
            {"op": "progress", "task_id": other, "progress": 2},
        )
        assert answer.body["cancel_requested"] == [task]

    def test_the_last_line_needs_no_end(self, api: Api) -> None:
        content = json.dumps({"op": "progress", "task_id": fresh(), "progress": 1}).encode()
        answer = api.post("/api/v1/publish", content=content, content_type="application/x-ndjson")
        assert answer.body["accepted"] == 1

    def test_nothing_is_accepted_of_nothing(self, api: Api) -> None:
        answer = api.post("/api/v1/publish", content=b"", content_type="application/x-ndjson")
        assert (answer.status, answer.body["accepted"]) == (200, 0)

    def test_other_types_are_415(self, api: Api) -> None:
        assert api.post("/api/v1/publish", {"op": "progress"}).code == "unsupported_media_type"
