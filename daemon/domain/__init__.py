"""The values that the whole program speaks of: jobs, stages, transcripts, names. Frozen and pure.

Imports the standard library and msgspec only. Read `job.py` first: it holds every step that a
recording can take.
"""
