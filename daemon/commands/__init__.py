"""The verbs of the command line, a module each.

May import every room; nothing imports it but `daemon.__main__`. Read `run.py` first: the daemon.
"""
