"""Speech recognition with Whisper, whichever library runs the network.

May import `audio`, `domain` and `errors` only. Read `recognizer.py` first: the protocol that both
backends (`mlx_backend`, `ctranslate2_backend`) fulfil; then `chunks.py` and `timeline.py`.
"""
