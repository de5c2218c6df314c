"""The disk and its faults: whole-or-absent writes, locks, digests, volumes.

May import `errors` and `domain`. Read `atomic.py` first: every durable write goes through it.
"""
