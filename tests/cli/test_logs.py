"""What `--log-format json` writes: each line is an object, also of libraries and of errors at the end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.running import FACILITY, ROOT, lazaretto

SAYING = """
import logging, threading, warnings
from cli.logs import LogFormat, log_to_standard_error, show_sentences

def fail():
    raise ValueError("two\\nlines")

show_sentences()
log_to_standard_error(LogFormat.{form})
logging.getLogger("pipelines.notifications.delivering").info("nurses takes messages again")
logging.getLogger("a.library").warning("rtsp://watch:secret@10.0.0.9/ is odd")
warnings.warn("old")
thread = threading.Thread(target=fail)
thread.start()
thread.join()
fail()
"""


def said(form: str) -> list[str]:
    words = [sys.executable, "-c", SAYING.format(form=form)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 1 and done.stdout == "", done
    return done.stderr.splitlines()


def test_every_line_of_a_json_log_is_an_object_with_its_level():
    lines = [json.loads(line) for line in said("JSON")]
    assert [line["level"] for line in lines] == ["info", "warning", "warning", "error", "error"]
    messages = [line["message"] for line in lines]
    assert messages[0] == "nurses takes messages again"
    assert "secret" not in messages[1] and "is odd" in messages[1]
    assert "UserWarning: old" in messages[2]
    for message in messages[3:]:
        assert message.startswith("the program failed: Traceback") and message.endswith("two\nlines")


def test_a_text_log_has_a_time_before_each_line_and_leaves_the_rest_to_python():
    lines = said("TEXT")
    assert lines[0].endswith("+00:00 nurses takes messages again")
    assert lines[-2:] == ["ValueError: two", "lines"]


def test_a_watch_that_is_refused_says_so_as_an_object(tmp_path: Path):
    words = ("watch", "--facility", FACILITY, "--home", tmp_path / "home", "--log-format", "json")
    ran = lazaretto(*words)
    assert ran.code == 2
    told = json.loads(ran.err)
    assert told["level"] == "error" and told["message"].startswith("facility ")
