"""The tables of the operational store. Times are micros UTC; `fields` and `extra` are JSON objects of canonical texts.

`data/migrations` makes them; a test holds both to each other.
"""

import sqlalchemy as sa

METADATA = sa.MetaData()
# SQLite only counts up by itself on its own INTEGER type.
COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _id(name: str = "id") -> sa.Column[int]:
    return sa.Column(name, COUNTER, primary_key=True, autoincrement=True)


def _text(name: str, *, key: bool = False, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=key, nullable=null)


def _time(name: str, *, key: bool = False, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, primary_key=key, nullable=null, autoincrement=False)


def _number(name: str) -> sa.Column[float]:
    return sa.Column(name, sa.Double, nullable=True)


# What serves.
BUNDLES = sa.Table("bundles", METADATA, sa.Column("version", sa.String, primary_key=True), sa.Column("hash", sa.String, nullable=False),
    _time("created_at"), sa.Column("document", sa.LargeBinary, nullable=False))  # fmt: skip
CHAMPIONS = sa.Table(
    "champions",
    METADATA,
    _id("seq"),
    sa.Column("version", sa.String, sa.ForeignKey("bundles.version"), nullable=False),
    _time("promoted_at"),
    sa.Column("reason", sa.String, nullable=False),
    # The row that was stood on before: what a rollback returns to. Null for the first.
    sa.Column("previous", sa.BigInteger),
    sqlite_autoincrement=True,
)
API_KEYS = sa.Table(
    "api_keys",
    METADATA,
    _id(),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("prefix", sa.String, nullable=False),
    sa.Column("hash", sa.String, nullable=False, unique=True),
    sa.Column("scopes", sa.String, nullable=False),
    sa.Column("owner", sa.String),
    _time("created_at"),
    _time("revoked_at", null=True),
    _time("last_used_at", null=True),
    sqlite_autoincrement=True,
)

# What is known: the tables of the data contract. `ingested_at` is when the store learned it.
LEADS = sa.Table(
    "leads", METADATA, _text("lead_id", key=True), _time("created_at"), _time("recorded_at", null=True), _text("account_id", null=True),
    _text("owner", null=True), _text("fields"), _time("ingested_at"), _time("changed_at"), sa.Index("leads_account", "account_id"),
)  # fmt: skip
ACCOUNTS = sa.Table("accounts", METADATA, _text("account_id", key=True), _text("fields"), _time("ingested_at"), _time("changed_at"))
EVENTS = sa.Table(
    "events",
    METADATA,
    # 16 bytes: the digest of the event_id, or of the content where there is none. What makes ingestion idempotent.
    sa.Column("key", sa.LargeBinary, primary_key=True),
    _text("lead_id"), _time("occurred_at"), _time("recorded_at", null=True), _text("type"), _number("value"), _text("channel", null=True),
    _text("detail", null=True), _text("event_id", null=True), _text("extra", null=True), _time("ingested_at"),
    sa.Index("events_lead", "lead_id"),
)  # fmt: skip
STAGES = sa.Table(
    "stages", METADATA, _text("lead_id", key=True), _time("entered_at", key=True), _text("stage", key=True), _text("reason", null=True),
    _text("extra", null=True), _time("ingested_at"),
)  # fmt: skip
DEALS = sa.Table(
    "deals", METADATA, _text("deal_id", key=True), _text("lead_id", key=True), _time("opened_at"), _time("closed_at", null=True),
    _text("outcome", null=True), _number("amount"), _text("currency", null=True), _text("reason", null=True), _text("competitor", null=True),
    _text("stage", null=True), _text("extra", null=True), _time("ingested_at"), _time("changed_at"), sa.Index("deals_lead", "lead_id"),
)  # fmt: skip
CHANGES = sa.Table(
    "changes", METADATA, _text("object", key=True), _text("id", key=True), _text("field", key=True), _time("changed_at", key=True),
    _text("value", null=True), _time("ingested_at"),
    # Who ever stood at an account.
    sa.Index("changes_account", "object", "field", "value", sqlite_where=sa.text("object = 'lead' AND field = 'account_id'"),
             postgresql_where=sa.text("object = 'lead' AND field = 'account_id'")),
)  # fmt: skip
ALIASES = sa.Table(
    "aliases", METADATA, _text("object", key=True), _text("external_id", key=True), _text("lead_id"), _time("ingested_at"),
    sa.Index("aliases_external", "external_id"), sa.Index("aliases_lead", "lead_id"),
)  # fmt: skip
FEEDBACK = sa.Table(
    "feedback", METADATA, _id(), _text("lead_id"), _text("score_id", null=True), _text("action", null=True), _text("stage", null=True),
    sa.Column("useful", sa.Boolean), _text("reason", null=True), _text("by", null=True), _time("at"), sa.Index("feedback_lead", "lead_id"),
    sqlite_autoincrement=True,
)  # fmt: skip

