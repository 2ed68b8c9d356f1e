"""The command line in a process of its own that says on standard error when a live run has sent two orders."""

from __future__ import annotations

import sys

from quotewright.cli.main import main
from quotewright.runtime.paper_live import LiveRun

told = LiveRun._tell


def tell(self: LiveRun) -> None:
    told(self)
    if self.session.recorder.orders >= 2 and LiveRun._tell is tell:
        LiveRun._tell = told  # type: ignore[method-assign]
        print("two orders", file=sys.stderr, flush=True)


if __name__ == "__main__":
    LiveRun._tell = tell  # type: ignore[method-assign]
    sys.exit(main(sys.argv[1:]))
