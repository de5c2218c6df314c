"""Stage processes: starting them, watching their limits, and how an attempt ended.

May import `config`, `handoff`, `files` and `domain`. Read `attempts.py` first.
"""
