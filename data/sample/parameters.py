"""The sample world's laws: its calendar, its event types, how intent moves, and how often a stage changes overnight.

Everything is per day. Axes: stage = `STAGES + EXITS` in order (and `ANONYMOUS`, a visitor not yet created), intent = dormant, curious, ready.
"""

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from data.contract import DAY, EXITS, STAGES

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

END = 20_634 * DAY  # 2026-06-30T00:00:00Z
DAYS = 730
START = END - DAYS * DAY
ANONYMOUS_DAYS = 14  # visits kept from before a tracked lead sends its first form
LATE_DAYS = 5
LATE_SHARE = 0.4

STAGE_NAMES = STAGES + EXITS
LEAD, PROSPECT, OPPORTUNITY, CUSTOMER, DISQUALIFIED, LOST, ANONYMOUS = range(7)

# type -> daily rate of a lead that is dormant, curious, ready
INBOUND = MappingProxyType(
    {
        "email_open": (0.012, 0.13, 0.4),
        "email_click": (0.002, 0.06, 0.26),
        "email_reply": (0.0004, 0.008, 0.12),
        "page_view": (0.006, 0.2, 0.7),
        "pricing_page_view": (0.0004, 0.012, 0.42),
        "form_submit": (0.0003, 0.01, 0.05),
        "download": (0.0005, 0.03, 0.06),
        "webinar": (0.0005, 0.015, 0.025),
        "meeting": (0.0001, 0.003, 0.11),
        "trial_use": (0.0002, 0.015, 0.55),
        "email_unsubscribe": (0.0015, 0.0006, 0.0001),
    }
)
OUTBOUND = ("email_sent", "outbound_call")
EVENT_TYPES = (*INBOUND, *OUTBOUND)
LATE_TYPES = ("meeting", "outbound_call")  # people log these, some of them days later
MEETING = EVENT_TYPES.index("meeting")

ACTIVITY = (0.92, 1.09)  # a lead's own lasting habit multiplies its inbound rates; hidden, either is as likely


@dataclass(frozen=True)
class Laws:
    """The world's rates as arrays that the kernels read.

    `inbound` (7, 3, types) and `outbound` (7, types): events a day. `intent` (3, 3): tomorrow's intent given today's.
    `hazard` (6, 3, 6): stage changes a night at fit 0; `push` (6, 6, 2): what a unit of each fit adds to its logarithm.
    """

    inbound: Floats
    outbound: Floats
    intent: Floats
    hazard: Floats
    push: Floats
    activity: Floats
    late: npt.NDArray[np.bool_]


def laws() -> Laws:
    """The laws of the sample world, the same for every seed."""
    hazard, push = _overnight()
    return Laws(
        inbound=_inbound(),
        outbound=_outbound(),
        intent=np.array([[0.9962, 0.0028, 0.0010], [0.045, 0.920, 0.035], [0.015, 0.040, 0.945]]),
        hazard=hazard,
        push=push,
        activity=np.array(ACTIVITY),
        late=np.array([name in LATE_TYPES for name in EVENT_TYPES]),
    )


def _inbound() -> Floats:
    rates = np.zeros((7, 3, len(EVENT_TYPES)))
    as_lead = np.array([INBOUND.get(name, (0.0, 0.0, 0.0)) for name in EVENT_TYPES]).T
    for stage, factor in ((LEAD, 1.0), (PROSPECT, 1.1), (OPPORTUNITY, 1.2), (CUSTOMER, 0.4), (DISQUALIFIED, 0.5), (LOST, 0.5)):
        rates[stage] = as_lead * factor
    for stage, factor in ((PROSPECT, 3.0), (OPPORTUNITY, 4.0)):
        rates[stage, :, MEETING] *= factor
    for name in ("page_view", "pricing_page_view"):
        kind = EVENT_TYPES.index(name)
        rates[ANONYMOUS, :, kind] = 0.7 * as_lead[:, kind]
    return rates


def _outbound() -> Floats:
    rates = np.zeros((7, len(EVENT_TYPES)))
    sent, called = (EVENT_TYPES.index(name) for name in OUTBOUND)
    rates[:CUSTOMER, sent] = 0.03, 0.08, 0.10
    rates[:CUSTOMER, called] = 0.01, 0.05, 0.08
    rates[CUSTOMER:ANONYMOUS, sent] = 0.02, 0.008, 0.008
    rates[CUSTOMER, called] = 0.01
    return rates


def _overnight() -> tuple[Floats, Floats]:
    hazard, push = np.zeros((6, 3, 6)), np.zeros((6, 6, 2))
    steps = (
        (LEAD, PROSPECT, (0.0001, 0.006, 0.090), (1.0, 0.0)),
        (LEAD, OPPORTUNITY, (0.0, 0.0001, 0.0015), (1.0, 0.0)),
        (LEAD, DISQUALIFIED, (0.0350, 0.0060, 0.0005), (-0.3, 0.0)),
        (PROSPECT, OPPORTUNITY, (0.0002, 0.005, 0.065), (0.0, 0.65)),
        (PROSPECT, DISQUALIFIED, (0.010, 0.004, 0.0015), (0.0, -0.4)),
        (PROSPECT, LEAD, (0.0015, 0.0005, 0.0), (0.0, 0.0)),
        (OPPORTUNITY, CUSTOMER, (0.001, 0.007, 0.028), (0.0, 0.5)),
        (OPPORTUNITY, LOST, (0.012, 0.009, 0.005), (0.0, -0.3)),
        (DISQUALIFIED, LEAD, (0.0006, 0.010, 0.020), (0.0, 0.0)),
        (LOST, LEAD, (0.001, 0.006, 0.012), (0.0, 0.0)),
    )
    for origin, target, rates, pushes in steps:
        hazard[origin, :, target] = rates
        push[origin, target] = pushes
    return hazard, push
