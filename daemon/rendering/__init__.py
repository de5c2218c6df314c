"""What the files of a delivery contain: text, subtitles, tables, the page, the index. Pure.

May import `config`, `files` and `domain`. Read `formats.py` first: it names every format and what
renders it. Subtitles go through `units.py` (words with times), `cues.py` (where to cut),
`lines.py` (how a cue is broken into lines) and `limits.py` (the rules of the trade).
"""
