"""The stage processes, PREPARE to PUBLISH: the child side of `daemon.handoff`.

May import `asr`, `alignment`, `handoff` and the rooms below them, never the ledger, `processes` or
the supervisor; only `python -m` starts them. Read `serve.py` first, then the stage.
"""
