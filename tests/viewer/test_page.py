"""The viewer's page and a stock map client in a browser, over a server of pictures that follow a formula."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from tests.support import browser, viewer
from tests.support.browser import WAIT, idle, opened, tiles
from tests.support.fake_server import FakeServer, paint
from tests.support.page import ROOT
from tests.support.viewer import DESCRIPTION, VERSION

LARGE = {"viewport": {"width": 1200, "height": 800}}


@pytest.fixture(scope="module")
def chromium():
    with browser.running() as running:
        yield running


@pytest.fixture
def server():
    with FakeServer(description=DESCRIPTION) as running:
        yield running


@pytest.fixture
def site(server):
    with viewer.running(server.target) as root:
        yield root


def plane(col, row, *, zoom=0, seed=0, texture=0):
    """The pixels of a map tile of the formula."""
    side = 2**-zoom
    whole = paint(seed + 1, texture, 256 * row * side, 256 * col * side, 256 * side, 256 * side)
    return np.rint(whole.reshape(256, side, 256, side, 3).mean(axis=(1, 3)))


def assert_shown(tab, **of):
    """Every tile has the plane's pixels, bit for bit."""
    shown = tiles(tab)
    assert len(shown) >= 4
    for (col, row, zoom), pixels in shown.items():
        np.testing.assert_array_equal(pixels[..., :3], plane(col, row, zoom=zoom, **of))
    return shown


