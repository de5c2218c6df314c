"""Who speaks when: turns from voices or from channels, and a speaker for each word.

May import `audio`, `domain` and `errors` only. Read `diarizer.py` first, then `clustering.py`.
"""
