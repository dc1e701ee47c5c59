"""Rules between tables: other ids of a lead, orphans, stage names, outcomes, order of times, and what becomes impossible."""

from typing import Any

import pyarrow as pa

from data.arrow import Column, array, as_mask, pc
from data.columns import is_number
from data.contract import EXITS, STAGES, TABLES
from data.documents import nearest
from data.funnel import Funnel
from data.validation import Inspection, examples

_DRIFT_SHARE = 0.99
_DRIFT_ROWS = 100
_BELONGS_TO_A_LEAD = ("events", "stages", "deals")
_IMPOSSIBLE = {
    "events": "engagement can't be used: scores rest on attributes and time alone",
    "stages": "nothing can be trained: it is not known who became a prospect, and when",
}


def check_together(tables: dict[str, pa.Table], broken: set[str], funnel: Funnel, inspection: Inspection) -> None:
    """Checks and settles, in `tables` itself, whatever needs two tables or the funnel; skips what rests on broken tables."""
    if not broken & {"leads", "aliases"}:
        _resolve_aliases(tables, inspection)
        for name in _BELONGS_TO_A_LEAD:
            tables[name] = _without_orphans(tables, name, inspection)
    tables["stages"] = _with_our_stages(tables["stages"], funnel, inspection)
    tables["deals"] = _with_outcomes(tables["deals"], funnel, inspection)
    tables["changes"] = _known_objects(tables["changes"], inspection)
    if tables["accounts"].num_rows and not broken & {"accounts", "leads"}:
        _warn_unknown_accounts(tables, inspection)
    _warn_recorded_early(tables["events"], inspection)
    for name in ("leads", "accounts"):
        _warn_type_drift(name, tables[name], inspection)
    for name, consequence in _IMPOSSIBLE.items():
        if name not in broken and not tables[name].num_rows:
            message = f"there are no {name}, so {consequence}"
            inspection.warn("no_" + name, name, None, message, f"Add {name}.csv to the folder.")


def warn_once(inspection: Inspection) -> None:
    """The warnings that are said once for the whole dataset: times without a zone, encodings."""
    if inspection.naive:
        columns = ", ".join(f"{column} ({rows:,})" for column, rows in inspection.naive.items())
        table, _, column = next(iter(inspection.naive)).partition(".")
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
        message = f"an alias must belong to one lead; {torn.num_rows:,} belong to several"
        fix = "They are not used; merge the leads or remove the wrong rows."
        inspection.warn("ambiguous_alias", "aliases", "external_id", message, fix, count=torn.num_rows, examples=shown)
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
    if not orphans.any():
        return table
    shown = examples(table["lead_id"].filter(array(orphans)).slice(0, 200).to_pylist())
    message = f"{name}.lead_id must be in leads; {orphans.sum():,} of {len(orphans):,} rows are of leads that are not"
    fix = "These rows are left out; export the same leads, or say in aliases which lead they belong to."
    inspection.warn("orphan", name, "lead_id", message, fix, count=orphans.sum(), examples=shown)
    return inspection.reject(name, table, orphans, "no such lead")


def _with_our_stages(table: pa.Table, funnel: Funnel, inspection: Inspection) -> pa.Table:
    listed: Any = table["stage"].value_counts()
    counts: dict[str | None, int] = {pair["values"]: pair["counts"] for pair in listed.to_pylist()}
    words = funnel.words()
    ours = {name: funnel.stage_of(name) for name in counts if name is not None}
    unknown = sorted((name for name, stage in ours.items() if stage is None), key=lambda name: -counts[name])
    if unknown:
        shown = ", ".join(f"{name!r} ({counts[name]:,} rows)" for name in unknown[:10])
        message = f"stages.stage must be one of {', '.join(STAGES + EXITS)} or a name that stands for one; unknown: {shown}"
        total = sum(counts[name] for name in unknown)
        fix = _stage_fix(unknown[:10], words)
        inspection.error("unknown_stage", "stages", "stage", message, fix, count=total, examples=unknown[:5])
    return _with(table, "stage", _replaced(table["stage"], ours))


def _stage_fix(unknown: list[str], words: dict[str, str]) -> str:
    guesses = {name: words[close] for name in unknown if (close := nearest(name, words))}
    groups: dict[str, list[str]] = {}
    for name in unknown:
        groups.setdefault(guesses.get(name, "lead"), []).append(name)
    sections = {stage: "exits" if stage in EXITS else "stages" for stage in groups}
    lines = [
        line
        for section in ("stages", "exits")
        if section in sections.values()
        for line in (f"[{section}]", *(f"{s} = {_toml(groups[s])}" for s in groups if sections[s] == section))
    ]
    doubt = "" if len(guesses) == len(unknown) else " (under the stage that each means; `lead` is a guess)"
    return f"Add to funnel.toml{doubt}:\n" + "\n".join(f"    {line}" for line in lines)


