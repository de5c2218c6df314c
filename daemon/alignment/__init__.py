"""Words and their times: forced alignment of each segment's text with a CTC network.

May import `audio`, `domain`, `errors`, `files` and `models`, never `asr`. Read `aligner.py`
first, then `words.py` and `viterbi.py`; `wav2vec2.py` is the network in numpy, with its forms for
GPUs beside it. Torch is imported for GPUs that MLX does not compute on, for models that are
published as pickles (once, see `conversion.py`), and for networks that are WhisperX's to run.
"""
