"""The RTSP server as a command: `python -m evaluation.streaming NAME=FILE[,FILE...] ...` serves until Ctrl-C.

With `-`, it is driven line by line, as `evaluation.streaming.ServerProcess` does.
"""

from __future__ import annotations

import argparse
import sys
import threading

from evaluation.streaming.process import configured, serve
from zones.errors import LazarettoError


def main(arguments: list[str]) -> int:
    """Serve; returns the exit status."""
    if arguments == ["-"]:
        serve(sys.stdin, sys.stdout)
        return 0
    parser = argparse.ArgumentParser(prog="python -m evaluation.streaming", description=__doc__)
    parser.add_argument("mounts", nargs="+", metavar="NAME=FILE[,FILE...]")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8554, help="0 = any that is free")
    given = parser.parse_args(arguments)
    named = [mount.partition("=") for mount in given.mounts]
    if wrong := [name for name, _, files in named if not files]:
        parser.error(f"expected NAME=FILE, got {wrong[0]}")
    mounts = {name: {"media": files.split(",")} for name, _, files in named}
    try:
        with configured({"mounts": mounts, "host": given.host, "port": given.port}) as server:
            for path in server.mounts:
                print(server.url(path), flush=True)
            threading.Event().wait()
    except LazarettoError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass  # how a person ends it
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
