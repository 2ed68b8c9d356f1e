"""Faults between an owner and a door, in virtual time: what arrives where, in which order, and what is counted."""

from __future__ import annotations

import pytest

from quotewright.errors import InputError
from quotewright_simexchange.doors import HttpRequest, HttpResponse
from quotewright_simexchange.server.faults import KINDS, PLACES, Fault, Faults, spoiled
from quotewright_simexchange.server.faulty_door import Cut, FaultyDoor, Silence
from tests.simexchange.server.lines import LineDoor

MS = 1_000_000


class Wire:
    """The client's end of a connection."""

    def __init__(self) -> None:
        self.got: list[str] = []

    def send(self, frame: bytes) -> None:
        self.got.append(frame.decode("latin-1"))

    def ping(self, payload: bytes) -> None:
        self.got.append("ping")

    def close(self, code: int, reason: str) -> None:
        self.got.append(f"close {code}")

    def abort(self) -> None:
        self.got.append("abort")

    def hush(self) -> None:
        self.got.append("hush")


class World:
    """One door behind faults, one client, virtual time."""

    def __init__(self, *faults: Fault, seed: int = 1) -> None:
        self.now_ns = 0
        self.faults = Faults(seed)
        self.inner = LineDoor()
        self.door = FaultyDoor(self.inner, self.faults, lambda: self.now_ns, self.woken)
        self.wakes: list[int] = []
        self.wire = Wire()
        session = self.door.connect("/lines", b"", {}, "10.0.0.1", self.wire, 0)
        assert session is not None
        assert not isinstance(session, HttpResponse)
        self.session = session
        self.wire.got.clear()
        self.replies: list[object] = []
        for fault in faults:
            self.faults.add(fault)

    def woken(self, when_ns: int) -> None:
        self.wakes.append(when_ns)

    def ask(self, method: str = "GET", query: bytes = b"", body: bytes = b"") -> None:
        request = HttpRequest(method, "/order", query, body, {}, "10.0.0.1")
        self.door.http(request, self.now_ns, self.replied)

    def replied(self, outcome: object) -> None:
        if isinstance(outcome, HttpResponse):
            self.replies.append((outcome.status, outcome.body.decode("latin-1")))
        else:
            self.replies.append(outcome)
        self.wire.got.append("answer")

    def pass_ms(self, ms: int) -> None:
        self.now_ns += ms * MS
        self.door.tick(self.now_ns)

    def say(self, text: str) -> None:
        self.session.heard(text.encode(), self.now_ns)


OK = (200, '{"echo": "a"}')


def asked_of(*faults: Fault) -> World:
    world = World(*faults)
    world.ask(query=b"a")
    return world


def test_without_faults_everything_passes_at_once():
    world = asked_of()
    world.say("x")
    assert (world.replies, world.wire.got) == ([OK], ["answer", "heard x"])
    assert sum(world.faults.counts.values()) == 0


HTTP = {  # kind, more              what the client gets at once          requests the door carries out
    "drop": ({}, [Cut()], 0),
    "half_open": ({}, [Silence()], 0),
    "429": ({}, [429], 0),
    "418": ({}, [418], 0),
    "5xx": ({"status": 502}, [502], 0),
    "5xx done": ({"is_done": True}, [503], 1),
    "duplicate": ({}, [200], 2),
    "lost_ack": ({}, [Cut()], 1),
    "outage": ({}, [Cut()], 0),
    "delay": ({}, [], 1),
    "reorder": ({}, [], 1),
}


@pytest.mark.parametrize("name", HTTP)
def test_a_request_that_is_struck(name):
    more, expected, carried_out = HTTP[name]
    world = World(Fault(kind=name.split()[0], where="http", **more))
    world.ask("POST", b"a", b"1")
    got = [reply[0] if isinstance(reply, tuple) else reply for reply in world.replies]
    assert (got, len(world.inner.requests)) == (expected, carried_out)
    assert world.faults.counts[name.split()[0]] == 1
    assert not world.faults.rules, "it struck as often as it should"


def test_429_tells_when_to_come_again():
    response = LineDoor().refusal(429, 7, 0)
    assert (response.status, response.headers) == (429, {"Retry-After": "7"})


