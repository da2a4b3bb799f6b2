"""The watch of one live camera, in a thread that begins again after whatever goes wrong."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence

from incidents.ledger import Ledger
from pipelines.locks import HourLock
from pipelines.watch.beginning import begin_camera
from pipelines.watch.camera_pass import CameraControl, CameraPass, CameraProgress, WatchSetup
from pipelines.watch.coverage import PlannedTime
from vision.live.camera import LiveCamera
from vision.notices import Fault, Level, fault_of
from vision.observations import AppendLog
from zones.facility import Camera, Facility

NOT_RUNNING = "the watch was not running"
"""Cause of time between two runs of the watch."""
SYNC_S = 5.0
"""Seconds between two times that rows are forced onto the disk: what a power cut can cost; the end of the
process costs nothing that was appended. Project default (docs/defaults.md)."""
RESTART_S = 5.0
"""Seconds before the watch of a camera begins again after an error of the program or of the log. Project
default (docs/defaults.md)."""


class CameraWatch:
    """The watch of one camera.

    An error of one camera is told, and its watch begins again; no other camera learns of it.
    """

    def __init__(
        self,
        setup: WatchSetup,
        facility: Facility,
        camera: Camera,
        source: LiveCamera,
        reached: int | None = None,
    ) -> None:
        """Prepare the watch; `start` begins.

        Args:
            setup: what all cameras share.
            facility: the file in force.
            camera: to watch.
            source: gives its frames.
            reached: stream time up to which an earlier watch of the camera in this process handed over what
                it found, microseconds UTC; it begins once the ledger holds that. None = there was none.
        """
        # A camera may be watched several times in a run: its address changes, or it goes and comes back.
        key = secrets.token_hex(8)
        self._setup, self._control = setup, CameraControl(setup, camera.id, facility, source, key)
        self._control.progress.until = reached
        self._thread = threading.Thread(target=self._run, name=f"camera {camera.id}", daemon=True)
        self._since = NOT_RUNNING

    @property
    def camera(self) -> Camera:
        """The camera, as the facility file in force has it."""
        return self._control.camera

    @property
    def source(self) -> LiveCamera:
        """The source of its frames."""
        return self._control.source

    @property
    def progress(self) -> CameraProgress:
        """How far it is."""
        return self._control.progress

    def plan(self, windows: Sequence[PlannedTime]) -> None:
        """Tell of announced maintenance around now."""
        self._control.planned = windows

    @property
    def lock(self) -> HourLock:
        """Of the hours of the camera."""
        return self._setup.lock

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def ask_to_end(self) -> None:
        """Have the watch end soon; what is known by then is handed over."""
        self._control.stop.set()

    def join(self, timeout_s: float) -> bool:
        """Wait until it has ended; returns whether it has."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def change_facility(self, facility: Facility) -> None:
        """Judge by another facility file from the next second on; it has the camera, with the same source."""
        self._control.facility = facility

    def _run(self) -> None:
        """Watch until the end is asked for. An error of one camera is told, and it begins again."""
        while not self._control.stop.is_set():
            try:
                self._watch()
            except Exception as error:
                self._failed(fault_of(error))

    def _failed(self, fault: Fault) -> None:
        self.progress.error = fault.short
        self._since = f"the watch of the camera failed: {self.progress.error}"
        self._setup.notice(self.camera.id, f"{fault.text}; begun again in {RESTART_S:.0f} s", Level.ERROR)
        self._setup.clock.wait(RESTART_S, self._control.stop)

    def _watch(self) -> None:
        setup, control, name = self._setup, self._control, self.camera.id
        if not self._wait_for_ledger():
            return
        with AppendLog(setup.home.path, name, SYNC_S) as log:
            for loss in log.losses:
                text = f"a torn end of the observation log was set aside: {loss}"
                setup.notice(name, text, Level.ERROR)
            with Ledger.open(setup.home.ledger) as ledger:
                beginning = begin_camera(setup.home, ledger, control.facility, name, log.until)
            if beginning.notice:
                setup.notice(name, beginning.notice)
            if beginning.found is not None:
                setup.put(beginning.found)
            one = CameraPass(control, log, beginning, self._since)
            one.run()
            one.end()

    def _wait_for_ledger(self) -> bool:
        """Wait until the ledger holds what was found before an error; False if the end is asked for first."""
        control, reached = self._control, self.progress.until
        while reached is not None and (self._setup.committed(self.camera.id) or 0) < reached:
            if self._setup.clock.wait(0.5, control.stop):
                return False
        return True
