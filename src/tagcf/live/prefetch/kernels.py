"""Compiled: ask for memory before it is needed."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

AHEAD = 8  # events; what they need is asked for that much earlier


def _prefetch(context, array, at):
    """Ask for the line of memory of an element that is soon to be written; `at` is flat."""

    def build(context, builder, signature, arguments):
        kind = signature.args[0]
        word, short = ir.IntType(64), ir.IntType(32)
        byte = ir.IntType(8).as_pointer()
        start = context.make_array(kind)(context, builder, arguments[0]).data
        size = context.get_abi_sizeof(context.get_data_type(kind.dtype))
        offset = builder.mul(arguments[1], ir.Constant(word, size))
        place = builder.inttoptr(builder.add(builder.ptrtoint(start, word), offset), byte)
        called = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [byte, short, short, short]),
            "llvm.prefetch.p0",
        )
        for_write, keep, data = (ir.Constant(short, value) for value in (1, 3, 1))
        builder.call(called, [place, for_write, keep, data])
        return context.get_dummy_value()

    return types.void(array, types.int64), build


prefetch: Any = intrinsic(_prefetch)