def test_a_disconnect_ends_in_the_middle_of_the_answer():
    world = asked_of(Fault(kind="disconnect", where="http"))
    cut = world.replies[0]
    assert isinstance(cut, Cut)
    assert cut.response is not None
    assert 0 < cut.size < len(cut.response.body)


def test_a_corrupt_answer_differs():
    world = asked_of(Fault(kind="corrupt", where="http"))
    assert world.replies[0][0] == 200
    assert world.replies[0] != OK


def test_a_delayed_answer_comes_after_its_time_and_not_before():
    world = asked_of(Fault(kind="delay", delay_ns=30 * MS))
    world.pass_ms(29)
    assert world.replies == []
    assert world.door.deadline_ns == 30 * MS == world.wakes[-1]
    world.pass_ms(1)
    assert world.replies == [OK]


def test_a_reordered_answer_comes_after_the_next_one():
    world = asked_of(Fault(kind="reorder", where="http"))
    world.ask(query=b"b")
    assert [body for _, body in world.replies] == ['{"echo": "b"}', '{"echo": "a"}']
    world.pass_ms(1000)
    assert len(world.replies) == 2


def test_a_reordered_answer_without_a_next_one_comes_after_its_delay():
    world = asked_of(Fault(kind="reorder", where="http", delay_ns=10 * MS))
    world.pass_ms(10)
    assert world.replies == [OK]


def told(*faults: Fault, texts: str = "1234") -> World:
    world = World(*faults)
    for text in texts:
        world.inner.tell(text)
    return world


OUT = {  # kind, more                              what arrives of 1 2 3 4 at once, and after the delay
    "drop": ({}, "2 3 4", "2 3 4"),
    "duplicate": ({}, "1 1 2 3 4", "1 1 2 3 4"),
    "gap": ({"frames": 3}, "4", "4"),
    "reorder": ({}, "2 1 3 4", "2 1 3 4"),
    "delay": ({}, "", "1 2 3 4"),
    "disconnect": ({}, "abort", "abort"),
    "half_open": ({}, "hush", "hush"),
    "outage": ({}, "abort", "abort"),
}


@pytest.mark.parametrize("kind", OUT)
def test_frames_to_the_client_that_are_struck(kind):
    more, at_once, later = OUT[kind]
    world = told(Fault(kind=kind, where="out", **more))
    assert " ".join(one.removeprefix("public ") for one in world.wire.got) == at_once
    world.pass_ms(200)
    assert " ".join(one.removeprefix("public ") for one in world.wire.got) == later
    assert world.faults.counts[kind] == 1


def test_what_follows_a_delayed_frame_waits_in_order_with_pings_and_the_close():
    world = told(Fault(kind="delay", where="out", delay_ns=5 * MS), texts="1")
    line = world.session.line
    line.ping(b"")
    world.inner.tell("2")
    line.close(1000, "")
    assert world.wire.got == []
    world.pass_ms(5)
    assert world.wire.got == ["public 1", "ping", "public 2", "close 1000"]


IN = {  #                frames the door hears of: a, b
    "drop": "b",
    "duplicate": "a a b",
    "disconnect": "",
    "half_open": "",
    "outage": "",
    "lost_ack": "a b",
}


@pytest.mark.parametrize("kind", IN)
def test_frames_from_the_client_that_are_struck(kind):
    world = World(Fault(kind=kind, where="in"))
    world.say("a")
    world.say("b")
    assert b" ".join(world.inner.heard).decode() == IN[kind]
    assert world.faults.counts[kind] == 1


def test_a_lost_ack_over_a_socket_is_done_and_its_events_are_told():
    world = World(Fault(kind="lost_ack", where="in", match="fill"))
    world.say("fill 1")
    assert world.wire.got == ["event 1"]
    world.say("fill 2")
    assert world.wire.got == ["event 1", "event 2", "done 2"]


def test_a_late_fill_comes_after_the_answer_and_keeps_its_order():
    world = World(Fault(kind="late_fill", delay_ns=20 * MS))
    world.inner.tell("0")
    world.ask("POST", body=b"1")
    world.ask("POST", body=b"2")
    assert world.wire.got == ["public 0", "answer", "answer"]
    world.pass_ms(20)
    assert world.wire.got == ["public 0", "answer", "answer", "event 1", "event 2"]


