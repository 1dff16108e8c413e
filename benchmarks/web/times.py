"""Times the web page in headless Chromium, 1280 x 800 pixels: opening it, panning it, and its moving pictures.

  python -m benchmarks.web.times [--page=page] [--models=models] [--rounds=5]

--page is a folder of `psgan export --web`, --models one for `psgan-server`; what is not given is not measured. Each
round opens a new browser profile (cold), then the same address in it again (cached). "A pan" moves the view by a whole
window. Blends and the camera (Chromium's own test pattern) need a model of several textures. Prints medians in
Markdown.
"""

import argparse
import contextlib
import re
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.web import pages
from tests.support import browser

SIDES = (256, 512)
FRAMES = 12
FIRST = "document.querySelector('canvas.leaflet-tile-loaded')"
BLEND = """async ([side, frames]) => {
  const cells = side / app.cell;
  const [first, second] = app.model.textures;
  const scene = { ...app.scene(), textures: [first, second], corners: null, dabs: [] };
  const strips = app.pool.remote ? 1 : app.pool.workers;
  const began = performance.now();
  for (let frame = 0; frame < frames; frame++) {
    const amount = (frame + 1) / (frames + 1);
    await Promise.all(Array.from({ length: strips }, (_, i) => {
      const [from, to] = [i, i + 1].map((part) => Math.round((part * cells) / strips));
      const request = { row: from, col: 0, rows: to - from, cols: cells, reduce: 1, fast: true };
      return app.pool.pixels({ scene: { ...scene, weights: [1 - amount, amount] }, ...request }, -1);
    }));
  }
  return (1000 * frames) / (performance.now() - began);
}"""


def main() -> int:
    """Measures what is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path, help="folder of an exported page")
    parser.add_argument("--models", type=Path, help="folder of models for the server")
    parser.add_argument("--rounds", type=int, default=5, help="times that each page is opened")
    given = parser.parse_args()
    columns = {}
    with browser.running() as chromium:
        for name, folder, served in (("page", given.page, pages.static), ("viewer", given.models, pages.viewer)):
            if folder:
                with served(folder) as (address, _):
                    columns[name] = _measure(chromium, address, given.rounds)
    rows = list(dict.fromkeys(row for column in columns.values() for row in column))
    print(f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|", sep="\n")
    for row in rows:
        print(f"| {row} | {' | '.join(column.get(row, '') for column in columns.values())} |")
    return 0


def _measure(chromium: Any, address: str, rounds: int) -> dict[str, str]:
    found: dict[str, list[float]] = {}

    def note(name: str, seconds: float) -> None:
        found.setdefault(name, []).append(seconds)

    for number in range(rounds):
        with _context(chromium) as context:
            for state in ("cold", "cached"):
                tab = context.new_page()
                began = time.monotonic()
                tab.goto(address, wait_until="commit")
                tab.wait_for_function(FIRST, timeout=pages.HANG_MS, polling=20)
                note(f"opening to the first tile, {state}, s", time.monotonic() - began)
                pages.ready(tab)
                note(f"opening to the last visible tile, {state}, s", time.monotonic() - began)
                for step in range(3):
                    at = 10_000 * (number + 1) + 1280 * step
                    note(f"a pan to the last visible tile, {state}, s", _pan(tab, at))
                tab.close()
    texts = {name: f"{statistics.median(values):.2f}" for name, values in found.items()}
    with _context(chromium) as context:
        tab = context.new_page()
        tab.goto(address)
        pages.ready(tab)
        if tab.evaluate("app.model.textures.length > 1"):
            for side in SIDES:
                rate = statistics.median(tab.evaluate(BLEND, [side, FRAMES]) for _ in range(3))
                texts[f"blends of {side} x {side}, pictures a second"] = f"{rate:.1f}"
            for side in SIDES:
                texts[f"camera, longest side {side}, pictures a second"] = f"{_camera(tab, side):.1f}"
    return texts


@contextlib.contextmanager
def _context(chromium: Any) -> Iterator[Any]:
    context = chromium.new_context(viewport=pages.SIZE, bypass_csp=True)
    yield context
    context.close()


def _pan(tab: Any, x: int) -> float:
    """Seconds from a pan to its last visible tile."""
    began = time.monotonic()
    tab.evaluate(f"app.map.setView([0, {x}], 0, {{ animate: false }})")
    pages.ready(tab)
    return time.monotonic() - began


def _camera(tab: Any, side: int) -> float:
    """Pictures a second that the page itself shows."""
    tab.get_by_role("tab", name="Live").click()
    tab.get_by_label("Longest side").select_option(str(side))
    tab.get_by_role("button", name="Camera").click()
    shown = tab.get_by_text("pictures a second")
    shown.wait_for(timeout=pages.HANG_MS)
    tab.wait_for_timeout(8000)
    found = re.match(r"([\d.]+)", shown.inner_text())
    tab.get_by_role("button", name="Stop").click()
    tab.get_by_role("tab", name="Live").click()
    return float(found[1]) if found else 0.0


if __name__ == "__main__":
    sys.exit(main())
