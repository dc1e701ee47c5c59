"""The body of a score request: instants, limits, what is let through and what is refused, and in which words."""

import json
import timeit
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from data.contract import DataError, parse_instant
from serving import contract
from serving.contract import ScoreRequest, instant_of
from serving.errors import malformed

AT = "2026-05-01T08:00:00Z"
EVENT = {"occurred_at": AT, "type": "form"}


def parsed(body: Any) -> ScoreRequest:
    return ScoreRequest.model_validate_json(body if isinstance(body, str | bytes) else json.dumps(body))


def refused(body: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        parsed(body)
    return str(malformed(caught.value))


def outcome(function: Any, text: str) -> Any:
    try:
        return function(text)
    except DataError:
        return DataError


ZONES = st.sampled_from([None, UTC, timezone(timedelta(hours=5, minutes=45)), timezone(timedelta(hours=-8))])
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001
INSTANTS = st.datetimes(EPOCH.replace(year=1, day=3), EPOCH.replace(year=9999), timezones=ZONES)
NOTATIONS = st.sampled_from(["{}", "{}Z", " {} ", "{} UTC", "{} +02:00", "{}+02"])
WRITTEN = st.builds(
    lambda at, sep, how, spec: how.format(at.isoformat(sep, spec)),
    INSTANTS,
    st.sampled_from("T "),
    NOTATIONS,
    st.sampled_from(["auto", "seconds", "milliseconds", "minutes"]),
)
NEARLY = st.text("0123456789-:T.ZW+ ", max_size=30)


@given(WRITTEN | NEARLY | st.text(max_size=30))
def test_the_short_way_to_an_instant_equals_the_contract(text: str) -> None:
    assert outcome(instant_of, text) == outcome(parse_instant, text)


@given(INSTANTS.map(lambda at: at.replace(tzinfo=None)))
def test_what_programs_send_is_read_to_the_microsecond(at: datetime) -> None:
    assert instant_of(at.isoformat() + "Z") == (at - EPOCH) // timedelta(microseconds=1)


def test_a_request_holds_micros_and_plain_rows() -> None:
    request = parsed(
        {"lead": {"lead_id": 7.0, "created_at": AT}, "events": [EVENT | {"event_id": 5, "value": "2.5", "extra": {"deep": 1}}], "as_of": AT}
    )
    micros = parse_instant(AT)
    assert (request.lead_id, request.created_at, request.as_of) == ("7", micros, micros)
    assert request.events == [{"occurred_at": micros, "type": "form", "event_id": "5", "value": 2.5}]


@pytest.mark.parametrize("nothing", [None, "", " - ", "N/A"])
def test_an_empty_optional_time_is_not_given(nothing: str | None) -> None:
    request = parsed({"lead": {"created_at": nothing}, "events": [EVENT | {"recorded_at": nothing}], "as_of": nothing})
    assert (request.created_at, request.as_of, request.events[0]["recorded_at"]) == (None, None, None)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("", "the body must be JSON"),
        ("budget=5", "the body must be JSON"),
        ("{'lead': {}}", "the body must be JSON"),
        ('{"lead": ' + "[" * 100_000, "the body must be JSON"),
        ('{"lead": {"a": ' + "9" * 5000 + "}}", "the body must be JSON"),
        (b'{"lead": {"a": "\xff"}}', "the body must be JSON"),
        ('{"lead": {"a": "\\ud800"}}', "the body must be JSON"),
        ([], "the body must be an object"),
        ({}, "lead must be given"),
        ({"lead": []}, "lead must be an object"),
        ({"lead": {"a": {"b": 1}}}, "lead must be a flat object: a must be text, a number, true, false or null"),
        ('{"lead": {"a": NaN}}', "a must be a finite number"),
        ('{"lead": {"a": -Infinity}}', "a must be a finite number"),
        ('{"lead": {"a": 1e999}}', "a must be a finite number"),
        ('{"lead": {"a": ' + "9" * 400 + "}}", "a must be a finite number"),
        ({"lead": {"created_at": "1 May"}}, "lead created_at must be a time in ISO-8601"),
        ({"lead": {"created_at": 1714550400}}, "lead created_at must be a time in ISO-8601"),
        ({"lead": {}, "as_of": True}, "as_of must be a time in ISO-8601"),
        ({"lead": {}, "evnts": []}, "evnts is not a field of this call"),
        ({"lead": {}, "events": {}}, "events must be a list"),
        ({"lead": {}, "events": [{"type": "form"}]}, "events[0].occurred_at must be given"),
        ({"lead": {}, "events": [EVENT, {"occurred_at": "soon", "type": "form"}]}, "events[1].occurred_at must be a time"),
        ({"lead": {}, "events": [EVENT | {"occurred_at": None}]}, "events[0].occurred_at must be a time"),
        ({"lead": {}, "events": [EVENT | {"type": " "}]}, "events[0].type must not be empty"),
        ({"lead": {}, "events": [EVENT | {"type": None}]}, "events[0].type must be text"),
        ({"lead": {}, "events": [EVENT | {"value": "many"}]}, "events[0].value must be a number"),
        ({"lead": {}, "events": [EVENT | {"value": float("nan")}]}, "events[0].value must be a finite number"),
        ({"lead": {}, "events": [EVENT | {"value": 1.1e12}]}, "events[0].value must be at most 1e+12"),
        ({"lead": {}, "events": [EVENT | {"value": -1.1e12}]}, "events[0].value must be at least -1e+12"),
        ({"lead": {}, "stages": [{"entered_at": AT}]}, "stages[0].stage must be given"),
        ({"lead": {}, "deals": [{"deal_id": "D", "opened_at": "x"}]}, "deals[0].opened_at must be a time"),
    ],
)
def test_a_refusal_names_the_field_and_what_was_expected(body: Any, told: str) -> None:
    assert told in refused(body)


