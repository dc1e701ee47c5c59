"""Numbers, bands ("500-999") and open ends ("1000+") out of the text that people and CRMs write."""

import math
import re
from functools import lru_cache
from typing import Final

from features.fold import fold

LONGEST: Final = 100
_SIZES: Final = {
    1e3: "k thousand tusen tausend tsd",
    1e4: "万",
    1e6: "m mm mn mln mio mill million millions millionen millioner miljon miljoner milhao milhoes",
    1e8: "亿",
    1e9: "b bn billion billions mrd milliarde milliarden milliard milliarder miljard miljarder bi bilhao bilhoes",
}
_SIZE_OF: Final = {word: size for size, words in _SIZES.items() for word in words.split()}
_UNITS: Final = (
    "employees|employee|people|persons|staff|headcount|users|seats|fte|anstallda|medarbetare|personer|mitarbeiter|mitarbeitende"
    "|beschaftigte|personen|ansatte|funcionarios|colaboradores|empregados|pessoas|名员工|员工|人|名"
)
_MONEY: Final = "euros?|eur|dollars?|usd|gbp|sek|nok|dkk|chf|cny|rmb|brl|reais|kronor|kroner|kr|yuan|元|us\\$|r\\$|[€$£¥]"
_DIGITS: Final = r"(\d+(?:[ ',.]\d+)*)(?: ?([a-z万亿]+)\.?)?"

_PLAIN: Final = re.compile(r"-?(?:0|[1-9]\d*|(?=\.\d))(?:\.\d+)?(?:e[-+]?\d+)?", re.ASCII)
_GROUPED: Final = re.compile(r"([1-9]\d{0,2}(?:([ ',.])\d{3})(?:\2\d{3})*)(?:(?!\2)[.,](\d+))?", re.ASCII)
_DECIMAL: Final = re.compile(r"(0|[1-9]\d*)(?:[.,](\d+))?", re.ASCII)
_ADDRESS: Final = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.|$)){4}", re.ASCII)
_DASHES: Final = str.maketrans("‐‑‒–—−’\u202f\u2009", "------'  ")
_DRESS: Final = re.compile(
    rf"(?<![a-z])(?:{_MONEY})(?![a-z])|(?<![a-z]) ?(?:{_UNITS})(?=$|以上|以下)|^(?:between|from|mellan|mellom|zwischen|von|entre|de) "
)
_ONE: Final = re.compile(rf"([-+]?) ?{_DIGITS}", re.ASCII)
_BAND: Final = re.compile(rf"{_DIGITS}(?: ?[-~至到] ?| (?:to|and|bis|und|till|til|og|och|ate|a|e) ){_DIGITS}", re.ASCII)
_BELOW: Final = re.compile(
    r"(?:<=?|≤|(?:less than|fewer than|under|below|up to|unter|bis zu|weniger als|farre an|mindre an|faerre enn|mindre enn|upp till"
    rf"|opptil|menos de|ate)(?= )|少于|低于) ?{_DIGITS}|{_DIGITS} ?以下",
    re.ASCII,
)
_ABOVE: Final = re.compile(
    r"(?:>=?|≥|(?:more than|over|above|at least|uber|mehr als|ab|mer an|mer enn|minst|mais de|acima de)(?= )|多于|超过) ?"
    rf"{_DIGITS}|(\d+(?:[ ',.]\d+)*) ?([a-z万亿]*?)\.? ?(?:\+|(?: |(?<=\d))(?:and more|or more|und mehr|eller mer|eller fler|ou mais)|以上)",
    re.ASCII,
)


def number(text: str | None) -> float:
    """The number that a text says, nan where it says none.

    Reads either decimal sign ("1,234.5", "1.234,5", "12 345"), money ("€ 1.2m"), sizes ("5k", "3 Mio."), percents ("45 %" is 0.45) and
    accounting negatives ("(1,234)"). A band is the *geometric* mean of its ends, since sizes of companies and budgets spread evenly on a log
    scale, or their plain mean if it starts at 0. "1000+" is 1000, "<10" is the band 0-10. Bare "1.234" is a decimal and "1,234" a thousand;
    beside a unit, money or in a band both are thousands. Not numbers: codes with leading zeros, dates, ordinals, phones, IP addresses.
    """
    if text is None or len(text) > LONGEST:
        return math.nan
    return _finite(float(text)) if _PLAIN.fullmatch(text) else _read(text)[0]


def is_band(text: str | None) -> bool:
    """True if the text says a range ("1-10 employees") or an open end ("1000+", "<10") and `number` can read it."""
    return text is not None and len(text) <= LONGEST and not _PLAIN.fullmatch(text) and _read(text)[1]


@lru_cache(maxsize=65_536)
def _read(text: str) -> tuple[float, bool]:
    """(value, is a band)."""
    folded = " ".join(fold(text).translate(_DASHES).split())
    bare = folded.replace("%", "").strip() if folded.endswith("%") else folded
    share = 1.0 if bare == folded else 0.01
    if bare.startswith("(") and bare.endswith(")"):
        value, band = _bare("-" + bare[1:-1])
    else:
        value, band = _bare(bare)
    value = _finite(value * share)
    return value, band and not math.isnan(value)


def _bare(text: str) -> tuple[float, bool]:
    plain = " ".join(_DRESS.sub(" ", text).split())
    if one := _ONE.fullmatch(plain):
        return _signed(one, dressed=plain != text), False
    if band := _BAND.fullmatch(plain):
        return _midpoint(*band.groups()), True
    if below := _BELOW.fullmatch(plain):
        return _sized(below[1] or below[3], below[2] or below[4], dressed=True) / 2, True
    if above := _ABOVE.fullmatch(plain):
        return _sized(above[1] or above[3], above[2] or above[4], dressed=True), True
    return math.nan, False


def _signed(one: re.Match[str], dressed: bool) -> float:
    """A leading plus and seven digits or more is how a phone number is written."""
    if one[1] == "+" and sum(c.isdigit() for c in one[2]) >= 7:
        return math.nan
    return _sized(one[2], one[3], dressed) * (-1.0 if one[1] == "-" else 1.0)


def _midpoint(low_digits: str, low_size: str | None, high_digits: str, high_size: str | None) -> float:
    """ "1-5m" means 1m-5m; an upper end below the lower one is no band ("2024-05")."""
    high = _sized(high_digits, high_size, dressed=True)
    low = _sized(low_digits, low_size, dressed=True)
    shared = _sized(low_digits, low_size or high_size, dressed=True)
    low = shared if shared <= high else low
    if not low <= high:
        return math.nan
    return math.sqrt(low) * math.sqrt(high) if low > 0 else high / 2


def _sized(digits: str, size: str | None, dressed: bool) -> float:
    factor = 1.0 if not size else _SIZE_OF.get(size, math.nan)
    return _value(digits, grouped=dressed and not size) * factor


def _value(digits: str, grouped: bool) -> float:
    """`grouped`: whether a lone point before three digits parts thousands ("1.234") rather than decimals."""
    if _ADDRESS.fullmatch(digits):
        return math.nan
    parts = _GROUPED.fullmatch(digits)
    if parts and (grouped or parts[2] != "." or parts[3] or digits.count(".") > 1):
        return float(f"{parts[1].replace(parts[2], '')}.{parts[3] or 0}")
    plain = _DECIMAL.fullmatch(digits)
    return float(f"{plain[1]}.{plain[2] or 0}") if plain else math.nan


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.nan
