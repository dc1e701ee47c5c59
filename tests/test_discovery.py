"""What is found in the data: event types, kinds of attributes, what is left out and why; both ends of each limit."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from data.contract import DAY, DataError
from data.dataset import Dataset
from data.funnel import EventType, Funnel
from data.tables import empty_table
from features.attributes import Attribute
from features.discovery import MAX_CHANNELS, MAX_LEVELS, MAX_TYPES, MIN_EVENTS, MIN_LEVEL_COUNT, discover
from features.rows import compute
from features.schema import OTHER_PHRASE, OTHER_TYPE, Schema
from features.tables import cohort_of
from worlds import TABLES, World, with_rows

Values = Sequence[str | None]


def dataset_of(leads: dict[str, Values] | None = None, accounts: dict[str, Values] | None = None, events: Sequence[tuple[str, int]] = ()) -> Dataset:
    """Columns of the lead and account tables, and (event type, how many)."""
    tables = {name: empty_table(name) for name in TABLES}
    for name, columns, key in (("leads", leads, "lead_id"), ("accounts", accounts, "account_id")):
        for column, values in (columns or {}).items():
            rows = [{key: str(i)} for i in range(len(values))]
            tables[name] = tables[name] if tables[name].num_rows else with_rows(tables[name], rows)
            place = tables[name].column_names.index(column) if column in tables[name].column_names else None
            text = pa.array(values, pa.string())
            tables[name] = tables[name].append_column(column, text) if place is None else tables[name].set_column(place, column, text)
    told = [{"lead_id": "0", "occurred_at": 1, "type": kind} for kind, n in events for _ in range(n)]
    tables["events"] = with_rows(tables["events"], told)
    return Dataset(**tables, digest="made by hand")


def attribute(values: Values, name: str = "field", funnel: Funnel | None = None) -> Attribute | str | None:
    """How one lead column is declared, or why it is left out; None where it holds nothing."""
    schema, left_out = discover(dataset_of({name: values}), funnel or Funnel())
    found = [a for a in schema.attributes if a.inputs[0] == f"lead.{name}"]
    return found[0] if found else next((c.why for c in left_out if c.column == f"lead.{name}"), None)


def repeated(*values: str | None, times: int = 50) -> Values:
    return [v for v in values for _ in range(times)]


KINDS: list[tuple[str, Values, str]] = [
    ("words", repeated("red", "blue"), "category"),
    ("numbers", repeated("1", "2.5", "1,000"), "number"),
    ("bands", repeated("1-10", "11-50", "1000+"), "number"),
    ("money", [f"€ {i * 37 % 1000}.{i % 10}5k" for i in range(200)], "number"),
    ("numbers and one word in a hundred", [*(str(i * 13 % 977) for i in range(99)), "unknown"], "number"),
    ("codes with leading zeros", repeated("007", "008"), "category"),
    ("yes and no", repeated("true", "false", None), "category"),
]


@pytest.mark.parametrize(("values", "kind"), [case[1:] for case in KINDS], ids=[case[0] for case in KINDS])
def test_the_kind_of_a_column(values: Values, kind: str) -> None:
    found = attribute(values)
    assert isinstance(found, Attribute)
    assert found.kind == kind


LEFT_OUT: list[tuple[str, str, Values, str]] = [
    ("a number counted up", "field", [str(i) for i in range(100)], "differs in every row"),
    ("a number of a database, with large gaps", "crm_row", [str(i * 7_919_317 % 1_000_000_007) for i in range(2_000)], "differs in every row"),
    ("an identifier", "field", [f"id-{i}" for i in range(500)], "identifier or free text"),
    ("free text", "field", [f"talked to {i} about {i * i}" for i in range(500)], "identifier or free text"),
    ("dates", "field", [f"2026-01-{1 + i % 28:02}T{i % 24:02}:{i // 24:02}:00Z" for i in range(500)], "dates without a history"),
    ("a name", "last_name", repeated("Berg", "Silva"), "personal data"),
    ("who works it", "Sales Rep", repeated("Berg", "Silva"), "who works a lead is no fact"),
    ("an address", "linkedin", repeated("a", "b"), "personal data"),
]


@pytest.mark.parametrize(("name", "values", "why"), [case[1:] for case in LEFT_OUT], ids=[case[0] for case in LEFT_OUT])
def test_what_is_left_out_and_why(name: str, values: Values, why: str) -> None:
    found = attribute(values, name)
    assert isinstance(found, str), found
    assert why in found


@pytest.mark.parametrize("values", [[], [None, None]])
def test_an_empty_column_is_nothing(values: Values) -> None:
    assert attribute(values) is None


@pytest.mark.parametrize("name", ["lead_id", "created_at", "account_id", "owner", "recorded_at"])
def test_keys_and_owners_are_no_attributes(name: str) -> None:
    schema, _ = discover(dataset_of({"field": repeated("a", "b")}), Funnel())
    assert f"lead.{name}" not in schema.inputs


def test_contact_and_title_are_read_for_what_they_tell() -> None:
    schema, _ = discover(dataset_of({"email": ["a@b.se"], "phone": ["+4681234567"], "job_title": ["CEO"]}), Funnel())
    assert [(a.name, a.kind, a.inputs) for a in schema.attributes] == [
        ("email", "email", ("lead.email", "account.domain")),
        ("job_title", "title", ("lead.job_title",)),
        ("phone", "phone", ("lead.phone", "lead.country")),
    ]


def test_a_column_of_accounts_says_whose_it_is() -> None:
    schema, _ = discover(dataset_of({"country": repeated("SE", "NO")}, {"country": repeated("DE", "BR"), "employees": repeated("5", "7")}), Funnel())
    assert [(a.name, a.level) for a in schema.attributes] == [
        ("country", "organization"),
        ("account_country", "organization"),
        ("account_employees", "organization"),
    ]


@pytest.mark.parametrize(("times", "levels"), [(MIN_LEVEL_COUNT, ("common", "rare")), (MIN_LEVEL_COUNT - 1, ("common",))])
def test_rare_levels_share_a_column(times: int, levels: tuple[str, ...]) -> None:
    found = attribute([*repeated("common", times=1_000), *repeated("rare", times=times)])
    assert isinstance(found, Attribute)
    assert found.levels == levels


def test_only_the_most_frequent_levels_have_a_column_and_ties_go_by_name() -> None:
    found = attribute(repeated(*(f"level {i:02}" for i in range(MAX_LEVELS + 3)), times=40))
    assert isinstance(found, Attribute)
    assert found.levels == tuple(f"level {i:02}" for i in range(MAX_LEVELS))


@pytest.mark.parametrize("exclude", ["field", "lead.field"])
def test_the_team_leaves_columns_out(exclude: str) -> None:
    assert attribute(repeated("a", "b"), funnel=Funnel(exclude=(exclude,))) == "left out by funnel.toml"


def types_of(events: Sequence[tuple[str, int]], funnel: Funnel | None = None) -> Schema:
    return discover(dataset_of({"field": repeated("a", "b")}, events=events), funnel or Funnel())[0]


def schema_of(rows: Sequence[Mapping[str, object]], accounts: Sequence[str | None] = (), funnel: Funnel | None = None) -> Schema:
    """Of events told column by column, and one lead for each account."""
    found = dataset_of({"account_id": list(accounts)} if accounts else {"field": repeated("a", "b")})
    told = [{"lead_id": "0", "occurred_at": 1, "type": "visit"} | dict(row) for row in rows]
    return discover(replace(found, events=with_rows(found.events, told)), funnel or Funnel())[0]


@pytest.mark.parametrize(("count", "channels"), [(MIN_LEVEL_COUNT, ("fair", "web")), (MIN_LEVEL_COUNT - 1, ("web",))])
def test_channels_that_are_frequent_enough_have_features(count: int, channels: tuple[str, ...]) -> None:
    schema = schema_of([{"channel": "web"}] * 100 + [{"channel": "fair"}] * count + [{"channel": None}, {"channel": "unknown"}])
    assert schema.channels == channels
    assert ("channel_fair_count_30d" in {c.name for c in schema.columns}) == ("fair" in channels)
    assert ("channels_entropy_ever" in {c.name for c in schema.columns}) == (len(channels) > 1)


def test_one_channel_for_all_tells_nothing_and_there_is_a_limit() -> None:
    assert schema_of([{"channel": "web"}] * 100).channels == ()
    many = schema_of([{"channel": f"c{i}"} for i in range(MAX_CHANNELS + 1) for _ in range(50 - i)])
    assert many.channels == tuple(f"c{i}" for i in range(MAX_CHANNELS))


def test_the_channels_of_excluded_types_dont_count() -> None:
    rows = [{"channel": "web"}] * 50 + [{"channel": "fair", "type": "spam"}] * 50 + [{"channel": None}]
    assert schema_of(rows, funnel=Funnel(event_types={"spam": EventType(exclude=True)})).channels == ("web",)


@pytest.mark.parametrize(("delay", "count", "late"), [(DAY + 1, MIN_EVENTS, True), (DAY + 1, MIN_EVENTS - 1, False), (DAY, 100, False)])
def test_late_records_have_features_where_there_are_enough(delay: int, count: int, late: bool) -> None:
    schema = schema_of([{"recorded_at": None}] * 50 + [{"recorded_at": 1 + delay}] * count)
    assert schema.late == late
    assert ("late_count_ever" in {c.name for c in schema.columns}) == late


def test_kinds_tell_type_channel_and_lateness_apart() -> None:
    rows = [
        {"channel": channel, "type": kind, "recorded_at": 2 + DAY} for channel in ("web", "fair") for kind in ("visit", "call") for _ in range(30)
    ]
    schema = schema_of(rows)
    told = [(kind, channel, late) for kind in ("call", "visit") for channel in ("fair", "web", None) for late in (False, True)]
    assert [schema.kind_code(*one) for one in told] == list(range(12))
    assert schema.kind_code("call", "pigeon", True) == schema.kind_code("call", None, True)
    assert schema.kind_code("never seen", "web", False) == -1
    assert len(schema.program.member) == len(schema.program.role) == 12


@pytest.mark.parametrize(
    ("accounts", "events", "colleagues"),
    [(["A", "A"], MIN_EVENTS, True), (["A", "A"], MIN_EVENTS - 1, False), (["A", "B"], 100, False), ([None, None], 100, False)],
)
def test_colleagues_have_features_where_leads_share_accounts(accounts: list[str | None], events: int, colleagues: bool) -> None:
    schema = schema_of([{}] * events, accounts)
    assert schema.colleagues == colleagues
    assert ("colleagues_all_count_30d" in {c.name for c in schema.columns}) == colleagues


@pytest.mark.parametrize("exclude", ["account_id", "lead.account_id"])
def test_the_team_leaves_colleagues_out(exclude: str) -> None:
    assert not schema_of([{}] * 100, ["A", "A"], Funnel(exclude=(exclude,))).colleagues


@pytest.mark.parametrize(("count", "names"), [(MIN_EVENTS, ["email_open", "rare"]), (MIN_EVENTS - 1, ["email_open", OTHER_TYPE])])
def test_rare_event_types_count_together(count: int, names: list[str]) -> None:
    schema = types_of([("email_open", 100), ("rare", count)])
    assert [t.name for t in schema.types] == names
    assert schema.type_code("rare") == len(names) - 1
    assert schema.type_code("never seen before") == -1


def test_there_is_a_limit_to_event_types() -> None:
    schema = types_of([(f"type {i:03}", 100 - i) for i in range(MAX_TYPES + 1)])
    assert len(schema.types) == MAX_TYPES + 1
    assert schema.types[-1].name == OTHER_TYPE
    assert schema.type_code(f"type {MAX_TYPES:03}") == MAX_TYPES


def test_the_team_names_joins_and_drops_event_types() -> None:
    funnel = Funnel(
        event_types={"spam": EventType(exclude=True), "mail": EventType.model_validate({"as": "email_open"}), "visit": EventType(label="Came by")}
    )
    schema = types_of([("spam", 50), ("mail", 15), ("email_open", 15), ("visit", 30)], funnel)
    assert [(t.name, t.phrase, t.direction) for t in schema.types] == [("email_open", "Opened an e-mail", "inbound"), ("visit", "Came by", "inbound")]
    assert schema.type_code("spam") == -1
    assert schema.type_code("mail") == schema.type_code("email_open") == 0


def test_a_type_that_the_team_names_has_features_however_rare_it_is() -> None:
    schema = types_of(
        [("email_open", 100), ("rfp", 1), ("rare", 2)], Funnel(event_types={"rfp": EventType(label="Sent a tender"), "absent": EventType()})
    )
    assert [(t.name, t.phrase) for t in schema.types] == [("email_open", "Opened an e-mail"), ("rfp", "Sent a tender"), (OTHER_TYPE, OTHER_PHRASE)]
    many = types_of([(f"type {i:03}", 100 - i) for i in range(MAX_TYPES + 1)], Funnel(event_types={f"type {MAX_TYPES:03}": EventType()}))
    assert many.type_code(f"type {MAX_TYPES:03}") == MAX_TYPES - 1
    assert many.type_code(f"type {MAX_TYPES - 1:03}") == MAX_TYPES


def test_a_rare_type_that_counts_as_another_rare_one_counts_among_the_others() -> None:
    schema = types_of([("email_open", 100), ("a", 1), ("b", 1)], Funnel(event_types={"a": EventType.model_validate({"as": "b", "exclude": False})}))
    assert schema.type_code("a") == schema.type_code("b") == [t.name for t in schema.types].index("b")


def test_a_pattern_stands_for_types_that_come_later_too() -> None:
    document = {
        "webinar_*": {"as": "webinar", "label": "Was at a webinar"},
        "webinar_internal_*": {"exclude": True},
        "webinar_2": {"as": "keynote"},
        "*_bounce": {"level": "stakeholder"},
    }
    funnel = Funnel.from_document({"event_types": document})
    schema = types_of([("webinar_1", 30), ("webinar_2", 30), ("webinar_internal_a", 30), ("sms_bounce", 30)], funnel)
    assert [(t.name, t.level) for t in schema.types] == [("keynote", "interest"), ("sms_bounce", "stakeholder"), ("webinar", "interest")]
    kinds = ["webinar_1", "webinar_9", "webinar_2", "webinar_internal_a", "webinar_internal_z", "fax_bounce", "webinar"]
    assert [schema.type_code(kind) for kind in kinds] == [2, 2, 0, -1, -1, -1, 2]
    assert [schema.knows_type(kind) for kind in (*kinds, "never seen")] == [True] * len(kinds) + [False]
    assert Schema.from_document(schema.document()).type_code("webinar_9") == 2


def test_a_group_counts_beside_its_types() -> None:
    groups = {"content": {"types": ["download", "article_*"], "label": "Read something"}, "nobody": {"types": ["fax"]}}
    funnel = Funnel.from_document({"event_groups": groups, "event_types": {"article_b": {"as": "story"}}})
    schema = types_of([("download", 30), ("article_a", 30), ("article_b", 30), ("visit", 30)], funnel)
    assert [(g.name, g.phrase, g.types) for g in schema.event_groups] == [("content", "Read something", ("article_a", "download", "story"))]
    rows = [{"lead_id": "0", "occurred_at": 1, "type": kind} for kind in ("download", "article_a", "article_b", "visit", "visit")]
    dataset = dataset_of({"field": ["a"]})
    cohort = cohort_of(
        replace(dataset, leads=with_rows(dataset.leads.slice(0, 0), [{"lead_id": "0", "created_at": 0}]), events=with_rows(dataset.events, rows)),
        schema,
    )
    row = compute(schema, cohort, np.zeros(1, np.int64), np.full(1, DAY, np.int64))[0]
    told = dict(zip((c.name for c in schema.columns), row.tolist(), strict=True))
    assert (told["group_content_count_7d"], told["story_count_7d"], told["visit_count_7d"], told["all_count_7d"]) == (3, 1, 2, 5)
    assert Schema.from_document(schema.document()) == schema


def test_an_equals_sign_parts_no_name_in_two() -> None:
    """Up to it columns are one group: what is told as one reason."""
    assert schema_of([{"channel": "web"}] * 50 + [{"channel": "source=fair"}] * 50).channels == ("web",)
    groups = {"a=b": {"types": ["form=*"]}, "a_b": {"types": ["visit"]}}
    schema = types_of([("form=1", 30), ("visit", 30)], Funnel.from_document({"event_groups": groups}))
    assert [(g.name, g.types) for g in schema.event_groups] == [("a_b", ("form_1",)), ("a_b_", ("visit",))]
    assert schema.type_code("form=1") == [t.name for t in schema.types].index("form_1")
    assert {c.group for c in schema.columns if "=" in c.name} == {"first_touch", "last_touch", "field"}


def test_a_group_of_nothing_is_refused() -> None:
    with pytest.raises(DataError, match=r"event_groups\.content\.types"):
        Funnel.from_document({"event_groups": {"content": {"types": []}}})


def test_the_schema_is_a_document(sample: World) -> None:
    schema = sample.bundle.schema
    again = Schema.from_document(schema.document())
    assert again == schema
    assert again.hash == schema.hash
    assert [c.name for c in again.columns] == [c.name for c in schema.columns]
    assert len({c.name for c in schema.columns}) == len(schema.columns)


def test_a_schema_of_another_version_is_refused(sample: World) -> None:
    document = sample.bundle.schema.document()
    with pytest.raises(ValueError, match="retrain"):
        Schema.from_document(document | {"columns": document["columns"][1:]})


@pytest.mark.parametrize("name", ["job", "role", "Position"])
def test_a_column_of_few_kinds_of_work_is_a_category_and_one_of_many_titles_is_read(name: str) -> None:
    few = attribute(repeated("blue-collar", "admin.", "services"), name)
    many = attribute([f"Head of Area {i}" for i in range(MAX_LEVELS + 1)], name)
    assert isinstance(few, Attribute)
    assert isinstance(many, Attribute)
    assert (few.kind, many.kind) == ("category", "title")
    titles = attribute(repeated("CEO", "CTO"), "Job Title")
    assert isinstance(titles, Attribute)
    assert titles.kind == "title"


def test_a_placeholder_is_no_level_and_a_column_of_nothing_else_is_no_attribute() -> None:
    found = attribute(repeated("red", "Select", "blue", "UNKNOWN"))
    assert isinstance(found, Attribute)
    assert found.levels == ("blue", "red")
    assert attribute(repeated("Select", "(not set)")) is None


@pytest.mark.parametrize("name", ["E-Mail", "Email Address", "email"])
def test_an_address_is_known_by_its_column_whatever_the_case(name: str) -> None:
    found = attribute([f"p{i}@firm{i}.se" for i in range(60)], name)
    assert isinstance(found, Attribute)
    assert (found.kind, found.inputs[0]) == ("email", f"lead.{name}")
    assert attribute(repeated("Eva", "Bo"), "First Name") == "personal data never reach a model"
