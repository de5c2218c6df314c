"""Other machines, for a person: `status` and `cluster status`."""

from __future__ import annotations

from daemon.domain.transcript import Json


def describe(host: Json) -> str:
    """A machine's row of status.json, for a person."""
    if not host["places"]:
        return str(host["reason"])
    parts = [f"{len(host['jobs'])} of {host['places']} files"]
    if host["jobs"]:
        parts[0] += " (" + ", ".join(f"#{job}" for job in host["jobs"]) + ")"
    if host["speed"]:
        parts.append(f"{host['speed']:.1f} × real time")
    if host["bytes_per_second"]:
        parts.append(f"{host['bytes_per_second'] / 1e6:.1f} MB/s")
    return ", ".join(parts)
