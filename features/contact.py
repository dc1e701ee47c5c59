"""What an e-mail address and a phone number tell about a lead, without keeping, logging or repeating either.

Only domains are cached, never addresses: a person who asks to be forgotten is not remembered here.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, Literal

import phonenumbers
from disposable_email_domains import blocklist
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from data.contract import canonical
from features.countries import country_names
from features.fold import fold

EmailKind = Literal["missing", "invalid", "disposable", "free", "business"]
PhoneKind = Literal["missing", "invalid", "valid"]

_FREE_DOMAINS: Final = """
    gmail.com googlemail.com aol.com icloud.com me.com mac.com mail.com email.com zoho.com zohomail.com proton.me
    protonmail.com pm.me tutanota.com tuta.io hushmail.com fastmail.com fastmail.fm inbox.com hey.com duck.com
    ymail.com rocketmail.com telia.com comhem.se bredband.net tele2.se spray.se passagen.se glocalnet.net home.se
    swipnet.se web.de t-online.de freenet.de arcor.de mail.de posteo.de online.de vodafone.de mailbox.org bluewin.ch
    a1.net aon.at chello.at uol.com.br bol.com.br terra.com.br ig.com.br globo.com globomail.com r7.com oi.com.br
    zipmail.com.br sapo.pt iol.pt clix.pt netcabo.pt online.no broadpark.no getmail.no start.no frisurf.no c2i.net
    qq.com foxmail.com 163.com 126.com yeah.net vip.163.com vip.qq.com sina.com sina.cn sohu.com 139.com 189.cn wo.cn
    21cn.com tom.com aliyun.com 88.com hinet.net pchome.com.tw orange.fr wanadoo.fr free.fr laposte.net sfr.fr neuf.fr
    libero.it virgilio.it tiscali.it alice.it tin.it btinternet.com sky.com talktalk.net ntlworld.com virginmedia.com
    blueyonder.co.uk comcast.net verizon.net att.net sbcglobal.net bellsouth.net cox.net charter.net earthlink.net
    juno.com rogers.com shaw.ca sympatico.ca bigpond.com optusnet.com.au rediffmail.com ziggo.nl kpnmail.nl hetnet.nl
    planet.nl telenet.be skynet.be wp.pl onet.pl o2.pl interia.pl seznam.cz mail.ru inbox.ru list.ru bk.ru rambler.ru
    yandex.ru yandex.com ya.ru ukr.net naver.com daum.net hanmail.net elisanet.fi kolumbus.fi luukku.com
