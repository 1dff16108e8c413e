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
        assert tab.get_by_role("tab").all_inner_texts() == ["Texture", "Blend", "Paint", "Live", "Save"]


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


def test_textures_with_names_are_chosen_by_them(chromium):
    description = DESCRIPTION | {"texture_numbers": {"moss": 1, "brick": 0, "odd": "x"}}
    server = FakeServer(description=description)
    with server, viewer.running(server.target) as root, opened(chromium, root) as tab:
        tab.get_by_role("tab", name="Texture").click()
        assert tab.locator("#panel-texture .chips span").all_inner_texts() == ["brick", "moss"]
        tab.get_by_role("group", name="Textures").get_by_text("moss").click()
        tab.wait_for_function("app.state.texture === '1'", timeout=WAIT)
        idle(tab)
        assert_shown(tab, texture=1)
        tab.get_by_role("tab", name="Live").click()
        palette = tab.get_by_label("Textures, dark to light")
        assert palette.input_value() == "1, 0"  # from the chosen texture on
        palette.fill("moss, 7, brick")
        tab.get_by_role("button", name="Camera").click()
        wait_for_textures(tab, server, [1, 7, 0])
        tab.get_by_role("button", name="Hold").click()
        palette.fill("moss, brick")  # the held light is given to other textures
        wait_for_textures(tab, server, [1, 0])
        assert tab.get_by_text("This did not work").count() == 0
        tab.get_by_role("button", name="Stop").click()


def wait_for_textures(tab, server, textures):
    """Waits until a frame with these textures has been asked for and shown."""
    for _ in range(WAIT // 50):
        if textures in [inputs["textures"] for inputs in posts(server)]:
            tab.get_by_text("pictures a second").wait_for(timeout=WAIT)
            return
        tab.wait_for_timeout(50)
    raise AssertionError(f"no frame with the textures {textures}")


def posts(server):
    """The inputs of the requests for scenes."""
    return [inputs for name, inputs, _ in server.seen if name == "scene"]


def test_a_blend_is_a_scene_and_four_tiles_cost_one_request(chromium, server, site):
    with opened(chromium, f"{site}/#x=-300&y=700&texture=4&blend=8&amount=0.25") as tab:
        assert_shown(tab, texture=5)
        blocks = {(inputs["top"], inputs["left"]) for inputs in posts(server)}
        assert len(posts(server)) == len(blocks) and {side % 512 for block in blocks for side in block} == {0}
        tab.get_by_role("button", name="Zoom out").click()
        tab.wait_for_function("app.layer._tileZoom === -1", timeout=WAIT)
        idle(tab)
        assert_shown(tab, texture=5)
        tab.get_by_role("tab", name="Save").click()
        tab.get_by_role("button", name="Make a seamless tile").click()
        with tab.expect_download(timeout=WAIT) as download:
            tab.get_by_role("button", name="Save the tile").click(timeout=WAIT)
        found = np.asarray(Image.open(download.value.path()))
        np.testing.assert_array_equal(found[..., :3], paint(1, 5, 0, 0, 512, 512))
        assert posts(server)[-1]["period_width"] == 512


def test_painting_changes_the_blocks_that_it_touches_only(chromium, server, site):
    with opened(chromium, f"{site}/#x=1280&y=1580", viewport={"width": 500, "height": 800}) as tab:
        before = tiles(tab)
        assert not posts(server)
        tab.get_by_role("tab", name="Paint").click()
        tab.mouse.click(250, 100)  # pixel 1280, 1280 of the plane, with texture 1
        tab.wait_for_function("app.state.dabs.length === 1", timeout=WAIT)
        tab.wait_for_function("location.hash.includes('paint=')", timeout=WAIT)
        idle(tab)
        after = tiles(tab)
        np.testing.assert_array_equal(after[5, 5, 0][:40, :40, :3], plane(5, 5, texture=1)[:40, :40])
        far = [at for at in after if at[0] in (3, 6) or at[1] in (3, 6)]
        assert all(np.array_equal(after[at], before[at]) for at in far if at in before)
        assert {(inputs["top"], inputs["left"]) for inputs in posts(server)} == {
            (top, left) for top in (1024,) for left in (1024,)
        }
        address = tab.url
        tab.evaluate("app.map.setZoom(-3, { animate: false })")
        idle(tab)
        assert tab.locator("#notice").is_hidden()
        shown = tiles(tab)
        far = [(col, row) for col, row, _ in shown if not (0 <= col <= 1 and 0 <= row <= 1)]
        assert far
        for col, row in far:
            np.testing.assert_array_equal(shown[col, row, -3][..., :3], plane(col, row, zoom=-3))
    with opened(chromium, address) as tab:
        again = tiles(tab)
        assert all(np.array_equal(again[at], after[at]) for at in again if at in after)


STAGE = "[...document.getElementById('stage').getContext('2d').getImageData(0, 0, 8, 8).data]"


def test_the_noise_moves_over_a_server_in_a_frame_that_lies_in_one_block(chromium, server, site):
    with opened(chromium, f"{site}/#x=510&y=5") as tab:
        tab.get_by_role("tab", name="Live").click()
        tab.get_by_role("button", name="Motion").click()
        tab.get_by_text("A loop", exact=True).wait_for(timeout=WAIT)
        frames = posts(server)
        assert len(frames) == 23 and {inputs["time"] for inputs in frames} == {np.float32(i / 24) for i in range(1, 24)}
        for inputs in frames:
            for side, length in (("top", "height"), ("left", "width")):
                assert inputs[side] // 512 == (inputs[side] + inputs[length] - 1) // 512
        with tab.expect_download(timeout=WAIT) as download:
            tab.get_by_role("button", name="Save the loop").click()
        with Image.open(download.value.path()) as file:
            file.seek(12)
            at = [frames[0][name] for name in ("top", "left", "height", "width")]
            np.testing.assert_array_equal(np.asarray(file.convert("RGB")), paint(1, 20, *at))


def test_the_camera_sends_weights_of_the_cells_and_shows_the_answer(chromium, server, site):
    with opened(chromium, site) as tab:
        tab.get_by_role("tab", name="Live").click()
        tab.get_by_text("One value a cell goes to the server").wait_for(timeout=WAIT)
        tab.get_by_role("button", name="Camera").click()
        tab.get_by_text("pictures a second").wait_for(timeout=WAIT)
        first = tab.evaluate(STAGE)
        tab.wait_for_function(
            f"(first) => String({STAGE}) !== first", arg=str(first)[1:-1].replace(" ", ""), timeout=WAIT
        )
        tab.get_by_role("button", name="Stop").click()
    weights = np.array(posts(server)[-1]["weights"])
    assert weights.shape[0] == 4 and np.abs(weights.sum(axis=0) - 1).max() < 1e-3 and weights.std() > 0.01


def test_a_model_of_an_earlier_export_shows_no_blends_and_says_so(chromium):
    description = {name: value for name, value in DESCRIPTION.items() if name != "signatures"}
    server = FakeServer(description=description)
    with server, viewer.running(server.target) as root, opened(chromium, f"{root}/#blend=3&amount=0.5") as tab:
        assert tab.get_by_role("tab").all_inner_texts() == ["Texture", "Blend", "Save"]
        assert "exported by an earlier version" in tab.locator("#notice p").inner_text()
        assert_shown(tab)


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
