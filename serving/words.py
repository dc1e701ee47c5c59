"""What people read, in their language: texts from gettext catalogues, numbers, money, dates and durations in their local form.

English is the msgid, so that it needs no catalogue and costs no import; Babel and a catalogue are read with the first word of another language.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from gettext import GNUTranslations
from pathlib import Path
from string import Formatter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

LANGUAGES: Mapping[str, str] = MappingProxyType(
    {"en": "English", "sv": "Svenska", "de": "Deutsch", "pt": "Português", "nb": "Norsk bokmål", "zh": "简体中文"}
)
"""Every language by its code, and its name as its speakers call it."""

CATALOGUES = Path(__file__).parent / "locale"
DOMAIN = "leadscore"

_SAME = MappingProxyType({"no": "nb", "nn": "nb", "cmn": "zh"})
_LONGEST_HEADER = 512
_FLOAT_DIGITS = 2
_UNITS = ((1.0, "day"), (1 / 24, "hour"), (1 / 1440, "minute"))


def msgid(text: str) -> str:
    """The text as it is: marks one that is told later, by `Words.text`, for the catalogues."""
    return text


@dataclass(frozen=True)
class Words:
    """One language, with the forms of one region of it (`Words("de", "CH")`; None: those of the language at large).

    A text may hold {name}, for a text or a number, and say another form: {share:percent}, {days:duration}, {at:date}, {at:instant}, {at:month}, or
    {stage:term} for a word that has a translation of its own. Instants are micros UTC and are told in UTC.
    """

    language: str = "en"
    region: str | None = None

    @property
    def tag(self) -> str:
        """As HTML and HTTP write it: `de-CH`."""
        return self.language if self.region is None else f"{self.language}-{self.region}"

    @property
    def locale(self) -> str:
        """As Babel writes it: `de_CH`."""
        return self.tag.replace("-", "_")

    def text(self, text: str, /, **values: object) -> str:
        """The English `text` in this language, each {name} replaced by its value. One that the catalogue does not have is told in English."""
        told = text if self.language == "en" else _catalogue(self.language).gettext(text) if text else ""
        return self._filled(told, values) if values else told

    def plural(self, one: str, many: str, n: int, /, **values: object) -> str:
        """The same in the form that the language has for n: `plural("{n} lead", "{n} leads", 3)`."""
        ours = self.language == "en"
        told = (one if n == 1 else many) if ours else _catalogue(self.language).ngettext(one, many, n)
        return self._filled(told, {"n": n, **values})

    def number(self, value: float, decimals: int | None = None) -> str:
        """Grouped as is usual. Without `decimals`, a number that is not whole has one from 10 on and two digits that count below."""
        if value != value or value in (float("inf"), float("-inf")):
            return "–"
        if self.locale == "en":
            return plain(value) if decimals is None else f"{value:,.{decimals}f}"
        return _number(self.locale, value, decimals)

    def percent(self, share: float, decimals: int = 0) -> str:
        """0.31 -> "31%", "31 %"."""
        if share != share:
            return "–"
        return f"{share:,.{decimals}%}" if self.locale == "en" else _percent(self.locale, share, decimals)

    def money(self, amount: float, currency: str | None) -> str:
        """Whole units: an estimate is not made better by its cents. Without a currency, the number."""
        return _money(self.locale, amount, currency) if currency else self.number(round(amount))

    def date(self, instant: int) -> str:
        """The day: "Nov 22, 2026", "22 nov. 2026"."""
        from babel.dates import format_date

        return format_date(_datetime(instant), "medium", locale=self.locale)

    def month(self, instant: int) -> str:
        """ "November 2026"."""
        from babel.dates import format_skeleton

        return format_skeleton("yMMMM", _datetime(instant), locale=self.locale)

    def instant(self, instant: int) -> str:
        """The day and the minute, in UTC."""
        from babel.dates import format_time, get_datetime_format

        joined = str(get_datetime_format("medium", self.locale)).replace("'", "")
        return f"{joined.format(format_time(_datetime(instant), 'short', locale=self.locale), self.date(instant))} UTC"

    def duration(self, days: float) -> str:
        """Days as people say them: whole minutes, hours or days."""
        unit, amount = largest(days)
        if unit == "day":
            return self.plural("{n} day", "{n} days", amount)
        if unit == "hour":
            return self.plural("{n} hour", "{n} hours", amount)
        return self.plural("{n} minute", "{n} minutes", amount) if amount else self.text("less than a minute")

    def ago(self, instant: int, now: int) -> str:
        """ "3 days ago"; what is not a minute old, or is yet to come, is "just now"."""
        if now - instant < 60_000_000:
            return self.text("just now")
        from babel.dates import format_timedelta

        return format_timedelta(timedelta(microseconds=instant - now), add_direction=True, threshold=1, locale=self.locale)

    def listed(self, items: Iterable[str]) -> str:
        """ "a, b, and c"."""
        from babel.lists import format_list

        return format_list(list(items), locale=self.locale)

    def _filled(self, pattern: str, values: Mapping[str, Any]) -> str:
        return "".join([part if isinstance(part, str) else part[1](self, values[part[0]]) for part in _parts(pattern)])


_Form = Callable[[Words, Any], str]


def _as_it_is(words: Words, value: object) -> str:
    if type(value) is str:
        return value
    return words.number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


FORMS: Mapping[str, _Form] = MappingProxyType(
    {
        "": _as_it_is,
        "percent": Words.percent,
        "percent1": lambda words, share: words.percent(share, 1),
        "duration": Words.duration,
        "date": Words.date,
        "instant": Words.instant,
        "month": Words.month,
        "term": Words.text,
    }
)
"""What a placeholder may ask for."""


@lru_cache(maxsize=8_192)
def _parts(pattern: str) -> tuple[str | tuple[str, _Form], ...]:
    """A pattern's plain text and its placeholders in order, each with what tells its value; `{{` and `}}` are braces."""
    found: list[str | tuple[str, _Form]] = []
    for plain_text, name, form, _ in Formatter().parse(pattern):
        found += [plain_text] if plain_text else []
        found += [(name, FORMS[form or ""])] if name is not None else []
    return tuple(found)


