// The panel of moving pictures: the camera or a picture paints with textures, or the noise moves in a loop.
//
// The camera's picture is reduced to one value a cell in this page; it is not stored. Over a server these values are sent,
// as weights of textures, and nothing else.

import { animatedPng } from "./animated-png.js";
import { button, element, labelled, pngOf, saveFile } from "./elements.js";
import { reduced, weightsFromLight } from "./light.js";
import { textureOf } from "./state.js";

const SIDES = [256, 384, 512];
const BLOCK = 512; // pixels
const LOOP_FRAMES = 24;
const LOOP_AMOUNT = 0.4;
const LOOP_MS = 80;
const FIRST_TEXTURES = 4;
const MOST_TEXTURES = 12;

/** @param {object} app see `main.js`. */
export function livePanel(app) {
  const stage = document.getElementById("stage");
  const context = stage.getContext("2d");
  const video = element("video", { muted: true, playsInline: true });
  const small = element("canvas").getContext("2d", { willReadFrequently: true });
  const text = element("p", { className: "hint", role: "status" }, "");
  const several = app.model.textures.length > 1;
  let turn = 0; // counts up when another picture is chosen, which ends the loop of the one before
  let stream = null;
  let kept = null; // while it is held: "next" for the next light, then the light and its cells

  const palette = element("input", { type: "text", size: 12, value: paletteOf(app).join(", ") });
  let own = false; // whether the palette is the user's, or that of the chosen texture
  palette.oninput = () => {
    own = Boolean(palette.value.trim());
  };
  const side = element("select", {}, ...SIDES.map((n) => element("option", { value: n }, `${n} pixels`)));
  const mirror = element("input", { type: "checkbox", checked: true });
  const hold = button("Hold", () => {
    kept = kept ? null : "next";
    hold.setAttribute("aria-pressed", String(Boolean(kept)));
  });
  hold.setAttribute("aria-pressed", "false");
  const file = element("input", { type: "file", accept: "image/*", hidden: true });
  file.onchange = () => {
    const [chosen] = file.files;
    if (chosen) start((isOn) => showPicture(chosen, isOn));
    file.value = "";
  };
  const camera = button("Camera", () => start(showCamera), "main");
  const still = button("A picture", () => file.click());
  const loop = button("Motion", () => start(showLoop), several ? "plain" : "main");
  const stop = button("Stop", () => end());
  const save = button("Save the loop", () => {});
  save.hidden = true;
  side.onchange = () => {
    const { again } = start;
    if (again) start(again);
  };

  /** The textures from dark to light; the chosen one and the next ones where the text names none. */
  function chosen() {
    const named = palette.value.split(",").map((key) => key.trim());
    const keys = named.filter(Boolean).slice(0, MOST_TEXTURES);
    return (keys.length ? keys : paletteOf(app)).map((key) => textureOf(key, app.model));
  }

  /** The cells of a frame: in the middle of the view, with the window's proportions. */
  function extent() {
    const [width, height] = [innerWidth, innerHeight];
    const longest = Number(side.value) / app.cell;
    const cols = Math.max(1, Math.round(width >= height ? longest : (longest * width) / height));
    const rows = Math.max(1, Math.round(height >= width ? longest : (longest * height) / width));
    const [row, col] = [
      [app.state.y, rows],
      [app.state.x, cols],
    ].map(([middle, length]) => inBlock(Math.round(middle / app.cell - length / 2), length));
    return { row, col, rows, cols };
  }

  /** A server computes whole blocks: there a frame lies in one, the nearest, instead of in up to four. */
  function inBlock(first, length) {
    if (!app.pool.remote) return first;
    const side = BLOCK / app.cell;
    const block = Math.floor((first + length / 2) / side) * side;
    return Math.min(Math.max(first, block), block + side - length);
  }

  /** Computes a frame in as many strips as there are workers; a server is asked once. `fast`: it may send a JPEG. */
  async function frame(scene, { row, col, rows, cols }, fast = false) {
    const strips = app.pool.remote ? 1 : Math.min(app.pool.workers, rows);
    const borders = Array.from({ length: strips + 1 }, (_, i) => Math.round((i * rows) / strips));
    return Promise.all(
      borders.slice(1).map(async (to, i) => {
        const from = borders[i];
        const request = { scene, row: row + from, col, rows: to - from, cols, reduce: 1, fast };
        const pixels = await app.pool.pixels(request, -1);
        return [new ImageData(pixels, cols * app.cell, (to - from) * app.cell), from * app.cell];
      }),
    );
  }

  function show(parts) {
    const width = parts[0][0].width;
    const height = parts.reduce((sum, [part]) => sum + part.height, 0);
    if (stage.width !== width || stage.height !== height) [stage.width, stage.height] = [width, height];
    for (const [part, top] of parts) context.putImageData(part, 0, top);
    stage.hidden = false;
  }

  async function start(work) {
    end();
    start.again = work;
    const mine = ++turn;
    try {
      await work(() => mine === turn);
    } catch (error) {
      if (mine !== turn) return;
      end();
      text.textContent = `This did not work: ${error.message}.`;
    }
  }

  function end() {
    turn++;
    start.again = null;
    kept = null;
    hold.setAttribute("aria-pressed", "false");
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = null;
    video.srcObject = null;
    stage.hidden = save.hidden = true;
    text.textContent = "";
  }

  /** Draws what a source shows, again and again while `isOn()`. */
  async function paintFrom(source, width, height, isOn, mirrored) {
    const times = [];
    while (isOn()) {
      const cells = extent();
      const scene = { ...app.scene(), dabs: [], corners: null };
      scene.textures = chosen();
      let seen = kept;
      if (!kept?.light) {
        [small.canvas.width, small.canvas.height] = [cells.cols, cells.rows];
        seen = { cells, light: reduced(source, width(), height(), small, mirrored()) };
        if (kept) kept = seen;
      }
      scene.map = { ...seen.cells, weights: weightsFromLight(seen.light, scene.textures.length) };
      scene.weights = scene.textures.map(() => 0);
      const parts = await frame(scene, cells, true);
      if (!isOn()) return;
      show(parts);
      times.push(performance.now());
      if (times.length > 12) times.shift();
      const rate = times.length > 1 ? (1000 * (times.length - 1)) / (times.at(-1) - times[0]) : 0;
      text.textContent = `${rate.toFixed(1)} pictures a second, ${stage.width} × ${stage.height} pixels`;
      await new Promise(requestAnimationFrame); // pauses while the page is hidden
    }
  }

  async function showCamera(isOn) {
    if (!navigator.mediaDevices) throw new Error("browsers give the camera to pages over https only");
    text.textContent = "Waiting for the camera";
    const found = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user", width: 320 } }).catch(() => {
      throw new Error("there is no camera, or this page may not use it");
    });
    if (!isOn()) {
      for (const track of found.getTracks()) track.stop();
      return;
    }
    stream = found;
    video.srcObject = found;
    await video.play();
    const size = [() => video.videoWidth, () => video.videoHeight];
    await paintFrom(video, ...size, isOn, () => mirror.checked);
  }

  async function showPicture(chosen, isOn) {
    const bitmap = await createImageBitmap(chosen).catch(() => {
      throw new Error("the file is no picture that this browser can read");
    });
    const size = [() => bitmap.width, () => bitmap.height];
    await paintFrom(bitmap, ...size, isOn, () => false);
  }

  /** A loop through which the noise changes; its frames are computed once. */
  async function showLoop(isOn) {
    const frames = [];
    const cells = extent();
    for (let i = 0; isOn(); i = (i + 1) % LOOP_FRAMES) {
      if (!frames[i]) {
        const change = i ? { time: i / LOOP_FRAMES, amount: LOOP_AMOUNT } : null;
        frames[i] = await frame({ ...app.scene(), change }, cells);
        text.textContent = `Moment ${i + 1} of ${LOOP_FRAMES} computed`;
      } else {
        if (save.hidden) offerLoop(frames);
        text.textContent = "A loop";
        await new Promise((resolve) => setTimeout(resolve, LOOP_MS));
      }
      if (isOn()) show(frames[i]);
    }
  }

  /** Lets the loop be saved, with the pixels that are shown. */
  function offerLoop(frames) {
    save.hidden = false;
    save.onclick = async () => {
      save.disabled = true;
      try {
        const files = [];
        for (const parts of frames) {
          const canvas = element("canvas", { width: stage.width, height: stage.height });
          for (const [part, top] of parts) canvas.getContext("2d").putImageData(part, 0, top);
          files.push(await pngOf(canvas));
        }
        saveFile(await animatedPng(files, LOOP_MS), `${app.entry.name}-loop.png`);
      } catch (error) {
        app.say(`The loop cannot be saved: ${error.message}.`);
      } finally {
        save.disabled = false;
      }
    };
  }

  const hint = several
    ? app.pool.remote
      ? "Light and shadow choose among the model's textures. One value a cell goes to the server, no picture."
      : "Light and shadow choose among the model's textures. The picture of the camera does not leave this page."
    : "The noise moves in a loop; a model of several textures can also follow the camera.";
  const node = element(
    "div",
    {},
    element("p", { className: "hint" }, hint),
    element("div", { className: "row" }, ...(several ? [camera, still] : []), loop, stop, save),
    ...(several ? [element("div", { className: "row" }, ...labelled("Textures, dark to light", palette))] : []),
    element(
      "div",
      { className: "row" },
      ...labelled("Longest side", side),
      ...(several ? [...labelled("Mirror", mirror), hold] : []),
    ),
    text,
    file,
  );
  const refresh = () => {
    if (!own) palette.value = paletteOf(app).join(", ");
  };
  return { node, refresh, close: end };
}

/** The keys of textures from dark to light: the chosen one and the next ones of the model. */
function paletteOf(app) {
  const { textures } = app.model;
  const chosen = textures.findIndex(({ key }) => key === app.state.texture);
  const first = Math.max(0, chosen);
  const count = Math.min(textures.length, FIRST_TEXTURES);
  return Array.from({ length: count }, (_, i) => textures[(first + i) % textures.length].key);
}