def test_an_ack_after_its_fill_waits_for_the_event():
    world = World(Fault(kind="ack_after_fill", delay_ns=20 * MS))
    world.ask("POST", body=b"1")
    assert world.wire.got == ["event 1"]
    world.pass_ms(20)
    assert world.wire.got == ["event 1", "answer"]
    world.pass_ms(1000)
    assert world.wire.got == ["event 1", "answer"], "once"


def test_an_ack_waits_for_an_event_that_comes_later_or_not_for_ever():
    world = World(Fault(kind="ack_after_fill", delay_ns=20 * MS, times=2))
    world.inner.fill = lambda text: None
    world.ask("POST", body=b"1")
    world.pass_ms(100)
    assert world.replies == []
    LineDoor.fill(world.inner, "late")
    world.pass_ms(19)
    assert world.replies == []
    world.pass_ms(1)
    assert len(world.replies) == 1
    world.ask("POST", body=b"2")
    world.pass_ms(200)
    assert len(world.replies) == 2


def test_an_ack_over_a_socket_waits_too():
    world = World(Fault(kind="ack_after_fill", where="in", delay_ns=20 * MS))
    world.session.heard(b"fill 1", 0)
    assert world.wire.got == ["event 1"]
    world.inner.fill("2")
    world.pass_ms(20)
    assert world.wire.got == ["event 1", "event 2", "done 1"]


def test_lost_acks_strike_only_what_changes_something():
    world = asked_of(Fault(kind="lost_ack"))
    assert world.replies == [OK]
    assert world.faults.counts["lost_ack"] == 0


def test_an_outage_ends_by_itself():
    world = asked_of(Fault(kind="outage", delay_ns=50 * MS))
    assert world.wire.got == ["answer", "abort"]
    world.now_ns = 49 * MS
    world.ask(query=b"a")
    assert world.door.connect("/lines", b"", {}, "", Wire(), world.now_ns) is None
    world.now_ns = 50 * MS
    world.ask(query=b"a")
    assert world.replies == [Cut(), Cut(), OK]


def test_healing_lets_go_what_is_held_and_cuts_what_is_dead():
    world = World(Fault(kind="delay", where="http"), Fault(kind="half_open", where="out"), Fault(kind="drop", times=0))
    world.ask(query=b"a")
    world.inner.tell("1")
    world.faults.clear()
    world.door.heal()
    assert world.replies == [OK]
    assert world.wire.got == ["hush", "answer", "abort"]
    world.ask(query=b"a")
    assert world.replies == [OK, OK]


def test_a_rule_strikes_only_what_fits_it():
    world = World(
        Fault(kind="drop", match="/other", times=0),
        Fault(kind="drop", door="elsewhere", times=0),
        Fault(kind="drop", client="10.0.0.9", times=0),
        Fault(kind="drop", where="out", match="2"),
    )
    world.ask(query=b"a")
    world.inner.tell("1")
    world.inner.tell("2")
    assert world.replies == [OK]
    assert world.wire.got == ["answer", "public 1"]


def test_drawn_faults_are_the_same_for_a_seed_and_others_for_another():
    def struck(seed: int) -> list[str]:
        world = World(*(Fault(kind=kind, where="out", chance=0.1, times=0) for kind in ("drop", "corrupt")), seed=seed)
        for number in range(200):
            world.inner.tell(str(number))
        assert min(world.faults.counts["drop"], world.faults.counts["corrupt"]) >= 5
        return world.wire.got

    assert struck(1) == struck(1) != struck(2)


def test_what_struck_is_told_without_the_query():
    world = asked_of(Fault(kind="drop"))
    assert list(world.faults.told) == [(0, "drop", "lines", "GET /order")]


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "flood"},
        {"kind": "gap", "where": "http"},
        {"kind": "drop", "chance": 0.0},
        {"kind": "drop", "times": -1},
        {"kind": "5xx", "status": 404},
    ],
)
def test_a_fault_that_cannot_be_is_refused(wrong):
    with pytest.raises(InputError, match=r"fault"):
        Fault(**wrong)


def test_every_kind_of_fault_has_a_place():
    assert set(PLACES) == set(KINDS)
    assert len(KINDS) == 15


def test_spoiling_always_changes():
    source = Faults(3).random
    assert all(spoiled(b'{"a": 1}', source) != b'{"a": 1}' for _ in range(100))
    assert spoiled(b"", source) == b"\0"