def _toml(names: list[str]) -> str:
    return "[" + ", ".join('"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"' for name in names) + "]"


def _with_outcomes(table: pa.Table, funnel: Funnel, inspection: Inspection) -> pa.Table:
    meant = {"customer": "won", "lost": "lost", "disqualified": "lost"}
    names = [name for name in table["outcome"].unique().to_pylist() if name is not None]
    stages = {name: funnel.stage_of(name) for name in names}
    unknown = [name for name, stage in stages.items() if stage is None]
    if unknown:
        rows = as_mask(pc.is_in(table["outcome"], value_set=array(unknown)))
        message = f"deals.outcome must be won or lost (empty while open); {rows.sum():,} rows say {', '.join(unknown[:5])}"
        shown = examples(table["deal_id"].filter(array(rows)).slice(0, 50).to_pylist())
        fix = "They count as open; add the names to `customer` or `lost` in funnel.toml."
        inspection.warn("unknown_outcome", "deals", "outcome", message, fix, count=rows.sum(), examples=shown)
    ours = {name: meant.get(stage or "") for name, stage in stages.items()}
    return _with(table, "outcome", _replaced(table["outcome"], ours))


def _known_objects(table: pa.Table, inspection: Inspection) -> pa.Table:
    kinds = pc.ascii_lower(table["object"])
    other = ~as_mask(pc.is_in(kinds, value_set=array(["lead", "account"])))
    if other.any():
        shown = examples(table["object"].filter(array(other)).slice(0, 200).to_pylist())
        message = f"changes.object must be lead or account; {other.sum():,} rows are not"
        fix = "These rows are left out."
        inspection.warn("unknown_object", "changes", "object", message, fix, count=other.sum(), examples=shown)
    return inspection.reject("changes", _with(table, "object", kinds), other, "object is neither lead nor account")


def _warn_unknown_accounts(tables: dict[str, pa.Table], inspection: Inspection) -> None:
    leads = tables["leads"]
    known = pc.is_in(leads["account_id"], value_set=_values(tables["accounts"]["account_id"]))
    unknown = as_mask(leads["account_id"].is_valid()) & ~as_mask(known)
    if unknown.any():
        shown = examples(leads["lead_id"].filter(array(unknown)).slice(0, 50).to_pylist())
        message = f"leads.account_id must be in accounts; {unknown.sum():,} leads name an account that is not"
        fix = "They count as leads without firmographics; export these accounts too."
        inspection.warn("unknown_account", "leads", "account_id", message, fix, count=unknown.sum(), examples=shown)


def _warn_recorded_early(events: pa.Table, inspection: Inspection) -> None:
    early = as_mask(pc.less(events["recorded_at"], events["occurred_at"]))
    if early.any():
        shown = examples(events["lead_id"].filter(array(early)).slice(0, 200).to_pylist())
        message = f"events.recorded_at must not be before occurred_at; {early.sum():,} rows are"
        fix = "They count from recorded_at; check the export's time zones."
        inspection.warn("recorded_early", "events", "recorded_at", message, fix, count=early.sum(), examples=shown)


def _warn_type_drift(name: str, table: pa.Table, inspection: Inspection) -> None:
    """Columns of numbers with a few texts among them: the texts are mostly typing errors or another unit."""
    for column in table.column_names:
        if not pa.types.is_string(table[column].type) or column in TABLES[name].ids:
            continue
        values = table[column].drop_null()
        numeric = as_mask(is_number(values))
        texts = len(numeric) - int(numeric.sum())
        if len(numeric) >= _DRIFT_ROWS and 0 < texts <= (1 - _DRIFT_SHARE) * len(numeric):
            shown = examples(values.filter(array(~numeric)).slice(0, 50).to_pylist())
            message = f"{name}.{column} is numbers but for {texts:,} of {len(numeric):,} values"
            fix = "Correct them, or they make a column of numbers into one of words."
            inspection.warn("type_drift", name, column, message, fix, count=texts, examples=shown)


def _replaced(column: Column, ours: dict[str, str | None]) -> Any:
    """Each name by what it stands for, null for what stands for nothing."""
    names = array(list(ours), pa.string())
    return array(list(ours.values()), pa.string()).take(pc.index_in(column, value_set=names).combine_chunks())


def _values(column: Column) -> Any:
    return column.combine_chunks()


def _with(table: pa.Table, column: str, values: Any) -> pa.Table:
    return table.set_column(table.column_names.index(column), column, values)
