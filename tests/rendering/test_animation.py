"""Animations, decoded again: every frame, its duration, and no file left after an error."""

import json
import sys
import weakref

import av
import numpy as np
import pytest
from PIL import Image

from tf_psgan.data.colour import srgb_profile
from tf_psgan.rendering.animation import encoders
from tf_psgan.rendering.animation import writer as animation_writer

COUNT, RATE = 7, 30.0
IDENTITY = {"model": "clay at step 3", "texture": "n\u00ba 2"}
LEAST_DECIBELS = {".webp": 34.0, ".gif": 30.0, ".mp4": 34.0}


def pan(count=COUNT, height=48, width=64):
    """A soft wave in three tints, which moves on by two pixels a frame."""
    rows, cols = np.mgrid[:height, :width][..., np.newaxis]
    for i in range(count):
        wave = np.sin((rows + 0.5 * cols + 2 * i) * 2 * np.pi / 32)
        yield np.rint((128, 120, 100) + wave * (90, 70, 60)).astype(np.uint8)


def write(out, frames=None, count=COUNT, rate=RATE):
    animation_writer.write(out, pan(count) if frames is None else frames, count, rate, IDENTITY)
    return out


def read(path):
    """The frames, how long each stands in seconds, and the text."""
    if path.suffix == ".mp4":
        with av.open(str(path)) as container:
            video = container.streams.video[0]
            frames = list(container.decode(video))
            starts = [float(frame.pts * frame.time_base) for frame in frames] + [
                float(video.duration * video.time_base)
            ]
            pictures = [frame.to_ndarray(format="rgb24") for frame in frames]
            return np.stack(pictures), np.diff(starts), container.metadata["comment"]
    pictures, seconds = [], []
    with Image.open(path) as image:
        assert image.info["loop"] == 0  # for ever
        for i in range(image.n_frames):
            image.seek(i)
            pictures.append(np.asarray(image.convert("RGB")))
            seconds.append(image.info["duration"] / 1000)
        text = image.getexif()[0x010E] if path.suffix == ".webp" else image.info["comment"].decode()
    return np.stack(pictures), np.array(seconds), text


def decibels(found, expected):
    return 10 * np.log10(255**2 / np.mean((found.astype(float) - expected) ** 2))


@pytest.fixture(params=animation_writer.SUFFIXES)
def out(request, tmp_path):
    return tmp_path / f"clay{request.param}"


def test_every_frame_is_decoded_close_to_the_original(out):
    frames, expected = read(write(out))[0], np.stack(list(pan()))
    assert frames.shape == expected.shape
    for found, frame in zip(frames, expected, strict=True):
        assert decibels(found, frame) > LEAST_DECIBELS[out.suffix]
        if out.suffix != ".mp4":  # the neighbours are other frames
            assert min(decibels(found, other) for other in expected if other is not frame) < LEAST_DECIBELS[out.suffix]


def test_equal_frames_are_all_kept(out):
    still = [next(pan())] * COUNT
    frames, seconds, _ = read(write(out, still))
    assert len(frames) == COUNT
    assert sum(seconds) == pytest.approx(COUNT / RATE, abs=0.005)


def test_frames_last_as_long_as_the_rate_requires(out):
    # At 30 a second a frame has 3 1/3 hundredths, 33 1/3 thousandths; the rest is spread and not lost.
    seconds = read(write(out))[1]
    assert sum(seconds) == pytest.approx(COUNT / RATE, abs={".webp": 0.0005, ".gif": 0.005, ".mp4": 1e-9}[out.suffix])
    assert np.ptp(seconds) < {".webp": 0.0011, ".gif": 0.011, ".mp4": 1e-4}[out.suffix]


def test_durations_are_integers_with_an_exact_sum():
    assert encoders.durations(7, 30, 100) == [3, 4, 3, 3, 4, 3, 3]
    assert encoders.durations(4, 50, 100) == [2, 2, 2, 2]
    assert sum(encoders.durations(1001, 24, 1000)) == round(1001 * 1000 / 24)


def test_the_file_contains_its_identity(out):
    assert json.loads(read(write(out))[2]) == IDENTITY


@pytest.mark.parametrize("height, width", [(1, 1), (3, 301), (17, 2)])
@pytest.mark.parametrize("suffix", [".webp", ".gif"])
def test_any_extent_is_written(tmp_path, suffix, height, width):
    frames = read(write(tmp_path / f"a{suffix}", pan(height=height, width=width)))[0]
    assert frames.shape == (COUNT, height, width, 3)


def test_a_gif_has_one_palette_for_colours_of_all_frames(tmp_path):
    # The last frame alone is red; a palette of the first frames would not have it.
    frames = [np.full((20, 20, 3), (0, 0, 10 * i), np.uint8) for i in range(COUNT - 1)]
    frames.append(np.full((20, 20, 3), (200, 30, 20), np.uint8))
    path = write(tmp_path / "a.gif", frames)
    assert np.abs(read(path)[0][-1].astype(int) - frames[-1]).max() <= 4
    with Image.open(path) as image:
        palettes = set()
        for i in range(image.n_frames):
            image.seek(i)
            assert image.global_palette is not None
            palettes.add(bytes(image.global_palette.palette))
        assert len(palettes) == 1


