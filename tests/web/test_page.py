"""The static page in a browser: Chromium, a plain file server, onnxruntime-web in WebAssembly."""

import base64
import json

import numpy as np
import pytest
from PIL import Image

from tests.support import browser, page, shared
from tests.support.browser import PHONE, WAIT, idle, opened, tiles
from tf_psgan.exporting import web_page
from tf_psgan.latents.scene import Scene
from tf_psgan.latents.texture_fields import Mix
from tf_psgan.loading import Plane


def _make(parent):
    for name in ("many", "one"):
        web_page.export(page.runs() / name, parent / "some" / "path", onnxruntime_web=page.RUNTIME)


@pytest.fixture(scope="module")
def chromium():
    with browser.running() as running:
        yield running


@pytest.fixture(scope="module")
def site(chromium):
    """The address of the page with both models, below a path."""
    with page.file_server(shared.made("browser_pages", _make)) as root:
        yield f"{root}/some/path/"


@pytest.fixture(scope="module")
def open_page(chromium, site):
    """A tab with the page, and what has gone wrong on it; the network is loaded once for many tests."""
    context = chromium.new_context(**browser.DESKTOP)
    tab = context.new_page()
    problems = browser.watched(tab)
    tab.goto(site)
    idle(tab)
    yield tab, problems
    context.close()


@pytest.fixture
def show(open_page):
    """Moves the open page to the state of a fragment; the tab."""
    tab, problems = open_page
    problems.clear()

    def move(fragment):
        browser.move(tab, fragment)
        return tab

    yield move
    assert not problems


@pytest.fixture(scope="module")
def planes():
    return {name: Plane.from_run(page.runs() / name, "float32", detail="none") for name in ("many", "one")}


def differing(found, expected):
    """How many 8-bit values differ; none by more than one."""
    apart = np.abs(found[..., :3].astype(int) - expected)
    assert np.all(found[..., 3] == 255) and apart.max() <= 1
    return np.count_nonzero(apart)


