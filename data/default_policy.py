"""What a team need not write under [policy] of its funnel.toml: next steps, what shows a need, and the words of common CRMs for a deal's stages."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

_DealStage = Literal["prospecting", "discovery", "proposal", "closing"]

NEXT_STEPS: Mapping[str, tuple[Mapping[str, Any], ...]] = MappingProxyType(
    {
        "lead": (
            {"text": "Send an article on their problem", "levels": ("unknown", "likely"), "had": ("article", "article_read", "article_sent")},
            {"text": "Offer a guide", "gates": ("opportunity",), "had": ("guide", "guide_download", "download")},
            {"text": "Invite to the newsletter", "had": ("newsletter", "newsletter_signup", "email_unsubscribe")},
            {"text": "Connect on social media", "levels": ("unknown",), "had": ("social", "social_follow", "linkedin_connect")},
            {"text": "Send a data sheet", "levels": ("likely", "known"), "had": ("data_sheet", "datasheet_download")},
            {"text": "Ask who decides, in a short e-mail", "kind": "contact", "gates": ("stakeholder",), "levels": ("unknown", "likely")},
            {"text": "Look the company up and complete what is missing", "kind": "contact", "gates": ("organization",)},
            {"text": "Call", "kind": "contact"},
        ),
        "prospect": (
            {"text": "Invite to a webinar", "gates": ("opportunity",), "had": ("webinar", "webinar_register", "webinar_attend")},
            {"text": "Offer a quiz on where they stand", "gates": ("opportunity",), "levels": ("unknown", "likely"), "had": ("quiz", "quiz_done")},
            {"text": "Send a white paper", "levels": ("unknown", "likely"), "had": ("white_paper", "whitepaper_download")},
            {"text": "Send a case study from their industry", "had": ("case_study", "case_study_download", "case_study_sent")},
            {"text": "Send the data sheet", "levels": ("likely", "known"), "had": ("data_sheet", "datasheet_download")},
            {"text": "Put on the e-mail sequence for prospects", "levels": ("unknown",), "had": ("email_sequence", "email_unsubscribe")},
            {"text": "Meet those who decide", "kind": "contact", "gates": ("stakeholder",), "levels": ("known",)},
            {"text": "Call", "kind": "contact"},
        ),
        "opportunity": (
            {"text": "Call to agree on a first meeting", "kind": "contact", "deals": ("prospecting",), "had": ("meeting", "demo")},
            {"text": "Give a demo", "kind": "contact", "deals": ("prospecting", "discovery"), "had": ("demo", "demo_done")},
            {"text": "Bring the other stakeholders together", "kind": "contact", "gates": ("stakeholder",), "had": ("stakeholder_meeting",)},
            {"text": "Send a proposal", "kind": "contact", "deals": ("discovery", "proposal"), "had": ("proposal", "proposal_sent", "quote_sent")},
            {"text": "Send the contract", "kind": "contact", "deals": ("closing",), "had": ("contract", "contract_sent")},
            {"text": "Put them in touch with a reference customer", "kind": "contact", "deals": ("proposal", "closing"), "had": ("reference_call",)},
            {"text": "Send a case study from their industry", "had": ("case_study", "case_study_download", "case_study_sent")},
            {"text": "Call to agree on what happens next, and when", "kind": "contact"},
        ),
        "customer": ({"text": "Welcome and hand over to customer success", "kind": "contact", "had": ("handover", "onboarding")},),
    }
)  # fmt: skip

# What shows it for certain, what makes it likely: event types, or words in the name of an attribute that is filled in. Interest fades: an event
# shows desire for 30 days, everything else for good.
FACTS: Mapping[Literal["need", "ability", "desire", "authority"], tuple[tuple[str, ...], tuple[str, ...]]] = MappingProxyType(
    {
        "need": (
            ("demo_request", "demo", "meeting", "trial_start", "trial_use", "pain", "need", "use_case", "challenge", "problem", "requirement"),
            ("pricing_page_view", "download", "webinar", "webinar_attend", "inbound_call", "chat"),
        ),
        "ability": (("budget",), ("revenue", "turnover", "funding", "spend")),
        "desire": (
            ("email_reply", "demo_request", "meeting", "trial_start", "trial_use", "inbound_call", "chat", "timeline", "timeframe"),
            ("inbound",),
        ),
        "authority": (("decision_maker", "seniority_4"), ("seniority_3", "influencer")),
    }
)

DEAL_STAGE_WORDS: Mapping[_DealStage, tuple[str, ...]] = MappingProxyType(
    {
        "prospecting": ("new", "open", "deal opened", "appointment scheduled", "qualification", "qualified to buy", "qualified", "first contact",
                        "pipeline"),
        "discovery": ("needs analysis", "value proposition", "id. decision makers", "perception analysis", "demo", "presentation", "evaluation",
                      "presentation scheduled", "decision maker bought-in", "analysis", "discovery call", "trial", "proof of concept"),
        "proposal": ("proposal sent", "quote", "quoted", "offer", "offer sent", "proposal/price quote", "price quote"),
        "closing": ("negotiation", "negotiating", "negotiation/review", "contract", "contract sent", "verbal commitment", "legal",
                    "procurement", "commit"),
    }
)  # fmt: skip
