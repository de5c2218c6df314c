"""Stage processes: starting them, watching their limits, and how an attempt ended.

May import `config`, `models`, `handoff`, `files` and `domain`. Read `attempts.py` first.
"""
