"""What is wrong with a setting, in the words of the catalogue instead of pydantic's."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic_core import ErrorDetails

from tagcf.text import say

_WORDS = {
    "list_type": "list",
    "string_type": "string",
    "bool_type": "boolean",
    "bool_parsing": "boolean",
    "int_type": "whole",
    "int_parsing": "whole",
    "int_from_float": "whole",
    "float_type": "number",
    "float_parsing": "number",
    "finite_number": "number",
    "dict_type": "table",
    "model_type": "table",
    "model_attributes_type": "table",
    "greater_than": "above",
    "greater_than_equal": "from",
    "less_than": "below",
    "less_than_equal": "to",
    "literal_error": "one_of",
    "string_pattern_mismatch": "pattern",
    "value_error": "column_or_derive",
}
# Steps of pydantic through a union or a validator: nothing that stands in the file.
_INNER = re.compile(r"^(literal|list|constrained-\w+|function-\w+)\[")


def setting_name(fault: ErrorDetails) -> str:
    """Name of the setting as it stands in the file: ``design.authr``."""
    return ".".join(str(part) for part in fault["loc"] if not _INNER.match(str(part)))


def told(faults: Sequence[ErrorDetails]) -> str:
    """What the first setting may hold; where it may hold either of two kinds, both."""
    name = setting_name(faults[0])
    wordings = [_worded(fault) for fault in faults if setting_name(fault) == name]
    return say("fault.or").join(dict.fromkeys(wordings))


def _worded(fault: ErrorDetails) -> str:
    word = _WORDS.get(fault["type"])
    if word is None:
        return fault["msg"]
    limits = fault.get("ctx", {})
    bound = next((limits[one] for one in ("gt", "ge", "lt", "le") if one in limits), "")
    expected = str(limits.get("expected", "")).replace(" or ", ", ")
    return say(f"fault.{word}", bound=bound, expected=expected, pattern=limits.get("pattern", ""))
