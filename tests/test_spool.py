"""The spool by itself: what is read is what was appended, whatever tore the file, and a full disk keeps nothing half."""

import errno
import fcntl
import os
import resource
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import serving.spool
from data.ledger import ScoreRecord
from records import numbered, records
from serving.errors import LedgerDown
from serving.spool import Spool, SpoolFile, orphans, waiting
from serving.spool_format import framed, packed, unpacked


def held(spool: Spool) -> list[ScoreRecord]:
    """All that the spool's own files hold, oldest first, and that nobody has drained."""
    paths = [*(file.path for file in spool._handed_over), *([spool._current.path] if spool._current else [])]
    return [record for path in paths if path.exists() for record in unpacked(path.read_bytes()).records]


def drain(folder: Path) -> list[int]:
    """Removes every file that nobody writes; the sizes of those that held anything."""
    files = list(orphans(folder))
    for file in files:
        file.remove()
    return [file.size for file in files if file.size]


@settings(deadline=None)
@given(st.lists(records(), max_size=5))
def test_what_is_packed_is_unpacked(given: list[ScoreRecord]) -> None:
    assert unpacked(b"".join(map(packed, given))) == (given, [])


@settings(deadline=None)
@given(st.lists(records(), min_size=1, max_size=4), st.data())
def test_a_torn_tail_costs_the_last_record_alone(given: list[ScoreRecord], data: st.DataObject) -> None:
    whole, last = b"".join(map(packed, given[:-1])), packed(given[-1])
    kept = data.draw(st.integers(0, len(last) - 1))
    assert unpacked(whole + last[:kept]) == (given[:-1], [last[:kept]] if kept else [])


@settings(deadline=None)
@given(st.lists(records(), min_size=2, max_size=5), st.data())
def test_damage_costs_the_records_it_is_in(given: list[ScoreRecord], data: st.DataObject) -> None:
    pieces = [packed(record) for record in given]
    hit = data.draw(st.integers(0, len(pieces) - 1))
    at, flip = data.draw(st.integers(0, len(pieces[hit]) - 1)), data.draw(st.integers(1, 255))
    damaged = bytearray(pieces[hit])
    damaged[at] ^= flip
    content = b"".join([*pieces[:hit], damaged, *pieces[hit + 1 :]])
    assert unpacked(content) == (given[:hit] + given[hit + 1 :], [bytes(damaged)])


@settings(deadline=None)
@given(st.binary(max_size=200), records(), st.binary(max_size=200))
def test_a_record_is_found_between_any_bytes(before: bytes, record: ScoreRecord, after: bytes) -> None:
    found = unpacked(before + packed(record) + after)
    assert found.records == [record]
    assert b"".join(found.torn) == before + after


def test_a_whole_record_of_another_shape_is_set_aside_as_damage() -> None:
    strange = framed(b"[1, 2]", b"")
    assert unpacked(strange + packed(numbered(1))) == ([numbered(1)], [strange])


def test_many_threads_append_and_many_at_once(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: spool.append(numbered(n)), range(400)))
    spool.append_many(numbered(n) for n in range(400, 500))
    spool.append_many([])
    assert sorted(held(spool)) == [numbered(n) for n in range(500)]
    assert spool.backlog() == (500, sum(len(packed(numbered(n))) for n in range(500)))
    spool.close()


def test_a_file_is_followed_by_the_next_one_at_its_largest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(packed(numbered(0)))
    monkeypatch.setattr(serving.spool, "LARGEST", 2 * size)
    spool = Spool(tmp_path)
    for n in range(5):
        spool.append(numbered(n))
    assert held(spool) == [numbered(n) for n in range(5)]
    assert (drain(tmp_path), spool.backlog()) == ([2 * size, 2 * size], (1, size))
    spool.close()


