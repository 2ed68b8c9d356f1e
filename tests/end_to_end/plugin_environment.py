"""Install the example packages into a new environment, run them by config alone, uninstall one, and look again.

Run by ``tox run -e plugin``; ``python tests/end_to_end/plugin_environment.py`` works by hand, too. Wheels of this
project are built here; what they depend on comes from the package index, or, where that cannot be reached, from the
environment that runs this script. No step is left out. The last line counts what passed and what failed.
"""

from __future__ import annotations

import json
import os
import runpy
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = {
    "quotewright-feed-acme": ("acme-feed", "feed_adapters", "acme"),
    "quotewright-book-plain": ("acme-book", "book_models", "plain"),
    "quotewright-strategy-join": ("acme-strategy", "strategies", "join_the_touch"),
    "quotewright-risk-pace": ("acme-risk", "risk_rules", "order_pace"),
    "quotewright-venue-touch": ("acme-venue", "execution_venues", "touch"),
}
REMOVED = "quotewright-strategy-join"
LEFT_OUT = (".git", ".tox", ".venv", "venv", "build", "dist", "*.egg-info", "*.so", "*.pyd", "__pycache__", "runs")
CONFIG = """\
config_version = 1

[run]
name = "acme"
seed = 7

[feeds.main]
plugin = "acme"
book = "plain"

[venues.main]
plugin = "touch"
latency = "2ms"

[strategies.mm]
plugin = "join_the_touch"
venue = "main"
instrument = "ACME-USD.spot@acme"
quantity = "1 ACME"
max_position = "5 ACME"

[risk.pace]
plugin = "order_pace"
orders = 500
"""


