"""Exported pages for tests: small models, onnxruntime-web or a stand-in, Node.js, a file server, Chromium."""

import contextlib
import functools
import http.server
import json
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from tests.support import shared, small_export
from tf_psgan.exporting import web_page

ROOT = Path(__file__).resolve().parents[2]
RUNTIME = ROOT / "node_modules" / "onnxruntime-web"
MOSS, SAND = (-0.5, 0.25, 1.0), (0.75, 0.5, -0.125)


def run(path, **settings):
    """A small run; with global channels it has the textures moss, rust and sand and is conditional."""
    folder = small_export.run(path, conditioning="class", **settings)
    if settings.get("global_channels", 3):
        folder.write_texture("moss", MOSS, {"step": 3})
        folder.write_texture("sand", SAND, {"step": 3})
    return folder


def stand_in(path, files=web_page.RUNTIME_FILES):
    """A folder that looks like the npm package onnxruntime-web."""
    (path / "dist").mkdir(parents=True)
    (path / "package.json").write_text(json.dumps({"name": "onnxruntime-web", "version": "1.30.0"}))
    for name in files:
        (path / "dist" / name).write_text("")
    return path


@functools.cache
def runs():
    """The folder of the runs "many" (three textures) and "one" (a single texture), and their exported pages.

    `plain` is a page of the run "many" without onnxruntime-web; the tests of JavaScript read its meta.json.
    """
    return shared.made("small_pages", _make)


def _make(parent):
    run(parent / "many")
    run(parent / "one", global_channels=0)
    for name in ("many", "one"):
        web_page.export(parent / name, parent / f"plain_{name}", onnxruntime_web=stand_in(parent / f"stand_in_{name}"))


def meta(page):
    """The description of a page's first model, and its folder."""
    model = json.loads((page / web_page.MODELS).read_text())["models"][0]
    return json.loads((page / model["folder"] / "meta.json").read_text()), page / model["folder"]


def node(script, *arguments):
    """Runs a module of JavaScript with the Node.js that Playwright brings; its standard output."""
    from playwright._impl._driver import compute_driver_executable

    command = [compute_driver_executable()[0], "--input-type=module", "-", *map(str, arguments)]
    done = subprocess.run(command, input=script, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def require_browser():
    """Skips a test where there is no Chromium or no onnxruntime-web; the path of Chromium."""
    if not (RUNTIME / "package.json").is_file():
        pytest.skip("onnxruntime-web is not in node_modules: run npm ci")
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("no Chromium on this machine")


@contextlib.contextmanager
def file_server(folder):
    """Serves a folder as a plain static host; the address of its root."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Nothing: the standard handler writes every request to stderr."""
