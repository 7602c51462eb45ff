"""Wire contract §5: the command line says what is wrong, and what would be right."""

from __future__ import annotations

import re
import socket
import sqlite3
import subprocess
from typing import Any, Sequence

import pytest

from support.api import Api
from support.process import API_KEY, GatewayProcess, binary, clean_environment, run_to_end

USAGE_ERROR = 64
GOOD = ("--auth", "off", "--api-keys", "a-key-of-sixteen-bytes")


def one_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    assert len(lines) == 1, text
    return lines[0]


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (("--dance",), ["--dance"]),
        (("--port", "70000"), ["port", "70000", "65535"]),
        (("--port", "x"), ["port", "x"]),
        (("--port=-1",), ["port", "-1"]),
        (("--port",), ["port"]),
        (("--max-connections", "0"), ["max-connections", "0"]),
        (("--max-connections", "many"), ["max-connections", "many"]),
        (("--ping-interval", "soon"), ["ping-interval", "soon"]),
        (("--ping-interval", "-3"), ["ping-interval", "-3"]),
        (("--auth", "sometimes"), ["auth", "sometimes", "required", "off"]),
        (("--callback-default", "maybe"), ["callback-default", "maybe", "proceed", "reject"]),
        (("--reject-with", "fire"), ["reject-with", "fire", "close", "http"]),
        (("--log-level", "loud"), ["log-level", "loud", "info"]),
        (("--trusted-proxies", "10.0.0.0/40"), ["trusted-proxies", "10.0.0.0/40"]),
        (("--compression=perhaps",), ["compression", "perhaps"]),
        (("--threads", "0"), ["threads", "0"]),
        (("stray",), ["stray"]),
    ],
)
def test_a_wrong_flag_stops_the_start_with_its_name_and_value(flags: Sequence[str], named: Sequence[str]) -> None:
    result = run_to_end("serve", *GOOD, *flags)
    assert result.returncode == USAGE_ERROR, result.stderr
    assert result.stdout == ""
    for word in named:
        assert word in result.stderr, result.stderr


def test_a_wrong_environment_value_is_named_too() -> None:
    result = run_to_end("serve", *GOOD, environment={"WEBSOCKET_PORT": "x"})
    assert result.returncode == USAGE_ERROR and "WEBSOCKET_PORT" in result.stderr and "x" in result.stderr


def test_an_unknown_environment_variable_is_only_a_warning(start_own: Any) -> None:
    gateway = start_own(environment={"WEBSOCKET_DANCE": "1"})
    assert any("WEBSOCKET_DANCE" in line for line in gateway.lines)


def test_authentication_without_any_key_does_not_start_and_says_what_to_do() -> None:
    result = run_to_end("serve")
    assert result.returncode == USAGE_ERROR
    assert "--dev" in result.stderr and "jwt-secret" in result.stderr


@pytest.mark.parametrize("flags", [("--api-keys", "k"), ("--jwt-secret", "s" * 32)])
def test_either_key_suffices_to_start(flags: Sequence[str], tmp_path: Any) -> None:
    gateway = GatewayProcess("--port", "0", *flags)
    gateway.stop()


def test_a_missing_key_file_is_one_clear_line(tmp_path: Any) -> None:
    missing = "/nonexistent/missing.pem"
    result = run_to_end("serve", "--jwt-secret-file", missing)
    assert result.returncode != 0
    assert missing in one_line(result.stderr)


def test_a_port_in_use_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = run_to_end("serve", *GOOD, "--port", port)
    assert result.returncode != 0
    assert port in one_line(result.stderr) and "in use" in result.stderr.lower()


def test_two_gateways_do_not_share_a_port_by_accident(start_own: Any) -> None:
    port = str(start_own().port)
    result = run_to_end("serve", *GOOD, "--port", port)
    assert result.returncode != 0 and port in result.stderr


