"""Markets that a text describes."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from quotewright.errors import ConfigError, InputError
from quotewright_simexchange.exchange.exchange import Exchange
from quotewright_simexchange.markets.script import parse_script
from quotewright_simexchange.markets.scripted import ScriptFailed, ScriptMarket
from quotewright_simexchange.server.opening import open_exchange
from quotewright_simexchange.testing import usual_listings

SECOND = 1_000_000_000
SCRIPT = """
instrument BTCUSDT                  # where nothing else is said
account maker  10 BTC, 100000 USDT
account taker  200000 USDT

at 1s    maker sells 2 at 60010 as m1
then     maker buys 1 at 59990 post-only as m2
         expect offer 60010 2
+500ms   taker buys 1.5 at market
         expect m1 partial
         expect m1 filled 1.5
         expect last 60010
+1s      maker amends m1 to 1.75
         expect offer 60010 0.25
         maker cancels m2
         expect bid none
at 3s    maker sells 1 ETHUSDT at 3000
         expect refused
         maker cancels all
         expect m1 canceled
"""


def started(text: str) -> tuple[Exchange, ScriptMarket]:
    exchange = Exchange(usual_listings())
    market = ScriptMarket.of(text, "scene")
    market.start(exchange)
    return exchange, market


def test_a_script_trades_at_its_times():
    exchange, market = started(SCRIPT)
    exchange.advance(exchange.now_ns + SECOND - 1)
    assert exchange.book("BTCUSDT").offers == []
    exchange.advance(exchange.now_ns + 1)
    assert exchange.book("BTCUSDT").offers == [(Decimal(60010), Decimal(2))]
    exchange.advance(exchange.now_ns + 2 * SECOND)
    market.check()
    assert market.is_done
    assert exchange.balances("taker")["BTC"][0] == Decimal("1.5")
    assert market.accounts == ("maker", "taker")
    assert len(market.describe()["refused"]) == 1


FAILURES = {
    "another price": ("m sells 1 at 10\nexpect offer 11", "expected 11, came 10"),
    "another quantity": ("m sells 1 at 10\nexpect offer 10 2", "expected 2 at 10, came 1 at 10"),
    "an empty side": ("m sells 1 at 10\nexpect bid 9", "expected 9, came none"),
    "another state": ("m sells 1 at 10 as a\nexpect a filled", "expected filled, came open"),
    "another fill": ("m sells 1 at 10 as a\nexpect a filled 1", "expected 1 filled, came 0 filled"),
    "no trade": ("expect last 10", "expected 10, came none"),
    "no refusal": ("m sells 1 at 10\nexpect refused", "expected refused, came nothing"),
    "an unexpected refusal": ("m sells 0.000001 at 10", "was refused: "),
}


@pytest.mark.parametrize(("text", "says"), FAILURES.values(), ids=FAILURES)
def test_what_is_not_as_expected_names_its_line(text: str, says: str):
    exchange, market = started("instrument BTCUSDT\n" + text)
    exchange.advance(exchange.now_ns + 1)
    with pytest.raises(ScriptFailed) as failed:
        market.check()
    assert says in str(failed.value)
    assert f"scene, line {1 + len(text.splitlines())}" in str(failed.value)


def test_what_has_not_happened_yet_is_no_success():
    _, market = started("instrument BTCUSDT\nat 5s m sells 1 at 10")
    with pytest.raises(ScriptFailed, match=r"line 2.*has not happened yet"):
        market.check()


def test_trading_is_halted_and_resumed():
    exchange, market = started("instrument BTCUSDT\nhalts\nm sells 1 at 10\nexpect refused\nresumes\nm sells 1 at 10")
    exchange.advance(exchange.now_ns + 1)
    market.check()
    assert len(exchange.book("BTCUSDT").offers) == 1


ERRORS = {
    "no number": ("m sells two at 10", "quantity should be a positive number, was 'two'"),
    "no price": ("m sells 2", "expected 'at PRICE' or 'at market'"),
    "an unknown flag": ("m sells 2 at 10 gtx", "'gtx' is not known"),
    "an unknown verb": ("m hopes for 2", "this is not understood"),
    "an unknown time": ("at 1x m sells 1 at 1", "should be written like 1s"),
    "back in time": ("at 2s m sells 1 at 1\nat 1s m sells 1 at 1", "goes back in time"),
    "a time alone": ("at 2s", "nothing stands behind the time"),
    "a name twice": ("m sells 1 at 1 as a\nm sells 1 at 1 as a", "the name 'a' is taken"),
    "an unknown name": ("m cancels b", "no order is called 'b' so far"),
    "funds too late": ("m sells 1 at 1\naccount m 1 BTC", "should stand above the first step"),
    "an expectation": ("expect miracles", "this expectation is not understood"),
}


@pytest.mark.parametrize(("text", "says"), ERRORS.values(), ids=ERRORS)
def test_errors_name_file_and_line(tmp_path: Path, text: str, says: str):
    path = tmp_path / "scene.txt"
    path.write_text("# a scene\n\n" + text)
    with pytest.raises(InputError) as error:
        ScriptMarket.read(path)
    assert says in str(error.value)
    assert str(error.value).startswith(f"{path}, line {2 + len(text.splitlines())}: ")


def test_a_symbol_must_be_known_where_there_are_several():
    with pytest.raises(InputError, match="names no instrument and there are several"):
        started("m sells 1 at 10")
    with pytest.raises(ConfigError, match=r"scene, line 1: no instrument called 'DOGE'"):
        started("m sells 1 DOGE at 10")


def test_times_are_exact():
    steps = parse_script("at 1.5ms m buys 1 at 1\n+1us m buys 1 at 1\nthen m buys 1 at 1\nm buys 1 at 1").steps
    assert [step.after_ns for step in steps] == [1_500_000, 1_501_000, 1_501_000, 1_501_000]


def worked_example() -> str:
    """Return the script of a perpetual's day that the page about markets shows."""
    page = Path(__file__).resolve().parents[3] / "docs" / "markets.md"
    blocks = page.read_text(encoding="utf-8").split("```text\n")[1:]
    (found,) = (block.partition("```")[0] for block in blocks if block.startswith("instrument BTCUSDT:PERP"))
    return found


