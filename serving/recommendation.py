"""The recommended stage and next step: a policy over probabilities, live from funnel.toml, not a second model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from data.funnel import Policy


@dataclass(frozen=True)
class Situation:
    """What the policy looks at. `probability` to `score` are those of the nearest hop, None where there is none; `silent_days` the days since the
    lead last did something (None: never), `days_in_stage` since it entered the stage or exit; `fake_contact` that no given contact can work;
    `outcome` is the column whose yes is predicted, where a flat file names no stages: who is likely to get there deserves the next stage's work."""

    stage: str
    in_exit: bool
    next_stage: str | None
    first_stage: str
    probability: float | None = None
    low: float | None = None
    high: float | None = None
    score: float | None = None
    silent_days: float | None = None
    days_in_stage: float = 0.0
    fake_contact: bool = False
    outcome: str | None = None

    @property
    def ahead(self) -> str:
        """What the probability is the chance of, in words."""
        return f"to become {self.next_stage}" if self.outcome is None else f"of a yes in {self.outcome!r}"

    @property
    def quiet_days(self) -> float:
        """Days without a sign of life: of silence, or in the stage if there never was one."""
        return self.days_in_stage if self.silent_days is None else self.silent_days


def recommend(situation: Situation, policy: Policy) -> dict[str, Any]:
    """`{"action", "stage", "text", "next_step"}`: advance, work_now, nurture, hold, recycle or disqualify, with the stage and the reason."""
    action, stage, text = _decide(situation, policy)
    return {"action": action, "stage": stage, "text": text, "next_step": _next_step(action, stage, policy.next_steps)}


def _decide(s: Situation, policy: Policy) -> tuple[str, str, str]:
    if s.in_exit:
        return _after_exit(s)
    if s.next_stage is None:
        return "nurture", s.stage, f"Already {s.stage}: nothing further to predict."
    if s.probability is None or s.low is None or s.high is None or s.score is None:
        return "hold", s.stage, f"Not enough evidence yet to tell who becomes {s.next_stage}."
    return _of_chance(s, policy, s.probability, s.high - s.low, s.score)


def _after_exit(s: Situation) -> tuple[str, str, str]:
    if s.silent_days is not None and s.silent_days < s.days_in_stage:
        return "recycle", s.first_stage, f"Left the funnel ({s.stage}), and has shown new interest since."
    return "disqualify", s.stage, f"Left the funnel ({s.stage}), and has shown no new interest since."


def _of_chance(s: Situation, policy: Policy, probability: float, width: float, score: float) -> tuple[str, str, str]:
    rules, chance = policy.rules, f"{probability:.0%} chance {s.ahead}"
    if s.fake_contact:
        return "disqualify", "disqualified", "No given contact can work: the e-mail address or phone number is fake."
    if probability <= rules.disqualify_max_probability and s.quiet_days >= rules.disqualify_after_silent_days:
        return "disqualify", "disqualified", f"{chance}, and no sign of life for {s.quiet_days:.0f} days."
    if width > rules.hold_min_interval_width:
        return "hold", s.stage, f"{chance}, but its 90 % interval is {width:.0%} wide: not enough evidence."
    if probability >= rules.advance_min_probability or score >= rules.advance_min_score:
        return "advance", str(s.next_stage), f"{chance}, better than {score:.0f} of 100 open leads of this stage."
    if score >= rules.work_min_score:
        return "work_now", s.stage, f"{chance}, better than {score:.0f} of 100 open leads of this stage."
    if s.stage != s.first_stage and s.quiet_days >= rules.recycle_after_silent_days:
        return "recycle", s.first_stage, f"{chance}, and no sign of life for {s.quiet_days:.0f} days."
    return "nurture", s.stage, f"{chance}: worth keeping warm, not worth a call today."


def _next_step(action: str, stage: str, steps: Mapping[str, tuple[str, ...]]) -> str | None:
    """Work goes to the most personal step of the stage (the last of its list), keeping warm to the lightest (the first)."""
    listed = steps.get(stage, ())
    if action in ("hold", "disqualify") or not listed:
        return None
    return listed[-1] if action == "work_now" else listed[0]
