"""`benchmarks/gpu.py`: its parts, what it says when one fails, and what it reads from a trace."""

import importlib
import json
import subprocess
import types

import pytest

from benchmarks import gpu
from tf_psgan.cli import program


def run(capsys, *arguments, code=0):
    assert program.run(["gpu.py", *arguments], gpu.USAGE, gpu.define, gpu.main) == code
    said = capsys.readouterr()
    return (said.err if code else said.out).splitlines()


@pytest.fixture
def children(monkeypatch):
    """Replaces the child processes: what each kind writes, or the error that it raises."""
    results = {}

    def child(command, **options):
        kind = next(item for item in command if item.startswith("--part=")).partition("=")[2]
        out = next(item for item in command if item.startswith("--json=")).partition("=")[2]
        result = results.get(kind, {})
        if isinstance(result, Exception):
            raise result
        if result:
            with open(out, "w", encoding="utf-8") as file:
                json.dump(result, file)
        return types.SimpleNamespace(returncode=0 if result else 1, stderr="Traceback\nValueError: no luck", stdout="")

    monkeypatch.setattr(gpu.subprocess, "run", child)
    return results


def test_a_part_that_fails_leaves_the_others(children, capsys, tmp_path):
    step = {"dtype": "bfloat16", "steps_per_second": 50.0, "tflops": 30.0, "first_step_seconds": 12.5}
    children["device"] = {"device": "a card", "versions": "TensorFlow 2", "best_product": {"bfloat16": 120.0}}
    children["step"] = {"steps": [step]}
    children["windows"] = subprocess.TimeoutExpired("gpu.py", 70)
    lines = run(capsys, f"--json={tmp_path / 'all.json'}")
    assert lines[0] == "a card, TensorFlow 2." and "bfloat16 120 TFLOP/s" in lines[1]
    assert "| default, bfloat16, compiled | 12.5 | 50.0 | 20.00 | 30 | 25% | - | - |" in lines
    assert "- pictures: not finished after 70 s" in lines
    assert any(line.startswith("- PyTorch, gpu: ended with 1: ValueError: no luck") for line in lines)
    found = json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))
    assert [row["title"] for row in found] == [part.title for part in gpu.parts()]


def test_parts_without_time_are_named(children, capsys):
    lines = run(capsys, "--limit=5")
    assert len([line for line in lines if line.endswith(": left out: no time")]) == len(gpu.parts())


def test_every_kind_of_part_can_be_run_alone_and_another_is_one_line(capsys, monkeypatch):
    monkeypatch.syspath_prepend(str(gpu.ROOT / "benchmarks"))
    parts = importlib.import_module("gpu_parts").PARTS
    assert {part.kind for part in gpu.parts()} == {part.kind for part in gpu.parts(is_small=True)} == parts.keys()
    (line,) = run(capsys, "--only=pictures", code=2)
    assert "'pictures'" in line or "pictures is no kind" in line


def test_the_share_of_a_gpus_time_is_the_union_of_its_streams(monkeypatch):
    monkeypatch.syspath_prepend(str(gpu.ROOT / "benchmarks"))
    xplane_pb2 = pytest.importorskip("tensorflow.tsl.profiler.protobuf.xplane_pb2")
    space = xplane_pb2.XSpace()
    share = importlib.import_module("gpu_parts").busy_share
    assert share(space) is None
    plane = space.planes.add(name="/device:GPU:0")
    for name, start, events in (
        ("Stream #1", 10, [(0, 3000), (8000, 2000)]),
        ("Stream #2", 11, [(0, 1000), (1000, 2000)]),
    ):
        line = plane.lines.add(name=name, timestamp_ns=start)
        for offset, duration in events:
            line.events.add(offset_ps=offset, duration_ps=duration)
    plane.lines.add(name="XLA Ops", timestamp_ns=0).events.add(offset_ps=0, duration_ps=10**9)
    assert share(space) == pytest.approx((4 + 2) / 10)  # 10 to 14 ns and 18 to 20 ns
