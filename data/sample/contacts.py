"""Codes become what a CRM holds: names, titles, addresses, phone numbers, companies."""

from collections.abc import Callable, Sequence

import numpy as np

from data.sample.draws import uniforms
from data.sample.parameters import Ints
from data.sample.people import BANDS, COUNTRIES, INDUSTRIES, SENIORITIES, People, stream
from data.sample.words import (
    COMPANY_FIRST,
    COMPANY_FORM,
    COMPANY_SECOND,
    DISPOSABLE_DOMAINS,
    DOMAIN_END,
    FREE_DOMAINS,
    IN_ADDRESSES,
    LANGUAGE_OF_COUNTRY,
    LANGUAGES,
    PHONE_START,
    TECHNOLOGIES,
    WRONG_PHONES,
    Language,
)

Column = list[str | None]


def drawer(seed: int, items: Ints) -> Callable[[str, int], list[int]]:
    """-> draw(name, count): one whole number below `count` for every item, always the same one for the same name."""
    return lambda name, count: (uniforms(seed, stream(name), items) * count).astype(np.int64).tolist()


def lead_contacts(crowd: People, seed: int) -> dict[str, Column]:
    """Name, e-mail, phone and job title of every lead, in the language of where they live."""
    lead = np.arange(len(crowd.account))
    draw = drawer(seed, lead)
    speech = [LANGUAGES[LANGUAGE_OF_COUNTRY[home]] for home in crowd.home.tolist()]
    first = [words.first[pick] for words, pick in zip(speech, draw("first", 8), strict=True)]
    last = [words.last[pick] for words, pick in zip(speech, draw("last", 8), strict=True)]
    employer = np.where(crowd.account >= 0, crowd.account, -1 - lead)
    domains = _domains(employer, _home_of(crowd, employer), seed)
    emails = map(_email, first, last, domains, crowd.email.tolist(), draw("email text", 30))
    phones = map(_phone, crowd.home.tolist(), crowd.phone.tolist(), draw("phone digits", 10**9))
    titles = map(_title, speech, crowd.seniority.tolist(), crowd.function.tolist(), draw("title", 12), draw("title case", 20))
    return {"first_name": list(first), "last_name": list(last), "email": list(emails), "phone": list(phones), "job_title": list(titles)}


def account_rows(crowd: People, seed: int) -> dict[str, Column]:
    """One row per account that a lead belongs to, in order of account. Half the sizes are written as bands."""
    account, row = np.unique(crowd.account[crowd.account >= 0], return_index=True)
    one = np.flatnonzero(crowd.account >= 0)[row]
    draw = drawer(seed, account)
    home = _home_of(crowd, account)
    names, domains = _names(account, seed), _domains(account, home, seed)
    revenue = [f"{crowd.employees[i] * (40 + part) * 2500}" if part < 60 else None for i, part in zip(one, draw("revenue", 75), strict=True)]
    return {
        "account_id": [f"A-{number:06d}" for number in account],
        "name": [f"{name} {COMPANY_FORM[COUNTRIES[code]]}" for name, code in zip(names, home, strict=True)],
        "domain": list(domains),
        "industry": [None if code == len(INDUSTRIES) else INDUSTRIES[code] for code in crowd.industry[one].tolist()],
        "employees": [employees(crowd, i) for i in one.tolist()],
        "revenue": list(revenue),
        "country": [COUNTRIES[code] for code in home],
        "technology": [TECHNOLOGIES[pick] for pick in draw("technology", len(TECHNOLOGIES))],
    }


def employees(crowd: People, lead: int) -> str | None:
    """The size of a lead's company as recorded: `1000-4999`, `340`, or nothing."""
    if crowd.band[lead] == len(BANDS):
        return None
    low, high = BANDS[crowd.band[lead]]
    if written_as_band(crowd.account[lead]):
        return f"{low}-{high}" if low < 5000 else "5000+"
    return str(crowd.employees[lead])


def written_as_band(account: int) -> bool:
    """Whether this account's size came from a form with bands to choose from."""
    return int(account) % 9 < 4


def _home_of(crowd: People, account: Ints) -> list[int]:
    """A company's country: that of the first lead known from it, or of the lead who has no account."""
    employer = np.where(crowd.account >= 0, crowd.account, -1 - np.arange(len(crowd.account)))
    known, row = np.unique(employer, return_index=True)
    homes: list[int] = crowd.home[row[np.searchsorted(known, account)]].tolist()
    return homes


def _names(account: Ints, seed: int) -> list[str]:
    draw = drawer(seed, account)
    parts = zip(draw("company 1", len(COMPANY_FIRST)), draw("company 2", len(COMPANY_SECOND)), strict=True)
    return [COMPANY_FIRST[first] + COMPANY_SECOND[second] for first, second in parts]


def _domains(account: Ints, home: Sequence[int], seed: int) -> list[str]:
    numbered = zip(_names(account, seed), account.tolist(), home, strict=True)
    return [f"{name.lower()}-{number if number >= 0 else f'x{-number}'}.{DOMAIN_END[COUNTRIES[code]]}" for name, number, code in numbered]


def _email(first: str, last: str, domain: str, kind: int, pick: int) -> str | None:
    name = "".join(IN_ADDRESSES.get(letter, letter) for letter in f"{first}.{last}".lower())
    forms = (f"{name}@{domain}", f"{name}{pick}@{FREE_DOMAINS[pick % 6]}", f"{name[:3]}{pick}@{DISPOSABLE_DOMAINS[pick % 5]}")
    broken = (f"{name}@", f"{name}@@{domain}", f"{name} at {domain}", f"{name}@{domain.split('.')[0]}", f"@{domain}")
    return None if kind == 4 else broken[pick % 5] if kind == 3 else forms[kind]


def _phone(home: int, kind: int, digits: int) -> str | None:
    start, count = PHONE_START[COUNTRIES[home]]
    return (f"{start}{digits % 10**count:0{count}d}", WRONG_PHONES[digits % len(WRONG_PHONES)], None)[kind]


def _title(words: Language, seniority: int, function: int, pick: int, case: int) -> str | None:
    if seniority == len(SENIORITIES):
        return None
    levels = (words.chiefs[function], words.vp, words.director, words.manager, words.specialist, words.junior)
    title = levels[seniority][pick % len(levels[seniority])].format(words.functions[function])
    return title.lower() if case == 0 else title.upper() if case == 1 else title
