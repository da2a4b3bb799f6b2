"""Faults of live cameras at real timings: what a camera does, and how long it takes to notice and to recover.

    python -m tests.live_faults > docs/live-faults.md

Several cameras run at the same time; all of it takes about four minutes.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from evaluation.streaming import FaultProxy, RtspServer
from tests.cable import NoNetworkError, camera_behind_cable
from tests.live_fault_list import FAULTS, Fault, Stage
from tests.live_watching import Watched, watching
from tests.streaming import clip
from vision.frames import SECOND, Frame
from vision.live.address import read_address
from vision.live.causes import Cause
from vision.live.reader import DETECTION
from vision.live.status import StreamState
from vision.sources.gaps import Gap

TIMEOUTS_S = (10.0, 10.0)
"""Those of the product."""
AT_ONCE = 8
"""Cameras that run at the same time: as many as two cores serve, read and decode."""
PAGE = """# Live cameras: what happens when they fail

What `lazaretto watch` does with each fault of a camera, at the timings of the product: 10 s to open a stream
and to wait for a packet, waits that grow to a minute. Measured on two busy cores, with a server that plays
the faults. `make faults` writes this page. It fails where a fault is noticed or overcome too late, where its
cause is not told, or where a moment is neither between frames nor in a gap.

*Stalled* and *offline* (or refused) say how long after its beginning a fault shows in the state of the
stream, with the cause that is told last. *Not watched* is what the coverage has of it until frames come
again. *Back* is the time from the end of the fault to the first frame. A login that was refused is tried
again after a minute, then after 5, 15 and 30 minutes, because cameras lock out who tries sooner.

