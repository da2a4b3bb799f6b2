"""`lazaretto watch`: a real server, a real process."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from incidents.coverage import WATCHED
from incidents.ledger import Ledger
from incidents.record import Incident
from tests.cli.watch.watch_site import (
    PASSWORD,
    Site,
    asked,
    check_home,
    levels,
    wait_for,
    wait_until_analysed,
    watching,
)
from tests.running import lazaretto
from vision.frames import SECOND


def test_what_is_watched_live_is_what_an_analysis_of_its_recording_finds(site: Site, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with watching(site, log) as (process, port):
        wait_until_analysed(process, port, 5)
        begun = time.monotonic()
        status = asked(port, "/status")
        assert status["healthy"] and status["cameras"]["yard"]["streams"]["detection"]["codec"] == "h264"
        assert 'lazaretto_camera_state{camera="yard",state="offline"} ' in asked(port, "/metrics")
        wait_for("two incidents", lambda: len(site.incidents()) >= 2)
        told = asked(port, "/status?latency=600")["ledger"]["latency_s"]
        assert told["window_s"] == 600 and told["results"]["count"] >= told["alerts"]["count"] >= 1
        assert 0 < told["results"]["p50"] <= told["results"]["p95"] <= told["results"]["max"]
        assert told["alerts"]["max"] <= told["results"]["max"]
        assert asked(port, "/status?latency=0")["ledger"]["latency_s"]["results"] is None
        time.sleep(max(0.0, 30 - (time.monotonic() - begun)))
        assert asked(port, "/healthz") == {"healthy": True, "faults": []}
        dropped = asked(port, "/status")["cameras"]["yard"]["dropped"]
        # The minute that goes on can be evaluated, too.
        replayed = lazaretto("replay", "--facility", site.facility, "--home", site.home)
        assert replayed.code == 0, replayed.err
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    check_home(site)
    assert "opened: suspected zone crossing" in log.read_text()
    ordinary = ("watching yard", "stream: connected", "opened: suspected", "stopping, and")
    for words in ordinary:
        assert levels(log, words) == {"info"}, words
    assert PASSWORD not in log.read_text() and "p%40ss" not in log.read_text()
    assert PASSWORD.encode() not in (site.home / "ledger.db").read_bytes()
    live = site.incidents()
    with Ledger.open(site.home / "ledger.db", create=False) as ledger:
        watched = [i for i in ledger.coverage.recorded("yard") if i.state in WATCHED]
    assert sum(i.length for i in watched) > 20 * SECOND

    footage = site.home / "footage" / "yard"
    batch = tmp_path / "batch"
    ran = lazaretto("analyze", f"yard={footage}", "--facility", site.facility, "--home", batch)
    assert ran.code == 0, ran.err
    recorded = [one for one in site.incidents(batch) if one.kind != "camera_health"]
    seen = [one for one in live if one.kind != "camera_health"]
    # Frames that still waited when the watch ended are in the recording alone.
    recorded = [one for one in recorded if one.alerts[0] <= watched[-1].end]
    if not dropped:  # On a busy machine some are, which the analysis sees.
        for one, other in zip(sorted(seen, key=_by), sorted(recorded, key=_by), strict=True):
            assert (one.kind, one.zone) == (other.kind, other.zone)
            assert abs(one.start - other.start) <= SECOND

    again = lazaretto("analyze", f"yard={footage}", "--facility", site.facility, "--home", site.home)
    assert again.code == 0 and "watched live" in again.err, again.err

    def told(incidents: tuple[Incident, ...]) -> list[tuple[str, int, int, bool]]:
        return sorted((one.id, one.start, one.end, one.ongoing) for one in incidents)

    assert told(site.incidents()) == told(live), "nothing is entered twice, and nothing is opened again"
    check_home(site)


def _by(incident: Incident) -> tuple[str, str, int]:
    return incident.kind, incident.zone or "", incident.start


def test_a_camera_without_its_password_is_refused_before_anything_is_written(site: Site) -> None:
    ran = lazaretto("watch", "--facility", site.facility, "--home", site.home, CAM_USER="watch")
    assert ran.code == 2
    assert ran.err == (
        "lazaretto: camera yard: expected the environment to set CAM_PASSWORD, which the address "
        f"{ran.err.split('address ')[1].split(' names')[0]} names, got none\n"
    )
    assert not site.home.exists()
