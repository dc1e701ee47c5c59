"""The floor of bench_serving.py: `leadscore serve` with one more call, which validates the body of a score and returns a score made beforehand.

It is the very same program: server, middleware, gate, request id, metrics, log line, threads beside it, and settings of the collector. Its call is
written as one would write it: the body into the same pydantic model, a dict out as JSON by the same `answered`.

python floor.py ANSWER.json --port N
"""

import gc
import sys
from pathlib import Path

import orjson
from fastapi import FastAPI, Request
from fastapi.responses import Response

import serving.app
from serving.contract import ScoreRequest
from serving.routes import Route, Service, answered, body_of, guarded
from serving.server import serve
from serving.settings import Settings


def main(answer: str, port: int) -> int:
    document, plain = orjson.loads(Path(answer).read_bytes()), serving.app.create_app

    async def floor(request: Request, service: Service) -> Response:
        ScoreRequest.model_validate_json(await body_of(request, service))
        return answered(document)

    def with_floor(settings: Settings) -> FastAPI:
        app = plain(settings)
        app.add_api_route("/floor", guarded(Route("/floor", "POST", "score", floor, {})), methods=["POST"])
        return app

    serving.app.create_app = with_floor
    gc.set_threshold(50_000, 20, 100)  # as the command line does
    return serve("127.0.0.1", port)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[3])))