def perpetual(text: str) -> tuple[Exchange, ScriptMarket]:
    exchange, _ = open_exchange(("BTC-USDT.perp", "BTC-USDT.spot"), "binance", seed=0, start_ns=SECOND)
    market = ScriptMarket.of(text, "scene")
    market.start(exchange)
    exchange.advance(exchange.now_ns + market.length_ns)
    return exchange, market


def test_the_documented_day_of_a_perpetual_goes_as_it_says():
    text = worked_example()
    exchange, market = perpetual(text)
    market.check()
    for verb in ("mark", "index", "funding", "funds", "settles", "phase", "uncrosses", "halts", "resumes", "holds"):
        assert any(verb in line.split() for line in text.splitlines()), verb
    assert not any(exchange.ledger_sums().values())


def test_funding_and_settlement_move_exact_money():
    _, market = perpetual(
        "instrument BTCUSDT:PERP\naccount a 10000 USDT\naccount b 10000 USDT\nindex 60000\nmark 60000\n"
        "b sells 1 at 60000\na buys 1 at 60000\nfunding -0.02% in 8h\nfunds 0.0001\nsettles 61000\n"
        "expect a has 10964 USDT\nexpect b has 8994 USDT\nexpect a holds none"
    )
    market.check()


MONEY = {
    "other money": ("account m 5 USDT\nexpect m has 6 USDT", "expected 6 USDT, came 5 USDT"),
    "no such money": ("account m 5 USDT\nexpect m has 1 BTC", "expected 1 BTC, came 0 BTC"),
    "another position": ("expect m holds 1", "expected 1, came 0"),
}


@pytest.mark.parametrize(("text", "says"), MONEY.values(), ids=MONEY)
def test_money_and_positions_are_told_with_their_line(text: str, says: str):
    _, market = perpetual("instrument BTCUSDT:PERP\n" + text)
    with pytest.raises(ScriptFailed, match=says):
        market.check()
    assert f"line {1 + len(text.splitlines())}: " in market.failures[0]


def test_an_announced_funding_stands_at_its_time():
    exchange, _ = perpetual("instrument BTCUSDT:PERP\nat 1s funding -0.02% in 8h")
    reference = exchange.reference("BTCUSDT:PERP")
    assert (reference.funding_rate, reference.funding_ns) == (Decimal("-0.0002"), (1 + 1 + 8 * 3600) * SECOND)


@pytest.mark.parametrize("line", ["funds 0.01%", "settles 60000", "funding 0.01% in 8h", "expect a holds 1"])
def test_what_is_for_derivatives_is_refused_on_spot(line: str):
    with pytest.raises(InputError, match=r"scene, line 1: .* is for derivatives, BTCUSDT is spot; name another"):
        perpetual(line.replace("holds 1", "holds 1 BTCUSDT") if "holds" in line else f"BTCUSDT {line}")


MORE_ERRORS = {
    "no rate": ("funds much", "rate should be a number, was 'much'"),
    "no span": ("funding 0.01% in time", "should be written like 1s"),
    "no settlement price": ("settles -1", "price should be a positive number"),
    "only a symbol": ("BTCUSDT", "a verb is missing"),
    "no amount": ("expect m has some USDT", "amount should be a number, zero or more, was 'some'"),
    "no position": ("expect m holds long", "position should be a number, was 'long'"),
}


@pytest.mark.parametrize(("text", "says"), MORE_ERRORS.values(), ids=MORE_ERRORS)
def test_money_lines_that_cannot_be_read_are_told(text: str, says: str):
    with pytest.raises(InputError) as error:
        parse_script(text, "scene")
    assert says in str(error.value)
    assert str(error.value).startswith("scene, line 1: ")
