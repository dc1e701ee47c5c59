"""The session in the cookie: only what was signed here counts, for as long as it lasts; and where a visitor may be sent."""

import stat
import string
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.contract import DataError
from data.store import ApiKey
from serving.pages.frame import local
from serving.pages.session import COOKIE, FILE, LASTING, Session, read, signing_secret

NOW = 1_800_000_000_000_000
SECRET, OTHER = b"a" * 32, b"b" * 32
KEY = ApiKey(3, "", "ls_abcde", frozenset({"read"}), None, 1_700_000_000_000_000, None, None)
ids = st.integers(0, 2**40)
sessions = st.builds(Session, st.text(string.ascii_letters + string.digits + "-_", min_size=1), ids, ids, st.just(NOW))


@given(sessions)
def test_what_was_signed_is_read_again(session: Session) -> None:
    assert read(session.signed(SECRET), SECRET, NOW) == session


@given(sessions, st.data())
def test_no_other_text_is_a_session(session: Session, data: st.DataObject) -> None:
    cookie = session.signed(SECRET)
    at = data.draw(st.integers(0, len(cookie) - 1))
    other = data.draw(st.characters().filter(lambda letter: letter != cookie[at]))
    for forged in (cookie[:at] + other + cookie[at + 1 :], cookie[:at], cookie[at + 1 :], session.signed(OTHER)):
        assert read(forged, SECRET, NOW) is None or forged == cookie


@given(st.text())
def test_anything_may_come_in_a_cookie(cookie: str) -> None:
    assert read(cookie, SECRET, NOW) is None


@pytest.mark.parametrize(("age", "lives"), [(0, True), (LASTING - 1, True), (LASTING, False), (LASTING + 1, False), (-60_000_000, True)])
def test_how_long_a_session_lasts(age: int, lives: bool) -> None:
    cookie = Session.begin(NOW - age, KEY).signed(SECRET)
    assert (read(cookie, SECRET, NOW) is not None) is lives


def test_a_session_belongs_to_one_key() -> None:
    session = Session.begin(NOW, KEY)
    assert session.of(KEY)
    assert KEY.prefix not in session.signed(SECRET)
    again = ApiKey(3, "", "ls_zzzzz", frozenset({"admin"}), None, KEY.created_at + 1, None, None)
    assert not session.of(again), "a key of the same number, made later in another store"
    assert not Session.begin(NOW).of(KEY)


@given(sessions, sessions)
def test_a_token_is_good_for_its_session_alone(session: Session, other: Session) -> None:
    token = session.token(SECRET)
    assert session.sent(SECRET, token)
    assert not session.sent(OTHER, token)
    assert other.sent(SECRET, token) is (other.id == session.id)


@given(st.text())
def test_anything_may_come_as_a_token(token: str) -> None:
    assert not Session("id", 0, 0, NOW).sent(SECRET, token)


def test_no_two_tokens_are_alike_nor_is_any_part_of_them() -> None:
    session = Session.begin(NOW)
    tokens = [session.token(SECRET) for _ in range(50)]
    for place in range(40):
        assert len({token[place : place + 3] for token in tokens}) > 1, "a part that stays could be guessed from the size of compressed pages"


def test_all_that_begin_at_once_sign_alike(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with ThreadPoolExecutor(8) as threads:
        secrets = {*threads.map(lambda _: signing_secret.__wrapped__(home), range(32))}
    assert secrets == {(home / FILE).read_bytes()}
    assert len(next(iter(secrets))) == 32
    assert stat.S_IMODE((home / FILE).stat().st_mode) == 0o600
    assert [path.name for path in home.iterdir()] == [FILE], "no draft is left"


@pytest.mark.parametrize("held", [b"", b"a" * 31, b"a" * 33])
def test_nothing_is_signed_with_less(tmp_path: Path, held: bytes) -> None:
    (tmp_path / FILE).write_bytes(held)
    with pytest.raises(DataError, match=f"holds {len(held)}"):
        signing_secret(tmp_path)


def test_two_instances_sign_differently(tmp_path: Path) -> None:
    assert signing_secret(tmp_path / "one") != signing_secret(tmp_path / "other")
    assert COOKIE.isidentifier()


@pytest.mark.parametrize("path", ["/queue", "/leads/a%2Fb?x=1&y=%20", "/", "/a//b"])
def test_pages_of_ours(path: str) -> None:
    assert local(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "queue",
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\\\evil",
        "javascript:alert(1)",
        "/a\nLocation: x",
        "/\t/evil",
        " /a",
        "/李",
    ],
)
def test_nobody_is_sent_elsewhere(path: str) -> None:
    assert local(path) == "/"
