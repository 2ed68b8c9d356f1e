"""Pages made resident ahead of reading change nothing that is read, and a system that cannot is asked once."""

from __future__ import annotations

import numpy as np
import pytest

from quotewright.kernel.codes import NEVER
from quotewright.tape import tape as tape_module
from quotewright.tape.tape import TapeFile
from tests.framework.tape.generated import random_rows, write_tape


@pytest.mark.parametrize("advice", [tape_module.POPULATE_READ, 9999], ids=["known", "unknown"])
def test_rows_are_read_whether_or_not_the_system_knows_the_advice(tmp_path, monkeypatch, advice):
    monkeypatch.setattr(tape_module, "POPULATE_READ", advice)
    rows = random_rows(5000)
    write_tape(tmp_path / "tape", rows)
    with TapeFile.open(tmp_path / "tape") as tape:
        tape.touch(0, 0)
        tape.touch(0, 10**6)
        tape.require_causal()
        source = tape.source(window=700)
        taken = 0
        while source.fill(NEVER - 1) != NEVER:
            assert np.array_equal(tape.array[source.first : source.last], rows[source.first : source.last])
            taken += source.last - source.first
            source.first = source.last
        assert taken == 5000
        assert not (advice == 9999 and tape._can_touch)
