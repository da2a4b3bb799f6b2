"""Which sources a user's arguments name: files, folders and patterns, expanded; and what they leave out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vision.sources.images import IMAGE_SUFFIXES, is_hidden, is_pattern, matches, natural_key
from vision.sources.timeline import SourceError

VIDEO_SUFFIXES = frozenset(
    {".264", ".265", ".3gp", ".asf", ".avc", ".avi", ".dav", ".divx", ".f4v", ".flv", ".h264", ".h265"}
    | {".hevc", ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts"}
    | {".mxf", ".ogv", ".ps", ".ts", ".vob", ".webm", ".wmv"}
)
"""Suffixes of the video files of a folder. A file that is named itself may have any suffix."""
SYSTEM_NAMES = frozenset(
    {"@eadir", "#recycle", "#snapshot", "$recycle.bin", "system volume information", "lost+found"}
    | {"__macosx", "thumbs.db", "desktop.ini"}
)
"""Files and folders that operating systems and network drives add, in lower case. They count as hidden."""
MAX_NAMED = 3
"""Files or folders that a sentence about what is left out names, of however many there are."""
PassOver = Callable[[Path], bool]
"""Whether a folder that is met on the way down is passed over, because what it holds is no footage."""


@dataclass(frozen=True)
class Expansion:
    """What one argument names.

    Attributes:
        paths: the sources, in natural order.
        left_out: files of its folders that are no source; hidden ones are not among them.
        passed_over: folders that were met and not entered.
    """

    paths: tuple[Path, ...]
    left_out: tuple[Path, ...] = ()
    passed_over: tuple[Path, ...] = ()

    def describe_rest(self, argument: str | Path) -> str | None:
        """A sentence that names and counts what is left out; None if nothing is."""
        if not self.left_out:
            return None
        return f"{argument}: {_counted(self.left_out)} left out: {_named(self.left_out)}"


def expand(sources: Sequence[str | Path]) -> list[Path]:
    """Expand a user's arguments to sources for `open_source`, in order and without duplicates.

    See `expand_one`.

    Raises:
        SourceError: there are no arguments, or an argument names nothing that exists or no footage.
    """
    if not sources:
        raise SourceError("expected at least one video file, folder or image pattern, got none")
    return list(dict.fromkeys(path for source in sources for path in expand_one(source).paths))


def enter_all(_folder: Path) -> bool:
    """Pass over no folder."""
    return False


def expand_one(source: str | Path, pass_over: PassOver = enter_all) -> Expansion:
    """Expand one argument.

    A video file stands for itself. A folder stands for all videos in it and in the folders below it, in
    natural order, or, if there are none, for one image sequence for each folder that has images. So does a
    pattern (`day/*.mp4`, `frames/%06d.jpg`, `frames/*.jpg`); folders that match it are entered. Hidden files
    and folders are ignored. Images beside videos (thumbnails) and other files are left out. A folder that is
    named itself is entered, whatever `pass_over` says.

    Args:
        source: the argument.
        pass_over: asked of each folder below a folder, and of each that matches a pattern.

    Raises:
        SourceError: the argument names nothing that exists, or no footage.
    """
    scheme = re.match(r"([a-z]+)://", str(source))
    if scheme:
        # The message shows only the scheme, because an address may contain a password.
        raise SourceError(f"expected a file, folder or pattern, got a stream address ({scheme[1]}://...)")
    path = Path(source)
    pattern = is_pattern(path)
    if path.is_file():
        return Expansion((path,))
    if not pattern and not path.is_dir():
        raise SourceError(f"{path}: expected a video file, folder or image pattern, got no such file")
    direct = matches(path) if pattern else []
    matching = _matching_folders(path) if pattern else [path]
    passed = [folder for folder in matching if pattern and pass_over(folder)]
    folders = [folder for folder in matching if folder not in passed]
    walk = _Walk(pass_over, passed)
    files = [*direct, *(file for folder in folders for file in walk.files_below(folder, set()))]
    videos = [file for file in files if file.suffix.lower() in VIDEO_SUFFIXES]
    if videos:
        return Expansion(tuple(videos), _without(files, videos), tuple(passed))
    images = [file for file in files if file.suffix.lower() in IMAGE_SUFFIXES]
    if images:
        in_pattern = set(direct)
        sequences = [path if image in in_pattern else image.parent for image in images]
        return Expansion(tuple(dict.fromkeys(sequences)), _without(files, images), tuple(passed))
    if passed:
        raise SourceError(
            f"{path}: expected video or image files, got none beside what is passed over: {first_few(passed)}"
        )
    if pattern and not files:
        raise SourceError(f"{path}: expected a pattern of video or image files, got one that matches none")
    got = f"{_counted(files)} of other kinds: {_named(files)}" if files else "an empty one"
    raise SourceError(f"{path}: expected a folder with video or image files, got {got}")


def _without(files: Iterable[Path], taken: Iterable[Path]) -> tuple[Path, ...]:
    used = set(taken)
    return tuple(file for file in files if file not in used)


def _matching_folders(pattern: Path) -> list[Path]:
    if not pattern.parent.is_dir():
        return []
    found = (entry for entry in pattern.parent.glob(pattern.name) if entry.is_dir())
    return sorted((entry for entry in found if not _ignored(entry)), key=natural_key)


@dataclass(frozen=True)
class _Walk:
    """The way down folders; `passed` receives the folders that are passed over."""

    pass_over: PassOver
    passed: list[Path]

    def files_below(self, folder: Path, entered: set[Path]) -> Iterator[Path]:
        """The files in a folder and below it; a folder that is linked from several places is entered once."""
        real = folder.resolve()
        if real in entered:
            return
        entered.add(real)
        try:
            entries = sorted((entry for entry in folder.iterdir() if not _ignored(entry)), key=natural_key)
        except OSError as error:
            raise SourceError(
                f"{folder}: expected a folder that can be read, got {error.strerror or error}"
            ) from error
        for entry in entries:
            if entry.is_file():
                yield entry
            elif entry.is_dir() and self.pass_over(entry):
                self.passed.append(entry)
            elif entry.is_dir():
                yield from self.files_below(entry, entered)


def first_few(paths: Sequence[Path]) -> str:
    """The first few paths, for a sentence."""
    return ", ".join(map(str, paths[:MAX_NAMED])) + (", ..." if len(paths) > MAX_NAMED else "")


def _ignored(entry: Path) -> bool:
    return is_hidden(entry) or entry.name.lower() in SYSTEM_NAMES


def _counted(files: Sequence[Path]) -> str:
    return f"{len(files)} file{'' if len(files) == 1 else 's'}"


def _named(files: Sequence[Path]) -> str:
    kinds = Counter(file.suffix.lower() or "without a suffix" for file in files)
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    names = ", ".join(file.name for file in files[:MAX_NAMED])
    return f"{counts} ({names}{', ...' if len(files) > MAX_NAMED else ''})"
