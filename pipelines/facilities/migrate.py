"""Rewriting a facility file to the newest version of the format, and the JSON Schema of all versions."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from pathlib import Path

from pipelines.facilities.writing import write_facility
from zones.editing import migrate_facility
from zones.facility import json_schema, load_facility
from zones.migrating import NEWEST, schema_of_any


@dataclass(frozen=True)
class Migration:
    """A facility file before and after its migration.

    Attributes:
        file: the file.
        before: its text.
        after: its text in the newest version of the format.
    """

    file: Path
    before: str
    after: str

    @property
    def changes(self) -> bool:
        """Whether the text changes."""
        return self.after != self.before

    def diff(self) -> str:
        """The change as a unified diff."""
        names = (str(self.file), f"{self.file} (schema {NEWEST})")
        lines = difflib.unified_diff(self.before.splitlines(), self.after.splitlines(), *names, lineterm="")
        return "\n".join(lines)

    def write(self) -> None:
        """Write the new text to the file; raises LazarettoError where it cannot be written."""
        write_facility(self.file, self.after)


def plan_migration(file: Path) -> Migration:
    """The migration of a facility file, which is not written yet.

    Raises:
        FacilityError: the file is no facility file, or cannot be rewritten without changing more.
    """
    text = load_facility(file).text
    return Migration(file, text, migrate_facility(text, str(file)))


def schema_text() -> str:
    """The JSON Schema of a facility file of any version, as JSON text for editors."""
    return json.dumps(schema_of_any(json_schema()), ensure_ascii=False, indent=2) + "\n"
