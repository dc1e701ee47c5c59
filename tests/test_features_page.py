"""docs/features.md is what the declarations say, and says something of every feature that there can be."""

from features import colleagues
from features.declarations import LEVELS, MEANINGS, EventGroup, EventType, declare, declare_colleagues
from features.page import PATH, page
from features.sweep import OPS

GROUP = EventGroup("<group>", "<Group>", "interest", ("<type>",))
TYPE = EventType("<type>", "<Event>", "interest", "inbound", True)
EVERY = (*declare((TYPE, EventType("other", "Other", "interest", None, False)), ("<channel>", "b"), True, (GROUP,)), *declare_colleagues())


def test_the_page_is_current() -> None:
    assert PATH.read_text(encoding="utf-8") == page(), "python -m features.page writes it"


def test_every_feature_stands_on_the_page() -> None:
    names = {f.name for f in EVERY if f.slot not in ("other", "channel_b")}
    assert {name for name in names if f"| `{name}` |" not in page()} == set()


def test_every_op_has_a_meaning_and_every_feature_words_for_people() -> None:
    assert set(MEANINGS) == {*OPS, *colleagues.OPS}
    assert [f.name for f in EVERY if not (f.unit and f.text and f.absent and f.level in LEVELS)] == []
    assert len({f.name for f in EVERY}) == len(EVERY)


def test_a_sentence_begins_with_what_it_speaks_of() -> None:
    """Where it speaks of a type, a group or a channel: that is how it is told in other languages."""
    said = [f for f in EVERY if f.phrase and f.op not in ("first_is", "last_is")]
    assert [f.name for f in said if not f.text.startswith(f.phrase)] == []
    assert {f.slot for f in EVERY if not f.phrase} <= {"all", "inbound", "(types)", "(channels)"}
