"""Compiled: float32 to and from its upper 16 bits (bfloat16), kept as uint16.

The range is that of float32, the error of rounding at most 1 in 256.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_SHORT, _WORD, _FLOAT = ir.IntType(16), ir.IntType(32), ir.FloatType()
_HALF_OF_LAST = 0x8000  # added before the lower bits are cut off


def _widen(context, bits):
    """float32 of 16 bits."""

    def build(context, builder, signature, arguments):
        whole = builder.shl(builder.zext(arguments[0], _WORD), ir.Constant(_WORD, 16))
        return builder.bitcast(whole, _FLOAT)

    return types.float32(types.uint16), build


def _narrow(context, value):
    """Nearest 16 bits of a finite float32."""

    def build(context, builder, signature, arguments):
        whole = builder.bitcast(arguments[0], _WORD)
        rounded = builder.add(whole, ir.Constant(_WORD, _HALF_OF_LAST))
        return builder.trunc(builder.lshr(rounded, ir.Constant(_WORD, 16)), _SHORT)

    return types.uint16(types.float32), build


widen: Any = intrinsic(_widen)
narrow: Any = intrinsic(_narrow)
