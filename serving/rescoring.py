"""Rescoring: leads whose score is out of date get a new one from what the store knows, in the ledger, in the queue, and told to the CRM."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from data import pending, queue
from data.facts import Facts, facts_of
from data.home import clock
from data.ledger import ScoreRecord
from data.pending import Claim
from data.queue import Change
from data.store import Store
from data.webhooks import enqueue
from serving.champion import Champion, Serving
from serving.colleagues import Around, around, request_of
from serving.deals import is_open
from serving.economics import Economics
from serving.errors import LedgerDown, NoChampion, NotReady, ServiceError, refusal_of
from serving.logs import trace_of
from serving.retelling import kept
from serving.scorer import Scorer
from serving.shadow import Shadow
from serving.spool import Spool

BATCH = 200
"""Leads claimed and published at once."""
CHUNK = 20
"""Leads scored between two pauses, in which calls of the same process are answered."""
PAUSE_SECONDS = 0.002
IDLE_SECONDS = 0.2
NO_MODEL_SECONDS = 1.0
LONGEST_BACK_OFF_SECONDS = 10.0

_LOG = logging.getLogger("leadscore.rescoring")
_Found = tuple[dict[str, Any], ScoreRecord]


@dataclass
class Rescorer:
    """Scores what is pending, for as long as it runs. Several may run, in one process or in many: none does another's work.

    Killed at any moment it loses nothing: a lead stays pending until its score is published. `now` is the wall clock, micros UTC.
    """

    store: Store
    champion: Champion
    spool: Spool
    now: Callable[[], int] = clock
    _back_off: float = field(default=0.0, init=False)
    _shadow: Shadow = field(init=False)

    def __post_init__(self) -> None:
        self._shadow = Shadow(self.store, self.champion, self.spool)

    def run(self, stop: threading.Event) -> None:
        """Works until `stop` is set, and then to the end of its batch. While the database or the ledger is down it waits and tries again."""
        while not stop.is_set():
            stop.wait(self._work())

    def _work(self) -> float:
        """One step; the seconds to wait after it."""
        try:
            worked = self.step() + queue.prune(self.store, self.now())
        except (NoChampion, NotReady):
            return NO_MODEL_SECONDS
        except (SQLAlchemyError, LedgerDown) as error:
            if not _is_outage(error):
                raise
            return self._wait_for(type(error).__name__)
        if self._back_off:
            _LOG.info("rescoring goes on")
        self._back_off = 0.0
        return 0.0 if worked else IDLE_SECONDS

    def _wait_for(self, what: str) -> float:
        if not self._back_off:
            _LOG.warning("rescoring waits: %s", what)
        self._back_off = min(LONGEST_BACK_OFF_SECONDS, 2 * self._back_off or IDLE_SECONDS)
        return self._back_off

    def step(self) -> int:
        """Scores the most urgent leads, at most `BATCH`, with one version; how many were dealt with. Raises NoChampion or NotReady without a model,
        LedgerDown where no score can be written down."""
        serving = self.champion.take()
        claimed = pending.claim(self.store, self.now(), BATCH)
        if not claimed:
            return 0
        if self._is_behind(serving):
            pending.release(self.store, claimed)
            return 0
        self._rescore(serving.scorer, claimed)
        return len(claimed)

    def _rescore(self, scorer: Scorer, claims: Sequence[Claim]) -> None:
        """One lead that breaks the program does not take the others with it: it is searched for by halves, and set back."""
        try:
            self._publish(scorer, {claim.lead_id: claim for claim in claims})
        except Exception as error:
            if _is_outage(error):
                raise
            if len(claims) > 1:
                middle = len(claims) // 2
                self._rescore(scorer, claims[:middle])
                self._rescore(scorer, claims[middle:])
            else:
                _LOG.error("a lead can't be scored, and will be tried again", extra={"fields": {"trace": trace_of(error)}})
                pending.postpone(self.store, claims, self.now())

    def _is_behind(self, serving: Serving) -> bool:
        """Whether another champion has been promoted than this process serves yet: what the promotion marked is not for the old one.

        One that can't be loaded is not waited for.
        """
        current = self.store.champion()
        return current is not None and current[1] != serving.seq and "champion" not in self.champion.down

    def _publish(self, scorer: Scorer, claims: Mapping[str, Claim]) -> None:
        now = self.now()  # after the claim: who claims a lead later, and knows more, has a later as_of
        facts = facts_of(self.store, list(claims))
        others = around(self.store, list(claims), scorer.bundle.schema)
        found, failed = self._scored(scorer, facts, others, now)
        rows = [row(lead_id, *one, facts[lead_id], scorer.adviser.economics, now) for lead_id, one in found.items()]
        self.spool.append_many(record for _, record in found.values())
        left = set(claims) - set(found) - failed
        loud = {lead_id for lead_id, claim in claims.items() if not claim.quiet}

        def publish(connection: sa.Connection) -> None:
            for change in queue.write(connection, rows, left, now):
                if change.after.lead_id in loud:
                    tell(connection, change, now)

        self.store.write(publish)
        pending.postpone(self.store, [claims[lead_id] for lead_id in failed], now)
        pending.done(self.store, [claim for lead_id, claim in claims.items() if lead_id not in failed])
        self._shadow.score(found, facts, others, now)

    def _scored(self, scorer: Scorer, facts: Mapping[str, Facts], others: Around | None, now: int) -> tuple[dict[str, _Found], set[str]]:
        """By lead what has a probability, and those that were refused: the log has how many, and why."""
        ids, found, refused = list(facts), dict[str, _Found](), dict[str, str]()
        for begin in range(0, len(ids), CHUNK):
            chunk = ids[begin : begin + CHUNK]
            for lead_id, one in zip(chunk, scorer.score_many([request_of(facts[id], others) for id in chunk], now, source="store"), strict=True):
                if isinstance(one, ServiceError):
                    refused[lead_id] = type(one).__name__
                elif one[1].probability is not None:
                    found[lead_id] = one[0], one[1]._replace(lead_id=lead_id)
            time.sleep(PAUSE_SECONDS)
        for why, leads in Counter(refused.values()).items():
            _LOG.warning("%d leads can't be scored, and will be tried again: %s", leads, why)
        return found, set(refused)


def _is_outage(error: Exception) -> bool:
    """Whether the database or the ledger is at fault, and not what was to be scored."""
    return isinstance(error, LedgerDown) or (isinstance(error, SQLAlchemyError) and refusal_of(error) is not None)


def row(lead_id: str, answer: Mapping[str, Any], record: ScoreRecord, facts: Facts, economics: Economics, now: int) -> queue.Scored:
    """What the queue keeps of an answer that has a probability."""
    transition, first = next(iter(answer["transitions"].items()))
    told = answer["recommendation"]
    return queue.Scored(
        lead_id=lead_id,
        stage=record.stage,
        transition=transition,
        **{name: first[name] for name in ("horizon_days", "probability", "low", "high", "score", "grade")},
        action=told["action"],
        recommended_stage=told["stage"],
        next_step=told["next_step"] and str(told["next_step"]),
        owner=facts.lead.get("owner"),
        value=value_of(facts.deals, economics.of_conversion(record.stage, transition, answer["reach"]), record.as_of),
        score_id=record.score_id,
        as_of=record.as_of,
        scored_at=now,
        version=record.version,
        answer=kept(answer).decode(),
    )


def value_of(deals: Sequence[Mapping[str, Any]], usual: float | None, as_of: int) -> float | None:
    """What a conversion of the lead is worth: the amount of its largest deal open at `as_of`, whatever the currency, else the `usual` value."""
    amounts = [deal["amount"] for deal in deals if deal.get("amount") is not None and is_open(deal, as_of)]
    return max(amounts, default=usual)


def tell(connection: sa.Connection, change: Change, now: int) -> None:
    """Webhooks of one published score, in its transaction: `score.changed` where grade or action did, `stage.recommended` where another stage than
    the lead's is recommended now. The first score of a lead is a change."""
    after, before = change.after, change.before
    said = {name: getattr(after, name) for name in ("lead_id", "stage", "score", "grade", "action", "probability", "score_id", "version")}
    if (after.grade, after.action) != (before.get("grade"), before.get("action")):
        previous = {name: before[name] for name in ("score", "grade", "action")} if before else None
        enqueue(connection, "score.changed", after.lead_id, said | {"previous": previous}, now)
    if after.recommended_stage not in (after.stage, before.get("recommended_stage"), None):
        recommended = {"recommended_stage": after.recommended_stage, "next_step": after.next_step}
        enqueue(connection, "stage.recommended", after.lead_id, said | recommended, now)
