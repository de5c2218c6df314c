"""Measurements of speed and accuracy, beside the peers that are installed.

May import every room but `commands`. Read `measurement.py` first: systems take turns, so that
what slows the machine slows all of them.
"""
