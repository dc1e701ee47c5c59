"""The ideal customer profile as people read it: who becomes a customer, attribute by attribute, and what the team made of that."""

from collections.abc import Iterator, Mapping
from typing import Any

from data.funnel import Correction
from features.attributes import OTHER
from registry.bundle import Bundle
from registry.corrections import profile_of
from registry.profile import Profile, Trait, Unused, Value
from serving.sentences import NAMES
from serving.words import ENGLISH, Words, msgid

Attribute = dict[str, Any]

_TOO_OLD = msgid("This model was trained before profiles were learned. Retrain to get one.")
_TOO_LITTLE = msgid("Not enough evidence yet: too few leads got far enough. Only what your team says in funnel.toml counts.")

_NAMED: Mapping[str, str] = {
    "assistant": msgid("Assistant"), "specialist": msgid("Specialist"), "senior": msgid("Senior specialist"), "manager": msgid("Manager"),
    "director": msgid("Director"), "vice president": msgid("Vice president"), "chief": msgid("Chief or owner"),
    "executive": msgid("Executive management"), "sales": msgid("Sales"), "marketing": msgid("Marketing"), "it": msgid("IT"),
    "engineering": msgid("Engineering"), "operations": msgid("Operations"), "finance": msgid("Finance"), "hr": msgid("Human resources"),
    "purchasing": msgid("Purchasing"), "legal": msgid("Legal"), "research": msgid("Research"), "support": msgid("Customer support"),
    "education": msgid("Teaching"), "other": msgid("Another function"),
}  # fmt: skip
_OTHERS = msgid("Other values")


def icp_report(bundle: Bundle, corrections: Mapping[str, Correction], version: str, words: Words = ENGLISH) -> dict[str, Any]:
    """The body of `GET /v1/icp`: the profile that the bundle learned, as `corrections` (`funnel.icp`) change it.

    `ideal` and `avoid` are the values whose interval lies above or below an average lead, and those that the team wants or does not want, the
    strongest first; `attributes` holds everything, those first that say most. `notes` and `unused_corrections` are sentences, told in `words`.
    """
    profile = profile_of(bundle.about, corrections)
    told = {
        "version": version,
        "trained_at": bundle.about.get("trained_at"),
        "left_out": [dict(one) for one in bundle.about.get("left_out", ())],
    }
    if profile is None:
        empty = {"target": None, "days": None, "leads": 0, "reached": 0, "rate": None, "auc": None}
        return told | empty | {"ideal": [], "avoid": [], "attributes": [], "unused_corrections": [], "notes": [words.text(_TOO_OLD)]}
    return told | {
        "target": profile.target,
        "days": profile.days,
        "leads": profile.leads,
        "reached": profile.reached,
        "rate": _rate(profile.reached, profile.leads) if profile.target else None,
        "auc": profile.auc,
        "ideal": sorted(_standing_out(profile, above=True), key=lambda one: -one["points"]),
        "avoid": sorted(_standing_out(profile, above=False), key=lambda one: one["points"]),
        "attributes": [_attribute(trait) for trait in profile.traits],
        "unused_corrections": [_unused(words, one) for one in profile.unused],
        "notes": [] if profile.target else [words.text(_TOO_LITTLE)],
    }


def _standing_out(profile: Profile, above: bool) -> Iterator[dict[str, Any]]:
    wanted = "wanted" if above else "unwanted"
    for trait in profile.traits:
        for value in trait.values if not trait.ignored else ():
            learned = value.said == "learned" and value.points != 0 and (value.low > 1 if above else value.high < 1)
            if (learned and value.name != OTHER) or value.said == wanted:
                yield {"attribute": trait.name, "label": trait.label, "kind": trait.kind, "level": trait.level} | _value(value)


