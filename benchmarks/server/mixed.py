"""A mixed load: restarts, kills and other contents beside honest, slow and dead clients.

Two contents of the model take turns under the same version number. Every picture that an honest client gets is compared
with those of a session without a server: a single picture must be that of one content, and so must a large picture as a
whole. After the restarts the server is left alone with its clients, to see its memory.
"""

import collections
import contextlib
import itertools
import random
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.server.processes import NAME, ServerProcess, publish
from benchmarks.server.stalled import stall
from tests.support.raw_http2 import RawClient
from tf_psgan.exporting.session_model import SessionModel
from tf_psgan_serving import wire
from tf_psgan_serving.client import Client, ServingError, Window

LIFE = 10.0
"""Mean seconds between a new start and the next end of the server."""

SIDE, LARGE, PLACES = 256, 2048, 8
"""Pixels of a side of single and of large pictures; positions that are asked for."""

PIECE = 1024
"""Pixels of the client's own pieces of a large picture."""


class Pictures:
    """The right pictures of both contents, and what the clients have got."""

    def __init__(self, versions: Sequence[Path]) -> None:
        self.counts: collections.Counter[str] = collections.Counter()
        self.small: list[list[np.ndarray]] = []
        self.large: list[np.ndarray] = []
        for version in versions:
            with SessionModel(version) as model:
                self.small.append([_window(model, SIDE, place) for place in range(PLACES)])
                self.large.append(_window(model, LARGE, 0))

    def check_small(self, place: int, found: np.ndarray) -> None:
        """Counts a single picture."""
        right = any(np.array_equal(found, pictures[place]) for pictures in self.small)
        self.counts["single pictures" if right else "wrong pixels"] += 1

    def check_large(self, found: np.ndarray) -> None:
        """Counts a large picture."""
        if any(np.array_equal(found, picture) for picture in self.large):
            self.counts["large pictures"] += 1
            return
        pieces = [
            (slice(y, y + PIECE), slice(x, x + PIECE)) for y in range(0, LARGE, PIECE) for x in range(0, LARGE, PIECE)
        ]
        known = all(any(np.array_equal(found[each], picture[each]) for picture in self.large) for each in pieces)
        self.counts["mixed pictures" if known else "wrong pixels"] += 1


def run(versions: Sequence[Path], models: Path, restarts: int, minutes: float, seed: int) -> tuple[list[str], dict]:
    """Runs the load; a table and the values.

    Args:
      versions: two, with different pictures.
      models: an empty folder.
      restarts: ends of the server.
      minutes: time after the last of them.
      seed: of what is drawn at random.
    """
    pictures, numbers = Pictures(versions), random.Random(seed)
    publish(versions[0], models, 1)
    stopped, begin = threading.Event(), time.monotonic()
    memory: list[tuple[float, float]] = []
    # Responses unread for 5 s and messages unfinished for 5 s are ended, so that many come to their end in the run.
    with ServerProcess(models, "--poll=0.2", "--send_seconds=5", "--receive_seconds=5", "--waiting=6") as server:
        workers = [_single, _single, _large, _slow, _dead]
        threads = [
            threading.Thread(target=work, args=(server, pictures, stopped, random.Random(f"{seed} {index}")))
            for index, work in enumerate(workers)
        ]
        for thread in threads:
            thread.start()
        try:
            _restarts(server, pictures, versions, models, numbers, restarts)
            quiet = time.monotonic()
            while time.monotonic() < quiet + 60 * minutes:
                time.sleep(5.0)
                memory.append((time.monotonic() - quiet, server.resident()))
        finally:
            stopped.set()
            for thread in threads:
                thread.join()
    counts = {name: pictures.counts[name] for name in ("wrong pixels", "mixed pictures", "lost answers")}
    counts |= dict(sorted(pictures.counts.items()))
    lines = ["| event | count |", "|---|---|", *(f"| {name} | {count} |" for name, count in counts.items())]
    half = [value for _, value in memory[len(memory) // 2 :]]
    text = f"{(time.monotonic() - begin) / 60:.1f} minutes in all. Resident memory after the last new start: "
    text += f"{memory[0][1]:.0f} MB after {memory[0][0]:.0f} s, at most {max(value for _, value in memory):.0f}, "
    text += f"median of the second half {np.median(half):.0f}, {memory[-1][1]:.0f} after {memory[-1][0]:.0f} s."
    return [*lines, "", text], {"counts": counts, "memory": memory}


def _restarts(
    server: ServerProcess,
    pictures: Pictures,
    versions: Sequence[Path],
    models: Path,
    numbers: random.Random,
    count: int,
) -> None:
    """Ends the server again and again, by SIGTERM and SIGKILL; before every second new start the content changes."""
    contents = itertools.cycle([versions[0], versions[1], versions[1], versions[0]])
    next(contents)
    kinds: Sequence[tuple[str, Callable[[], object]]] = (("SIGTERM", server.stop), ("SIGKILL", server.kill))
    for name, stop in itertools.islice(itertools.cycle(kinds), count):
        time.sleep(numbers.uniform(0.2, 1.8) * LIFE)
        stop()
        publish(next(contents), models, 1)
        server.start()
        pictures.counts[f"new starts after {name}"] += 1


def _single(server: ServerProcess, pictures: Pictures, stopped: threading.Event, numbers: random.Random) -> None:
    with _client(server) as client:
        while not stopped.is_set():
            place = numbers.randrange(PLACES)
            with _counted(pictures):
                pictures.check_small(place, client.window(SIDE, SIDE, top=SIDE * place))


def _large(server: ServerProcess, pictures: Pictures, stopped: threading.Event, numbers: random.Random) -> None:
    with _client(server) as client:
        while not stopped.is_set():
            with _counted(pictures):
                pictures.check_large(client.large(Window(height=LARGE, width=LARGE)))


def _client(server: ServerProcess) -> Client:
    """A client that waits out a new start."""
    return Client(server.address, NAME, retries=100, timeout=120.0, deadline=600.0, reconnect=300.0)


@contextlib.contextmanager
def _counted(pictures: Pictures):
    try:
        yield
    except ServingError as error:
        pictures.counts["lost answers"] += 1
        pictures.counts[f"error {error.code}"] += 1


def _slow(server: ServerProcess, pictures: Pictures, stopped: threading.Event, numbers: random.Random) -> None:
    """Leaves calls half open and responses unread, for a while."""
    while not stopped.is_set():
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stall(server.port, stack)
            pictures.counts["slow clients"] += 1
            stopped.wait(numbers.uniform(1.0, 12.0))
        stopped.wait(1.0)


def _dead(server: ServerProcess, pictures: Pictures, stopped: threading.Event, numbers: random.Random) -> None:
    """Vanishes in the middle of a message, or while its picture is made or sent."""
    message = wire.predict_request(NAME, 0, "window", Window(height=1024, width=1024).inputs())
    while not stopped.wait(numbers.uniform(0.5, 2.0)):
        with contextlib.suppress(OSError), RawClient(server.port) as raw:
            for _ in range(4):
                raw.call(message[: numbers.randrange(len(message))], declared=2**20)
            raw.call(message)
            pictures.counts["dead clients"] += 1
            stopped.wait(numbers.uniform(0.0, 0.5))


def _window(model: SessionModel, side: int, place: int) -> np.ndarray:
    values = {"seed": 0, "texture": 0, "top": side * place, "left": 0, "height": side, "width": side}
    return np.asarray(model.run("window", **values))
