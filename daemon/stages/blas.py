"""One core for numpy's BLAS: its threads cost a stage 0.1 s of CPU to start, and wait busily."""

from __future__ import annotations

import os

# OpenBLAS, Apple's Accelerate and MKL: whichever numpy was built with reads its own when loaded.
VARIABLES = ("OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "MKL_NUM_THREADS")


def keep_on_one_core() -> None:
    """To be called before numpy is imported."""
    os.environ.update(dict.fromkeys(VARIABLES, "1"))