def test_who_connects_as_soon_as_the_port_is_there_is_served(tmp_path: Any) -> None:
    # Each is told to stop at once, too: a signal that comes while the store is read ends it as any other.
    for _ in range(20):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = subprocess.Popen(
            [binary(), "serve", *GOOD, "--port", str(port)], env=clean_environment(), cwd=tmp_path,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            client = connect_once_it_listens(port, process)
            client.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
            client.close()
        finally:
            process.terminate()
            assert process.wait(10) == 0


def connect_once_it_listens(port: int, process: subprocess.Popen[bytes]) -> socket.socket:
    """Without a pause, so that it meets whatever listens first. A reset is no refusal, and fails."""
    while process.poll() is None:
        client = socket.socket()
        client.settimeout(10)
        try:
            client.connect(("127.0.0.1", port))
            return client
        except ConnectionRefusedError:
            client.close()
    raise AssertionError("the gateway ended")


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Any) -> None:
    file = tmp_path / "signalbox.env"
    file.write_text(
        "# a comment\n\nWEBSOCKET_MAX_CONNECTIONS=11\nWEBSOCKET_PING_TIMEOUT=12\nWEBSOCKET_PING_INTERVAL=13\n"
    )
    result = run_to_end(
        "print-config",
        *GOOD,
        "--env-file",
        str(file),
        "--ping-interval=33",
        environment={"WEBSOCKET_PING_INTERVAL": "23", "WEBSOCKET_PING_TIMEOUT": "22"},
    )
    assert result.returncode == 0, result.stderr

    def line_of(name: str) -> str:
        return next(line for line in result.stdout.splitlines() if re.match(rf"\W*(?i:{name})\b(?!-)", line))

    assert "11" in line_of("max-connections") and "file" in line_of("max-connections").lower()
    assert "22" in line_of("ping-timeout") and "environment" in line_of("ping-timeout").lower()
    assert "33" in line_of("ping-interval") and "flag" in line_of("ping-interval").lower()


def test_an_unknown_line_of_the_file_stops_the_start(tmp_path: Any) -> None:
    file = tmp_path / "signalbox.env"
    file.write_text("WEBSOCKET_DANCE=1\n")
    result = run_to_end("serve", *GOOD, "--env-file", str(file))
    assert result.returncode == USAGE_ERROR and "WEBSOCKET_DANCE" in result.stderr


def test_a_missing_file_stops_the_start(tmp_path: Any) -> None:
    result = run_to_end("serve", *GOOD, "--env-file", "/nonexistent/missing.env")
    assert result.returncode != 0 and "missing.env" in result.stderr


def test_the_configuration_is_printed_with_origins_and_without_secrets(tmp_path: Any) -> None:
    secret_file = tmp_path / "secret"
    secret_file.write_text("from-a-file-with-enough-bytes-in-it\n")
    result = run_to_end(
        "print-config",
        "--api-keys",
        "top-secret-key",
        "--port",
        "1234",
        environment={"WEBSOCKET_JWT_SECRET_FILE": str(secret_file), "WEBSOCKET_HOST": "127.0.0.2"},
    )
    assert result.returncode == 0, result.stderr
    assert "top-secret-key" not in result.stdout and "from-a-file" not in result.stdout
    assert "1234" in result.stdout and "127.0.0.2" in result.stdout
    for origin in ("flag", "environment", "default"):
        assert origin in result.stdout.lower(), result.stdout


def test_check_config_says_yes_or_no() -> None:
    assert run_to_end("check-config", *GOOD).returncode == 0
    result = run_to_end("check-config", *GOOD, "--port", "70000")
    assert result.returncode == USAGE_ERROR and "70000" in result.stderr


def test_a_secret_may_stand_in_a_file(start_own: Any, tmp_path: Any) -> None:
    file = tmp_path / "keys"
    file.write_text("key-from-file,another\n")
    gateway = GatewayProcess("--port", "0", "--auth", "off", environment={"WEBSOCKET_API_KEYS_FILE": str(file)})
    try:
        assert Api(gateway.url, "key-from-file").progress("t")["offset"] == 1
        assert Api(gateway.url, "another").progress("t")["offset"] == 2
        assert Api(gateway.url, API_KEY).get("/api/v1/tasks").status == 401
    finally:
        gateway.stop()


def test_the_seeds_environment_starts_a_gateway() -> None:
    gateway = GatewayProcess(
        "--auth",
        "off",
        "--api-keys",
        API_KEY,
        environment={
            "WEBSOCKET_HOST": "127.0.0.1",
            "WEBSOCKET_PORT": "0",
            "WEBSOCKET_MAX_CONNECTIONS": "1000",
            "WEBSOCKET_PING_INTERVAL": "30",
            "WEBSOCKET_PING_TIMEOUT": "10",
            "WEBSOCKET_CALLBACK_TIMEOUT": "300",
        },
    )
    try:
        assert Api(gateway.url).get("/readyz").status == 200
    finally:
        gateway.stop()


def test_serve_is_the_default_command(start_own: Any) -> None:
    assert start_own().is_running


@pytest.mark.parametrize(
    "form", [("--compression", "off"), ("--compression=false",), ("--compression", "true"), ("--compression",)]
)
def test_the_forms_of_a_boolean_flag(form: Sequence[str], start_own: Any) -> None:
    from support.raw import RawSocket

    gateway = start_own(*form)
    with RawSocket(gateway) as raw:
        headers = raw.upgrade(extra="Sec-WebSocket-Extensions: permessage-deflate\r\n")
        on = form in (("--compression", "true"), ("--compression",))
        assert ("sec-websocket-extensions" in headers) is on