"""
FREE_DOMAINS: Final = frozenset(_FREE_DOMAINS.split())
_BRANDS: Final = re.compile(r"(?:yahoo|hotmail|outlook|live|msn|gmx|windowslive)\.(?:com|net|org|(?:com?\.)?[a-z]{2})")
_ORDINARY: Final = re.compile(r"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@((?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,})", re.IGNORECASE | re.ASCII)
_SITE: Final = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?(?:[^/@]*@)?(?:www\.)?([^/:?#\s]+\.[^/:?#\s.]+)\.?(?:[:/?#].*)?", re.IGNORECASE)
_EXTENSION: Final = re.compile(r"(?:ext|x|#|;).*", re.IGNORECASE)
_LONGEST_EMAIL, _LONGEST_SITE, _LONGEST_COUNTRY = 320, 512, 60
_ORDINARY_PHONE: Final = re.compile(r"\+[1-9][0-9]*(?: [0-9]+)*", re.ASCII)
_KINDS_OF_NUMBERS: Final = (
    "mobile", "fixed_line", "premium_rate", "toll_free", "shared_cost", "voip", "personal_number", "pager", "uan", "voicemail",
)  # fmt: skip
_RUNS: Final = ("01234567890123456789", "98765432109876543210")


def email_kind(email: str | None) -> EmailKind:
    """What kind of address it is; checked by syntax and by lists, never by asking the network.

    "disposable" and "free" count subdomains of listed disposable domains, and the usual free providers of each country.
    """
    if _given(email) is None:
        return "missing"
    domain = email_domain(email)
    return "invalid" if domain is None else _domain_kind(domain)


def email_domain(email: str | None) -> str | None:
    """The domain in lower-case ASCII ("xn--..." for other alphabets), None where there is no valid address."""
    text = _given(email)
    if text is None or len(text) > _LONGEST_EMAIL:
        return None
    ordinary = _ORDINARY.fullmatch(text) if len(text) <= 64 else None
    if ordinary and "--" not in ordinary[1]:
        domain = ordinary[1].lower()
        return None if domain.rpartition(".")[2] in SPECIAL_USE_DOMAIN_NAMES else domain
    return _checked_domain(text)


def email_matches_domain(email: str | None, account_domain: str | None) -> bool | None:
    """Whether the address is at the account's domain or a subdomain of it (or the other way round); None where either is not known.

    `account_domain` may be a whole web address. An address at a free provider does not match a company's domain: False.
    """
    mail = email_domain(email)
    return None if mail is None else _domain_told(mail, account_domain)[1]


def email_told(email: str | None, account_domain: str | None) -> tuple[EmailKind, bool | None]:
    """`email_kind` and `email_matches_domain` of an address that is read once."""
    domain = email_domain(email)
    return (email_kind(email), None) if domain is None else _domain_told(domain, account_domain)


def phone_kind(phone: str | None, country: str | None) -> PhoneKind:
    """Whether the number can exist in `country` (or in the country of its own "+46" or "0046").

    One digit repeated ("0000000000") or counted through ("1234567890") is invalid. Without any country a number of 7 to 15 digits passes.
    """
    return _phone_told(_given(phone), country_code(country))[0]


def phone_country(phone: str | None, country: str | None) -> str | None:
    """ISO 3166 alpha-2 code of the number's country; None where the number is missing, invalid or says no country ("+800")."""
    return _phone_told(_given(phone), country_code(country))[1]


def phone_told(phone: str | None, country: str | None) -> tuple[PhoneKind, bool | None]:
    """`phone_kind`, and whether the number's country is this one (None where either is not known), of a number that is read once."""
    home = country_code(country)
    kind, found = _phone_told(_given(phone), home)
    return kind, None if home is None or found is None else home == found


def _phone_told(phone: str | None, home: str | None) -> tuple[PhoneKind, str | None]:
    if phone is None:
        return "missing", None
    region = _region(phone, home)
    if home is None and not _international(phone):
        kind: PhoneKind = "valid" if 7 <= len(_digits(phone)) <= 15 and not _made_up(_digits(phone)) else "invalid"
    else:
        kind = "invalid" if region is None else "valid"
    return kind, None if region == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY else region


def country_code(text: str | None) -> str | None:
    """ISO 3166 alpha-2 code of a code or a name ("se", "Sverige", "USA", "中国"); None where it is not known."""
    name = _given(text)
    return _named_country(name) if name and len(name) <= _LONGEST_COUNTRY else None


@lru_cache(maxsize=4096)
def _named_country(name: str) -> str | None:
    named = country_names().get(fold(name))
    return named or (name.upper() if name.upper() in phonenumbers.SUPPORTED_REGIONS else None)


def _given(text: str | None) -> str | None:
    return canonical(text) if text else None


def _checked_domain(email: str) -> str | None:
    try:
        return validate_email(email, check_deliverability=False).ascii_domain.lower()
    except EmailNotValidError:
        return None


@lru_cache(maxsize=65_536)
def _domain_kind(domain: str) -> EmailKind:
    labels = domain.split(".")
    if any(".".join(labels[i:]) in blocklist for i in range(len(labels) - 1)):
        return "disposable"
    return "free" if domain in FREE_DOMAINS or _BRANDS.fullmatch(domain) else "business"


@lru_cache(maxsize=65_536)
def _domain_told(mail: str, account_domain: str | None) -> tuple[EmailKind, bool | None]:
    site = _site_domain(account_domain[:_LONGEST_SITE] if account_domain else None)
    same = None if site is None else f".{mail}".endswith(f".{site}") or f".{site}".endswith(f".{mail}")
    return _domain_kind(mail), same


