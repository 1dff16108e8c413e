"""The embedded server under load: latency, throughput, large pictures, memory, overload.

  python benchmarks/speed/server_load.py --run=runs/honeycomb [--parts=latency,large,memory,overload] [--seconds=10]

Exports the run, starts `psgan-server` on this machine, and requests pictures with `tf_psgan_serving.client`.
"latency" also times the exported model in a session of a process without a server.
"""

import contextlib
import itertools
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from absl import flags

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "serving")]  # works without an installation

from tf_psgan.cli import flags as edge  # noqa: E402
from tf_psgan.cli import program  # noqa: E402
from tf_psgan_serving.client import Client, ServingError, Window  # noqa: E402

USAGE = "Measures the embedded server."
PIXELS = 512
NAME = "texture"


def define(values: flags.FlagValues) -> None:
    """Defines flags for the run, the parts to measure and the duration."""
    flags.DEFINE_string("run", None, "A run's folder.", flag_values=values)
    flags.DEFINE_list("parts", ["latency", "large", "memory", "overload"], "What to measure.", flag_values=values)
    flags.DEFINE_float(
        "seconds",
        10.0,
        "Duration of each latency measurement; the overload takes six times as long.",
        flag_values=values,
    )


def main(values: flags.FlagValues) -> str:
    """Measures the parts one after the other; returns Markdown."""
    run, lines = edge.path(values, "run"), []
    parts = {"latency": latency, "large": large, "memory": memory, "overload": overload}
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder)
        _python("export.py", f"--run={run}", f"--out={models / NAME}")
        for name in values.parts:
            lines += [f"## {name}", "", *parts[name](models, run, values["seconds"].value), ""]
    return "\n".join(lines)


def latency(models: Path, run: Path, seconds: float) -> list[str]:
    """Times 512 x 512 pixels with 1, 4 and 16 clients, and the exported model without a server."""
    # A separate process: the clients of this one must not share memory and threads with TensorFlow.
    bare = _python("-c", BARE.format(path=models / NAME / "1", pixels=PIXELS))
    lines = [f"The same window in a session without a server: {bare.strip()}.", ""]
    lines += ["| what | clients | p50 ms | p99 ms | pictures/s |", "|---|---|---|---|---|"]
    with _server(models, "--waiting=64") as (address, _):
        for kind, clients in itertools.product(("raw", "png", "jpeg"), (1, 4, 16)):
            done, _ = _load(address, clients, seconds, _requester(kind))
            times = np.array([took for took, _ in done]) * 1e3
            p50, p99 = np.percentile(times, (50, 99))
            lines.append(f"| {kind} | {clients} | {p50:.1f} | {p99:.1f} | {len(done) / seconds:.1f} |")
    return lines


def large(models: Path, run: Path, seconds: float) -> list[str]:
    """Times 4096 x 4096 pixels: one call of the client, which sends parallel requests, and a process of generate.py."""
    with _server(models) as (address, _), Client(address, NAME) as client:
        client.window(8, 8)
        began = time.perf_counter()
        found = client.large(Window(height=4096, width=4096))
        by_client = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        _python("generate.py", f"--run={run}", f"--out={folder}/a.png", "--height=4096", "--width=4096")
        by_process = time.perf_counter() - began
        from tf_psgan.data import images

        apart = np.abs(images.decode(Path(folder) / "a.png").astype(int) - found).max()
    return [
        f"4096 x 4096: {by_client:.2f} s by the client, raw; {by_process:.2f} s by a process of generate.py, start and "
        f"PNG included; pixels differ by at most {apart}."
    ]


def memory(models: Path, run: Path, seconds: float) -> list[str]:
    """The server's resident memory over 2,000 windows of 400 different sizes, relative to that after the first 200."""
    random = np.random.default_rng(0)
    sizes = [tuple(pair) for pair in random.integers(1, 1025, (400, 2)).tolist()]
    with _server(models) as (address, process), Client(address, NAME) as client:
        seen = []
        for i in range(2000):
            height, width = sizes[i % len(sizes)]
            client.window(i, 0, int(random.integers(-(10**6), 10**6)), 7 * i, height, width)
            if i in (199, 1999) or i % 250 == 249:
                seen.append((i + 1, _resident(process.pid)))
    first = dict(seen)[200]
    most = max(value for _, value in seen) - first
    listed = ", ".join(f"{count}: {value:.0f}" for count, value in seen)
    return [f"Resident memory in MB after so many requests: {listed}. At most {most:.0f} MB over that after 200."]


