"""Which backend and which weights: names, folders, checksums, what this machine can run.

May import `config` and `files`, and none of the libraries it asks about. Read `registry.py` first.
"""
