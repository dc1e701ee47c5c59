"""Rules between tables: other ids of a lead, orphans, stage names, outcomes, order of times, and what becomes impossible."""

from typing import Any

import pyarrow as pa

from data.arrow import Column, array, as_mask, pc
from data.columns import is_number
from data.contract import TABLES
from data.documents import nearest
from data.funnel import Funnel
from data.tallies import Tally, examples
from data.validation import Inspection

_BELONGS_TO_A_LEAD = ("events", "stages", "deals")
_NEEDED = ("events", "stages")


def check_together(tables: dict[str, pa.Table], broken: set[str], funnel: Funnel, inspection: Inspection) -> None:
    """Checks and settles, in `tables` itself, whatever needs two tables or the funnel; skips what rests on broken tables."""
    if not broken & {"leads", "aliases"}:
        _resolve_aliases(tables, inspection)
        for name in _BELONGS_TO_A_LEAD:
            tables[name] = _without_orphans(tables, name, inspection)
    tables["stages"] = _with_our_stages(tables["stages"], funnel, inspection)
    tables["deals"] = _with_outcomes(tables["deals"], funnel, inspection)
    tables["changes"] = _known_objects(tables["changes"], inspection)
    if not broken & {"accounts", "leads"}:
        _count_unknown_accounts(tables, inspection)
    _warn_recorded_early(tables["events"], inspection)
    for name in ("leads", "accounts"):
        _count_type_drift(name, tables[name], inspection)
    for name in _NEEDED:
        if name not in broken:
            inspection.tally(Tally("no_" + name, name, None, 0, of=tables[name].num_rows))


def warn_once(inspection: Inspection) -> None:
    """The warnings that are said once for the whole dataset: times without a zone, encodings."""
    if inspection.naive:
        naive = [column for name, table in TABLES.items() for time in table.times if (column := f"{name}.{time}") in inspection.naive]
        columns = ", ".join(f"{column} ({inspection.naive[column]:,})" for column in naive)
        table, _, column = naive[0].partition(".")
        message = f"times should say their zone; these have none and count as UTC: {columns}"
        fix = "Export with a zone (Z or +01:00) if they are local times."
        inspection.warn("naive_time", table, column, message, fix, count=sum(inspection.naive.values()))
    foreign = {name: code for name, code in inspection.encodings.items() if "1252" in code}
    if foreign:
        shown = ", ".join(f"{name} ({code})" for name, code in foreign.items())
        message = f"text should be UTF-8; read as Windows-1252 (Latin-1): {shown}"
        fix = "Check a name with an accent in it, or export as UTF-8."
        inspection.warn("not_utf8", next(iter(foreign)).split(".")[0], None, message, fix, count=len(foreign))
    kinds = {code.removesuffix("-BOM") for code in inspection.encodings.values() if code != "Parquet"}
    if len(kinds) > 1:
        shown = ", ".join(f"{name} ({code})" for name, code in inspection.encodings.items())
        message = f"the files should share one encoding; found {shown}"
        inspection.warn("mixed_encodings", "", None, message, "Export all of them as UTF-8.", count=len(kinds))


def _resolve_aliases(tables: dict[str, pa.Table], inspection: Inspection) -> None:
    aliases = tables["aliases"]
    leads = tables["leads"]["lead_id"]
    useful = aliases.filter(pc.invert(pc.is_in(aliases["external_id"], value_set=_values(leads))))
    pairs = useful.group_by("external_id").aggregate([("lead_id", "min"), ("lead_id", "count_distinct")])
    torn = pairs.filter(pc.greater(pairs["lead_id_count_distinct"], 1))
    if torn.num_rows:
        shown = examples(torn["external_id"].slice(0, 20).to_pylist())
        inspection.tally(Tally("ambiguous_alias", "aliases", "external_id", torn.num_rows, examples=shown))
        pairs = pairs.filter(pc.equal(pairs["lead_id_count_distinct"], 1))
    if not pairs.num_rows:
        return
    for name in _BELONGS_TO_A_LEAD:
        ids = tables[name]["lead_id"]
        found = pc.index_in(ids, value_set=_values(pairs["external_id"]))
        resolved = pc.coalesce(pairs["lead_id_min"].take(found), ids)
        tables[name] = _with(tables[name], "lead_id", resolved)


def _without_orphans(tables: dict[str, pa.Table], name: str, inspection: Inspection) -> pa.Table:
    table = tables[name]
    known = pc.is_in(table["lead_id"], value_set=_values(tables["leads"]["lead_id"]))
    orphans = ~as_mask(known)
    shown = examples(table["lead_id"].filter(array(orphans)).slice(0, 200).to_pylist()) if orphans.any() else ()
    inspection.tally(Tally("orphan", name, "lead_id", int(orphans.sum()), len(orphans), shown))
    return inspection.reject(name, table, orphans, "no such lead")


