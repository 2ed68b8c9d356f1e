"""Importer of Parquet files that ``quotewright data export`` made: the tape comes back as it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from quotewright.errors import InputError
from quotewright.tape.importing import Importer, Stage
from quotewright.tape.parquet import MAGIC, read_parquet
from quotewright.tape.recording import RecordedFile
from quotewright.tape.tape import TapeInfo


class ParquetImporter(Importer):
    """Copies a tape out of one Parquet file."""

    name = "parquet"

    def recognises(self, path: Path, head: bytes) -> bool:
        return head.startswith(MAGIC)

    def copy(self, files: Sequence[RecordedFile], tape_path: Path, *, replace: bool) -> TapeInfo | None:
        if len(files) != 1:
            raise InputError(f"a tape is made of one Parquet file, came {len(files)}; import them one by one")
        return read_parquet(files[0].path, tape_path, replace=replace)

    def read(self, files: Sequence[RecordedFile], stage: Stage) -> Iterator[None]:
        raise InputError(f"{files[0].path}: a Parquet file holds a finished tape and is copied, not read line by line")