@pytest.mark.parametrize(
    "name, x, y, seed",
    [("one", 0, 0, 0), ("one", -(10**9) - 7, 10**9, -(2**63)), ("many", 10**12, -(10**12), 2**62 + 1)],
)
def test_tiles_show_the_pixels_of_the_plane(show, planes, name, x, y, seed):
    texture = [0.75, 0.5, -0.125] if name == "many" else 0
    chosen = "&texture=sand" if name == "many" else ""
    tab = show(f"#model={name}&x={x}&y={y}&seed={seed}{chosen}")
    shown = tiles(tab)
    assert len(shown) >= 4
    wrong = sum(
        differing(pixels, planes[name].window(256, 256, top=256 * row, left=256 * col, seed=seed, texture=texture))
        for (col, row, _), pixels in shown.items()
    )
    assert wrong <= 256 * 256 * 3 * len(shown) / 10_000
    assert any(col <= x // 256 <= col for col, _, _ in shown)


def test_a_farther_view_shows_the_averages_of_pixels(show, planes):
    tab = show("#model=one&zoom=-2&x=600&y=-600")
    shown = tiles(tab)
    for (col, row, zoom), pixels in shown.items():
        whole = planes["one"].window(1024, 1024, top=1024 * row, left=1024 * col).reshape(256, 4, 256, 4, 3)
        assert zoom == -2 and np.abs(pixels[..., :3] - whole.mean(axis=(1, 3))).max() <= 1


def test_a_blend_shows_the_pixels_of_the_plane(show, planes):
    tab = show("#model=many&texture=rust&blend=moss&amount=0.25")
    shown = tiles(tab)
    scene = Scene(0, Mix((("rust", 0.75), ("moss", 0.25))))
    for (col, row, _), pixels in shown.items():
        assert differing(pixels, planes["many"].render(scene, 256, 256, top=256 * row, left=256 * col)) < 20


def test_a_painted_disc_is_its_texture_inside_and_leaves_the_rest_as_it_was(show, planes):
    tab = show("#model=many&texture=rust&x=250&y=250&paint=512*512*480*moss")
    shown = tiles(tab)
    rust, moss = (planes["many"].window(512, 512, texture=name) for name in ("rust", "moss"))
    assert differing(shown[1, 1, 0][-64:, -64:], moss[-64:, -64:]) < 5
    assert differing(shown[0, 0, 0][:96, :96], rust[:96, :96]) < 5


def test_painting_with_the_mouse_changes_the_picture_and_undo_brings_it_back(chromium, site):
    with opened(chromium, f"{site}#model=many", viewport={"width": 400, "height": 700}) as tab:
        before = tiles(tab)
        tab.get_by_role("tab", name="Paint").click()
        tab.mouse.move(200, 200)
        tab.mouse.down()
        tab.mouse.move(300, 210, steps=4)
        tab.mouse.up()
        idle(tab)
        painted = tiles(tab)
        assert any(np.any(painted[at] != before[at]) for at in before)
        tab.wait_for_function("location.hash.includes('paint=')", timeout=WAIT)
        tab.get_by_role("button", name="Undo").click()
        idle(tab)
        after = tiles(tab)
        assert all(np.array_equal(after[at], before[at]) for at in before)


def test_the_address_of_a_view_shows_it_again(chromium, site):
    with opened(chromium, f"{site}#model=many") as tab:
        tab.evaluate(
            "app.map.setView([-70000, 123456], -1, { animate: false }); app.update({ texture: 'sand', seed: 77n })"
        )
        tab.wait_for_function("location.hash.includes('seed=77') && location.hash.includes('x=123456')", timeout=WAIT)
        idle(tab)
        address, first = tab.url, tiles(tab)
    with opened(chromium, address) as tab:
        second = tiles(tab)
    assert first.keys() & second.keys() and all(np.array_equal(first[at], second[at]) for at in first.keys() & second)


def test_a_wrong_address_shows_the_page_all_the_same(chromium, site):
    wrong = "x=1e99&zoom=7&seed=abc&model=%00&amount=-1&texture=nothing&paint=1*2*3*4*5***a*b*c*d"
    with opened(chromium, f"{site}#{wrong}") as tab:
        assert tiles(tab) and tab.locator("#notice").is_hidden()


def test_a_tile_to_take_home_is_seamless_and_of_the_plane(show, planes):
    tab = show("#model=one")
    tab.get_by_role("tab", name="Save").click()
    tab.get_by_label("Extent").select_option("256")
    tab.get_by_role("button", name="Make a seamless tile").click()
    with tab.expect_download(timeout=WAIT) as download:
        tab.get_by_role("button", name="Save the tile").click(timeout=WAIT)
    found = np.asarray(Image.open(download.value.path()))
    height, width, _ = found.shape
    expected = planes["one"].tile(height, width)
    assert (height, width) == planes["one"].fitting_extent(256, 256) and differing(found, expected) < 20


def test_a_window_to_take_home_is_of_the_plane(show, planes):
    tab = show("#model=one&x=5000&y=-3000")
    tab.get_by_role("tab", name="Save").click()
    tab.get_by_label("Extent").select_option("1024")
    with tab.expect_download(timeout=WAIT) as download:
        tab.get_by_role("button", name="Save this view").click()
    found = np.asarray(Image.open(download.value.path()))
    _, left, top = download.value.suggested_filename.removesuffix(".png").replace("--", "-m").split("-")
    at = {"left": int(left.replace("m", "-")), "top": int(top.replace("m", "-"))}
    assert differing(found, planes["one"].window(1024, 1024, **at)) < 300


STAGE = """() => { const { width, height } = stage; return [width, height, btoa(Array.from(
  stage.getContext("2d").getImageData(0, 0, width, height).data, (value) => String.fromCharCode(value)).join(""))] }"""


def stage(tab):
    """The moving picture: RGBA [height, width, 4]."""
    width, height, text = tab.evaluate(STAGE)
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)


