"""Who leads are, whose they are, and one row of the queue, over both databases."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

import pytest

from data.ingest import put_accounts, put_leads
from data.people import _NAME_PARTS, _WHOLE_NAMES, NOBODY, Person, people, person_of
from data.queue import publish
from data.queue_pages import MOST_OWNERS, Wanted, owners, page, row_of
from data.schema import FEEDBACK
from data.store import Store, open_store
from features.personal import is_personal
from queues import NOW, add_leads, scored


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with open_store(store_url) as opened:
        yield opened


@pytest.mark.parametrize("field", [*_WHOLE_NAMES, *chain(*_NAME_PARTS), "FirstName", "LastName", "MobilePhone", "OwnerId", "hubspot_owner_id"])
def test_what_says_who_somebody_is_is_in_no_report(field: str) -> None:
    assert is_personal(field)


def test_a_person_has_the_name_and_company_of_the_store(store: Store) -> None:
    put_accounts(store, [{"account_id": "A", "name": "Fjord AB", "country": "SE"}], NOW)
    put_leads(store, [{"lead_id": "L-1", "account_id": "A", "first_name": "Åsa", "last_name": "Berg", "job_title": "VD"}, {"lead_id": "L/2"}], NOW)
    put_leads(store, [{"lead_id": "L-3", "account_id": "not held", "company": "Own"}], NOW)
    found = people(store, ["L-1", "L/2", "L-3", "nobody"])
    assert found == {"L-1": Person("Åsa Berg", "Fjord AB", "VD", "SE"), "L/2": NOBODY, "L-3": Person(company="Own")}
    assert people(store, []) == {}


@pytest.mark.parametrize(
    ("lead", "account", "name", "company"),
    [
        ({"name": "Eva", "first_name": "x", "last_name": "y"}, {}, "Eva", None),
        ({"last_name": "Berg"}, {}, "Berg", None),
        ({"given_name": "Eva", "family_name": "Berg"}, {"domain": "fjord.se"}, "Eva Berg", "fjord.se"),
        ({"company_name": "Own"}, {"name": "Fjord"}, None, "Fjord"),
    ],
)
def test_names_under_the_names_of_several_systems(lead: dict[str, str], account: dict[str, str], name: str | None, company: str | None) -> None:
    person = person_of(lead, account)
    assert (person.name, person.company) == (name, company)


def test_owners_are_those_of_the_queue_each_once(store: Store) -> None:
    names = ["ann", "bo", "Ö & co", "ann", None, "zed"]
    ids = [f"L-{n}" for n in range(len(names))]
    assert owners(store) == []
    add_leads(store, ids)
    publish(store, [scored(id, owner=name) for id, name in zip(ids, names, strict=True)], [], NOW)
    found = owners(store)
    assert sorted(found) == sorted({"ann", "bo", "Ö & co", "zed"})
    assert len(found) == 4


def test_so_many_owners_are_offered(store: Store) -> None:
    ids = [f"L-{n:04}" for n in range(MOST_OWNERS + 5)]
    add_leads(store, ids)
    publish(store, [scored(id, owner=f"rep {id}") for id in ids], [], NOW)
    assert len(owners(store)) == MOST_OWNERS


def test_one_row_is_what_the_page_says_of_it(store: Store) -> None:
    add_leads(store, ["L-1", "L-2"])
    publish(store, [scored("L-1", 0.4, score=40), scored("L-2")], [], NOW)
    publish(store, [scored("L-1", 0.6, score=60)], [], NOW)
    with store.writing.begin() as connection:
        connection.execute(FEEDBACK.insert().values(lead_id="L-1", action="hold", at=NOW))
    of_page: dict[str, Any] = {row["lead_id"]: row for row in page(store, Wanted(), 10, NOW).rows}
    assert row_of(store, "L-1", NOW) == of_page["L-1"]
    assert (of_page["L-1"]["override"], of_page["L-1"]["handled"], of_page["L-1"]["previous_score"]) == ("hold", True, 40)
    publish(store, [], ["L-1"], NOW)
    assert row_of(store, "L-1", NOW) is None
