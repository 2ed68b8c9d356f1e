"""``python -m tests.fuzz [--mutations N] [--seed N] [--data FOLDER]``: damaged frames for every adapter."""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from quotewright.plugin.registry import PluginSet
from tests.fuzz.corpus import corpora
from tests.fuzz.damage import Watch, damage


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--mutations", type=int, default=20_000, help="for each adapter")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, help="folder with recordings, as tests read them")
    options = parser.parse_args(arguments)
    faults = 0
    for corpus in corpora(PluginSet.discover(strict=False), options.data):
        if not corpus.frames:
            print(f"{corpus.name:<16} has no frame that is short enough; it is passed over", flush=True)
            continue
        started = time.monotonic()
        watch = Watch(corpus.make, corpus.symbols, corpus.opening)
        tally = damage(watch, corpus.frames, options.mutations, random.Random(options.seed))
        faults += tally.other
        print(
            f"{corpus.name:<16} frames={len(corpus.frames)} cuts={tally.cuts} mutations={tally.mutations} "
            f"declared={tally.declared} taken={tally.taken} other={tally.other} "
            f"({time.monotonic() - started:.0f} s)",
            flush=True,
        )
        if tally.first_fault:
            print(f"  first: {tally.first_fault}", flush=True)
    print(f"other = {faults}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
