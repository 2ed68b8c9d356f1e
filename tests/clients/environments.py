"""Environments of clients: one each, because two of them own one package name and their needs conflict."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

import attrs

ATTEMPTS = 3
INSTALL_SECONDS = 600
COMPILERS = ("cc", "gcc", "clang", "cl")


class NotInstalled(Exception):
    """An environment could not be made."""


@attrs.frozen
class Client:
    """What is installed together, the script that drives it, and what it needs."""

    packages: tuple[str, ...]
    script: str
    has_tls: bool = False
    """Whether it speaks to TLS addresses only."""
    is_compiled: bool = False
    """Whether the package index has no wheels of it."""

    @property
    def is_node(self) -> bool:
        """Return whether it runs in Node.js: it is left out where there is none."""
        return self.script.endswith(".mjs")

    @property
    def name(self) -> str:
        """Return ``ccxt-4.5.90``: what its environment is called."""
        return self.packages[0].replace("==", "-") + ("-node" if self.is_node else "")

    def is_called(self, word: str) -> bool:
        return word in (self.name, self.packages[0], self.packages[0].partition("==")[0])


CLIENTS = (
    Client(("ccxt==4.5.90",), "ccxt_calls.py"),
    Client(("ccxt==4.4.100",), "ccxt_calls.py"),
    Client(("ccxt==4.2.100", "aiohttp==3.10.11"), "ccxt_calls.py"),
    Client(("python-binance==1.0.37",), "python_binance_calls.py"),
    Client(("python-binance==1.0.19", "websockets==11.0.3"), "python_binance_calls.py"),
    Client(("binance-connector==3.13.0",), "connector_calls.py"),
    Client(
        ("binance-sdk-spot==13.2.0", "binance-sdk-derivatives-trading-usds-futures==18.0.1"),
        "sdk_calls.py",
    ),
    Client(("binance-futures-connector==4.1.0",), "futures_connector_calls.py"),
    Client(("cryptofeed==2.4.1",), "cryptofeed_calls.py", has_tls=True, is_compiled=True),
    Client(("ccxt==4.5.84",), "ccxt_calls.mjs"),
    Client(("binance==3.6.5",), "binance_calls.mjs"),
)


def lacking(client: Client) -> str:
    """Return what this machine has not that *client* needs, empty if it has everything."""
    if client.is_node and not (shutil.which("node") and shutil.which("npm")):
        return "Node.js with npm"
    if client.is_compiled and not (os.environ.get("CC") or any(shutil.which(name) for name in COMPILERS)):
        return "a C compiler, and it is compiled when it is installed"
    return ""


def environment(folder: Path, client: Client) -> Path:
    """Return what runs the scripts of *client*, with its packages, installed if they are not there."""
    home = folder.resolve()
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    runs = Path(shutil.which("node") or "node") if client.is_node else python
    done = home / "installed.txt"
    wanted = " ".join(client.packages)
    if done.exists() and done.read_text(encoding="utf-8") == wanted:
        return runs
    if client.is_node:
        home.mkdir(parents=True, exist_ok=True)
        packages = [package.replace("==", "@") for package in client.packages]
        npm = [shutil.which("npm") or "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"]
        _install([*npm, "--prefix", str(home), *packages], wanted, done)
        return runs
    venv.create(home, clear=True)
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-compile"]
    command += ["--disable-pip-version-check", "--no-warn-script-location", "--retries", "5", *client.packages]
    _install(command, wanted, done)
    return runs


def _install(command: Sequence[str], wanted: str, done: Path) -> None:
    said = ""
    for _ in range(ATTEMPTS):
        try:
            ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=INSTALL_SECONDS)
        except subprocess.TimeoutExpired:
            said = f"it had not ended after {INSTALL_SECONDS} s"
            continue
        if ran.returncode == 0:
            done.write_text(wanted, encoding="utf-8")
            return
        said = ran.stderr.strip()[-1500:]
    raise NotInstalled(
        f"clients: {wanted} could not be installed in {ATTEMPTS} attempts:\n{said}\n"
        "clients: the package index must be within reach (the settings of pip and npm apply, such as "
        "PIP_INDEX_URL); "
        "environments that are there already are taken from --environments FOLDER"
    )
