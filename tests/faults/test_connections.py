"""Rows C1 to C19 of the fault catalogue on the policies and state machines that answer them, in virtual time."""

from __future__ import annotations

import email.utils
import gzip
import random
import tracemalloc
import zlib

import pytest

from quotewright.errors import InputError
from quotewright.feed import BookState
from quotewright.live.backoff import Backoff
from quotewright.live.budget import Addresses, Bucket, Budget, Turn, Windows
from quotewright.live.closing import general_reaction
from quotewright.live.credentials import Credential, Expiry, KeyState, PrivateSide
from quotewright.live.deadman import BINANCE_FUTURES, BYBIT, DERIBIT, OKX, DeadManSwitch, SwitchState
from quotewright.live.frames import FrameQueue
from quotewright.live.orders import Fetch
from quotewright.live.retry import Tries, general_trouble, retry_after_ns
from quotewright.live.transport import TooLarge, Unpacking
from quotewright.live.writes import Item, ItemAnswer, Outcome, Writes, unknown_items
from quotewright.wire import Trouble, Window
from tests.framework.live.test_session import connect, made, opens
from tests.framework.live.toy import SECOND, START, Book

MINUTE = 60 * SECOND
NOW = 1_767_225_600 * SECOND  # a whole second, 2026-01-01


# C1


def test_c01_pauses_are_drawn_evenly_up_to_a_cap_and_reset_only_by_a_healthy_time() -> None:
    pause = Backoff(SECOND, MINUTE, MINUTE, random.Random(1))
    bounds = []
    for _ in range(9):
        bounds.append(pause.bound_ns)
        assert 0 <= pause.next_ns(reason="refused") <= bounds[-1]
    assert bounds == [SECOND * part for part in (1, 2, 4, 8, 16, 32, 60, 60, 60)]
    assert pause.reason == "refused"
    pause.lost(0, MINUTE - 1)
    assert pause.bound_ns == MINUTE, "it opened, but was not good for long enough"
    pause.lost(0, MINUTE)
    assert (pause.bound_ns, pause.reason) == (SECOND, "")
    drawn = [Backoff(SECOND, MINUTE, MINUTE, random.Random(seed)).next_ns() for seed in range(400)]
    assert min(drawn) < SECOND // 20, "full jitter begins at nothing"
    assert max(drawn) > SECOND * 19 // 20
    assert abs(sum(drawn) / len(drawn) - SECOND / 2) < SECOND / 20
    assert pause.next_ns(asked_ns=5 * MINUTE) == 5 * MINUTE


def test_c01_a_login_page_instead_of_data_is_told_as_one() -> None:
    page = b"<!DOCTYPE html><html><body>Please log in</body></html>"
    for headers in ({"content-type": "text/html; charset=utf-8"}, {}):
        trouble = general_trouble(200, headers, NOW, page)
        assert trouble is not None
        assert trouble.kind == "retry"
        assert "web page" in trouble.text
    assert general_trouble(200, {"content-type": "application/json"}, NOW, b"{}") is None


# C4


def test_c04_a_slow_reader_gives_up_books_before_own_events_and_has_them_anew() -> None:
    session, _, adapter = made(("AUSDT", "BUSDT"), channels=("book", "trades"))
    (number,) = opens(session)
    connect(session, [number], START)
    books = {symbol: Book(symbol) for symbol in ("AUSDT", "BUSDT")}
    for book in books.values():
        session.heard(number, book.full(), START)
    queue = FrameQueue(100, lambda number, frame: ("" if b'"p"' in frame else "AUSDT", b'"p"' not in frame))
    given_up: list[str] = []
    for step in range(300):
        frame = books["AUSDT"].trade() if step % 10 == 0 else books["AUSDT"].update()
        if queue.put(START + step, number, frame):
            given_up += queue.shed()
        assert len(queue) <= 101
    assert set(given_up) == {"AUSDT"}
    assert queue.shed_frames > 150
    left = [content for _, _, content in queue.entries]
    assert sum(b'"p"' in content for content in left if isinstance(content, bytes)) == 30, "no print was lost"
    session.take_orders()
    session.resync("AUSDT", START + SECOND)
    assert adapter.books["AUSDT"].state is BookState.STALE
    assert adapter.books["BUSDT"].state is BookState.SYNCHRONISED
    session.heard(number, books["AUSDT"].full(), START + 2 * SECOND)
    assert adapter.books["AUSDT"].state is BookState.SYNCHRONISED


