"""Small real bundles, made by hand: no training, the same code as a trained one from the store on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data.funnel import Funnel
from data.store import Store, open_store
from features.attributes import Attribute
from features.declarations import EventType
from features.schema import Schema
from registry.bundle import Bundle, HopModel
from registry.calibrator import Calibrator
from registry.models import Constant, Linear, Model

SCHEMA = Schema(
    ("lead", "prospect", "opportunity", "customer"),
    ("disqualified", "lost"),
    (
        EventType("email_open", "Opened an e-mail", "interest", "inbound", False),
        EventType("pricing_page_view", "Viewed the pricing page", "interest", "inbound", False),
        EventType("call", "Was called", "interest", "outbound", True),
    ),
    (
        Attribute("industry", "category", ("account.industry",), "organization", "Industry", ("it", "retail")),
        Attribute("budget", "number", ("lead.budget",), "opportunity", "Budget"),
    ),
)
LEAD_ODDS, AHEAD_ODDS, PROSPECT_ODDS = -1.2, -0.7, -0.4


def linear(intercept: float, effects: Mapping[str, float]) -> Linear:
    """Log-odds with these effects per unit of the named columns, none of the others; nothing is clipped."""
    p = len(SCHEMA.columns)
    coefficient = np.array([effects.get(column.name, 0.0) for column in SCHEMA.columns])
    zero, one = np.zeros(p), np.ones(p)
    return Linear(intercept, coefficient, zero, np.full(p, -1e30), np.full(p, 1e30), np.zeros(p, bool), zero, one)


def hop(stage: str, transition: str, model: Model, **evaluation: Any) -> HopModel:
    population = np.linspace(0.05, 0.95, 19)
    return HopModel(stage, transition, 28, model, Calibrator(), Constant(-1.5), population, evaluation)


def bundle(intercept: float = LEAD_ODDS) -> Bundle:
    """A funnel lead -> prospect -> opportunity; more pricing page views make a prospect likelier."""
    views = {"pricing_page_view_count_7d": 0.5, "industry=it": 0.3, "budget": 1e-5}
    hops = (
        hop("lead", "lead->prospect", linear(intercept, views), test={"auc": 0.8, "brier": 0.1}, intervals={"auc": [0.75, 0.85]}),
        hop("lead", "prospect->opportunity", linear(AHEAD_ODDS, views)),
        hop("prospect", "prospect->opportunity", Constant(PROSPECT_ODDS), test={"auc": 0.5, "brier": 0.2}),
    )
    about = {"trained_at": "2026-11-01T00:00:00Z", "data_end": "2026-10-31T00:00:00Z", "left_out": [], "leaks": []}
    return Bundle(SCHEMA, ("lead", "prospect", "opportunity"), hops, Funnel().training_document(), about)


def promote(store: Store, version: str, made: Bundle) -> None:
    """What publishing does: the bundle's bytes into the store, and the pointer on it."""
    store.put_bundle(version, made.hash, made.to_bytes())
    store.promote(version, "test")


def store_at(folder: Path) -> Store:
    return open_store(f"sqlite:///{folder / 'leadscore.db'}")
