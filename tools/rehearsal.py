"""Rehearse months of a watch in an hour: cameras that fail, kills, a locked ledger, a full disk.

    python tools/rehearsal.py SET [--minutes 60] [--report docs/rehearsal.md] [--without-faults]

SET is a folder of `lazaretto bench --build` with at least eight cameras, such as bench-footage/mixed. They
are served by a process of its own and watched by `lazaretto watch`. Three of them fail again and again; the
watch is killed twice, the ledger locked for 20 s, the disk of the footage filled for 20 s. Then the footage
of the undisturbed cameras is analysed, and what was found live is set beside it. The report goes to standard
output, or to a file. Without faults nothing fails, and the footage of all cameras is analysed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from rehearsing.faults import (  # noqa: E402
    FlappingCameras,
    LockedLedger,
    SmallDisk,
    Step,
    Truth,
    covered_lens,
    now,
)
from rehearsing.findings import compare, time_of  # noqa: E402
from rehearsing.inbox import Inbox  # noqa: E402
from rehearsing.measuring import Sample, sample_of  # noqa: E402
from rehearsing.report import Rehearsal, markdown  # noqa: E402

from evaluation.bench.machine import machine  # noqa: E402
from evaluation.bench.sets import read_set  # noqa: E402
from evaluation.live.site import LiveSite, served  # noqa: E402
from evaluation.live.watch_process import WatchProcess  # noqa: E402
from incidents.coverage import WATCHED  # noqa: E402
from incidents.ledger import Ledger  # noqa: E402
from vision.frames import SECOND  # noqa: E402
from zones.errors import LazarettoError  # noqa: E402

CAMERAS, FLAPPING = 8, 3
SAMPLE_S, LOOK_S = 10.0, 2.0
SHORT_FAULT_S = 20.0
SETTLES_S = 30.0
"""Seconds for the last messages to arrive."""
MB_PER_MINUTE = 60
"""Room on the disk in memory: twice what eight cameras of half a megabit write."""
KILLS, LOCK, FULL = (0.31, 0.62), 0.45, 0.78
"""When the watch is killed, the ledger locked and the disk filled, as shares of the time."""


def told(text: str) -> None:
    """Say what goes on."""
    print(time.strftime("%T"), text, file=sys.stderr, flush=True)


class Rehearsing:
    """A rehearsal at work."""

    def __init__(
        self, site: LiveSite, home: Path, ring: SmallDisk, log: Path, truth: Truth, flapping: int
    ) -> None:
        """Prepare; the last cameras flap, as many as `flapping` says."""
        self.site, self.home, self.truth, self._ring = site, home, truth, ring
        self.names = list(site.cameras)
        self.steady = self.names[: len(self.names) - flapping]
        self.unexpected: list[str] = []
        self.samples: list[Sample] = []
        self.counts: dict[str, list[dict[str, int]]] = {name: [] for name in self.names}
        self.latency: dict[str, Any] = {}
        self.watch = WatchProcess(
            site.facility, home, log, ("--ring", str(ring.folder), "--record", "--record-days", "30")
        )
        self._starts = 0
        self._back = True
        self._began = time.monotonic()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Within the block, the watch is at work; at its beginning it sees all cameras."""
        self.watch.start()
        try:
            self.watch.wait_until_analysing(len(self.names))
            self._began = time.monotonic()
            yield
        finally:
            self.watch.kill()  # Where the block has not ended it.

    def kill(self) -> None:
        """Kill the watch, and start it again."""
        told("the watch is killed")
        self.watch.kill()
        self.truth.begin("", "watch killed")
        self._again()

    def _again(self) -> None:
        self._starts, self._back = self._starts + 1, False
        self.watch.start()

    def run(self, steps: Sequence[Step], seconds: float) -> None:
        """Do what is to be done when it is due, and look at the watch meanwhile."""
        waiting = sorted(steps)
        looked = sampled = -1e9
        while (at := time.monotonic() - self._began) < seconds:
            while waiting and waiting[0].at <= at:
                waiting.pop(0).do()
            if at - looked >= LOOK_S:
                looked = at
                status = self._status()
                self._look_at_faults()
                if at - sampled >= SAMPLE_S:
                    sampled = at
                    self._sample(at, status)
            time.sleep(0.2)
        for step in waiting:
            step.do()

    def _status(self) -> dict[str, Any] | None:
        try:
            status = self.watch.status(3600.0)
        except LazarettoError as error:
            self.unexpected.append(f"the watch ended by itself: {error}")
            self.truth.begin("", "watch killed")
            self._again()
            return None
        if status is None:
            return None
        if not self._back and all(one["analysed"] > 0 for one in _of(status, self.steady)):
            self._back = True
            self.truth.end("watch killed")
            told("the watch sees again")
        self.latency = status["ledger"]["latency_s"]
        for fault in status["faults"]:
            if fault.split(" since ")[0] not in [text.split(" since ")[0] for text in self.unexpected]:
                self.unexpected.append(fault)
        return status

    def _look_at_faults(self) -> None:
        lasting = [one for one in self.truth.lasting if one.camera and one.seen_s is None]
        if not lasting:
            return
        with (
            contextlib.suppress(LazarettoError),
            Ledger.open(self.home / "ledger.db", create=False) as ledger,
        ):
            for fault in lasting:
                states = ledger.coverage.recorded(fault.camera, fault.start)
                if any(item.state not in WATCHED for item in states):
                    fault.seen_s = (now() - fault.start) / SECOND

    def _sample(self, at: float, status: dict[str, Any] | None) -> None:
        try:
            cost = self.watch.cost()
        except LazarettoError:
            return  # It is being started.
        size = sum(path.stat().st_size for path in self.home.glob("ledger.db*")) / 1e6
        if status is None:
            return
        self.samples.append(sample_of(at, self._starts, cost, size, status["ledger"]["waiting"]))
        for name, camera in status["cameras"].items():
            counts = self.counts[name]
            counts[:] = [one for one in counts if one["start"] != self._starts]
            counts.append(
                {"start": self._starts, "frames": camera["frames"], "dropped": camera["dropped"]},
            )

    @property
    def dropped(self) -> dict[str, float]:
        """Share of frames that were dropped, by camera."""
        return {
            name: sum(one["dropped"] for one in counts) / max(1, sum(one["frames"] for one in counts))
            for name, counts in self.counts.items()
        }