def test_what_lives_is_nobody_elses_and_what_ended_is_the_first_ones(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append(numbered(1))
    assert list(orphans(tmp_path)) == []
    spool.close()
    (taken,) = orphans(tmp_path)
    assert list(orphans(tmp_path)) == []
    assert unpacked(taken.content()).records == [numbered(1)]
    taken.remove()
    assert waiting(tmp_path) == []


def test_a_new_file_that_another_process_inherited_too_early_is_left_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, stolen = fcntl.flock, list[int]()

    def stealing(fd: int, operation: int) -> None:
        if not stolen:
            (path,) = tmp_path.glob("*.spool")
            stolen.append(os.open(path, os.O_RDWR))
            lock(stolen[0], operation)
            path.unlink()
            os.close(stolen[0])
        lock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", stealing)
    file = SpoolFile.made(tmp_path, durable=True)
    assert list(tmp_path.iterdir()) == [file.path]
    assert os.fstat(file.fd).st_nlink == 1
    file.remove()


def test_a_file_is_handed_over_once_the_one_before_is_drained(tmp_path: Path) -> None:
    """An outage makes no more files than it has to, and what is drained counts no more."""
    spool, size = Spool(tmp_path), len(packed(numbered(0)))
    spool.hand_over()
    for n in range(4):
        spool.append(numbered(n))
        spool.hand_over()
    assert spool.backlog() == (4, 4 * size)
    assert drain(tmp_path) == [size], "the first; the others wait in the next"
    assert spool.backlog() == (3, 3 * size)
    spool.hand_over()
    assert drain(tmp_path) == [3 * size]
    spool.hand_over()
    assert (drain(tmp_path), spool.backlog(), waiting(tmp_path)) == ([], (0, 0), [])
    spool.close()


def test_files_are_handed_over_until_told_to_stop(tmp_path: Path) -> None:
    spool, stop, drained = Spool(tmp_path), threading.Event(), 0
    thread = threading.Thread(target=spool.handing_over, args=(stop,))
    thread.start()
    for n in range(3):
        spool.append(numbered(n))
        deadline = time.monotonic() + 30
        while drained == n:
            assert time.monotonic() < deadline, "not handed over"
            time.sleep(0.01)
            drained += len(drain(tmp_path))
    stop.set()
    thread.join()
    spool.close()


def test_closing_leaves_no_empty_file(tmp_path: Path) -> None:
    spool = Spool(tmp_path, fsync=True)
    spool.append(numbered(1))
    spool.hand_over()
    drain(tmp_path)
    spool.hand_over()
    assert len(list(tmp_path.iterdir())) == 1, "an empty one is kept for what comes"
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cant_be_written_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("in the way")
    with pytest.raises(LedgerDown, match=r"the ledger can't be written \(File exists\), so no score is given"):
        Spool(tmp_path / "spool").append(numbered(1))


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_refuses_and_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        spool, kept = Spool(disk), list[ScoreRecord]()

        def fill() -> None:
            for n in range(10_000):
                spool.append(numbered(n))
                kept.append(numbered(n))

        with pytest.raises(LedgerDown, match="No space left on device"):
            fill()
        with pytest.raises(LedgerDown):
            spool.append_many(numbered(n) for n in range(20_000, 20_100))
        assert held(spool) == kept
        assert spool.backlog().records == len(kept) > 100
        spool.hand_over()
        assert drain(disk) == [len(kept) * len(packed(numbered(0)))]
        spool.append(numbered(1))
        assert held(spool) == [numbered(1)]
        spool.close()


def test_half_a_write_is_taken_back(tmp_path: Path) -> None:
    """A limit on files' sizes is what makes a real kernel write half a record. The file is followed by another."""
    size = len(packed(numbered(0)))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    spool = Spool(tmp_path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + size // 2, before[1]))
    try:
        spool.append(numbered(0))
        with pytest.raises(LedgerDown, match="File too large"):
            spool.append(numbered(1))
        spool.append(numbered(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert held(spool) == [numbered(0), numbered(2)]
    assert [path.stat().st_size for path in tmp_path.iterdir()] == [size, size]
    spool.close()


def test_a_file_that_does_not_reach_the_disk_is_followed_by_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failed fsync nobody knows what the disk has: the record is not acknowledged, and the file written no more."""
    spool, sync = Spool(tmp_path, fsync=True), os.fsync
    spool.append(numbered(0))

    def failing(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(LedgerDown, match="Input/output error"):
        spool.append(numbered(1))
    monkeypatch.setattr(os, "fsync", sync)
    spool.append(numbered(2))
    assert held(spool) == [numbered(0), numbered(2)]
    assert drain(tmp_path) == [len(packed(numbered(0)))], "handed over at once"
    spool.close()