class Tally:
    """Counts what passed and what failed, and says each as it comes."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0

    def check(self, holds: bool, what: str, why: str = "") -> bool:
        """Count one check; *why* is shown if it fails."""
        self.passed += holds
        self.failed += not holds
        print(f"{'PASSED' if holds else 'FAILED'} {what}", flush=True)
        if not holds and why:
            print(why, flush=True)
        return holds


def run(*command: str | Path, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command without the settings of the environment around it, but for how kernels are built."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "QUOTEWRIGHT_"))}
    if build := os.environ.get("QUOTEWRIGHT_BUILD"):
        clean["QUOTEWRIGHT_BUILD"] = build
    clean["PYTHONUTF8"] = "1"
    text = [str(part) for part in command]
    return subprocess.run(text, check=False, capture_output=True, text=True, encoding="utf-8", cwd=folder, env=clean)


def build_wheels(work: Path, tally: Tally) -> Path:
    """Build the wheels of the project (tox hands its own over) and of the five packages."""
    wheels = work / "wheels"
    wheels.mkdir()
    made = Path(os.environ.get("TOX_PACKAGE", ""))
    if made.suffix == ".whl" and made.is_file():
        shutil.copy(made, wheels)
        tally.check(True, f"wheel of quotewright: {made.name}, built by tox")
    else:
        source = work / "source"
        shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*LEFT_OUT))
        build_wheel(source, "quotewright", wheels, tally)
    for name, (folder, _, _) in PACKAGES.items():
        source = work / folder
        shutil.copytree(ROOT / "examples" / folder, source, ignore=shutil.ignore_patterns(*LEFT_OUT))
        build_wheel(source, name, wheels, tally)
    return wheels


def build_wheel(source: Path, name: str, wheels: Path, tally: Tally) -> None:
    """Build one wheel; without the package index it is built with what is installed here."""
    command = (sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "-w", str(wheels), str(source))
    built = run(*command)
    if built.returncode:
        built = run(*command, "--no-build-isolation")
    found = [wheel.name for wheel in wheels.glob(f"{name.replace('-', '_')}-*.whl")]
    tally.check(len(found) == 1, f"wheel of {name}: {', '.join(found)}", built.stdout + built.stderr)


def new_environment(work: Path, wheels: Path, tally: Tally) -> Path:
    """Make an environment, install the wheels, and return the folder of its commands."""
    home = work / "environment"
    made = run(sys.executable, "-m", "venv", home)
    tally.check(made.returncode == 0, "a new environment", made.stdout + made.stderr)
    commands = home / ("Scripts" if os.name == "nt" else "bin")
    files = sorted(str(wheel) for wheel in wheels.glob("*.whl"))
    pip = (commands / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    installed = run(*pip, "--retries", "1", "--timeout", "10", *files)
    if installed.returncode:
        print(f"the package index cannot be used; dependencies come from {sysconfig.get_path('purelib')}")
        lend_packages(commands)
        installed = run(*pip, "--no-deps", "--no-index", *files)
    tally.check(installed.returncode == 0, "pip installs the six wheels", installed.stdout + installed.stderr)
    return commands


def lend_packages(commands: Path) -> None:
    """Let the new environment import what is installed here, after everything of its own."""
    purelib = run(commands / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip()
    ours = dict.fromkeys((sysconfig.get_path("purelib"), sysconfig.get_path("platlib")))
    (Path(purelib) / "lent.pth").write_text("\n".join(ours) + "\n", encoding="utf-8")


def listed(commands: Path) -> list[dict[str, Any]]:
    """Return what ``quotewright plugins --json`` says."""
    found = run(commands / "quotewright", "plugins", "--json")
    records: list[dict[str, Any]] = json.loads(found.stdout) if found.returncode == 0 else []
    return records


def check_listing(commands: Path, tally: Tally, without: str = "") -> None:
    """Every package is listed under its role, with its distribution and version, and can be used."""
    records = listed(commands)
    for distribution, (_, hook, name) in PACKAGES.items():
        mine = [record for record in records if record["distribution"] == distribution and record["hook"] == hook]
        if distribution == without:
            tally.check(bool(records) and not mine, f"{distribution} is gone from the list")
            continue
        if tally.check(len(mine) == 1 and mine[0]["name"] == name, f"{distribution} is listed under {hook}", str(mine)):
            told = mine[0]
            print(f"       {hook}: {name}, {told['distribution']} {told['version']}, {told['status']}")
            tally.check(bool(told["version"]) and told["status"] == "ok", f"{name} can be used", str(told))


def backtest(commands: Path, work: Path, out: str) -> subprocess.CompletedProcess[str]:
    """Run the config on the recording."""
    return run(
        commands / "quotewright", "backtest", "acme.toml", "--data", "acme.csv", "--out", out, "--json", folder=work
    )


def main() -> int:
    """Go through all steps and return 0 if every check passed."""
    tally = Tally()
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary).resolve()
        commands = new_environment(work, build_wheels(work, tally), tally)
        place = run(commands / "python", "-c", "import quotewright; print(quotewright.__file__)").stdout.strip()
        tally.check(str(work) in place, "quotewright is that of the new environment", place)
        version = run(commands / "quotewright", "--version")
        tally.check(version.returncode == 0, f"the command runs: {version.stdout.strip()}", version.stderr)
        check_listing(commands, tally)
        recording = runpy.run_path(str(Path(__file__).with_name("acme_recording.py")))["recording"]
        (work / "acme.csv").write_text(recording(), encoding="utf-8")
        (work / "acme.toml").write_text(CONFIG, encoding="utf-8")
        checked = run(commands / "quotewright", "config", "check", "acme.toml", folder=work)
        tally.check(checked.returncode == 0, "config check finds no fault", checked.stdout + checked.stderr)
        check_runs(commands, work, tally)
        check_removal(commands, work, tally)
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed else 0


def check_runs(commands: Path, work: Path, tally: Tally) -> None:
    """A backtest with all five, by config alone, twice the same."""
    ran = backtest(commands, work, "run1")
    if not tally.check(ran.returncode == 0, "a backtest with all five runs", ran.stdout + ran.stderr):
        return
    first = json.loads(ran.stdout)
    told = {key: first[key] for key in ("orders", "fills", "position", "pnl", "fees", "rows", "refusals")}
    print(f"       {json.dumps(told)}")
    tally.check(first["orders"] > 0, "the strategy places orders")
    tally.check(first["fills"] > 0, "the venue fills")
    tally.check(sum(first["refusals"].get("pace", {}).values()) > 0, "the risk rule refuses", str(first["refusals"]))
    again = backtest(commands, work, "run2")
    same = again.returncode == 0 and json.loads(again.stdout)["order_log_sha256"] == first["order_log_sha256"]
    tally.check(same, f"the same again: {first['order_log_sha256']}", again.stderr)


def check_removal(commands: Path, work: Path, tally: Tally) -> None:
    """Without the strategy's package the same run ends with exit code 4 and one sentence."""
    gone = run(commands / "python", "-m", "pip", "uninstall", "--yes", "--quiet", REMOVED)
    tally.check(gone.returncode == 0, f"pip uninstalls {REMOVED}", gone.stdout + gone.stderr)
    check_listing(commands, tally, without=REMOVED)
    refused = backtest(commands, work, "run3")
    print(f"       exit {refused.returncode}: {refused.stderr.strip().splitlines()[-1:]}")
    tally.check(refused.returncode == 4, "the same run exits 4", refused.stdout + refused.stderr)
    tally.check(
        "no strategy called 'join_the_touch'" in refused.stderr, "and says: no strategy called …", refused.stderr
    )
    tally.check("Traceback" not in refused.stderr and refused.stdout == "", "without a traceback", refused.stderr)
    checked = run(commands / "quotewright", "config", "check", "acme.toml", folder=work)
    tally.check(checked.returncode == 4 and "no strategy called" in checked.stderr, "config check says so too")


if __name__ == "__main__":
    sys.exit(main())
