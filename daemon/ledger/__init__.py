"""The durable queue: one SQLite row a file that says what is next. The only SQL of the daemon.

May import `files` and `domain`. Read `ledger.py` first; `queries.py` holds what changes nothing.
"""
