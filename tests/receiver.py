"""A real HTTP receiver on this machine, for tests of what is sent out."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """`answer` decides what a request gets; `most_at_once` is how many were ever under way together."""

    url: str
    port: int
    requests: list[Received] = field(default_factory=list)
    answer: Callable[[Received], Answer] = lambda _: (200, {}, b"ok")
    under_way: int = 0
    most_at_once: int = 0


@contextmanager
def receiving(tls: SSLContext | None = None) -> Iterator[Receiver]:
    """Listens on a free port of 127.0.0.1 until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received = Received(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            with lock:
                found.requests.append(received)
                found.under_way += 1
                found.most_at_once = max(found.most_at_once, found.under_way)
            try:
                status, headers, content = found.answer(received)
            finally:
                with lock:
                    found.under_way -= 1
            self.send_response(status)
            for name, value in {"content-length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            return

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            return  # a sender that hangs up is what some tests are about

    lock = threading.Lock()
    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    port = server.server_address[1]
    found = Receiver(f"{'https' if tls else 'http'}://127.0.0.1:{port}/hook", port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
