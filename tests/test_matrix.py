"""Rows in a file: what is picked is what an array would give, block by block, and LightGBM bins it as it bins an array."""

import resource
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.contract import DataError
from registry.models import Rows
from training import candidates, matrix
from training.candidates import TreeGrower, TreeShape, TreeSize, fit_logistic
from training.choice import Sample
from training.matrix import Matrix, asked, blocks, columns, differ, useful_columns, written


def drawn(rows: int, width: int = 5) -> Rows:
    made = np.random.default_rng(rows).normal(size=(rows, width)).round(2).astype(np.float32)
    made[::3, 1] = np.nan
    made[:, 2] = 4.0
    return made


def filed(X: Rows, part: int = 7) -> Matrix:
    return written(X.shape[1], (X[begin : begin + part] for begin in range(0, len(X), part)))


picks = st.lists(st.integers(0, 19), max_size=30)


@settings(deadline=None)
@given(picks, st.integers(1, 9), st.integers(0, 40))
def test_what_is_picked_is_what_an_array_gives(rows: list[int], block: int, step: int) -> None:
    X = drawn(20)
    index, every = np.array(rows, np.int64), slice(None, None, step + 1)
    first, mask = filed(X)[index], np.arange(len(rows)) % 2 == 0
    for got, wanted in ((first, X[index]), (first[mask], X[index][mask]), (first[every], X[index][every])):
        assert got.shape == wanted.shape
        assert np.asarray(got).tobytes() == wanted.tobytes()
        assert b"".join(part.tobytes() for part in got.blocks(block)) == wanted.tobytes()
        assert all(len(part) <= block for part in got.blocks(block))


@given(st.integers(0, 30), st.integers(1, 9))
def test_what_an_array_is_asked_a_matrix_answers(rows: int, block: int) -> None:
    X = drawn(rows)
    with patch.object(matrix, "BLOCK", block):
        for held in (X, filed(X)):
            assert np.array_equal(asked(lambda part: np.nansum(part, axis=1), held), np.nansum(X, axis=1))
            assert useful_columns(held).tolist() == ([0, 1, 3, 4] if rows > 1 else [])
            assert differ(held) == (rows > 1)


@pytest.mark.parametrize("at_once", [1, 4 * 40 * 2, 1 << 20])
def test_columns_come_group_by_group_in_as_many_passes_as_it_takes(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    X, groups = drawn(40), [[0], [3, 1], [], [4, 2, 0]]
    monkeypatch.setattr(matrix, "AT_ONCE", at_once)
    for held in (X, filed(X)):
        found = list(columns(held, groups))
        assert [part.tobytes() for part in found] == [np.ascontiguousarray(X[:, group]).tobytes() for group in groups]


def test_nothing_at_all() -> None:
    none = written(5, [])
    assert none.shape == (0, 5)
    assert list(blocks(none)) == []
    assert asked(lambda rows: rows.sum(axis=1), none).shape == (0,)


def test_a_file_that_may_not_grow_is_told() -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
    try:
        with pytest.raises(DataError, match=r"must fit on the disk of .*File too large. Make room, or set LEADSCORE_HOME"):
            filed(drawn(5_000), 1_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_fails_while_a_part_is_made_is_no_full_disk() -> None:
    def parts() -> Iterator[Rows]:
        yield drawn(3)
        raise ConnectionResetError(104, "Connection reset by peer")

    with pytest.raises(ConnectionResetError):
        written(5, parts())


def test_the_file_is_gone_with_its_matrix(home: Path) -> None:
    home.mkdir()
    made = filed(drawn(9))
    assert list(home.iterdir()) == []
    assert len(made) == 9


def test_trees_are_the_same_from_an_array_from_a_file_and_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    X = drawn(900, 8)
    y = (np.nan_to_num(X[:, 0]) + X[:, 3] > 0.5).astype(np.int8)
    train = np.arange(900) % 3 != 0

    def grown(held: Rows | Matrix) -> tuple[str, list[float]]:
        grower = TreeGrower(held[train], y[train], 3)
        return grower.grow(np.ones(600), TreeSize(20)).text, grower.curve(held[~train], y[~train], TreeShape()).losses.tolist()

    wanted = grown(X)
    assert grown(filed(X)) == wanted
    monkeypatch.setattr(candidates, "MOST_ROWS", 10)
    monkeypatch.setattr(candidates._InParts, "batch_size", 64)
    assert grown(X) == grown(filed(X)) == wanted


def test_a_regression_in_narrow_strips_is_that_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    X = drawn(300, 8)
    y = (X[:, 0] > 0).astype(np.int8)
    monkeypatch.setattr(candidates, "_NARROW", 100)
    monkeypatch.setattr(candidates, "_FEW", 1_000)
    wanted = fit_logistic(X, y, np.ones(300)).document()
    monkeypatch.setattr(candidates, "_NARROW", 4)
    monkeypatch.setattr(candidates, "_FEW", 16)
    assert fit_logistic(X, y, np.ones(300)).document() == wanted


@pytest.mark.parametrize(("rows", "every"), [(100, 1), (99, 2), (34, 3), (10, 10)])
def test_a_part_of_a_sample_is_whole_leads_and_all_of_few(rows: int, every: int) -> None:
    lead = np.repeat(np.arange(20) * 3, 5)
    whole = Sample(drawn(100), np.zeros(100, np.int8), lead, np.arange(100, dtype=np.int64))
    part = whole.part(rows)
    assert np.unique(part.lead).tolist() == (np.arange(20) * 3)[::every].tolist()
    assert part.y.size == 5 * np.unique(part.lead).size
    assert (part is whole) == (every == 1)
