"""The report: a whole page, true to the evaluation to the digit, that asks nothing of the network and tells nobody's data."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.flat import FlatColumns, read_flat
from data.funnel import Funnel
from data.sample.parameters import END as NOW
from registry import tracking
from training.commands import settle
from training.evaluation import METRICS
from training.figures import inline_svg, quality_plots
from training.flat import train_flat
from training.plots import gain_plot
from training.report import STYLES, document, number, report_html
from training.report_files import report_path
from training.run import Trained
from worlds import World

VOID = {"meta", "link", "br", "hr", "img", "input", "wbr", "data-none"}
HOSTILE = '<script>alert("x")</script>&<img src=http://evil.example/x onerror=alert(1)>{{ 7 * 7 }}'
CALLS = 3


class Page(HTMLParser):
    """What stands where: every tag closed in its order, the numbers, ids and links."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.open: list[str] = []
        self.numbers: list[tuple[list[Any], float, str]] = []
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self._number: tuple[list[Any], float] | None = None
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._seen(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "data":
            told = dict(attrs)
            self._number = json.loads(str(told["data-path"])), float(str(told["value"]))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._seen(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self._number = None

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self._number is not None:
            self.numbers.append((*self._number, data))

    def _seen(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]


def at(told: Any, path: list[Any]) -> Any:
    for step in path:
        told = told[step]
    return told


def page_of(trained: Trained, calls: int = CALLS) -> str:
    return report_html(trained.bundle, trained.report, trained.forward, calls)


def with_report(trained: Trained, change: Any) -> Trained:
    """The same with every evaluation and what is told of the bundle changed by `change`."""
    hops = tuple(replace(hop, evaluation=change(hop.evaluation)) for hop in trained.bundle.hops)
    bundle = replace(trained.bundle, hops=hops, about=change(trained.bundle.about))
    return replace(trained, bundle=bundle, report=change(trained.report))


@pytest.fixture(scope="module")
def html(sample: World) -> str:
    return page_of(sample.trained)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_it_is_one_whole_page(html: str, page: Page) -> None:
    assert html.lstrip().lower().startswith("<!doctype html>")
    assert page.tags.count("html") == page.tags.count("main") == page.tags.count("h1") == 1
    assert len(page.ids) == len(set(page.ids))
    inside = [value[1:] for _, name, value in page.attributes if name in ("href", "xlink:href")]
    assert set(inside) <= set(page.ids)
    assert "undefined" not in html.lower()


def test_it_asks_nothing_of_the_network(html: str, page: Page) -> None:
    assert not {"script", "link", "iframe", "img", "object", "embed"} & set(page.tags)
    assert not re.findall(r"https?:|@import|url\((?!#)|\bsrc=", html)
    assert all(value.startswith("#") for _, name, value in page.attributes if name in ("href", "xlink:href"))
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]


def test_every_number_is_the_evaluations(sample: World, page: Page) -> None:
    told = document(sample.bundle, sample.trained.report, sample.trained.forward, CALLS)
    assert len(page.numbers) > 300
    for path, value, text in page.numbers:
        found = at(told, path)
        assert value == found, path
        assert text in {style(found).replace("-", "−") for style in STYLES.values()}, path
    transitions = sample.trained.report["transitions"]
    for path, _, _ in page.numbers:
        if path[0] == "transitions":
            assert at(transitions, path[1:]) == pytest.approx(at(told, path), abs=0), "the page tells what `train --json` tells"


def test_every_headline_number_has_its_interval(sample: World, page: Page) -> None:
    paths = {tuple(path) for path, _, _ in page.numbers}
    for transition in sample.trained.report["transitions"]:
        for metric in METRICS:
            ends = {("transitions", transition, "intervals", metric, end) for end in (0, 1)}
            assert {("transitions", transition, "test", metric)} | ends <= paths, (transition, metric)


@pytest.mark.parametrize("part", ["capacity", "ages", "months", "segments", "fields", "landmarks", "random_split", "baselines", "better_than"])
def test_each_part_is_told_of_each_transition(sample: World, page: Page, part: str) -> None:
    told = {path[1] for path, _, _ in page.numbers if path[0] == "transitions" and path[2] == part}
    assert told == set(sample.trained.report["transitions"])


def test_pictures_say_what_they_show(sample: World, page: Page) -> None:
    labels = [value for tag, name, value in page.attributes if tag == "svg" and name == "aria-label"]
    assert len(labels) == 4 * len(sample.trained.report["transitions"])
    assert all(len(label) > 30 for label in labels)


def test_leaks_are_told_with_the_metric_both_ways(sample: World, page: Page, html: str) -> None:
    for leak in sample.bundle.about["leaks"]:
        assert leak["column"] in html
    paths = {tuple(path[1:2] + path[3:]) for path, _, _ in page.numbers if path[0] == "about"}
    assert {("leaks", "auc_with"), ("leaks", "auc_without")} <= paths


def test_it_tells_nobodys_data(sample: World, html: str) -> None:
    rows = sample.dataset.leads.to_pylist()
    for field in ("email", "phone", "lead_id", "last_name"):
        values = {row[field] for row in rows if row.get(field) and len(str(row[field])) > 5}
        assert values
        assert not [value for value in values if f">{value}<" in html or f" {value} " in html]
    assert not re.findall(r"[\w.]+@[\w-]+\.\w+", html)


def hostile(told: Any, key: str = "") -> Any:
    """The document with a tag in every word that comes from data, and in the names of segments; a month's name is ours."""
    if key == "months":
        return told
    if isinstance(told, Mapping):
        return {(f"{k}{HOSTILE}" if key == "segments" else k): hostile(value, k) for k, value in told.items()}
    if isinstance(told, list | tuple):
        return [hostile(value, key) for value in told]
    names = {"name", "field", "feature", "column", "why", "level", "horizon_reason", "calibration"}
    return f"{told}{HOSTILE}" if isinstance(told, str) and key in names else told


def test_hostile_names_stay_text(sample: World) -> None:
    text = page_of(with_report(sample.trained, hostile))
    page = Page(text)
    assert not {"script", "img"} & set(page.tags)
    assert text.count("&lt;script&gt;") > 50
    assert any("{{ 7 * 7 }}" in word for word in page.words)


def test_a_picture_escapes_its_words() -> None:
    y = np.array([0.0, 1.0, 1.0])
    picture = inline_svg(gain_plot(y, {"<script>x</script>&": y}, "<img src=x>"), HOSTILE)
    page = Page(picture)
    assert not {"script", "img"} & set(page.tags)
    assert ("svg", "aria-label", HOSTILE) in page.attributes


def test_pictures_take_the_pages_colours_and_letters(sample: World) -> None:
    for _, figure in quality_plots(sample.bundle.hops[0], sample.trained.forward):
        picture = inline_svg(figure, "a picture")
        assert "var(--ink)" in picture
        assert "var(--series-0)" in picture
        assert not re.findall(r"font-family|#[0-9a-f]{6}|<style|<metadata|xmlns", picture)


def test_the_same_training_gives_the_same_page(sample: World, html: str) -> None:
    assert page_of(sample.trained) == html


def test_a_transition_without_a_model_says_why(sample: World) -> None:
    told = dict(sample.trained.report["transitions"])
    last = list(told)[-1]
    hops = tuple(hop for hop in sample.bundle.hops if hop.transition != last)
    absent = {"absent": "not enough evidence: 3 leads made it", "landmarks": {"censored": 4}}
    without = replace(sample.trained, bundle=replace(sample.bundle, hops=hops), report={"transitions": told | {last: absent}})
    text = page_of(without)
    assert "not enough evidence: 3 leads made it" in text
    Page(text)


def test_a_capacity_beyond_all_leads_says_so(sample: World, html: str) -> None:
    everyone = page_of(sample.trained, 10_000)
    assert "so you reach everyone" in everyone
    assert "(yours)" in html
    assert "(yours)" not in everyone


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_no_number_is_a_dash(value: float | None) -> None:
    assert str(number({"a": value}, ["a"], "3")) == '<span class="none">–</span>'


def test_it_is_written_beside_the_version_and_into_mlflow(sample: World, home: Path) -> None:
    version, _, _, _ = settle(sample.trained, sample.dataset, Funnel(), "never", lambda _: None)
    text = report_path(version).read_text(encoding="utf-8")
    assert text == page_of(sample.trained, Funnel().policy.capacity_per_day)
    run = next(found.run_id for found in tracking.versions() if found.version == version)
    kept = {path.name: path for path in artifacts(home, str(run))}
    assert kept["report.html"].read_text(encoding="utf-8") == text
    assert {f"lead_to_prospect_{name}.png" for name in ("gain", "lift", "reliability", "months", "importance")} <= set(kept)


def artifacts(home: Path, run_id: str) -> Iterator[Path]:
    return (path for path in home.rglob("*") if run_id in path.parts and path.is_file())


def test_a_file_without_times_says_what_it_cant_prove(tmp_path: Path) -> None:
    page = page_of(flat(tmp_path))
    text = " ".join(Page(page).words)
    assert "What a file without times can't prove" in text
    assert not [word for word in ("within 0 days", "Monday", "calls a day", "None") if word in text]
    assert {"capacity", "fields", "segments"} <= {path[2] for path, _, _ in Page(page).numbers if path[0] == "transitions"}


def flat(folder: Path) -> Trained:
    """Trained on 1,200 rows of a flat file with two fields that tell something; one value of one of them is a tag."""
    rng = np.random.default_rng(0)
    trade, budget = rng.choice(["it", "retail", "<b>x</b>"], 1_200), rng.normal(10, 3, 1_200)
    ended = rng.random(1_200) < 1 / (1 + np.exp(1.5 - 1.2 * (trade == "it") - 0.2 * (budget - 10)))
    rows = [f"L-{i},{name},{size:.1f},{'yes' if won else 'no'}" for i, (name, size, won) in enumerate(zip(trade, budget, ended, strict=True))]
    file = folder / "leads.csv"
    file.write_text("\n".join(["id,trade,budget,outcome", *rows]), encoding="utf-8")
    read, _ = read_flat(str(file), FlatColumns("outcome", "id", None, False), Funnel(), lambda _: None, NOW)
    return train_flat(read, Funnel(), NOW)