def _of(status: dict[str, Any], cameras: Sequence[str]) -> list[dict[str, Any]]:
    return [status["cameras"][name] for name in cameras if name in status["cameras"]]


def rehearse(set_folder: Path, minutes: float, keep: Path, command: str, faults: bool = True) -> Rehearsal:
    """Rehearse, with faults or without; what is written lies in the folder `keep`."""
    truth, seconds = Truth(), minutes * 60
    home, log = keep / "home", keep / "watch.log"
    home.mkdir()
    with (
        served(read_set(set_folder), CAMERAS, keep) as site,
        Inbox() as inbox,
        SmallDisk(keep / "ring", 400 + round(minutes * MB_PER_MINUTE), truth) as ring,
    ):
        (home / "notifications.yaml").write_text(inbox.configuration, "utf-8")
        work = Rehearsing(site, home, ring, log, truth, FLAPPING if faults else 0)
        steps = _faults(work, ring, seconds, keep) if faults else []
        with work.watching():
            told("all cameras are watched")
            begun = now()
            work.run(steps, seconds)
            ended = now()
            time.sleep(SETTLES_S)
            if (code := work.watch.stop()) != 0:
                work.unexpected.append(f"the watch ended with {code} after SIGTERM")
        told("the watch has ended; its footage is analysed")
        batch = keep / "batch"
        _analyse(work, batch, work.steady)
        verified = _command("verify", "--home", str(home))
        if verified.returncode != 0:
            work.unexpected.append(
                f"verify: {verified.stdout.strip().splitlines()[-1:]} {verified.stderr.strip()}"
            )
        compared = compare(home, batch, work.steady, truth.faults, ended) if batch.exists() else None
        return _result(work, inbox, (begun, ended), log, compared, command, minutes)


