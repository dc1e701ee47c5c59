"""`serve` as a process of its own: what it prints, logs, refuses, and how it ends."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bundles import store_at
from data.ledger import of_lead
from service import LEAD, with_champion
from serving.spool import files_in

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
# numba looks up scipy's version where it is installed: the package itself is light, its parts are not.
HEAVY = ("mlflow", "sklearn", "scipy.linalg", "scipy.sparse", "scipy.special", "scipy.stats", "pandas", "pyarrow", "duckdb", "lightgbm", "matplotlib")
START = "import sys; from serving.server import serve; sys.exit(serve({host!r}, {port}, {workers}))"
PATIENCE_SECONDS = 60
"""Long enough to compile the kernels where nothing has warmed them."""
SECRET = "anna@example.org"


def started(home: Path, host: str = "127.0.0.1", port: int = 0, workers: int = 1) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", START.format(host=host, port=port, workers=workers)]
    env = {key: value for key, value in os.environ.items() if not key.startswith("LEADSCORE_")} | {"LEADSCORE_HOME": str(home)}
    return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


@contextmanager
def serving(
    home: Path, log: list[dict[str, Any]] | None = None, *, ready: bool = True, sent: signal.Signals = signal.SIGTERM, **how: Any
) -> Iterator[str]:
    """The URL of a (ready) service; after it, its exit code was 0 and `log` holds its lines."""
    process = started(home, **how)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[3]
        if ready:
            _until_ready(url, how.get("workers", 1))
        yield url
        process.send_signal(sent)
        _, lines = process.communicate(timeout=15)
        assert process.returncode == 0, lines
        if log is not None:
            log.extend(json.loads(line) for line in lines.splitlines())
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """With its workers, which would hold the pipes open."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _until_ready(url: str, workers: int) -> None:
    """Each answer may be another worker's: several in a row must be good."""
    deadline, good = time.monotonic() + PATIENCE_SECONDS, 0
    while good < 5 * workers - 4:
        assert time.monotonic() < deadline, f"not ready in {PATIENCE_SECONDS} s"
        good = good + 1 if _is_ready(url) else 0
        time.sleep(0.0 if good else 0.05)


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        error.close()
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        pass
    return False


def posted(url: str, body: Any, **headers: str) -> dict[str, Any]:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"} | headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        answer: dict[str, Any] = json.load(response)
        return answer


def test_importing_the_service_loads_no_training_library() -> None:
    code = f"import sys, serving.app, serving.server; print([m for m in {HEAVY} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    assert found.stdout.strip() == "[]"


def test_a_day_in_the_life_of_a_service(tmp_path: Path) -> None:
    """Scores, a body in chunks over the limit, and a log of JSON lines in which nothing of a lead stands."""
    log: list[dict[str, Any]] = []
    lead = LEAD | {"lead": LEAD["lead"] | {"email": SECRET, "lead_id": SECRET}}
    with serving(with_champion(tmp_path), log) as url:
        assert posted(f"{url}/v1/score", lead, **{"X-Request-ID": "crm-1"})["lead_id"] == SECRET
        with pytest.raises(urllib.error.HTTPError) as refused:
            posted(f"{url}/v1/score", lead | {"stage": "wizard"})
        refused.value.close()
        assert _chunked(url, mebibytes=11) == 413
    answered = [line for line in log if line["message"] == "answered"]
    first = next(line for line in answered if line["request_id"] == "crm-1")
    assert (first["method"], first["path"], first["status"]) == ("POST", "/v1/score", 200)
    assert [line["status"] for line in answered if line["path"] == "/v1/score"] == [200, 422, 413]
    assert any("no key exists" in line["message"] for line in log)
    assert SECRET not in json.dumps(log)


def _chunked(url: str, mebibytes: int) -> int:
    """The status of a body of unannounced size. A server that refuses half way may hang up before all is sent."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    try:
        connection.putrequest("POST", "/v1/score")
        for name, value in (("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")):
            connection.putheader(name, value)
        connection.endheaders()
        try:
            for _ in range(mebibytes):
                connection.send(b"100000\r\n" + b" " * 0x100000 + b"\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        return connection.getresponse().status
    finally:
        connection.close()


def test_several_workers_share_the_port(tmp_path: Path) -> None:
    with serving(with_champion(tmp_path), workers=2) as url:
        assert posted(f"{url}/v1/score", LEAD)["probability"] > 0


def test_told_to_end_it_finishes_what_it_began_and_empties_the_spool(tmp_path: Path) -> None:
    """The signal comes while a body is half sent; the call is answered, and with every other score it is in the ledger afterwards."""
    process = started(with_champion(tmp_path))
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[3]
        _until_ready(url, 1)
        given = [posted(f"{url}/v1/score", LEAD)["score_id"] for _ in range(20)]
        body = json.dumps(LEAD).encode()
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=15)
        connection.putrequest("POST", "/v1/score")
        for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(body)))):
            connection.putheader(name, value)
        connection.endheaders(body[:10])
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        _until_nobody_listens(url)
        connection.send(body[10:])
        answer = connection.getresponse()
        assert answer.status == 200
        given.append(json.load(answer)["score_id"])
        connection.close()
        process.communicate(timeout=15)
    finally:
        _end(process)
    assert process.returncode == 0
    with store_at(tmp_path) as store:
        assert {record.score_id for record in of_lead(store, "L-1", 100)} == set(given)
    assert files_in(tmp_path / "spool") == []


def _until_nobody_listens(url: str) -> None:
    host, _, port = url.removeprefix("http://").partition(":")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection((host, int(port)), 1).close()
        except OSError:
            return
        time.sleep(0.05)
    raise AssertionError("new connections are still taken")


def refused_start(home: Path, **how: Any) -> str:
    process = started(home, **how)
    try:
        _, told = process.communicate(timeout=20)
    finally:
        _end(process)
    assert process.returncode == 1
    assert "Traceback" not in told
    return told


def test_without_a_key_only_this_machine_is_served(tmp_path: Path) -> None:
    assert "leadscore keys create" in refused_start(tmp_path, host="0.0.0.0")


def test_with_a_key_the_world_may_be_served(tmp_path: Path) -> None:
    with store_at(with_champion(tmp_path)) as store:
        store.create_key(["score"])
    with serving(tmp_path, host="0.0.0.0", sent=signal.SIGINT) as url:
        assert url.startswith("http://0.0.0.0:")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_service_that_is_still_starting_can_be_ended(tmp_path: Path, workers: int) -> None:
    with serving(tmp_path, workers=workers, ready=False):
        pass


def test_a_taken_port_is_said_plainly(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert f"127.0.0.1:{port} can't be listened on" in refused_start(tmp_path, port=port)


def test_a_port_that_is_none_is_said_plainly(tmp_path: Path) -> None:
    assert "--port must be from 0" in refused_start(tmp_path, port=70_000)


def test_a_host_that_is_none_is_said_plainly(tmp_path: Path) -> None:
    with store_at(tmp_path) as store:
        store.create_key(["score"])
    assert "can't be listened on" in refused_start(tmp_path, host="no.such.host.invalid")


def test_a_store_that_is_none_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "leadscore.db").write_bytes(b"not a database" * 1000)
    assert "can't be opened" in refused_start(tmp_path)