# C5


def test_c05_every_close_code_has_an_answer_and_rights_are_not_tried_blindly() -> None:
    for code in (0, *range(1000, 5000)):
        reaction = general_reaction(code, "")
        assert reaction.text
        assert (reaction.kind == "later") == (reaction.wait_ns > 0), code
    assert [general_reaction(code, "").kind for code in (1000, 1001, 1005, 1006, 1011, 1012)] == ["again"] * 6
    assert general_reaction(1013, "").wait_ns == 10 * SECOND
    assert general_reaction(1008, "slow").wait_ns >= MINUTE
    for code, reason in (
        (1008, "invalid api key"),
        (3000, ""),
        (4401, ""),
        (4403, ""),
        (4004, "Login failed"),
        (4451, ""),
    ):
        assert general_reaction(code, reason).kind == "never", (code, reason)
    assert general_reaction(4004, "no data in 30s").kind == "later"


# C7


def most_in(times: list[int], span_ns: int) -> int:
    return max((sum(at <= other < at + span_ns for other in times) for at in times), default=0)


@pytest.mark.parametrize("seed", range(5))
def test_c07_a_hundred_connections_that_drop_together_keep_to_every_window(seed: int) -> None:
    limits = (Window("per second", 3, SECOND), Window("per minute", 20, MINUTE))
    chance = random.Random(seed)
    venue = Addresses()
    feeds = [venue.windows("toy", "connects", limits) for _ in range(4)]
    assert len({id(windows) for windows in feeds}) == 1, "one address, one count"
    due = {number: START + chance.randrange(SECOND) for number in range(100)}
    opened: list[int] = []
    while due:
        number = min(due, key=lambda one: (due[one], one))
        now_ns = due[number]
        windows = feeds[number % 4]
        if windows.take(now_ns):
            opened.append(now_ns)
            del due[number]
        else:
            due[number] = windows.earliest_ns(now_ns)
            assert due[number] > now_ns
    assert len(opened) == 100
    assert (most_in(opened, SECOND), most_in(opened, MINUTE)) == (3, 20)
    assert opened[-1] - opened[0] < 5 * MINUTE, "no more waiting than the windows ask for"


# C10


def test_c10_a_refused_key_is_bad_at_once_and_stays_so() -> None:
    for kind in ("key", "signature"):
        key = Credential("main")
        assert key.refused(kind, "-2015", "no") == "halt"  # type: ignore[arg-type]
        assert (key.state, key.is_usable) == (KeyState.BAD, False)
        assert "'main'" in key.reason
        key.accepted()
        assert not key.is_usable, "an answer that was under way mends nothing"
        side = PrivateSide(key)
        side.up()
        assert side.gate(NOW).why == key.reason
        key.replace()
        assert side.gate(NOW).is_good


def test_c10_a_wrong_clock_is_compared_once_and_the_request_sent_once_more() -> None:
    key = Credential("main")
    assert key.refused("skew", "-1021") == "resync"
    assert not key.may_retry, "not before the clocks were compared"
    key.synced(-1_500_000_000)
    assert key.may_retry
    assert key.refused("skew", "-1021") == "halt"
    assert not key.is_usable
    key = Credential("main")
    key.refused("skew", "-1021")
    key.synced(5)
    key.accepted()
    assert (key.state, key.offset_ns) == (KeyState.GOOD, 5)
    assert key.refused("skew", "-1021") == "resync", "another day, another time"


# C11


