"""The page of what works: written from what the clients' scripts tell, and compared with the one in the tree."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs" / "compatibility.md"
MARKETS = ("spot", "usdm")

HEAD = """# Clients that trade here unmodified

Which client, in which version, made which call, and how it ended. Each client was installed from the package index and
pointed at a local exchange; nothing else of it was changed. A cell says `yes`, or the client's own exception (or the
venue's code) that a provoked error became, or what failed; it is empty where a version does not have the call.

## How to repeat it

```text
tox run -e clients
python -m tests.clients --environments FOLDER
python -m tests.clients ccxt==4.5.80 python-binance==1.0.22,websockets==11.0.3 --environments FOLDER --trace
```

The first makes an environment for each client, serves `quotewright exchange serve` to each, prints what became of each
call and fails if one failed or if this page is not what came out. The second keeps the environments for the next time.
The third takes other versions of two clients, with what they need beside them. `--write` writes this page.

Clients in JavaScript are called where Node.js and npm are. How a client is pointed at the exchange stands at the top of
its script.

"""


def cell(one: dict[str, Any]) -> str:
    if not one["ok"]:
        return f"fails: {one['error']}".replace("|", "\\|").replace("\n", " ")
    return f"`{one['note']}`" if one["note"] else "yes"


def sections(told: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return a section by client: a row for each call, a column for each version and market."""
    clients: dict[str, list[dict[str, Any]]] = {}
    for one in told:
        clients.setdefault(one["client"], []).append(one)
    found = {}
    for client, ones in clients.items():
        versions = list(dict.fromkeys(one["version"] for one in ones))
        markets = [market for market in MARKETS if any(one["market"] == market for one in ones)]
        columns = [(version, market) for version in versions for market in markets]
        cells = {(one["call"], one["version"], one["market"]): cell(one) for one in ones}
        heads = [f"{version} {market}" for version, market in columns]
        script = ones[0].get("script", "")
        lines = [
            f"## {client}",
            "",
            f"Called by `tests/clients/{script}`.",
            "",
            f"| call | {' | '.join(heads)} |",
            "|---" * (1 + len(heads)) + "|",
        ]
        for call in dict.fromkeys(one["call"] for one in ones):
            row = [cells.get((call, *column), "") for column in columns]
            lines.append(f"| {call} | {' | '.join(row)} |")
        found[client] = "\n".join(lines) + "\n"
    return found


def page(told: Sequence[dict[str, Any]]) -> str:
    """Return the whole page."""
    return HEAD + "\n".join(sections(told).values())


def difference(new: str, committed: str, *, is_whole: bool) -> str:
    """Return how *new* differs from the page in the tree, empty if it does not; unless it *is_whole*, sections may be
    missing in it."""
    parts = new.split("\n## ")
    if not is_whole:
        titles = {part.partition("\n")[0] for part in parts}
        committed = "\n## ".join(
            part
            for place, part in enumerate(committed.split("\n## "))
            if not place or part.partition("\n")[0] in titles
        )
    lines = (text.rstrip("\n").splitlines(keepends=True) for text in (committed, new))
    return "".join(difflib.unified_diff(*lines, "docs/compatibility.md", "found now"))
