"""docs/openapi.json and the running gateway say the same: every route is described, every described call is made, and
every answer is held to its schema."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from typing import Any, Dict, Iterator, List, Optional, Set, Tuple

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from support.api import Answer, Api
from support.process import REPOSITORY, GatewayProcess
from support.sockets import Watcher
from support.tokens import token

DOCUMENT = json.loads((REPOSITORY / "docs" / "openapi.json").read_text(encoding="utf-8"))
IDEMPOTENCY = (REPOSITORY / "Sources" / "Gateway" / "Shard" / "Shard+Idempotency.swift").read_text(encoding="utf-8")
ROUTER = (REPOSITORY / "Sources" / "Gateway" / "RestAPI" / "RestRouter.swift").read_text(encoding="utf-8")
PROBLEMS = (REPOSITORY / "Sources" / "Gateway" / "Domain" / "Problem.swift").read_text(encoding="utf-8")
METHODS = ("get", "post", "delete", "put", "patch")
# A task may be called so: the path's other methods are about it.
SHARED = {"/api/v1/tasks/cancel": "/api/v1/tasks/{task_id}"}
# The probe's own name beside /readyz: two paths, one call of the router.
ALIASES = {"healthz": "readyz"}

Operation = Tuple[str, str]


def operations() -> Dict[Operation, Dict[str, Any]]:
    return {
        (method, path): entry[method]
        for path, entry in DOCUMENT["paths"].items()
        for method in METHODS
        if method in entry
    }


def closed(node: Any) -> Any:
    """The document with every object closed that does not say that it is open: an answer's unknown key is a mistake."""
    if isinstance(node, dict):
        node = {key: closed(value) for key, value in node.items()}
        if "properties" in node and node.get("type") == "object":
            node.setdefault("additionalProperties", False)
        return node
    return [closed(value) for value in node] if isinstance(node, list) else node


REGISTRY = Registry().with_resource(
    "urn:openapi", Resource.from_contents(closed(copy.deepcopy(DOCUMENT)), default_specification=DRAFT202012)
)


def pointer(*keys: str) -> str:
    return "urn:openapi#/" + "/".join(key.replace("~", "~0").replace("/", "~1") for key in keys)


def mistakes(reference: str, instance: Any) -> List[str]:
    validator = Draft202012Validator({"$ref": reference}, registry=REGISTRY)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(instance)]


