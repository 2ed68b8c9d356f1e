"""A live paper run in a process of its own that says when its record has been flushed and then waits to be killed."""

from __future__ import annotations

import sys
from pathlib import Path

from quotewright.config.load import load_config
from quotewright.plugin.registry import PluginSet
from quotewright.runtime import paper_live as module


def main(folder: Path) -> None:
    module.STATUS_SECONDS = 0.0  # a flush in every turn
    plugins = PluginSet.discover()
    config = load_config([folder / "live.toml"])

    def watcher(session) -> None:
        if told[0] >= 2 and told[1] > 200:  # as of the turn before, which was flushed
            print(f"flushed {told}", flush=True)
            sys.stdin.read()
        told[:] = [session.recorder.orders, session.pipeline.rows_consumed]

    told = [0, 0]
    module.paper_live(config, plugins, None, folder / "run", watcher)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
