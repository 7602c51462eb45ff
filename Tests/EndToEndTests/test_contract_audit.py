"""What reading the wire contract line by line against the running gateway turned up."""

from __future__ import annotations

import email.utils
import json
import threading
import time
from typing import Any

import jwt
import pytest

from support.api import Api, fresh
from support.process import GatewayProcess, run_to_end
from support.raw import RawSocket, frame
from support.sockets import Watcher
from support.tokens import token


@pytest.fixture(scope="module")
def gateway(start: Any) -> GatewayProcess:
    return start()


@pytest.fixture(scope="module")
def secured(start: Any) -> GatewayProcess:
    return start(secured=True)


# §5: token and verify


def octets(secret: bytes) -> str:
    return json.loads(jwt.get_algorithm_by_name("HS256").to_jwk(secret))["k"]


def test_a_minted_token_is_what_other_libraries_read() -> None:
    claims_flags = ("--sub", "用户 1", "--role", "publisher", "--tasks", "a,b*", "--expires-in", "60")
    result = run_to_end("token", *claims_flags, "--secret", "short")
    assert result.returncode == 0 and result.stdout.count("\n") == 1, result
    claims = jwt.decode(result.stdout.strip(), "short", algorithms=["HS256"])
    assert claims["sub"] == "用户 1" and claims["role"] == "publisher" and claims["tasks"] == ["a", "b*"]
    assert 50 < claims["exp"] - time.time() <= 61


def test_a_minted_token_opens_the_door_with_a_secret_as_short_as_the_seeds(start_own: Any) -> None:
    gateway = start_own("--auth", "required", "--jwt-secret", "secret")
    assert any("jwt-secret is 6 bytes long, should be at least 32" in line for line in gateway.lines)
    minted = run_to_end("token", "--sub", "ann", "--secret", "secret").stdout.strip()
    Api(gateway.url).progress("t")
    with Watcher(f"{gateway.websocket_url}/ws/task/t?token={minted}") as watcher:
        assert watcher.next()["type"] == "connected"


def test_verify_answers_each_line_in_order() -> None:
    secret, other = b"0123456789abcdef0123456789abcdef", b"another-secret-another-secret-32"
    lines, expected = [], []
    for algorithm in ("HS256", "HS384", "HS512"):
        signed = jwt.encode({"sub": "a", "exp": 1}, secret * 2, algorithm)
        for key, good in ((secret * 2, "1"), (other, "0")):
            lines.append(json.dumps({"jwk": {"kty": "oct", "k": octets(key)}, "jws": signed}))
            expected.append(good)
    lines += ["", "not json", json.dumps({"jwk": {"kty": "oct", "k": octets(secret)}, "jws": "a.b.c"})]
    expected += ["0", "0", "0"]
    # The last line may lack its end.
    for text in ("\n".join(lines), "\n".join(lines) + "\n"):
        result = run_to_end("verify", stdin=text)
        assert result.returncode == 0 and result.stdout == "".join(f"{each}\n" for each in expected)


# §3: answers


@pytest.mark.parametrize("path", ["/livez", "/api/v1/tasks", "/nothing", "/ws", "/ui/", "/ui"])
def test_every_answer_has_its_date(gateway: GatewayProcess, path: str) -> None:
    for method in ("GET", "HEAD", "PUT"):
        answer = Api(gateway.url).request(method, path)
        sent = email.utils.parsedate_to_datetime(answer.headers["date"]).timestamp()
        assert abs(sent - time.time()) < 3


def test_the_dashboard_without_its_slash_is_redirected(api: Api) -> None:
    answer = api.get("/ui")
    assert answer.status == 308 and answer.headers["location"] == "/ui/" and answer.content == b""
    assert api.get("/ui/").status == 200


def test_an_execution_shows_what_it_was_created_with(api: Api) -> None:
    body = {"workflow_id": "workflow-id", "input_data": {"input": "test", "数": [1.50, None, {"a": []}]}}
    created = api.post("/api/v1/executions", body)
    assert created.status == 201
    execution = created.body
    assert execution["id"] == execution["execution_id"] and execution["status"] == "pending"
    assert {name: execution[name] for name in body} == body
    shown = api.get(f"/api/v1/executions/{execution['id']}")
    assert shown.status == 200
    assert shown.body == execution
    # The digits of a number are the publisher's.
    raw = api.post("/api/v1/executions", content=b'{"workflow_id":7,"input_data":[1e400,0.10,-0]}')
    assert raw.status == 201 and b'"workflow_id":7,"input_data":[1e400,0.10,-0]' in raw.content
    again = api.get(f"/api/v1/executions/{raw.body['id']}")
    assert b'"workflow_id":7,"input_data":[1e400,0.10,-0]' in again.content