| the camera | stalled after | offline after | cause | not watched | back after |
|---|---|---|---|---|---|
"""


@dataclass
class Outcome:
    """What was seen of a fault.

    Attributes:
        fault: the fault.
        stalled_s, offline_s: seconds from its beginning until the stream was said to be stalled, and offline
            or refused; None = it was not.
        cause: then, or "".
        back_s: seconds from its end until a frame came; None = none did.
        lost: seconds in gaps, by kind, from the beginning of the fault.
        failures: connections and attempts that failed.
        restarts: readers that were replaced.
        error: what went wrong, or "".
        skipped: why it could not be played here, or "".
    """

    fault: Fault
    stalled_s: float | None = None
    offline_s: float | None = None
    cause: Cause | None = None
    text: str = ""
    back_s: float | None = None
    lost: dict[str, float] = field(default_factory=dict)
    failures: int = 0
    restarts: int = 0
    error: str = ""
    skipped: str = ""


def play(fault: Fault, server: RtspServer, clips: dict[str, Path], number: int) -> Outcome:
    """Play a fault on a camera of its own; what does not hold stands in the outcome."""
    outcome, path = Outcome(fault), f"/camera{number}"
    mount, url = server.mount(path, clips["small"]), server.url(path)
    try:
        with ExitStack() as resources:
            cable = resources.enter_context(camera_behind_cable(clips["small"])) if fault.cable else None
            proxy = resources.enter_context(FaultProxy(url))
            reached = proxy.url(url) if cable is None else cable.url
            address = read_address(reached, {}, fault.transport)
            if fault.from_start:
                fault.begin(Stage(mount, proxy, None, clips, cable))  # type: ignore[arg-type]
            with watching(address, f"camera{number}", timeouts_s=TIMEOUTS_S) as watched:
                _watch(Stage(mount, proxy, watched, clips, cable), outcome)
    except NoNetworkError as error:
        outcome.skipped = str(error)
    except Exception as error:
        outcome.error = repr(error)[:2000]
    return outcome


def _watch(stage: Stage, outcome: Outcome) -> None:
    fault, watched = outcome.fault, stage.watched
    if not fault.from_start:
        watched.until_frames(60, 60)  # A connection that lasted is tried again soon.
    begun, mark = time.monotonic(), len(watched.items)
    failures = 0 if fault.from_start else watched.stream.failures
    beginning = ThreadPoolExecutor(1)
    doing = None if fault.from_start else beginning.submit(fault.begin, stage)
    while time.monotonic() - begun < fault.lasts_s or (doing is not None and not doing.done()):
        _note(watched, outcome, begun)
        time.sleep(0.02)
    if doing is not None:
        doing.result()
    ended = time.monotonic()
    stage.mount.faults.clear()
    stage.proxy.clear()
    if fault.end is not None:
        fault.end(stage)
    if fault.causes:
        while outcome.offline_s is None and time.monotonic() - begun < fault.noticed_s + 2:
            _note(watched, outcome, begun)
            time.sleep(0.02)
    since = max(ended, begun + (outcome.offline_s or 0))
    watched.until(lambda: _frame_after(watched, since), "frames again", fault.back_s + 20)
    outcome.back_s = _frame_after(watched, since) - ended  # type: ignore[operator]
    watched.until_frames(5)
    lost: Counter[str] = Counter()
    for _, item in watched.items[mark:]:
        if isinstance(item, Gap):
            lost[item.kind.value] += (item.end - item.start) / SECOND
    outcome.lost = dict(lost)
    outcome.failures = watched.stream.failures - failures
    outcome.restarts = watched.camera.status.restarts


def _note(watched: Watched, outcome: Outcome, begun: float) -> None:
    """Note when the fault shows in the state."""
    stream = watched.camera.status.streams.get(DETECTION)
    if stream is None:
        return
    now = time.monotonic() - begun
    if stream.state is StreamState.STALLED and outcome.stalled_s is None:
        outcome.stalled_s = now
    if stream.state in (StreamState.OFFLINE, StreamState.REFUSED) and stream.cause:
        outcome.offline_s = now if outcome.offline_s is None else outcome.offline_s
        outcome.cause, outcome.text = stream.cause, stream.text


def _frame_after(watched: Watched, moment: float) -> float | None:
    """When the first frame after a moment of the monotonic clock came."""
    came = [at for at, item in list(watched.items) if at >= moment and isinstance(item, Frame)]
    return min(came, default=None)


def play_all() -> list[Outcome]:
    """Play all faults at the same time, each on a camera of its own."""
    with tempfile.TemporaryDirectory() as folder, RtspServer() as server:
        clips = {
            "small": clip(Path(folder) / "small.mp4"),
            "large": clip(Path(folder) / "large.mp4", size=(640, 480)),
            "h265": clip(Path(folder) / "h265.mp4", "h265"),
        }
        with ThreadPoolExecutor(AT_ONCE) as pool:
            longest_first = sorted(enumerate(FAULTS), key=lambda one: -one[1].expected_s)
            playing = {n: pool.submit(play, fault, server, clips, n) for n, fault in longest_first}
            return [playing[number].result() for number in range(len(FAULTS))]


def faults_of(outcome: Outcome) -> list[str]:
    """What is not as it must be."""
    if outcome.skipped:
        return []
    fault, found = outcome.fault, [outcome.error] if outcome.error else []
    if fault.causes:
        if outcome.offline_s is None or outcome.offline_s > fault.noticed_s:
            found.append(f"noticed after {outcome.offline_s} s, expected {fault.noticed_s} s at most")
        elif outcome.cause not in fault.causes:
            found.append(f"the cause is {outcome.cause}, expected one of {sorted(fault.causes)}")
        if not outcome.lost:
            found.append("no time was lost, expected a gap")
    elif outcome.failures:
        found.append(f"{outcome.failures} connections failed, expected none")
    if outcome.back_s is None or outcome.back_s > fault.back_s:
        found.append(f"frames came again after {outcome.back_s} s, expected {fault.back_s} s at most")
    return found


def table(outcomes: Sequence[Outcome]) -> str:
    """The outcomes as a page of the documentation."""
    rows = [
        f"| {outcome.fault.name} | {_s(outcome.stalled_s)} | {_s(outcome.offline_s)} | {outcome.text} | "
        f"{', '.join(f'{kind} {_s(lost)}' for kind, lost in outcome.lost.items()) or 'none'} | "
        f"{_s(outcome.back_s)} |"
        for outcome in outcomes
        if not outcome.skipped
    ]
    return PAGE + "\n".join(rows) + "\n"


def _s(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f} s"


def main() -> int:
    """Play all faults and print the table; returns the exit status."""
    outcomes = play_all()
    print(table(outcomes), end="")
    wrong = [f"{one.fault.name}: {fault}" for one in outcomes for fault in faults_of(one)]
    print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
