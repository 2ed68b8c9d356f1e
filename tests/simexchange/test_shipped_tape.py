"""The tape that ships is what the seeded local exchange makes, and says that it is synthetic."""

from __future__ import annotations

from pathlib import Path

from quotewright.tape.tape import TapeFile
from quotewright_simexchange.local import LocalExchange
from quotewright_simexchange.record import record_market

SHIPPED = Path(__file__).resolve().parent.parent.parent / "examples" / "synthetic-tape"


def test_recording_the_seeded_market_again_gives_the_shipped_tape(tmp_path):
    info = record_market(tmp_path / "tape", LocalExchange(), seed=11, seconds=240)
    for name in ("rows.bin", "event_order.bin"):
        assert (tmp_path / "tape" / name).read_bytes() == (SHIPPED / name).read_bytes(), name
    assert info.is_synthetic


def test_the_shipped_tape_is_labelled_synthetic_sound_and_causal():
    with TapeFile.open(SHIPPED) as tape:
        assert tape.info.is_synthetic
        assert "synthetic market, not a recording" in tape.info.notes[0]
        tape.verify()
        tape.require_causal()
