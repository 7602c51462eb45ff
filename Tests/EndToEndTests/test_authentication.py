"""Wire contract §2: who one is, from where it is read, and what one may see."""

from __future__ import annotations

import time
from typing import Any

import pytest

from support.api import Api, fresh
from support.process import JWT_SECRET, GatewayProcess, run_to_end
from support.raw import RawSocket
from support.sockets import Watcher
from support.tokens import token

REFUSED = (1008, "Authentication failed")


@pytest.fixture(scope="module")
def gateway(start: Any) -> GatewayProcess:
    return start("--cookie-name", "session", secured=True)


def is_user(watcher: Watcher, api: Api, user: str) -> bool:
    """Whether a message to ``user`` reaches this connection."""
    api.post(f"/api/v1/users/{user}/messages", {"type": "note"})
    return any(message.get("target_user_id") == user for message in watcher.everything_so_far())


class TestSources:
    def test_the_query(self, api: Api, watch: Any) -> None:
        user = fresh("user")
        assert is_user(watch(f"/ws?token={token(user)}"), api, user)

    def test_the_authorization_header(self, api: Api, watch: Any) -> None:
        user = fresh("user")
        assert is_user(watch(headers={"Authorization": f"Bearer {token(user)}"}), api, user)
        assert is_user(watch(headers={"Authorization": f"bearer {token(user)}"}), api, user)

    def test_the_cookie(self, api: Api, watch: Any) -> None:
        user = fresh("user")
        assert is_user(watch(headers={"Cookie": f"other=1; session={token(user)}; last=2"}), api, user)
        assert watch(headers={"Cookie": f"other={token(user)}"}).closed_next() == REFUSED

    def test_the_subprotocol_which_is_never_echoed(self, api: Api, watch: Any) -> None:
        user = fresh("user")
        watcher = watch(subprotocols=["signalbox.v1", f"bearer.{token(user)}"])
        assert watcher.subprotocol == "signalbox.v1"
        watcher.next_of("welcome")
        assert is_user(watcher, api, user)

    def test_a_bearer_alone_is_read_and_nothing_is_selected(self, gateway: GatewayProcess) -> None:
        with RawSocket(gateway) as raw:
            headers = raw.upgrade(extra=f"Sec-WebSocket-Protocol: bearer.{token()}\r\n")
            assert "sec-websocket-protocol" not in headers

    def test_a_ticket_is_good_once(self, api: Api, watch: Any) -> None:
        user = fresh("user")
        answer = api.post("/api/v1/tickets", {"user_id": user})
        assert answer.status == 201, answer
        assert 50 < answer.body["expires_at"] - time.time() < 70
        ticket = answer.body["ticket"]
        assert is_user(watch(f"/ws?ticket={ticket}"), api, user)
        assert watch(f"/ws?ticket={ticket}").closed_next() == REFUSED

    def test_a_user_makes_a_ticket_for_itself(self, api: Api, watch: Any) -> None:
        user = fresh("user")
        answer = api.using(token(user)).post("/api/v1/tickets")
        assert answer.status == 201, answer
        assert is_user(watch(f"/ws?ticket={answer.body['ticket']}"), api, user)

    def test_a_ticket_carries_the_claims_of_its_token(self, api: Api, watch: Any) -> None:
        task = fresh()
        api.register(task, owner="somebody")
        answer = api.using(token("user-9", tasks=[task])).post("/api/v1/tickets")
        watcher = watch(f"/ws/task/{task}?ticket={answer.body['ticket']}")
        assert watcher.next()["type"] == "connected"

    @pytest.mark.parametrize(
        "path", ["/ws", "/", "/ws/task/t", "/ws?ticket=unheard-of", "/ws?token=a.b.c", "/ws?ticket="]
    )
    def test_without_any_the_socket_is_refused(self, watch: Any, path: str) -> None:
        assert watch(path).closed_next() == REFUSED

    def test_the_token_of_the_query_is_taken_before_the_headers(self, api: Api, watch: Any) -> None:
        first, second = fresh("user"), fresh("user")
        watcher = watch(f"/ws?token={token(first)}", headers={"Authorization": f"Bearer {token(second)}"})
        assert is_user(watcher, api, first)

    def test_tokens_stand_in_no_log(self, gateway: GatewayProcess, api: Api, watch: Any) -> None:
        secret = token(fresh("user"))
        watch(f"/ws?token={secret}").everything_so_far()
        watch(f"/ws/task/{fresh()}?token={secret}").closed()
        watch("/ws?token=forged.token.here").closed()
        log = "\n".join(gateway.lines)
        assert secret not in log and "forged.token.here" not in log and JWT_SECRET not in log


