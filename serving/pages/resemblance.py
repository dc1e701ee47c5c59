"""How well a lead matches the ideal customer profile, and which of its fields make it so, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data.contract import canonical
from registry.profile import Part, Profile, Trait
from serving.reports.icp import named, valued
from serving.words import Words

NAMED = 5
"""Attributes told of each kind at most: those that say most."""

Named = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Resemblance:
    """`score` 0-100: how many of a hundred that the profile was learned from match it less. `fits` and `differs`: (attribute, value), what says most
    first; `missing`: attributes that would say something and are not known."""

    score: int
    fits: Sequence[Named]
    differs: Sequence[Named]
    missing: Sequence[str]


def resemblance(profile: Profile | None, held: Mapping[str, Any], words: Words) -> Resemblance | None:
    """Of the lead and account that are `held`, by their texts; None without a profile, and where nothing is known that counts."""
    if profile is None:
        return None
    fields = {f"{table}.{name}": canonical(value) for table in ("lead", "account") for name, value in held[table].items()}
    found, traits = profile.fit(fields), {trait.name: trait for trait in profile.traits}
    if found.score is None:
        return None
    told = sorted(found.parts, key=lambda part: -abs(part.points))
    fits, differs = ([_told(traits[part.attribute], part, fields, words) for part in told if part.points * side > 0][:NAMED] for side in (1, -1))
    missing = [_called(traits[name], words) for name in found.missing if traits[name].counts]
    return Resemblance(round(found.score), fits, differs, missing[:NAMED])


def _told(trait: Trait, part: Part, fields: Mapping[str, str | None], words: Words) -> Named:
    """The value as the CRM has it, but for what was read out of a job title."""
    read = trait.kind in ("seniority", "function")
    return _called(trait, words), valued(words, trait.kind, {"value": part.value}) if read else fields[trait.column] or part.value


def _called(trait: Trait, words: Words) -> str:
    return named(words, {"label": trait.label, "kind": trait.kind, "level": trait.level})