def test_c11_refused_by_region_or_firewall_is_final_and_says_what_helps() -> None:
    for status, helps in ((401, "key"), (403, "from where"), (451, "'rest' and 'websocket'")):
        trouble = general_trouble(status, {"set-cookie": "canary"}, NOW, b"canary secret=canary")
        assert trouble is not None
        assert trouble.kind == "final"
        assert helps in trouble.text
        assert "canary" not in trouble.text
        assert status == 401 or trouble.wait_ns >= MINUTE


# C12


def http_date(at_ns: int) -> str:
    return email.utils.formatdate(at_ns / SECOND, usegmt=True)


RETRY_AFTER = {
    "seconds": ({"retry-after": "7"}, 7 * SECOND),
    "a date by our clock": ({"retry-after": http_date(NOW + 30 * SECOND)}, 30 * SECOND),
    "a date by its own clock": (
        {"retry-after": http_date(NOW + 900 * SECOND), "date": http_date(NOW + 880 * SECOND)},
        20 * SECOND,
    ),
    "a date that is past": ({"retry-after": http_date(NOW - 30 * SECOND)}, SECOND),
    "absent": ({}, None),
    "zero": ({"retry-after": "0"}, SECOND),
    "negative": ({"retry-after": "-5"}, SECOND),
    "huge": ({"retry-after": "999999999999999999999999"}, 3600 * SECOND),
    "nonsense": ({"retry-after": "soon"}, None),
}


@pytest.mark.parametrize(("headers", "wait_ns"), RETRY_AFTER.values(), ids=RETRY_AFTER)
def test_c12_a_pause_that_is_asked_for_is_kept_capped_and_floored(headers: dict[str, str], wait_ns: int | None) -> None:
    assert retry_after_ns(headers, NOW) == wait_ns
    trouble = general_trouble(429, headers, NOW)
    assert trouble is not None
    assert (trouble.kind, trouble.wait_ns) == ("retry", wait_ns or 30 * SECOND)
    tries = Tries(Backoff(SECOND, MINUTE, MINUTE, random.Random(2)), NOW, 24 * 3600 * SECOND)
    at_ns = tries.next_ns(trouble, NOW)
    assert at_ns is not None
    assert at_ns - NOW >= trouble.wait_ns


def test_c12_a_total_deadline_ends_the_tries() -> None:
    tries = Tries(Backoff(SECOND, MINUTE, MINUTE, random.Random(2)), NOW, 20 * SECOND)
    assert tries.next_ns(Trouble("retry", "answers 503", 0), NOW) is not None
    assert tries.next_ns(Trouble("retry", "answers 429", 25 * SECOND), NOW) is None
    assert "too late" in tries.reason