@lru_cache(maxsize=65_536)
def _site_domain(site: str | None) -> str | None:
    text = _given(site)
    found = _SITE.fullmatch(text) if text else None
    return _checked_domain(f"postmaster@{found[1]}") if found else None


def _international(phone: str) -> str | None:
    """The number with its plus sign, where it says its country: "+46 ..." or "0046 ..."."""
    digits = phone.strip(" (").removeprefix("tel:").strip()
    if digits.startswith(("+", "＋")):
        return digits
    return f"+{digits[2:]}" if digits.startswith("00") else None


def _region(phone: str, home: str | None) -> str | None:
    """Region of a number that can exist, None for any other."""
    text = _international(phone) or phone
    found = _written_out(text) or _parsed(text, home)
    if found is None or _made_up(_digits(phone)) or _made_up(found[1].lstrip("0")):
        return None
    region = _region_of(*found)
    return region if region and _existing(found[0], region)(found[1]) else None


_Number = tuple[int, str]
"""Calling code, and the digits behind it."""


def _written_out(phone: str) -> _Number | None:
    """What `phonenumbers.parse` makes of a number written as programs do, "+46 70 174 76 22", for a fraction of its time; None for any that needs
    more thought, such as one with a trunk prefix behind the country's code."""
    digits = phone[1:].replace(" ", "") if _ORDINARY_PHONE.fullmatch(phone) else ""
    for size in (1, 2, 3) if 7 <= len(digits) <= 15 else ():
        code = int(digits[:size])
        if code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
            national, begins = digits[size:], _trunk(code)
            return (code, national) if national[0] != "0" and begins is not None and not begins.match(national) else None
    return None


def _parsed(phone: str, home: str | None) -> _Number | None:
    try:
        parsed = phonenumbers.parse(phone, home)
    except phonenumbers.NumberParseException:
        return None
    return int(parsed.country_code or 0), phonenumbers.national_significant_number(parsed)


def _region_of(code: int, national: str) -> str | None:
    """`phonenumbers.region_code_for_number`."""
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(code, ())
    if len(regions) == 1:
        return str(regions[0])
    return next((region for region in regions if _belongs(code, region)(national)), None)


@lru_cache(maxsize=1_000)
def _belongs(code: int, region: str) -> Callable[[str], object]:
    """Whether a number of a calling code that several regions share is of this one."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
    leading = metadata and metadata.leading_digits
    return re.compile(leading).match if leading else _existing(code, region)


@lru_cache(maxsize=1_000)
def _existing(code: int, region: str) -> Callable[[str], object]:
    """Whether a number can exist in the region: `phonenumbers.is_valid_number_for_region`, the kinds of numbers in one pattern instead of ten."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(code, region)
    described = [getattr(metadata, kind) for kind in _KINDS_OF_NUMBERS] if metadata else []
    kinds = [_pattern(one) for one in described if one is not None and one.national_number_pattern]
    everything = metadata.general_desc if metadata else None
    general = _pattern(everything) if everything is not None and everything.national_number_pattern else "(?!)"
    return re.compile(f"(?={general}\\Z)(?:{'|'.join(kinds) or '(?!)'})").fullmatch


def _pattern(kind: phonenumbers.PhoneNumberDesc) -> str:
    """Of the whole number; its lengths are told beside it."""
    lengths = "|".join(f".{{{size}}}\\Z" for size in kind.possible_length)
    return f"(?:(?={lengths})(?:{kind.national_number_pattern}))"


@lru_cache(maxsize=1_000)
def _trunk(code: int) -> re.Pattern[str] | None:
    """What may stand before a number within the country of a calling code; None where that is not known."""
    region = phonenumbers.region_code_for_country_code(code)
    metadata = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(code, region)
    return re.compile(metadata.national_prefix_for_parsing or "(?!)") if metadata else None


def _digits(phone: str) -> str:
    return "".join(filter(str.isdigit, _EXTENSION.sub("", phone)))


def _made_up(digits: str) -> bool:
    """One digit over and over, or counting up or down: what people type to get past a form."""
    return len(set(digits)) < 2 or digits in _RUNS[0] or digits in _RUNS[1]
