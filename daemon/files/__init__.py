"""The disk: files that are whole or absent, volumes, the lock, and what the disk complains of.

Imports `errors` and `domain` only. Read `atomic` first: everything that we write goes through it.
`recording` is how a user's file is opened and recognised; `faults` turns the disk's errors into
sentences; `state_folder` holds the names that several rooms must agree on; `background` does what
takes long.
"""
