"""What the operations calls, and those about webhooks, are asked and answer."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

JobState = Literal["queued", "running", "done", "failed", "cancelled"]
EventName = Literal["score.changed", "stage.recommended", "model.promoted"]
DeliveryState = Literal["pending", "delivered", "dead"]
_Share = Annotated[float, Field(ge=0, le=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RetrainRequest(_Strict):
    """`since`: only leads created at or after that instant, ISO-8601. `promote` auto: only if better than the champion beyond noise."""

    since: str | None = None
    promote: Literal["auto", "always", "never"] = "auto"


class PromoteRequest(_Strict):
    """Why, for the history of champions."""

    reason: Annotated[str, Field(min_length=1, max_length=500)] | None = None


class JobStarted(_Strict):
    """A job that waits to be run. `GET /v1/jobs/{id}` follows it."""

    id: str
    state: JobState
    progress: _Share
    error: str | None


class JobAnswer(JobStarted):
    """One job: what is being done, the last lines of its log, oldest first, and what it came to. Times are ISO-8601."""

    kind: str
    step: str | None
    log: list[str]
    result: dict[str, Any] | None
    created_at: str
    started_at: str | None
    finished_at: str | None


class JobsAnswer(_Strict):
    """The latest 50 jobs, newest first; their logs are left out."""

    items: list[JobAnswer]


class PromotedAnswer(_Strict):
    """What serves from now on, and what served before."""

    version: str
    promoted_at: str
    previous: str | None


class WebhookRequest(_Strict):
    """Where to send what. The URL must be reachable from the service, without redirects."""

    url: Annotated[str, Field(min_length=1, max_length=2_000)]
    types: Annotated[list[EventName], Field(min_length=1, max_length=3)]
    description: Annotated[str, Field(max_length=200)] | None = None


class WebhookAnswer(_Strict):
    """One endpoint. `disabled_at`: since when it is sent nothing, because it answered 410 Gone; rotating its secret enables it again."""

    id: str
    url: str
    types: list[EventName]
    description: str | None
    created_at: str
    disabled_at: str | None


class WebhookCreated(WebhookAnswer):
    """The endpoint with its secret, which is shown this once: it verifies what arrives, as Standard Webhooks says."""

    secret: str


class WebhooksAnswer(_Strict):
    """Every endpoint, oldest first."""

    items: list[WebhookAnswer]


class WebhookRemoved(_Strict):
    """The endpoint is gone, with its deliveries."""

    id: str
    removed: Literal[True]


class DeliveryAnswer(_Strict):
    """One message to one endpoint. `next_at`: when it is tried again; `last_error`: why the last attempt failed; `body`: what is sent."""

    id: str
    webhook_id: str
    type: EventName
    state: DeliveryState
    attempts: int
    created_at: str
    next_at: str | None
    delivered_at: str | None
    last_status: int | None
    last_error: str | None
    body: dict[str, Any]


class DeliveriesAnswer(_Strict):
    """Deliveries, newest first, 100 on a page. `next_cursor` leads to the page behind; null on the last."""

    items: list[DeliveryAnswer]
    next_cursor: str | None
