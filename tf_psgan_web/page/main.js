// The page: opens the models, the map and the panels, and keeps them at one state.

import { Pool } from "./texture/pool.js";
import { answer } from "./texture/remote.js";
import { blendPanel } from "./ui/blend-panel.js";
import { element } from "./ui/elements.js";
import { planeMap, textureLayer } from "./ui/layer.js";
import { livePanel } from "./ui/live-panel.js";
import { paintPanel } from "./ui/paint-panel.js";
import { savePanel } from "./ui/save-panel.js";
import { canBlend, fromAddress, initial, sceneOf, toAddress, ZOOM } from "./ui/state.js";
import { makeTabs } from "./ui/tabs.js";
import { texturePanel } from "./ui/texture-panel.js";

const { L } = globalThis;
const REFRESH_MS = 250; // of the address and the status line

/** The page's one object. Panels read `state`, `model`, `pool`, `map`, and change the state by `update`. */
class App {
  models = [];
  entry = null; // of models.json
  model = null; // its meta.json
  pool = null;
  map = null;
  layer = null;
  state = initial();
  #panels = [];
  #tabs = null;
  #opening = 0;
  #leaving = new AbortController(); // ends the downloads of a model that is left
  #timer = 0;
  #troubled = false;

  async start() {
    this.state = fromAddress(location.hash);
    this.models = (await this.#json("models.json")).models;
    this.map = planeMap(L, document.getElementById("map"), this.state, ZOOM);
    this.map.on("moveend", () => this.#moved());
    document.getElementById("zoom-in").onclick = () => this.map.zoomIn();
    document.getElementById("zoom-out").onclick = () => this.map.zoomOut();
    document.querySelector("#notice button").onclick = () => this.say("");
    globalThis.addEventListener("hashchange", () => this.#fromAddress());
    await this.openModel(this.state.model);
  }

  /** Side of a cell in pixels. */
  get cell() {
    return this.model.pixels_per_cell;
  }

  /** The scene of the present state. */
  scene() {
    return sceneOf(this.state, this.model);
  }

  /** Shows another model at the same place: the textures of the one before are not its own. */
  chooseModel(name) {
    this.state = { ...this.state, texture: "", blend: "", amount: 0, corners: "", dabs: [] };
    return this.openModel(name).catch((error) => this.fail(error));
  }

  /** Opens a model and shows the present state of it; the first one, where there is none of that name. */
  async openModel(name) {
    const turn = ++this.#opening;
    this.#leaving.abort();
    this.#leaving = new AbortController();
    return this.#open(name, turn, this.#leaving.signal).catch((error) => {
      if (turn === this.#opening) throw error; // otherwise another model is opened by now
    });
  }

  async #open(name, turn, signal) {
    const entry = this.models.find((model) => model.name === name) ?? this.models[0];
    this.#closeModel();
    this.state.model = entry === this.models[0] ? "" : entry.name;
    this.entry = entry;
    this.#showPoster();
    const folder = new URL(`${entry.folder}/`, document.baseURI).href;
    const model = await this.#json(`${folder}meta.json`, signal);
    let bytes = 0;
    const onBytes = (more) => {
      bytes += more;
      if (turn === this.#opening) this.#showProgress(`Loading, ${(bytes / 1e6).toFixed(1)} MB`);
    };
    const backend = new URLSearchParams(location.search).get("backend") ?? "";
    const onTrouble = (message) => turn === this.#opening && this.#trouble(message);
    const pool = await Pool.open(model, folder, { onBytes, backend, onTrouble, signal });
    if (turn !== this.#opening) return pool.close();
    [this.model, this.pool] = [model, pool];
    if (pool.note) this.say(pool.note);
    if (!canBlend(model) && (this.state.blend || this.state.dabs.length)) {
      this.say("This model was exported by an earlier version: blends and paintings are left out. Export it again.");
    }
    const source = () => ({ pool, scene: this.scene(), cell: this.cell });
    this.layer = textureLayer(L, source, (message) => this.say(`A tile cannot be computed: ${message}.`));
    this.layer.on("load", () => document.getElementById("poster").style.setProperty("opacity", 0));
    this.layer.addTo(this.map);
    this.#makePanels();
    this.#later();
  }

  /**
   * Changes the state and draws it.
   *
   * @param {object} changes of the state.
   * @param {number[]} [part] top, left, height and width of the only pixels that change.
   */
  update(changes, part) {
    Object.assign(this.state, changes);
    if (part) this.layer.repaintPart(...part);
    else this.layer.repaint();
    document.getElementById("poster").style.setProperty("opacity", 0);
    for (const panel of this.#panels) panel.refresh();
    this.#later();
  }

  /** Shows a message over the page; "" closes it. */
  say(message) {
    const notice = document.getElementById("notice");
    notice.querySelector("p").textContent = message;
    notice.hidden = !message;
  }

  /** Says that a server does not answer; "" when it does. */
  #trouble(message) {
    if (message) this.say(message);
    else if (this.#troubled) this.say("");
    this.#troubled = Boolean(message);
  }

  /** A file of the page's server, as soon as that has it. */
  async #json(address, signal) {
    const response = await answer(address, (message) => this.#trouble(message), signal);
    if (!response.ok) throw new Error(`${address} cannot be loaded (HTTP ${response.status})`);
    return response.json();
  }

  #makePanels() {
    const several = this.model.textures.length > 1;
    const tabs = [
      { name: "Texture", panel: texturePanel(this) },
      ...(several ? [{ name: "Blend", panel: blendPanel(this) }] : []),
      ...(several && canBlend(this.model) ? [{ name: "Paint", panel: paintPanel(this) }] : []),
      ...(canBlend(this.model) ? [{ name: "Live", panel: livePanel(this) }] : []),
      { name: "Save", panel: savePanel(this) },
    ];
    this.#panels = tabs.map(({ panel }) => panel);
    this.#tabs = makeTabs(document.getElementById("tabs"), document.getElementById("panels"), tabs);
  }

  #closeModel() {
    this.#tabs?.close();
    this.layer?.remove();
    this.pool?.close();
    [this.layer, this.pool] = [null, null];
  }

  /** The stored picture of the origin, until the tiles are there. */
  #showPoster() {
    const poster = document.getElementById("poster");
    const { texture, blend, corners, dabs, seed } = this.state;
    const plain = !this.entry.picture && !texture && !blend && !corners && !dabs.length && seed === 0n;
    const { x, y, zoom } = this.state;
    poster.style.opacity = plain && zoom === 0 && Math.max(Math.abs(x), Math.abs(y)) < 1 ? 1 : 0;
    poster.style.backgroundImage = plain ? `url("${this.entry.folder}/poster.webp")` : "";
  }

  #moved() {
    const { lat, lng } = this.map.getCenter();
    Object.assign(this.state, { x: Math.round(lng), y: Math.round(lat), zoom: this.map.getZoom() });
    this.#later();
  }

