"""What the system says about its processor; needs no TensorFlow."""

from pathlib import Path


def instructions() -> list[str]:
    """The instruction sets of the processor that change the last bits of TensorFlow's results."""
    return sorted({"avx2", "avx512f", "avx512_bf16", "amx_bf16"} & set(field("flags").split()))


def field(name: str) -> str:
    """A field of the first processor, as Linux reports it; "" on other systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
