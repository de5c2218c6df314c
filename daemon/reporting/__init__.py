"""Telling people and programs: the log, `status.json`, notifications, hook and webhook.

May import `config`, `models`, `files` and `domain`. Read `event_log.py` first.
"""
