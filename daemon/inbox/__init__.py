"""What lies in the inbox, which of it is complete, and when to look again.

May import `reporting`, `ledger`, `config`, `files` and `domain`. Read `scan.py` first: the
scan is the truth, events only say when to repeat it.
"""
