"""The page in Chromium: opening it, waiting for its tiles, reading its pixels."""

import base64
import contextlib

import numpy as np

from tests.support import page

WAIT = 120_000  # milliseconds; ends what hangs
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
DESKTOP = {"viewport": {"width": 500, "height": 400}}


@contextlib.contextmanager
def running():
    """Chromium, with a camera that plays a pattern."""
    path = page.require_browser()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        camera = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", *camera])
        yield browser
        browser.close()


@contextlib.contextmanager
def opened(chromium, address, **options):
    """A tab with the page, its first tiles computed; fails at an error on the page or a request elsewhere."""
    context = chromium.new_context(**(DESKTOP | options), bypass_csp=True)  # waiting evaluates strings
    tab = context.new_page()
    problems = watched(tab)
    tab.goto(address)
    idle(tab)
    yield tab
    context.close()
    assert not problems


def move(tab, fragment):
    """Shows another state on an open page: the panel is closed, and the fragment of the address is this one."""
    tab.evaluate(
        """async (fragment) => {
             document.querySelector("[role=tab][aria-selected=true]")?.click();
             app.say("");
             if (location.hash === fragment) return;
             const moved = new Promise((resolve) => addEventListener("hashchange", resolve, { once: true }));
             location.hash = fragment;
             await moved;
           }""",
        fragment,
    )
    idle(tab)


def watched(tab):
    """A list that gets what goes wrong on a tab: errors, and requests to elsewhere."""
    problems = []
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on("console", lambda message: message.type == "error" and problems.append(message.text))
    tab.on("request", lambda request: request.url.startswith(("http://127.0.0.1", "blob:", "data:"))
           or problems.append(request.url))  # fmt: skip
    return problems


def idle(tab):
    """Returns when every visible tile shows the present state."""
    tab.wait_for_function(
        """() => app.layer && !app.pool.waiting && !app.pool.busy && !app.layer._loading &&
             [...app.layer._drawn.values()].every(({ coords, done }) => coords.z !== app.layer._tileZoom || !done)""",
        timeout=WAIT,
    )


def tiles(tab):
    """The tiles on the page: RGBA pixels by column and row of the grid, and the zoom."""
    found = tab.evaluate(
        """() => [...app.layer._drawn].filter(([tile, { coords }]) => coords.z === app.layer._tileZoom).map(
             ([tile, { coords }]) => [coords, btoa(Array.from(tile.getContext("2d").getImageData(0, 0, 256, 256).data,
               (value) => String.fromCharCode(value)).join(""))])"""
    )
    return {
        (coords["x"], coords["y"], coords["z"]): np.frombuffer(base64.b64decode(text), np.uint8).reshape(256, 256, 4)
        for coords, text in found
    }


def broken_rules(tab):
    """The accessibility rules that the page breaks, with each tab open; [] for none."""
    tab.evaluate((page.ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8"))
    found = []
    for name in [None, *tab.get_by_role("tab").all_inner_texts()]:
        if name:
            tab.get_by_role("tab", name=name).click()
        for rule in tab.evaluate("axe.run()")["violations"]:
            found.append((name, rule["id"], [node["html"] for node in rule["nodes"]]))
    return found
