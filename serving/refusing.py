"""A refusal as an answer."""

import orjson
from fastapi.responses import Response

from serving.errors import ServiceError


def refused(error: ServiceError) -> Response:
    """`{"error", "detail"}` with the status and headers of the error's class."""
    return Response(orjson.dumps(error.document), error.status, error.headers, "application/json")
