"""Whisper on MLX: continuous batching of the chunks of any number of files.

May import `asr` and the rooms that `asr` may import. Read `recognizer.py` first, then
`batch_decoder.py`, `engine.py` and the network in `whisper.py`.
"""
