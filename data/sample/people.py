"""Who the leads are, as codes, and their fit: what the recorded attributes, missing ones included, add to the chances.

The last code of an attribute that can be missing stands for "not recorded": only what is recorded has an effect.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from data.sample.draws import uniforms
from data.sample.parameters import ANONYMOUS_DAYS, DAYS, Floats, Ints

SOURCES = ("website", "paid_search", "paid_social", "referral", "event", "partner", "purchased_list")
CAMPAIGNS = ("spring", "launch", "always_on")
COUNTRIES = ("US", "GB", "SE", "DE", "AT", "PT", "BR", "NO", "CN")
INDUSTRIES = ("software", "manufacturing", "finance", "healthcare", "retail", "education", "logistics", "public sector")
BANDS = ((1, 9), (10, 49), (50, 199), (200, 999), (1000, 4999), (5000, 20_000))
SENIORITIES = ("chief", "vp", "director", "manager", "specialist", "junior")
FUNCTIONS = ("it", "marketing", "sales", "finance", "operations", "hr")
EMAILS = ("business", "free", "disposable", "malformed")
PHONES = ("valid", "wrong")

_COUNTRY_SHARE = (0.22, 0.13, 0.14, 0.14, 0.04, 0.06, 0.11, 0.08, 0.08)
_SOURCE_SHARE = (0.22, 0.17, 0.14, 0.10, 0.10, 0.08, 0.14, 0.05)
_INTENT_AT_FIRST = ((0.42, 0.44, 0.14), (0.47, 0.41, 0.12), (0.60, 0.35, 0.05), (0.30, 0.48, 0.22), (0.50, 0.41, 0.09),
                    (0.40, 0.44, 0.16), (0.86, 0.13, 0.01), (0.54, 0.37, 0.09))  # fmt: skip
_CAMPAIGN_FACTOR = (0.92, 1.1, 1.0)

# Attribute -> (effect on lead->prospect, effect on prospect->opportunity) for each code, in log-hazard.
_EFFECTS = {
    "source": ((0.10, 0.0, -0.30, 0.55, 0.10, 0.40, -0.70, -0.10), (0.0,) * 8),
    "industry": ((0.45, 0.20, 0.20, -0.10, -0.35, -0.65, 0.0, -0.50, -0.15), (0.35, 0.35, 0.10, 0.0, -0.45, -0.60, 0.0, -0.45, -0.10)),
    "band": ((-0.80, -0.10, 0.40, 0.55, 0.10, -0.40, -0.25), (-0.80, -0.10, 0.50, 0.50, 0.0, -0.40, -0.20)),
    "country": ((0.0,) * 10, (0.0,) * 10),
    "seniority": ((0.35, 0.50, 0.50, 0.15, -0.25, -0.90, -0.25), (0.70, 0.60, 0.40, 0.0, -0.50, -0.80, -0.20)),
    "function": ((0.20, 0.20, 0.20, -0.10, 0.0, -0.35, 0.0), (0.0,) * 7),
    "email": ((0.15, -0.30, -1.30, -0.70, -0.30), (0.10, -0.20, -0.80, -0.40, -0.20)),
    "phone": ((0.15, -0.45, -0.10), (0.0,) * 3),
}  # fmt: skip


@dataclass(frozen=True)
class People:
    """One row per lead (n,): codes into the tuples above; `account` is -1 where there is none. `employees` has no missing value: see `band`."""

    created_day: Ints
    created_second: Ints
    account: Ints
    source: Ints
    campaign: Ints
    industry: Ints
    band: Ints
    employees: Ints
    home: Ints  # where they live, known or not
    country: Ints  # as recorded
    seniority: Ints
    function: Ints
    email: Ints
    phone: Ints

    @property
    def tracked(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Leads whose anonymous visits are known: they came through our own pages."""
        return self.source <= 1

    @property
    def first_day(self) -> Ints:
        """The day on which a lead's intent begins to be watched."""
        return self.created_day - ANONYMOUS_DAYS * self.tracked

    @property
    def inbound_factor(self) -> Floats:
        """What the campaign multiplies a lead's inbound rates by; 1 where the source is not recorded."""
        return np.where(self.source < len(SOURCES), np.array(_CAMPAIGN_FACTOR)[self.campaign], 1.0)

    @property
    def intent_at_first(self) -> Floats:
        """(n, 3) chances of the three intents on the first day."""
        return np.array(_INTENT_AT_FIRST)[self.source]

    @property
    def fit(self) -> Floats:
        """(n, 2) what the attributes add to the log-hazards of lead->prospect and of prospect->opportunity."""
        total = sum((np.array(effects).T[getattr(self, name)] for name, effects in _EFFECTS.items()), np.zeros((1, 2)))
        grown_software = (self.industry == 0) & np.isin(self.band, (2, 3))
        anonymous_click = (self.source == 2) & (self.email == 1)
        return np.asarray(total + 0.35 * grown_software[:, None] - 0.45 * anonymous_click[:, None] - (0.10, 0.15))


