"""`lazaretto backup` and `lazaretto restore`: copies of a home, and homes made from them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.exit_codes import ExitCode
from cli.options import HomeOption
from cli.output import count_progress, print_line, print_note, warn
from pipelines.backup.checking import check_backup
from pipelines.backup.making import BackupRequest, BackupResult, make_backup
from pipelines.backup.manifest import choose_backup
from pipelines.backup.restoring import restore_home
from pipelines.home import Home


def backup(
    folder: Annotated[Path, typer.Argument(help="Folder of backups; it must exist.")],
    home: HomeOption = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read the newest backup, or the one named, and make none.")
    ] = False,
    keep: Annotated[
        int | None, typer.Option(help="Backups to keep; older ones are removed [all].", min=1)
    ] = None,
    copy_all: Annotated[
        bool, typer.Option("--copy-all", help="Copy all files anew, also those that did not change.")
    ] = False,
    without: Annotated[
        list[str] | None,
        typer.Option("--without", help="Folder of the home to leave out, such as recordings; repeatable."),
    ] = None,
) -> None:
    """Copy the home into a new folder below FOLDER, while other commands write to it.

    The ledger is copied as it is at one moment, then the observation log, the evidence and the rest. Files
    that did not change are links to the backup before. Footage of live cameras is left out. The exit code is
    0 where all is well, 3 where something is named.
    """
    if verify:
        _verify(choose_backup(folder))
        return
    request = BackupRequest(Home.choose(home), folder, keep, copy_all, without or ())
    with count_progress("copying") as progress:
        made = make_backup(request, progress)
    _show(made)
    if made.faults:
        raise typer.Exit(ExitCode.PARTLY_DONE)


def restore(
    source: Annotated[Path, typer.Argument(help="A backup, or a folder of backups: then the newest.")],
    home: HomeOption = None,
) -> None:
    """Make the home from a backup, with every file compared with its SHA-256. Nothing is overwritten."""
    place = Home.choose(home)
    with count_progress("copying") as progress:
        taken, manifest = restore_home(source, place, progress)
    print_line(
        f"{place.path}: {len(manifest.files):,} files of the backup {taken}, as the home was at "
        f"{manifest.begun:%Y-%m-%d %H:%M:%S} UTC"
    )
    for sentence in manifest.left_out:
        print_note(f"not in the backup: {sentence}")


def _verify(path: Path) -> None:
    with count_progress("reading the backup") as progress:
        found = check_backup(path, progress)
    for sentence in found.faults:
        print_line(f"{path}: {sentence}")
    count = len(found.faults)
    print_line(
        f"{path}: {len(found.manifest.files):,} files, "
        + (f"{count:,} fault{'' if count == 1 else 's'}" if count else "all as they were copied")
    )
    if count:
        raise typer.Exit(ExitCode.PARTLY_DONE)


def _show(made: BackupResult) -> None:
    for sentence in made.faults:
        warn(sentence)
    for sentence in made.left_out:
        print_note(f"left out: {sentence}")
    for path in made.removed:
        print_note(f"removed: {path}")
    print_line(
        f"{made.path}: {made.files:,} files, {made.bytes / 1e6:,.1f} MB; new of these are "
        f"{made.files - made.linked:,} files, {made.new_bytes / 1e6:,.1f} MB ({made.seconds:.1f} s)"
    )
