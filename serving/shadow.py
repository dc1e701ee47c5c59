"""Shadow mode: the version that scores along gives its own score of a share of the leads that are rescored, into the ledger and to nobody."""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from zlib import crc32

from data import shadow
from data.facts import Facts
from data.store import Store
from registry.bundle import Bundle
from serving.champion import Champion
from serving.colleagues import Around, StoredRequest, around, request_of
from serving.errors import ServiceError
from serving.logs import trace_of
from serving.scorer import Scorer
from serving.spool import Spool

LOOK_EVERY_SECONDS = 5.0
CHUNK = 20
"""Leads scored between two pauses, in which calls of the same process are answered."""
PAUSE_SECONDS = 0.002

_LOG = logging.getLogger("leadscore.shadow")


@dataclass
class Shadow:
    """Scores along with one rescorer, after what the champion said is published: it delays nobody's score, and what breaks here breaks nothing else.

    How large the share is, the champion's live funnel.toml says; at 0 nothing is asked of the store.
    """

    store: Store
    champion: Champion
    spool: Spool
    _scorer: Scorer | None = field(default=None, init=False)
    _looked: float = field(default=float("-inf"), init=False)

    def score(self, ids: Iterable[str], facts: Mapping[str, Facts], others: Around | None, now: int) -> int:
        """Scores those of the leads that are in the share, as of `now` and from what the champion was told; how many are in the ledger's spool for
        it. `others` is what happened at the leads' accounts, where the champion asked for that."""
        share = self.champion.funnel.shadow.share
        try:
            scorer = self._following() if share else None
            return 0 if scorer is None else self._along(scorer, self._requests(scorer, [id for id in ids if in_share(id, share)], facts, others), now)
        except Exception as error:  # noqa: BLE001 - whatever it is, the champion's scores are out and their leads are done
            _LOG.error("the version that scores along could not", extra={"fields": {"trace": trace_of(error)}})
            return 0

    def _requests(self, scorer: Scorer, ids: Sequence[str], facts: Mapping[str, Facts], others: Around | None) -> dict[str, StoredRequest]:
        seen = around(self.store, ids, scorer.bundle.schema) if others is None else others
        return {id: request_of(facts[id], seen) for id in ids}

    def _along(self, scorer: Scorer, requests: Mapping[str, StoredRequest], now: int) -> int:
        ids, given = list(requests), 0
        for begin in range(0, len(ids), CHUNK):
            chunk = ids[begin : begin + CHUNK]
            found = scorer.score_many([requests[id] for id in chunk], now, with_reasons=False, source=shadow.SOURCE)
            records = [one[1]._replace(lead_id=id) for id, one in zip(chunk, found, strict=True) if not isinstance(one, ServiceError)]
            told = [record for record in records if record.probability is not None]
            self.spool.append_many(told)
            given += len(told)
            time.sleep(PAUSE_SECONDS)
        return given

    def _following(self) -> Scorer | None:
        """The scorer of the version that scores along, looked for anew every LOOK_EVERY_SECONDS."""
        if time.monotonic() - self._looked >= LOOK_EVERY_SECONDS:
            self._looked = time.monotonic()  # before what may break: a bundle that can't be read is not read again for each batch
            current = shadow.scoring_along(self.store)
            if current is None:
                self._scorer = None
            elif self._scorer is None or self._scorer.version != current[0]:
                self._scorer = Scorer.of(Bundle.from_bytes(self.store.bundle(current[0])), current[0], self.champion.funnel)
                _LOG.info("version %s scores along", current[0])
        return self._scorer


def in_share(lead_id: str, share: float) -> bool:
    """Whether a lead belongs to the share: the same leads every night, by their id alone; all at 1, none at 0."""
    return crc32(lead_id.encode()) < share * 2**32
