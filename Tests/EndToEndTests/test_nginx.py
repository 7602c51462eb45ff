"""Three real gateways behind Debian's nginx with deploy/nginx/signalbox.conf.

Gateways that share no Redis have separate tasks. So what must be the same on every node (a task to watch) is published
to each node directly, and which node a connection landed on is read from the nodes' own status.
"""

import contextlib
import json
import time
import urllib.error
import urllib.request

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from support import nginx
from support.process import API_KEY, GatewayProcess

SECONDS = 10
LIMIT_REACHED = (1013, "Server connection limit reached")
FLAGS = (
    *("--host", "127.0.0.1", "--port", "0", "--auth", "off", "--api-keys", API_KEY, "--store", "memory"),
    *("--trusted-proxies", "127.0.0.1/32", "--terminal-grace", "1"),
)


# --- Tools ---------------------------------------------------------------------------------------------------------


def call(method, url, body=None, key=API_KEY):
    """(status, headers, parsed body) of an HTTP call; refusals are answers, too."""
    request = urllib.request.Request(url, method=method)
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    try:
        response = urllib.request.urlopen(request, timeout=SECONDS)
    except urllib.error.HTTPError as refusal:
        response = refusal
    with response:
        text = response.read()
        is_json = "json" in response.headers.get("Content-Type", "")
        return response.status, response.headers, json.loads(text) if is_json and text else text


def connections_of(gateway):
    return call("GET", f"{gateway.url}/api/v1/status")[2]["active_connections"]


def eventually(condition, what):
    """Waits for what another process does in its own time; what comes back true is returned."""
    deadline = time.monotonic() + SECONDS
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, f"not within {SECONDS} s: {what}"
        time.sleep(0.05)


def receive(websocket):
    return json.loads(websocket.recv(timeout=SECONDS))


def pong(websocket):
    """Proves that the connection is alive: a ping of the action dialect comes back."""
    websocket.send(json.dumps({"action": "ping", "n": 1}))
    answer = receive(websocket)
    assert answer["type"] == "pong"
    assert answer["original_data"] == {"action": "ping", "n": 1}


def close_of(websocket):
    """The close code and reason that the server sends on its own."""
    with pytest.raises(ConnectionClosed) as closed:
        websocket.recv(timeout=SECONDS)
    assert closed.value.rcvd is not None, "the connection ended without a close frame: a browser would report 1006"
    return closed.value.rcvd.code, closed.value.rcvd.reason


@pytest.fixture
def cluster(tmp_path):
    """A function: caps of the three nodes → (the nodes, nginx before them)."""
    with contextlib.ExitStack() as stack:

        def start(caps=(1000, 1000, 1000)):
            nodes = []
            for cap in caps:
                node = GatewayProcess(*FLAGS, "--max-connections", str(cap))
                stack.callback(lambda node=node: node.is_running and node.stop())
                nodes.append(node)
            proxy = nginx.Nginx(tmp_path, [node.port for node in nodes])
            stack.callback(proxy.stop)
            return nodes, proxy

        yield start


@pytest.fixture
def opened():
    """A function that opens a WebSocket which is closed with the test."""
    with contextlib.ExitStack() as stack:

        def open_websocket(url, **options):
            return stack.enter_context(connect(url, open_timeout=SECONDS, close_timeout=1, **options))

        yield open_websocket


def register_everywhere(nodes, task_id):
    for node in nodes:
        status, _, _ = call("POST", f"{node.url}/api/v1/tasks", {"task_id": task_id})
        assert status == 201


# --- What passes through -------------------------------------------------------------------------------------------


def test_a_task_is_watched_through_nginx_from_its_first_step_to_its_end(cluster, opened):
    nodes, proxy = cluster()
    register_everywhere(nodes, "report-1")
    watcher = opened(f"{proxy.websocket_url}/ws/task/report-1")
    assert receive(watcher)["type"] == "connected"

    for node in nodes:
        assert call("POST", f"{node.url}/api/v1/tasks/report-1/progress", {"progress": 40, "message": "四十"})[0] == 202
    progress = receive(watcher)
    assert (progress["type"], progress["progress"], progress["message"]) == ("progress", 40, "四十")

    for node in nodes:
        assert call("POST", f"{node.url}/api/v1/tasks/report-1/complete", {"result": {"rows": 7}})[0] == 200
    complete = receive(watcher)
    assert (complete["type"], complete["success"], complete["result"]) == ("complete", True, {"rows": 7})
    assert close_of(watcher)[0] == 1000


