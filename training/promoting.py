"""What comes of a training once it is recorded: the decision, who would change grade, and the move itself."""

from dataclasses import dataclass, replace
from typing import Any

from data import decisions, shadow
from data.contract import DataError, parse_instant
from data.dataset import Dataset
from data.funnel import Funnel
from data.home import clock
from data.store import Store
from registry import promotion, tracking
from registry.bundle import Bundle
from training.churn import churn_of, told
from training.comparison import Contender, Decision, decide
from training.run import Tell, Trained


@dataclass(frozen=True)
class Proposal:
    """A version that asks to serve: the decision, and by how much grades would change (`training.churn.churn_of`; None where nothing serves, or where
    the two don't score the same leads)."""

    version: str
    decision: Decision
    churn: dict[str, Any] | None


def propose(store: Store, version: str, trained: Trained, read: Dataset | None, funnel: Funnel, promote: str, tell: Tell) -> Proposal:
    """Decides on a version that is in the registry and records why. `promote` is auto, always or never; `read` what it was trained on, None for a
    flat file."""
    champion = store.champion()
    held = champion[0] if champion else None
    theirs, unreadable = _bundle(store, held)
    decision = Decision(promote == "always", (f"--promote {promote}",))
    if promote == "auto":
        tell("comparing with the champion")
        decision = _decide(version, trained, theirs, held, read, funnel, unreadable)
    churn = None
    if theirs is not None and read is not None and theirs.path[0] == trained.bundle.path[0] and theirs.schema.stages == trained.bundle.schema.stages:
        tell("counting who would change grade")
        churn = churn_of(theirs, trained.bundle, read, funnel.policy.grades, parse_instant(str(trained.bundle.about["data_end"])))
        decision = replace(decision, reasons=(*decision.reasons, told(churn)))
    tracking.log_decision(version, held, decision.promote, decision.reasons, churn)
    decisions.note(store, version, held, decision.promote, decision.reasons, churn, clock())
    return Proposal(version, decision, churn)


def _bundle(store: Store, version: str | None) -> tuple[Bundle | None, str | None]:
    """(the champion's bundle, why it can't be read)."""
    if version is None:
        return None, None
    try:
        return Bundle.from_bytes(store.bundle(version)), None
    except DataError as error:
        return None, str(error)


def _decide(
    version: str, trained: Trained, theirs: Bundle | None, held: str | None, read: Dataset | None, funnel: Funnel, unreadable: str | None
) -> Decision:
    if unreadable is not None:
        return Decision(True, (f"champion {held} can't be read by this program, so it can't serve either: {unreadable}",))
    ours = Contender(version, trained.bundle, trained.forward)
    if theirs is None or held is None:
        return decide(ours, None, read, funnel.drift)
    try:
        forward = tracking.forward_of(held)
    except DataError:
        forward = trained.forward.slice(0, 0)  # a champion from another registry: its bundle can still be asked about what came after its data
    return decide(ours, Contender(held, theirs, forward), read, funnel.drift)


def carry_out(store: Store, proposal: Proposal, funnel: Funnel) -> None:
    """Moves the whole funnel to the version, or puts it into the store beside the champion; then it scores along, where funnel.toml gives it a share.
    Killed in between, what served before serves."""
    if proposal.decision.promote:
        promotion.promote(store, proposal.version, " ".join(proposal.decision.reasons))
        shadow.end(store)
        return
    promotion.offer(store, proposal.version)
    promotion.follow(store)
    if funnel.shadow.share and proposal.churn is not None:
        shadow.let_score_along(store, proposal.version, clock())
