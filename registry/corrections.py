"""The team's corrections of the learned profile: read live from funnel.toml, they change the fit and never a probability."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from itertools import zip_longest
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.documents import nearest
from data.funnel import Correction
from features.attributes import OTHER
from registry.profile import Profile, Said, Trait, Unused, Value, said_points

_DRAWS = 4_000
_SEED = 5
_SHORTEST_MISSPELT, _MOST_LETTERS_APART, _ALIKE = 5, 2, 0.8
"""What makes a value that nobody has a misspelt one: neither is short or numbered, hardly longer or shorter, and so much is the same. Stricter than
for names of keys, since a value may well be new: `Retailing` is not `Retail`."""


def profile_of(about: Mapping[str, Any], corrections: Mapping[str, Correction]) -> Profile | None:
    """The profile that a bundle learned (`bundle.about`), as the team corrects it (`funnel.icp`); None for a bundle that is older than profiles."""
    document = about.get("icp")
    return None if document is None else corrected(Profile.from_document(document), corrections)


def corrected(profile: Profile, corrections: Mapping[str, Correction]) -> Profile:
    """The profile with each correction in its place. One is found by the attribute's name, or by that of its column (`account.industry`, `industry`)
    where that means one attribute; `unused` says which are not, and why."""
    if not corrections:
        return profile
    meant = {name: _meant(profile.traits, name) for name in sorted(corrections)}
    by_trait = {trait.name: corrections[name] for name, trait in meant.items() if trait is not None}
    traits = tuple(_corrected(trait, by_trait[trait.name]) if trait.name in by_trait else trait for trait in profile.traits)
    unused = tuple(why for name, trait in meant.items() for why in _unused(name, trait, corrections[name], profile.traits))
    return replace(profile, traits=traits, spread=_moved(profile, traits), unused=unused)


def _meant(traits: Sequence[Trait], name: str) -> Trait | None:
    exact = [trait for trait in traits if name == trait.name]
    found = exact or [trait for trait in traits if name in (trait.column, trait.column.split(".", 1)[1])]
    return found[0] if len(found) == 1 else None


def _unused(name: str, trait: Trait | None, correction: Correction, traits: Sequence[Trait]) -> Iterator[Unused]:
    if trait is None:
        yield Unused(name, "unknown", nearest(name, [t.name for t in traits]))
    elif trait.kind == "number" and (correction.wanted or correction.unwanted):
        yield Unused(name, "a number", trait.label)
    elif trait.kind != "number" and correction.between is not None:
        yield Unused(name, "no number", trait.label)
    elif not correction.ignore:
        yield from (Unused(name, "misspelt", close, value) for value, close in _misspelt(trait, correction).items())
        if trait.kind == "category" and trait.level == "organization":
            yield from (Unused(name, "rare", value) for value in _fresh(trait, correction))


def _corrected(trait: Trait, correction: Correction) -> Trait:
    if correction.ignore:
        return replace(trait, ignored=True)
    if trait.kind == "number":
        between = correction.between
        return (
            trait
            if between is None
            else replace(trait, between=between, values=tuple(_in_range(value, after, *between) for value, after in _neighbours(trait)))
        )
    said: dict[str, Said] = dict.fromkeys(map(str.casefold, correction.wanted), "wanted")
    said |= dict.fromkeys(map(str.casefold, correction.unwanted), "unwanted")
    values = [_as_said(value, said.get(value.name.casefold(), value.said)) for value in trait.values]
    return replace(trait, values=(*values, *(_unheard(name, said[name.casefold()]) for name in _fresh(trait, correction))))


def _fresh(trait: Trait, correction: Correction) -> list[str]:
    """The values that are corrected and that were not learned apart, but for misspelt ones: those count for nobody."""
    misspelt = _misspelt(trait, correction)
    return [name for name in _unknown(trait, correction) if name not in misspelt]


def _unknown(trait: Trait, correction: Correction) -> list[str]:
    known = {value.name.casefold() for value in trait.values}
    return [name for name in (*correction.wanted, *correction.unwanted) if name.casefold() not in known]


def _misspelt(trait: Trait, correction: Correction) -> dict[str, str]:
    """Each value that must be one of those that were learned, written wrongly, and that one."""
    if trait.kind == "number":
        return {}
    learned = {value.name.casefold(): value.name for value in trait.values if value.name != OTHER}
    close = {name: _meant_value(name.casefold(), learned) for name in _unknown(trait, correction)}
    return {name: learned[found] for name, found in close.items() if found is not None}


def _meant_value(name: str, learned: Mapping[str, str]) -> str | None:
    worth = [one for one in learned if abs(len(one) - len(name)) <= _MOST_LETTERS_APART and min(len(one), len(name)) >= _SHORTEST_MISSPELT]
    found = [] if any(c.isdigit() for c in name) else get_close_matches(name, worth, n=1, cutoff=_ALIKE)
    return found[0] if found else None


def _as_said(value: Value, said: Said) -> Value:
    return replace(value, said=said, points=said_points(said, value))


def _unheard(name: str, said: Said) -> Value:
    """A value that nobody in the data has, or too few."""
    return Value(name, 0, 0, 1.0, 0.0, 0.0, said_points(said, None), said)


def _neighbours(trait: Trait) -> Iterator[tuple[Value, Value | None]]:
    """Each band and the one after it."""
    return zip_longest(trait.values, trait.values[1:])


def _in_range(band: Value, after: Value | None, lowest: float, highest: float) -> Value:
    """A band that the range cuts through stays as it was learned: its numbers are told apart when they are seen. Both ends of the range are wanted;
    a band's end is its own unless the next one begins there."""
    begin, end = (-inf if band.begin is None else band.begin), (inf if band.end is None else band.end)
    if lowest <= begin and end <= highest:
        return _as_said(band, "wanted")
    nothing_left = lowest == end and after is not None and after.begin == end
    return _as_said(band, "unwanted") if nothing_left or min(end, highest) < max(begin, lowest) else band


