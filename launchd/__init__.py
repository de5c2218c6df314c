"""The background service: a LaunchAgent on macOS, a systemd user unit on Linux.

Standard library only, and nothing from `daemon`: this package knows how to keep a program running,
and how to take itself away again without a trace.
"""