class Described(Api):
    """An Api whose every exchange must be as the document says; it remembers which answers it has seen."""

    seen: Set[Tuple[str, str, str]] = set()

    def request(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        answer = super().request(method, path, body, **options)
        verb, template = method.lower(), self._template(path.partition("?")[0])
        operation = DOCUMENT["paths"][template][verb]
        status = str(answer.status)
        assert status in operation["responses"] or answer.status >= 400, f"{method} {template} answered {answer}"
        key = status if status in operation["responses"] else "default"
        where = ["paths", template, verb, "responses", key]
        response = operation["responses"][key]
        if "$ref" in response:
            where = response["$ref"].removeprefix("#/").split("/")
            response = DOCUMENT["components"]["responses"][where[-1]]
        for name in response.get("headers", {}):
            assert name.lower() in answer.headers, f"{method} {template} {status} has no {name}"
        content = response.get("content", {})
        if content:
            media = answer.headers["content-type"].split(";")[0]
            assert media in content, f"{method} {template} {status} is {media}"
            if media in ("application/json", "application/problem+json"):
                wrong = mistakes(pointer(*where, "content", media, "schema"), answer.body)
                assert not wrong, f"{method} {template} {status}: {wrong}\n{answer.body}"
        else:
            assert not answer.content, f"{method} {template} {status} has a body"
        if answer.status < 400 and body is not None and "requestBody" in operation:
            sent = operation["requestBody"]["content"]["application/json"]
            assert sent, template
            schema = pointer("paths", template, verb, "requestBody", "content", "application/json", "schema")
            # The gateway accepted it, so the document must.
            wrong = mistakes(schema, body)
            assert not wrong, f"{method} {template} accepted {body}: {wrong}"
        self.seen.add((verb, template, status))
        return answer

    @staticmethod
    def _template(path: str) -> str:
        if path in DOCUMENT["paths"]:
            return path
        for template in DOCUMENT["paths"]:
            if re.fullmatch(re.sub(r"\\\{[^/]*?\\\}", "[^/]+", re.escape(template)), path):
                return template
        raise AssertionError(f"{path} is not described")


@pytest.fixture(scope="module")
def gateway(start) -> GatewayProcess:
    return start("--echo", secured=True)


@pytest.fixture(scope="module")
def publisher(gateway: GatewayProcess) -> Described:
    return Described(gateway.url)


@pytest.fixture
def alice(gateway: GatewayProcess) -> Iterator[Watcher]:
    with Watcher(f"{gateway.websocket_url}/ws?token={token('alice')}", subprotocols=["signalbox.v1"]) as watcher:
        assert watcher.next()["type"] == "welcome"
        yield watcher


# The document itself


def test_the_document_is_valid_openapi() -> None:
    validate(DOCUMENT)


def test_the_gateway_serves_the_document_byte_for_byte(publisher: Described) -> None:
    assert publisher.get("/api/v1/openapi.json").content == (REPOSITORY / "docs" / "openapi.json").read_bytes()


def test_the_embedded_copy_is_up_to_date() -> None:
    script = REPOSITORY / "scripts" / "embed-openapi.py"
    subprocess.run([sys.executable, str(script), "--check"], check=True)


def examples(node: Any, where: Tuple[str, ...] = ()) -> Iterator[Tuple[str, Any]]:
    """Every example beside its schema's place."""
    if isinstance(node, dict):
        if "schema" in node and "example" in node:
            yield pointer(*where, "schema"), node["example"]
        for example in node.get("examples", []) if "type" in node or "anyOf" in node else []:
            yield pointer(*where), example
        for key, value in node.items():
            if key not in ("example", "examples"):
                yield from examples(value, (*where, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from examples(value, (*where, str(index)))


def test_every_example_is_valid() -> None:
    found = list(examples(DOCUMENT))
    assert len(found) > 25
    wrong = {place: mistakes(place, example) for place, example in found if mistakes(place, example)}
    assert not wrong


def test_the_problem_codes_are_those_of_the_gateway() -> None:
    table = PROBLEMS[PROBLEMS.index("enum Code") : PROBLEMS.index("package var status")]
    codes = [named or word for word, named in re.findall(r'case (\w+)(?: = "(\w+)")?', table)]
    assert len(codes) > 20
    assert DOCUMENT["components"]["schemas"]["Problem"]["properties"]["code"]["enum"] == codes


# Every route of the router


def test_every_call_of_the_router_is_described() -> None:
    calls = re.findall(r"^  case (\w+)", ROUTER[: ROUTER.index("var isOpen")], re.MULTILINE)
    assert len(calls) > 25
    described = {ALIASES.get(entry["operationId"], entry["operationId"]) for entry in operations().values()}
    assert described == set(calls)


def test_every_word_of_the_router_stands_in_a_described_path() -> None:
    segments = {segment for path in DOCUMENT["paths"] for segment in path.split("/") if segment}
    routes = ROUTER[ROUTER.index("static func route(") :]
    words = set(re.findall(r'(?:case |\(|== )"([a-z0-9.]+)"', routes))
    assert {"livez", "api", "tasks", "ack", "openapi.json"} <= words
    assert words - segments == set()


def test_the_calls_that_honour_a_key_are_described_so() -> None:
    honoured = IDEMPOTENCY[IDEMPOTENCY.index("var honoursIdempotencyKey") :].partition("true")[0]
    calls = set(re.findall(r"\.(\w+)", honoured))
    assert {"registerTask", "complete", "openConfirmation"} <= calls
    key = {"$ref": "#/components/parameters/IdempotencyKey"}
    mismatch = {"$ref": "#/components/responses/IdempotencyMismatch"}
    for entry in operations().values():
        isHonoured = entry["operationId"] in calls
        assert (key in entry.get("parameters", [])) == isHonoured, entry["operationId"]
        assert (entry["responses"].get("422") == mismatch) == isHonoured, entry["operationId"]


def test_a_path_answers_405_to_a_method_that_is_not_described(gateway: GatewayProcess) -> None:
    plain = Api(gateway.url)
    for path, entry in DOCUMENT["paths"].items():
        concrete = re.sub(r"\{[^/]*?\}", "some-name", path)
        entry = {**DOCUMENT["paths"].get(SHARED.get(path, ""), {}), **entry}
        allowed = {method.upper() for method in METHODS if method in entry} | ({"HEAD"} if "get" in entry else set())
        for method in METHODS:
            if method in entry:
                continue
            answer = plain.request(method.upper(), concrete)
            assert answer.status == 405 and answer.code == "method_not_allowed", (method, concrete, answer)
            assert set(answer.headers["allow"].split(", ")) == allowed, (method, concrete, answer)


def test_what_needs_credentials_says_so(gateway: GatewayProcess) -> None:
    stranger, user = Api(gateway.url, key=None), Api(gateway.url, key=token("mallory"))
    for (method, path), entry in operations().items():
        concrete = re.sub(r"\{[^/]*?\}", "some-name", path)
        body = {} if method == "post" else None
        if not entry["security"]:
            assert stranger.request(method.upper(), concrete, body).status < 500
            continue
        assert stranger.request(method.upper(), concrete, body).code == "unauthorized", (method, path)
        schemes = {scheme for requirement in entry["security"] for scheme in requirement}
        answer = user.request(method.upper(), concrete, body)
        isRefusedAsUser = answer.status == 403 and "for publishers" in answer.body["detail"]
        assert isRefusedAsUser == ("user" not in schemes), (method, path, answer)


# Every described call, made


def created(publisher: Described, task_id: str, **members: Any) -> Dict[str, Any]:
    answer = publisher.post("/api/v1/tasks", {"task_id": task_id, **members})
    assert answer.status == 201, answer
    return answer.body


def test_operation(publisher: Described) -> None:
    for path in ("/livez", "/readyz", "/healthz", "/api/v1/status", "/metrics"):
        assert publisher.get(path).status == 200
    assert publisher.get("/ui").headers["location"] == "/ui/"
    assert publisher.get("/metrics", headers={"Accept": "application/openmetrics-text"}).status == 200
    page = publisher.get("/ui/")
    assert page.status == 200
    assert publisher.get("/ui/", headers={"If-None-Match": page.headers["etag"]}).status == 304
    echoed = publisher.post("/echo", content=b"\x00\xff", content_type="application/octet-stream")
    assert (echoed.status, echoed.content) == (200, b"\x00\xff")


def test_tasks(publisher: Described) -> None:
    full = {
        "owner": "alice", "viewers": ["bob"], "kind": "report", "title": "A report", "total": 10,
        "parent_id": "openapi-parent", "weight": 2, "depends_on": ["openapi-first"], "lease_seconds": 30,
        "metadata": {"any": [1, None, "value"]},
    }  # fmt: skip
    created(publisher, "openapi-full", **full)
    assert publisher.post("/api/v1/tasks", {"task_id": "openapi-full"}).status == 200
    assert publisher.post("/api/v1/tasks", {}).status == 201
    assert publisher.post("/api/v1/tasks", {"task_id": "no spaces"}).code == "bad_request"
    assert publisher.get("/api/v1/tasks/openapi-full").body["metadata"] == full["metadata"]
    assert publisher.get("/api/v1/tasks/openapi-unknown").code == "task_not_found"
    page = publisher.get("/api/v1/tasks?status=pending&kind=report&owner=alice&parent_id=openapi-parent&limit=1")
    assert [task["task_id"] for task in page.body["tasks"]] == ["openapi-full"]
    first = publisher.get("/api/v1/tasks?limit=1").body
    assert len(first["tasks"]) == 1 and first["next_cursor"]
    second = publisher.get(f"/api/v1/tasks?limit=1&cursor={first['next_cursor']}").body
    assert second["tasks"][0]["task_id"] != first["tasks"][0]["task_id"]
    assert publisher.get("/api/v1/tasks?limit=0").code == "bad_request"
    stranger = Described(publisher.url, key=token("mallory"))
    assert stranger.get("/api/v1/tasks/openapi-full").code == "forbidden"
    assert stranger.get("/api/v1/tasks/openapi-full/events").code == "forbidden"
    assert stranger.get("/api/v1/tasks/openapi-full/logs").code == "forbidden"
    assert publisher.post("/api/v1/tasks", {"task_id": "openapi-own", "parent_id": "openapi-own"}).code == "bad_request"


def test_streams(publisher: Described) -> None:
    created(publisher, "openapi-streamed")
    assert publisher.post("/api/v1/tasks/openapi-streamed/complete", {}).status == 200
    path = "/api/v1/sse/tasks/openapi-streamed"
    stream = publisher.get(path)
    last = re.search(rb"^id: (.+)$", stream.content, re.MULTILINE)
    assert b"\nevent: snapshot\n" in stream.content and last
    assert publisher.get(path, headers={"Last-Event-ID": last[1].decode()}).status == 204
    assert publisher.get(f"{path}?wait=perhaps").code == "bad_request"
    assert publisher.get("/api/v1/sse/tasks/openapi-unknown").code == "task_not_found"


def test_reports(publisher: Described) -> None:
    task = "/api/v1/tasks/openapi-reports"
    everything = {
        "progress": 40, "status": "rendering", "current": 4, "total": 10, "message": "page 4", "details": [1],
        "result": None, "an extra": {"member": True},
    }  # fmt: skip
    assert publisher.post(f"{task}/progress", everything).body["offset"] == 1
    assert publisher.get(task).body["status_text"] == "rendering"
    assert publisher.post(f"{task}/progress", {"progress": -1}).status == 202
    assert publisher.post(f"{task}/progress", {"progress": 101}).code == "bad_request"
    assert publisher.post(f"{task}/heartbeat", {"user_id": "alice", "message": "still here"}).status == 200
    assert publisher.post(f"{task}/complete", {"message": "10 pages", "result": {"url": "/r/7"}}).status == 200
    assert publisher.post(f"{task}/complete", {}).code == "task_finished"
    assert publisher.get(task).body["finished_at"] is not None
    events = publisher.get(f"{task}/events?after=1&limit=5").body["events"]
    assert [event["type"] for event in events] == ["progress", "complete"] and events[-1]["success"] is True
    failing = "/api/v1/tasks/openapi-failing"
    assert publisher.post(f"{failing}/progress", {"progress": 1}).status == 202
    assert publisher.post(f"{failing}/error", {"error": "no paper", "error_code": "paper", "details": {}}).status == 200
    assert publisher.get(failing).body["error"] == "no paper"
    large = publisher.post(f"{failing}/error", content=b'"' + b"x" * (1 << 20) + b'"')
    assert large.code == "payload_too_large"
    assert publisher.post(f"{failing}/error", content=b"{}", content_type="text/plain").code == "unsupported_media_type"


def test_a_key_is_honoured(publisher: Described) -> None:
    path, key = "/api/v1/tasks/openapi-keyed/complete", {"Idempotency-Key": "openapi-1"}
    first = publisher.post(path, {"message": "done"}, headers=key)
    again = publisher.post(path, {"message": "done"}, headers=key)
    assert (first.status, again.status) == (200, 200) and again.content == first.content
    assert again.headers["idempotency-replayed"] == "true" and "idempotency-replayed" not in first.headers
    assert publisher.post(path, {"message": "other"}, headers=key).code == "idempotency_mismatch"
    assert publisher.post(path, {"message": "done"}).code == "task_finished"
    assert publisher.post(path, {}, headers={"Idempotency-Key": "k" * 256}).code == "bad_request"


def test_nodes(publisher: Described) -> None:
    task = "/api/v1/tasks/openapi-nodes"
    assert publisher.post(f"{task}/nodes/fetch", {"status": "completed"}).body["offset"] == 1
    everything = {"status": "running", "progress": 5.5, "message": "page 4", "weight": 2, "an extra": {"member": True}}
    assert publisher.post(f"{task}/nodes/render", everything).status == 202
    assert publisher.post(f"{task}/nodes/render", {"status": "failed", "progress": -1, "message": None}).status == 202
    assert publisher.post(f"{task}/nodes/render", {"progress": 5}).code == "bad_request"
    assert [node["node_id"] for node in publisher.get(task).body["nodes"]] == ["fetch", "render"]
    assert [event["type"] for event in publisher.get(f"{task}/events").body["events"]] == ["node_status"] * 3
    assert publisher.post(f"{task}/complete").status == 200
    assert publisher.post(f"{task}/nodes/fetch", {"status": "x"}).code == "task_finished"


def test_logs(publisher: Described) -> None:
    task = "/api/v1/tasks/openapi-logs"
    lines = [{"level": "info", "message": "m"}, {"level": "info", "message": "n", "timestamp": 5}]
    assert publisher.post(f"{task}/logs", {"lines": lines}).body["log_offset"] == 2
    assert publisher.get(f"{task}/logs?after=1&limit=5").body["lines"][0]["timestamp"] == 5
    assert publisher.post(f"{task}/logs", {"lines": []}).code == "bad_request"
    assert publisher.get(f"{task}/logs?limit=0").code == "bad_request"
    assert publisher.get("/api/v1/tasks/openapi-unknown/logs").code == "task_not_found"


def test_cancelling(publisher: Described) -> None:
    task = "/api/v1/tasks/openapi-cancelled"
    created(publisher, "openapi-cancelled", owner="alice")
    assert publisher.post(f"{task}/cancel", {"user_id": "alice", "reason": "not needed"}).status == 202
    assert publisher.post(f"{task}/progress", {"progress": 5}).body["cancel_requested"] is True
    assert publisher.post(f"{task}/cancel/ack", {"message": "stopped"}).status == 200
    assert publisher.get(f"{task}/events").body["events"][-1]["type"] == "cancelled"
    assert publisher.post("/api/v1/tasks/openapi-unknown/cancel", {}).code == "task_not_found"
    created(publisher, "openapi-many")
    many = publisher.post("/api/v1/tasks/cancel", {"task_ids": ["openapi-many", "openapi-unknown"]})
    assert (many.status, many.body["cancel_requested"]) == (202, ["openapi-many"])
    assert publisher.post("/api/v1/tasks/cancel", {"task_ids": []}).code == "bad_request"


def test_executions(publisher: Described) -> None:
    execution = publisher.post("/api/v1/executions", {"workflow_id": "w", "input_data": {"a": 1}})
    assert execution.status == 201
    name = execution.body["execution_id"]
    publisher.post(f"/api/v1/tasks/{name}/progress", {"progress": 50, "message": "half"})
    assert publisher.get(f"/api/v1/executions/{name}").body["status"] == "running"
    publisher.post(f"/api/v1/tasks/{name}/complete", {"result": [1]})
    assert publisher.get(f"/api/v1/executions/{name}").body["result"] == [1]
    assert publisher.get("/api/v1/executions/openapi-unknown").code == "task_not_found"


def test_confirmations(publisher: Described, alice: Watcher) -> None:
    question = {
        "task_id": "openapi-asked", "user_id": "alice", "step": 2, "timeout": 60, "default_proceed": False,
        "step_result": {
            "step": "send", "result": {"recipients": 240}, "completed": False, "message": "Send?", "status": "waiting",
            "error_code": None, "error_message": None,
        },
    }  # fmt: skip
    opened = publisher.post("/api/v1/confirmations", question)
    assert opened.status == 201
    name = opened.body["callback_id"]
    assert alice.next()["callback_id"] == name
    alice.send({"action": "confirm", "callback_id": name, "proceed": True, "feedback": {"any": "value"}})
    answered = publisher.get(f"/api/v1/confirmations/{name}?wait=5").body
    assert (answered["status"], answered["feedback"]) == ("confirmed", {"any": "value"})
    assert publisher.delete(f"/api/v1/confirmations/{name}").code == "already_resolved"
    viewers = publisher.post("/api/v1/confirmations", {**question, "audience": "viewers"})
    assert viewers.status == 201
    assert publisher.post("/api/v1/confirmations", {**question, "audience": "all"}).code == "bad_request"
    short = publisher.post("/api/v1/confirmations?wait=5", {**question, "timeout": 0.1})
    assert (short.body["status"], short.body["proceed"], short.body["resolved_by"]) == ("timed_out", False, "timeout")
    withdrawn = publisher.post("/api/v1/confirmations", question).body["callback_id"]
    assert publisher.delete(f"/api/v1/confirmations/{withdrawn}").body["status"] == "withdrawn"
    assert publisher.get("/api/v1/confirmations/unknown").code == "not_found"


def test_messages(publisher: Described, alice: Watcher) -> None:
    assert publisher.post("/api/v1/broadcast", {"any": "thing"}).body["connections"] == 1
    assert publisher.post("/api/v1/channels/news", {"any": "thing"}).body == {"connections": 0}
    plain = publisher.post("/api/v1/users/alice/messages", {"any": "thing"}).body
    assert plain == {"connections": 1, "message_id": None, "acked": False}
    asked = publisher.post("/api/v1/users/alice/messages?requires_ack=1", {"any": "thing"}).body
    while alice.next().get("message_id") != asked["message_id"]:
        pass
    alice.send({"action": "ack", "message_id": asked["message_id"]})
    alice.send({"action": "ping"})
    assert alice.next()["type"] == "pong"
    state = publisher.get(f"/api/v1/messages/{asked['message_id']}").body
    assert (state["acked"], state["status"], state["attempts"]) == (True, "acked", 1)
    assert publisher.get("/api/v1/messages/unknown").code == "not_found"
    assert publisher.delete("/api/v1/users/alice/connections").body == {"connections": 1}


def test_tickets(publisher: Described, gateway: GatewayProcess) -> None:
    ticket = publisher.post("/api/v1/tickets", {"user_id": "bob"})
    assert ticket.status == 201
    assert Described(publisher.url, key=token("bob")).post("/api/v1/tickets").status == 201
    assert publisher.post("/api/v1/tickets", {}).code == "bad_request"
    with Watcher(f"{gateway.websocket_url}/ws?ticket={ticket.body['ticket']}") as bob:
        bob.send({"action": "subscribe", "user_id": "bob"})
        assert bob.next() == {"type": "subscription_confirmed", "user_id": "bob"}


def test_publishing_in_bulk(publisher: Described) -> None:
    operations = [
        {"op": "register", "task_id": "openapi-bulk", "owner": "alice"},
        {"op": "progress", "task_id": "openapi-bulk", "progress": 10, "message": "one"},
        {"op": "heartbeat", "task_id": "openapi-bulk"},
        {"op": "node", "task_id": "openapi-bulk", "node_id": "fetch", "status": "running", "progress": 5},
        {"op": "log", "task_id": "openapi-bulk", "level": "info", "message": "one"},
        {"op": "log", "task_id": "openapi-bulk", "lines": [{"level": "info", "message": "two"}]},
        {"op": "complete", "task_id": "openapi-bulk", "result": 1},
        {"op": "error", "task_id": "openapi-bulk-2", "error": "no"},
        {"op": "message", "user_id": "alice", "text": "hello"},
        {"op": "broadcast", "body": {"text": "hello"}},
        {"op": "channel", "channel": "news", "text": "hello"},
    ]
    for operation in operations:
        assert not mistakes(pointer("components", "schemas", "PublishOperation"), operation)
    refused = {"op": "progress", "task_id": "openapi-bulk", "progress": 20}
    lines = "\n".join(json.dumps(operation) for operation in [*operations, refused])
    answer = publisher.post("/api/v1/publish", content=lines.encode(), content_type="application/x-ndjson")
    assert answer.body["accepted"] == len(operations)
    assert [(entry["line"], entry["error"]["code"]) for entry in answer.body["rejected"]] == [(12, "task_finished")]
    assert mistakes(pointer("components", "schemas", "PublishOperation"), {"op": "unheard-of"})


def test_every_described_success_was_seen(request: pytest.FixtureRequest) -> None:
    """Runs last in this file: the tests before it made every call of the document."""
    if selected_alone(request):
        pytest.skip("needs the whole file")
    wanted = {
        (method, path, status)
        for (method, path), entry in operations().items()
        for status in entry["responses"]
        if status[0] in "23"
    }
    assert wanted - Described.seen == set()


def selected_alone(request: pytest.FixtureRequest) -> Optional[bool]:
    names = {item.name for item in request.session.items if item.path == request.path}
    return any(name not in names for name in ("test_operation", "test_tasks", "test_messages", "test_tickets"))
