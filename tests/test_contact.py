"""What an e-mail address and a phone number tell; the fast path for ordinary addresses answers to email_validator."""

import logging

import phonenumbers
import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given, settings
from hypothesis import strategies as st

from features.contact import _region, _written_out, country_code, email_domain, email_kind, email_matches_domain, phone_country, phone_kind
from features.countries import country_names

EMAILS = [
    (None, "missing"),
    ("", "missing"),
    ("  ", "missing"),
    ("n/a", "missing"),
    ("-", "missing"),
    ("anna", "invalid"),
    ("anna@", "invalid"),
    ("@acme.se", "invalid"),
    ("anna@acme", "invalid"),
    ("anna@@acme.se", "invalid"),
    ("anna..berg@acme.se", "invalid"),
    (".anna@acme.se", "invalid"),
    ("anna@-acme.se", "invalid"),
    ("anna@acme.123", "invalid"),
    ("anna@acme.test", "invalid"),
    ("anna@acme.local", "invalid"),
    ("anna berg@acme.se", "invalid"),
    ("Anna <anna@acme.se>", "invalid"),
    ("anna@" + "a" * 64 + ".se", "invalid"),
    ("a" * 5000 + "@acme.se", "invalid"),
    ("anna@mailinator.com", "disposable"),
    ("anna@deep.under.mailinator.com", "disposable"),
    ("anna@MAILINATOR.com", "disposable"),
    ("anna@mailinator.acme.com", "business"),
    ("anna@gmail.com", "free"),
    ("Anna@GMail.Com", "free"),
    ("anna@hotmail.se", "free"),
    ("anna@yahoo.com.br", "free"),
    ("anna@live.no", "free"),
    ("anna@uol.com.br", "free"),
    ("anna@web.de", "free"),
    ("anna@163.com", "free"),
    ("anna@qq.com", "free"),
    ("anna@comhem.se", "free"),
    ("anna@online.no", "free"),
    ("anna@live.nation.com", "business"),
    ("anna@mygmail.com", "business"),
    ("anna.berg+lead@acme.co.uk", "business"),
    (" anna@acme.se ", "business"),
    ("anna@ab--cd.com", "invalid"),
    ("anna@abc--d.com", "business"),
    ("änna@acme.se", "business"),
    ("anna@müller.de", "business"),
    ("o'brien@acme.ie", "business"),
]


@pytest.mark.parametrize("email, kind", EMAILS)
def test_email_kind(email: str | None, kind: str) -> None:
    assert email_kind(email) == kind
    assert (email_domain(email) is None) == (kind in ("missing", "invalid"))


def test_domain_is_lower_case_ascii() -> None:
    assert email_domain("Anna@Acme.SE") == "acme.se"
    assert email_domain("anna@Müller.de") == "xn--mller-kva.de"


def domain_by_validator(email: str) -> str | None:
    try:
        return validate_email(email, check_deliverability=False).ascii_domain.lower()
    except EmailNotValidError:
        return None


near_addresses = st.from_regex(r"[a-zA-Z0-9._+-]{1,12}@[a-z0-9-]{1,8}(\.[a-zA-Z0-9-]{1,6}){1,3}", fullmatch=True)


@given(st.one_of(st.emails(), near_addresses, st.text(alphabet="aB1.-_+@ä ", max_size=20)))
def test_ordinary_addresses_are_judged_as_the_validator_judges_them(email: str) -> None:
    assert email_domain(email) == domain_by_validator(email.strip())


@pytest.mark.parametrize(
    "email, site, same",
    [
        ("anna@acme.com", "acme.com", True),
        ("anna@acme.com", "https://www.Acme.com/about?x=1#top", True),
        ("anna@acme.com", "acme.com:8080/", True),
        ("anna@acme.com", "www.acme.com.", True),
        ("anna@mail.acme.com", "acme.com", True),
        ("anna@acme.com", "shop.acme.com", True),
        ("anna@müller.de", "www.xn--mller-kva.de", True),
        ("anna@notacme.com", "acme.com", False),
        ("anna@acme.se", "acme.com", False),
        ("anna@gmail.com", "acme.com", False),
        (None, "acme.com", None),
        ("anna", "acme.com", None),
        ("anna@acme.com", None, None),
        ("anna@acme.com", "", None),
        ("anna@acme.com", "Acme Inc", None),
        ("anna@acme.com", "com", None),
        ("anna@acme.com", "acme.com/" + "x" * 5000, True),
    ],
)
def test_email_matches_domain(email: str | None, site: str | None, same: bool | None) -> None:
    assert email_matches_domain(email, site) is same


