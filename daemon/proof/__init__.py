"""What could not be verified without a Mac, settled on one: `dropscribe doctor --prove`.

May import `service`, `inbox`, `models`, `config`, `files` and `launchd`; what loads a model runs in
a process of its own (`trials.py`, `inside.py`). Read `items.py` first: an item is a question, a
verdict and what was found. Nothing here names a person, a path or a recording: the document is to
be pasted.
"""
