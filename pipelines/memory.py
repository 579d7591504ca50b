"""How much memory is free to work with."""

import os
from pathlib import Path

_CONTROL_GROUPS = Path("/sys/fs/cgroup")
_OWN_CONTROL_GROUP = Path("/proc/self/cgroup")
_MEMINFO = Path("/proc/meminfo")


def free_memory_bytes() -> int:
    """Returns the bytes that this process may still take without others having to give way.

    Where a container or a batch system limits the process's control group (of version 2) or one that this lies in,
    what the tightest of them leaves counts. Files that were read and are only kept in case they are read again do not
    count as taken, neither of the machine nor of a control group.
    """
    left = [_left_in(group) for group in _control_groups()]
    return max(0, min([_available(), *(number for number in left if number is not None)]))


def _control_groups() -> list[Path]:
    """The folders of the process's control group and of those that it lies in, up to the root."""
    try:
        lines = os.fsdecode(_OWN_CONTROL_GROUP.read_bytes()).splitlines()
    except OSError:
        lines = []  # not Linux
    own = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), "")
    # A container may see a path that is its group's outside; inside only the root is there, or it leads above that.
    parts = [] if ".." in own.split("/") else [part for part in own.split("/") if part]
    return [_CONTROL_GROUPS.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1)]


def _left_in(group: Path) -> int | None:
    """The bytes that a control group leaves, None if it has no limit."""
    try:
        limit = (group / "memory.max").read_text(encoding="ascii").strip()
        used = int((group / "memory.current").read_text(encoding="ascii"))
    except OSError:
        return None
    return None if limit == "max" else int(limit) - used + _kept_files(group)


def _kept_files(group: Path) -> int:
    try:
        for line in (group / "memory.stat").read_text(encoding="ascii").splitlines():
            if line.startswith("inactive_file "):
                return int(line.split()[1])
    except OSError:
        pass  # then all that it uses counts
    return 0


def _available() -> int:
    try:
        for line in _MEMINFO.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # not Linux
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