def test_a_picture_s_dark_and_light_choose_the_textures(show, planes, tmp_path):
    halves = np.zeros((260, 320, 3), np.uint8)
    halves[:, 160:] = 255
    Image.fromarray(halves).save(tmp_path / "halves.png")
    tab = show("#model=many")
    tab.get_by_role("tab", name="Live").click()
    with tab.expect_file_chooser() as chooser:
        tab.get_by_role("button", name="A picture").click()
    chooser.value.set_files(tmp_path / "halves.png")
    tab.get_by_text("pictures a second").wait_for(timeout=WAIT)
    shown, first = stage(tab), tab.evaluate(STAGE)[2]
    tab.get_by_label("Textures, dark to light").fill("sand, rust")
    tab.wait_for_function(f"(first) => ({STAGE})()[2] !== first", arg=first, timeout=WAIT)
    changed = stage(tab)
    tab.get_by_role("button", name="Stop").click()
    assert tab.locator("#stage").is_hidden()
    height, width, _ = shown.shape
    at = {"top": -104, "left": -128}  # 26 x 32 cells of 8 pixels around the origin
    dark, light = (planes["many"].window(height, width, texture=name, **at) for name in ("moss", "sand"))
    assert differing(shown[:, :96], dark[:, :96]) < 20 and differing(shown[:, 160:], light[:, 160:]) < 20
    assert differing(changed[:, :96], planes["many"].window(height, width, texture="sand", **at)[:, :96]) < 20


def test_the_camera_paints_until_it_is_stopped(show):
    tab = show("#model=many")
    tab.get_by_role("tab", name="Live").click()
    tab.get_by_role("button", name="Camera").click()
    tab.get_by_text("pictures a second").wait_for(timeout=WAIT)
    first = tab.evaluate(STAGE)
    tab.wait_for_function(f"(first) => ({STAGE})()[2] !== first", arg=first[2], timeout=WAIT)
    tab.get_by_role("button", name="Hold").click()
    assert tab.get_by_role("button", name="Hold").get_attribute("aria-pressed") == "true"
    tab.get_by_role("tab", name="Live").click()
    assert tab.locator("#stage").is_hidden()


def test_a_camera_that_is_missing_is_said(chromium, site):
    with opened(chromium, f"{site}#model=many") as tab:
        tab.evaluate("() => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new Error('none')); }")
        tab.get_by_role("tab", name="Live").click()
        tab.get_by_role("button", name="Camera").click()
        tab.get_by_text("there is no camera, or this page may not use it").wait_for(timeout=WAIT)


