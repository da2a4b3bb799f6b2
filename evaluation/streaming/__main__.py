"""The RTSP server as a command: `python -m evaluation.streaming NAME=FILE[,FILE...] ...` serves until Ctrl-C.

With `-`, it is driven line by line, as `evaluation.streaming.ServerProcess` does.
"""

from __future__ import annotations

import sys

from evaluation.streaming.process import configured, serve
from vision.clock import Stop
from zones.errors import LazarettoError


def main(arguments: list[str]) -> int:
    """Serve; returns the exit status."""
    if arguments == ["-"]:
        serve(sys.stdin, sys.stdout)
        return 0
    if not arguments or not all("=" in argument for argument in arguments):
        print("expected arguments such as yard=yard.mp4, or -", file=sys.stderr)
        return 2
    named = (argument.split("=", 1) for argument in arguments)
    mounts = {name: {"media": files.split(",")} for name, files in named}
    try:
        with configured({"mounts": mounts, "port": 8554}) as server:
            for path in server.mounts:
                print(server.url(path), flush=True)
            Stop().wait()
    except LazarettoError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass  # how a person ends it
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
