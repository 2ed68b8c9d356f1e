"""Downloads are resumed, checked, put in place whole, and never leave their folder."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading

import pytest

from quotewright.errors import ConfigError, InputError
from quotewright.fetching.client import HttpClient
from quotewright.fetching.download import Downloader, Item
from quotewright.fetching.manifest import safe_path
from quotewright.fetching.retry import Key, RetryPolicy
from tests.framework.fetching.server import Reply, file_reply, serving

CONTENT = bytes(range(256)) * 4000
SHA = hashlib.sha256(CONTENT).hexdigest()


def client(url, **options):
    slept = []
    made = HttpClient(url, sleep=slept.append, policy=RetryPolicy(attempts=4), **options)
    return made, slept


def fetched(url, folder, *items, **options):
    made, _ = client(url)
    with made:
        return Downloader(folder, made, **options).run(items)


def item(url, name="a/b.csv.gz", **fields):
    return Item(name=name, url=f"{url}/{name}", **fields)


def test_a_file_is_put_in_place_with_its_checksum_in_the_manifest(tmp_path):
    with serving(lambda asked: file_reply(asked, CONTENT)) as (url, _):
        (result,) = fetched(url, tmp_path, item(url))
    assert (result.state, result.bytes) == ("fetched", len(CONTENT))
    assert (tmp_path / "a/b.csv.gz").read_bytes() == CONTENT
    kept = json.loads((tmp_path / "manifest.json").read_text())["files"]["a/b.csv.gz"]
    assert kept == {
        "url": f"{url}/a/b.csv.gz",
        "bytes": len(CONTENT),
        "sha256": SHA,
        "etag": '"1"',
        "modified": "Sun, 01 Mar 2026 00:00:00 GMT",
        "is_complete": True,
    }


def test_an_answer_that_breaks_off_is_gone_on_with_where_it_stopped(tmp_path):
    def answer(asked):
        reply = file_reply(asked, CONTENT)
        if len(asked_ranges) < 3:
            reply.cut = min(300_000, len(reply.body))
        asked_ranges.append(asked.headers.get("range", ""))
        return reply

    asked_ranges: list[str] = []
    with serving(answer) as (url, log):
        (result,) = fetched(url, tmp_path, item(url))
    assert result.state == "fetched"
    assert (tmp_path / "a/b.csv.gz").read_bytes() == CONTENT
    assert asked_ranges[0] == ""
    starts = [int(text.removeprefix("bytes=").rstrip("-")) for text in asked_ranges[1:]]
    assert starts == sorted(starts)
    assert starts[0] > 0
    assert log[1].query == {"retryAttempt": "1"}


def test_another_run_goes_on_with_the_part_of_the_one_before(tmp_path):
    def broken(asked):
        reply = file_reply(asked, CONTENT)
        reply.cut = 100_000 if not asked.headers.get("range") else 0
        return reply

    answers = [broken]

    def answer(asked):
        return answers[-1](asked)

    with serving(answer) as (url, log):
        (first,) = fetched(url, tmp_path, item(url))
        assert first.state == "failed"
        assert "given up after 4 tries" in str(first.error)
        assert not (tmp_path / "a/b.csv.gz").exists()
        answers.append(lambda asked: file_reply(asked, CONTENT))
        log.clear()
        (second,) = fetched(url, tmp_path, item(url))
    assert second.state == "fetched"
    assert int(log[0].headers["range"].removeprefix("bytes=").rstrip("-")) > 0
    assert (tmp_path / "a/b.csv.gz").read_bytes() == CONTENT
    assert not (tmp_path / "a/b.csv.gz.part").exists()


def test_a_file_that_changes_while_it_is_fetched_is_begun_anew(tmp_path):
    other = CONTENT[::-1]

    def answer(asked):
        if asked.headers.get("range"):
            return file_reply(asked, other, '"2"')
        reply = file_reply(asked, CONTENT, '"1"')
        reply.cut = 100_000
        return reply

    with serving(answer) as (url, _):
        (result,) = fetched(url, tmp_path, item(url))
    assert result.state == "fetched"
    assert (tmp_path / "a/b.csv.gz").read_bytes() == other


def test_what_is_there_is_not_fetched_again_and_a_changed_original_is_noticed(tmp_path):
    now = {"content": CONTENT, "etag": '"1"'}
    with serving(lambda asked: file_reply(asked, now["content"], now["etag"])) as (url, log):
        fetched(url, tmp_path, item(url))
        log.clear()
        (again,) = fetched(url, tmp_path, item(url))
        assert again.state == "there"
        assert [asked.method for asked in log] == ["HEAD"]
        now |= {"content": CONTENT + b"x", "etag": '"2"'}
        (changed,) = fetched(url, tmp_path, item(url))
        assert changed.state == "failed"
        assert "has changed since it was fetched" in str(changed.error)
        assert (tmp_path / "a/b.csv.gz").read_bytes() == CONTENT
        (replaced,) = fetched(url, tmp_path, item(url), replace=True)
        assert replaced.state == "fetched"
    assert (tmp_path / "a/b.csv.gz").read_bytes() == CONTENT + b"x"


def test_a_file_damaged_here_is_fetched_again(tmp_path):
    with serving(lambda asked: file_reply(asked, CONTENT)) as (url, _):
        fetched(url, tmp_path, item(url))
        (tmp_path / "a/b.csv.gz").write_bytes(CONTENT[:-1] + b"!")
        (result,) = fetched(url, tmp_path, item(url))
    assert result.state == "fetched"
    assert (tmp_path / "a/b.csv.gz").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("stated", "state", "text"),
    [
        (f"{SHA}  b.csv.gz\n", "fetched", ""),
        (f"{SHA.upper()}\n", "fetched", ""),
        ("0" * 64 + "  b.csv.gz\n", "failed", "its SHA-256 should be 0000"),
        ("nonsense", "failed", "should hold a SHA-256, was 'nonsense'"),
        ("", "failed", "should hold a SHA-256"),
    ],
)
def test_a_published_checksum_is_held_against_the_file(tmp_path, stated, state, text):
    def answer(asked):
        return Reply(200, stated.encode()) if asked.path.endswith(".CHECKSUM") else file_reply(asked, CONTENT)

    with serving(answer) as (url, _):
        (result,) = fetched(url, tmp_path, item(url, checksum_url=f"{url}/a/b.csv.gz.CHECKSUM"))
    assert result.state == state
    assert text in str(result.error or "")
    assert (tmp_path / "a/b.csv.gz").exists() == (state == "fetched")


NAMES = {
    "up": "../x",
    "up inside": "a/../../x",
    "absolute": "/etc/x",
    "backslash": "a\\x",
    "drive": "C:x",
    "empty": "",
    "empty part": "a//x",
    "dot": ".",
    "hidden": ".bashrc",
    "hidden inside": "a/.ssh/x",
    "nul": "a\0x",
    "newline": "a\nx",
    "home": "~/x",
    "trailing dot": "a/x.",
    "long": "a" * 201,
    "deep": "/".join("abcdefghi"),
    "manifest": "manifest.json",
    "part": "x.part",
    "wildcard": "a*",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_name_that_would_leave_the_folder_is_refused(tmp_path, name):
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(InputError, match="no name for a file"):
        safe_path(folder, name)
    with serving(lambda asked: file_reply(asked, b"x")) as (url, log):
        (result,) = fetched(url, folder, Item(name=name, url=f"{url}/x"))
    assert result.state == "failed"
    assert log == []
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["out"]


def test_a_link_in_the_folder_leads_nobody_out(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out/a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="leads out of"):
        safe_path(tmp_path / "out", "a/x")


def test_a_file_larger_than_allowed_is_refused_before_and_while_it_comes(tmp_path):
    with serving(lambda asked: file_reply(asked, CONTENT)) as (url, _):
        (stated,) = fetched(url, tmp_path, item(url), limit=1000)
    assert stated.state == "failed"
    assert f"should have at most 1000 bytes, has {len(CONTENT)}" in str(stated.error)
    assert not (tmp_path / "a/b.csv.gz").exists()


def test_no_more_files_come_at_a_time_than_jobs_say(tmp_path):
    lock = threading.Lock()
    both = threading.Barrier(2)
    counts = {"now": 0, "most": 0}

    def answer(asked):
        with lock:
            counts["now"] += 1
            counts["most"] = max(counts["most"], counts["now"])
        both.wait(10)  # passes only if two are under way together
        with lock:
            counts["now"] -= 1
        return file_reply(asked, b"x")

    with serving(answer) as (url, _):
        results = fetched(url, tmp_path, *(item(url, f"{number}.gz") for number in range(8)), jobs=2)
    assert [result.state for result in results] == ["fetched"] * 8
    assert counts["most"] == 2


def test_one_failure_stops_none_of_the_others_and_404_is_absence(tmp_path):
    def answer(asked):
        if asked.path == "/1.gz":
            return Reply(404, b'{"message":"no data"}')
        if asked.path == "/2.gz":
            return Reply(400, b'{"code":7,"message":"bad symbol"}')
        return file_reply(asked, b"x")

    with serving(answer) as (url, _):
        results = fetched(url, tmp_path, *(item(url, f"{number}.gz") for number in range(4)))
    assert [result.state for result in results] == ["fetched", "absent", "failed", "fetched"]
    assert "answers 400: bad symbol" in str(results[2].error)


def test_two_things_with_one_name_do_not_overwrite_each_other(tmp_path):
    with serving(lambda asked: file_reply(asked, b"x")) as (url, _):
        results = fetched(url, tmp_path, item(url, "1.gz"), item(url, "1.gz"), jobs=1)
    assert [result.state for result in results] == ["fetched", "failed"]


def test_failures_are_retried_with_what_the_service_asks_and_the_key_is_never_shown(caplog):
    replies = iter([Reply(429, b"", {"retry-after": "7"}), Reply(503), Reply(408), Reply(200, b"[1.10]")])
    key = Key("the variable K of the environment", "TD.secret")
    with serving(lambda asked: next(replies)) as (url, log):
        made, slept = client(url, key=key)
        with made:
            assert str(made.get("x", {"from": "2026-03-01"}).json()[0]) == "1.10"
    assert slept[0] == 7.0
    assert len(slept) == 3
    assert {asked.headers["authorization"] for asked in log} == {"Bearer TD.secret"}
    assert "secret" not in repr(made.__dict__.get("key")) + caplog.text


@pytest.mark.parametrize(("status", "kind"), [(401, ConfigError), (403, ConfigError), (400, InputError)])
def test_final_answers_are_asked_for_once(status, kind):
    with serving(lambda asked: Reply(status, b'{"message":"bad \\u001b[31m key"}')) as (url, log):
        made, slept = client(url, key=Key("the variable K of the environment", "TD.secret"))
        with made, pytest.raises(kind) as caught:
            made.get("x")
    assert len(log) == 1
    assert slept == []
    assert "TD.secret" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_the_key_goes_to_no_other_host():
    with (
        serving(lambda asked: Reply(200, b"{}")) as (other, there),
        serving(lambda asked: Reply(302, b"", {"location": f"{other}/y"})) as (url, here),
    ):
        made, _ = client(url, key=Key("K", "TD.secret"))
        with made:
            made.get("x")
            made.get(f"{other}/z")
    assert "authorization" in here[0].headers
    assert [asked.headers.get("authorization") for asked in there] == [None, None]


def test_a_bomb_is_refused_with_little_memory_used():
    bomb = gzip.compress(bytes(64 << 20), 9)
    with serving(lambda asked: Reply(200, bomb, {"content-encoding": "gzip"})) as (url, _):
        made, _ = client(url)
        with made, pytest.raises(InputError, match="should have at most 1048576 bytes, has more once unpacked"):
            made.get("x", limit=1 << 20)


def test_gzip_is_unpacked_whether_the_header_says_so_or_not_and_other_packings_are_refused():
    bodies = {
        "/said": Reply(200, gzip.compress(b"[1]") + gzip.compress(b" "), {"content-encoding": "gzip"}),
        "/unsaid": Reply(200, gzip.compress(b"[1]")),
        "/zstd": Reply(200, b"\x28\xb5\x2f\xfd\x00", {"content-encoding": "zstd"}),
        "/cut": Reply(200, gzip.compress(b"[1]" * 99)[:-9]),
    }
    with serving(lambda asked: bodies[asked.path]) as (url, _):
        made, _ = client(url)
        with made:
            assert made.get("said").json() == [1]
            assert made.get("unsaid").json() == [1]
            with pytest.raises(InputError, match="another way than gzip"):
                made.get("zstd")
            with pytest.raises(Exception, match="gzip data end too early; given up after 4 tries"):
                made.get("cut")