def people(leads: int, seed: int) -> People:
    """Draw `leads` people; the first one arrives at the very end of the data, so that `data_end` is the same in every world."""
    lead = np.arange(leads)
    draw = partial(_choice, seed, lead)
    account = np.where(draw("has account", (0.1, 0.9)) == 1, lead // 4 * 3 + draw("colleague", (0.4, 0.3, 0.3)), -1)
    own = np.where(account >= 0, account, -1 - lead)
    of_account = partial(_choice, seed, own)
    industry = _or_missing(of_account("industry", (0.22, 0.16, 0.12, 0.11, 0.14, 0.09, 0.1, 0.06)), seed, own, "industry?", 0.10, 8)
    band = of_account("band", (0.24, 0.27, 0.2, 0.15, 0.09, 0.05))
    low, high = np.array(BANDS).T[:, band]
    employees = np.floor(np.exp(np.log(low) + _uniforms(seed, own, "employees") * (np.log(high + 1) - np.log(low)))).astype(np.int64)
    recorded_band = np.where(account >= 0, _or_missing(band, seed, own, "band?", 0.12, 6), 6)
    home = np.where(draw("abroad", (0.85, 0.15)) == 0, of_account("country", _COUNTRY_SHARE), draw("home", _COUNTRY_SHARE))
    seniority, titled = draw("seniority", (0.1, 0.08, 0.16, 0.3, 0.26, 0.1)), draw("title?", (0.1, 0.9)) == 1
    created_day, created_second = _arrivals(lead, seed)
    return People(
        created_day=created_day,
        created_second=created_second,
        account=account,
        source=draw("source", _SOURCE_SHARE),
        campaign=draw("campaign", (0.35, 0.3, 0.35)),
        industry=np.where(account >= 0, industry, 8),
        band=recorded_band,
        employees=np.clip(employees, low, high),
        home=home,
        country=_or_missing(home, seed, lead, "country?", 0.08, 9),
        seniority=np.where(titled, seniority, 6),
        function=np.where(titled, draw("function", (0.24, 0.2, 0.18, 0.13, 0.15, 0.1)), 6),
        email=draw("email", (0.68, 0.18, 0.05, 0.04, 0.05)),
        phone=draw("phone", (0.58, 0.12, 0.30)),
    )


def stream(name: str) -> int:
    """A stable number for the name of a stream of draws."""
    return int.from_bytes(name.encode()[-7:], "big")


def _uniforms(seed: int, items: Ints, name: str) -> Floats:
    return np.asarray(uniforms(seed, stream(name), items))


def _choice(seed: int, items: Ints, name: str, shares: tuple[float, ...]) -> Ints:
    """One code per item, drawn with these shares."""
    steps = np.cumsum(shares)
    return np.minimum(np.searchsorted(steps / steps[-1], _uniforms(seed, items, name), side="right"), len(shares) - 1)


def _or_missing(codes: Ints, seed: int, items: Ints, name: str, share: float, missing: int) -> Ints:
    return np.where(_uniforms(seed, items, name) < share, missing, codes)


def _arrivals(lead: Ints, seed: int) -> tuple[Ints, Ints]:
    """Day since the start and second of the day: growing over the years, few at weekends and in July. The world begins on a Sunday."""
    day = np.arange(DAYS)
    weight = (1.0 + 0.3 * day / DAYS) * np.where(np.isin(day % 7, (0, 6)), 0.35, 1.0) * np.where(day % 365 < 31, 0.7, 1.0)
    steps = np.cumsum(weight)
    created = np.minimum(np.searchsorted(steps / steps[-1], _uniforms(seed, lead, "arrival"), side="right"), DAYS - 1)
    second = (6 + 14 * _uniforms(seed, lead, "created at")) * 3600
    return np.where(lead == 0, DAYS, created), np.where(lead == 0, 0, second.astype(np.int64))
