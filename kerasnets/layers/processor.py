"""What the processor can do."""

import os

_CPU_INFORMATION = "/proc/cpuinfo"


def cpu_flags() -> set[str]:
    """Returns the instruction sets that the kernel lists for the first processor; none where it has no such list."""
    try:
        with open(_CPU_INFORMATION, encoding="utf-8") as file:
            return next((set(line.split()) for line in file if line.startswith("flags")), set())
    except OSError:
        return set()  # not Linux


def has_amx() -> bool:
    """Whether the processor multiplies matrices of bfloat16 in tiles (AMX), and oneDNN may use it."""
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "DEFAULT").upper()
    return ("AMX" in limit or limit in ("DEFAULT", "ALL")) and "amx_bf16" in cpu_flags()
