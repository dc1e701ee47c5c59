"""A small ideal customer profile."""

from math import log
from typing import Any

from registry.profile import Profile, Trait, Value


def value(name: str, points: float, begin: float | None = None, end: float | None = None) -> Value:
    return Value(name, 100, 10, 1.0, 0.5, 2.0, points, begin=begin, end=end)


def trait(name: str, column: str, kind: Any, label: str, *values: Value) -> Trait:
    return Trait(name, column, kind, "organization" if column.startswith("account") else "stakeholder", label, 1.0, values, 0, 0, False)


PROFILE = Profile(
    "customer", 90, 300, 30, 0.7,
    (
        trait("account_industry", "account.industry", "category", "Account industry", value("it", log(2)), value("retail", -log(3))),
        trait("employees", "account.employees", "number", "Account employees", value("<50", -0.2, None, 49.0), value("50+", 0.3, 50.0)),
        trait("job_title_seniority", "lead.job_title", "seniority", "Job title: seniority",
              value("director", 0.4), value("chief", 0.3), value("specialist", -0.4)),
        trait("source", "lead.source", "category", "Source", value("web", 0.0)),
    ),
    {"": (-2.0, -1.0, 0.0, 0.5, 1.0)},
)  # fmt: skip
