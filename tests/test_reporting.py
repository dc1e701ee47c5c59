"""The report to send: one whole file that asks nothing of any network, says what the reports say, in every language, and tells nobody's data."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import leadscore
from data.contract import DataError
from data.funnel import Drift, Funnel
from features.journeys import Journeys, journeys_of_dataset
from serving.pages.recorded import _readers
from serving.reporting import FILE, report, report_html
from serving.reports.funnel import funnel_report
from serving.reports.losses import loss_report
from serving.words import LANGUAGES, Words
from training.comparison import Contender, decide
from worlds import World, at_home

NOW = 1_780_000_000_000_000
VOID = {"meta", "link", "br", "hr", "img", "input", "wbr"}


class Read(HTMLParser):
    """Every tag closed in its order, what stands in the page as text, and where its links and ids are."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        assert not [name for name, _ in attrs if name == "style" or name.startswith("on")], "the policy of the page forbids it"

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def journeys(sample: World) -> Journeys:
    return journeys_of_dataset(sample.dataset, Funnel())


@pytest.fixture(scope="module")
def page(sample: World, journeys: Journeys) -> str:
    return report_html(journeys, (sample.bundle, "1"), Funnel(), Words(), NOW)


def test_it_is_one_whole_page(page: str) -> None:
    read = Read(page)
    assert page.lstrip().lower().startswith(("<!doctype html>", "{#")) or "<!doctype html>" in page[:200]
    assert read.tags.count("html") == read.tags.count("main") == 1
    assert len(read.ids) == len(set(read.ids))
    assert {link[1:] for link in read.links} <= set(read.ids)


def test_it_asks_nothing_of_any_network(page: str) -> None:
    read = Read(page)
    assert not {"script", "link", "iframe", "img", "object", "embed", "form"} & set(read.tags)
    assert all(link.startswith("#") for link in read.links)
    assert not re.findall(r"https?:|@import|url\(", page)


def test_it_says_what_the_reports_say(page: str, journeys: Journeys) -> None:
    text, words = Read(page).text, Words()
    for stage in funnel_report(journeys)["stages"]:
        if not stage["exit"]:
            assert f"{stage['stage'].capitalize()} {words.number(stage['leads'])} {words.number(stage['now'])}" in text
    deals = loss_report(journeys)["deals"]
    assert f"Won {deals['won']}" in text
    assert f"Win rate {words.percent(deals['win_rate']['share'])}" in text


def test_everything_that_a_training_measures_has_its_place(page: str, sample: World) -> None:
    text = Read(page).text
    parts = ("Is it calibrated?", "What do your calls bring?", "Month by month", "Segment by segment", "Beside simpler rules", "What was counted")
    for part in parts:
        assert text.count(part) >= 2, part
    for transition in ("Lead → Prospect", "Prospect → Opportunity"):
        assert transition in text
    assert page.count('<figure class="drawing">') >= 8
    for leak in sample.bundle.about["leaks"]:
        assert leak["column"] in text
    test = sample.bundle.hops[0].evaluation["test"]
    assert Words().percent(test["auc"]) in text
    assert not re.search(r"\b(None|nan|undefined)\b", text)


def test_it_tells_nobodys_data(page: str, sample: World) -> None:
    text = Read(page).text
    assert not re.findall(r"[\w.]+@[\w-]+\.\w+", text)
    ids = {row["lead_id"] for row in sample.dataset.leads.to_pylist()}
    assert not ids & set(re.split(r"[\s,;:]+", text))


def test_the_same_data_make_the_same_page(page: str, sample: World, journeys: Journeys) -> None:
    assert report_html(journeys, (sample.bundle, "1"), Funnel(), Words(), NOW) == page


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_it_is_written_in_every_language(sample: World, journeys: Journeys, language: str) -> None:
    told = report_html(journeys, (sample.bundle, "1"), Funnel(), Words(language), NOW)
    assert f'<html lang="{language}">' in told
    Read(told)


def test_what_the_training_wrote_down_is_known(sample: World) -> None:
    """Every sentence about leaks, and every one of a decision, has a pattern: else other languages would read English."""
    champion = Contender("1", sample.bundle, sample.trained.forward)
    written = [one["why"] for told in ("leaks", "left_out") for one in sample.bundle.about[told]]
    written += [*decide(champion, None, None, Drift()).reasons, *decide(champion, champion, None, Drift()).reasons]
    assert len(written) > 8
    for sentence in (part for text in written for part in text.split("; ")):
        assert any(read.fullmatch(sentence) for _, read in _readers()), sentence


def test_without_a_model_it_says_so(journeys: Journeys) -> None:
    text = Read(report_html(journeys, None, Funnel(), Words(), NOW)).text
    assert "No model serves yet: train one first." in text
    assert "Stage by stage" in text


def test_the_command_writes_it(sample: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with at_home(sample.home):
        assert leadscore.main(["report", str(sample.folder), "--out", str(tmp_path / "a" / "b"), "--language", "sv"]) == 0
    target = tmp_path / "a" / "b" / FILE
    assert capsys.readouterr().out.strip() == str(target)
    assert [path.name for path in target.parent.iterdir()] == [FILE]
    assert '<html lang="sv">' in target.read_text(encoding="utf-8")[:400]


def test_what_can_not_be_reported_on(sample: World, tmp_path: Path) -> None:
    file = tmp_path / "leads.csv"
    file.write_text("lead_id,created_at\n")
    with at_home(sample.home):
        with pytest.raises(DataError, match="must name a folder"):
            report(str(sample.folder), None, None, str(file / "deeper"), None, "en")
        with pytest.raises(DataError, match="is one flat file"):
            report(str(file), None, None, str(tmp_path), None, "en")
        with pytest.raises(DataError, match="version 77 is not in the registry"):
            report(str(sample.folder), None, None, str(tmp_path), "77", "en")
    assert [path.name for path in tmp_path.iterdir()] == ["leads.csv"]
