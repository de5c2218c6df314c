"""One delivery: rendered, published to the outbox, its recording filed away.

Imports `domain`, `files`, `handoff`, `config`, `ledger`. Read `publisher` first: it is the order of
the steps; `placing` makes an output set appear whole and over nobody's file, `archive` moves a
recording to done/ or failed/, `documents`, `formats` and `subtitles` render, without side effects.
"""
