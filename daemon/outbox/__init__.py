"""One delivery: results rendered, published as a whole set, and the recording archived.

May import `config`, `ledger`, `handoff`, `files` and `domain`. Read `publisher.py` first.
"""
