"""The daemon as a background service of this user: installed, alive, and what may be wrong.

May import `launchd` (the package that knows the service managers), `reporting`, `config` and
`files`. Read `manager.py` first.
"""
