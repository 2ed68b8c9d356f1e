"""Sessions that every program can follow: one book per exchange, coherent, with the sizes of messages seen in the wild.

Mean levels a message: Binance 6.5, Bybit 5.2, OKX 16, Deribit 1.1. A level is only deleted while it stands, the book
never crosses, every update follows the one before.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import attrs
from sortedcontainers import SortedDict

TICKS = 617_000
"""The first mid, in ticks of 0.1."""
FIRST_MS = 1_723_161_600_000
LEVELS = 400

Side = dict[int, int]
Book = SortedDict[int, int]
Changes = list[tuple[int, int]]


@attrs.frozen(kw_only=True)
class Session:
    """What comes over the wire: *opening* as (source, address, body), then *frames*; *best* is how it ends."""

    exchange: str
    market: str
    recorded_as: str
    symbol: str
    price_decimals: int
    size_decimals: int
    opening: tuple[tuple[str, str, bytes], ...]
    frames: tuple[bytes, ...]
    levels: float
    best: tuple[float, float]

    def as_json(self) -> bytes:
        """Return the session for a program in another language."""
        return json.dumps(
            {
                "exchange": self.recorded_as,
                "symbol": self.symbol,
                "opening": [[source, body.decode()] for source, _, body in self.opening],
                "frames": [frame.decode() for frame in self.frames],
            }
        ).encode()


class Market:
    """A book that changes by itself."""

    def __init__(self, seed: int, mean_levels: float) -> None:
        self.chance = random.Random(seed)
        self.mean_levels = mean_levels
        self.bids: Book = SortedDict({TICKS - place: self._size() for place in range(1, LEVELS + 1)})
        self.offers: Book = SortedDict({TICKS + place: self._size() for place in range(1, LEVELS + 1)})
        self.changed = 0

    def _size(self) -> int:
        return 1 + int(self.chance.lognormvariate(6, 1.4))

    def change(self) -> tuple[Changes, Changes]:
        """Change some levels and return them, bids and offers."""
        chance = self.chance
        count = max(1, round(chance.gauss(self.mean_levels, self.mean_levels / 3)))
        changed: tuple[Side, Side] = ({}, {})
        for _ in range(count):
            is_bid = chance.random() < 0.5
            own, other = (self.bids, self.offers) if is_bid else (self.offers, self.bids)
            away = min(int(chance.expovariate(1 / 25)), LEVELS - 1)
            price = other.peekitem(0)[0] - 1 - away if is_bid else other.peekitem(-1)[0] + 1 + away
            stood = price in own and price not in changed[not is_bid]
            size = 0 if stood and len(own) > LEVELS // 2 and chance.random() < 0.4 else self._size()
            if size:
                own[price] = size
            else:
                del own[price]
            changed[not is_bid][price] = size
        self.changed += sum(map(len, changed))
        return list(changed[0].items()), list(changed[1].items())

    def best(self) -> tuple[float, float]:
        """Return the best bid and offer as numbers."""
        return self.bids.peekitem(-1)[0] / 10, self.offers.peekitem(0)[0] / 10


def price(ticks: int) -> str:
    return f"{ticks // 10}.{ticks % 10}"


def size(lots: int) -> str:
    return f"{lots // 1000}.{lots % 1000:03}" if lots else "0"


def _pairs(levels: Changes) -> str:
    return "[" + ",".join(f'["{price(at)}","{size(of)}"]' for at, of in levels) + "]"


def _okx(levels: Changes) -> str:
    return "[" + ",".join(f'["{price(at)}","{of}","0","{min(of, 9)}"]' for at, of in levels) + "]"


def _deribit(levels: Changes, known: set[int]) -> str:
    made = []
    for at, of in levels:
        word = "delete" if not of else "change" if at in known else "new"
        made.append(f'["{word}",{price(at)},{of * 10}.0]')
    return "[" + ",".join(made) + "]"


def _snapshot(market: Market) -> tuple[Changes, Changes]:
    return list(market.bids.items())[::-1], list(market.offers.items())


def _session(book: Market, frames: list[bytes], opening: list[tuple[str, str, bytes]], **fields: object) -> Session:
    return Session(
        opening=tuple(opening),
        frames=tuple(frames),
        levels=book.changed / len(frames),
        best=book.best(),
        **fields,  # type: ignore[arg-type]
    )


def binance(count: int, seed: int) -> Session:
    market = Market(seed, 6.9)
    bids, offers = _snapshot(market)
    first = (
        f'{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":{FIRST_MS},"T":{FIRST_MS},"s":"BTCUSDT",'
        f'"U":990,"u":1000,"pu":980,"b":[],"a":[]}}}}'
    )
    snapshot = f'{{"lastUpdateId":1000,"E":{FIRST_MS},"T":{FIRST_MS},"bids":{_pairs(bids)},"asks":{_pairs(offers)}}}'
    frames, before = [], 1000
    for number in range(1, count + 1):
        bids, offers = market.change()
        last = before + market.chance.randint(5, 40)
        stamp = FIRST_MS + 100 * number
        frames.append(
            f'{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":{stamp + 3},"T":{stamp},"s":"BTCUSDT",'
            f'"U":{before + 1},"u":{last},"pu":{before},"b":{_pairs(bids)},"a":{_pairs(offers)}}}}}'.encode()
        )
        before = last
    address = "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=1000"
    return _session(
        market,
        frames,
        [("ws", "", first.encode()), ("rest", address, snapshot.encode())],
        exchange="binance",
        market="usdm",
        recorded_as="binance-futures",
        symbol="BTCUSDT",
        price_decimals=1,
        size_decimals=3,
    )


def bybit(count: int, seed: int) -> Session:
    market = Market(seed, 5.4)

    def frame(kind: str, bids: Changes, offers: Changes, number: int) -> bytes:
        stamp = FIRST_MS + 20 * number
        return (
            f'{{"topic":"orderbook.50.BTCUSDT","type":"{kind}","ts":{stamp + 2},"data":{{"s":"BTCUSDT",'
            f'"b":{_pairs(bids)},"a":{_pairs(offers)},"u":{9000 + number},"seq":{7_700_000 + 3 * number}}},'
            f'"cts":{stamp}}}'
        ).encode()

    opening = [("ws", "", frame("snapshot", *_snapshot(market), 0))]
    frames = [frame("delta", *market.change(), number) for number in range(1, count + 1)]
    return _session(
        market,
        frames,
        opening,
        exchange="bybit",
        market="linear",
        recorded_as="bybit",
        symbol="BTCUSDT",
        price_decimals=1,
        size_decimals=3,
    )


def okx(count: int, seed: int) -> Session:
    market = Market(seed, 17)

    def frame(kind: str, bids: Changes, offers: Changes, number: int) -> bytes:
        before = -1 if kind == "snapshot" else 1000 + 7 * (number - 1)
        return (
            f'{{"arg":{{"channel":"books-l2-tbt","instId":"BTC-USDT-SWAP"}},"action":"{kind}","data":[{{"asks":{_okx(offers)},'
            f'"bids":{_okx(bids)},"ts":"{FIRST_MS + 100 * number}","checksum":0,"prevSeqId":{before},'
            f'"seqId":{1000 + 7 * number}}}]}}'
        ).encode()

    opening = [("ws", "", frame("snapshot", *_snapshot(market), 0))]
    frames = [frame("update", *market.change(), number) for number in range(1, count + 1)]
    return _session(
        market,
        frames,
        opening,
        exchange="okx",
        market="swap",
        recorded_as="okex-swap",
        symbol="BTC-USDT-SWAP",
        price_decimals=1,
        size_decimals=0,
    )


def deribit(count: int, seed: int) -> Session:
    market = Market(seed, 1.1)

    def frame(kind: str, bids: str, offers: str, number: int) -> bytes:
        before = "" if kind == "snapshot" else f'"prev_change_id":{900 + 4 * (number - 1)},'
        return (
            '{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.BTC-PERPETUAL.100ms","data":{'
            f'"type":"{kind}","timestamp":{FIRST_MS + 100 * number},{before}"instrument_name":"BTC-PERPETUAL",'
            f'"change_id":{900 + 4 * number},"bids":{bids},"asks":{offers}}}}}}}'
        ).encode()

    bids, offers = _snapshot(market)
    opening = [("ws", "", frame("snapshot", _deribit(bids, set()), _deribit(offers, set()), 0))]
    frames = []
    for number in range(1, count + 1):
        known_bids, known_offers = set(market.bids), set(market.offers)
        bids, offers = market.change()
        frames.append(frame("change", _deribit(bids, known_bids), _deribit(offers, known_offers), number))
    return _session(
        market,
        frames,
        opening,
        exchange="deribit",
        market="",
        recorded_as="deribit",
        symbol="BTC-PERPETUAL",
        price_decimals=1,
        size_decimals=0,
    )


SESSIONS: dict[str, Callable[[int, int], Session]] = {
    "binance": binance,
    "bybit": bybit,
    "okx": okx,
    "deribit": deribit,
}
