"""PUBLISH: a job's artefacts → outputs/, the files that the outbox will get.

The process is kept for several files: starting one takes a second, rendering a short file a
fiftieth of that. Delivering the files is the supervisor's.
"""

from __future__ import annotations

from pathlib import Path

from daemon.domain.job import FailureKind
from daemon.handoff import artefacts
from daemon.stages import sandbox
from daemon.stages.serve import Channel, Handler, StageError, serve


def _handler() -> Handler:
    from daemon.handoff.outputs import PublishOrder  # noqa: PLC0415 - stdout must be guarded first
    from daemon.outbox.output_set import OutputSetRenderer  # noqa: PLC0415

    def publish(channel: Channel) -> None:
        folder = channel.request.folder
        renderer = OutputSetRenderer(
            PublishOrder.read(folder), folder, channel.progress, sandbox.peak_rss_bytes
        )
        try:
            outputs = renderer.render()
        except artefacts.InvalidArtefactError as error:
            (folder / artefacts.TRANSCRIPT).unlink(missing_ok=True)  # so that it is made again
            raise StageError(FailureKind.CRASHED, f"the results are damaged: {error}") from error
        outputs.write(folder, channel.request.nonce)

    return publish


if __name__ == "__main__":
    serve(_handler, lambda: sandbox.confine_model(Path.cwd()))
