"""`python -m features.page`: writes docs/features.md, the reference of every feature, from the declarations themselves."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from data.contract import MOST_COLLEAGUES
from features.attributes import Attribute
from features.declarations import EVER, IN_STAGE, MEANINGS, EventGroup, EventType, Feature, declare_colleagues, families
from features.discovery import MAX_CHANNELS, MAX_LEVELS, MAX_TYPES, MIN_EVENTS, MIN_LEVEL_COUNT, MIN_LEVEL_SHARE

PATH = Path(__file__).parent.parent / "docs" / "features.md"

_TYPE = EventType("<type>", "<Event>", "its type's", "inbound", True)
_OTHER = EventType("<other>", "<Other>", "its type's", None, False)
_GROUP = EventGroup("<group>", "<Group>", "its group's", ("<type>",))
_CHANNEL, _LEVEL = "<channel>", "<value>"
_KINDS = {
    "number": "A number, or a band such as `500-999` (its middle)",
    "category": "One of some values",
    "title": "A job title, in any of six languages",
    "email": "An e-mail address, and the account's domain",
    "phone": "A phone number, and the lead's country",
}

_ABOUT = f"""# Features

What a model knows of a lead at an instant `as_of`: one row of numbers (float32), the same for one lead in a request, for a file, and for a partition
on a cluster. This page is written by `python -m features.page` from the declarations (`features/declarations.py`, `features/attributes.py`); a test
holds it current. Each bundle lists the features that it was trained with, under the same names.

**Only what was known counts.** An event counts from when it was recorded (`recorded_at`), where that is told, else from when it occurred. A window of
n days is `(as_of - n days, as_of]`: what happened n days ago to the microsecond is out, what happened at `as_of` is in. `in_stage` is the time since
the current stage was entered, its entry included; `ever` is all that is known. Days and hours are those of UTC. Where there is nothing to tell, a
number is missing (not 0), unless it counts something. An event of a colleague counts for the account at which that person stood when it counted.

**What has features of its own** is found in the data that a bundle is trained on, and then fixed:

| what | from when on |
|---|---|
| a type of event | `funnel.toml` names it, or {MIN_EVENTS} events; at most {MAX_TYPES} types; all others count together as `other_event` |
| a group of types | `funnel.toml` names it |
| values of a type | {MIN_EVENTS} events, and 1 % of the type's, have one |
| a channel | {MIN_LEVEL_COUNT} events and {MIN_LEVEL_SHARE:.1%} of all, the {MAX_CHANNELS} most frequent; none where all events have the same |
| late records | {MIN_EVENTS} events were recorded more than a day after they occurred |
| colleagues | accounts that two leads or more stood at have {MIN_EVENTS} events together; none where more than {MOST_COLLEAGUES:,} ever stood |
| a value of a category | {MIN_LEVEL_COUNT} rows and {MIN_LEVEL_SHARE:.1%} of all, the {MAX_LEVELS} most frequent |

`funnel.toml` adds, renames, groups and excludes types of events (`[event_types]`, `[event_groups]`) and leaves out columns (`exclude`); see
`docs/funnel.toml`. A type that a model never saw in its training is not counted when it scores, and the answer says so.

The level is the qualification level at which a reason speaks: organization, opportunity, stakeholder or interest. That of a type is set in
`funnel.toml`.
"""


def page() -> str:
    """The whole page, as it must stand in docs/features.md."""
    tables = [(title, _rows(features)) for title, features in families((_TYPE, _OTHER), (_CHANNEL, "<another>"), late=True, event_groups=(_GROUP,))]
    tables.append(("Colleagues at the account", _rows(declare_colleagues())))
    tables.append(("Attributes of the lead and the account", _attributes()))
    parts = [
        f"## {title}\n\n| feature | unit | level | what | in words | where there is none |\n|---|---|---|---|---|---|\n{rows}"
        for title, rows in tables
    ]
    return "\n".join([_ABOUT, *parts])


def _rows(features: Iterable[Feature]) -> str:
    shown = (f for f in features if _OTHER.name not in f.name and "<another>" not in f.name)
    return "".join(_row(f.name, f.unit, f.level, _meaning(f), f.text, f.absent) for f in shown)


def _meaning(f: Feature) -> str:
    if f.op == "trend":
        return MEANINGS[f.op].replace("the short window", f"{f.window} days").replace("the long one", f"{f.other} days")
    span = {EVER: "so far", IN_STAGE: "since the stage's entry"}.get(f.window, f"in {f.window} day{'s' if f.window > 1 else ''}")
    return MEANINGS[f.op].replace("in the window", span)


def _attributes() -> str:
    made = ((kind, Attribute("<field>", kind, ("lead.<field>",), "its field's", "<Field>", (_LEVEL,))) for kind in _KINDS)
    return "".join(chain.from_iterable(_columns(kind, attribute) for kind, attribute in made))


def _columns(kind: str, attribute: Attribute) -> Iterator[str]:
    for name, unit, text, absent in attribute.columns:
        yield _row(name, unit, attribute.level, _KINDS[kind], text, absent)


def _row(name: str, *cells: str) -> str:
    return f"| `{name}` | {' | '.join(cell.replace('<', '&lt;').replace('|', '/') for cell in cells)} |\n"


if __name__ == "__main__":
    PATH.write_text(page(), encoding="utf-8")
