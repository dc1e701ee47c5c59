"""`python -m serving.warm`: loads all that an answer needs, so that no request ever waits for it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from features.contact import email_kind, phone_kind
from features.titles import parse_title
from features.warm import warm as warm_features
from registry.warm import warm as warm_registry
from serving.answer_kernels import warm as warm_answers

_BLAS = "scipy.linalg"


def warm() -> None:
    """Every kernel, the words of job titles, and the books of numbers and addresses: milliseconds where the kernels' cache is warm."""
    with _without_blas():
        warm_features()
    warm_registry()
    warm_answers()
    parse_title("CEO")
    phone_kind("+46 8 123 456 78", "SE")
    email_kind("eva@example.com")


@contextmanager
def _without_blas() -> Iterator[None]:
    """numba loads scipy's linear algebra, if it is installed, with the first kernel: a fifth of a second for what no kernel here calls."""
    if _BLAS in sys.modules:
        yield
        return
    sys.modules[_BLAS] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[_BLAS]


if __name__ == "__main__":
    warm()
