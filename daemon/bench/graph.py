"""What a computation is made of: MLX's primitives, and those of them that start a kernel."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable

import mlx.core as mx

# These only look at an array in another way.
_VIEWS = {
    "Broadcast",
    "Depends",
    "ExpandDims",
    "Reshape",
    "Slice",
    "Split",
    "Squeeze",
    "Transpose",
}


def primitives(results: Iterable[mx.array]) -> Counter[str]:
    """The primitives that are to run for `results`, none of them evaluated yet."""
    dot = io.StringIO()
    mx.export_to_dot(dot, *results)
    return Counter(re.findall(r'label\s*=\s*"([^"]+)"', dot.getvalue()))


def kernels(counted: Counter[str]) -> int:
    """How many of the primitives compute something: each is at least one kernel on a GPU."""
    return sum(count for name, count in counted.items() if name not in _VIEWS)
