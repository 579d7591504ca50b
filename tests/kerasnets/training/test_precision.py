"""Which number format `auto` takes on which machine."""

import pytest

from kerasnets.layers import processor
from kerasnets.training import precision
from kerasnets.training.precision import choose_precision


@pytest.fixture
def machine(monkeypatch):
    """Pretends a machine: flags of the processor, what a measurement would give, and GPUs by capability."""

    def pretend(flags=(), gain=None, capability=None):
        details = {"compute_capability": capability} if capability else {}
        config = precision.tf.config
        monkeypatch.setattr(config, "list_physical_devices", lambda kind: ["gpu"] if capability is not None else [])
        monkeypatch.setattr(config.experimental, "get_device_details", lambda gpu: details)
        for module in (precision, processor):
            monkeypatch.setattr(module, "cpu_flags", lambda: set(flags))
        monkeypatch.setattr(precision, "measure_gain", lambda: gain)

    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    return pretend


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_as_asked(name, machine):
    machine(flags=["amx_bf16"])
    assert choose_precision(name) == (name, "as asked")


def test_amx(machine, monkeypatch):
    machine(flags=["amx_bf16", "avx512_bf16"], gain=0.5)
    assert choose_precision("auto") == ("bfloat16", "the CPU has amx_bf16")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_AMX")
    assert choose_precision("auto")[0] == "bfloat16"
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "avx512_core_bf16")  # AMX there, and switched off
    assert choose_precision("auto") == ("float32", "bfloat16 measured 0.50 times as fast here")


@pytest.mark.parametrize(("gain", "expected"), [(1.24, "float32"), (1.25, "bfloat16"), (2.0, "bfloat16")])
def test_measured(machine, gain, expected):
    machine(flags=["avx512_bf16"], gain=gain)
    assert choose_precision("auto") == (expected, f"bfloat16 measured {gain:.2f} times as fast here")


def test_plain_cpu(machine):
    machine(flags=["avx2", "avx512f"])
    assert choose_precision("auto") == ("float32", "the CPU has no bfloat16 instructions")


@pytest.mark.parametrize(
    ("capability", "expected"), [((7, 5), "float32"), ((8, 0), "bfloat16"), ((9, 0), "bfloat16"), ((), "float32")]
)
def test_gpu(machine, capability, expected):
    machine(flags=["amx_bf16"], capability=capability)
    major, minor = capability or (0, 0)
    assert choose_precision("auto") == (expected, f"GPU of compute capability {major}.{minor}")


def test_gain_is_the_ratio_of_the_best_times(monkeypatch):
    clock = [0.0]
    # The first call of each compiles; after it float32 takes 3, 4, 3, 5 and bfloat16 2, 2, 6, 2.
    costs = {"float32": [100.0, 3, 4, 3, 5], "bfloat16": [200.0, 2, 2, 6, 2]}

    def pretend(dtype):
        def step():
            clock[0] += costs[dtype.name].pop(0)

        return step

    monkeypatch.setattr(precision, "_convolution", pretend)
    monkeypatch.setattr(precision.time, "perf_counter", lambda: clock[0])
    assert precision.measure_gain() == 1.5


def test_the_convolution_runs_in_both_formats():
    for dtype in (precision.tf.float32, precision.tf.bfloat16):
        assert precision._convolution(dtype)().shape == ()
