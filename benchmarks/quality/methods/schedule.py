"""Runs child processes in parallel, reports progress, and continues after failures."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

ROOT = Path(__file__).parents[3]

Task = tuple[str, list[str]]
"""Title and command."""


def run(tasks: Sequence[Task], workers: int, threads: int, report: Callable[[str], None]) -> list[str]:
    """Runs all tasks; returns a line per failure. Ctrl-C also interrupts the children and cancels waiting tasks."""
    limits = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    environment = os.environ | limits
    failures = []
    pool = ThreadPoolExecutor(workers)
    try:
        futures = [pool.submit(_one, name, command, environment) for name, command in tasks]
        for done, future in enumerate(as_completed(futures), start=1):
            name, seconds, failure = future.result()
            report(f"[{done}/{len(tasks)}] {name}: " + (f"failed: {failure}" if failure else f"{seconds:.0f} s"))
            failures += [f"{name}: {failure}"] if failure else []
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return failures


def _one(name: str, command: list[str], environment: dict[str, str]) -> tuple[str, float, str]:
    began = time.monotonic()
    child = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    lines = [line for line in child.stdout.splitlines() if line.strip()]
    failure = (lines[-1] if lines else f"ended with {child.returncode}") if child.returncode else ""
    return name, time.monotonic() - began, failure


def print_progress(line: str) -> None:
    """Prints a line to standard error; standard output contains the result only."""
    print(line, file=sys.stderr, flush=True)
