"""Memory of the server while new versions replace each other under load."""

import threading
import time
from pathlib import Path

import numpy as np

from benchmarks.server.processes import NAME, ServerProcess, publish, wait
from benchmarks.server.timing import small_client
from tf_psgan_serving.client import ServingError

REST = 2.0
"""Seconds after the last swap before the memory is read."""


PAUSE = 0.5
"""Seconds between two requests, so that most of the time goes into loading."""


def run(version: Path, models: Path, count: int, minutes: float) -> tuple[list[str], dict]:
    """Publishes versions one after the other; the memory after each and the failures of a client beside.

    Args:
      version: the folder that is published again and again.
      models: an empty folder.
      count: the number of versions.
      minutes: longest time; there are fewer versions if it does not suffice.
    """
    publish(version, models, 1)
    resident, failures, answers = {}, [], 0
    with ServerProcess(models, "--poll=0.1") as server, small_client(server.address) as client:
        expected, stopped = client.window(64, 64), threading.Event()

        def load() -> None:
            nonlocal answers
            while not stopped.wait(PAUSE):
                try:
                    if not np.array_equal(client.window(64, 64), expected):
                        failures.append("wrong pixels")
                    answers += 1
                except ServingError as error:
                    failures.append(error.code)

        thread = threading.Thread(target=load)
        thread.start()
        begin = time.monotonic()
        try:
            for number in range(2, count + 2):
                publish(version, models, number)
                wait(lambda number=number: server.metric(f'psgan_version{{model="{NAME}"}}') == number, every=0.25)
                if number - 1 == 10:
                    time.sleep(REST)
                resident[number - 1] = server.resident()
                if time.monotonic() > begin + 60 * minutes:
                    break
            count = number - 1
            time.sleep(REST)
            resident[count] = server.resident()
        finally:
            stopped.set()
            thread.join()
        seconds = (time.monotonic() - begin) / count
    every = max(1, count // 10)
    shown = [number for number in resident if number in (1, 10, count) or number % every == 0]
    lines = ["| swaps | resident MB |", "|---|---|", *(f"| {number} | {resident[number]:.0f} |" for number in shown)]
    grown = resident[count] - resident[min(10, count)]
    text = (
        f"{grown:+.0f} MB from the tenth to the last of {count} swaps, {seconds:.1f} s each; {answers} requests beside "
    )
    text += f"them, failures: {', '.join(sorted(set(failures))) or 'none'}."
    return [*lines, "", text], {"resident": resident, "answers": answers, "failures": failures}
