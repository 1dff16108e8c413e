"""Pans the web page at random for a long time: whether memory grows, and whether a tile fails.

  python -m benchmarks.web.panning [--page=page] [--models=models] [--minutes=60] [--seed=0]

--page is a folder of `psgan export --web`, --models one for `psgan-server`. Most moves go to the neighbourhood, some
far away, some change the zoom, the seed or the texture; each waits for its tiles, or moves on before they are there.
Prints the memory of Chromium (all its processes), of the viewer and of the server during the run in Markdown, and
whatever the page reported; exit code 1 if it reported anything.
"""

import argparse
import random
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.server.processes import megabytes
from benchmarks.web import pages
from tests.support import browser

LINES = 12


def main() -> int:
    """Pans one page, then the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path, help="folder of an exported page")
    parser.add_argument("--models", type=Path, help="folder of models for the server")
    parser.add_argument("--minutes", type=float, default=60.0, help="for each page")
    parser.add_argument("--seed", type=int, default=0, help="of the moves")
    given = parser.parse_args()
    failed = False
    for name, folder, served in (("page", given.page, pages.static), ("viewer", given.models, pages.viewer)):
        if folder:
            with served(folder) as (address, processes), browser.running() as chromium:
                print(f"\n{name}")
                failed |= _pan(chromium, address, processes, 60 * given.minutes, random.Random(given.seed))
    return int(failed)


def _pan(chromium: Any, address: str, processes: dict[str, int], seconds: float, choose: random.Random) -> bool:
    context = chromium.new_context(viewport=pages.SIZE, bypass_csp=True)
    tab = context.new_page()
    problems = browser.watched(tab)
    tab.goto(address)
    pages.ready(tab)
    print("| minutes | moves | tiles | Chromium, MB | page's heap, MB |" + "".join(f" {n}, MB |" for n in processes))
    print("|---" * (5 + len(processes)) + "|", flush=True)
    tab.evaluate("app.drawn = 0; app.layer.on('tileload', () => app.drawn++)")
    began, moves, lines = time.monotonic(), 0, 0
    while (passed := time.monotonic() - began) < seconds or lines <= LINES:
        if passed >= lines * seconds / LINES:
            heap = tab.evaluate("performance.memory.usedJSHeapSize") / 2**20
            values = [pages.browser_megabytes(), heap, *map(megabytes, processes.values())]
            numbers = " | ".join(f"{value:.0f}" for value in values)
            print(f"| {passed / 60:.1f} | {moves} | {tab.evaluate('app.drawn')} | {numbers} |", flush=True)
            lines += 1
        tab.evaluate(_move(choose))
        moves += 1
        if choose.random() < 0.7:
            pages.ready(tab)
        if message := tab.locator("#notice:not([hidden]) p").all_inner_texts():
            problems.append(f"move {moves}: {message[0]}")
            tab.evaluate("app.say('')")
    pages.ready(tab)
    context.close()
    print("\n".join(problems[:20]) or "no failed tile")
    return bool(problems)


def _move(choose: random.Random) -> str:
    """A move in JavaScript."""
    kind = choose.random()
    if kind < 0.05:
        return f"app.update({{ seed: {choose.randrange(2**63)}n }})"
    if kind < 0.1:
        return f"app.update({{ texture: app.model.textures[{choose.randrange(8)} % app.model.textures.length].key }})"
    if kind < 0.2:
        return f"app.map.setZoom({choose.choice((-2, -1, 0, 0, 1, 2))}, {{ animate: false }})"
    if kind < 0.3:
        far = [choose.randrange(-(2**40) + 2**14, 2**40 - 2**14) for _ in range(2)]
        return f"app.map.setView({far}, app.map.getZoom(), {{ animate: false }})"
    return f"app.map.panBy([{choose.randint(-900, 900)}, {choose.randint(-600, 600)}], {{ animate: false }})"


if __name__ == "__main__":
    sys.exit(main())