# What was answered.
SCORES = sa.Table(
    "scores", METADATA, _text("score_id", key=True), _text("lead_id", null=True), _time("at"), _time("as_of"), _text("stage"), _text("version"),
    # request (POST /v1/score), batch, store (a rescoring), shadow (the same by the version that scores along)
    _text("source"), _number("probability"), _number("low"), _number("high"), _number("score"), _text("grade", null=True), _text("action", null=True),
    # The model's row, float32 little-endian, as `data.ledger.thinned` writes it.
    sa.Column("features", sa.LargeBinary, nullable=False),
    sa.Index("scores_lead", "lead_id", "at"), sa.Index("scores_at", "at"),
)  # fmt: skip
QUEUE = sa.Table(
    "queue",
    METADATA,
    _id(),
    # A row counts for snapshots s with since <= s < until; until is null while it is the lead's latest. Both come from the counter `queue`.
    sa.Column("since", sa.BigInteger, nullable=False), sa.Column("until", sa.BigInteger),
    _text("lead_id"), _text("stage"), _text("transition", null=True), sa.Column("horizon_days", sa.Integer), _number("probability"), _number("low"),
    _number("high"), _number("score"), _text("grade", null=True), _text("action"), _text("recommended_stage", null=True),
    _text("next_step", null=True), _text("owner", null=True), _number("value"), _number("expected_value"), _text("score_id"), _time("as_of"),
    _time("scored_at"), _text("version"), _number("previous_score"), _text("answer"),
    # What a page is sorted by, ascending: -probability; -expected_value, above every number where there is none.
    sa.Column("by_likelihood", sa.Double, nullable=False), sa.Column("by_value", sa.Double, nullable=False), _time("closed_at", null=True),
    sa.Index("queue_lead", "lead_id", "since", unique=True),
    sa.Index("queue_likelihood", "by_likelihood", "lead_id"), sa.Index("queue_value", "by_value", "lead_id"),
    sa.Index("queue_owner_likelihood", "owner", "by_likelihood", "lead_id"), sa.Index("queue_owner_value", "owner", "by_value", "lead_id"),
    sa.Index("queue_kind_likelihood", "action", "grade", "stage", "by_likelihood", "lead_id"),
    sa.Index("queue_kind_value", "action", "grade", "stage", "by_value", "lead_id"),
    sa.Index("queue_scored", "scored_at", sqlite_where=sa.text("until IS NULL"), postgresql_where=sa.text("until IS NULL")),
    sa.Index("queue_closed", "closed_at", sqlite_where=sa.text("until IS NOT NULL"), postgresql_where=sa.text("until IS NOT NULL")),
    sqlite_autoincrement=True,
)  # fmt: skip
COUNTERS = sa.Table("counters", METADATA, _text("name", key=True), sa.Column("value", sa.BigInteger, nullable=False))

# What is to be done, and what was.
PENDING = sa.Table(
    "pending", METADATA, _text("lead_id", key=True), _time("marked_at"),
    # 0: its facts changed; 1: part of a sweep over all open leads. quiet: no webhook comes of it.
    sa.Column("priority", sa.Integer, nullable=False), sa.Column("quiet", sa.Boolean, nullable=False), _time("claimed_until", null=True),
    sa.Index("pending_order", "priority", "marked_at"),
)  # fmt: skip
JOBS = sa.Table(
    "jobs", METADATA, _text("id", key=True), _text("kind"), _text("state"), _number("progress"), _text("step", null=True), _text("arguments"),
    _text("result", null=True), _text("error", null=True), _text("requested_by", null=True), _time("created_at"), _time("started_at", null=True),
    _time("finished_at", null=True), _time("seen_at", null=True), sa.Column("cancelling", sa.Boolean, nullable=False),
    sa.Index("jobs_state", "state", "created_at"),
)  # fmt: skip
JOB_LINES = sa.Table(
    "job_lines", METADATA, _id(), sa.Column("job_id", sa.Text, sa.ForeignKey("jobs.id"), nullable=False), _time("at"), _text("line"),
    sa.Index("job_lines_job", "job_id"), sqlite_autoincrement=True,
)  # fmt: skip
WEBHOOKS = sa.Table(
    "webhooks", METADATA, _text("id", key=True), _text("url"), _text("secret"), _text("types"), _text("description", null=True), _time("created_at"),
    _time("disabled_at", null=True),
)  # fmt: skip
DELIVERIES = sa.Table(
    "deliveries", METADATA, _text("id", key=True), sa.Column("webhook_id", sa.Text, sa.ForeignKey("webhooks.id"), nullable=False), _text("type"),
    _text("lead_id", null=True), _text("body"), _time("created_at"),
    # pending, delivered, dead
    _text("state"), sa.Column("attempts", sa.Integer, nullable=False), _time("next_at", null=True), _time("claimed_until", null=True),
    sa.Column("last_status", sa.Integer), _text("last_error", null=True), _time("delivered_at", null=True),
    sa.Index("deliveries_next", "state", "next_at"), sa.Index("deliveries_lead", "lead_id"),
)  # fmt: skip
AUDIT = sa.Table(
    "audit", METADATA, _id(), _time("at"), sa.Column("key_id", sa.BigInteger), _text("action"), _text("target", null=True),
    sa.Column("status", sa.Integer, nullable=False), _text("request_id"), sa.Index("audit_at", "at"), sqlite_autoincrement=True,
)  # fmt: skip
IDEMPOTENCY = sa.Table(
    "idempotency", METADATA, _text("key", key=True), _text("body_hash"), _time("at"),
    # Null while the first call is under way.
    sa.Column("status", sa.Integer), sa.Column("content", sa.LargeBinary), sa.Index("idempotency_at", "at"),
)  # fmt: skip

# The version that scores along, if there is one: a single row.
SHADOWS = sa.Table("shadows", METADATA, _text("version", key=True), _time("since"))
# What was decided on a version that asked to serve; `reasons` and `churn` are JSON.
DECISIONS = sa.Table(
    "decisions", METADATA, _text("version", key=True), _text("champion", null=True), sa.Column("promote", sa.Boolean, nullable=False),
    _text("reasons"), _text("churn", null=True), _time("decided_at"),
)  # fmt: skip

# What was erased: enough to refuse it, too little to know it.
TOMBSTONES = sa.Table("tombstones", METADATA, _text("id_hash", key=True), _time("erased_at"))
ERASED_SCORES = sa.Table("erased_scores", METADATA, _text("score_id", key=True), _time("erased_at"))
SECRETS = sa.Table("secrets", METADATA, _text("name", key=True), sa.Column("value", sa.LargeBinary, nullable=False))