class TestTokens:
    @pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
    def test_algorithms(self, api: Api, watch: Any, algorithm: str) -> None:
        user = fresh("user")
        assert is_user(watch(f"/ws?token={token(user, algorithm=algorithm)}"), api, user)

    @pytest.mark.parametrize(
        "claims",
        [
            {"exp": 1},
            {"exp": None},
            {"exp": "tomorrow"},
            {"nbf": 4102444800},
            {"sub": None},
            {"sub": "x" * 129},
            {"algorithm": "none", "secret": ""},
            {"secret": "another-secret-of-thirty-two-bytes!!"},
        ],
    )
    def test_bad_ones_are_refused(self, watch: Any, claims: Any) -> None:
        claims = dict(claims)
        sub = claims.pop("sub", "user-1")
        assert watch(f"/ws?token={token(sub, **claims)}").closed_next() == REFUSED

    def test_a_changed_signature_or_payload_is_refused(self, watch: Any) -> None:
        head, payload, signature = token().split(".")
        other_payload = token("another").split(".")[1]
        flipped = ("A" if signature[0] != "A" else "B") + signature[1:]
        for forged in (f"{head}.{payload}.{flipped}", f"{head}.{other_payload}.{signature}", f"{head}.{payload}."):
            assert watch(f"/ws?token={forged}").closed_next() == REFUSED

    def test_the_leeway_is_half_a_minute(self, api: Api, watch: Any) -> None:
        user = fresh("user")
        assert is_user(watch(f"/ws?token={token(user, exp=int(time.time()) - 10)}"), api, user)
        assert watch(f"/ws?token={token(user, exp=int(time.time()) - 45)}").closed_next() == REFUSED

    def test_issuer_and_audience_are_checked_where_they_are_configured(self, start_own: Any) -> None:
        gateway = start_own("--jwt-issuer", "https://issuer", "--jwt-audience", "signalbox", secured=True)

        def refused(**claims: Any) -> bool:
            with Watcher(f"{gateway.websocket_url}/ws?token={token(**claims)}") as watcher:
                try:
                    watcher.send({"action": "ping"})
                    return watcher.next()["type"] != "pong"
                except Exception:
                    return True

        assert not refused(iss="https://issuer", aud="signalbox")
        assert not refused(iss="https://issuer", aud=["other", "signalbox"])
        assert refused(iss="https://other", aud="signalbox")
        assert refused(iss="https://issuer", aud="other")
        assert refused()

    def test_the_command_line_mints_tokens_that_work(self, api: Api, watch: Any) -> None:
        user = fresh("user")
        made = run_to_end("token", "--sub", user, "--expires-in", "60", "--secret", JWT_SECRET)
        assert made.returncode == 0, made.stderr
        assert is_user(watch(f"/ws?token={made.stdout.strip()}"), api, user)


