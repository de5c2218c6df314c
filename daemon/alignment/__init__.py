"""Words and their times: forced alignment of each segment's text with a CTC network.

May import `audio`, `domain`, `errors`, `files` and `models`, never `asr`. Read `aligner.py`
first, then `words.py` and `viterbi.py`.
"""