def test_a_gif_holds_the_profile_of_srgb(tmp_path):
    rest = write(tmp_path / "a.gif").read_bytes().partition(b"\x21\xff\x0bICCRGBG1012")[2]
    profile = b""
    while rest[0]:
        profile, rest = profile + rest[1 : 1 + rest[0]], rest[1 + rest[0] :]
    assert profile == srgb_profile()


def test_equal_frames_are_decoded_equal_so_that_a_loop_closes(tmp_path):
    frames = [*pan(), next(pan())]
    for suffix in (".webp", ".gif"):
        found = read(write(tmp_path / f"a{suffix}", frames, len(frames)))[0]
        np.testing.assert_array_equal(found[-1], found[0])


def test_the_index_of_an_mp4_is_in_front(tmp_path):
    data = write(tmp_path / "a.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


def test_an_mp4_has_the_codec_that_players_support_and_names_its_colour_space(tmp_path):
    with av.open(str(write(tmp_path / "a.mp4"))) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert [int(context.colorspace), int(context.color_range), int(context.color_primaries)] == [1, 1, 1]
        assert int(context.color_trc) == 13  # sRGB
        assert container.streams.video[0].average_rate == RATE


def test_frames_are_taken_one_at_a_time_and_not_kept(out):
    alive, most, count = weakref.WeakSet(), 0, 60

    class Frame(np.ndarray):  # plain arrays have no hash
        __hash__ = object.__hash__

    def frames():
        nonlocal most
        for made in pan(count, 16, 16):
            frame = made.view(Frame)
            alive.add(frame)
            most = max(most, len(alive))
            yield frame

    write(out, frames(), count)
    assert most <= 6


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_error_midway_leaves_the_old_file_and_nothing_else(out, error):
    out.write_bytes(b"old")

    def frames():
        yield from pan(3)
        raise error

    with pytest.raises(error):
        write(out, frames())
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    assert out.read_bytes() == b"old"


@pytest.mark.parametrize(
    "frames, words",
    [
        (lambda: [], "frames: none instead of 7"),
        (lambda: pan(COUNT - 1), "frames: 6 instead of 7"),
        (lambda: pan(COUNT + 1), "frames: more than 7"),
        (lambda: [*pan(1), *pan(6, height=50)], r"number 2 is uint8 \(50, 64, 3\), not uint8 \(48, 64, 3\)"),
        (lambda: [frame / 255 for frame in pan()], "number 1 is float64"),
    ],
)
def test_frames_of_another_number_or_kind_are_errors(out, frames, words):
    with pytest.raises(ValueError, match=words):
        write(out, frames())
    assert list(out.parent.iterdir()) == []


@pytest.mark.parametrize(
    "name, changes, words",
    [
        ("a.png", {}, "suffix '.png'; use one of .webp, .gif, .mp4"),
        ("no/a.gif", {}, "folder .*no is missing; make it"),
        ("folder.gif", {}, "is a folder"),
        ("a.gif", {"count": 1}, "frames: 1 are no animation; give 2"),
        ("a.gif", {"frames_per_second": 60.0}, r"frames_per_second: 60 is outside 0.1 .. 50.* or another suffix"),
        ("a.webp", {"frames_per_second": 91.0}, "91 is outside 0.1 .. 90"),
        ("a.mp4", {"frames_per_second": 0.0}, "0 is outside 0.1 .. 240"),
        ("a.mp4", {"frames_per_second": float("nan")}, "nan is outside"),
        ("a.webp", {"width": 16384}, "480x16384 pixels, but the sides of .webp files have 1 to 16383"),
        ("a.gif", {"height": 65536}, "1 to 65535"),
        ("a.gif", {"height": 0}, "1 to 65535"),
        ("a.gif", {"height": 60000, "width": 60000}, "more than 400000000; make smaller frames"),
        ("a.mp4", {"height": 255, "width": 301}, "255x301, .* choose 254x300 or 256x302"),
        ("a.mp4", {"height": 1}, "choose 2x640 or 2x640"),
    ],
)
def test_what_cannot_be_written_is_an_error_before_any_work(tmp_path, name, changes, words):
    (tmp_path / "folder.gif").mkdir()
    given = {"count": 24, "height": 480, "width": 640, "frames_per_second": 24.0} | changes
    with pytest.raises(ValueError, match=words):
        animation_writer.check(tmp_path / name, **given)


@pytest.mark.parametrize("suffix", animation_writer.SUFFIXES)
def test_what_can_be_written_passes_the_check(tmp_path, suffix):
    animation_writer.check(tmp_path / f"A{suffix.upper()}", 2, 1080, 1920, 50.0)


def test_a_missing_package_for_mp4_is_an_error_that_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ValueError, match=r"needs the package av .*pip install 'tf_psgan\[video\]', or choose .webp"):
        animation_writer.check(tmp_path / "a.mp4", 24, 480, 640, 24.0)
    animation_writer.check(tmp_path / "a.gif", 24, 480, 640, 24.0)


def test_a_missing_codec_for_mp4_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(av, "codecs_available", frozenset({"mpeg4"}))
    with pytest.raises(ValueError, match="the installed package av has no libx264; install the one of PyPI"):
        animation_writer.check(tmp_path / "a.mp4", 24, 480, 640, 24.0)


def test_a_webp_too_large_for_its_format_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(encoders, "WEBP_BYTES", 2000)
    with pytest.raises(ValueError, match=r"of 7 fill the 4 GiB of a WebP file; choose \.mp4"):
        write(tmp_path / "a.webp")
    assert list(tmp_path.iterdir()) == []
