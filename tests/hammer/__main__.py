"""``python -m tests.hammer --seconds 120 --seed 1``: exit 1 unless every kind struck and nothing was lost."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys

from tests.hammer.hammer import Plan, hammer

SHOWN = 60


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.hammer", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="how long they trade")
    parser.add_argument("--seed", type=int, default=1, help="of the market, the clients and the faults")
    given = parser.parse_args(arguments)
    logging.getLogger("picows").setLevel(logging.CRITICAL)
    verdict = asyncio.run(hammer(Plan(seconds=given.seconds, seed=given.seed)))
    failures = verdict.failures
    for failure in failures[:SHOWN]:
        print(f"FAILED {failure}", file=sys.stderr)
    if len(failures) > SHOWN:
        print(f"FAILED and {len(failures) - SHOWN} more", file=sys.stderr)
    print(verdict.line())
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
