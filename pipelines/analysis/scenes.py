"""Footage that seems to show several scenes although it was given as that of one camera."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pipelines.assignment import Footage
from vision.frames import SECOND
from vision.sources.files import FileSource, images_between
from vision.sources.fingerprint import same_recording
from vision.sources.timeline import SourceError

SAME_START_US = 2 * SECOND
"""Recordings that begin within this time of each other and overlap are of two cameras, microseconds, whatever
their names: one camera records once at a time. Project default (docs/defaults.md)."""
MAX_SHARED = 0.5
"""Share of the shorter of two recordings that may lie within the other one: a recorder repeats some seconds
before an event. Project default (docs/defaults.md)."""
MAX_GROUPS_NAMED = 6
"""Groups that a message names, of however many there are."""

NEUTRAL_WORDS = frozenset(
    re.findall(
        r"\w+",
        """gmt utc motion alarm event schedule scheduled record recording rec manual timing continuous normal
        part clip video main sub copy export exported backup stream dav jpg image images img vid mov file
        files untitled jan feb mar apr may jun jul aug sep oct nov dec monday tuesday wednesday thursday
        friday saturday sunday mon tue wed thu fri sat sun morning afternoon evening night
        thứ hai ba tư năm sáu bảy chủ nhật ngày tháng sáng trưa chiều tối đêm""",
    )
)
"""Words in names of recordings that say nothing of the place: why and how it was recorded."""
MIN_FILES_OF_A_PLACE = 2
"""Files whose names have the words of one place from which it is a place of its own: a single file may have
any name. Project default (docs/defaults.md)."""
MIN_WORD = 3
"""Letters from which a word of a name may be that of a place: shorter ones are marks of recorders."""

_CHANNEL = re.compile(
    r"(?<![^\W\d_])(?:ch|cam|camera|channel|kênh|kenh|d)[ _-]?0*(\d{1,3})(?!\d)", re.IGNORECASE
)
_CHANNEL_FOLDER = re.compile(r"\d{3}")  # as Dahua's recorders name them: 2026-11-24/001/dav
_ADDRESS = re.compile(r"(?<![\d.])(\d{1,3}(?:\.\d{1,3}){3})(?![\d.])(?:_(\d{1,2})_)?")


@dataclass(frozen=True)
class OpenedSource:
    """A source that was opened.

    Attributes:
        footage: how it was named.
        source: the source.
        size_and_date: of the file before it was opened: bytes, and microseconds UTC.
    """

    footage: Footage
    source: FileSource
    size_and_date: tuple[int, int]


def without_copies(sources: Sequence[OpenedSource]) -> tuple[list[OpenedSource], list[str]]:
    """Leave out second copies of a recording; returns the rest, and one sentence for each copy.

    A copy begins at the same time, in the same camera, with the same pictures; of two the longer one is kept.
    An export that was made twice is one, although its metadata differ.

    Raises:
        SourceError: a source can no longer be read.
    """
    kept: list[OpenedSource] = []
    notes: list[str] = []
    for item in sources:
        for n, other in enumerate(kept):
            if _begin_together(item, other) and same_recording(item.source.info.path, other.source.info.path):
                longer = (item.source.duration_us or 0) > (other.source.duration_us or 0)
                kept[n], copy = (item, other) if longer else (other, item)
                path = kept[n].source.info.path
                notes.append(f"{copy.source.info.path}: left out, because it is another copy of {path}")
                break
        else:
            kept.append(item)
    return kept, notes


def several_scenes(sources: Sequence[OpenedSource], cameras: Sequence[str]) -> str | None:
    """A sentence that names the groups, if the sources of one camera seem to show several scenes; else None.

    Sources that a user named one by one with their camera are taken at their word. Of the others, signs are
    pictures of different size, names or folders of different cameras or channels, and times that collide.

    Args:
        sources: the sources of one camera, without copies.
        cameras: ids of the facility's cameras.
    """
    mixed = [item for item in sources if not item.footage.alone]
    signs: list[tuple[str, Callable[[OpenedSource], str | None]]] = [
        ("pictures of different size", _size),
        ("names of different cameras", lambda item: _named_camera(item, cameras)),
        ("names of different channels", _channel),
        ("names of different addresses", _address),
        ("folders of different places", lambda item: _place_words(_below(item)[:-1])),
    ]
    for why, label in signs:
        groups = _grouped(mixed, label)
        if len(groups) > 1:
            return _sentence(mixed[0], why, groups)
    groups = _grouped(mixed, lambda item: _place_words(_below(item)[-1:]))
    if len(groups) > 1 and min(map(len, groups.values())) >= MIN_FILES_OF_A_PLACE:
        return _sentence(mixed[0], "names of different places", groups)
    if _collide(mixed):
        why = "times that collide"
        for label in (_words, _folder):
            groups = _grouped(mixed, label)
            if len(groups) > 1:
                return _sentence(mixed[0], why, groups)
        return _sentence(mixed[0], why, {str(item.source.info.path.name): [item] for item in mixed})
    return None


def different_words(sources: Sequence[OpenedSource]) -> str | None:
    """A warning, if the names of the sources of one camera have words of different places; else None."""
    mixed = [item for item in sources if not item.footage.alone]
    words = list(_grouped(mixed, lambda item: _place_words(_below(item)[-1:])))
    if len(words) < 2:
        return None
    more = f" and {len(words) - MAX_GROUPS_NAMED} more" if len(words) > MAX_GROUPS_NAMED else ""
    return (
        f"camera {mixed[0].source.camera}: its files have different words in their names "
        f"({', '.join(words[:MAX_GROUPS_NAMED])}{more}) and are taken for one scene"
    )


def _begin_together(one: OpenedSource, other: OpenedSource) -> bool:
    return (
        one.source.camera == other.source.camera
        and abs(one.source.start_us - other.source.start_us) <= SAME_START_US
    )


def _collide(sources: Sequence[OpenedSource]) -> bool:
    in_order = sorted(sources, key=lambda item: item.source.start_us)
    for n, item in enumerate(in_order):
        start, length = item.source.start_us, item.source.duration_us or 0
        for later in islice(in_order, n + 1, None):
            begin = later.source.start_us
            if begin >= start + length:
                break
            shared = min(start + length, begin + (later.source.duration_us or 0)) - begin
            shorter = min(length, later.source.duration_us or 0)
            other = begin - start <= SAME_START_US or _words(item) != _words(later)
            # A stated duration is a claim: only pictures show that the earlier one goes on so far.
            if other and shared > MAX_SHARED * shorter and _has_pictures(item, begin + shared // 2):
                return True
    return False


def _has_pictures(item: OpenedSource, t: int) -> bool:
    info = item.source.info
    try:
        pictures = images_between(info.path, info.start_us, item.source.fps, t - SECOND, t + SECOND)
        return next(pictures, None) is not None
    except SourceError:
        return False


def _grouped(
    sources: Sequence[OpenedSource], label: Callable[[OpenedSource], str | None]
) -> dict[str, list[OpenedSource]]:
    groups: dict[str, list[OpenedSource]] = {}
    for item in sources:
        name = label(item)
        if name is not None:
            groups.setdefault(name, []).append(item)
    return groups


def _size(item: OpenedSource) -> str:
    return f"{item.source.info.width} x {item.source.info.height} px"


def _below(item: OpenedSource) -> list[str]:
    """The names below the folder that was given: the folders on the way down, and that of the file."""
    path = item.source.info.path
    root = Path(item.footage.argument.rpartition("=")[2])
    root = root if root.is_dir() else root.parent
    inside = path.relative_to(root) if path.is_relative_to(root) else Path(path.name)
    return [*inside.parts[:-1], inside.stem]


def _named_camera(item: OpenedSource, cameras: Sequence[str]) -> str | None:
    words = {word for name in _below(item) for word in (name, *re.split(r"[\s_.,()\[\]-]+", name))}
    words |= {_words(item)}
    return next((camera for camera in cameras if camera in words), None)


def _channel(item: OpenedSource) -> str | None:
    names = _below(item)
    found = [match[1] for name in names if (match := _CHANNEL.search(name))]
    found = found or [str(int(name)) for name in names[:-1] if _CHANNEL_FOLDER.fullmatch(name)]
    return f"channel {found[-1]}" if found else None


def _place_words(names: Sequence[str]) -> str | None:
    """The words in names that may be those of a place; None if there are none."""
    tokens = [token for name in names for token in re.split(r"[\W_]+", name)]
    words = [token for token in tokens if token.isalpha() and len(token) >= MIN_WORD]
    return " ".join(word for word in words if word.lower() not in NEUTRAL_WORDS) or None


def _address(item: OpenedSource) -> str | None:
    found = [match for name in _below(item) if (match := _ADDRESS.search(name))]
    if not found:
        return None
    return found[-1][1] + (f" channel {int(found[-1][2])}" if found[-1][2] else "")


def _words(item: OpenedSource) -> str:
    """What a name says apart from numbers: `yard` of `yard_20261124_080000`."""
    return " ".join(word for word in re.findall(r"[^\W\d_]+", _below(item)[-1]) if word.lower() not in "tz")


def _folder(item: OpenedSource) -> str:
    return "/".join(_below(item)[:-1]) or "."


def _sentence(first: OpenedSource, why: str, groups: Mapping[str, Sequence[OpenedSource]]) -> str:
    named = []
    for name, members in islice(groups.items(), MAX_GROUPS_NAMED):
        files = f"{len(members)} file{'' if len(members) == 1 else 's'}"
        named.append(f"{name or 'no word'} ({files} such as {members[0].source.info.path.name})")
    more = f" and {len(groups) - len(named)} more" if len(groups) > len(named) else ""
    return (
        f"camera {first.source.camera}: expected footage of one scene, got {why}: {'; '.join(named)}{more}: "
        "give each scene its own camera (CAMERA=PATH), or go on with --one-camera"
    )