def test_the_newest_tasks_are_listed_first_and_the_cursor_walks_into_the_past(start_own: Any) -> None:
    api = Api(start_own("--threads", "3").url)
    names = [fresh("listed") for _ in range(7)]
    for name in names:
        api.register(name)
        time.sleep(0.002)
    listed, cursor, pages = [], "", 0
    while cursor is not None:
        page = api.get(f"/api/v1/tasks?limit=3&cursor={cursor}" if cursor else "/api/v1/tasks?limit=3").body
        listed += [task["task_id"] for task in page["tasks"]]
        cursor = page["next_cursor"]
        pages += 1
        if pages == 1:
            # A task that is made meanwhile does not disturb the walk.
            api.register(fresh("late"))
    assert listed == names[::-1]


def test_a_stored_error_has_its_own_details_only(api: Api, watch: Any) -> None:
    bare, full = fresh(), fresh()
    for name in (bare, full):
        api.progress(name, 50, details={"earlier": True})
    api.error(bare, "broken")
    api.error(full, "broken", details={"traceback": "..."})
    for name, details in ((bare, None), (full, {"traceback": "..."})):
        watcher = watch(f"/ws/task/{name}")
        assert watcher.next()["type"] == "connected"
        error = watcher.next()
        assert error["type"] == "error" and error.get("details") == details and ("details" in error) is bool(details)


