"""Whisper on CTranslate2, for machines without a GPU that MLX knows.

May import `asr` and the rooms that `asr` may import. Read `recognizer.py` first; `conversion.py`
makes its weights from an MLX checkpoint.
"""
