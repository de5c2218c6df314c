"""dropscribe: drop a recording into a folder; text, subtitles and word times appear in another."""

__version__ = "0.1.0"
