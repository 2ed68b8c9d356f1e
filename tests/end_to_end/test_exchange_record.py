"""``quotewright exchange record``: a synthetic market as a tape, the same for a seed."""

from __future__ import annotations

from quotewright.tape.tape import TapeFile
from tests.end_to_end.command import quotewright


def test_a_recorded_market_is_causal_clean_and_labelled_synthetic(tape):
    ran = quotewright("data", "inspect", tape, "--json")
    assert ran.code == 0
    about = ran.json
    assert about["is_synthetic"]
    assert "synthetic" in quotewright("data", "inspect", tape).out.splitlines()[0]
    with TapeFile.open(tape) as market:
        market.require_causal()
        market.verify()


def test_a_seed_gives_the_same_tape_and_another_seed_another(tape, tmp_path):
    same, other = tmp_path / "same", tmp_path / "other"
    assert quotewright("exchange", "record", same, "--seconds", "60", "--seed", "3").code == 0
    assert quotewright("exchange", "record", other, "--seconds", "60", "--seed", "4").code == 0
    assert (same / "rows.bin").read_bytes() == (tape / "rows.bin").read_bytes()
    assert (other / "rows.bin").read_bytes() != (tape / "rows.bin").read_bytes()


def test_a_tape_is_only_replaced_when_asked(tmp_path):
    path = tmp_path / "tape"
    short = ["exchange", "record", path, "--seconds", "2"]
    assert quotewright(*short).code == 0
    before = (path / "rows.bin").read_bytes()
    taken = quotewright(*short, "--seed", "5")
    assert taken.code != 0
    assert str(path) in taken.last
    assert (path / "rows.bin").read_bytes() == before
    assert quotewright(*short, "--seed", "5", "--replace").code == 0
    assert (path / "rows.bin").read_bytes() != before