def test_the_noise_moves_in_a_loop(show, planes):
    tab = show("#model=one")
    tab.get_by_role("tab", name="Live").click()
    tab.get_by_role("button", name="Motion").click()
    tab.get_by_text("A loop", exact=True).wait_for(timeout=WAIT)  # all moments are computed
    assert tab.locator("#stage").is_visible() and stage(tab)[..., :3].std() > 1
    with tab.expect_download(timeout=WAIT) as download:
        tab.get_by_role("button", name="Save the loop").click()
    with Image.open(download.value.path()) as file:
        assert (file.n_frames, file.info["loop"], file.info["duration"]) == (24, 0, 80.0)
        at = {"height": file.height, "width": file.width, "top": -file.height // 2, "left": -file.width // 2}
        for moment in (0, 1, 12, 23):
            file.seek(moment)
            scene = Scene(0, time=moment / 24, amount=0.4 if moment else 0.0)
            assert differing(np.asarray(file.convert("RGBA")), planes["one"].render(scene, **at)) < 20


def test_another_model_can_be_chosen(chromium, site, planes):
    with opened(chromium, site) as tab:
        tab.get_by_role("tab", name="Texture").click()
        tab.get_by_role("group", name="Models").get_by_text("one").click()
        tab.wait_for_function("app.entry.name === 'one' && app.layer", timeout=WAIT)
        idle(tab)
        shown = tiles(tab)
    for (col, row, _), pixels in shown.items():
        assert differing(pixels, planes["one"].window(256, 256, top=256 * row, left=256 * col)) < 20


def test_a_backend_that_is_missing_is_replaced_with_a_note(chromium, site):
    with opened(chromium, f"{site}?backend=webgpu#model=one") as tab:
        assert tab.evaluate("app.pool.backend") == "wasm"
        assert tab.locator("#notice").inner_text().startswith("WebGPU is not used: ")


def test_a_backend_that_computes_other_pixels_is_not_used(chromium, site):
    context = chromium.new_context()
    tab = context.new_page()

    def falsified(route):
        model = route.fetch().json()
        wrong = bytes(value ^ 64 for value in base64.b64decode(model["reference"]["pixels"]))
        model["reference"]["pixels"] = base64.b64encode(wrong).decode()
        route.fulfill(body=json.dumps(model))

    tab.route("**/meta.json", falsified)
    tab.goto(site)
    notice = tab.locator("#notice p")
    notice.filter(has_text="its reference picture differs by 64 of 255").wait_for(timeout=WAIT)
    assert tab.evaluate("app.pool") is None
    context.close()


@pytest.mark.parametrize("address", ["**/meta.json", "**/model.onnx", "**/*.wasm"])
def test_a_host_that_goes_away_is_said_and_waited_for(chromium, site, address):
    context = chromium.new_context(**browser.DESKTOP, bypass_csp=True)
    tab = context.new_page()
    away = iter(range(2))
    tab.route(address, lambda route: route.continue_() if next(away, None) is None else route.abort())
    tab.goto(site)
    tab.locator("#notice p").filter(has_text="does not answer").wait_for(timeout=WAIT)
    idle(tab)
    assert tab.locator("#notice").is_hidden() and len(tiles(tab)) >= 4
    context.close()


@pytest.mark.parametrize("missing", ["**/meta.json", "**/*.wasm"])
def test_a_file_that_is_missing_is_named(chromium, site, missing):
    context = chromium.new_context()
    tab = context.new_page()
    tab.route(missing, lambda route: route.fulfill(status=404, body=""))
    tab.goto(site)
    tab.locator("#notice p").filter(has_text="(HTTP 404)").wait_for(timeout=WAIT)
    context.close()


def test_the_page_says_that_it_does_not_run_from_a_file(chromium, site):
    context = chromium.new_context()
    tab = context.new_page()
    tab.goto((shared.made("browser_pages", _make) / "some" / "path" / "index.html").as_uri())
    assert "python3 -m http.server" in tab.locator("#notice").inner_text()
    context.close()


ROW_HEIGHTS = """[...document.querySelectorAll("#panels .row > button")].map((node) => node.offsetHeight)
  .filter(Boolean)"""


@pytest.mark.parametrize("scheme, options", [("light", {}), ("dark", PHONE)], ids=["desktop", "phone"])
def test_the_page_keeps_the_accessibility_rules(chromium, site, options, scheme):
    with opened(chromium, f"{site}#model=many", color_scheme=scheme, **options) as tab:
        assert browser.broken_rules(tab) == []
        for name in tab.get_by_role("tab").all_inner_texts():
            tab.get_by_role("tab", name=name).click()
            heights = tab.evaluate(ROW_HEIGHTS)
            assert heights and max(heights) <= 44, name  # no text in two lines


def test_the_keyboard_moves_and_zooms(show):
    tab = show("#model=one")
    tab.locator("#map").focus()
    tab.keyboard.press("ArrowRight")
    tab.wait_for_function("app.state.x > 0", timeout=WAIT)
    tab.keyboard.press("+")
    tab.wait_for_function("app.state.zoom === 1", timeout=WAIT)