def _moved(profile: Profile, traits: Sequence[Trait]) -> dict[str, tuple[float, ...]]:
    """Where the points of the profile's leads are after the correction: each quantile moves as it does among leads whose attributes are drawn
    independently with the shares that were learned. (The leads themselves are not kept.)"""
    rng = np.random.default_rng(_SEED)
    before, after = {level: np.zeros(_DRAWS) for level in profile.spread}, {level: np.zeros(_DRAWS) for level in profile.spread}
    for old, new in zip(profile.traits, traits, strict=True):
        learned, now = _drawn(old, new, rng)
        for level in {"", old.level} & set(profile.spread):
            before[level] += learned
            after[level] += now
    return {level: _shifted(points, before[level], after[level]) for level, points in profile.spread.items()}


def _drawn(old: Trait, new: Trait, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(points as learned, points as corrected) of the drawn leads, those without a value included."""
    leads = np.array([*(value.leads for value in old.values), old.missing], np.float64)
    which = rng.choice(leads.size, _DRAWS, p=leads / leads.sum()) if leads.sum() else np.zeros(_DRAWS, np.int64)
    learned = np.array([*(value.points for value in old.values), 0.0])
    now = np.zeros_like(learned) if new.ignored else np.array([*(_mean_points(new, value) for value in new.values[: len(old.values)]), 0.0])
    return learned[which], now[which]


def _mean_points(trait: Trait, value: Value) -> float:
    """Of a band that the range cuts through, half of its leads are taken to be inside."""
    if trait.between is None or value.said != "learned":
        return value.points
    return (said_points("wanted", value) + said_points("unwanted", value)) / 2


def _shifted(points: Sequence[float], before: NDArray[np.float64], after: NDArray[np.float64]) -> tuple[float, ...]:
    places = (np.arange(len(points)) + 0.5) / max(len(points), 1)
    moved = np.asarray(points) + (np.quantile(after, places) - np.quantile(before, places))
    return tuple(np.sort(moved).tolist())
