"""What `status` draws on a terminal. It imports rich, and is imported for a terminal only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from daemon.commands.find_job import titled
from daemon.commands.hosts_view import describe
from daemon.domain.names import printable
from daemon.domain.transcript import Json
from daemon.outbox.summary import clock

_COLOURS = {
    "working": "green",
    "idle": "green",
    "paused": "yellow",
    "silent": "red",
    "stopped": "red",
}
_MARKS = {"done": ("✓", "green"), "failed": ("✗", "red"), "gone": ("·", "dim")}


def view(data: Json) -> RenderableType:
    """The whole screen: state, files at work, the latest files."""
    return Group(*_head(data), *_at_work(data), *_latest(data))


def _head(data: Json) -> Iterator[RenderableType]:
    state = Text(f"● {data['state']}", style=_COLOURS.get(data["state"], "cyan"))
    counts = f"   {data['waiting']} waiting, {data['done']} done, {data['failed']} failed"
    if data["eta_seconds"]:
        counts += f", about {clock(data['eta_seconds'])} left"
    yield state.append(counts, style="default")
    if data["reason"]:
        yield _below(data["reason"], style="yellow")
    if data["state"] == "stopped":
        yield _below("start it with: dropscribe start (or dropscribe install, once)", style="dim")
    yield _below(f"inbox {data['folders']['inbox']}", style="dim")
    if data["about_model"]:
        yield _below(data["about_model"], style="dim")
    if data["stand_in"]:
        yield _below(data["stand_in"], style="dim")
    if data["failed"]:
        yield _below("dropscribe retry NAME, or dropscribe clear NAME", style="dim")
    if data["left_alone"]:
        text = f"{data['left_alone']} left alone in the inbox: dropscribe inbox says why"
        yield _below(text, style="dim")
    if data["daemon"].get("watcher") not in (None, "", "off"):
        yield _below(f"watching by rescan only: {data['daemon']['watcher']}", style="yellow")


def _below(text: str, style: str) -> RenderableType:
    """A line below the state, indented wherever it is wrapped."""
    return Padding(Text(text, style=style), (0, 0, 0, 2))


def _at_work(data: Json) -> Iterator[RenderableType]:
    for host in data["daemon"].get("hosts", ()):
        yield _below(f"{host['name']}: {describe(host)}", style="dim")
    for file in data["daemon"].get("inbox", ()):
        yield _below(f"{file['name']} waits: {file['reason']}", style="yellow")
    for file in data["daemon"].get("hanging", ()):
        yield _below(f"{file['name']}: {file['reason']}", style="red")
    rows = data["daemon"].get("working_on", [])
    if not rows:
        return
    table = _table()
    table.add_column("", justify="right", no_wrap=True, style="dim")
    table.add_column("at work", ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column("stage", no_wrap=True)
    for title in ("done", "of", "speed", "left"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        total = row["total_seconds"]
        table.add_row(
            f"#{row['job']}",
            Text(titled(row.get("folder", ""), row["name"])),
            _stage(row),
            clock(row["done_seconds"]) if total else "",
            clock(total) if total else "",
            f"{row['speed']:.1f} ×" if row.get("speed") and total else "",
            clock(row["eta_seconds"]) if row.get("eta_seconds") is not None else "",
        )
    yield Text("")
    yield table


def _stage(row: Json) -> str:
    if row.get("host"):
        return f"{row['stage']} on {row['host']}"
    return f"{row['stage']} waits" if row.get("waiting") else str(row["stage"])


def _latest(data: Json) -> Iterator[RenderableType]:
    busy = {row["job"] for row in data["daemon"].get("working_on", [])}
    jobs = [job for job in data["jobs"] if job["job"] not in busy]
    if not jobs:
        return
    table = _table()
    table.add_column("", justify="right", no_wrap=True, style="dim")
    table.add_column("", no_wrap=True)
    table.add_column("latest", ratio=2, no_wrap=True, overflow="ellipsis")
    table.add_column("", ratio=3, no_wrap=True, overflow="ellipsis")
    for job in jobs:
        mark, colour = _MARKS.get(job["next"], ("…", "cyan"))
        table.add_row(
            f"#{job['job']}",
            Text(mark, style=colour),
            Text(titled(job["folder"], job["name"])),
            _ended(job),
        )
    yield Text("")
    yield table


def _table() -> Table:
    return Table(box=None, expand=True, padding=(0, 1), header_style="dim", show_edge=False)


def _ended(job: Mapping[str, str]) -> Text:
    if job["outputs"]:
        said = f"{printable(job['outputs'])}.*"
        return Text(f"{said}  {job['reason']}" if job["reason"] else said, style="dim")
    if job["reason"]:
        return Text(job["reason"], style="dim" if job["next"] == "done" else "red")
    return Text(f"waits for {job['next']}", style="dim")