@pytest.mark.parametrize("seed", range(20))
def test_c12_windows_are_never_overdrawn_and_cancels_keep_their_share(seed: int) -> None:
    chance = random.Random(seed)
    limits = (Window("10 s", 50, 10 * SECOND), Window("minute", 200, MINUTE))
    windows = Windows(limits, reserve=0.2)
    taken: list[tuple[int, int]] = []
    now_ns = NOW
    cancelled = 0
    for _ in range(1500):
        now_ns += chance.randrange(SECOND // 4)
        weight, is_cancel = chance.choice((1, 1, 2, 5, 20)), chance.random() < 0.2
        weight = 1 if is_cancel else weight
        earliest = windows.earliest_ns(now_ns, weight, is_cancel=is_cancel)
        assert windows.take(now_ns, weight, is_cancel=is_cancel) is (earliest == now_ns)
        if earliest == now_ns:
            taken.append((now_ns, weight))
            cancelled += is_cancel
        else:
            assert windows.wait_ns(earliest - 1, weight, is_cancel=is_cancel) > 0, "exact: not a moment early"
    for window in limits:
        for at_ns, _ in taken:
            assert sum(w for t, w in taken if at_ns <= t < at_ns + window.per_ns) <= window.limit
    assert cancelled > 100


def test_c12_orders_fill_their_part_and_a_cancel_still_goes() -> None:
    windows = Windows([Window("orders", 10, SECOND)], reserve=0.3)
    assert sum(windows.take(NOW) for _ in range(20)) == 7
    assert sum(windows.take(NOW, is_cancel=True) for _ in range(20)) == 3
    with pytest.raises(InputError, match="never fits"):
        windows.wait_ns(NOW, 8)


def test_c12_linked_limits_are_taken_together_and_nobody_is_starved() -> None:
    address, orders = Windows([Window("weight", 100, MINUTE)]), Bucket("orders", 10, 10, SECOND)
    budget: Budget[str] = Budget({"address": address, "orders": orders})
    assert not budget.take(NOW, {"address": 100, "orders": 10}) or budget.wait_ns(NOW, {"orders": 1}) > 0
    budget = Budget({"address": Windows([Window("weight", 10, MINUTE)]), "orders": Windows([Window("n", 3, SECOND)])})
    for number in range(3):
        budget.queue(Turn(f"a{number}", {"address": 1, "orders": 1}, "a"))
    budget.queue(Turn("heavy", {"address": 8}, "b"))
    budget.queue(Turn("cancel", {"orders": 1}, "a", is_cancel=True))
    assert [turn.what for turn in budget.release(NOW)] == ["cancel", "a0", "heavy", "a1"]
    assert budget.release(NOW) == []
    assert budget.next_ns(NOW) == NOW + MINUTE
    assert [turn.what for turn in budget.release(NOW + MINUTE)] == ["a2"]
    with pytest.raises(InputError, match="no limit"):
        budget.queue(Turn("x", {"day": 1}))


def test_c12_what_the_venue_counts_beyond_ours_counts_here() -> None:
    windows = Windows([Window("weight", 100, MINUTE)])
    windows.take(NOW, 10)
    windows.told("weight", 95, NOW)
    assert windows.used("weight", NOW) == 95
    assert not windows.take(NOW, 6)
    windows.told("weight", 3, NOW)
    assert windows.used("weight", NOW) == 95, "less than ours changes nothing"
    assert windows.take(NOW + MINUTE, 100)


# C13


def test_c13_a_ban_is_silence_until_its_end() -> None:
    body = b'{"code":-1003,"msg":"Way too much request weight used; IP banned until %d. Please use streams."}'
    until_ms = NOW // 1_000_000 + 90_000
    for status, headers, wait_ns in (
        (418, {}, 90 * SECOND),
        (429, {}, 90 * SECOND),
        (418, {"retry-after": "120"}, 120 * SECOND),
        (418, {"date": http_date(NOW + 30 * SECOND)}, 60 * SECOND),
    ):
        trouble = general_trouble(status, headers, NOW, body % until_ms)
        assert trouble is not None
        assert (trouble.kind, trouble.wait_ns) == ("banned", wait_ns)
    assert general_trouble(418, {}, NOW).wait_ns >= MINUTE  # type: ignore[union-attr]
    far = general_trouble(418, {}, NOW, body % (until_ms * 1000))
    assert far is not None
    assert far.wait_ns <= 72 * 3600 * SECOND
    windows = Windows([Window("weight", 100, MINUTE)])
    windows.hold(NOW + 90 * SECOND)
    assert not windows.take(NOW + 90 * SECOND - 1, is_cancel=True)
    assert windows.take(NOW + 90 * SECOND)


def test_c13_a_feed_asks_for_nothing_while_it_is_banned() -> None:
    session, _, _ = made(recovers_by="snapshot")
    (number,) = opens(session)
    connect(session, [number], START)
    session.heard(number, Book("BTCUSDT").update(), START)
    (fetch,) = [order for order in session.take_orders() if isinstance(order, Fetch)]
    body = b"IP banned until %d" % (START // 1_000_000 + 300_000)
    session.answered(fetch.ticket, 418, {"retry-after": "300"}, body, START)
    now_ns = START
    while now_ns < START + 299 * SECOND:
        now_ns += SECOND
        session.tick(now_ns)
        assert not [order for order in session.take_orders() if isinstance(order, Fetch)], now_ns - START


# C14 to C16


TROUBLED = {
    "a gateway's page": (502, b"<html>Bad Gateway</html>", "unknown"),
    "a gateway that waited": (504, b"", "unknown"),
    "the engine's": (500, b"{}", "unknown"),
    "busy": (503, b"{}", "unknown"),
    "timed out inside": (408, b'{"code":-1007,"msg":"Timeout waiting for response"}', "unknown"),
    "unknown by its code alone": (400, b'{"code": -1006,"msg":"unexpected"}', "unknown"),
    "a login page": (200, b"<html>", "unknown"),
    "refused": (400, b'{"code":-2010,"msg":"no money"}', "final"),
    "too many": (429, b"", "retry"),
}


@pytest.mark.parametrize(("status", "body", "kind"), TROUBLED.values(), ids=TROUBLED)
def test_c14_a_write_of_which_nobody_knows_is_unknown_and_never_sent_again(status: int, body: bytes, kind: str) -> None:
    trouble = general_trouble(status, {}, NOW, body, is_write=True)
    assert trouble is not None
    assert trouble.kind == kind
    tries = Tries(Backoff(SECOND, MINUTE, MINUTE, random.Random(2)), NOW, 3600 * SECOND, is_idempotent=False)
    assert (tries.next_ns(trouble, NOW) is not None) == (kind == "retry")
    writes = Writes()
    writes.begin("1", ["a"], NOW + SECOND)
    writes.sent("1")
    (item,) = writes.troubled("1", trouble)
    assert item.outcome == (Outcome.UNKNOWN if kind == "unknown" else Outcome.REJECTED)


@pytest.mark.parametrize("hop", ["not sent", "sent", "late", "answered"])
def test_c14_what_is_lost_at_each_hop(hop: str) -> None:
    writes = Writes()
    writes.begin("7", ["a", "b"], NOW + SECOND)
    if hop != "not sent":
        writes.sent("7")
    if hop == "late":
        assert writes.tick(NOW + SECOND - 1) == []
        items = writes.tick(NOW + SECOND)
    elif hop == "answered":
        items = writes.answered("7", [ItemAnswer("a", True, venue_id="9"), ItemAnswer("b", True)])
    else:
        items = writes.disconnected("the connection broke")
    expected = {"not sent": Outcome.NOT_SENT, "answered": Outcome.ACCEPTED}.get(hop, Outcome.UNKNOWN)
    assert [item.outcome for item in items] == [expected] * 2
    assert set(unknown_items(items)) == ({"a", "b"} if expected == Outcome.UNKNOWN else set())
    assert not writes.under_way
    with pytest.raises(InputError, match="used before"):
        writes.begin("7", ["a"], NOW)


def test_c15_each_item_has_its_own_result_and_a_missing_one_is_unknown() -> None:
    writes = Writes()
    writes.begin("1", ["a", "b", "c", "d"], NOW)
    writes.sent("1")
    items = writes.answered(
        "1",
        [
            ItemAnswer("a", True, venue_id="11"),
            ItemAnswer("b", False, "51008", "no margin"),
            ItemAnswer("d", True),
            ItemAnswer("d", False),
            ItemAnswer("z", True),
        ],
    )
    assert items == [
        Item("a", Outcome.ACCEPTED, venue_id="11"),
        Item("b", Outcome.REJECTED, "51008", "no margin"),
        Item("c", Outcome.UNKNOWN, text="the answer does not name it"),
        Item("d", Outcome.UNKNOWN, text="the answer says two things of it"),
    ]
    assert writes.strange_items == 1


def test_c16_answers_are_matched_by_their_number_and_others_dropped() -> None:
    writes = Writes()
    writes.begin("1", ["a"], NOW)
    writes.begin("2", ["b"], NOW)
    assert writes.answered("3", [ItemAnswer("a", True)]) == []
    assert writes.answered("2", [ItemAnswer("b", False)])[0].outcome == Outcome.REJECTED
    assert writes.answered("2", [ItemAnswer("b", True)]) == []
    assert (writes.foreign, writes.answered_twice, set(writes.under_way)) == (1, 1, {"1"})


# C17


def test_c17_private_loss_alone_pulls_quotes() -> None:
    login = Expiry(60 * MINUTE, 30 * MINUTE)
    side = PrivateSide(Credential("main"), login)
    assert not side.gate(NOW).is_good, "never opened"
    login.renewed(NOW)
    side.up()
    assert side.gate(NOW).is_good
    assert login.due_ns == NOW + 30 * MINUTE
    for turn in range(200):
        login.failed(NOW + 30 * MINUTE + turn * 10 * SECOND)
    assert side.gate(NOW + 60 * MINUTE - 1).is_good, "it holds as long as the venue said"
    gate = side.gate(NOW + 60 * MINUTE)
    assert (gate.is_good, "run out" in gate.why) == (False, True)
    login.renewed(NOW + 61 * MINUTE)
    assert side.gate(NOW + 61 * MINUTE).is_good
    side.down("the private stream closed with 1006")
    assert side.gate(NOW + 61 * MINUTE).why == "the private stream closed with 1006"
    side.up()
    login.expired(NOW + 62 * MINUTE)
    assert (side.gate(NOW + 62 * MINUTE).is_good, login.due_ns) == (False, NOW + 62 * MINUTE)


# C18


@pytest.mark.parametrize("rule", [OKX, BINANCE_FUTURES], ids=lambda rule: rule.venue)
def test_c18_a_countdown_that_cannot_be_refreshed_pulls_from_here_before_it_fires(rule: object) -> None:
    switch = DeadManSwitch(rule)  # type: ignore[arg-type]
    switch.arm(NOW)
    assert switch.must_pull, "not before the venue has confirmed it"
    now_ns = NOW
    for _ in range(5):
        assert switch.is_due(now_ns)
        switch.sent(now_ns)
        switch.confirmed(now_ns + SECOND)
        assert (switch.state, switch.must_pull) == (SwitchState.ARMED, False)
        assert switch.fires_ns == now_ns + switch.window_ns, "counted from the request, not from the answer"
        assert not switch.is_due(now_ns + switch.every_ns - 1)
        now_ns += switch.every_ns
    switch.sent(now_ns)
    due_ns = switch.deadline_ns
    assert due_ns is not None
    switch.tick(due_ns - 1)
    assert not switch.must_pull
    switch.tick(due_ns)
    assert switch.must_pull
    assert due_ns < switch.fires_ns, "ours come first"
    assert switch.is_due(due_ns + SECOND), "and it is tried again"
    switch.sent(due_ns + SECOND)
    switch.confirmed(due_ns + 2 * SECOND)
    assert not switch.must_pull


def test_c18_a_refused_refresh_and_a_lost_connection_are_both_doubt() -> None:
    for rule in (OKX, BYBIT, DERIBIT, BINANCE_FUTURES):
        switch = DeadManSwitch(rule)
        switch.arm(NOW)
        switch.sent(NOW)
        switch.failed("the venue says no", NOW)
        assert (switch.must_pull, "says no" in switch.why) == (True, True)
        switch.sent(NOW + SECOND)
        switch.confirmed(NOW + SECOND)
        assert not switch.must_pull
        switch.disconnected(NOW + 2 * SECOND)
        assert switch.must_pull
        switch.off()
        assert not switch.must_pull


def test_c18_windows_are_the_venues() -> None:
    for rule, good, bad in ((OKX, 10, 9), (OKX, 120, 121), (BYBIT, 3, 2), (BYBIT, 300, 301)):
        assert rule.window_ns(good * SECOND) == good * SECOND
        with pytest.raises(InputError, match="dead-man switch takes"):
            rule.window_ns(bad * SECOND)
    assert BYBIT.window_ns() == 10 * SECOND


# C19


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_c19_a_packed_bomb_is_refused_before_it_is_unpacked(encoding: str) -> None:
    zeros = bytes(64 << 20)
    bomb = gzip.compress(zeros, 9) if encoding == "gzip" else zlib.compress(zeros, 9)
    del zeros
    tracemalloc.start()
    unpacking = Unpacking(encoding, 1 << 20)
    with pytest.raises(TooLarge, match="larger than"):
        unpacking.add(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20
