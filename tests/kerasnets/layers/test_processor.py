import pytest

from kerasnets.layers import processor
from kerasnets.layers.processor import has_amx


@pytest.mark.parametrize(
    "flags, limit, expected",
    [
        ("fpu amx_bf16 amx_tile", None, True),
        ("fpu amx_bf16 amx_tile", "AVX512_CORE_BF16", False),
        ("fpu amx_bf16 amx_tile", "avx512_core_amx", True),
        ("fpu avx512_bf16", None, False),
        (None, None, False),
    ],
)
def test_amx_is_read_from_the_flags(monkeypatch, tmp_path, flags, limit, expected):
    file = tmp_path / "cpuinfo"
    if flags:
        file.write_text(f"processor : 0\nflags\t\t: {flags}\n")
    monkeypatch.setattr(processor, "_CPU_INFORMATION", file)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit) if limit else monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", False)
    assert has_amx() is expected