def _attribute(trait: Trait) -> Attribute:
    return {
        "name": trait.name,
        "column": trait.column,
        "kind": trait.kind,
        "level": trait.level,
        "label": trait.label,
        "weight": trait.weight,
        "ignored": trait.ignored,
        "undated": trait.undated,
        "caution": trait.caution,
        "between": None if trait.between is None else list(trait.between),
        "missing": {"leads": trait.missing, "reached": trait.missing_reached, "rate": _rate(trait.missing_reached, trait.missing)},
        "values": [_value(value) for value in trait.values],
    }


def _value(value: Value) -> dict[str, Any]:
    counted = {"leads": value.leads, "reached": value.reached, "rate": _rate(value.reached, value.leads)}
    lift = {"lift": value.lift, "low": value.low, "high": value.high} if value.leads else {"lift": None, "low": None, "high": None}
    return {"value": value.name, "begin": value.begin, "end": value.end, **counted, **lift, "points": value.points, "said": value.said}


def _unused(words: Words, one: Unused) -> str:
    if one.why == "unknown":
        return words.text(_MEANT if one.close is not None else _UNKNOWN, name=one.name, close=one.close)
    if one.why == "misspelt":
        return words.text(_MISSPELT, name=one.name, value=one.value, close=one.close)
    if one.why == "rare":
        return words.text(_RARE, name=one.name, value=one.close)
    return words.text(_NUMBER if one.why == "a number" else _NO_NUMBER, name=one.name, label=one.close)


_MEANT = msgid("icp.{name}: the profile has no such attribute. Did you mean {close}?")
_UNKNOWN = msgid("icp.{name}: the profile has no such attribute, or several. Use a name that the profile lists.")
_NUMBER = msgid("icp.{name}: {label} is a number and has no wanted or unwanted values. Say between = [lowest, highest].")
_NO_NUMBER = msgid("icp.{name}: {label} is no number and has no range. Say wanted = [...] or unwanted = [...].")
_MISSPELT = msgid("icp.{name}: no lead has {value}, so it is not used. Did you mean {close}?")
_RARE = msgid("icp.{name}: too few leads have {value}. It counts in a lead's fit, but not yet in what to do next.")


def _rate(reached: int, leads: int) -> float | None:
    return round(reached / leads, 6) if leads else None


def named(words: Words, attribute: Mapping[str, Any]) -> str:
    """What an attribute of the report is called in a language: what a team called its own field is told as it called it, one of accounts as such."""
    label, kind = str(attribute["label"]).removesuffix(f": {attribute['kind']}"), attribute["kind"]
    own = label.removeprefix(_ACCOUNT) if attribute["level"] == "organization" else label
    field = label if own == label or not own else own[:1].upper() + own[1:]
    told = words.text(field) if field in NAMES else field
    told = told if field == label else words.text(_OF_ACCOUNT, field=told)
    return words.text(_OF_TITLE[kind], label=told) if kind in _OF_TITLE else told


_ACCOUNT = "Account "
_OF_ACCOUNT = msgid("Account: {field}")
_OF_TITLE: Mapping[str, str] = {"seniority": msgid("{label}: seniority"), "function": msgid("{label}: function")}


def valued(words: Words, kind: str, value: Mapping[str, Any]) -> str:
    """What a value of the report is called in a language: a number's band in its local form, a seniority or function by its name."""
    name = str(value["value"])
    if kind in ("seniority", "function"):
        return words.text(_NAMED[name]) if name in _NAMED else name
    if kind != "number":
        return words.text(_OTHERS) if name == OTHER else name
    return _band(words, name, value["begin"], value["end"])


def _band(words: Words, name: str, begin: float | None, end: float | None) -> str:
    if begin is not None and end is not None:
        return words.number(begin) if begin == end else f"{words.number(begin)}\u2013{words.number(end)}"
    if begin is not None and name.endswith("+"):
        return words.text(msgid("{begin} or more"), begin=begin)
    if end is not None and name.startswith("<"):
        return words.text(msgid("up to {end}"), end=end)
    return name
