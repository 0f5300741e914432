/**
 * The layers as pictures, one canvas each: what every unit says, and where one that is looked at gets it from.
 *
 * A canvas has a pixel a unit, and the page's style enlarges it: while a digit is drawn all layers are painted anew at
 * every frame.
 */
import { LAYERS } from "./explain.js";
import { clip } from "./numbers.js";

/**
 * @typedef {import("./explain.js").LayerName} LayerName
 * @typedef {import("./explain.js").Unit} Unit
 * @typedef {import("./explain.js").Source} Source
 * @typedef {import("./network.js").Activations} Activations
 *
 * @typedef {object} Sheet how the maps of a layer lie beside each other, with a pixel between two
 * @property {number} maps
 * @property {number} columns
 * @property {number} side of a map
 */

/** @type {Record<LayerName, Sheet>} on a wide page; on a narrow one there are half the columns */
const SHEETS = {
  input: { maps: 1, columns: 1, side: 32 },
  c1: { maps: 6, columns: 6, side: 28 },
  s2: { maps: 6, columns: 6, side: 14 },
  c3: { maps: 16, columns: 8, side: 10 },
  s4: { maps: 16, columns: 8, side: 5 },
  c5: { maps: 120, columns: 20, side: 1 },
  f6: { maps: 84, columns: 14, side: 1 },
};

/** @type {Record<string, [number, number]>} how keys move in columns and rows */
const UNIT_WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * @param {Sheet} sheet
 * @returns {number} room of a map with the gap behind it, none between single units
 */
function pitch(sheet) {
  return sheet.side === 1 ? 1 : sheet.side + 1;
}

/**
 * @param {Sheet} sheet
 * @returns {[number, number]} columns and rows of the sheet, in units
 */
function sizeOf(sheet) {
  const gap = pitch(sheet) - sheet.side;
  return [sheet.columns * pitch(sheet) - gap, Math.ceil(sheet.maps / sheet.columns) * pitch(sheet) - gap];
}

/** Colours from the least value to the greatest, taken from the page's style. */
export class Palette {
  /** @param {HTMLElement} element whose style has the colours */
  constructor(element) {
    const style = getComputedStyle(element);
    const stops = ["--below", "--zero", "--above"].map((name) => rgbOf(style.getPropertyValue(name)));
    this.table = new Uint32Array(256);
    const bytes = new Uint8ClampedArray(this.table.buffer);
    for (let k = 0; k < 256; k++) {
      const place = k / 127.5 - 1;
      const end = place < 0 ? stops[0] : stops[2];
      for (let channel = 0; channel < 3; channel++) {
        bytes[4 * k + channel] = stops[1][channel] + Math.abs(place) * (end[channel] - stops[1][channel]);
      }
      bytes[4 * k + 3] = 255;
    }
  }

  /**
   * @param {number} value
   * @param {number} reach the value of the strongest colour
   * @returns {number} a pixel
   */
  pixel(value, reach) {
    return this.table[clip(Math.floor((value / reach) * 127.5 + 128), 0, 255)];
  }
}

/**
 * @param {string} code #rrggbb
 * @returns {number[]}
 */
function rgbOf(code) {
  return [1, 3, 5].map((k) => parseInt(code.trim().slice(k, k + 2), 16));
}

/**
 * Paint a square patch of numbers, a pixel each.
 * @param {HTMLCanvasElement} canvas
 * @param {number[]} values
 * @param {number} side
 * @param {Palette} palette
 */
export function paintPatch(canvas, values, side, palette) {
  canvas.width = canvas.height = side;
  const reach = Math.max(...values.map(Math.abs), 1e-9);
  const pixels = Uint32Array.from(values, (value) => palette.pixel(value, reach));
  const image = new ImageData(new Uint8ClampedArray(pixels.buffer), side, side);
  /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")).putImageData(image, 0, 0);
}