def test_many_mistakes_are_listed_and_counted() -> None:
    detail = refused({"lead": {}, "events": [{}] * 4})
    assert detail.count("must be given") == 5
    assert detail.endswith("and 3 more.")


@given(st.text(st.characters(codec="utf-8"), min_size=6))
def test_a_refusal_never_repeats_a_value(secret: str) -> None:
    marked = f"<{secret}>"
    bad = {"lead": {"email": [marked], "created_at": AT}, "events": [{"occurred_at": marked, "type": "x"}], "as_of": marked}
    assert marked not in refused(bad)


@pytest.mark.parametrize(
    ("make", "most"),
    [
        (lambda n: {"lead": {}, "events": [EVENT] * n}, contract.MAX_ROWS),
        (lambda n: {"lead": {}, "events": [EVENT | {"detail": "x" * n}]}, contract.MAX_TEXT),
        (lambda n: {"lead": {"a": "å" * n}}, contract.MAX_TEXT),
        (lambda n: {"lead": {"a" * n: 1}}, contract.MAX_NAME),
        (lambda n: {"lead": {}, "account": {f"a{i}": i for i in range(n)}}, contract.MAX_ATTRIBUTES),
    ],
)
def test_both_sides_of_each_limit(make: Any, most: int) -> None:
    parsed(make(most))
    assert refused(make(most + 1))


@given(
    st.dictionaries(
        st.text(max_size=20).filter(lambda k: not k.endswith("_at")),
        st.none()
        | st.booleans()
        | st.integers(-(10**18), 10**18)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(codec="utf-8")),
    )
)
def test_every_flat_object_comes_through_unchanged(lead: dict[str, Any]) -> None:
    assert parsed({"lead": lead}).lead == lead


def test_fifty_events_are_validated_in_no_time() -> None:
    """The limit is ten times what it takes, so that only a change of kind breaks it."""
    body = json.dumps({"lead": {f"a{i}": "x" for i in range(12)}, "events": [EVENT | {"value": 1.5, "channel": "web"}] * 50}).encode()
    seconds = min(timeit.repeat(lambda: ScoreRequest.model_validate_json(body), number=20, repeat=5)) / 20
    assert seconds < 0.0015
