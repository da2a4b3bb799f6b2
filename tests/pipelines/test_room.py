"""Six people pass through a room one after the other, on public footage that is in no training set."""

from __future__ import annotations

import json

import pytest

from models.devices import Device
from tests.running import ROOT
from vision.frames import SECOND, Frame
from vision.networks import ModelBundle, PerceptionSettings
from vision.perception import Perception
from vision.sources.files import open_source
from zones.facility import Camera, Place

CLIPS = ROOT.parent / "shared" / "data" / "videos"


@pytest.mark.skipif(not CLIPS.is_dir(), reason="the evaluation data are not beside this checkout")
def test_people_who_come_one_after_the_other_get_different_tracks() -> None:
    facts = json.loads((CLIPS / "facts.json").read_text())["room_one_by_one.mp4"]
    bundle = ModelBundle.load(Device("cpu"), PerceptionSettings(fps=3.0))
    perception = Perception(bundle, Camera(id="room", places=(Place.OTHER_PUBLIC,)), "s")
    source = open_source(CLIPS / "room_one_by_one.mp4", "room", 0, None)
    frames: dict[int, list[int]] = {}
    for item in source.frames(None, SECOND // 3):
        assert isinstance(item, Frame)
        table = perception.tabulate(perception.observe([item], perception.detect([item])))
        for track in table["track"].to_list():
            frames.setdefault(track, []).append(item.index)
    visits = []
    for low, high in facts["presence_intervals_frames"]:
        inside = {k: sum(low - 5 <= f <= high + 5 for f in seen) for k, seen in frames.items()}
        track = max(inside, key=inside.__getitem__)
        assert inside[track] > 0.7 * sum(inside.values()), "expected one track for most of a visit"
        visits.append(track)
    assert len(set(visits)) == facts["persons_total"] == 6
