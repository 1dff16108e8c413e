"""Blocks of planes: requested once, kept within bounds, and given up when nobody waits for them."""

import asyncio

import numpy as np
import pytest

from tests.support.fake_server import paint
from tests.support.viewer import DESCRIPTION
from tf_psgan_serving.client.views import Window
from tf_psgan_serving.viewer.blocks import Blocks
from tf_psgan_serving.viewer.models import Version

VERSION = Version.from_description("m", 1, DESCRIPTION)
BLOCK = 512 * 512 * 3
VIEW = Window(height=256, width=256)
FAR = Window(height=256, width=256, top=5120)


class Renderer:
    """Renders when it may; counts what was requested and what was cancelled."""

    def __init__(self, *, open=True):
        self.views, self.cancelled, self.gate = [], 0, asyncio.Event()
        if open:
            self.gate.set()

    async def __call__(self, version, view):
        self.views.append(view)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return paint(view.seed, view.texture, view.top, view.left, view.height, view.width)


def blocks(render, most_bytes=10 * BLOCK):
    return Blocks(render, parallel=2, most_bytes=most_bytes)


async def steps():
    """Lets every task run until it waits."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_a_block_is_given_up_when_the_last_that_waits_for_it_goes():
    async def work():
        render = Renderer(open=False)
        kept = blocks(render)
        first, second = (asyncio.ensure_future(kept.window(VERSION, VIEW)) for _ in range(2))
        await steps()
        first.cancel()
        await steps()
        assert len(render.views) == 1 and render.cancelled == 0
        second.cancel()
        await steps()
        assert render.cancelled == 1
        render.gate.set()
        assert (await kept.window(VERSION, VIEW)).shape == (256, 256, 3)

    asyncio.run(work())


def test_waiting_blocks_that_nobody_wants_any_more_are_never_requested():
    async def work():
        render = Renderer(open=False)
        kept = blocks(render)
        views = [Window(height=512, width=512, top=512 * i) for i in range(6)]
        tasks = [asyncio.ensure_future(kept.window(VERSION, view)) for view in views]
        await steps()
        for task in tasks[1:]:
            task.cancel()
        await steps()
        render.gate.set()
        await tasks[0]
        assert render.views == views[:2]

    asyncio.run(work())


@pytest.mark.parametrize("most, requests", [(2 * BLOCK, 2), (BLOCK, 3)])
def test_the_least_recently_used_blocks_go_when_there_are_too_many_bytes(most, requests):
    async def work():
        render = Renderer()
        kept = blocks(render, most)
        for view in (VIEW, FAR, VIEW):
            await kept.window(VERSION, view)
        assert len(render.views) == requests

    asyncio.run(work())


def test_a_failed_block_fails_its_windows_and_is_requested_again():
    async def work():
        failures = [OSError("broken")]

        async def render(version, view):
            if failures:
                raise failures.pop()
            return paint(0, 0, view.top, view.left, view.height, view.width)

        kept = blocks(render)
        with pytest.raises(OSError, match="broken"):
            await kept.window(VERSION, VIEW)
        assert (await kept.window(VERSION, VIEW)).shape == (256, 256, 3)

    asyncio.run(work())


def test_a_server_with_smaller_limits_gets_smaller_requests():
    async def work():
        render = Renderer()
        limits = {"limits": {"height": 96, "width": 200, "pixels": 9000}}
        version = Version.from_description("m", 1, DESCRIPTION | limits | {"chunk_pixels": 32})
        found = await blocks(render).window(version, Window(height=256, width=256, top=-256, left=512), 8)
        whole = paint(0, 0, -256, 512, 256, 256).astype(float).reshape(32, 8, 32, 8, 3).mean(axis=(1, 3))
        np.testing.assert_allclose(found, whole, atol=0.51)
        assert {(view.height, view.width) for view in render.views} == {(64, 64)}

    asyncio.run(work())
