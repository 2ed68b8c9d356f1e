"""Modules that are imported when they are first used."""

from __future__ import annotations

import subprocess
import sys

import pytest

from quotewright.lazily import Lazily


def test_a_module_is_imported_when_something_of_it_is_used():
    code = "import sys; from quotewright.lazily import Lazily; wave = Lazily('wave'); before = 'wave' in sys.modules; "
    code += "print(before, wave.__name__, wave.open is sys.modules['wave'].open)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["False", "wave", "True"]


def test_what_is_not_there_is_missed_where_it_is_used():
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        Lazily("no_such_module").thing  # noqa: B018
    with pytest.raises(AttributeError, match="no_such_thing"):
        Lazily("json").no_such_thing  # noqa: B018


def test_a_backtest_needs_no_http_client():
    code = (
        "import sys; import quotewright.runtime.session; from quotewright.plugin.registry import PluginSet; "
        "PluginSet.discover(environment={}).loaded(); print({'httpx', 'picows', 'anyio'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "set()"