  #fromAddress() {
    if (location.hash === toAddress(this.state)) return;
    const wanted = fromAddress(location.hash);
    const other = (wanted.model || this.models[0].name) !== this.entry.name;
    this.state = wanted;
    this.map.setView([wanted.y, wanted.x], wanted.zoom, { animate: false });
    if (other) this.openModel(wanted.model).catch((error) => this.fail(error));
    else if (this.layer) this.update({});
  }

  /** Writes the address and the status line, soon. */
  #later() {
    this.#timer ||= setTimeout(() => {
      this.#timer = 0;
      const address = toAddress(this.state);
      if (address !== (location.hash || "#")) history.replaceState(null, "", address);
      this.#showStatus();
      if (this.pool?.waiting) this.#later();
    }, REFRESH_MS);
  }

  #showStatus() {
    if (!this.pool) return;
    const { x, y, zoom } = this.state;
    const scale = zoom ? ` · ${zoom > 0 ? `${2 ** zoom}×` : `1/${2 ** -zoom}`}` : "";
    const by = { webgpu: "GPU", wasm: `${this.pool.workers} × CPU`, server: "server" }[this.pool.backend];
    const speed = this.pool.milliseconds ? ` · ${Math.max(1, Math.round(this.pool.milliseconds))} ms a tile` : "";
    const place = `${x.toLocaleString("en")}, ${y.toLocaleString("en")}${scale}`;
    this.#status(this.entry.name, `${place} · ${by}${speed}`);
  }

  #showProgress(text) {
    this.#status(this.entry.name, text, element("progress", { "aria-label": "Loading" }));
  }

  #status(title, text, ...more) {
    const status = document.getElementById("status");
    status.replaceChildren(element("strong", {}, title), ...more, element("small", {}, text));
  }

  /** Reports what keeps the page from working. */
  fail(error) {
    console.warn(error);
    this.say(`The texture cannot be shown: ${error.message}. Reload the page to try again.`);
  }
}

const app = new App();
globalThis.app = app; // for the browser's console and the tests
app.start().catch((error) => app.fail(error));
