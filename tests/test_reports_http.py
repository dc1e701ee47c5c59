"""The reports as calls: what the store holds, asked for once and kept for a minute, and what is refused."""

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from crm import sent
from service import refusal, running, with_champion
from serving.answers_reports import FunnelAnswer, LossesAnswer
from serving.calls.reports import leaks_of
from serving.reports.kept import Kept

LEADS = 60


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A store of leads of which every third became a prospect, and every sixth was lost."""
    with running(with_champion(tmp_path_factory.mktemp("service"))) as client:
        for n in range(LEADS):
            body = {"created_at": f"2026-0{1 + n % 3}-01T00:00:00Z", "source": "web" if n % 2 else "fair", "email": f"kim{n}@example.com"}
            assert client.put(f"/v1/leads/L-{n}", json=body).status_code == 200
        stages = [{"lead_id": f"L-{n}", "entered_at": "2026-05-01T00:00:00Z", "stage": "MQL"} for n in range(0, LEADS, 3)]
        stages += [{"lead_id": f"L-{n}", "entered_at": "2026-06-01T00:00:00Z", "stage": "lost", "reason": "price"} for n in range(0, LEADS, 6)]
        sent(client, "POST", "/v1/stages", {"items": stages})
        yield client


def get(client: TestClient, path: str) -> dict[str, Any]:
    response = client.get(path)
    assert response.status_code == 200, response.text
    return response.json()  # type: ignore[no-any-return]


def test_the_funnel_is_that_of_the_store(client: TestClient) -> None:
    body = get(client, "/v1/funnel")
    FunnelAnswer.model_validate(body)
    (pair,) = body["pairs"]
    assert (pair["from"], pair["to"], pair["entered"], pair["converted"], pair["out"]) == ("lead", "prospect", 60, 20, 0)
    assert (body["as_of"], body["options"], body["groups"]) == ("2026-06-01T00:00:00Z", ["month", "source"], [])


@pytest.mark.parametrize(("by", "values"), [("month", ["2026-01", "2026-02", "2026-03"]), ("source", ["fair", "web"])])
def test_the_funnel_by_month_and_by_an_attribute(client: TestClient, by: str, values: list[str]) -> None:
    body = get(client, f"/v1/funnel?by={by}")
    FunnelAnswer.model_validate(body)
    assert [group["value"] for group in body["groups"]] == values
    assert sum(group["leads"] for group in body["groups"]) == LEADS


def test_losses_are_those_of_the_store(client: TestClient) -> None:
    body = get(client, "/v1/losses")
    LossesAnswer.model_validate(body)
    (gone,) = body["exits"]
    assert (gone["exit"], gone["count"], gone["reasons"][0]["value"]) == ("lost", 10, "price")
    assert body["common"]["of"] is None


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v1/funnel?by=sauce", "Did you mean 'source'?"),
        ("/v1/funnel?by=email", "month or an attribute"),
        ("/v1/funnel?by=", "1 to 1,000 characters"),
        ("/v1/funnel?by=month&by=month", "must be given once"),
        ("/v1/funnel?month=1", "it has by"),
        ("/v1/losses?by=month", "has no parameters"),
    ],
)
def test_what_is_wrong_is_told(client: TestClient, path: str, said: str) -> None:
    status, error, detail = refusal(client.get(path))
    assert (status, error) == (422, "MalformedBody")
    assert said in detail


def test_reports_need_no_model(tmp_path: Any) -> None:
    with running(tmp_path, ready=False) as client:
        assert get(client, "/v1/funnel")["leads"] == 0
        assert get(client, "/v1/losses")["deals"]["lost"] == 0


def test_a_report_is_kept_and_made_anew_when_its_time_is_over(client: TestClient) -> None:
    before = get(client, "/v1/funnel")["leads"]
    client.put("/v1/leads/L-new", json={"created_at": "2026-03-01T00:00:00Z"})
    assert get(client, "/v1/funnel")["leads"] == before
    client.app.state.service.reports._made.clear()  # type: ignore[attr-defined]
    assert get(client, "/v1/funnel")["leads"] == before + 1


def test_columns_of_leak_reports_are_attributes() -> None:
    assert leaks_of(["lead.tags", "account.size", "account.account.x"]) == {"tags", "account_size", "account_account.x"}


class Maker:
    """Makes a number after a while, and counts how many are being made at once."""

    def __init__(self, fails: bool = False) -> None:
        self.made, self.at_once, self.most, self.fails = 0, 0, 0, fails
        self._lock = threading.Lock()

    def __call__(self) -> int:
        with self._lock:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        time.sleep(0.02)
        with self._lock:
            self.at_once -= 1
            self.made += 1
        if self.fails:
            raise ValueError
        return self.made


def test_who_asks_meanwhile_waits_for_the_same_and_two_are_never_made_at_once() -> None:
    async def ask() -> list[int]:
        kept, one = Kept(), maker
        return await asyncio.gather(*(kept.get(name, one) for name in ("a", "b", "a", "c", "b", "a")))

    maker = Maker()
    found = asyncio.run(ask())
    assert found == [1, 2, 1, 3, 2, 1]
    assert (maker.made, maker.most) == (3, 1)


def test_what_is_kept_is_forgotten_in_time_and_a_failure_is_not_kept() -> None:
    async def ask() -> list[int]:
        kept, maker = Kept(0.05), Maker()
        first = [await kept.get("a", maker), await kept.get("a", maker)]
        await asyncio.sleep(0.1)
        with pytest.raises(ValueError):  # noqa: PT011 - raised by Maker
            await kept.get("b", Maker(fails=True))
        return [*first, await kept.get("a", maker), await kept.get("b", maker)]

    assert asyncio.run(ask()) == [1, 1, 2, 3]


def test_a_report_goes_on_for_the_others_where_whoever_asked_first_has_left() -> None:
    async def ask() -> int:
        kept, maker = Kept(), Maker()
        first = asyncio.create_task(kept.get("a", maker))
        await asyncio.sleep(0.005)
        second = asyncio.create_task(kept.get("a", maker))
        first.cancel()
        return int(await second)

    assert asyncio.run(ask()) == 1
