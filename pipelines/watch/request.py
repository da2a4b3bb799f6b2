"""What is to be watched."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pipelines.home import Home
from pipelines.watch.footage.retention import RetentionSettings
from vision.live.address import AddressError, StreamAddress, Transport, read_address
from vision.live.reader import ReaderSettings
from zones.errors import LazarettoError
from zones.facility import Camera, Facility


class WatchError(LazarettoError):
    """A watch that cannot begin."""


@dataclass(frozen=True)
class WatchRequest:
    """What to watch.

    Attributes:
        facility: the facility; its cameras with a source are watched.
        home: where the results are written.
        cameras: ids of the cameras to watch; empty = all that have a source.
        transport: what carries RTP where the address does not say.
        ring: folder of the footage ring; None = `footage` in the home.
        retention: what footage is kept.
        follows_published: whether a version of the facility file that is published meanwhile is taken up.
        timeouts_s: to open a stream, and to wait for a packet.
    """

    facility: Facility
    home: Home
    cameras: tuple[str, ...] = ()
    transport: Transport = Transport.TCP
    ring: Path | None = None
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    follows_published: bool = True
    timeouts_s: tuple[float, float] = (10.0, 10.0)

    @property
    def ring_folder(self) -> Path:
        """The folder of the footage ring."""
        return self.ring or self.home.path / "footage"

    def watched(self, facility: Facility) -> tuple[Camera, ...]:
        """The cameras of a facility file that are to be watched.

        Raises:
            WatchError: there is none, or a camera that was named is not there or has no source.
        """
        known = {camera.id: camera for camera in facility.cameras}
        for name in self.cameras:
            if name not in known:
                raise WatchError(f"expected a camera of {facility.code} ({', '.join(known)}), got {name}")
            if known[name].source is None:
                raise WatchError(f"camera {name}: expected a source in the facility file, got none")
        chosen = [known[name] for name in self.cameras] or [c for c in known.values() if c.source is not None]
        if not chosen:
            raise WatchError(
                f"facility {facility.code}: expected a camera with a source (its address) in the facility "
                "file, got none"
            )
        return tuple(chosen)

    def reader(self, camera: Camera) -> ReaderSettings:
        """How a camera is read.

        Raises:
            AddressError: its address names a variable that is not set, or no stream.
        """
        assert camera.source is not None, "the camera has a source"
        substream = camera.substream
        return ReaderSettings(
            camera=camera.id,
            main=self._address(camera, camera.source),
            substream=None if substream is None else self._address(camera, substream),
            aspect=camera.picture_aspect,
            ring=self.ring_folder,
            timeouts_s=self.timeouts_s,
        )

    def _address(self, camera: Camera, text: str) -> StreamAddress:
        try:
            return read_address(text, transport=self.transport)
        except AddressError as error:
            raise AddressError(f"camera {camera.id}: {error}") from None
