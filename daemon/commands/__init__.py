"""The command line, a command each.

May import every room; nothing imports it but `daemon.__main__`. Read `command_line.py` first: a
module is imported when its command is called.
"""