def test_the_page_pans_zooms_and_shows_textures_and_seeds_exactly(chromium, site):
    with opened(chromium, f"{site}/#x=-70000&y=1000000000&seed=-9") as tab:
        shown = assert_shown(tab, seed=-9)
        assert any(col == -70000 // 256 for col, _, _ in shown)
        tab.get_by_role("button", name="Zoom out").click()
        tab.wait_for_function("app.layer._tileZoom === -1", timeout=WAIT)
        idle(tab)
        assert_shown(tab, seed=-9)
        tab.get_by_role("tab", name="Texture").click()
        tab.get_by_label("Texture number").fill("33")
        tab.get_by_label("Texture number").press("Enter")
        tab.wait_for_function("app.state.texture === '33'", timeout=WAIT)
        idle(tab)
        assert_shown(tab, seed=-9, texture=33)
        assert tab.get_by_role("tab").all_inner_texts() == ["Texture", "Blend", "Save"]


def test_a_morph_lies_over_the_plane_and_its_address_shows_it_again(chromium, server, site):
    with opened(chromium, f"{site}/#x=300&y=300") as tab:
        tab.get_by_role("tab", name="Blend").click()
        tab.get_by_label("Bottom right").fill("7")
        tab.get_by_label("Over").select_option("1024")
        tab.wait_for_function("location.hash.includes('corners=0*1*2*7')", timeout=WAIT)
        idle(tab)
        address, shown = tab.url, tiles(tab)
        name, inputs, _ = server.seen[-1]
        assert name == "morph" and inputs["textures"] == [0, 1, 2, 7] and inputs["extent_width"] == 1024
        for (col, row, _), pixels in shown.items():
            np.testing.assert_array_equal(pixels[..., :3], plane(col, row, texture=36))  # the formula's 1 2 3 4 weights
    with opened(chromium, address) as tab:
        again = tiles(tab)
        assert again.keys() == shown.keys() and all(np.array_equal(again[at], shown[at]) for at in again)


def test_windows_and_tiles_are_saved_exactly(chromium, site):
    with opened(chromium, f"{site}/#x=5000&y=-3000&texture=3") as tab:
        tab.get_by_role("tab", name="Save").click()
        with tab.expect_download(timeout=WAIT) as download:
            tab.get_by_role("button", name="Save this view").click()
        _, left, top = download.value.suggested_filename.removesuffix(".png").replace("--", "-m").split("-")
        left, top = (int(text.replace("m", "-")) for text in (left, top))
        found = np.asarray(Image.open(download.value.path()))
        np.testing.assert_array_equal(found[..., :3], paint(1, 3, top, left, 512, 512))
        tab.get_by_role("button", name="Make a seamless tile").click()
        with tab.expect_download(timeout=WAIT) as download:
            tab.get_by_role("button", name="Save the tile").click(timeout=WAIT)
        found = np.asarray(Image.open(download.value.path()))
        np.testing.assert_array_equal(found[..., :3], paint(1, 3, 0, 0, 512, 512))


def test_a_server_that_went_away_is_said_and_its_tiles_come_when_it_is_back(chromium):
    with FakeServer(description=DESCRIPTION) as first, viewer.running(first.target) as root:
        context = chromium.new_context(**browser.DESKTOP, bypass_csp=True)
        tab = context.new_page()
        tab.goto(root)
        idle(tab)
        first.stop()
        tab.evaluate("app.update({ seed: 5n })")
        notice = tab.locator("#notice")
        notice.get_by_text("The server does not answer").wait_for(timeout=WAIT)
        with FakeServer(description=DESCRIPTION, port=first.port):
            idle(tab)
            assert notice.is_hidden()
            assert_shown(tab, seed=5)
        context.close()


def answered_late(tab, address, detail, count=2):
    """The first requests to an address are answered with 503, later ones by the viewer."""
    problems = iter([detail] * count)

    def answer(route):
        if text := next(problems, None):
            route.fulfill(status=503, content_type="application/problem+json", body=json.dumps({"detail": text}))
        else:
            route.continue_()

    tab.route(address, answer)


def test_a_server_that_is_loading_its_models_is_said_and_waited_for(chromium, site):
    context = chromium.new_context(**browser.DESKTOP, bypass_csp=True)
    tab = context.new_page()
    answered_late(tab, "**/models.json", "no model of the server is loaded; try again.")
    tab.goto(site)
    tab.get_by_text("The server is loading its models").wait_for(timeout=WAIT)
    idle(tab)
    assert tab.locator("#notice").is_hidden()
    assert_shown(tab)
    answered_late(tab, "**/tile.png*", "the server of models cannot be reached; try again.")
    tab.get_by_role("tab", name="Save").click()
    tab.get_by_role("button", name="Make a seamless tile").click()
    tab.get_by_role("button", name="Save the tile").wait_for(timeout=WAIT)
    context.close()


def test_the_page_keeps_its_content_security_policy(chromium, site):
    context = chromium.new_context(**browser.DESKTOP)
    tab = context.new_page()
    problems = browser.watched(tab)
    tab.goto(site)
    tab.locator("canvas.leaflet-tile-loaded").first.wait_for(timeout=WAIT)
    for name in tab.get_by_role("tab").all_inner_texts():
        tab.get_by_role("tab", name=name).click()
    tab.get_by_role("button", name="Make a seamless tile").click()
    tab.get_by_role("button", name="Save the tile").wait_for(timeout=WAIT)
    context.close()
    assert problems == []


def test_panning_on_gives_up_what_is_no_longer_seen(chromium, server, site):
    with opened(chromium, site) as tab:
        tab.evaluate("for (let x = 1; x < 40; x++) app.map.setView([0, 4000 * x], 0, { animate: false });")
        idle(tab)
        assert_shown(tab)
    assert len(server.seen) < 80  # 40 views of six tiles or more would be 240 and more


@pytest.mark.parametrize("scheme, options", [("light", {}), ("dark", browser.PHONE)], ids=["desktop", "phone"])
def test_the_page_keeps_the_accessibility_rules(chromium, site, options, scheme):
    with opened(chromium, site, color_scheme=scheme, **options) as tab:
        assert browser.broken_rules(tab) == []


def test_a_stock_map_client_shows_the_plane(chromium, site, tmp_path):
    text = (ROOT / "examples" / "leaflet" / "index.html").read_text(encoding="utf-8")
    page = tmp_path / "index.html"
    page.write_text(text.replace("http://localhost:8000", site).replace("/v1/models/honeycomb/versions/1", VERSION)
                    .replace(".webp", ".png"))  # fmt: skip
    context = chromium.new_context(**LARGE)
    tab = context.new_page()
    problems = browser.watched(tab)
    tab.goto(page.as_uri())
    shown = """(zoom) => !document.querySelector('.leaflet-zoom-anim') && [...document.images].length > 3 &&
      [...document.images].every((image) => image.src.includes(zoom) && getComputedStyle(image).opacity === '1')"""
    tab.wait_for_function(shown, arg="/0/0/0/", timeout=WAIT)
    tab.locator("#map").focus()
    tab.keyboard.press("-")
    tab.wait_for_function(shown, arg="/0/0/-1/", timeout=WAIT)
    places = tab.evaluate("""[...document.querySelectorAll('img.leaflet-tile-loaded')].map((image) => {
      const { left, top } = image.getBoundingClientRect();
      return [image.src, Math.round(left), Math.round(top)]; })""")
    shot = np.asarray(Image.open(io.BytesIO(tab.screenshot())))
    context.close()
    assert [problem for problem in problems if not problem.startswith("file:")] == []
    seen = 0
    for source, left, top in places:
        col, row = (int(part) for part in source.removesuffix(".png").rsplit("/", 2)[1:])
        if left >= 50 and top >= 100 and left + 256 <= 1200 and top + 256 <= 750:  # beside the buttons
            np.testing.assert_array_equal(shot[top : top + 256, left : left + 256, :3], plane(col, row, zoom=-1))
            seen += 1
    assert seen
