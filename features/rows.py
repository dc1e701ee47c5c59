"""From histories and attributes to the model's row, for one lead and for many: the same sweep, the same encoders."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from features import timeline as timelines
from features.attributes import Attribute, Values
from features.colleagues import Colleagues, tell
from features.schema import Schema
from features.timeline import Ints, Past, Timeline

Rows = NDArray[np.float32]


@dataclass(frozen=True)
class Dated:
    """The history of one attribute column: `start` (n + 1,) delimits the leads in `time` (sorted within each) and `values`."""

    start: Ints
    time: Ints
    values: Sequence[str | None]


@dataclass(frozen=True)
class Known:
    """Attribute columns of n leads: `codes[column]` (n,) indexes `values[column]`. A column with a history of changes is in `dated` as well:
    there a lead's value is its latest change at or before as_of, and unknown before the first."""

    codes: Mapping[str, Ints]
    values: Mapping[str, Sequence[str | None]]
    dated: Mapping[str, Dated] = field(default_factory=dict)

    def at(self, column: str, lead: Ints, as_of: Ints) -> tuple[Ints, Sequence[str | None]]:
        """(codes (m,), values) of one column for a spine."""
        if column not in self.codes:
            return np.zeros(lead.size, np.int64), (None,)
        codes, values = self.codes[column][lead], self.values[column]
        history = self.dated.get(column)
        if history is None:
            return codes, values
        row = timelines.latest(history.start, history.time, lead, as_of)
        changed = history.start[lead + 1] > history.start[lead]
        offset = len(values)
        codes = np.where(changed, np.where(row >= 0, row + offset + 1, offset), codes)
        return codes, (*values, None, *history.values)

    def encode(self, attributes: Sequence[Attribute], lead: Ints, as_of: Ints, out: Rows) -> None:
        """Writes the attributes of a spine (m,) into out (m, their columns)."""
        column = 0
        for attribute in attributes:
            width = len(attribute.columns)
            out[:, column : column + width] = _encoded(attribute, self, lead, as_of)
            column += width


@dataclass(frozen=True)
class Cohort:
    """Many leads: ids (n,) sorted, their timeline, what is known of them, and, where the schema asks for it, what happened at their accounts."""

    lead_ids: Sequence[str]
    timeline: Timeline
    known: Known
    colleagues: Colleagues | None = None


def compute(schema: Schema, cohort: Cohort, lead: Ints, as_of: Ints) -> Rows:
    """The model's rows for a spine: (m,) lead index, (m,) micros -> float32 (m, columns), in the spine's order; nan where nothing is known. Raises
    ValueError for a cohort without colleagues where the schema has features of them."""
    return _into(_empty(schema, lead.size), schema, cohort, lead, as_of, _of_colleagues(schema, cohort, lead, as_of))


def compute_in_blocks(schema: Schema, cohort: Cohort, lead: Ints, as_of: Ints, rows: int) -> Iterator[Rows]:
    """What `compute` gives, in order, so many rows at a time, all in the same memory: what is kept of a block must be copied before the next is
    asked for. Only the columns of colleagues are computed at once: leads of different blocks share an account's events, which are read once."""
    colleagues, held = _of_colleagues(schema, cohort, lead, as_of), _empty(schema, min(rows, lead.size))
    for begin in range(0, lead.size, rows):
        part = slice(begin, min(begin + rows, lead.size))
        block = held[: part.stop - begin]
        yield _into(block, schema, cohort, lead[part], as_of[part], None if colleagues is None else colleagues[part])


def _of_colleagues(schema: Schema, cohort: Cohort, lead: Ints, as_of: Ints) -> Rows | None:
    if not schema.colleagues:
        return None
    if cohort.colleagues is None:
        raise ValueError("this schema has features of colleagues, and the cohort was made without them; make it by cohort_of with this schema.")
    return cohort.colleagues.compute(lead, as_of)


def _empty(schema: Schema, rows: int) -> Rows:
    return np.empty((rows, len(schema.columns)), np.float32)


def _into(out: Rows, schema: Schema, cohort: Cohort, lead: Ints, as_of: Ints, colleagues: Rows | None) -> Rows:
    order = timelines.in_order(lead, as_of)
    if order is None:
        timelines.run(schema.program, cohort.timeline, lead, as_of, out)
    else:
        swept = np.empty((lead.size, schema.swept), np.float32)
        timelines.run(schema.program, cohort.timeline, lead[order], as_of[order], swept)
        out[order, : schema.swept] = swept
    if colleagues is not None:
        out[:, schema.swept : len(schema.features)] = colleagues
    cohort.known.encode(schema.attributes, lead, as_of, out[:, len(schema.features) :])
    return out


def compute_told(schema: Schema, leads: Sequence[Past], values: Sequence[Values]) -> tuple[list[int], Rows]:
    """What `compute` gives for leads told one by one: the code of each one's stage at its instant, -1 before its creation, and its row, float32
    (n, columns). `values` are its attributes, canonical text in the order of `schema.inputs`."""
    out = np.empty((len(leads), len(schema.columns)), np.float32)
    codes = timelines.run_told(schema.program, leads, len(schema.stages), out)
    if schema.colleagues:
        tell(leads, out[:, schema.swept : len(schema.features)])
    if schema.attributes:
        told = b"".join([write(pick(of_lead)) for of_lead in values for write, pick in schema.writers])
        out[:, len(schema.features) :] = np.frombuffer(told, np.float32).reshape(len(leads), len(schema.columns) - len(schema.features))
    return codes, out


def _encoded(attribute: Attribute, known: Known, lead: Ints, as_of: Ints) -> NDArray[np.float64]:
    """(m, width): each distinct combination of the attribute's inputs is encoded once."""
    read = [known.at(column, lead, as_of) for column in attribute.inputs]
    key = np.zeros(lead.size, np.int64)
    for codes, values in read:
        key = key * len(values) + codes
    distinct, inverse = (key, np.zeros(1, np.int64)) if key.size == 1 else np.unique(key, return_inverse=True)
    table = [attribute.encode(_split(int(k), [values for _, values in read])) for k in distinct]
    return np.array(table, np.float64).reshape(len(table), len(attribute.columns))[inverse]


def _split(key: int, columns: Sequence[Sequence[str | None]]) -> Values:
    found: list[str | None] = []
    for values in reversed(columns):
        key, code = divmod(key, len(values))
        found.append(values[code])
    return tuple(reversed(found))
