"""What a team need not write into its funnel.toml: the words of common CRMs, known event types, next steps."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

Level = Literal["organization", "opportunity", "stakeholder", "interest"]
Direction = Literal["inbound", "outbound"]

STAGE_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "lead": (
            "new", "raw", "raw lead", "new lead", "open", "open lead", "not contacted", "open - not contacted", "contacted",
            "attempted to contact", "attempting", "working", "in progress", "connected", "inquiry", "enquiry", "suspect",
            "subscriber", "nurture", "nurturing", "engaged", "contact", "visitor", "aware",
        ),
        "prospect": (
            "MQL", "SQL", "SAL", "marketing qualified lead", "sales qualified lead", "sales accepted lead",
            "marketing qualified", "sales qualified", "sales accepted", "qualified", "qualified lead", "qualification",
            "accepted", "PQL", "product qualified lead", "pre-qualified", "discovery",
        ),
        "opportunity": (
            "deal", "deal opened", "open deal", "qualified opportunity", "SQO", "sales qualified opportunity", "opp",
            "converted", "proposal", "proposal sent", "quote", "quoted", "offer", "offer sent", "negotiation",
            "negotiating", "evaluation", "demo", "presentation scheduled", "appointment scheduled", "qualified to buy",
            "decision maker bought-in", "contract sent", "contract", "verbal commitment", "value proposition",
            "needs analysis", "id. decision makers", "perception analysis", "proposal/price quote",
            "negotiation/review", "pipeline",
        ),
        "customer": ("closed won", "won", "deal won", "client", "customer won", "existing customer", "evangelist", "buyer",
                     "purchased", "signed", "active customer", "sold"),
        "disqualified": (
            "unqualified", "junk", "junk lead", "declined", "rejected", "not qualified", "spam", "invalid", "bad data",
            "bad fit", "no fit", "duplicate", "do not contact", "unreachable", "DQ", "discarded", "recycled",
            "closed - not converted", "not interested", "dead", "cancelled", "canceled",
        ),
        "lost": ("closed lost", "deal lost", "lost deal", "lost lead", "lost opportunity", "lost to competition",
                 "closed - lost", "no decision", "churned", "former customer", "lost customer", "abandoned"),
    }
)  # fmt: skip

# Type name -> label for people, qualification level, direction.
EVENT_TYPES: Mapping[str, tuple[str, Level, Direction]] = MappingProxyType(
    {
        "email_open": ("Opened an e-mail", "interest", "inbound"),
        "email_click": ("Clicked a link in an e-mail", "interest", "inbound"),
        "email_reply": ("Replied to an e-mail", "interest", "inbound"),
        "email_unsubscribe": ("Unsubscribed", "interest", "inbound"),
        "page_view": ("Viewed a page", "interest", "inbound"),
        "pricing_page_view": ("Viewed the pricing page", "opportunity", "inbound"),
        "form_submit": ("Sent a form", "interest", "inbound"),
        "download": ("Downloaded something", "interest", "inbound"),
        "webinar_register": ("Registered for a webinar", "interest", "inbound"),
        "webinar_attend": ("Attended a webinar", "interest", "inbound"),
        "webinar": ("Attended a webinar", "interest", "inbound"),
        "meeting": ("Met with us", "opportunity", "inbound"),
        "demo": ("Saw a demo", "opportunity", "inbound"),
        "demo_request": ("Asked for a demo", "opportunity", "inbound"),
        "trial_start": ("Started a trial", "opportunity", "inbound"),
        "trial_use": ("Used the trial", "opportunity", "inbound"),
        "chat": ("Chatted with us", "interest", "inbound"),
        "inbound_call": ("Called us", "interest", "inbound"),
        "email_sent": ("Was sent an e-mail", "interest", "outbound"),
        "email_bounce": ("An e-mail bounced", "stakeholder", "outbound"),
        "outbound_call": ("Was called", "interest", "outbound"),
        "call": ("Was called", "interest", "outbound"),
        "sms": ("Was sent a text message", "interest", "outbound"),
        "letter": ("Was sent a letter", "interest", "outbound"),
    }
)

# Tried in this order on the words of an unknown event type's name.
OUTBOUND_WORDS = frozenset({"sent", "outbound", "outgoing", "out", "call", "called", "dial", "sms", "letter", "mailing", "send",
                            "delivered", "bounce", "bounced", "voicemail", "offered"})  # fmt: skip
INBOUND_WORDS = frozenset({"inbound", "incoming", "open", "opened", "click", "clicked", "reply", "replied", "view", "viewed",
                           "visit", "visited", "page", "form", "submit", "submitted", "download", "downloaded", "webinar",
                           "meeting", "demo", "trial", "signup", "register", "registered", "attend", "attended", "login",
                           "chat", "request", "requested", "unsubscribe", "unsubscribed", "search", "read",
                           "watch", "watched"})  # fmt: skip