class TestPermissions:
    def may_watch(self, watch: Any, task: str, **claims: Any) -> bool:
        sub = claims.pop("sub", "user-1")
        return watch(f"/ws/task/{task}?token={token(sub, **claims)}").next()["type"] == "connected"

    def test_a_task_of_nobody_is_everybodys(self, api: Api, watch: Any) -> None:
        task = fresh()
        api.register(task)
        assert self.may_watch(watch, task, sub=fresh("user"))

    @pytest.mark.parametrize(
        "claims",
        [
            {"sub": "owner"},
            {"sub": "viewer"},
            {"tasks": ["reports-*"]},
            {"tasks": ["other", "exact"]},
            {"role": "admin"},
        ],
    )
    def test_who_may(self, api: Api, watch: Any, claims: Any) -> None:
        claims = dict(claims)
        task = fresh("reports")
        if "exact" in claims.get("tasks", []):
            claims["tasks"] = ["other", task]
        api.register(task, owner="owner", viewers=["viewer"])
        assert self.may_watch(watch, task, **claims)

    @pytest.mark.parametrize("claims", [{"sub": "stranger"}, {"tasks": ["report*s"]}, {"tasks": []}, {"role": "user"}])
    def test_who_may_not(self, api: Api, watch: Any, claims: Any) -> None:
        task = fresh("reports")
        api.register(task, owner="owner")
        sub = claims.get("sub", "stranger")
        rest = {name: value for name, value in claims.items() if name != "sub"}
        watcher = watch(f"/ws/task/{task}?token={token(sub, **rest)}")
        assert watcher.closed_next() == (1008, "Permission denied")

    def test_subscribing_to_another_users_task_is_forbidden(self, api: Api, watch: Any) -> None:
        task = fresh()
        api.register(task, owner="somebody")
        error = watch(f"/ws?token={token()}").ask({"action": "subscribe", "task_id": task})
        assert (error["type"], error["message"], error["task_id"]) == ("error", "forbidden", task)

    def test_naming_another_user_is_forbidden_and_changes_nothing(self, api: Api, watch: Any) -> None:
        user, other = fresh("user"), fresh("user")
        watcher = watch(f"/ws?token={token(user)}")
        error = watcher.ask({"action": "subscribe", "user_id": other})
        assert (error["type"], error["message"], error["user_id"]) == ("error", "forbidden", other)
        assert not is_user(watcher, api, other)
        assert is_user(watcher, api, user)

    def test_messages_to_a_user_reach_no_one_else(self, api: Api, watch: Any) -> None:
        user = fresh("user")
        assert not is_user(watch(f"/ws?token={token(fresh('user'))}"), api, user)

    def test_only_the_one_who_is_asked_may_answer(self, api: Api, watch: Any) -> None:
        user = fresh("user")
        callback_id = api.confirmation(user_id=user)["callback_id"]
        stranger = watch(f"/ws?token={token(fresh('user'))}", subprotocols=["signalbox.v1"])
        stranger.next_of("welcome")
        answer = stranger.ask({"action": "confirm", "callback_id": callback_id, "proceed": True})
        assert (answer["type"], answer["status"]) == ("confirmation_result", "forbidden")
        assert api.get(f"/api/v1/confirmations/{callback_id}").body["status"] == "pending"

    def test_a_confirmation_awaits_its_user_from_the_start(self, api: Api, watch: Any) -> None:
        user = fresh("user")
        callback_id = api.confirmation(user_id=user)["callback_id"]
        watcher = watch(f"/ws?token={token(user)}")
        assert watcher.next_of("task_step_result")["callback_id"] == callback_id

    def test_cancelling_is_the_owners(self, api: Api, watch: Any) -> None:
        task, owner = fresh(), fresh("user")
        api.register(task, owner=owner, viewers=["viewer"])
        cancel = {"action": "cancel", "user_id": owner, "task_id": task}
        viewer = watch(f"/ws?token={token('viewer')}")
        error = viewer.ask(cancel)
        assert (error["type"], error["message"], error["task_id"]) == ("error", "forbidden", task)
        assert api.task(task)["cancel_requested"] is False
        owning = watch(f"/ws?token={token(owner)}")
        assert owning.ask(cancel)["type"] == "task_cancelled"
        assert api.task(task)["cancel_requested"] is True

    def test_an_unknown_tasks_cancel_is_an_error(self, watch: Any) -> None:
        task = fresh()
        error = watch(f"/ws?token={token()}").ask({"action": "cancel", "user_id": "user-1", "task_id": task})
        assert (error["type"], error["message"], error["task_id"]) == ("error", "Task not found", task)


