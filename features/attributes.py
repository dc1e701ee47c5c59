"""Firmographics as numbers: what each declared attribute becomes in the model's row, the same function for one value and for a million."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property, lru_cache, partial
from math import nan

import numpy as np

from data.contract import is_placeholder
from features.contact import email_told, phone_told
from features.numbers import number
from features.titles import FUNCTIONS, parse_title

MISSING = "(missing)"
OTHER = "(other)"
Values = tuple[str | None, ...]
Told = tuple[str, str, str, str]
_PERSONAL = ("email", "phone")
_KEPT = 16_384
"""Values of one attribute whose encoding is remembered."""


@dataclass(frozen=True)
class Attribute:
    """One declared attribute. `inputs` are the columns it reads ("lead.industry"); `levels` the categories that have a column of their own,
    all others share OTHER. A value never seen in training is OTHER, an absent one MISSING: both are information."""

    name: str
    kind: str  # number, category, title, email, phone
    inputs: tuple[str, ...]
    level: str
    label: str
    levels: tuple[str, ...] = field(default=())

    def document(self) -> dict[str, object]:
        return asdict(self)

    @property
    def columns(self) -> tuple[Told, ...]:
        """(name, unit, sentence template, sentence where there is no value) of each column."""
        return _COLUMNS[self.kind](self)

    def encode(self, values: Values) -> tuple[float, ...]:
        """Values of `inputs`, canonical text or None -> one number per column; nan where nothing can be told. Remembered, but for what a person
        could be reached by: that would outlive an erasure."""
        return _encoded(self, values) if self.kind in _PERSONAL else _remembered(self, values)

    @cached_property
    def written(self) -> Callable[[Values], bytes]:
        """`encode` as float32, remembered likewise; of what a person could be reached by, only what was found of it."""
        return _personal_writer(self.kind) if self.kind in _PERSONAL else lru_cache(maxsize=_KEPT)(partial(_as_bytes, self))


@lru_cache(maxsize=65_536)
def _remembered(attribute: Attribute, values: Values) -> tuple[float, ...]:
    return _encoded(attribute, values)


def _encoded(attribute: Attribute, values: Values) -> tuple[float, ...]:
    return _ENCODERS[attribute.kind](attribute, _given(values))


def _given(values: Values) -> Values:
    """A placeholder (`Select`, `unknown`) is an absent value: here, so that a request means by it what a file does."""
    return tuple([None if v is None or is_placeholder(v) else v for v in values])


def _as_bytes(attribute: Attribute, values: Values) -> bytes:
    return _singles(_encoded(attribute, values))


def _singles(numbers: Sequence[float]) -> bytes:
    return np.array(numbers, np.float64).astype(np.float32).tobytes()


def _personal_writer(kind: str) -> Callable[[Values], bytes]:
    read, kinds = (email_told, _EMAIL_KINDS) if kind == "email" else (phone_told, _PHONE_KINDS)
    told = lru_cache(maxsize=64)(lambda found: _singles(_contact_row(kinds, *found)))
    return lambda values: told(read(*_given(values)))


def _one_hot(value: str | None, levels: Sequence[str]) -> tuple[float, ...]:
    chosen = MISSING if value is None else value if value in levels else OTHER
    return tuple(1.0 if chosen == level else 0.0 for level in (*levels, OTHER, MISSING))


def _one_hot_columns(attribute: Attribute, levels: Sequence[str]) -> tuple[Told, ...]:
    said = [(level, f"{attribute.label} is {level}") for level in levels]
    said += [(OTHER, f"{attribute.label} is unusual"), (MISSING, f"{attribute.label} is not known")]
    return tuple((f"{attribute.name}={level}", "0/1", text, _unknown(attribute)) for level, text in said)


def _number_columns(a: Attribute) -> tuple[Told, ...]:
    return ((a.name, "number", f"{a.label} is {{value}}", _unknown(a)),)


def _category_columns(a: Attribute) -> tuple[Told, ...]:
    return _one_hot_columns(a, a.levels)


def _title_columns(a: Attribute) -> tuple[Told, ...]:
    unclear = "The role's seniority can't be told"
    seniority = (f"{a.name}.seniority", "0-6", "Seniority of the role: {value} of 6", unclear)
    named = [(f"{a.name}.function={f}", "0/1", f"Works in {f}", "The role's function can't be told") for f in FUNCTIONS]
    return (seniority, *named, (f"{a.name}={MISSING}", "0/1", _unknown(a), f"{a.label} is known"))


_EMAIL_KINDS = ("business", "free", "disposable", "invalid")
_PHONE_KINDS = ("valid", "invalid")


def _email_columns(a: Attribute) -> tuple[Told, ...]:
    told = [(f"{a.name}={k}", "0/1", f"E-mail address is {k}") for k in _EMAIL_KINDS]
    told.append((f"{a.name}={MISSING}", "0/1", "No e-mail address is known"))
    matches = "E-mail address belongs to the account's domain: {value}"
    return (*((*t, _unknown(a)) for t in told), (f"{a.name}_matches_account", "yes/no", matches, "Whose domain the e-mail address is can't be told"))


def _phone_columns(a: Attribute) -> tuple[Told, ...]:
    told = [(f"{a.name}={k}", "0/1", f"Phone number is {k}") for k in _PHONE_KINDS]
    told.append((f"{a.name}={MISSING}", "0/1", "No phone number is known"))
    matches = "Phone number is from the lead's country: {value}"
    return (
        *((*t, _unknown(a)) for t in told),
        (f"{a.name}_matches_country", "yes/no", matches, "Which country the phone number is from can't be told"),
    )


def _unknown(a: Attribute) -> str:
    return f"{a.label} is not known"


def _encode_number(_: Attribute, values: Values) -> tuple[float, ...]:
    return (nan if values[0] is None else number(values[0]),)


def _encode_category(a: Attribute, values: Values) -> tuple[float, ...]:
    return _one_hot(values[0], a.levels)


def _encode_title(_: Attribute, values: Values) -> tuple[float, ...]:
    title = parse_title(values[0])
    seniority = nan if title.seniority is None else float(title.seniority)
    return (seniority, *(1.0 if title.function == f else 0.0 for f in FUNCTIONS), 1.0 if values[0] is None else 0.0)


def _flag(answer: bool | None) -> float:
    return nan if answer is None else float(answer)


def _encode_email(_: Attribute, values: Values) -> tuple[float, ...]:
    return _contact_row(_EMAIL_KINDS, *email_told(*values))


def _encode_phone(_: Attribute, values: Values) -> tuple[float, ...]:
    return _contact_row(_PHONE_KINDS, *phone_told(*values))


def _contact_row(kinds: Sequence[str], kind: str, matches: bool | None) -> tuple[float, ...]:
    return (*(1.0 if kind == k else 0.0 for k in (*kinds, "missing")), _flag(matches))


_COLUMNS: Mapping[str, Callable[[Attribute], tuple[Told, ...]]] = {
    "number": _number_columns,
    "category": _category_columns,
    "title": _title_columns,
    "email": _email_columns,
    "phone": _phone_columns,
}
_ENCODERS: Mapping[str, Callable[[Attribute, Values], tuple[float, ...]]] = {
    "number": _encode_number,
    "category": _encode_category,
    "title": _encode_title,
    "email": _encode_email,
    "phone": _encode_phone,
}
