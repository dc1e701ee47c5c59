"""Arrow under short names. Its type stubs know most functions on single arrays only, so those go untyped here, once."""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

Column: TypeAlias = "pa.ChunkedArray[Any]"
Mask: TypeAlias = npt.NDArray[np.bool_]

array: Any = pa.array
table: Any = pa.table
pc: Any = pyarrow.compute


def as_mask(column: Any) -> Mask:
    """A boolean column as (n,) bool; null is False."""
    filled = pc.fill_null(column, False)
    chunks = filled.chunks if isinstance(filled, pa.ChunkedArray) else [filled]
    return np.concatenate([np.empty(0, np.bool_), *(chunk.to_numpy(zero_copy_only=False) for chunk in chunks)])


def is_any(column: Any) -> bool:
    """Whether one value of a boolean column is true."""
    return bool(pc.any(column).as_py())