PHONES = [
    (None, "SE", "missing", None),
    ("", None, "missing", None),
    ("n/a", "SE", "missing", None),
    ("070-123 45 68", "SE", "valid", "SE"),
    ("070-123 45 68", "Sverige", "valid", "SE"),
    ("+46 (0)70 123 45 68", None, "valid", "SE"),
    ("0046 70 123 45 68", None, "valid", "SE"),
    ("+86 138 1234 5679", "SE", "valid", "CN"),
    ("13812345678", "中国", "valid", "CN"),
    ("(11) 98765-4320", "Brasil", "valid", "BR"),
    ("030 901820", "Deutschland", "valid", "DE"),
    ("22 41 50 00", "Norge", "valid", "NO"),
    ("(415) 555-2671 ext. 12", "USA", "valid", "US"),
    ("+1 416 555 2671", "US", "valid", "CA"),
    ("+44 1481 960194", None, "valid", "GG"),
    ("+800 1234 5679", None, "valid", None),
    ("0701234568", None, "valid", None),
    ("123456", None, "invalid", None),
    ("1234568", None, "valid", None),
    ("123456789012346", None, "valid", None),
    ("1234567890123456", None, "invalid", None),
    ("0000000000", "US", "invalid", None),
    ("0000000000", None, "invalid", None),
    ("1111111", None, "invalid", None),
    ("1234567890", "US", "invalid", None),
    ("0123456789", None, "invalid", None),
    ("9876543210", "IN", "invalid", None),
    ("+47 22 22 22 22", "NO", "invalid", None),
    ("+1 000 000 0000", None, "invalid", None),
    ("+46 12", "SE", "invalid", None),
    ("12", "SE", "invalid", None),
    ("call me", "SE", "invalid", None),
    ("+", None, "invalid", None),
    ("+999 123 45 68", None, "invalid", None),
]


@pytest.mark.parametrize("phone, country, kind, region", PHONES)
def test_phone(phone: str | None, country: str | None, kind: str, region: str | None) -> None:
    assert (phone_kind(phone, country), phone_country(phone, country)) == (kind, region)


@pytest.mark.parametrize("region", ["SE", "NO", "DE", "BR", "PT", "CN", "US", "GB", "ES", "IN"])
def test_example_numbers_of_every_country_are_valid_however_written(region: str) -> None:
    example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.FIXED_LINE)
    assert example is not None
    styles = phonenumbers.PhoneNumberFormat
    written = [phonenumbers.format_number(example, style) for style in (styles.NATIONAL, styles.INTERNATIONAL, styles.E164, styles.RFC3966)]
    assert {phone_kind(text, region) for text in written} <= {"valid"}
    assert {phone_country(text, None) for text in written[1:]} == {region}


@given(st.text(max_size=40), st.text(max_size=12))
def test_any_text_has_an_answer(text: str, other: str) -> None:
    assert email_kind(text) in ("missing", "invalid", "disposable", "free", "business")
    assert phone_kind(text, other) in ("missing", "invalid", "valid")
    assert (phone_country(text, other) is None) or phone_kind(text, other) == "valid"
    assert email_matches_domain(text, other) in (True, False, None)


