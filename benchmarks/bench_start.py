"""How soon the program is there: `leadscore --help` from start to exit, and `leadscore serve` from start until /readyz says 200.

    .venv/bin/python benchmarks/bench_start.py [LEADSCORE_HOME with a champion]

Without a home, a small sample world is trained first. "An empty Python" and "the imports alone" run beside them: what no program could avoid here.
"""

import http.client
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

RUNS = 5
LEADS = "600"
PATIENCE_SECONDS = 60
PROGRAM = str(Path(sys.executable).with_name("leadscore"))
HEAVY_IMPORTS = "import numpy, numba, sqlalchemy, fastapi, uvicorn, pydantic"


def main(home: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"LEADSCORE_HOME": home or _trained(Path(folder))}
        told = {
            "an empty Python": _median(lambda: _seconds([sys.executable, "-c", ""], environment)),
            "`leadscore --help`": _median(lambda: _seconds([PROGRAM, "--help"], environment)),
            "its libraries' imports alone": _median(lambda: _seconds([sys.executable, "-c", HEAVY_IMPORTS], environment)),
            "`leadscore serve` until ready": _median(lambda: _until_ready(environment)),
        }
    print("| seconds, median of 5 | |\n|---|---:|")
    print("\n".join(f"| {name} | {seconds:.2f} |" for name, seconds in told.items()))


def _median(run: Callable[[], float]) -> float:
    run()  # the first one reads the files from the disk
    return statistics.median(run() for _ in range(RUNS))


def _seconds(command: list[str], environment: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def _until_ready(environment: dict[str, str]) -> float:
    port = _free_port()
    began = time.perf_counter()
    command = [PROGRAM, "serve", "--port", str(port)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            while _status(port) != 200:
                if process.poll() is not None or time.perf_counter() - began > PATIENCE_SECONDS:
                    raise SystemExit(f"not ready in {PATIENCE_SECONDS} s, or ended (exit code {process.poll()}): is there a champion?")
                time.sleep(0.005)
            return time.perf_counter() - began
        finally:
            process.terminate()


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        return int(free.getsockname()[1])


def _status(port: int) -> int | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


def _trained(folder: Path) -> str:
    environment = os.environ | {"LEADSCORE_HOME": str(folder / "home")}
    for command in (["sample", "world", "--leads", LEADS], ["train", "world"]):
        subprocess.run([PROGRAM, *command], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return environment["LEADSCORE_HOME"]


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
