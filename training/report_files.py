"""Where reports lie for people to open: one HTML file for each registered version."""

from pathlib import Path

from data.home import leadscore_home


def report_path(version: str) -> Path:
    """`LEADSCORE_HOME/reports/<version>.html`, whether or not it is there."""
    return leadscore_home() / "reports" / f"{version}.html"


def write_report(version: str, page: str) -> Path:
    """Writes a version's report and returns where it lies."""
    path = report_path(version)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path