@pytest.mark.parametrize(
    "text, code",
    [
        ("SE", "SE"),
        ("se", "SE"),
        ("UK", "GB"),
        ("U.S.", "US"),
        ("USA", "US"),
        ("Sverige", "SE"),
        ("SVERIGE", "SE"),
        ("Deutschland", "DE"),
        ("Österreich", "AT"),
        ("Osterreich", "AT"),
        ("Brasil", "BR"),
        ("Brazil", "BR"),
        ("Noreg", "NO"),
        ("中国", "CN"),
        ("中國", "CN"),
        ("臺灣", "TW"),
        ("Türkiye", "TR"),
        ("Россия", "RU"),
        ("DEU", "DE"),
        (" Portugal ", "PT"),
        ("PF", "PF"),
        ("XX", None),
        ("Mars", None),
        ("Sweden" * 100, None),
        ("", None),
        ("n/a", None),
        (None, None),
    ],
)
def test_country_code(text: str | None, code: str | None) -> None:
    assert country_code(text) == code


def test_country_names_are_of_countries_that_have_phones() -> None:
    codes = set(country_names().values())
    assert len(codes) >= 60
    assert codes <= phonenumbers.SUPPORTED_REGIONS


def test_nothing_is_logged(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    with caplog.at_level(logging.DEBUG):
        for email, _ in EMAILS:
            email_kind(email)
        for phone, country, *_ in PHONES:
            phone_kind(phone, country)
    assert (caplog.text, *capsys.readouterr()) == ("", "", "")


CODES = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)


def parsed(text: str) -> tuple[int, str] | None:
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        return None
    return number.country_code or 0, phonenumbers.national_significant_number(number)


def agrees(text: str) -> bool:
    """The short way either says nothing or what the library says."""
    found = _written_out(text)
    return found is None or found == parsed(text)


@settings(max_examples=400, deadline=None)
@given(code=st.sampled_from(CODES), rest=st.text("0123456789 ", max_size=16), mark=st.sampled_from(["+", "", "00", "+ ", "+0"]))
def test_numbers_written_out_are_read_as_the_library_reads_them(code: int, rest: str, mark: str) -> None:
    assert agrees(f"{mark}{code}{rest}")


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_example_numbers_are_read_as_the_library_reads_them(region: str) -> None:
    for kind in (phonenumbers.PhoneNumberType.FIXED_LINE, phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.TOLL_FREE):
        example = phonenumbers.example_number_for_type(region, kind)
        styles = (phonenumbers.PhoneNumberFormat.E164, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
        assert example is None or all(agrees(phonenumbers.format_number(example, style)) for style in styles)


def test_the_short_way_is_taken() -> None:
    assert _written_out("+46 70 174 76 22") == (46, "701747622") == parsed("+46701747622")
    assert [_written_out(text) for text in ("+46 070 174 76 22", "070-174 76 22", "+999 1234567", "+46")] == [None] * 4


def region_by_the_library(text: str) -> str | None:
    number = phonenumbers.parse(text, None)
    region = phonenumbers.region_code_for_number(number)
    return region if region and phonenumbers.is_valid_number_for_region(number, region) else None


def is_made_up(digits: str) -> bool:
    return len(set(digits)) < 2 or digits in "01234567890123456789" or digits in "98765432109876543210"


@settings(max_examples=300, deadline=None)
@given(code=st.sampled_from(CODES), rest=st.text("0123456789", min_size=4, max_size=12))
def test_a_number_s_region_is_the_library_s(code: int, rest: str) -> None:
    found = parsed(f"+{code}{rest}")
    if found is not None and not is_made_up(f"{code}{rest}") and not is_made_up(found[1].lstrip("0")):
        assert _region(f"+{code}{rest}", None) == region_by_the_library(f"+{code}{rest}")


@settings(max_examples=300, deadline=None)
@given(data=st.data(), region=st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)), kind=st.sampled_from(range(11)))
def test_numbers_of_every_kind_and_their_neighbours_are_judged_as_the_library_judges_them(data: st.DataObject, region: str, kind: int) -> None:
    example = phonenumbers.example_number_for_type(region, kind)
    if example is None:
        return
    text = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    at, digit = data.draw(st.integers(1, len(text) - 1)), data.draw(st.sampled_from("0123456789"))
    for number in (text, f"{text[:at]}{digit}{text[at + 1 :]}", text[:-1], f"{text}{digit}"):
        found = parsed(number)
        if found is not None and not is_made_up(number[1:]) and not is_made_up(found[1].lstrip("0")):
            assert _region(number, None) == region_by_the_library(number)