def test_the_version_is_one_line() -> None:
    result = run_to_end("version")
    assert result.returncode == 0 and any(digit in one_line(result.stdout) for digit in "0123456789")


def test_an_unknown_command_is_named() -> None:
    result = run_to_end("dance")
    assert result.returncode == USAGE_ERROR and "dance" in result.stderr


def test_it_says_in_one_line_where_it_listens(start_own: Any) -> None:
    gateway = start_own()
    assert len([line for line in gateway.lines if str(gateway.port) in line]) == 1


@pytest.mark.parametrize("signal_name", ["SIGTERM", "SIGINT"])
def test_it_ends_in_peace_when_asked(signal_name: str) -> None:
    import signal

    gateway = GatewayProcess("--port", "0", *GOOD)
    gateway._process.send_signal(getattr(signal, signal_name))
    assert gateway._process.wait(10) == 0
    gateway.stop()


def test_dev_opens_everything_on_loopback_and_prints_how_to_use_it() -> None:
    gateway = GatewayProcess("--dev", "--port", "0")
    try:
        assert Api(gateway.url, None).progress("t")["offset"] == 1
    finally:
        gateway.stop()


def test_dev_does_not_leave_loopback() -> None:
    result = run_to_end("serve", "--dev", "--host", "0.0.0.0", "--port", "0")
    assert result.returncode == USAGE_ERROR and "0.0.0.0" in result.stderr


def test_a_closed_standard_error_does_not_end_it(tmp_path: Any) -> None:
    """As under a supervisor whose log reader went away."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [binary(), "--port", str(port), "--auth", "off", "--api-keys", API_KEY],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        cwd=tmp_path,
        env=clean_environment(),
    )
    try:
        assert process.stderr is not None
        process.stderr.readline()
        process.stderr.close()
        api = Api(f"http://127.0.0.1:{port}")
        for _ in range(5):
            assert api.get("/livez").status == 200
        process.terminate()
        assert process.wait(10) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


# The store


TABLES = ("tasks", "histories", "confirmations", "messages", "idempotency")


def make_store(path: Any, *statements: str) -> None:
    """A store as a gateway of schema version 1 leaves it."""
    connection = sqlite3.connect(path)
    for table in TABLES:
        connection.execute(f"CREATE TABLE {table} (key INTEGER PRIMARY KEY, name TEXT NOT NULL, record TEXT NOT NULL)")
    connection.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")
    connection.execute(f"PRAGMA application_id = {int.from_bytes(b'SgBx', 'big')}")
    connection.execute("PRAGMA user_version = 1")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def test_check_store_counts_the_rows_of_a_whole_store_and_leaves_nothing_beside_it(tmp_path: Any) -> None:
    store = tmp_path / "signalbox.db"
    make_store(store, "INSERT INTO tasks VALUES (1, 'scan', '{}'), (2, 'scan', '{}')")
    result = run_to_end("check-store", "--store", f"sqlite:{store}")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == ["ok", "tasks: 2 rows", *(f"{table}: 0 rows" for table in TABLES[1:])]
    assert [path.name for path in tmp_path.iterdir()] == ["signalbox.db"]


def test_check_store_lists_damage(tmp_path: Any) -> None:
    store = tmp_path / "signalbox.db"
    make_store(store, *(f"INSERT INTO tasks VALUES ({key}, 'scan', '{'x' * 2000}')" for key in range(200)))
    content = bytearray(store.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 8192] = b"\xff" * 8192
    store.write_bytes(content)
    result = run_to_end("check-store", "--store", f"sqlite:{store}")
    assert result.returncode == 1 and result.stderr == ""
    assert result.stdout.strip() not in ("", "ok")


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (None, ["there is no store", "--store"]),
        (b"some text", ["not an SQLite database"]),
        ("other", ["another program's database"]),
        ("newer", ["schema version 99", "newer release"]),
    ],
)
def test_check_store_says_in_one_line_what_it_cannot_read(content: Any, named: Sequence[str], tmp_path: Any) -> None:
    store = tmp_path / "signalbox.db"
    if isinstance(content, bytes):
        store.write_bytes(content)
    elif content == "other":
        make_store(store, "PRAGMA application_id = 7")
    elif content == "newer":
        make_store(store, "PRAGMA user_version = 99")
    result = run_to_end("check-store", "--store", f"sqlite:{store}")
    assert result.returncode == 66 and result.stdout == ""
    line = one_line(result.stderr)
    for word in [str(store), *named]:
        assert word in line


def test_check_store_of_memory_is_a_wrong_configuration() -> None:
    result = run_to_end("check-store", "--store", "memory")
    assert result.returncode == USAGE_ERROR and "sqlite:PATH" in one_line(result.stderr)