def test_an_offered_upgrade_names_itself_in_connection(gateway: GatewayProcess) -> None:
    with RawSocket(gateway) as raw:
        raw.send(b"GET /ws HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
        for _ in range(2):
            status, headers, _ = raw.answer()
            assert status == 426 and headers["upgrade"] == "websocket" and headers["connection"] == "Upgrade"


# §2: who gets what


def test_the_subprotocol_adds_nothing_to_the_seeds_other_dialects(secured: GatewayProcess) -> None:
    name = fresh()
    Api(secured.url).register(name)
    expiring = token("ann", exp=int(time.time()) + 30)
    for path, first in ((f"/ws/task/{name}", "connected"), (f"/api/v1/ws/executions/{name}", "status")):
        url = f"{secured.websocket_url}{path}?token={expiring}"
        with Watcher(url, subprotocols=["signalbox.v1"]) as watcher:
            assert watcher.subprotocol == "signalbox.v1"
            assert watcher.next()["type"] == first
            watcher.send({"type": "ping"})
            assert watcher.next()["type"] == "pong"


def test_a_draining_gateway_says_nothing_of_its_own_to_the_seeds_other_dialects(start_own: Any) -> None:
    gateway = start_own()
    Api(gateway.url).register("t")
    watchers = [
        Watcher(gateway.websocket_url + path, subprotocols=["signalbox.v1"])
        for path in ("/ws/task/t", "/api/v1/ws/executions/t")
    ]
    for watcher in watchers:
        watcher.next()
    stopping = threading.Thread(target=gateway.stop)
    stopping.start()
    for watcher in watchers:
        assert watcher.closed_next()[0] == 1012
    stopping.join()


def test_an_admin_who_answers_unasked_is_told_the_outcome_too(start_own: Any) -> None:
    gateway = start_own("--threads", "3", secured=True)
    for attempt in range(6):
        asked = Api(gateway.url).confirmation(user_id=f"user-{attempt}")
        url = f"{gateway.websocket_url}/ws?token={token('root', role='admin')}"
        with Watcher(url, subprotocols=["signalbox.v1"]) as admin:
            admin.next_of("welcome")
            admin.send({"action": "confirm", "callback_id": asked["callback_id"], "proceed": False, "feedback": "no"})
            result = admin.next_of("confirmation_result")
            assert result["status"] == "accepted"
            assert admin.next() == {
                "type": "confirmation_resolved",
                "callback_id": asked["callback_id"],
                "status": "rejected",
                "proceed": False,
                "feedback": "no",
                "resolved_by": "user",
            }
            admin.send({"action": "confirm", "callback_id": asked["callback_id"]})
            assert admin.next()["status"] == "already_resolved"
            assert admin.everything_so_far() == []


def test_a_token_within_the_leeway_stays_open_within_the_leeway(start_own: Any) -> None:
    gateway = start_own("--jwt-leeway", "3", secured=True)
    with Watcher(f"{gateway.websocket_url}/ws?token={token(exp=int(time.time()) - 1)}") as watcher:
        assert watcher.everything_so_far() == []
        assert watcher.closed() == (1008, "Token expired")


@pytest.mark.parametrize("user", [None, "ann"])
@pytest.mark.parametrize("task", ["unknown", "no task's name", "x" * 200])
def test_with_authentication_off_any_cancel_is_relayed(
    gateway: GatewayProcess, watch: Any, task: str, user: Any
) -> None:
    sender, unnamed, other = watch(), watch(), watch()
    other.send({"action": "subscribe", "user_id": "bob"})
    other.next_of("subscription_confirmed")
    named = {"user_id": user} if user else {}
    sender.send({"action": "cancel", "task_id": task, **named})
    for each in (sender, unnamed):
        relayed = each.next_of("task_cancelled")
        assert relayed["task_id"] == task and relayed["user_id"] == user and set(relayed) == CANCEL_MEMBERS
    assert other.everything_so_far() == []


CANCEL_MEMBERS = {"type", "user_id", "task_id", "timestamp"}


def test_a_user_makes_no_ticket_for_another(secured: GatewayProcess) -> None:
    user = Api(secured.url, token("ann"))
    answer = user.post("/api/v1/tickets", {"user_id": "bob"})
    assert answer.status == 403 and answer.code == "forbidden"
    assert user.post("/api/v1/tickets", {"user_id": "ann"}).status == 201
    assert user.post("/api/v1/tickets", {}).status == 201


@pytest.mark.parametrize("threads", ["1", "3"])
def test_a_message_after_a_tasks_line_arrives_after_it(start_own: Any, threads: str) -> None:
    gateway = start_own("--threads", threads)
    api = Api(gateway.url)
    with Watcher(gateway.websocket_url + "/ws") as watcher:
        watcher.send({"action": "subscribe", "channel": "c", "user_id": "ann"})
        for number in range(20):
            watcher.send({"action": "subscribe", "task_id": f"t{number}", "wait": True})
        for _ in range(22):
            watcher.next_of("subscription_confirmed")
        lines = []
        for number in range(20):
            lines += [
                {"op": "progress", "task_id": f"t{number}", "progress": number},
                {"op": "channel", "channel": "c", "body": {"type": "channel", "number": number}},
                {"op": "complete", "task_id": f"t{number}"},
                {"op": "message", "user_id": "ann", "type": "message", "number": number},
                {"op": "broadcast", "type": "broadcast", "number": number},
            ]
        answer = api.post(
            "/api/v1/publish",
            content="\n".join(json.dumps(line) for line in lines).encode(),
            content_type="application/x-ndjson",
        )
        assert answer.body == {"accepted": 100, "rejected": [], "cancel_requested": []}
        received = [watcher.next() for _ in range(100)]
    for number in range(20):
        of_task = [m["type"] for m in received if m.get("task_id") == f"t{number}" or m.get("number") == number]
        assert of_task == ["progress", "channel", "complete", "message", "broadcast"]
    if threads == "1":
        assert [m["number"] for m in received if "number" in m] == [n for n in range(20) for _ in range(3)]


@pytest.mark.parametrize("threads", ["1", "3"])
@pytest.mark.parametrize(
    ("path", "first"), [("/ws/task/", "connected"), ("/api/v1/ws/executions/", "status")], ids=["task", "execution"]
)
def test_the_seeds_first_message_is_first(start_own: Any, path: str, first: str, threads: str) -> None:
    gateway = start_own("--threads", threads)
    api = Api(gateway.url)
    api.register("t")
    for _ in range(10):
        with RawSocket(gateway) as raw:
            # The first frame comes in the segment of the handshake.
            raw.send(raw.upgrade_request(path + "t") + frame(1, b'{"type":"ping"}'))
            assert raw.answer()[0] == 101
            assert [json.loads(raw.frame()[1])["type"] for _ in range(2)] == [first, "pong"]
            raw.send(frame(1, b'{"type":"ping"}'))
            assert json.loads(raw.frame()[1])["type"] == "pong"
    with RawSocket(gateway) as raw:
        raw.send(raw.upgrade_request(path + "unknown") + frame(1, b'{"type":"ping"}'))
        assert raw.answer()[0] == 101
        code, reason = raw.close_frame()
        assert code == 1008 and reason.endswith("not found")
        raw.send(frame(8, (1008).to_bytes(2, "big")))
        assert raw.read_to_end() == b""
