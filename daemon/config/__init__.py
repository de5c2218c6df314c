"""What the user may set: every key with its default and its check, and config.toml on disk.

May import `files` and what it may import. Read `settings.py` first, then `table.py`, which checks
it, and `file.py`.
"""