def overload(models: Path, run: Path, seconds: float) -> list[str]:
    """Four times the throughput of a single client, for six times `seconds`, with the server's default limits."""
    with _server(models) as (address, _):
        alone, _ = _load(address, 1, seconds, _requester("raw"))
        idle = np.percentile([took for took, _ in alone], 99) * 1e3
        able = len(alone) / seconds
        done, rejected = _load(address, 64, 6 * seconds, _requester("raw"), pace=4 * able)
    taken = np.percentile([took for took, _ in done], (50, 99)) * 1e3
    rejection = np.percentile([took for took, _ in rejected], (50, 99)) * 1e3
    codes = sorted({code for _, code in rejected})
    return [
        f"One client: {able:.1f} pictures/s, p99 {idle:.1f} ms. "
        f"Offered {4 * able:.1f} requests/s over {6 * seconds:.0f} s: "
        f"{len(done) / (6 * seconds):.1f} a second answered, p50 {taken[0]:.1f} ms, p99 {taken[1]:.1f} ms "
        f"({taken[1] / idle:.1f} times that of one client); {len(rejected) / (6 * seconds):.1f} a second rejected "
        f"({', '.join(codes)}), p50 {rejection[0]:.1f} ms, p99 {rejection[1]:.1f} ms."
    ]


def _requester(kind: str) -> Callable[[Client, int], object]:
    """A function that requests picture number i; each i is a different position, so that caches have no effect."""

    def request(client: Client, i: int) -> object:
        view = Window(height=PIXELS, width=PIXELS, top=PIXELS * i, left=PIXELS * 1000)
        return client.picture(view) if kind == "raw" else client.encoded(view, kind)

    return request


def _load(
    address: str, clients: int, seconds: float, request: Callable[[Client, int], object], pace: float = 0.0
) -> tuple[list[tuple[float, str]], list[tuple[float, str]]]:
    """Sends requests from several clients at once: (seconds, "") per response, (seconds, code) per error status.

    Args:
      pace: constant rate of all clients together, in requests per second; 0: each client waits only for its response.
    """
    numbers, done, rejected = itertools.count(), [], []
    end = time.perf_counter() + seconds
    begin = time.perf_counter()

    def work(client: Client) -> None:
        while True:
            i = next(numbers)
            if pace and (wait := begin + i / pace - time.perf_counter()) > 0:
                time.sleep(wait)
            start = time.perf_counter()
            if start >= end:
                return
            try:
                request(client, i)
                done.append((time.perf_counter() - start, ""))
            except ServingError as error:
                rejected.append((time.perf_counter() - start, error.code))

    with contextlib.ExitStack() as stack:
        connected = [stack.enter_context(Client(address, NAME, retries=0, timeout=120)) for _ in range(clients)]
        for client in connected:
            with contextlib.suppress(ServingError):
                client.describe()  # connects
        begin, end = time.perf_counter(), time.perf_counter() + seconds
        threads = [threading.Thread(target=work, args=(client,)) for client in connected]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return done, rejected


@contextlib.contextmanager
def _server(models: Path, *settings: str) -> Iterator[tuple[str, subprocess.Popen]]:
    """Starts a server of the models; yields its address and its process."""
    command = [sys.executable, "-m", "tf_psgan_serving.server", f"--models={models}", "--port=0", *settings]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "serving")}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    try:
        found = None
        for line in process.stderr:
            found = re.search(r"(127\.0\.0\.1|localhost):(\d+)", line) or found
            if found and "is loaded" in line:
                break
        else:
            raise RuntimeError("the server has exited")
        threading.Thread(target=process.stderr.read, daemon=True).start()  # a full pipe would block the server
        yield f"127.0.0.1:{found[2]}", process
    finally:
        process.terminate()
        process.wait(60)


def _resident(process: int) -> float:
    """Resident memory of a process in MB."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def _python(*arguments: str) -> str:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ).stdout


BARE = """
import statistics, time
import tensorflow as tf
graph = tf.Graph()
with graph.as_default():
    session = tf.compat.v1.Session(graph=graph)
    loaded = tf.compat.v1.saved_model.loader.load(session, ["serve"], "{path}")
signature = loaded.signature_def["window"]
def run(i):
    inputs = dict(seed=0, texture=0, top={pixels} * i, left=0, height={pixels}, width={pixels})
    return session.run(signature.outputs["image"].name, {{signature.inputs[k].name: v for k, v in inputs.items()}})
times = []
for i in range(60):
    began = time.perf_counter()
    run(i)
    times.append(1e3 * (time.perf_counter() - began))
print(f"median {{statistics.median(times[10:]):.1f}} ms, least {{min(times[10:]):.1f}} ms")
"""


if __name__ == "__main__":
    sys.exit(program.run(sys.argv, USAGE, define, main))
