"""The sessions of the four exchanges are coherent, and what is measured on them comes to the same quotes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bench.exchanges import __main__ as peers
from bench.exchanges import sessions
from bench.exchanges.candidates import ByHand, Missing, Ours, TardisDev
from bench.exchanges.sessions import SESSIONS, Session
from quotewright.feed import BookState
from quotewright.kernel.codes import BOOK_GOOD
from quotewright.kernel.ladder import Ladder
from quotewright.kernel.rows import TapeBuffer
from quotewright.kernel.sink import TapeSink
from quotewright.tape.importing import make_adapter

LEVELS = {"binance": 6.5, "bybit": 5.2, "okx": 16, "deribit": 1.1}
"""Mean levels of a message that were seen in recordings."""


@pytest.mark.parametrize("exchange", SESSIONS)
def test_a_session_is_coherent_and_as_busy_as_it_says(exchange: str) -> None:
    session = SESSIONS[exchange](400, 3)
    assert session == SESSIONS[exchange](400, 3)
    assert session.levels == pytest.approx(LEVELS[exchange], rel=0.1)
    adapter = make_adapter(Ours().plugins, exchange, session.market)
    buffer, book = TapeBuffer(), Ladder()
    sink = TapeSink(buffer, {session.symbol: (0, session.price_decimals, session.size_decimals)})
    for source, url, body in session.opening:
        adapter.on_message(body, "rest" if source == "rest" else "ws", url or None, 1, sink)
    for frame in session.frames:
        adapter.on_message(frame, "ws", None, 1, sink)
        book.apply(buffer, 0, buffer.count)
        buffer.truncate(0)
        assert book.status == BOOK_GOOD
    counters = adapter.counters
    released = exchange == "binance"  # the update that waited for the snapshot
    assert (counters.updates, counters.gaps, counters.errors) == (400 + released, 0, 0)
    assert adapter.books[session.symbol].state is BookState.SYNCHRONISED
    assert book.crossings == 0


def test_a_level_is_deleted_or_changed_while_it_stands_and_new_otherwise() -> None:
    session = SESSIONS["deribit"](2_000, 3)
    standing: set[tuple[str, float]] = set()
    words = set()
    for body in (session.opening[0][2], *session.frames):
        data = json.loads(body)["params"]["data"]
        for side in ("bids", "asks"):
            for word, price, _ in data[side]:
                words.add(word)
                assert ((side, price) in standing) is (word != "new")
                (standing.discard if word == "delete" else standing.add)((side, price))
    assert words == {"new", "change", "delete"}


@pytest.mark.parametrize("exchange", SESSIONS)
def test_ours_and_a_book_by_hand_come_to_the_same_quotes(exchange: str) -> None:
    session = SESSIONS[exchange](120, 4)
    rows = peers.measure(session, [Ours(), ByHand()], 1)
    assert [(row["exchange"], row["program"]) for row in rows] == [
        (exchange, "quotewright"),
        (exchange, "msgspec by hand"),
    ]
    assert rows[0]["ratio"] == 1
    assert all(row["min_ns"] > 0 for row in rows)


class Broken:
    """A peer that cannot, or whose book is wrong."""

    name = "broken 1.0"

    def __init__(self, error: Exception | None) -> None:
        self.error = error

    def round(self, session: Session) -> tuple[int, tuple[float, float]]:
        if self.error is not None:
            raise self.error
        return 1, (1.0, 2.0)


@pytest.mark.parametrize(
    ("error", "told"),
    [(Missing("node ended with 1"), "Missing: node ended with 1"), (None, "its book ends at (1.0, 2.0)")],
)
def test_a_peer_that_cannot_follow_has_a_row_that_says_so(error: Exception | None, told: str) -> None:
    ours, peer = peers.measure(SESSIONS["deribit"](20, 4), [Ours(), Broken(error)], 2)
    assert told in peer["missing"]
    assert "min_ns" in ours


def test_our_own_book_must_be_right() -> None:
    with pytest.raises(AssertionError, match="its book ends at"):
        peers.measure(SESSIONS["deribit"](20, 4), [Broken(None)], 1)


def test_a_missing_peer_is_a_row_of_every_exchange_and_exit_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    with pytest.raises(Missing):
        TardisDev(tmp_path)
    monkeypatch.setattr(sessions, "LEVELS", 6)
    monkeypatch.setattr(peers, "candidates", lambda modules: ([Ours(), ByHand()], {"cryptofeed": "is not there"}))
    assert peers.main(["--messages", "20", "--rounds", "1", "--json"]) == 1
    rows = json.loads(capsys.readouterr().out)["rows"]
    missing = [(row["exchange"], row["program"], row["missing"]) for row in rows if "missing" in row]
    assert missing == [(exchange, "cryptofeed", "is not there") for exchange in SESSIONS]
    assert peers.main(["--messages", "20", "--rounds", "1"]) == 1
    assert capsys.readouterr().out.count("cryptofeed           missing: is not there") == 4
    monkeypatch.setattr(peers, "candidates", lambda modules: ([Ours(), ByHand()], {}))
    assert peers.main(["--messages", "20", "--rounds", "1", "--json"]) == 0
