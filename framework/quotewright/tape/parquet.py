"""Tapes as Parquet files and back, without loss: the rows as columns, the header in the file's metadata.

Needs pyarrow, which is the extra ``parquet``.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import msgspec
import numpy as np

from quotewright.errors import ConfigError, FormatVersionError, InputError
from quotewright.kernel.codes import KIND_NAMES, LAST
from quotewright.tape.layout import BLOCK_ROWS, ROW_DTYPE, ROWS_FILE
from quotewright.tape.tape import SourceFile, TapeInfo, file_sha256
from quotewright.tape.writer import TapeWriter

if TYPE_CHECKING:
    from quotewright.tape.export import Selection

    RowArray = np.ndarray[Any, np.dtype[Any]]

SCHEMA_VERSION: Final = 1
VERSION_KEY: Final = b"quotewright.schema"
INFO_KEY: Final = b"quotewright.tape"
MAGIC: Final = b"PAR1"


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ConfigError(
            "Parquet needs pyarrow, which is not installed: install the extra, pip install 'quotewright[parquet]'"
        ) from None
    return pyarrow, pyarrow.parquet


def write_parquet(selection: Selection, path: Path) -> int:
    """Write *selection* as a Parquet file at *path*, whole or not at all; returns the number of rows."""
    pyarrow, parquet = _arrow()
    types = {"<i8": pyarrow.int64(), "|u1": pyarrow.uint8(), "<u2": pyarrow.uint16(), "<u4": pyarrow.uint32()}
    names = ROW_DTYPE.names or ()
    info = selection.tape.info
    if not selection.is_whole:
        info = TapeInfo(
            instruments=selection.instruments,
            sources=info.sources,
            notes=(*info.notes, f"a part of {selection.tape.name}"),
            is_synthetic=info.is_synthetic,
        )
    metadata = {VERSION_KEY: str(SCHEMA_VERSION).encode(), INFO_KEY: msgspec.json.encode(info)}
    schema = pyarrow.schema([(name, types[ROW_DTYPE[name].str]) for name in names], metadata=metadata)
    unfinished = path.with_name(f".{path.name}.unfinished")
    count = 0
    try:
        with parquet.ParquetWriter(unfinished, schema, compression="zstd") as writer:
            for rows in selection.blocks():
                columns = [pyarrow.array(np.ascontiguousarray(rows[name])) for name in names]
                writer.write_table(pyarrow.Table.from_arrays(columns, schema=schema))
                count += len(rows)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return count


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, TapeInfo]]:
    pyarrow, parquet = _arrow()
    try:
        file = parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{path} is no Parquet file, or is damaged ({str(error)[:200]})") from None
    with file:
        metadata = file.schema_arrow.metadata or {}
        version = metadata.get(VERSION_KEY)
        if version is None:
            raise InputError(
                f"{path} is a Parquet file of another program; only those of quotewright data export are read"
            )
        if version != str(SCHEMA_VERSION).encode():
            raise FormatVersionError(
                f"{path} is of schema {version[:20].decode('ascii', 'replace')}, this program reads {SCHEMA_VERSION}; "
                "export it again"
            )
        try:
            info = msgspec.json.decode(metadata[INFO_KEY], type=TapeInfo)
        except (KeyError, msgspec.MsgspecError, InputError) as error:
            raise InputError(f"{path}: its header is damaged ({error}); export it again") from None
        yield file, info


def read_parquet(path: Path, tape_path: Path, *, replace: bool = False) -> TapeInfo:
    """Write the tape in the Parquet file *path* to *tape_path* as it was exported, and return its header.

    Raises:
        InputError: the file is damaged, of another program, or its rows are none of a tape's; nothing is written.
        ConfigError: pyarrow is not installed.
    """
    with _opened(path) as (file, stated), TapeWriter(tape_path, stated.instruments, replace=replace) as writer:
        digest = hashlib.sha256()
        rest = np.empty(0, ROW_DTYPE)
        newest_ns = -(2**63)
        first = 0
        for rows in _rows(path, file):
            newest_ns = _checked(path, rows, first, newest_ns, len(stated.instruments))
            first += len(rows)
            digest.update(rows.tobytes())
            together = np.concatenate((rest, rows))
            ends = np.flatnonzero(together["flags"] & LAST)
            cut = int(ends[-1]) + 1 if len(ends) else 0
            writer.write(together[:cut])
            rest = together[cut:]
        if len(rest) or not first:
            raise InputError(f"{path}: it ends within a message, or holds none; export it again")
        if stated.checksums.get(ROWS_FILE, digest.hexdigest()) != digest.hexdigest():
            raise InputError(f"{path}: its rows are not those that were exported (the checksum differs); export again")
        return writer.finish(stated if stated.sources else attrs.evolve(stated, sources=(_source(path),)))


def _source(path: Path) -> SourceFile:
    return SourceFile(name=path.name, sha256=file_sha256(path), bytes=path.stat().st_size, importer="parquet")


def _rows(path: Path, file: Any) -> Iterator[RowArray]:
    pyarrow, _ = _arrow()
    names = list(ROW_DTYPE.names or ())
    missing = [name for name in names if name not in file.schema_arrow.names]
    if missing:
        raise InputError(f"{path}: the column {missing[0]} is missing; export it again")
    try:
        for batch in file.iter_batches(batch_size=BLOCK_ROWS, columns=names):
            rows = np.empty(batch.num_rows, ROW_DTYPE)
            for name in names:
                rows[name] = batch.column(name).to_numpy(zero_copy_only=False)
            yield rows
    except (pyarrow.ArrowException, OSError, ValueError, TypeError) as error:
        raise InputError(f"{path}: its rows cannot be read ({str(error)[:200]}); export it again") from None


def _checked(path: Path, rows: RowArray, first: int, newest_ns: int, instruments: int) -> int:
    """Refuse rows that no tape holds; returns the newest receive time."""
    if not len(rows):
        return newest_ns
    receive = rows["receive_ns"]
    before = np.concatenate(([newest_ns], receive[:-1]))
    for is_wrong, what in (
        (rows["event_ns"] > receive, "is received before it happened"),
        (receive < before, "is received before the row in front of it"),
        (rows["instrument"] >= instruments, f"is about an instrument that is not among the {instruments} listed"),
        ((rows["kind"] == 0) | (rows["kind"] >= len(KIND_NAMES)), "is of no known kind"),
    ):
        if is_wrong.any():
            raise InputError(f"{path}: row {first + int(np.argmax(is_wrong))} {what}; export it again")
    return int(receive[-1])