/** One layer on the page. */
export class LayerView {
  /**
   * @param {LayerName} name
   * @param {HTMLElement} parent
   * @param {(unit: Unit) => void} choose a unit was tapped, or gone to by key
   */
  constructor(name, parent, choose) {
    this.name = name;
    const isNarrow = !matchMedia("(min-width: 48rem)").matches;
    this.sheet = { ...SHEETS[name], columns: Math.ceil(SHEETS[name].columns / (isNarrow ? 2 : 1)) };
    this.choose = choose;
    /** @type {Unit} */
    this.unit = { layer: name, map: 0, row: 0, column: 0 };
    const figure = parent.appendChild(document.createElement("figure"));
    figure.className = name;
    this.caption = figure.appendChild(document.createElement("figcaption"));
    this.sheetElement = figure.appendChild(document.createElement("div"));
    this.canvas = this.sheetElement.appendChild(document.createElement("canvas"));
    this.caption.id = `layer-${name}`;
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-labelledby", this.caption.id);
    this.canvas.setAttribute("aria-describedby", "inside-hint");
    [this.canvas.width, this.canvas.height] = sizeOf(this.sheet);
    this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    this.image = new ImageData(this.canvas.width, this.canvas.height); // gaps between maps stay transparent
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.canvas.addEventListener("click", (event) => this.tap(event));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
  }

  /** @param {MouseEvent} event */
  tap(event) {
    const box = this.canvas.getBoundingClientRect();
    const [columns, rows] = sizeOf(this.sheet);
    this.goTo(Math.floor(((event.clientX - box.left) / box.width) * columns),
      Math.floor(((event.clientY - box.top) / box.height) * rows));
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const [columns, rows] = UNIT_WAYS[event.key] ?? [0, 0];
    const isChoice = event.key === "Enter" || event.key === " ";
    if (!(event.key in UNIT_WAYS) && !isChoice) return;
    event.preventDefault();
    const { map, row, column } = this.unit;
    const step = this.sheet.side === 1 ? 1 : this.sheet.side;
    const at = [(map % this.sheet.columns) * step + column, Math.floor(map / this.sheet.columns) * step + row];
    const [x, y] = [at[0] + columns, at[1] + rows];
    const gap = pitch(this.sheet) - this.sheet.side;
    this.goTo(x + gap * Math.floor(x / step), y + gap * Math.floor(y / step));
  }

  /**
   * Choose the unit at a place of the sheet; in a gap the one before it.
   * @param {number} x
   * @param {number} y
   */
  goTo(x, y) {
    const { maps, columns, side } = this.sheet;
    const room = pitch(this.sheet);
    const [width, height] = sizeOf(this.sheet);
    if (x < 0 || y < 0 || x >= width || y >= height) return;
    const map = Math.floor(y / room) * columns + Math.floor(x / room);
    if (map >= maps) return;
    this.unit = {
      layer: this.name, map, row: Math.min(y % room, side - 1), column: Math.min(x % room, side - 1),
    };
    this.choose(this.unit);
  }

  /**
   * Show the layer's values, and no outlines.
   * @param {Activations} values
   * @param {Palette} palette
   * @param {number} reach the value of the strongest colour
   */
  paint(values, palette, reach) {
    const { maps, side, columns } = this.sheet;
    const room = pitch(this.sheet);
    const { values: all } = values[this.name];
    const { width } = this.canvas;
    for (let map = 0; map < maps; map++) {
      const [left, top] = [(map % columns) * room, Math.floor(map / columns) * room];
      for (let row = 0; row < side; row++) {
        const to = (top + row) * width + left;
        const from = (map * side + row) * side;
        for (let column = 0; column < side; column++) {
          this.pixels[to + column] = palette.pixel(all[from + column], reach);
        }
      }
    }
    this.context.putImageData(this.image, 0, 0);
    while (this.sheetElement.lastChild !== this.canvas) this.sheetElement.lastChild?.remove();
  }

  /**
   * Outline a square of units.
   * @param {Unit} unit its first
   * @param {number} side
   */
  outline(unit, side) {
    const { columns } = this.sheet;
    const room = pitch(this.sheet);
    const left = (unit.map % columns) * room + unit.column;
    const top = Math.floor(unit.map / columns) * room + unit.row;
    const mark = this.sheetElement.appendChild(document.createElement("span"));
    const { width, height } = this.canvas;
    mark.style.left = `${(100 * left) / width}%`;
    mark.style.top = `${(100 * top) / height}%`;
    mark.style.width = `${(100 * side) / width}%`;
    mark.style.height = `${(100 * side) / height}%`;
  }
}

/**
 * Make the views of all layers.
 * @param {HTMLElement} parent
 * @param {(unit: Unit) => void} choose
 * @returns {Record<LayerName, LayerView>}
 */
export function layerViews(parent, choose) {
  const views = LAYERS.map((name) => [name, new LayerView(name, parent, choose)]);
  return Object.fromEntries(views);
}
