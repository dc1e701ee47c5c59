"""The world as a CRM exports it: the tables of the data contract. What nobody has recorded by the end is not in them."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.sample.contacts import account_rows, drawer, employees, lead_contacts, written_as_band
from data.sample.draws import uniforms
from data.sample.parameters import CUSTOMER, DAYS, DISQUALIFIED, EVENT_TYPES, LEAD, LOST, OPPORTUNITY, PROSPECT, STAGE_NAMES, Ints
from data.sample.people import BANDS, CAMPAIGNS, COUNTRIES, SOURCES, stream
from data.sample.words import (
    BUNDLES,
    COMPETITORS,
    DEAL_STAGES,
    DISQUALIFY_REASONS,
    INTERESTS,
    LOSS_REASONS,
    OWNERS,
    WIN_REASONS,
)
from data.sample.world import World

_DAY = 86_400  # tables speak of whole seconds
_MINUTES = {"trial_use": 45.0, "webinar": 50.0, "meeting": 60.0, "outbound_call": 15.0}
_CHANNELS = {"page_view": "web", "pricing_page_view": "web", "form_submit": "web", "download": "web", "webinar": "online event",
             "meeting": "in person", "trial_use": "product", "outbound_call": "phone"}  # fmt: skip


def lead_ids(leads: int) -> pa.StringArray:
    """`L-000000`, `L-000001`, ..."""
    return pa.array([f"L-{number:06d}" for number in range(leads)], pa.string())


def instants(world: World, seconds: Ints, missing: np.ndarray[tuple[int], np.dtype[np.bool_]] | None = None) -> pa.StringArray:
    """Seconds since the world's start -> ISO-8601 text; null where missing."""
    text = np.datetime_as_string((seconds + world.start // 1_000_000).astype("datetime64[s]"), timezone="UTC")
    return pa.array(text, pa.string(), mask=missing)


def leads_table(world: World) -> pa.Table:
    """One row per lead. `onboarding_package` gives the outcome away: people fill it in once a deal is on; `crm_row` says nothing."""
    crowd, leads = world.people, len(world.people.account)
    lead = np.arange(leads)
    draw = drawer(world.seed, lead)
    source, campaign = crowd.source.tolist(), crowd.campaign.tolist()
    known = [code < len(SOURCES) for code in source]
    contacts = lead_contacts(crowd, world.seed)
    filled = _leak(world)
    return pa.table(
        {
            "lead_id": lead_ids(leads),
            "created_at": instants(world, crowd.created_day * _DAY + crowd.created_second),
            "account_id": [f"A-{number:06d}" if number >= 0 else None for number in crowd.account.tolist()],
            "owner": [OWNERS[pick] for pick in draw("owner", len(OWNERS))],
            **contacts,
            "country": [None if code == len(COUNTRIES) else COUNTRIES[code] for code in crowd.country.tolist()],
            "source": [SOURCES[code] if ok else None for code, ok in zip(source, known, strict=True)],
            "campaign": [f"{SOURCES[s]}-{CAMPAIGNS[c]}" if ok else None for s, c, ok in zip(source, campaign, known, strict=True)],
            "interest_area": [INTERESTS[pick] for pick in _interest_now(world)],
            "newsletter": ["yes" if pick else "no" for pick in draw("newsletter", 2)],
            "onboarding_package": [BUNDLES[pick] if ok else None for pick, ok in zip(draw("package", 3), filled, strict=True)],
            "crm_row": [str(pick) for pick in draw("crm row", 10**9)],
        }
    )


def accounts_table(world: World) -> pa.Table:
    """One row per account; sizes as they are known at the end."""
    rows = account_rows(world.people, world.seed)
    grown = {change[1]: change[3] for change in _growth(world)}
    rows["employees"] = [grown.get(str(key), size) for key, size in zip(rows["account_id"], rows["employees"], strict=True)]
    return pa.table({name: pa.array(column, pa.string()) for name, column in rows.items()})


def events_table(world: World) -> pa.Table:
    """One row per recorded event, by lead; `value` counts minutes; `recorded_at` is there for what was logged late."""
    past, leads = world.histories, len(world.people.account)
    lead = np.repeat(np.arange(leads), np.diff(past.event_start))
    number = np.arange(len(lead)) - past.event_start[lead]
    kind = past.kind.astype(np.int64)
    draw = uniforms(world.seed, stream("minutes"), lead * 1_000_000 + number)
    longest = np.array([_MINUTES.get(name, 0.0) for name in EVENT_TYPES])[kind]
    at = past.day.astype(np.int64) * _DAY + past.second
    late = past.delay > 0
    names = lead_ids(leads)
    frame = pa.table(
        {
            "event_id": pc.binary_join_element_wise(names.take(lead), pa.array(number).cast(pa.string()), "-e"),
            "lead_id": names.take(lead),
            "occurred_at": instants(world, at),
            "type": pa.array(EVENT_TYPES).take(kind),
            "channel": pa.array([_CHANNELS.get(name, "email") for name in EVENT_TYPES]).take(kind),
            "value": pa.array(np.ceil(draw * longest), mask=longest == 0.0),
            "recorded_at": instants(world, at + past.delay.astype(np.int64) * _DAY, ~late),
        }
    )
    return pa.concat_tables([frame, _first_forms(world)])


def stages_table(world: World) -> pa.Table:
    """Every entry into a stage, at midnight; every lead begins in `lead` when created. Half of those who skip `prospect` show both rows."""
    past, crowd = world.histories, world.people
    leads = np.arange(len(crowd.account))
    lead, before, after = changes_of(world)
    at = (past.change_day.astype(np.int64) + 1) * _DAY
    passed = (before == LEAD) & (after == OPPORTUNITY) & (lead % 2 == 0)
    lead_all = np.concatenate([leads, lead[passed], lead])
    at_all = np.concatenate([crowd.created_day * _DAY + crowd.created_second, at[passed], at])
    stage_all = np.concatenate([np.full(len(leads), LEAD), np.full(int(passed.sum()), PROSPECT), after])
    order = np.lexsort((stage_all, at_all, lead_all))
    pick = (uniforms(world.seed, stream("dq reason"), lead_all * 1000 + at_all // _DAY) * len(DISQUALIFY_REASONS)).astype(np.int64)
    reason = pa.array(np.array(DISQUALIFY_REASONS)[pick[order]], pa.string(), mask=stage_all[order] != DISQUALIFIED)
    stage = pa.array(STAGE_NAMES).take(stage_all[order])
    return pa.table(
        {"lead_id": lead_ids(len(leads)).take(lead_all[order]), "entered_at": instants(world, at_all[order]), "stage": stage, "reason": reason}
    )


def deals_table(world: World) -> pa.Table:
    """One deal for each time a lead became an opportunity, closed when it became a customer or was lost."""
    past = world.histories
    lead, _, after = changes_of(world)
    at = (past.change_day.astype(np.int64) + 1) * _DAY
    row = np.flatnonzero(after == OPPORTUNITY)
    following = np.minimum(row + 1, max(len(lead) - 1, 0))
    closed = (following > row) & (lead[following] == lead[row])
    won, lost = closed & (after[following] == CUSTOMER), closed & (after[following] == LOST)
    who = lead[row]
    draw = drawer(world.seed, who * 1000 + past.change_day[row])
    size = uniforms(world.seed, stream("amount"), who * 1000 + past.change_day[row])
    amount = np.round(60.0 * (world.people.employees[who] + 20) ** 0.7 * np.exp(size)) * 10
    reason = np.where(won, np.array(WIN_REASONS)[draw("win", len(WIN_REASONS))], np.array(LOSS_REASONS)[draw("loss", len(LOSS_REASONS))])
    against = np.array(COMPETITORS)[draw("rival", len(COMPETITORS))]
    return pa.table(
        {
            "deal_id": pa.array([f"D-{number:06d}-{day}" for number, day in zip(who.tolist(), past.change_day[row].tolist(), strict=True)]),
            "lead_id": lead_ids(len(world.people.account)).take(who),
            "opened_at": instants(world, at[row]),
            "closed_at": instants(world, at[following], ~closed),
            "outcome": pa.array(np.where(won, "won", "lost"), pa.string(), mask=~closed),
            "amount": pa.array(amount),
            "currency": pa.array(["EUR"] * len(row)),
            "reason": pa.array(reason, pa.string(), mask=~closed),
            "competitor": pa.array(against, pa.string(), mask=~(lost & (reason == "competitor"))),
            "stage": pa.array(np.array(DEAL_STAGES)[draw("deal stage", 3)], pa.string(), mask=closed),
        }
    )


def changes_table(world: World) -> pa.Table:
    """Dated values of what moves and means nothing here: interest areas, and sizes of accounts that grow within their band."""
    rows = _growth(world)
    crowd = world.people
    draw = drawer(world.seed, np.arange(len(crowd.account)))
    first, then, days = draw("interest", len(INTERESTS)), _interest_now(world), draw("interest day", DAYS)
    for lead in np.flatnonzero((np.array(first) != np.array(then)) & (crowd.created_day < DAYS)).tolist():
        created = int(crowd.created_day[lead]) * _DAY + int(crowd.created_second[lead])
        moved = created + (DAYS * _DAY - created) * (days[lead] + 1) // (DAYS + 1)
        rows.append(("lead", f"L-{lead:06d}", "interest_area", INTERESTS[first[lead]], created))
        rows.append(("lead", f"L-{lead:06d}", "interest_area", INTERESTS[then[lead]], moved))
    columns = list(zip(*rows, strict=True)) or [()] * 5
    named = dict(zip(("object", "id", "field", "value"), columns, strict=False))
    return pa.table(
        {**{name: pa.array(column, pa.string()) for name, column in named.items()}, "changed_at": instants(world, np.array(columns[4], np.int64))}
    )


def changes_of(world: World) -> tuple[Ints, Ints, Ints]:
    """The lead, the stage before and the stage after of every change, in the order of the histories."""
    past = world.histories
    lead = np.repeat(np.arange(len(world.people.account)), np.diff(past.change_start))
    after = past.change_to.astype(np.int64)
    before = np.concatenate([[LEAD], after[:-1]])[: len(after)]
    return lead, np.where(np.isin(np.arange(len(after)), past.change_start), LEAD, before), after


def _first_forms(world: World) -> pa.Table:
    """The form by which leads from our own pages and adverts came in: always there, so it tells nothing."""
    crowd = world.people
    lead = np.flatnonzero((crowd.source <= 2) & (crowd.created_day * _DAY + crowd.created_second < DAYS * _DAY))
    names = lead_ids(len(crowd.account)).take(lead)
    words = {"type": "form_submit", "channel": "web"}
    return pa.table(
        {
            "event_id": pa.array([f"L-{number:06d}-form" for number in lead.tolist()], pa.string()),
            "lead_id": names,
            "occurred_at": instants(world, (crowd.created_day * _DAY + crowd.created_second)[lead]),
            **{name: pa.array([word] * len(lead), pa.string()) for name, word in words.items()},
            "value": pa.nulls(len(lead), pa.float64()),
            "recorded_at": pa.nulls(len(lead), pa.string()),
        }
    )


def _leak(world: World) -> list[bool]:
    lead, _, after = changes_of(world)
    leads = len(world.people.account)
    reached = np.bincount(lead[(after == OPPORTUNITY) | (after == CUSTOMER)], minlength=leads) > 0
    draw = uniforms(world.seed, stream("filled"), np.arange(leads))
    filled: list[bool] = np.where(reached, draw < 0.85, draw < 0.01).tolist()
    return filled


def _interest_now(world: World) -> list[int]:
    draw = drawer(world.seed, np.arange(len(world.people.account)))
    return [now if moves == 0 else first for first, now, moves in zip(draw("interest", 5), draw("new one", 5), draw("moves", 6), strict=True)]


def _growth(world: World) -> list[tuple[str, str, str, str, int]]:
    """Object, id, field, value and second of accounts' sizes that changed, old value first."""
    crowd, rows = world.people, []
    account, one = np.unique(crowd.account, return_index=True)
    draw = drawer(world.seed, account)
    for number, lead, chance, day in zip(account.tolist(), one.tolist(), draw("grows", 5), draw("growth day", DAYS), strict=True):
        size = employees(crowd, lead) if number >= 0 else None
        if size is None or chance or written_as_band(number):
            continue
        now = min(int(size) * 6 // 5 + 1, BANDS[crowd.band[lead]][1])
        rows += [("account", f"A-{number:06d}", "employees", size, 0), ("account", f"A-{number:06d}", "employees", str(now), (day + 1) * _DAY)]
    return rows
