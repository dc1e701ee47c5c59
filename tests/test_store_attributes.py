"""How values change: the fast way against a list of claims kept by hand, and the two histories of a merge."""

from hypothesis import given, settings
from hypothesis import strategies as st

from data.attributes import Held, merged

NAMES, VALUES = ("size", "title"), ("1", "2", "3", None)
SINCE, NOW = 10, 100
Claim = tuple[str, str | None, int]

claims = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES), st.integers(0, 20)), max_size=12)
standing = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(("1", "2", "3")))


def held(values: dict[str, str], since: int = SINCE) -> Held:
    return Held("A", dict(values), since, ingested_at=50)


def last(entries: list[tuple[int, str | None]]) -> tuple[int, str | None]:
    """Of the latest entries the one that came last."""
    latest = max(at for at, _ in entries)
    return [entry for entry in entries if entry[0] == latest][-1]


def by_hand(values: dict[str, str], told: list[Claim]) -> tuple[dict[str, str], dict[str, dict[int, str | None]]]:
    """A claim counts unless it repeats what is known for its time; the value that stood before is the first entry of a history."""
    entries = {name: [(SINCE, values[name])] if name in values else [] for name in NAMES}
    changed: set[str] = set()
    for name, value, at in told:
        rows = entries[name]
        repeats_the_current = value == (last(rows)[1] if rows else None) and (name not in changed or at >= last(rows)[0])
        before = [entry for entry in rows if entry[0] <= at]
        if not repeats_the_current and not (name in changed and before and last(before)[1] == value):
            rows.append((at, value))
            changed.add(name)
    now = {name: value for name, rows in entries.items() if rows and (value := last(rows)[1]) is not None}
    return now, {name: dict(entries[name]) for name in changed}


@settings(max_examples=300)
@given(standing, claims)
def test_claims_in_any_order_give_what_a_list_of_them_gives(values: dict[str, str], told: list[Claim]) -> None:
    one = held(values)
    for name, value, at in told:
        one.put({name: value}, at)
    assert (one.values, one.histories) == by_hand(values, told)
    assert {(name, at): value for (name, at), (value, _) in one.written.items()} == {
        (name, at): value for name, history in one.histories.items() for at, value in history.items()
    }


@settings(max_examples=100)
@given(standing, claims)
def test_telling_the_current_values_again_tells_nothing(values: dict[str, str], told: list[Claim]) -> None:
    one = held(values)
    for name, value, at in told:
        one.put({name: value}, at)
    before = (dict(one.values), dict(one.written))
    assert not one.put(dict(one.values), NOW)
    assert (one.values, one.written) == before


def test_what_stood_before_is_known_as_long_as_the_object() -> None:
    one = held({"size": "1"})
    one.put({"size": "2", "title": "CFO"}, 30)
    assert one.written == {("size", SINCE): ("1", 50), ("size", 30): ("2", None), ("title", 30): ("CFO", None)}


@settings(max_examples=300)
@given(standing, claims, standing, claims)
def test_a_merge_loses_no_value_and_the_own_ones_stay(ours: dict[str, str], told: list[Claim], theirs: dict[str, str], heard: list[Claim]) -> None:
    # At even instants the one, at odd ones the other: of two values at one instant only one can be kept.
    into, other = held(ours, since=20), held(theirs, since=15)
    for one, said, odd in ((into, told, 0), (other, heard, 1)):
        for name, value, at in said:
            one.put({name: value}, 2 * at + odd)
        one.written.clear()
    own, gone, histories = dict(into.values), dict(other.values), {**into.histories}
    merged(into, other, NOW)
    for name in NAMES:
        whole = other.histories.get(name, {}) | histories.get(name, {}) | {at: value for (n, at), (value, _) in into.written.items() if n == name}
        if name in own or name in histories:
            assert into.values.get(name) == own.get(name)
        else:
            assert into.values.get(name) == gone.get(name)
        if whole:
            assert whole[max(whole)] == into.values.get(name)
            assert {value for value in (own.get(name), gone.get(name)) if value} <= set(whole.values()) | {own.get(name)}
        else:
            assert name not in own or name not in gone or own[name] == gone[name]


def test_two_values_that_contradict_become_history() -> None:
    into, other = held({"size": "1"}, since=10), held({"size": "2", "title": "CFO"}, since=20)
    merged(into, other, NOW)
    assert into.values == {"size": "1", "title": "CFO"}
    assert into.written == {("size", 10): ("1", 50), ("size", 20): ("2", 50), ("size", NOW): ("1", None)}