def test_an_execution_is_watched_through_nginx(cluster, opened):
    nodes, proxy = cluster()
    register_everywhere(nodes, "run-1")
    watcher = opened(f"{proxy.websocket_url}/api/v1/ws/executions/run-1")
    first = receive(watcher)
    assert (first["type"], first["execution_id"], first["status"]) == ("status", "run-1", "pending")


@pytest.mark.parametrize("path", ["/", "/ws", "/ws/"])
def test_the_action_dialect_answers_through_nginx(cluster, opened, path):
    _, proxy = cluster()
    pong(opened(proxy.websocket_url + path))


def test_compression_is_negotiated_and_works_through_nginx(cluster, opened):
    _, proxy = cluster()
    websocket = opened(f"{proxy.websocket_url}/ws", compression="deflate")
    assert [extension.name for extension in websocket.protocol.extensions] == ["permessage-deflate"]
    message = {"action": "ping", "padding": "abc " * 5000}
    websocket.send(json.dumps(message))
    assert receive(websocket)["original_data"] == message


def test_connections_spread_over_the_nodes(cluster, opened):
    nodes, proxy = cluster()
    for _ in range(9):
        pong(opened(f"{proxy.websocket_url}/ws"))
    assert [connections_of(node) for node in nodes] == [3, 3, 3]


def test_api_calls_pass_and_reach_one_node(cluster):
    nodes, proxy = cluster()
    status, _, answer = call("POST", f"{proxy.url}/api/v1/tasks/api-1/progress", {"progress": 5})
    assert status == 202
    assert answer["offset"] == 1
    found = [call("GET", f"{node.url}/api/v1/tasks/api-1")[0] for node in nodes]
    assert sorted(found) == [200, 404, 404]


def test_refusals_of_the_api_pass_as_they_are(cluster):
    _, proxy = cluster()
    status, headers, problem = call("POST", f"{proxy.url}/api/v1/tasks/api-1/progress", {"progress": 5}, key=None)
    assert status == 401
    assert headers["Content-Type"].startswith("application/problem+json")
    assert problem["code"] == "unauthorized"


def test_a_browser_on_the_proxys_own_address_may_connect_and_a_foreign_one_gets_403(cluster, opened):
    _, proxy = cluster()
    pong(opened(f"{proxy.websocket_url}/ws", origin=proxy.url))
    with pytest.raises(InvalidStatus) as refusal:
        opened(f"{proxy.websocket_url}/ws", origin="http://elsewhere.example")
    assert refusal.value.response.status_code == 403


def test_metrics_are_not_published_and_readiness_is(cluster):
    _, proxy = cluster()
    assert call("GET", f"{proxy.url}/metrics", key=None)[0] == 404
    assert call("GET", f"{proxy.url}/readyz", key=None)[0] == 200


# --- Full nodes ----------------------------------------------------------------------------------------------------


def test_a_full_node_answers_nginx_with_503_and_the_next_one_takes_the_client(cluster, opened):
    nodes, proxy = cluster(caps=(1, 1000, 1000))
    pong(opened(f"{nodes[0].websocket_url}/ws"))
    websockets = [opened(f"{proxy.websocket_url}/ws") for _ in range(6)]
    for websocket in websockets:
        pong(websocket)
    assert connections_of(nodes[0]) == 1
    assert connections_of(nodes[1]) + connections_of(nodes[2]) == 6
    for websocket in websockets:
        websocket.close()
    trail = eventually(lambda: '"503, 101"' in proxy.access_log() and proxy.access_log(), "a skipped node in the log")
    # The full node is left alone for a while after three refusals, not asked first by every client.
    assert trail.count('"503, 101"') <= 3


