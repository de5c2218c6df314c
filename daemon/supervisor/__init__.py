"""The daemon's loop and its decisions: which file, which stage, and what an outcome means.

May import everything but `bench`, `commands` and what runs in a stage; nothing here waits for long.
Read `transitions.py` first: it tells the way of a recording. Then `loop.py` and `scheduler.py`.
"""
