"""One delivery: rendered, published to the outbox, its recording filed away.

Imports `domain`, `files`, `handoff`, `config`, `ledger`, `rendering`. Read `publisher` first: it is
the order of the steps; `placing` makes an output set appear whole and over nobody's file, `archive`
moves a recording to done/ or failed/, `documents` and `rendition` make what is delivered.
"""
