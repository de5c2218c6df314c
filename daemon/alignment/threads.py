"""How many cores the aligner takes: few while a transcriber beside it computes on them, too."""

from __future__ import annotations

import torch


class Threads:
    """`shared`: as many threads at first; 0 for as many as torch takes by itself."""

    def __init__(self, shared: int) -> None:
        self._all = torch.get_num_threads()
        if shared:
            torch.set_num_threads(min(shared, self._all))

    def take_all(self) -> None:
        """Called by the thread that computes."""
        torch.set_num_threads(self._all)