def _faults(work: Rehearsing, ring: SmallDisk, seconds: float, keep: Path) -> list[Step]:
    names = work.names
    videos = {name: camera.video for name, camera in work.site.cameras.items()}
    covered = covered_lens(keep / "covered.mp4", videos[names[-1]])
    flapping = FlappingCameras(work.site.server, work.truth, names[-FLAPPING:], videos, covered)
    ledger = LockedLedger(work.home / "ledger.db", work.truth)
    steps = [*flapping.steps(seconds), *(Step(share * seconds, work.kill) for share in KILLS)]
    steps += [Step(LOCK * seconds, ledger.lock), Step(LOCK * seconds + SHORT_FAULT_S, ledger.release)]
    if ring.available:
        return [*steps, Step(FULL * seconds, ring.fill), Step(FULL * seconds + SHORT_FAULT_S, ring.empty)]
    told("no disk in memory could be mounted: it is not filled")
    return steps


def _command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "cli", *words], capture_output=True, text=True, check=False)


def _analyse(work: Rehearsing, batch: Path, names: Sequence[str]) -> None:
    sources = [f"{name}={work._ring.folder / name}" for name in names]
    ran = _command("analyze", *sources, "--facility", str(work.site.facility), "--home", str(batch))
    if ran.returncode not in (0, 2, 3) or not batch.exists():
        work.unexpected.append(f"analyze ended with {ran.returncode}: {ran.stderr.strip()[-500:]}")


def _result(
    work: Rehearsing,
    inbox: Inbox,
    window: tuple[int, int],
    log: Path,
    compared: Any,
    command: str,
    minutes: float,
) -> Rehearsal:
    with Ledger.open(work.home / "ledger.db", create=False) as ledger:
        times = [time_of(ledger, name, window, work.truth.of(name)) for name in work.names]
        opened = [one for one in ledger.incidents.find() if window[0] < one.start < window[1]]
        work.unexpected += ledger.faults()
    cameras = [one for one in opened if one.kind == "camera_health"]
    counts = {
        "incidents opened": len(opened),
        "told to the webhook": sum(any(one.id in text for text in inbox.posts) for one in opened),
        "incidents of cameras": len(cameras),
        "told by mail": sum(any(one.id in text for text in inbox.mails) for one in cameras),
        "messages to the webhook": len(inbox.posts),
        "mails": len(inbox.mails),
    }
    work.unexpected += [
        f"{one.camera}: {one.unaccounted:.1f} s without a record" for one in times if one.unaccounted
    ]
    described = machine()
    return Rehearsal(
        command,
        f"{described['processor']}, {described['cores_usable']} cores, load {described['load']}",
        minutes,
        work.steady,
        [name for name in work.names if name not in work.steady],
        work.truth.faults,
        times,
        work.samples,
        work.dropped,
        work.latency,
        compared,
        counts,
        _notices(log),
        work.unexpected,
    )


def _notices(log: Path) -> Counter[str]:
    counted: Counter[str] = Counter()
    for line in log.read_text("utf-8", "replace").splitlines():
        try:
            told = json.loads(line)
        except json.JSONDecodeError:
            counted[line[:200]] += 1
            continue
        lines = str(told["message"]).strip().splitlines() or [""]
        text = lines[0] if len(lines) == 1 else f"{lines[0]} ... {lines[-1]}"
        text = re.sub(r"^incident [0-9a-f]{6}", "incident N", text)
        counted[re.sub(r"\d+(\.\d+)?", "N", text)[:200]] += 1
    return counted


def main(arguments: Sequence[str]) -> int:
    """Rehearse, and write the report; returns the exit status."""
    parser = argparse.ArgumentParser(prog="tools/rehearsal.py", description=__doc__)
    parser.add_argument("set", type=Path, help="folder of a set with at least eight cameras")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--report", type=Path, help="file of the report [standard output]")
    parser.add_argument("--keep", type=Path, help="empty folder for home and logs [a temporary one]")
    parser.add_argument("--without-faults", action="store_true", help="let nothing fail")
    given = parser.parse_args(arguments)
    command = f"python tools/rehearsal.py {given.set} --minutes {given.minutes:g}"
    command += " --without-faults" if given.without_faults else ""
    with contextlib.ExitStack() as stack:
        keep = given.keep or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="lazaretto-rehearsal-"))
        )
        keep.mkdir(parents=True, exist_ok=True)
        try:
            found = rehearse(given.set, given.minutes, keep, command, not given.without_faults)
        except LazarettoError as error:
            print(f"rehearsal: {error}", file=sys.stderr)
            return 2
    text = markdown(found)
    if given.report is None:
        print(text)
    else:
        given.report.write_text(text, "utf-8")
    return 1 if found.unexpected else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
