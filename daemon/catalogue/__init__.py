"""All deliveries together: the search index over their texts, and index.html in the outbox.

Everything here is made from the outbox and may be thrown away: it is made again. Nothing of it
runs in the supervisor's process but `updater.py`, a thread that starts the rest as a process.

May import `rendering`, `config`, `ledger`, `files` and `domain`. Read `database.py` first (what is
kept), then `sync.py` (how it follows the outbox), `query.py` (how it is asked) and `index.py`.
"""
