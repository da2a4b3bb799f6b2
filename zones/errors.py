"""The errors that are meant for a user, and what is wrong with a facility file, in parts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LazarettoError(Exception):
    """An error whose text is one clear sentence for the person running the program."""


class FaultCode(StrEnum):
    """What kind of fault a file has; the codes are stable, the sentences may improve."""

    MISSING = "missing"
    """A field that is required is not there."""
    UNKNOWN_FIELD = "unknown_field"
    WRONG_TYPE = "wrong_type"
    """Text where a number belongs, a number where a list belongs, infinity, and so on."""
    NOT_A_CHOICE = "not_a_choice"
    """A value outside the list of permitted values."""
    OUT_OF_RANGE = "out_of_range"
    TOO_FEW = "too_few"
    """Too few items or characters."""
    TOO_MANY = "too_many"
    """Too many items or characters, or too deep a nesting."""
    DUPLICATE = "duplicate"
    """An id, key, point or list item that is there already."""
    MALFORMED = "malformed"
    """Text that does not have the form of an id, a time, a time zone or a source."""
    UNKNOWN_REFERENCE = "unknown_reference"
    """The name of a camera, zone or schedule that does not exist."""
    GEOMETRY = "geometry"
    """A polygon, line or set of marks that encloses no area, crosses itself or fixes no plane."""
    CONFLICT = "conflict"
    """A value that another field does not permit."""
    FORBIDDEN_PLACE = "forbidden_place"
    """A place where 4403/CV-BCD forbids cameras."""
    CREDENTIALS = "credentials"
    """A user, password or token in clear."""
    VERSION = "version"
    """A version of the format that this program does not know, or a field of another version."""
    SYNTAX = "syntax"
    """Text that is not YAML, or YAML that a facility file does not use."""
    UNREADABLE = "unreadable"
    """A file that cannot be opened or decoded."""
    NOT_EDITABLE = "not_editable"
    """A part of a file that cannot be changed without changing others."""
    INVALID = "invalid"
    """Anything else."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with one value.

    Attributes:
        expected: what the value has to be.
        got: what it is, without secrets.
        code: the kind of fault.
        hint: what to do about it, or empty.
    """

    expected: str
    got: str
    code: FaultCode = FaultCode.INVALID
    hint: str = ""

    @property
    def sentence(self) -> str:
        """What was expected, what came, and the hint."""
        return f"expected {self.expected}, got {self.got}{'; ' if self.hint else ''}{self.hint}"


class FacilityError(LazarettoError):
    """A facility file that cannot be used.

    Attributes:
        fault: what was expected, what came, and the code.
        file: name of the file; empty where there is none.
        line: from 1; None where the fault is not in a line.
        field: path of the field, such as `cameras[0].id`; empty where the fault is not in a field.
        others: how many further faults the file has.
    """

    def __init__(
        self, fault: Fault, *, file: str = "", line: int | None = None, field: str = "", others: int = 0
    ) -> None:
        """Compose the sentence from its parts."""
        self.fault, self.file, self.line, self.field, self.others = fault, file, line, field, others
        where = [file, "" if line is None else f"line {line}", field]
        more = f" (and {others} more)" if others else ""
        super().__init__(": ".join([*filter(None, where), fault.sentence]) + more)

    @property
    def code(self) -> FaultCode:
        """The kind of fault."""
        return self.fault.code

    @property
    def expected(self) -> str:
        """What the value has to be."""
        return self.fault.expected

    @property
    def got(self) -> str:
        """What the value is."""
        return self.fault.got

    def after_change(self) -> FacilityError:
        """The same fault, in the text of a file after a requested change."""
        return FacilityError(
            self.fault,
            file=f"{self.file} after the change",
            line=self.line,
            field=self.field,
            others=self.others,
        )
