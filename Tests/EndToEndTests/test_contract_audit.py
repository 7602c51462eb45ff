"""What reading the wire contract line by line against the running gateway turned up."""

from __future__ import annotations

import email.utils
import json
import time
from typing import Any

import jwt
import pytest

from support.api import Api, fresh
from support.process import GatewayProcess, run_to_end
from support.sockets import Watcher


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
    token = run_to_end("token", "--sub", "ann", "--secret", "secret").stdout.strip()
    Api(gateway.url).progress("t")
    with Watcher(f"{gateway.websocket_url}/ws/task/t?token={token}") as watcher:
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
