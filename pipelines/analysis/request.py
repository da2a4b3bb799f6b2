"""What an analysis is asked for, and what it brings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pipelines.analysis.open_footage import OpenedFootage, open_footage, refuse_several_scenes
from pipelines.analysis.scenes import OpenedSource
from pipelines.assignment import Footage
from pipelines.home import Home
from pipelines.record_incidents import RecordingResult
from vision.sources.hardware import CPU, LIMIT, check_decoder
from zones.errors import LazarettoError
from zones.facility import Camera, Facility

MAX_SOURCE_FPS = 1000.0

Progress = Callable[[str, int, int], None]
"""Called during an analysis with the camera, the microseconds of footage done, and those in all."""


@dataclass(frozen=True)
class AnalyzeRequest:
    """What to analyse.

    Attributes:
        facility: the facility.
        footage: files with their cameras.
        home: where the results are written.
        source_fps: frame rate that replaces the timestamps of the sources.
        accept_file_dates: take the date of a file as its time where it has no other.
        one_camera: analyse what seems to show several scenes as one camera.
        left_out: sentences about files that were passed over.
        decoder: what decodes the files, see `vision.sources.hardware`.

    Raises:
        LazarettoError: the frame rate is out of range, or this machine does not have the decoder.
    """

    facility: Facility
    footage: Sequence[Footage]
    home: Home
    source_fps: float | None = None
    accept_file_dates: bool = False
    one_camera: bool = False
    left_out: Sequence[str] = ()
    decoder: str = CPU

    def __post_init__(self) -> None:
        """Refuse values that cannot be meant, before anything is written."""
        if self.source_fps is not None and not 0 < self.source_fps <= MAX_SOURCE_FPS:
            raise LazarettoError(
                f"expected --source-fps above 0 and at most {MAX_SOURCE_FPS:g}, got {self.source_fps:g}"
            )
        check_decoder(self.decoder)

    def open(self, announce: Callable[[OpenedFootage], None] = lambda _: None) -> OpenedFootage:
        """Open the footage, before anything is analysed or written.

        Args:
            announce: called once the times of the sources are known, before they are judged.

        Raises:
            SeveralScenesError: what was given as one camera seems to show several scenes.
        """
        opened = open_footage(
            self.footage,
            self.facility,
            self.source_fps,
            accept_file_dates=self.accept_file_dates,
            decoder=self.decoder,
        )
        opened.warnings[:0] = [*self.left_out, *([LIMIT] if self.decoder != CPU else [])]
        announce(opened)
        if not self.one_camera:
            refuse_several_scenes(opened, self.facility)
        return opened


@dataclass
class CameraResult:
    """The result for one camera.

    Attributes:
        camera: the camera.
        window: from the start to the end of its footage, microseconds UTC; None = no footage was usable.
        sources: sources analysed, in this run or before.
        already: how many of them were analysed before.
        frames: frames analysed in this run.
        recording: the incidents recorded.
        judged_under: version of the facility file under which the footage was judged, where all of it was
            analysed before and that version is not the one given; else None.
    """

    camera: Camera
    window: tuple[int, int] | None = None
    sources: int = 0
    already: int = 0
    frames: int = 0
    recording: RecordingResult = field(default_factory=RecordingResult)
    judged_under: str | None = None


@dataclass
class AnalyzeResult:
    """The result of a run.

    Attributes:
        run: id of the run in the ledger.
        cameras: one result for each camera with a readable source.
        faults: one error for each thing that went wrong.
        warnings: sentences about what should be checked; the results stand.
        sources: the footage that was opened, with its times.
        continued: sentences about cameras whose earlier, unfinished analysis was continued.
    """

    run: str
    cameras: list[CameraResult] = field(default_factory=list)
    faults: list[LazarettoError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    sources: list[OpenedSource] = field(default_factory=list)
    continued: list[str] = field(default_factory=list)
