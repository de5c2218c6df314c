#!/usr/bin/env python3
"""The benchmark, from a checkout: `dropscribe bench` under another name. See its --help."""

from __future__ import annotations

import sys

from environment import enter

enter("bench")

from daemon.__main__ import main  # noqa: E402 - now it is there

if __name__ == "__main__":
    sys.exit(main(["bench", *sys.argv[1:]]))
