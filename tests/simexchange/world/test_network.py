"""The simulated network: what a session asks for is carried out later, in order, and told as sockets tell it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from quotewright.live.orders import AbortSocket, CloseSocket, Fetch, OpenSocket, SendPing, SendText
from quotewright.wire import Request
from quotewright_simexchange.server.faults import Fault, Faults
from quotewright_simexchange.world.agenda import Agenda
from quotewright_simexchange.world.network import Carrier, Network
from quotewright_simexchange.world.plan import drawn
from tests.simexchange.server.lines import LineDoor

SECOND = 1_000_000_000


class Told:
    """What the network reports."""

    def __init__(self) -> None:
        self.got: list[str] = []

    def connected(self, number: int) -> None:
        self.got.append(f"connected {number}")

    def opened(self, number: int) -> None:
        self.got.append(f"opened {number}")

    def heard(self, number: int, frame: bytes) -> None:
        self.got.append(f"heard {number} {frame.decode()}")

    def ponged(self, number: int) -> None:
        self.got.append(f"ponged {number}")

    def closed(self, number: int, code: int, reason: str) -> None:
        self.got.append(f"closed {number} {code} {reason}".rstrip())

    def failed(self, number: int, reason: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.got.append(f"failed {number} {status}")

    def answered(self, ticket: int, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.got.append(f"answered {ticket} {status}")

    def unanswered(self, ticket: int, reason: str) -> None:
        self.got.append(f"unanswered {ticket} {reason}")


class Net:
    """One door in a network, one transport."""

    def __init__(self, *faults: Fault, seed: int = 1) -> None:
        self.agenda = Agenda(0)
        self.faults = Faults(seed)
        for fault in faults:
            self.faults.add(fault)
        self.network = Network(self.agenda, drawn(seed, SECOND), self.faults)
        self.door = LineDoor()
        self.network.serve("lines.world", self.door)
        self.told = Told()
        self.carrier: Carrier = self.network.carrier("test", "10.0.0.1", 3 * SECOND)(self.told)

    def until(self, when_ns: int) -> list[str]:
        """Let time pass and return what was told since."""
        before = len(self.told.got)
        while self.agenda.next_ns <= when_ns:
            self.agenda.move(self.agenda.next_ns)
            self.agenda.take()[1]()
        self.agenda.move(when_ns)
        return self.told.got[before:]

    def open(self, number: int = 1) -> None:
        self.carrier.carry_out([OpenSocket(number, "wss://lines.world/lines")])


GET = Request("https://lines.world/thing?a=1")


def test_a_connection_opens_speaks_and_closes() -> None:
    net = Net()
    net.open()
    assert net.told.got == []  # nothing is told while it is asked
    told = net.until(SECOND)
    assert told[:2] == ["connected 1", "opened 1"]
    net.carrier.carry_out([SendText(1, b"one"), SendText(1, b"two"), SendPing(1, b"x")])
    told = net.until(2 * SECOND)
    assert [line for line in told if line.startswith("heard 1 heard")] == ["heard 1 heard one", "heard 1 heard two"]
    assert told[-1] == "ponged 1"
    net.carrier.carry_out([CloseSocket(1, 1000, "")])
    assert net.until(3 * SECOND) == ["closed 1 1000"]
    assert not net.network.lines
    assert not net.network.doors["lines.world"].lines


def test_frames_keep_their_order_whatever_the_delays() -> None:
    for seed in range(20):
        net = Net(seed=seed)
        net.open()
        net.until(SECOND)
        frames = [str(number) for number in range(30)]
        for frame in frames:
            net.carrier.carry_out([SendText(1, frame.encode())])
            net.until(net.agenda.now + 1_000_000)
        net.until(net.agenda.now + 5 * SECOND)
        heard = [line.rsplit(" ", 1)[1] for line in net.told.got if line.startswith("heard 1 heard")]
        assert heard == frames


def test_an_aborted_connection_tells_nothing_more() -> None:
    net = Net()
    net.open()
    net.until(SECOND)
    net.carrier.carry_out([SendText(1, b"one"), AbortSocket(1)])
    assert net.until(5 * SECOND) == []
    assert not net.network.lines


def test_a_request_is_answered_once() -> None:
    net = Net()
    net.carrier.carry_out([Fetch(7, GET)])
    assert net.until(10 * SECOND) == ["answered 7 200"]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault(kind="drop", where="http"), "unanswered 7 the connection was cut"),
        (Fault(kind="lost_ack", where="http"), "unanswered 7 the connection was cut"),
        (Fault(kind="half_open", where="http"), "unanswered 7 no answer within 3 s"),
        (Fault(kind="delay", where="http", delay_ns=9 * SECOND), "unanswered 7 no answer within 3 s"),
        (Fault(kind="429", where="http"), "answered 7 429"),
        (Fault(kind="5xx", where="http"), "answered 7 503"),
    ],
)
def test_a_fault_strikes_a_request(fault: Fault, told: str) -> None:
    net = Net(fault)
    net.carrier.carry_out([Fetch(7, Request(GET.url, "POST"))])
    assert net.until(20 * SECOND) == [told]


def test_a_request_during_the_silence_that_the_venue_asked_for_is_noted() -> None:
    net = Net(Fault(kind="429", where="http", retry_after=2))
    net.carrier.carry_out([Fetch(1, GET)])
    net.until(SECOND)
    net.carrier.carry_out([Fetch(2, GET)])
    assert len(net.network.traffic.impatient) == 1
    net.until(4 * SECOND)
    net.carrier.carry_out([Fetch(3, GET)])
    assert len(net.network.traffic.impatient) == 1


@pytest.mark.parametrize("kind", ["drop", "disconnect", "429", "outage"])
def test_a_handshake_that_fails_is_told(kind: str) -> None:
    where = "connect" if kind in ("429", "disconnect", "outage") else "in"
    net = Net(Fault(kind=kind, where=where, delay_ns=SECOND))
    net.open()
    told = net.until(SECOND // 2)
    assert told == (
        ["connected 1", "opened 1", "heard 1 hello "]
        if kind == "drop"
        else ["connected 1", f"failed 1 {429 if kind == '429' else 0}"]
    )


def cut(net: Net) -> None:
    net.network.doors["lines.world"].cut_all()


def hush(net: Net) -> None:
    for line in list(net.network.doors["lines.world"].lines.values()):
        line.die()


@pytest.mark.parametrize(("break_it", "told"), [(cut, ["closed 1 1006"]), (hush, [])])
def test_a_broken_connection(break_it: Callable[[Net], None], told: list[str]) -> None:
    net = Net()
    net.open()
    net.until(SECOND)
    break_it(net)
    net.carrier.carry_out([SendText(1, b"one")])
    assert net.until(3 * SECOND) == told
    net.network.heal()
    net.until(5 * SECOND)
    assert net.told.got[-1] == "closed 1 1006"
    assert not net.network.lines
