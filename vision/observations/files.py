"""Parquet files that are whole or absent."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import polars as pl

from vision.observations.schema import ObservationError


def write_parquet(path: Path, table: pl.DataFrame) -> None:
    """Write a table so that `path` is afterwards whole, or as it was.

    Raises:
        ObservationError: the disk refuses it.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            table.write_parquet(file, compression="zstd", statistics=True)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except (OSError, pl.exceptions.PolarsError) as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise ObservationError(f"cannot write {path.name} below {path.parent}: {error}") from error


def sync_folder(folder: Path) -> None:
    """Flush a folder's list of names to the disk, so that a rename in it survives a power cut.

    Raises:
        OSError: the folder cannot be opened or flushed.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
