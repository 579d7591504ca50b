"""How much memory is free to work with."""

import os
from pathlib import Path

_CONTROL_GROUP = Path("/sys/fs/cgroup")
_MEMINFO = Path("/proc/meminfo")


def free_memory_bytes() -> int:
    """Returns the bytes that this process may still take without others having to give way.

    Where a container or a batch system sets a limit, that limit counts.
    """
    free = _available()
    try:
        limit = (_CONTROL_GROUP / "memory.max").read_text(encoding="ascii").strip()
        used = int((_CONTROL_GROUP / "memory.current").read_text(encoding="ascii"))
    except OSError:
        return free
    return free if limit == "max" else max(0, min(free, int(limit) - used))


def _available() -> int:
    try:
        for line in _MEMINFO.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # not Linux
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
