"""A local relay: speaks the four dialects of the articles over sockets and HTTP, and checks keys as they say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from urllib.parse import parse_qs, urlsplit

from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_connect, ws_create_server

KEY = "HS.good"
FRAMES = {
    "A": [
        b'{"type":"update","bids":[["1","1"]],"asks":[]}',
        b'{"type":"snapshot","bids":[["40000.1","1.5"]],"asks":[["40000.2","2"]]}',
        b'{"type":"update","bids":[["40000.1","0"],["40000.0","3"]],"asks":[]}',
    ],
    "B": [
        b'{"type":"snapshot","bids":[[40000.1,1.5]],"asks":[[40000.2,2]]}',
        b'{"type":"delta","bids":[[40000.1,0],[40000.0,3]],"asks":[]}',
    ],
    "C": [
        b'{"type":"orderbook_snapshot","exchange":"binance","symbol":"BTCUSDT","data":{"bids":[["40000.1","1.5"]],'
        b'"asks":[["40000.2","2"]]},"timestamp":1772323200000,"seq":10}',
        b'{"type":"orderbook_update","exchange":"binance","symbol":"BTCUSDT","data":{"bids":[["40000.2","9"]],'
        b'"asks":[]},"timestamp":1772323200050,"seq":9}',
        b'{"type":"orderbook_update","exchange":"binance","symbol":"BTCUSDT","data":{"bids":[["40000.1","0.0"],'
        b'["40000.0","3"]],"asks":[]},"timestamp":1772323200100,"seq":11}',
    ],
}
"""What each dialect's socket sends; changes before a snapshot and old numbers among them."""


class Door(WSListener):
    """One socket of the relay."""

    def __init__(self, request: WSUpgradeRequest) -> None:
        self.path = urlsplit(request.path.decode())
        self.query = {name: values[0] for name, values in parse_qs(self.path.query).items()}

    def on_ws_connected(self, transport: WSTransport) -> None:
        if self.path.path.endswith("/tardis/ws"):
            return
        dialect = "A" if self.path.path.startswith("/token") else "C"
        if dialect == "C":
            assert self.query == {
                "key": KEY,
                "type": "orderbook",
                "symbols": "BTCUSDT",
                "exchanges": "binance",
                "format": "tardis",
            }
        for frame in FRAMES[dialect]:
            transport.send(WSMsgType.TEXT, frame)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        expected = b'{"action":"subscribe","channel":"orderbook","exchange":"binance","symbol":"BTCUSDT"}'
        if frame.msg_type == WSMsgType.TEXT and frame.get_payload_as_bytes() == expected and self.query["token"] == KEY:
            for answer in FRAMES["B"]:
                transport.send(WSMsgType.TEXT, answer)


class Client(WSListener):
    """Sends what a wire says and collects what comes."""

    def __init__(self, frames: Sequence[bytes], wanted: int) -> None:
        self.frames = frames
        self.wanted = wanted
        self.came: list[bytes] = []
        self.done = asyncio.Event()

    def on_ws_connected(self, transport: WSTransport) -> None:
        for frame in self.frames:
            transport.send(WSMsgType.TEXT, frame)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self.came.append(frame.get_payload_as_bytes())
        if len(self.came) >= self.wanted:
            self.done.set()


def received(address: Callable[[str], str], frames: Sequence[bytes], wanted: int, door=Door) -> list[bytes]:
    """Return what the relay's socket at ``address(base)`` sends after *frames*."""

    async def talk() -> list[bytes]:
        server = await ws_create_server(door, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            transport, client = await ws_connect(lambda: Client(frames, wanted), address(f"ws://127.0.0.1:{port}"))
            await asyncio.wait_for(client.done.wait(), 10)
            transport.disconnect()
            return client.came
        finally:
            server.close()
            await server.wait_closed()

    return asyncio.run(talk())
