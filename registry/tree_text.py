"""LightGBM's model text, read and checked: what it holds, or why this program refuses it."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np

Fields = Mapping[str, str]

_END = "end of trees"


class UnsupportedModel(ValueError):
    """A model text that is damaged, or of a kind whose scores could not be given exactly."""


class TreeText(NamedTuple):
    """One tree as its text has it: k splits and k + 1 leaves. A child c >= 0 is a split, c < 0 the leaf ~c."""

    feature: list[int]
    threshold: list[float]
    decision: list[int]
    left: list[int]
    right: list[int]
    split_count: list[int]
    leaf_value: list[float]
    leaf_count: list[int]


def read_text(text: str) -> tuple[tuple[str, ...], str, list[TreeText]]:
    """Feature names, objective and trees of a LightGBM model text; UnsupportedModel says what is wrong."""
    header, blocks = _split(text)
    fields = _fields(header)
    _refuse_other_kinds(fields, header)
    names = tuple(fields.get("feature_names", "").split())
    expected = _integer(fields, "max_feature_idx", "the header") + 1
    if len(names) != expected:
        raise UnsupportedModel(f"The model text must name {expected} features, it names {len(names)}. {_again()}")
    trees = [_tree(block, index, len(names)) for index, block in enumerate(blocks)]
    return names, fields.get("objective", ""), trees


def _split(text: str) -> tuple[str, list[str]]:
    """Header and one block per tree, cut at the sizes that the header declares."""
    header, found, rest = text.partition("\n\n")
    if not header.startswith("tree\n") or not found:
        raise UnsupportedModel(f"A LightGBM model text must start with 'tree' and a header; it is not one. {_again()}")
    sizes = _fields(header).get("tree_sizes", "").split()
    if not all(size.isdigit() for size in sizes):
        raise UnsupportedModel(f"tree_sizes must be numbers of bytes, they are {' '.join(sizes)[:60]!r}. {_again()}")
    body, ends = rest.encode(), np.cumsum([0, *map(int, sizes)]).tolist()
    if not body[ends[-1] :].startswith(_END.encode()):
        raise UnsupportedModel(
            f"After the {len(sizes)} declared trees ({ends[-1]:,} bytes) the text must say {_END!r}; "
            f"it is torn or was changed ({len(body):,} bytes are there). {_again()}"
        )
    return header, [body[start:end].decode(errors="replace") for start, end in pairwise(ends)]


def _refuse_other_kinds(fields: Fields, header: str) -> None:
    """Only sums of trees whose raw score is the prediction (or its log-odds) can be evaluated."""
    if fields.get("num_class") != "1" or fields.get("num_tree_per_iteration") != "1":
        raise UnsupportedModel(f"A model must have one class, this one has {fields.get('num_class')}. Train it as binary.")
    if "average_output" in header.splitlines():
        raise UnsupportedModel("A random forest (average_output) is not supported. Train with boosting=gbdt.")
    objective = fields.get("objective", "").split()
    if objective[:1] == ["binary"] and "sigmoid:1" not in objective:
        raise UnsupportedModel(f"Raw scores must be log-odds: train with sigmoid=1, not {' '.join(objective)!r}.")


def _tree(block: str, index: int, features: int) -> TreeText:
    fields, where = _fields(block), f"tree {index}"
    if fields.get("Tree") != str(index):
        raise UnsupportedModel(f"Tree {index} is not where tree_sizes says: found {fields.get('Tree')!r}. {_again()}")
    if _integer(fields, "num_cat", where) or _integer(fields, "is_linear", where):
        raise UnsupportedModel(f"{where} has categorical splits or linear leaves. Train on numbers, linear_tree=false.")
    leaves = _integer(fields, "num_leaves", where)
    splits = leaves - 1
    tree = TreeText(
        _integers(fields, "split_feature", splits, where),
        _numbers(fields, "threshold", splits, where),
        _integers(fields, "decision_type", splits, where),
        _integers(fields, "left_child", splits, where),
        _integers(fields, "right_child", splits, where),
        _integers(fields, "internal_count", splits, where),
        _numbers(fields, "leaf_value", leaves, where),
        _integers(fields, "leaf_count", leaves, where) if splits else [1],
    )
    _check_shape(tree, features, where)
    return tree


def _check_shape(tree: TreeText, features: int, where: str) -> None:
    """Every split and leaf but the root hangs in exactly one place, below an earlier split; so a walk always ends."""
    splits = len(tree.feature)
    if splits and sorted(tree.left + tree.right) != [*range(-splits - 1, 0), *range(1, splits)]:
        raise UnsupportedModel(f"The children of {where} do not form a tree. {_again()}")
    if any(0 <= child <= parent for side in (tree.left, tree.right) for parent, child in enumerate(side)):
        raise UnsupportedModel(f"The children of {where} must come after their parents. {_again()}")
    if any(not 0 <= feature < features for feature in tree.feature):
        raise UnsupportedModel(f"{where} splits on a feature that the header does not have. {_again()}")
    if any(kind & 1 or kind >> 2 not in (0, 1, 2) for kind in tree.decision):
        raise UnsupportedModel(f"{where} has a decision_type of another kind: {tree.decision}. Train on numbers only.")
    if not np.all(np.isfinite(tree.leaf_value)) or np.any(np.isnan(tree.threshold)):  # a threshold of inf parts off the missing
        raise UnsupportedModel(f"{where} has leaf values or thresholds that are no numbers. {_again()}")
    if min([0, *tree.leaf_count, *tree.split_count]) < 0:
        raise UnsupportedModel(f"{where} has counts below zero. {_again()}")


def _fields(block: str) -> Fields:
    return dict(_pairs(block))


def _pairs(block: str) -> Iterator[tuple[str, str]]:
    for line in block.splitlines():
        key, equals, value = line.partition("=")
        if equals:
            yield key, value


def _integer(fields: Fields, key: str, where: str) -> int:
    return _integers(fields, key, 1, where)[0]


def _integers(fields: Fields, key: str, size: int, where: str) -> list[int]:
    return [int(value) for value in _numbers(fields, key, size, where)]


def _numbers(fields: Fields, key: str, size: int, where: str) -> list[float]:
    try:
        values = [float(value) for value in fields.get(key, "").split()]
    except ValueError as error:
        raise UnsupportedModel(f"{key} of {where} must be numbers: {error}. {_again()}") from error
    if len(values) != size:
        raise UnsupportedModel(f"{key} of {where} must have {size} values, it has {len(values)}. {_again()}")
    return values


def _again() -> str:
    return "Write the model again with booster.model_to_string()."
