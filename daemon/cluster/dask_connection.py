"""Where a Dask scheduler is, and with which keys it is spoken to."""

from __future__ import annotations

from dataclasses import dataclass

from distributed import Security

from daemon.config.settings import Cluster


@dataclass(frozen=True, slots=True)
class DaskAddress:
    """`tls://HOST:PORT` with three PEM files, or `tcp://` on this machine, without."""

    scheduler: str
    ca: str = ""
    cert: str = ""
    key: str = ""

    @classmethod
    def of(cls, cluster: Cluster) -> DaskAddress:
        return cls(cluster.scheduler, cluster.tls_ca, cluster.tls_cert, cluster.tls_key)

    def security(self) -> Security | None:
        """None for tcp://. Both sides show a certificate of that authority, or are refused."""
        if not self.scheduler.startswith("tls://"):
            return None
        own = {
            f"tls_{role}_{part}": value
            for role in ("client", "worker")
            for part, value in (("cert", self.cert), ("key", self.key))
        }
        return Security(tls_ca_file=self.ca, require_encryption=True, **own)