def test_the_last_free_place_of_three_nodes_is_found(cluster, opened):
    nodes, proxy = cluster(caps=(1, 1, 1))
    websockets = [opened(f"{proxy.websocket_url}/ws") for _ in range(3)]
    for websocket in websockets:
        pong(websocket)
    assert [connections_of(node) for node in nodes] == [1, 1, 1]


@pytest.mark.parametrize("path", ["/", "/ws", "/ws/", "/ws/task/full-1", "/api/v1/ws/executions/full-1"])
def test_when_all_nodes_are_full_every_client_sees_1013(cluster, opened, path):
    nodes, proxy = cluster(caps=(1, 1, 1))
    register_everywhere(nodes, "full-1")
    for node in nodes:
        pong(opened(f"{node.websocket_url}/ws"))
    # Past the three failures that take a node out of nginx's first group: no storm of 502 behind them.
    for _ in range(12):
        assert close_of(opened(proxy.websocket_url + path)) == LIMIT_REACHED
    for node in nodes:
        assert connections_of(node) == 1


def test_a_client_cannot_ask_for_the_status_in_place_of_the_close_code(cluster, opened):
    nodes, proxy = cluster(caps=(1, 1, 1))
    for node in nodes:
        pong(opened(f"{node.websocket_url}/ws"))
    asking = opened(f"{proxy.websocket_url}/ws", additional_headers={"X-Signalbox-Overload": "status"})
    assert close_of(asking) == LIMIT_REACHED


def test_a_place_that_becomes_free_is_found_within_seconds(cluster, opened):
    nodes, proxy = cluster(caps=(1, 1, 1))
    holders = [opened(f"{node.websocket_url}/ws") for node in nodes]
    for _ in range(12):
        assert close_of(opened(f"{proxy.websocket_url}/ws")) == LIMIT_REACHED
    holders[1].close()

    def admitted():
        websocket = opened(f"{proxy.websocket_url}/ws")
        try:
            pong(websocket)
        except ConnectionClosed:
            return False
        return True

    eventually(admitted, "a client on the node with a free place")
    assert connections_of(nodes[1]) == 1


# --- Dead nodes ----------------------------------------------------------------------------------------------------


def test_a_killed_node_is_skipped_by_websockets_and_api_calls(cluster, opened):
    nodes, proxy = cluster()
    survivors = [opened(f"{proxy.websocket_url}/ws") for _ in range(3)]
    for websocket in survivors:
        pong(websocket)
    nodes[1].kill()

    for _ in range(6):
        pong(opened(f"{proxy.websocket_url}/ws"))
    for index in range(6):
        assert call("POST", f"{proxy.url}/api/v1/tasks/after-{index}/progress", {"progress": 1})[0] == 202
    assert connections_of(nodes[0]) + connections_of(nodes[2]) == 8

    # Of the three connections from before the two on living nodes still are.
    answered = 0
    for websocket in survivors:
        with contextlib.suppress(ConnectionClosed):
            pong(websocket)
            answered += 1
    assert answered == 2


def test_with_every_node_dead_the_answer_is_502(cluster, opened):
    nodes, proxy = cluster()
    for node in nodes:
        node.kill()
    with pytest.raises(InvalidStatus) as refusal:
        opened(f"{proxy.websocket_url}/ws")
    assert refusal.value.response.status_code == 502


# --- Tokens --------------------------------------------------------------------------------------------------------


def test_tokens_in_urls_reach_no_log_of_nginx(cluster, opened):
    nodes, proxy = cluster(caps=(1, 1, 1))
    secret = "header.payload.signature-that-nobody-must-read"
    path = f"/ws?token={secret}&ticket={secret}"
    for _ in range(3):
        pong(opened(proxy.websocket_url + path))
    for _ in range(6):
        assert close_of(opened(proxy.websocket_url + path)) == LIMIT_REACHED
    for node in nodes:
        node.kill()
    for _ in range(3):
        with pytest.raises(InvalidStatus):
            opened(proxy.websocket_url + path)
    call("GET", f"{proxy.url}/api/v1/status?token={secret}", key=None)

    proxy.stop()
    assert proxy.access_log().count('"/ws"') >= 9, "the connections themselves are logged"
    assert "signature-that-nobody-must-read" not in proxy.logs()
