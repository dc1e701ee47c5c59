"""How often one may call: the bucket itself, the service's answer, and what is never limited."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles import store_at
from data.contract import DataError
from service import LEAD, refusal, running, with_champion
from serving import limits, security
from serving.limits import Buckets, neighbourhood
from serving.settings import Settings

WAITS = st.lists(st.floats(0, 3), max_size=60)


def test_a_burst_is_let_through_and_the_next_waits_for_its_token() -> None:
    buckets = Buckets(per_second=2, burst=3)
    assert [buckets.take("a", 10.0) for _ in range(4)] == [0, 0, 0, pytest.approx(0.5)]
    assert buckets.take("a", 10.49) == pytest.approx(0.01)
    assert buckets.take("a", 10.5) == 0
    assert buckets.take("a", 10.5) > 0


def test_names_do_not_share_a_bucket_and_asking_takes_nothing() -> None:
    buckets = Buckets(1, 1)
    assert [buckets.wait("a", 0.0) for _ in range(3)] == [0, 0, 0]
    assert (buckets.take("a", 0.0), buckets.take("b", 0.0)) == (0, 0)
    assert buckets.wait("a", 0.25) == pytest.approx(0.75)


def by_hand(instants: list[float], per_second: float, burst: float) -> list[bool]:
    """Tokens counted one by one."""
    tokens, before, let = burst, 0.0, []
    for now in instants:
        tokens = min(burst, tokens + (now - before) * per_second)
        before = now
        let.append(tokens >= 1 - 1e-6)
        tokens -= let[-1]
    return let


@given(WAITS, st.sampled_from([0.5, 1.0, 4.0]), st.sampled_from([1.0, 2.0, 5.0]))
def test_a_bucket_is_as_one_counts_by_hand(waits: list[float], per_second: float, burst: float) -> None:
    instants = [sum(waits[: n + 1]) for n in range(len(waits))]
    buckets = Buckets(per_second, burst)
    assert [buckets.take("a", now) == 0 for now in instants] == by_hand(instants, per_second, burst)


@given(WAITS)
def test_after_the_time_told_there_is_a_token(waits: list[float]) -> None:
    buckets, now = Buckets(1, 2), 0.0
    for wait in waits:
        now += wait
        told = buckets.take("a", now)
        if told:
            assert buckets.wait("a", now + told) == pytest.approx(0, abs=1e-5)


def test_memory_is_bounded_and_the_emptiest_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_NAMES", 100)
    buckets = Buckets(1, 5)
    while buckets.take("guesser", 0.0) == 0:
        pass
    for n in range(1_000):
        buckets.take(n, 0.0)
        assert len(buckets) <= 100
    assert buckets.take("guesser", 0.0) > 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("testclient", "testclient", True),
    ],
)
def test_a_neighbourhood(one: str, other: str, same: bool) -> None:
    assert (neighbourhood(one) == neighbourhood(other)) is same


def test_over_the_rate_a_call_is_refused_with_the_seconds_to_wait_and_probes_are_free(tmp_path: Path) -> None:
    with running(with_champion(tmp_path), rate_per_second=0.1, burst=2) as client:
        assert [client.post("/v1/score", json=LEAD).status_code for _ in range(3)] == [200, 200, 429]
        response = client.get("/v1/model")
        assert refusal(response)[:2] == (429, "TooManyRequests")
        assert 1 <= int(response.headers["retry-after"]) <= 10
        assert {client.get(path).status_code for path in ("/healthz", "/readyz", "/metrics") for _ in range(5)} == {200}


def test_each_key_has_its_own_rate(tmp_path: Path) -> None:
    with store_at(with_champion(tmp_path)) as store:
        one, other = ({"Authorization": f"Bearer {store.create_key(['score'])[0]}"} for _ in range(2))
    with running(tmp_path, rate_per_second=0.01, burst=1) as client:
        assert [client.post("/v1/score", json=LEAD, headers=key).status_code for key in (one, one, other, other)] == [200, 429, 200, 429]


def test_wrong_keys_are_limited_by_address_and_a_known_key_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "GUESSES_PER_SECOND", 0.001)
    monkeypatch.setattr(security, "GUESSES_AT_ONCE", 3)
    with store_at(with_champion(tmp_path)) as store:
        known = {"Authorization": f"Bearer {store.create_key(['score'])[0]}"}
    with running(tmp_path) as client:
        with store_at(tmp_path) as store:  # what was made since the start is not known until it is asked for
            fresh = {"Authorization": f"Bearer {store.create_key(['score'])[0]}"}
        assert client.post("/v1/score", json=LEAD, headers=known).status_code == 200
        answers = [client.post("/v1/score", json=LEAD, headers={"Authorization": f"Bearer guess{n}"}) for n in range(5)]
        assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
        assert refusal(answers[-1])[1] == "TooManyRequests"
        assert client.post("/v1/score", json=LEAD, headers=known).status_code == 200
        assert client.post("/v1/score", json=LEAD, headers=fresh).status_code == 429


@pytest.mark.parametrize("path", ["/v1/score", "/v1/events"])
def test_a_body_without_a_declared_length_is_held_to_the_limit(tmp_path: Path, path: str) -> None:
    with running(with_champion(tmp_path), limit=1_000) as client:
        parts = (b" " * 100 for _ in range(100))
        response = client.post(path, content=parts, headers={"Content-Type": "application/json"})
        assert refusal(response)[:2] == (413, "TooLarge")


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("LEADSCORE_RATE_PER_SECOND", "", "rate_per_second", 2_000),
        ("LEADSCORE_RATE_PER_SECOND", "50", "rate_per_second", 50),
        ("LEADSCORE_RATE_PER_SECOND", "50", "burst", 100),
        ("LEADSCORE_RATE_PER_SECOND", "0.2", "burst", 1),
        ("LEADSCORE_FSYNC", "", "fsync", False),
        ("LEADSCORE_FSYNC", "1", "fsync", True),
        ("LEADSCORE_FSYNC", "Off", "fsync", False),
    ],
)
def test_the_environment_sets_the_service(monkeypatch: pytest.MonkeyPatch, name: str, text: str, field: str, value: float) -> None:
    monkeypatch.setenv(name, text)
    assert getattr(Settings.from_env("127.0.0.1"), field) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [("LEADSCORE_FSYNC", "maybe"), *(("LEADSCORE_RATE_PER_SECOND", text) for text in ("0", "-1", "inf", "nan", "fast"))],
)
def test_a_setting_that_is_none_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(DataError, match=name):
        Settings.from_env("127.0.0.1")


def test_waits_told_grow_shorter_as_time_passes() -> None:
    buckets = Buckets(1, 1)
    buckets.take("a", 0.0)
    told = [buckets.wait("a", now / 10) for now in range(12)]
    assert all(later <= earlier for earlier, later in pairwise(told))
    assert told[-1] == 0