def _with_our_stages(table: pa.Table, funnel: Funnel, inspection: Inspection) -> pa.Table:
    listed: Any = table["stage"].value_counts()
    counts: dict[str | None, int] = {pair["values"]: pair["counts"] for pair in listed.to_pylist()}
    words = funnel.words()
    ours = {name: funnel.stage_of(name) for name in counts if name is not None}
    unknown = sorted((name for name, stage in ours.items() if stage is None), key=lambda name: -counts[name])
    if unknown:
        total, meant = sum(counts[name] for name in unknown), [nearest(name, words) for name in unknown]
        names = {name: (counts[name], close and words[close]) for name, close in zip(unknown, meant, strict=True)}
        inspection.tally(Tally("unknown_stage", "stages", "stage", total, examples=tuple(unknown[:5]), names=names))
    return _with(table, "stage", _replaced(table["stage"], ours))


def _with_outcomes(table: pa.Table, funnel: Funnel, inspection: Inspection) -> pa.Table:
    meant = {"customer": "won", "lost": "lost", "disqualified": "lost"}
    names = [name for name in table["outcome"].unique().to_pylist() if name is not None]
    stages = {name: funnel.stage_of(name) for name in names}
    unknown = [name for name, stage in stages.items() if stage is None]
    if unknown:
        rows = as_mask(pc.is_in(table["outcome"], value_set=array(unknown)))
        shown = examples(table["deal_id"].filter(array(rows)).slice(0, 50).to_pylist())
        said: dict[str, tuple[int, str | None]] = dict.fromkeys(unknown, (1, None))
        inspection.tally(Tally("unknown_outcome", "deals", "outcome", int(rows.sum()), examples=shown, names=said))
    ours = {name: meant.get(stage or "") for name, stage in stages.items()}
    return _with(table, "outcome", _replaced(table["outcome"], ours))


def _known_objects(table: pa.Table, inspection: Inspection) -> pa.Table:
    kinds = pc.ascii_lower(table["object"])
    other = ~as_mask(pc.is_in(kinds, value_set=array(["lead", "account"])))
    if other.any():
        shown = examples(table["object"].filter(array(other)).slice(0, 200).to_pylist())
        inspection.tally(Tally("unknown_object", "changes", "object", int(other.sum()), examples=shown))
    return inspection.reject("changes", _with(table, "object", kinds), other, "object is neither lead nor account")


def _count_unknown_accounts(tables: dict[str, pa.Table], inspection: Inspection) -> None:
    leads = tables["leads"]
    known = pc.is_in(leads["account_id"], value_set=_values(tables["accounts"]["account_id"]))
    unknown = as_mask(leads["account_id"].is_valid()) & ~as_mask(known)
    shown = examples(leads["lead_id"].filter(array(unknown)).slice(0, 50).to_pylist()) if unknown.any() else ()
    inspection.tally(Tally("unknown_account", "leads", "account_id", int(unknown.sum()), tables["accounts"].num_rows, shown))


def _warn_recorded_early(events: pa.Table, inspection: Inspection) -> None:
    early = as_mask(pc.less(events["recorded_at"], events["occurred_at"]))
    if early.any():
        shown = examples(events["lead_id"].filter(array(early)).slice(0, 200).to_pylist())
        inspection.tally(Tally("recorded_early", "events", "recorded_at", int(early.sum()), examples=shown))


def _count_type_drift(name: str, table: pa.Table, inspection: Inspection) -> None:
    for column in table.column_names:
        if not pa.types.is_string(table[column].type) or column in TABLES[name].ids:
            continue
        values = table[column].drop_null()
        numeric = as_mask(is_number(values))
        shown = examples(values.filter(array(~numeric)).slice(0, 50).to_pylist())
        inspection.tally(Tally("type_drift", name, column, len(numeric) - int(numeric.sum()), len(numeric), shown))


def _replaced(column: Column, ours: dict[str, str | None]) -> Any:
    """Each name by what it stands for, null for what stands for nothing."""
    names = array(list(ours), pa.string())
    return array(list(ours.values()), pa.string()).take(pc.index_in(column, value_set=names).combine_chunks())


def _values(column: Column) -> Any:
    return column.combine_chunks()


def _with(table: pa.Table, column: str, values: Any) -> pa.Table:
    return table.set_column(table.column_names.index(column), column, values)