ENGLISH = Words()


def words_for(accept_language: str | None, chosen: str | None = None) -> Words:
    """The language that a person chose, where it is one of ours, else the best of an Accept-Language header, else English.

    Never refuses: a header that can't be read asks for nothing. The region of the header is kept, for numbers and dates.
    """
    accepted = (accept_language or "")[:_LONGEST_HEADER]
    return _words_for(accepted, chosen if chosen in LANGUAGES else None) if accepted or chosen else ENGLISH


def install(environment: "Environment", words: Words) -> None:
    """Gives templates `_("... {name}", name=value)`, `ngettext("{n} lead", "{n} leads", n)` and `{% trans %}` (with the extension jinja2.ext.i18n) in
    one language. What they give is escaped like any other text."""
    environment.policies["ext.i18n.trimmed"] = True
    environment.globals.update(_=words.text, gettext=words.text, ngettext=words.plural)


@lru_cache(maxsize=256)
def _words_for(accepted: str, chosen: str | None) -> Words:
    asked = [words for words in map(_known, _by_preference(accepted)) if words is not None]
    if chosen is None:
        return asked[0] if asked else ENGLISH
    return next((words for words in asked if words.language == chosen), Words(chosen))


def _by_preference(accepted: str) -> list[str]:
    """The language ranges of a header, best first; those of weight 0 or none that can be read are left out. [RFC 9110, 12.5.4]"""
    weighed = []
    for place, part in enumerate(accepted.split(",")):
        tag, _, parameter = part.strip().partition(";")
        name, _, number = parameter.replace(" ", "").partition("=")
        try:
            weight = float(number) if name.lower() == "q" else 1.0
        except ValueError:
            weight = 0.0
        if tag and 0.0 < weight <= 1.0:
            weighed.append((-weight, place, tag.strip()))
    return [tag for _, _, tag in sorted(weighed)]


def _known(tag: str) -> Words | None:
    """The words of a language range (`sv-SE`, `zh-Hans-CN`); None for a language that is not ours."""
    first, *rest = tag.split("-")
    language = _SAME.get(first.lower(), first.lower())
    if first == "*":
        return ENGLISH
    if language not in LANGUAGES:
        return None
    region = next((part.upper() for part in rest if len(part) == 2 and part.isascii() and part.isalpha()), None)
    return Words(language, region) if region and _has_forms(f"{language}_{region}") else Words(language)


def _has_forms(locale: str) -> bool:
    from babel.localedata import exists

    return exists(locale)


@lru_cache(maxsize=len(LANGUAGES))
def _catalogue(language: str) -> GNUTranslations:
    """Read from its .po, the file that translators work on: there is nothing to build, and nothing that could be out of date."""
    from io import BytesIO

    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    with (CATALOGUES / language / "LC_MESSAGES" / f"{DOMAIN}.po").open("rb") as file:
        catalogue = read_po(file, locale=language, domain=DOMAIN)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)


def largest(days: float) -> tuple[str, int]:
    """("day" | "hour" | "minute", how many, rounded): the largest unit that days are at least one of; 0 minutes for less."""
    for size, unit in _UNITS:
        amount = round(days / size)
        if days >= size and amount:
            return unit, amount
    return "minute", 0


def plain(value: float) -> str:
    """A number without needless decimals, in English: 20,000; 0.5; 12.3."""
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.{_FLOAT_DIGITS}g}"


def _number(locale: str, value: float, decimals: int | None) -> str:
    from babel.numbers import format_decimal

    told = plain(value).replace(",", "") if decimals is None else f"{value:.{decimals}f}"
    return format_decimal(Decimal(told), format="#,##0.############" if decimals is None else _pattern(decimals), locale=locale)


def _pattern(decimals: int) -> str:
    return f"#,##0.{'0' * decimals}" if decimals else "#,##0"


def _percent(locale: str, share: float, decimals: int) -> str:
    from babel import Locale
    from babel.numbers import format_percent

    pattern: str = Locale.parse(locale).percent_formats[None].pattern
    rounded = Decimal(f"{share:.{decimals}%}"[:-1]).scaleb(-2)  # as English rounds: every language says the same digits
    return format_percent(rounded, format=pattern.replace("#,##0", _pattern(decimals)), locale=locale)


def _money(locale: str, amount: float, currency: str) -> str:
    from babel import Locale
    from babel.numbers import format_currency

    pattern: str = Locale.parse(locale).currency_formats["standard"].pattern
    return format_currency(amount, currency, format=pattern.replace(".00", ""), locale=locale, currency_digits=False)


def _datetime(instant: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=instant)
