"""Encoders of animated WebP, GIF and MP4, one frame at a time.

Pillow encodes single frames of WebP and GIF; the containers are written here, because Pillow's own writers hold all
frames in memory and drop frames equal to the one before. Sources: the WebP container specification (RFC 9649), the
GIF89a specification, and for the profile in a GIF ICC.1:2022, annex B. Every frame is coded independently, and WebP and
GIF files repeat for ever. An MP4 cannot express that; its player decides.

Each function takes a path that does not exist, frames uint8 [height, width, 3] of one extent, their number, frames per
second, and a text to keep in the file.
"""

import struct
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from tf_psgan.data.colour import srgb_profile
from tf_psgan.errors import SettingError

WEBP_QUALITY = {"quality": 95, "method": 2}
"""36 to 40 dB, limited by WebP's half-resolution colours: quality 100 adds 0.8 dB for a third more bytes, method 4
adds nothing."""

WEBP_BYTES = 2**32 - 2
PALETTE_PIXELS = 2**16
MP4_CODEC: Final = "libx264"
MP4_QUALITY = {"crf": "17", "preset": "medium"}


def webp(path: Path, frames: Iterator[np.ndarray], count: int, rate: Fraction, text: str) -> None:
    """Animated WebP, lossy; the text is kept in the EXIF ImageDescription. SettingError beyond 4 GiB."""
    exif = Image.Exif()
    exif[0x010E] = text
    metadata = _chunk(b"EXIF", exif.tobytes().removeprefix(b"Exif\0\0"))
    with path.open("wb") as stream:
        stream.write(b"RIFF    WEBP")
        for i, (frame, duration) in enumerate(zip(frames, durations(count, rate, 1000), strict=True)):
            extent = _uint24(frame.shape[1] - 1) + _uint24(frame.shape[0] - 1)
            if i == 0:
                animated, has_exif, has_profile = 0x02, 0x08, 0x20
                stream.write(_chunk(b"VP8X", struct.pack("<I", animated | has_exif | has_profile) + extent))
                stream.write(_chunk(b"ICCP", srgb_profile()))
                stream.write(_chunk(b"ANIM", struct.pack("<IH", 0, 0)))  # background; 0 for ever
            still = BytesIO()
            Image.fromarray(frame).save(still, "WEBP", **WEBP_QUALITY)
            offset, opaque = bytes(6), b"\2"
            picture = still.getvalue()[12:]  # without "RIFF", size and "WEBP"
            stream.write(_chunk(b"ANMF", offset + extent + _uint24(duration) + opaque + picture))
            if stream.tell() + len(metadata) > WEBP_BYTES:
                problem = f"{i + 1} of {count} fill the 4 GiB of a WebP file"
                allowed = "choose .mp4, fewer or smaller frames"
                raise SettingError("frames", problem, allowed, value=count, settings=("frames", "out"))
        stream.write(metadata)
        size = stream.tell() - 8
        stream.seek(4)
        stream.write(struct.pack("<I", size))


def gif(path: Path, frames: Iterator[np.ndarray], count: int, rate: Fraction, text: str) -> None:
    """Animated GIF; the text is its comment.

    All frames share one palette, so that colours do not flicker where nothing moves. The palette depends on all frames;
    they are kept in an unnamed temporary file in the folder of `path` until it is known.
    """
    random = np.random.default_rng(0)
    sample = []
    with tempfile.TemporaryFile(dir=path.parent) as spool, path.open("wb") as stream:
        for frame in frames:
            spool.write(np.ascontiguousarray(frame).data)
            pixels = frame.reshape(-1, 3)
            sample.append(pixels[random.integers(len(pixels), size=-(-PALETTE_PIXELS // count))])
            height, width = frame.shape[:2]
        seen = Image.fromarray(np.concatenate(sample)[np.newaxis])
        palette = seen.quantize(256, Image.Quantize.MEDIANCUT, kmeans=1)
        spool.seek(0)
        for i, duration in enumerate(durations(count, rate, 100)):
            frame = np.frombuffer(spool.read(height * width * 3), np.uint8).reshape(height, width, 3)
            # Error diffusion cuts the error of the mean of 8 x 8 pixels, which is what one sees, to a third.
            picture = Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
            encoded = BytesIO()
            picture.save(encoded, "GIF", optimize=False, interlace=0)
            still = encoded.getvalue()
            body = 13 + 3 * 2 ** ((still[10] & 7) + 1)  # behind the extent and the palette
            if i == 0:
                stream.write(b"GIF89a" + still[6:body])
                stream.write(b"!\xff" + _sub_blocks(b"NETSCAPE2.0")[:-1] + _sub_blocks(b"\1\0\0"))  # 0: for ever
                stream.write(b"!\xff" + _sub_blocks(b"ICCRGBG1012")[:-1] + _sub_blocks(srgb_profile()))
                stream.write(b"!\xfe" + _sub_blocks(text.encode()))
            stream.write(b"!\xf9" + _sub_blocks(struct.pack("<BHB", 0, duration, 0)))
            stream.write(still[body:-1])
        stream.write(b";")


def mp4(path: Path, frames: Iterator[np.ndarray], count: int, rate: Fraction, text: str) -> None:
    """H.264 with half-resolution colours, which every player supports; the text is the file's comment. Needs PyAV."""
    import av
    from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

    # faststart: the index is in front, so that playing can start before the file is loaded. The time scale makes the
    # duration an integer.
    options = {"movflags": "+faststart", "movie_timescale": str(1000 * rate.numerator)}
    with av.open(str(path), "w", format="mp4", options=options) as container:
        container.metadata["comment"] = text
        stream = container.add_stream(MP4_CODEC, rate=rate, options=MP4_QUALITY)
        stream.pix_fmt = "yuv420p"
        # Without these, a player guesses the colour space from the extent.
        stream.codec_context.colorspace = Colorspace.ITU709
        stream.codec_context.color_range = ColorRange.MPEG
        stream.codec_context.color_primaries = ColorPrimaries.BT709
        stream.codec_context.color_trc = ColorTrc.IEC61966_2_1
        for i, frame in enumerate(frames):
            if i == 0:
                stream.height, stream.width = frame.shape[:2]
            picture = av.VideoFrame.from_ndarray(frame, "rgb24")
            container.mux(stream.encode(picture.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)))
        container.mux(stream.encode())


def durations(count: int, rate: Fraction, unit: int) -> list[int]:
    """How long each frame is shown, in 1 / `unit` seconds: integers whose sum is exact to half a unit."""
    return [after - before for before, after in pairwise(round(i * unit / rate) for i in range(count + 1))]


def _chunk(name: bytes, body: bytes) -> bytes:
    """A chunk of a RIFF file, padded to an even length."""
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def _sub_blocks(data: bytes) -> bytes:
    """Data as GIF sub-blocks: parts of at most 255 bytes, each preceded by its length, then a 0."""
    parts = [data[i : i + 255] for i in range(0, len(data), 255)]
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def _uint24(number: int) -> bytes:
    return number.to_bytes(3, "little")