class TestExpiry:
    def test_a_connection_lives_as_long_as_its_token(self, start_own: Any) -> None:
        gateway = start_own("--jwt-leeway", "0", secured=True)
        with Watcher(f"{gateway.websocket_url}/ws?token={token(exp=int(time.time()) + 2)}") as watcher:
            assert watcher.everything_so_far() == []
            assert watcher.closed(6.0)[0] == 1008

    def test_a_refreshed_connection_lives_on(self, start_own: Any) -> None:
        gateway = start_own("--jwt-leeway", "0", secured=True)
        expires_at = int(time.time()) + 2
        url = f"{gateway.websocket_url}/ws?token={token(exp=expires_at)}"
        with Watcher(url, subprotocols=["signalbox.v1"]) as watcher:
            watcher.next_of("welcome")
            later = int(time.time()) + 60
            watcher.send({"action": "refresh", "token": token(exp=later)})
            assert watcher.next_of("refreshed")["expires_at"] == later
            with pytest.raises(TimeoutError):
                while True:
                    watcher.next(max(0.1, expires_at + 1.5 - time.time()))
            watcher.everything_so_far()

    def test_the_greeting_comes_before_the_warning(self, gateway: GatewayProcess, watch: Any) -> None:
        watcher = watch(f"/ws?token={token(exp=int(time.time()) + 30)}", subprotocols=["signalbox.v1"])
        assert [watcher.next()["type"] for _ in range(2)] == ["welcome", "token_expiring"]

    def test_a_short_token_is_announced_after_the_welcome(self, start_own: Any) -> None:
        gateway = start_own("--jwt-leeway", "0", secured=True)
        expires_at = int(time.time()) + 30
        url = f"{gateway.websocket_url}/ws?token={token(exp=expires_at)}"
        with Watcher(url, subprotocols=["signalbox.v1"]) as watcher:
            told = watcher.everything_so_far()
        assert [message["type"] for message in told] == ["welcome", "token_expiring"]
        assert told[1]["expires_at"] == expires_at

    def test_the_leeway_holds_for_as_long_as_it_lets_in(self, start_own: Any) -> None:
        gateway = start_own("--jwt-leeway", "12", secured=True)
        expires_at = int(time.time()) - 9
        with Watcher(f"{gateway.websocket_url}/ws?token={token(exp=expires_at)}") as watcher:
            with pytest.raises(TimeoutError):
                watcher.next(max(0.1, expires_at + 11.5 - time.time()))
            assert watcher.closed(4.0)[0] == 1008

    def test_the_other_dialects_have_no_word_for_it(self, start_own: Any) -> None:
        gateway = start_own(secured=True)
        Api(gateway.url).register("t")
        secret = token(exp=int(time.time()) + 30)
        with Watcher(f"{gateway.websocket_url}/ws/task/t?token={secret}", subprotocols=["signalbox.v1"]) as watcher:
            assert watcher.next()["type"] == "connected"
            assert watcher.ask({"type": "ping"})["type"] == "pong"
        with Watcher(
            f"{gateway.websocket_url}/api/v1/ws/executions/t?token={secret}", subprotocols=["signalbox.v1"]
        ) as watcher:
            assert watcher.next()["type"] == "status"
            assert watcher.ask({"type": "ping"}) == {"type": "pong"}


class TestOrigin:
    def status(self, gateway: GatewayProcess, origin: str) -> int:
        with RawSocket(gateway) as raw:
            raw.send(raw.upgrade_request("/ws", f"Origin: {origin}\r\n"))
            return raw.answer()[0]

    def test_the_same_host_is_allowed_and_others_are_not(self, start_own: Any) -> None:
        gateway = start_own()
        assert self.status(gateway, f"http://{gateway.host}:{gateway.port}") == 101
        for origin in ("http://evil.example", "null", f"http://{gateway.host}.evil.example:{gateway.port}"):
            assert self.status(gateway, origin) == 403, origin

    def test_the_list_is_exact(self, start_own: Any) -> None:
        gateway = start_own("--allowed-origins", "https://app.example,http://localhost:3000")
        assert self.status(gateway, "https://app.example") == 101
        assert self.status(gateway, "http://localhost:3000") == 101
        for origin in (
            "http://app.example",
            "https://app.example:8443",
            "https://evil-app.example",
            "http://localhost",
        ):
            assert self.status(gateway, origin) == 403, origin

    def test_a_star_allows_all(self, start_own: Any) -> None:
        assert self.status(start_own("--allowed-origins", "*"), "http://anything.example") == 101

    def test_who_sends_none_is_no_browser(self, watch: Any) -> None:
        watch(f"/ws?token={token()}").everything_so_far()


class TestRefusalsAsStatuses:
    def test_each_has_its_status(self, start_own: Any) -> None:
        gateway = start_own("--reject-with", "http", secured=True)
        Api(gateway.url).register("owned", owner="somebody")

        def status(path: str) -> int:
            with RawSocket(gateway) as raw:
                raw.send(raw.upgrade_request(path))
                return raw.answer()[0]

        assert status("/ws") == 401
        assert status("/ws?token=garbage") == 401
        assert status(f"/ws/task/owned?token={token()}") == 403
        assert status(f"/ws/task/unknown?token={token()}") == 404
        assert status(f"/ws?token={token()}") == 101
