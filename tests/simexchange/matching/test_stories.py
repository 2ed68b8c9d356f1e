"""Worked scenarios of every trading rule and of all that is booked: both engines tell them word for word."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simexchange.matching import story

STORIES = {
    f"{path.stem}: {title}": told
    for path in sorted((Path(__file__).parent / "stories").glob("*.txt"))
    for title, told in story.read(path.read_text(encoding="utf-8")).items()
}


def told(engine: str, title: str) -> tuple[str, str]:
    """Return what *engine* tells, and what it should tell."""
    instrument, accounts, expected = STORIES[title]
    return story.play(engine, expected, instrument, accounts), expected


@pytest.mark.parametrize("title", STORIES)
def test_the_fast_engine_tells_it(title: str) -> None:
    got, expected = told("fast", title)
    assert got == expected


@pytest.mark.parametrize("title", STORIES)
def test_the_oracle_tells_it(title: str) -> None:
    got, expected = told("oracle", title)
    assert got == expected


def test_a_story_that_is_told_otherwise_is_found() -> None:
    title = "rules: what was there first trades first, and a partly filled order keeps its place"
    instrument, accounts, expected = STORIES[title]
    changed = expected.replace("B1/C1 1@101", "B1/C1 1@102")
    assert changed != expected
    assert story.play("fast", changed, instrument, accounts) == expected


def test_every_story_says_what_happens() -> None:
    assert len(STORIES) >= 70
    assert [title for title, (_, _, lines) in STORIES.items() if len(lines.splitlines()) < 2 or "|" not in lines] == []
