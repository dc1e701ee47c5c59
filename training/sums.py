"""Sums that come out the same on any number of cores."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from threadpoolctl import threadpool_limits

P = ParamSpec("P")
T = TypeVar("T")


def on_any_cores(function: Callable[P, T]) -> Callable[P, T]:
    """The function with one thread for BLAS, which otherwise cuts its sums into as many parts as there are cores: the last digits would follow the
    machine, and with them the bundle's hash. Matrices as small as a training's take longer in parts, too."""

    @wraps(function)
    def limited(*args: P.args, **kwargs: P.kwargs) -> T:
        with threadpool_limits(limits=1, user_api="blas"):
            return function(*args, **kwargs)

    return limited
