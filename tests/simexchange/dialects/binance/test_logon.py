"""Sessions of the WebSocket API of the spot door: an Ed25519 key logs on once, and requests need no signature then."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from quotewright_simexchange.dialects.binance.auth import frame_text
from tests.simexchange.dialects.binance.world import World

ORDER = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "price": "40000.00",
    "quantity": "0.01",
}


class Speaker:
    """A connection of somebody with an Ed25519 key."""

    def __init__(self, world: World) -> None:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519

        self.own = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
        public = self.own.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        world.exchange.add_key("me", "ed-key", public.decode())
        self.world = world
        self.session, self.wire = world.connected("/ws-api/v3")

    def say(self, method: str, *, is_signed: bool = False, **params: Any) -> Any:
        if is_signed:
            params |= {"apiKey": "ed-key", "timestamp": self.world.now_ns // 1_000_000}
            text = frame_text({key: str(value) for key, value in params.items()})
            params["signature"] = base64.b64encode(self.own.sign(text)).decode()
        self.session.heard(json.dumps({"id": "1", "method": method, "params": params}).encode(), self.world.now_ns)
        return self.wire.last()


@pytest.fixture
def speaker(world: World) -> Speaker:
    pytest.importorskip("cryptography", reason="Ed25519 keys need 'cryptography'")
    return Speaker(world)


def test_after_a_logon_requests_need_no_signature_until_the_logout(speaker: Speaker) -> None:
    stamp = speaker.world.now_ns // 1_000_000
    assert speaker.say("order.place", **ORDER, timestamp=stamp)["error"]["code"] == -1102
    logged = speaker.say("session.logon", is_signed=True)["result"]
    assert (logged["apiKey"], logged["authorizedSince"]) == ("ed-key", stamp)
    assert speaker.say("order.place", **ORDER, timestamp=stamp)["result"]["status"] == "NEW"
    assert speaker.say("order.place", **ORDER, timestamp=stamp - 6_000)["error"]["code"] == -1021
    assert len(speaker.say("openOrders.status")["result"]) == 1
    assert speaker.say("session.logout")["result"]["apiKey"] is None
    assert speaker.say("openOrders.status")["error"]["code"] == -1102


def test_after_a_logon_private_events_come_on_the_connection(speaker: Speaker) -> None:
    assert speaker.say("userDataStream.subscribe")["error"]["code"] == -2015
    speaker.say("session.logon", is_signed=True)
    number = speaker.say("userDataStream.subscribe")["result"]["subscriptionId"]
    assert speaker.say("session.subscriptions")["result"] == [{"subscriptionId": number}]
    speaker.wire.taken()
    speaker.world.limit("BUY", "40000", "0.01")
    told = [frame["event"]["e"] for frame in speaker.wire.taken() if frame.get("subscriptionId") == number]
    assert told == ["executionReport", "outboundAccountPosition"]
    speaker.say("userDataStream.unsubscribe", subscriptionId=number)
    speaker.wire.taken()
    speaker.world.limit("BUY", "40000", "0.01")
    assert speaker.wire.taken() == []


def test_a_wrong_signature_does_not_log_on(speaker: Speaker) -> None:
    stamp = speaker.world.now_ns // 1_000_000
    wrong = base64.b64encode(bytes(64)).decode()
    answer = speaker.say("session.logon", apiKey="ed-key", timestamp=stamp, signature=wrong)
    assert (answer["status"], answer["error"]["code"]) == (400, -1022)
    assert speaker.say("session.status")["result"]["apiKey"] is None


def test_secrets_that_are_shared_do_not_log_on(world: World) -> None:
    session, wire = world.connected("/ws-api/v3")
    assert world.framed(session, wire, "session.logon")["error"]["code"] == -4056
