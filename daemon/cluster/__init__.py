"""When one machine is not enough: others lend themselves, and do everything up to PUBLISH.

    owner's daemon ── stage protocol ── cluster child ── /usr/bin/ssh ── `dropscribe lend` ── stages
    (the ledger)      processes/remote    child.py         wire.py         lender.py

The daemon on one machine stays the owner: its inbox, ledger, outbox and promises. Read
`lender.py` first (the far side), then `host.py` (the near side of one connection) and `child.py`.
A Dask cluster stands beside ssh: `dask_hosts.py` (the near side), `dask_lender.py` (in a worker).
README.md tells the trust model and what happens when a machine is lost.

May import every room but `commands`; the daemon's own process imports nothing of it: the cluster
child is a process of its own, and only the supervisor's `lending.py` decides about jobs.
"""
