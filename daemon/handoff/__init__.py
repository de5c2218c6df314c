"""The contract between supervisor and stages: messages, and the artefacts in a job's folder.

May import `files` and `domain`. Read `protocol.py` first. Both sides read everything with distrust.
"""
