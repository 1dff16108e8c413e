// The endless texture as a Leaflet layer: tiles of 256 pixels, computed by a pool, the nearest to the middle first.

import { dabsNear } from "../texture/paint.js";
import { hasAddress } from "../texture/remote.js";
import { MAX_PIXEL } from "../texture/scene.js";

const TILE = 256;
const PIECE = 512; // side in pixels of the windows of which a tile of a farther view consists

/**
 * @param {object} L Leaflet.
 * @param {() => { pool: object, scene: object, cell: number }} source what to draw with; `cell` in pixels.
 * @param {(message: string) => void} onError
 */
export function textureLayer(L, source, onError) {
  const Layer = L.GridLayer.extend({
    initialize(options) {
      L.GridLayer.prototype.initialize.call(this, options);
      this._drawn = new Map();
      this.on("tileunload", ({ tile }) => {
        this._cancel(tile);
        this._drawn.delete(tile);
      });
    },

    createTile(coords, done) {
      const tile = L.DomUtil.create("canvas");
      tile.width = tile.height = TILE;
      this._drawn.set(tile, { coords, cancels: [], done: () => done(null, tile) });
      this._draw(tile);
      return tile;
    },

    /** Draws every tile anew; what is shown stays until the new pixels have been computed. */
    repaint() {
      for (const tile of this._drawn.keys()) {
        this._cancel(tile);
        this._draw(tile);
      }
    },

    /** Draws the tiles anew that a rectangle of pixels touches. */
    repaintPart(top, left, height, width) {
      for (const [tile, { coords }] of this._drawn) {
        const side = TILE * 2 ** -coords.z;
        const touches = coords.x * side < left + width && (coords.x + 1) * side > left;
        if (!touches || coords.y * side >= top + height || (coords.y + 1) * side <= top) continue;
        this._cancel(tile);
        this._draw(tile);
      }
    },

    _cancel(tile) {
      const drawn = this._drawn.get(tile);
      for (const cancel of drawn?.cancels ?? []) cancel();
      if (drawn) drawn.cancels = [];
    },

    _draw(tile) {
      const { pool, scene, cell } = source();
      const drawn = this._drawn.get(tile);
      const { coords, cancels } = drawn;
      const finish = () => {
        drawn.done?.(); // Leaflet shows a tile from its first time on
        drawn.done = null;
      };
      const reduce = 2 ** -coords.z;
      const whole = TILE * reduce;
      const [top, first] = [coords.y * whole, coords.x * whole];
      const near = { ...scene, dabs: dabsNear(scene.dabs, ...around(top, first, whole, cell)) };
      const side = pool.remote && hasAddress(near) ? whole : Math.min(whole, PIECE);
      // In memory, not on the GPU: pixels are only put into it, and a GPU that is reset would leave it blank.
      const context = tile.getContext("2d", { willReadFrequently: true });
      let left = (whole / side) ** 2;
      for (let down = 0; down < whole; down += side) {
        for (let right = 0; right < whole; right += side) {
          const [y, x] = [top + down, first + right];
          if (Math.max(Math.abs(x), Math.abs(y)) + side > MAX_PIXEL) {
            if (--left === 0) finish();
            continue;
          }
          const request = { scene: near, row: y / cell, col: x / cell, rows: side / cell, cols: side / cell, reduce };
          cancels.push(
            pool.render(
              request,
              () => this._distance(coords),
              (pixels, message) => {
                if (!pixels) return onError(message);
                const part = side / reduce;
                context.putImageData(new ImageData(pixels, part, part), right / reduce, down / reduce);
                if (--left === 0) finish();
              },
            ),
          );
        }
      }
    },

    /** Of a tile from the middle of the view, in tiles; those of another zoom come last. */
    _distance(coords) {
      const map = this._map;
      if (!map) return Infinity;
      const middle = map.project(map.getCenter(), coords.z).divideBy(TILE);
      const apart = Math.hypot(coords.x + 0.5 - middle.x, coords.y + 0.5 - middle.y);
      return coords.z === this._tileZoom ? apart : 1e6 + apart;
    },
  });
  return new Layer({ tileSize: TILE, maxNativeZoom: 0, minZoom: -3, maxZoom: 3, keepBuffer: 1, updateWhenIdle: false });
}

/** The rectangle of pixels (top, left, height, width) that the weights of a square depend on, with the block around it. */
function around(top, left, side, cell) {
  const far = PIECE + 2 * cell;
  return [top - far, left - far, side + 2 * far, side + 2 * far];
}

/** A map whose coordinates are the pixels of the plane: x to the right, y downwards, without an end. */
export function planeMap(L, element, { x, y, zoom }, limits) {
  const crs = L.extend({}, L.CRS.Simple, { transformation: new L.Transformation(1, 0, 1, 0) });
  const map = L.map(element, {
    crs,
    zoomControl: false,
    attributionControl: false,
    minZoom: limits.least,
    maxZoom: limits.most,
    zoomSnap: 1,
    maxBounds: [
      [-MAX_PIXEL, -MAX_PIXEL],
      [MAX_PIXEL, MAX_PIXEL],
    ],
  });
  map.setView([y, x], zoom);
  return map;
}
