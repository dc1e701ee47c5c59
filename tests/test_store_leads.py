"""Merge, erasure, feedback: two become one with both histories, and what is erased is gone from every table and every byte."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from data.engine import BUSY_MILLISECONDS
from data.funnel import Funnel
from data.ingest import add_events, add_stages, put_accounts, put_deals, put_leads
from data.leads import ErasedLead, SameLead, UnknownLead, add_feedback, erase, held_on, is_erased, merge, resolve
from data.schema import (
    DELIVERIES,
    ERASED_SCORES,
    IDEMPOTENCY,
    METADATA,
    PENDING,
    QUEUE,
    SCORES,
    TOMBSTONES,
    WEBHOOKS,
)
from data.store import Store, open_store

T = 1_700_000_000_000_000
NOW = T + 86_400_000_000
PLANTED = "Wolfgang-Planted-7319"


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with open_store(store_url) as store:
        yield store


def fill(store: Store, id: str, text: str = "x") -> None:
    """A lead with something in every table."""
    put_accounts(store, [{"account_id": "X", "industry": "mining"}], NOW)
    late = ord(id[-1])
    lead = {"lead_id": id, "created_at": T + late, "account_id": "X", "name": text, "aliases": [{"object": "contact", "external_id": f"c-{id}"}]}
    put_leads(store, [lead], NOW)
    put_leads(store, [{"lead_id": id, "name": f"{text}!", "changed_at": NOW - late}], NOW)
    row = {"lead_id": id, "occurred_at": T, "type": "call"}
    add_events(store, [row | {"detail": text}, row | {"event_id": f"e-{id}", "note": text}], NOW)
    add_stages(store, [{"lead_id": id, "entered_at": T + 1, "stage": "prospect", "reason": text}], NOW, funnel=Funnel())
    put_deals(store, [{"lead_id": id, "deal_id": "D", "opened_at": T, "competitor": text}], NOW)
    add_feedback(store, f"c-{id}", NOW, useful=True, reason=text)
    store.write(lambda connection: answer(connection, id, text))


def answer(connection: sa.Connection, id: str, text: str) -> None:
    """What scoring leaves: ledger rows under the id and an alias, a place in the queue, a delivery, a kept answer."""
    for number, name in enumerate((id, f"c-{id}")):
        score = {"score_id": f"s-{number}-{id[-1]}", "lead_id": name, "at": NOW, "as_of": NOW, "stage": "lead", "version": "1", "source": "store"}
        connection.execute(SCORES.insert().values(**score, features=b""))
    queue = dict.fromkeys(("probability", "low", "high", "score", "by_likelihood", "by_value"), 0.5)
    times = {"as_of": NOW, "scored_at": NOW, "since": 1}
    words = {"lead_id": id, "stage": "lead", "action": "hold", "score_id": f"s-0-{id[-1]}", "version": "1", "answer": text}
    connection.execute(QUEUE.insert().values(**queue, **times, **words))
    if connection.scalar(sa.select(WEBHOOKS.c.id)) is None:
        connection.execute(WEBHOOKS.insert().values(id="w", url="https://crm", secret="s", types="", created_at=NOW))
    delivery = {"id": f"d-{id}", "webhook_id": "w", "type": "score.changed", "lead_id": id, "body": text, "created_at": NOW}
    connection.execute(DELIVERIES.insert().values(**delivery, state="pending", attempts=0))
    content = json.dumps({"results": [{"id": id, "text": text}]}).encode()
    connection.execute(IDEMPOTENCY.insert().values(key=f"k-{id}", body_hash="h", at=NOW, status=200, content=content))


def tables_with(store: Store, text: str) -> set[str]:
    """The tables that hold the text anywhere."""
    found = set()
    with store.engine.connect() as connection:
        for table in METADATA.tables.values():
            for row in connection.execute(sa.select(table)):
                values = [bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else str(value) for value in row]
                found |= {table.name} if any(text in value for value in values) else set()
    return found


def test_an_erased_lead_is_in_no_table(store: Store) -> None:
    fill(store, PLANTED, PLANTED)
    fill(store, "B", "other")
    before = everything(store)
    counts = erase(store, f"c-{PLANTED}", NOW)
    assert counts == {
        "leads": 1, "events": 2, "stages": 1, "deals": 1, "changes": 2, "aliases": 1, "feedback": 1, "scores": 2, "queue": 1, "pending": 1,
        "deliveries": 1,
    }  # fmt: skip
    assert tables_with(store, PLANTED) == set()
    left = everything(store)
    assert all(len(left[name]) == len(before[name]) - gone for name, gone in counts.items())
    assert held_on(store, "B")["account"]["industry"] == "mining"
    with store.engine.connect() as connection:
        assert set(connection.scalars(sa.select(ERASED_SCORES.c.score_id))) == {"s-0-9", "s-1-9"}
        assert connection.scalar(sa.select(sa.func.count()).select_from(IDEMPOTENCY)) == 1


def everything(store: Store) -> dict[str, list[Any]]:
    with store.engine.connect() as connection:
        return {table.name: list(connection.execute(sa.select(table))) for table in METADATA.tables.values()}


def test_an_erased_lead_does_not_come_back(store: Store) -> None:
    fill(store, "A")
    erase(store, "A", NOW)
    again = {"created_at": T, "name": "x"}
    items = [
        {"lead_id": "A", **again},
        {"lead_id": "c-A", **again},
        {"lead_id": "B", **again, "aliases": [{"object": "contact", "external_id": "A"}]},
    ]
    assert [outcome.error for outcome in put_leads(store, items, NOW)] == ["Erased"] * 3
    assert [outcome.error for outcome in add_events(store, [{"lead_id": "c-A", "occurred_at": T, "type": "call"}], NOW)] == ["Erased"]
    assert [outcome.error for outcome in add_stages(store, [{"lead_id": "A", "entered_at": T, "stage": "lead"}], NOW, funnel=Funnel())] == ["Erased"]
    assert [outcome.error for outcome in put_deals(store, [{"lead_id": "A", "deal_id": "D", "opened_at": T}], NOW)] == ["Erased"]
    assert (is_erased(store, "A"), is_erased(store, "c-A"), is_erased(store, "B"), resolve(store, ["A", "c-A"])) == (True, True, False, {})
    for call in (lambda: held_on(store, "A"), lambda: merge(store, "A", "B", NOW), lambda: add_feedback(store, "c-A", NOW)):
        with pytest.raises(ErasedLead):
            call()
    assert set(erase(store, "A", NOW).values()) == {0}
    with store.engine.connect() as connection:
        hashes = list(connection.scalars(sa.select(TOMBSTONES.c.id_hash)))
    assert len(hashes) == 2
    assert all(len(hash) == 64 and "A" not in hash for hash in hashes)


def test_tombstones_of_two_stores_tell_nothing_of_each_other(tmp_path: Path) -> None:
    found = []
    for name in "12":
        with open_store(f"sqlite:///{tmp_path / name}.db") as store:
            put_leads(store, [{"lead_id": "A"}], NOW)
            erase(store, "A", NOW)
            with store.engine.connect() as connection:
                found.append(connection.scalar(sa.select(TOMBSTONES.c.id_hash)))
    assert found[0] != found[1]


def test_scores_of_a_lead_that_was_only_ever_scored_are_erased_too(store: Store) -> None:
    store.write(lambda connection: answer(connection, "A", "x"))
    assert erase(store, "A", NOW)["scores"] == 1
    assert is_erased(store, "A")


def test_nothing_to_erase(store: Store) -> None:
    for id in ("nobody", "", "a\0b", "\ud800"):
        with pytest.raises(UnknownLead):
            erase(store, id, NOW)
    assert not is_erased(store, "nobody")


def test_erased_bytes_are_gone_from_the_files(sqlite_url: str) -> None:
    """Also what was overwritten before the erasure, and what only the write-ahead log held, with the store still open."""
    folder = Path(sqlite_url.removeprefix("sqlite:///")).parent
    with open_store(sqlite_url) as store:
        fill(store, "A", PLANTED)
        for number in range(40):
            put_leads(store, [{"lead_id": f"L-{number}", "created_at": T, "name": "x" * 200}], NOW)
            put_leads(store, [{"lead_id": "A", "name": f"{PLANTED}{number}", "changed_at": NOW - 1}], NOW + number)
        assert any(PLANTED.encode() in path.read_bytes() for path in folder.iterdir())
        erase(store, "A", NOW + 99)
        assert [path.name for path in folder.iterdir() if PLANTED.encode() in path.read_bytes()] == []


def test_what_a_reader_kept_in_the_log_goes_once_it_has_read(sqlite_url: str) -> None:
    """A training reads in one snapshot, which the log must serve: an erasure does not wait for it, nor does it stay undone."""
    folder = Path(sqlite_url.removeprefix("sqlite:///")).parent

    def holding() -> list[str]:
        return [path.name for path in folder.iterdir() if PLANTED.encode() in path.read_bytes()]

    def write(leads: int) -> None:
        put_leads(store, [{"lead_id": f"L-{place}-{leads}", "name": "x" * 4_000} for place in range(leads)], NOW)

    with open_store(sqlite_url) as store:
        write(400)
        fill(store, "A", PLANTED)
        with store.engine.connect() as reader:
            reader.execute(sa.select(sa.func.count()).select_from(SCORES))
            erase(store, "A", NOW)
            assert holding() == ["leadscore.db-wal"]
        write(1_000)  # SQLite copies a log of 4 MB, and begins anew with the next write
        write(1)
        assert holding() == []
        with store.engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == BUSY_MILLISECONDS


def test_two_become_one(store: Store) -> None:
    fill(store, "A", "a")
    fill(store, "B", "b")
    put_leads(store, [{"lead_id": "B", "created_at": T - 9, "title": "CFO"}], NOW)
    put_deals(store, [{"lead_id": "B", "deal_id": "E", "opened_at": T}], NOW)
    store.write(lambda connection: connection.execute(sa.delete(PENDING)))
    before = {id: held_on(store, id) for id in "AB"}
    assert merge(store, "A", "c-B", NOW + 1).status == "updated"
    held = held_on(store, "B")
    assert held == held_on(store, "A") == held_on(store, "c-B")
    assert (held["lead"]["lead_id"], held["lead"]["created_at"], held["lead"]["name"], held["lead"]["title"]) == ("A", T - 9, "a!", "CFO")
    sizes = {name: len(held[name]) for name in ("events", "stages", "deals", "scores", "feedback", "aliases")}
    # D and the stage were at both: one is kept.
    assert sizes == {"events": 4, "stages": 1, "deals": 2, "scores": 4, "feedback": 2, "aliases": 3}
    values = {row["value"] for id in "AB" for row in before[id]["changes"] if row["field"] == "name"}
    assert values <= {row["value"] for row in held["changes"] if row["field"] == "name"}
    assert [row["value"] for row in held["changes"] if row["field"] == "name"][-1] == "a!"
    with store.engine.connect() as connection:
        assert list(connection.scalars(sa.select(PENDING.c.lead_id))) == ["A"]
        assert list(connection.scalars(sa.select(QUEUE.c.lead_id).where(QUEUE.c.until.is_(None)))) == ["A"]
        assert set(connection.scalars(sa.select(DELIVERIES.c.lead_id))) == {"A"}


def test_merging_again_changes_nothing(store: Store) -> None:
    fill(store, "A", "a")
    fill(store, "B", "b")
    merge(store, "A", "B", NOW)
    held = held_on(store, "A")
    assert [merge(store, *pair, NOW + 1).status for pair in (("A", "B"), ("B", "A"), ("A", "c-A"))] == ["unchanged"] * 3
    assert held_on(store, "A") == held


def test_what_is_sent_again_after_a_merge_is_known(store: Store) -> None:
    fill(store, "A", "a")
    fill(store, "B", "b")
    merge(store, "A", "B", NOW)
    row = {"lead_id": "B", "occurred_at": T, "type": "call"}
    assert [outcome.status for outcome in add_events(store, [row | {"detail": "b"}, row | {"event_id": "e-B", "note": "b"}], NOW)] == [
        "unchanged"
    ] * 2


def test_merged_leads_can_be_merged_on_and_erased_as_one(store: Store) -> None:
    for id in "ABC":
        fill(store, id, PLANTED + id)
    merge(store, "B", "C", NOW)
    merge(store, "A", "B", NOW)
    assert resolve(store, ["A", "B", "C", "c-C"]) == dict.fromkeys(["A", "B", "C", "c-C"], "A")
    erase(store, "C", NOW)
    assert tables_with(store, PLANTED) == set()
    assert all(is_erased(store, id) for id in ("A", "B", "C", "c-A", "c-B", "c-C"))


def test_who_can_not_be_merged(store: Store) -> None:
    put_leads(store, [{"lead_id": "A"}], NOW)
    with pytest.raises(SameLead):
        merge(store, "A", "A", NOW)
    for pair in (("A", "?"), ("?", "A")):
        with pytest.raises(UnknownLead):
            merge(store, *pair, NOW)


def test_feedback_needs_a_lead_and_text(store: Store) -> None:
    put_leads(store, [{"lead_id": "A"}], NOW)
    first = add_feedback(store, "A", NOW, action="hold", stage="lead", reason="on leave", by="ann")
    assert add_feedback(store, "A", NOW + 1, useful=False, score_id="s") == first + 1
    assert [(row["action"], row["useful"]) for row in held_on(store, "A")["feedback"]] == [("hold", None), (None, False)]
    with pytest.raises(UnknownLead):
        add_feedback(store, "?", NOW)
    with pytest.raises(Exception, match="NUL"):
        add_feedback(store, "A", NOW, reason="a\0b")


def test_an_alias_that_is_another_leads_own_id_means_that_lead(store: Store) -> None:
    """Systems count each kind of record on its own: the contact 12 of one lead and the lead 12 have nothing to do with each other."""
    fill(store, "A", PLANTED)
    fill(store, "B", "b")
    put_leads(store, [{"lead_id": "A", "aliases": [{"object": "lead", "external_id": "B"}]}], NOW)
    held = held_on(store, "B")
    assert {row["score_id"] for row in held_on(store, "A")["scores"]} == {"s-0-A", "s-1-A"}
    erase(store, "A", NOW)
    assert tables_with(store, PLANTED) == set()
    assert held_on(store, "B") == held
    assert not is_erased(store, "B")


def test_an_alias_of_several_leads_lives_on_with_the_one_that_is_left(store: Store) -> None:
    for id, object in (("A", "contact"), ("B", "account")):
        put_leads(store, [{"lead_id": id, "aliases": [{"object": object, "external_id": "7"}]}], NOW)
    erase(store, "A", NOW)
    assert resolve(store, ["7"]) == {"7": "B"}
    assert is_erased(store, "A")
    assert not is_erased(store, "7")
