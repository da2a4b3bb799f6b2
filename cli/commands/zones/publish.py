"""`lazaretto zones diff | publish | history`: compare facility files and put one in force."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import typer
from rich.console import Console

from cli.commands.zones.check import show
from cli.comparison_tables import print_difference
from cli.options import (
    CamerasOption,
    HomeOption,
    JsonOption,
    SinceOption,
    UntilOption,
    read_window,
)
from cli.output import print_json, print_line
from cli.tables import history_table
from cli.watched import warn_watched
from incidents.ledger import Ledger
from incidents.local_time import local_iso
from pipelines.home import Home
from pipelines.publish import (
    PublishRequest,
    compare_versions,
    in_force_already,
    preview_publication,
    publication_history,
)
from pipelines.publish import publish as put_in_force
from vision.frames import to_iso
from zones.errors import LazarettoError
from zones.facility import load_facility


def diff(
    old: Annotated[
        str, typer.Argument(help='The old facility file, a version in the ledger, or "published".')
    ],
    new: Annotated[str, typer.Argument(help="The new facility file, or a version in the ledger.")],
    home: HomeOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    camera: CamerasOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the incidents that two facility files give on the observation log."""
    window = read_window(since, until)
    folder = Home.choose(home)
    with Ledger.open(folder.ledger, create=False) as ledger:
        found = compare_versions(folder, ledger, old, new, camera or None, window)
        watches = found.new.watches(ledger)
    if as_json:
        print_json(found.to_payload().to_dict())
        warn_watched(watches)
    else:
        print_difference(found, watches)


def publish(
    new: Annotated[str, typer.Argument(help="The facility file to publish.")],
    by: Annotated[
        str | None, typer.Option("--by", help="Name of the publisher [the user logged in].")
    ] = None,
    note: Annotated[str, typer.Option(help="Reason for the change.")] = "",
    home: HomeOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Publish without asking.")] = False,
) -> None:
    """Compare a facility file with the one in force and replace that one; recorded incidents stay.

    A file that is in force already stays so, and nothing is changed.
    """
    window = read_window(since, until)
    facility, folder = load_facility(new), Home.choose(home)
    if (already := in_force_already(folder, facility)) is not None:
        at = local_iso(already.at, facility.timezone)[:16].replace("T", " ")
        print_line(
            f"{new} is in force for {facility.code} already: version {already.version[:12]}, published by "
            f"{already.author} on {at}. Nothing was changed."
        )
        return
    if not yes and not sys.stdin.isatty():
        raise LazarettoError("expected --yes, or a terminal to ask on, got neither")
    folder.prepare()  # a facility may be published before any footage is analysed
    with Ledger.open(folder.ledger) as ledger:
        preview = preview_publication(folder, ledger, facility, new, window)
        if preview.difference is None:
            print_line(f"Nothing to compare: {preview.nothing_to_compare}")
        else:
            print_difference(preview.difference, preview.difference.new.watches(ledger))
        show(preview.warnings, new, Console())
        if not yes and not typer.confirm(f"Put this version in force for {facility.code}?"):
            raise LazarettoError("not published")
        author = by if by is not None else getpass.getuser()
        request = PublishRequest(facility, author, note, preview.version_in_force, preview.difference)
        done = put_in_force(ledger, request)
    print_line(
        f"In force for {facility.code} from {to_iso(done.at)}: version {done.version[:12]}, published by "
        f"{done.author}. Incidents in the ledger stay as they are."
    )


def history(
    home: HomeOption = None,
    text: Annotated[
        str | None, typer.Option(help="Print the facility file of this version instead.", metavar="VERSION")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the published facility files, with their authors and what each changed."""
    with Ledger.open(Home.choose(home).ledger, create=False) as ledger:
        if text is not None:
            sys.stdout.write(ledger.facilities.text(ledger.facilities.resolve_version(text)))
            return
        entries = publication_history(ledger)
    if as_json:
        print_json([entry.to_payload().to_dict() for entry in entries])
    else:
        Console().print(history_table(entries))
