"""Arithmetic on LANES neighbouring numbers at once, for kernels whose arrays are short. The compiler turns a plain loop into the same instructions,
but asks before each loop whether its arrays overlap and what is left over at its end, which for a dozen numbers takes longer than the loop itself.

Indices count the elements of a contiguous array of any shape. Only types are checked, once, by the compiler: what is read and written must exist.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core.errors import TypingError
from numba.extending import intrinsic

_instruction: Any = intrinsic  # whose types count the first argument, which callers do not give
LANES = 16
"""Arrays of counts are filled up to a multiple of this."""
AHEAD = 8
"""Instants that are compared at once."""


@_instruction
def add(_, left, _i, right, _j, out, _k):  # type: ignore[no-untyped-def]
    """out[k : k + LANES] = left[i : i + LANES] + right[j : j + LANES], all of one dtype of integers."""
    return _elementwise("add", left, right, out)


@_instruction
def subtract(_, left, _i, right, _j, out, _k):  # type: ignore[no-untyped-def]
    """out[k : k + LANES] = left[i : i + LANES] - right[j : j + LANES], all of one dtype of integers."""
    return _elementwise("sub", left, right, out)


@_instruction
def leading(_, times, _i, _edge):  # type: ignore[no-untyped-def]
    """How many of times[i : i + AHEAD], int64, are at or before edge, from the first on."""
    _require(times.dtype == types.int64, times)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector, positions = ir.VectorType(ir.IntType(64), AHEAD), ir.VectorType(ir.IntType(32), AHEAD)
        nothing = ir.Constant(vector, ir.Undefined)
        one = builder.insert_element(nothing, arguments[2], ir.Constant(ir.IntType(32), 0))
        edge = builder.shuffle_vector(one, nothing, ir.Constant(positions, [0] * AHEAD))
        found = builder.load(_place(context, builder, signature, arguments, 0, vector), align=8)
        later = builder.zext(builder.bitcast(builder.icmp_signed(">", found, edge), ir.IntType(AHEAD)), ir.IntType(64))
        # one bit more, for when none is later
        return builder.cttz(builder.or_(later, ir.Constant(ir.IntType(64), 1 << AHEAD)), ir.Constant(ir.IntType(1), 1))

    return types.int64(times, types.intp, types.int64), generate


def _require(fits: bool, *arrays: Any) -> None:
    if not fits or any(array.layout != "C" for array in arrays):
        raise TypingError(f"contiguous arrays of one dtype are needed (instants: int64); got {', '.join(map(str, arrays))}")


def _elementwise(operation: str, left: Any, right: Any, out: Any) -> Any:
    _require(left.dtype == right.dtype == out.dtype, left, right, out)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector, size = ir.VectorType(context.get_value_type(left.dtype), LANES), left.dtype.bitwidth // 8
        one, other = (builder.load(_place(context, builder, signature, arguments, n, vector), align=size) for n in (0, 2))
        builder.store(getattr(builder, operation)(one, other), _place(context, builder, signature, arguments, 4, vector), align=size)
        return context.get_dummy_value()

    return types.void(left, types.intp, right, types.intp, out, types.intp), generate


def _place(context: Any, builder: Any, signature: Any, arguments: Any, n: int, vector: Any) -> Any:
    """Where argument n, an array, has the element that the argument after it names."""
    data = context.make_array(signature.args[n])(context, builder, arguments[n]).data
    return builder.bitcast(builder.gep(data, [arguments[n + 1]]), vector.as_pointer())
