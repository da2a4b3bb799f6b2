"""What processes cost, as Linux tells it in /proc."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from zones.errors import LazarettoError

_PROC = Path("/proc")
_MB = 1e6
_PARENT, _USER, _SYSTEM, _THREADS, _RESIDENT = 1, 11, 12, 17, 21
"""Places of values in /proc/PID/stat after the name of the program."""


@dataclass(frozen=True, slots=True)
class ProcessCost:
    """A process at a moment.

    Attributes:
        cpu_s: processor seconds so far, user and system, of all threads.
        rss_mb: resident memory, megabytes (10^6 bytes).
        pss_mb: the same, of which shared pages count in part, so that those of several processes add up.
        threads: number of threads.
        handles: number of open files, pipes and sockets.
    """

    cpu_s: float
    rss_mb: float
    pss_mb: float
    threads: int
    handles: int


@dataclass(frozen=True, slots=True)
class TreeCost:
    """A watch at a moment.

    Attributes:
        main: the process that analyses.
        readers: the processes that read cameras, by process id.
        others: what else it started, such as the process from which readers are forked.
    """

    main: ProcessCost
    readers: Mapping[int, ProcessCost]
    others: Mapping[int, ProcessCost]

    def readers_cpu_s(self, before: TreeCost) -> float:
        """Processor seconds of readers, and of what else was started, since then.

        Those of a process that ended meanwhile, since the last look, are not known.
        """
        earlier = {**before.readers, **before.others}
        return sum(
            cost.cpu_s - (earlier[pid].cpu_s if pid in earlier else 0.0)
            for pid, cost in {**self.readers, **self.others}.items()
        )


def cost_of(pid: int) -> ProcessCost:
    """What a process costs.

    Raises:
        LazarettoError: there is no such process, or no /proc.
    """
    try:
        fields = _stat(pid)
        handles = len(os.listdir(_PROC / str(pid) / "fd"))
        rollup = (_PROC / str(pid) / "smaps_rollup").read_text()
    except (OSError, IndexError) as error:
        raise LazarettoError(
            f"expected process {pid} in /proc, which this measurement needs, got: {error}"
        ) from error
    pss_kb = next((int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")), 0)
    return ProcessCost(
        (int(fields[_USER]) + int(fields[_SYSTEM])) / os.sysconf("SC_CLK_TCK"),
        int(fields[_RESIDENT]) * os.sysconf("SC_PAGE_SIZE") / _MB,
        pss_kb * 1024 / _MB,
        int(fields[_THREADS]),
        handles,
    )


def tree_of(pid: int) -> TreeCost:
    """What a watch costs: the process `pid`, and those below it.

    Readers are forked by a process that the watch starts: they are the grandchildren of the watch.

    Raises:
        LazarettoError: there is no such process, or no /proc.
    """
    children = _children()
    direct = children.get(pid, [])
    readers = [other for one in direct for other in children.get(one, [])]
    return TreeCost(cost_of(pid), dict(_costs(readers)), dict(_costs(direct)))


def _costs(pids: list[int]) -> Iterator[tuple[int, ProcessCost]]:
    for pid in pids:
        try:
            yield pid, cost_of(pid)
        except LazarettoError:
            continue  # It ended meanwhile.


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for path in _PROC.iterdir():
        if path.name.isdigit():
            try:
                parent = int(_stat(int(path.name))[_PARENT])
            except (OSError, IndexError):
                continue  # It ended meanwhile.
            found.setdefault(parent, []).append(int(path.name))
    return found


def _stat(pid: int) -> list[str]:
    return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
