"""The workers of a Dask cluster: which of them can be used, and when each was heard of last."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from distributed import Client

from daemon import __version__
from daemon.cluster import dask_lender, wire
from daemon.cluster.host import with_stock
from daemon.domain.transcript import Json
from daemon.handoff.protocol import HostState

_DESCRIBED_SECONDS = 15.0  # between two looks at a worker
_AT_ONCE = 50  # workers that are asked at the same time
_SHOWN = 20  # workers that the status names
_MEMORY_SHOWN = 256_000_000  # bytes: less of a change is not worth a message
_REASON = 200  # characters
_NOTHING = HostState("", "away")


class DaskWorkers:
    """By their addresses. Every method is called from the event loop."""

    def __init__(self, client: Client, settings: Json) -> None:
        self._client = client
        self._settings = settings  # what the owner wishes
        self._stock: dict[str, HostState] = {}
        self._names: dict[str, str] = {}
        self._places: dict[str, int] = {}  # 0: it is not used, for a reason
        self._reasons: dict[str, str] = {}
        self._described: dict[str, float] = {}
        self._heard: dict[str, float] = {}
        self._describing: set[asyncio.Future[None]] = set()
        self._asking = asyncio.Semaphore(_AT_ONCE)

    @property
    def usable(self) -> list[str]:
        return [address for address, places in self._places.items() if places]

    def places(self) -> int:
        return sum(self._places.values())

    def why_none(self) -> str:
        """For a person: what most of them say."""
        if not self._names:
            return "the cluster has no worker"
        most = Counter(self._reasons.values()).most_common(1)
        return most[0][0] if most else "its workers have not answered yet"

    def shown(self, jobs: Counter[str]) -> tuple[str, ...]:
        """A line a worker, the busy ones first; `jobs` counts by address."""
        order = sorted(self._names, key=lambda address: -jobs[address])
        lines = [f"{self._names[a]}: {self._shown(a, jobs[a])}" for a in order[:_SHOWN]]
        if len(order) > _SHOWN:
            lines.append(f"and {len(order) - _SHOWN} more")
        return tuple(lines)

    def _shown(self, address: str, jobs: int) -> str:
        return self._reasons.get(address) or f"{jobs} of {self._places.get(address, 0)} files"

    def with_stock(self, cluster: HostState) -> HostState:
        """What each of the usable workers has, as the cluster's."""
        found = [self._stock[address] for address in self.usable]
        if not found:
            return cluster
        free = min(one.free_bytes for one in found)
        return replace(
            cluster,
            models=tuple(sorted(set.intersection(*(set(one.models) for one in found)))),
            aligners=tuple(sorted(set.intersection(*(set(one.aligners) for one in found)))),
            free_bytes=free // _MEMORY_SHOWN * _MEMORY_SHOWN,
        )

    def set_aside(self, address: str, reason: str) -> None:
        """It is not used until it is described anew."""
        if address in self._names:
            self._places[address], self._reasons[address] = 0, reason[:_REASON]

    def heard(self, address: str) -> None:
        self._heard[address] = time.monotonic()

    def is_silent(self, address: str) -> bool:
        heard = self._heard.get(address, 0.0)
        return address not in self._names or time.monotonic() - heard > wire.SILENCE_SECONDS

    async def look(self) -> None:
        """Ask the scheduler which there are, and those that it is time to ask."""
        identity = self._client.scheduler.identity(n_workers=-1)
        found = await asyncio.wait_for(identity, wire.SILENCE_SECONDS)
        workers: Json = found["workers"]
        for address in set(self._names) - set(workers):
            self.forget(address)
        now = time.monotonic()
        for address, worker in workers.items():
            self._names[address] = str(worker["name"])[:60]
            self._heard.setdefault(address, now)
        due = [a for a in workers if now - self._described.get(a, 0.0) > _DESCRIBED_SECONDS]
        tasks = {asyncio.ensure_future(self._describe(address)) for address in due}
        self._describing |= tasks
        for task in tasks:
            task.add_done_callback(self._describing.discard)
        if tasks:  # a frozen one must not hold up the rest
            await asyncio.wait(tasks, timeout=1)

    def forget(self, address: str) -> None:
        for known in (
            self._names,
            self._places,
            self._reasons,
            self._described,
            self._heard,
            self._stock,
        ):
            known.pop(address, None)

    async def _describe(self, address: str) -> None:
        self._described[address] = time.monotonic()
        try:
            said = await self.call(address, dask_lender.describe, self._settings)
            version, places = str(said["version"]), int(said["places"])
            reason, stock = str(said["reason"]), with_stock(_NOTHING, said)
        except Exception as error:
            self.set_aside(address, f"it does not answer ({type(error).__name__}: {error})")
            return
        if version != __version__:
            reason = (
                f"it has dropscribe {version}, and the owner has {__version__}:"
                " bring both to the same version"
            )
        elif not places:
            reason = f'it offers no places: start it with --resources "{dask_lender.RESOURCE}=1"'
        model = str(self._settings.get("transcribe", {}).get("model", ""))
        if not reason and model not in stock.models:
            reason = f"the model {model} is not there: run `dropscribe models fetch {model}` there"
        before = self._stock.get(address, _NOTHING).free_bytes  # what we loaded is for us
        self._stock[address] = replace(stock, free_bytes=max(stock.free_bytes, before))
        if reason:
            self.set_aside(address, reason)
        elif address in self._names:
            self._places[address] = places
            self._reasons.pop(address, None)

    async def call(self, address: str, function: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401
        """Run one of dask_lender's functions there. Raises whatever it did, and TimeoutError."""
        async with self._asking:
            answers = self._client.run(function, *arguments, workers=[address])
            found = await asyncio.wait_for(answers, wire.SILENCE_SECONDS / 2)
        self.heard(address)
        return found[address]
