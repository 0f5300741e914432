/*
 * Draws on the page from within and measures what the page's own code takes, style and layout included, in
 * milliseconds. Run before the page's script. The events are made here, so that none waits for a message; a pointer
 * that was made up cannot be captured, and need not be.
 */
globalThis.hand = (() => {
  const spent = { frame: [], up: [] };
  const opening = {};
  let opened = () => {};
  const whenOpened = new Promise((done) => {
    opened = () => done(opening);
  });
  const frame = globalThis.requestAnimationFrame.bind(globalThis);
  const listen = EventTarget.prototype.addEventListener;
  let moved = 0; // what events took since the last frame

  const taken = (run) => {
    const start = performance.now();
    run();
    document.body.getBoundingClientRect();
    return performance.now() - start;
  };
  globalThis.requestAnimationFrame = (run) => frame((now) => {
    spent.frame.push(moved + taken(() => run(now)));
    moved = 0;
  });
  EventTarget.prototype.addEventListener = function (name, run, ...more) {
    const isOurs = this instanceof Element && this.id === "board"; // a driver of browsers listens, too
    if (!isOurs || !["pointerdown", "pointermove", "pointerup"].includes(name)) return listen.call(this, name, run, ...more);
    const timed = (event) => {
      const took = taken(() => run.call(this, event));
      if (name === "pointerup") spent.up.push(took);
      moved = name === "pointerup" ? 0 : moved + took;
    };
    if (name === "pointerdown") queueMicrotask(begun); // the page's script ends first
    return listen.call(this, name, timed, ...more);
  };
  Element.prototype.setPointerCapture = () => {};

  const send = (name, [clientX, clientY]) => document.getElementById("board").dispatchEvent(
    new PointerEvent(name, { clientX, clientY, pointerId: 7, pointerType: "pen", button: 0, buttons: 1, bubbles: true }));
  const nextFrame = () => new Promise((done) => frame(done));
  const afterNextFrame = () => new Promise((done) => frame(() => setTimeout(done)));

  /** Draw a one at the first moment at which the page can be drawn on. */
  async function begun() {
    if (opening.ready) return;
    opening.ready = performance.now();
    const box = document.getElementById("board").getBoundingClientRect();
    const places = [0, 0.25, 0.5, 0.75, 1].map((share) =>
      [box.left + box.width * (0.5 + 0.02 * share), box.top + box.height * (0.1 + 0.8 * share)]);
    send("pointerdown", places[0]);
    for (const place of places) send("pointermove", place);
    send("pointerup", places[4]);
    opening.answered = performance.now();
    opening.answer = document.getElementById("big").textContent;
    await afterNextFrame();
    opening.shown = performance.now();
    opened();
  }

  /** A page without a board is laid out, and that is all. */
  listen.call(document, "DOMContentLoaded", async () => {
    if (document.getElementById("board")) return;
    opening.ready = performance.now();
    document.body.getBoundingClientRect();
    opening.answered = performance.now();
    await afterNextFrame();
    opening.shown = performance.now();
    opened();
  });

  /** Draw strokes, a point a frame, until some frames have passed; the board is cleared behind each drawing. */
  async function draw(drawings, frames) {
    for (const each of Object.values(spent)) each.length = 0;
    for (let k = 0; spent.frame.length < frames; k++) {
      for (const stroke of drawings[k % drawings.length]) {
        await nextFrame();
        send("pointerdown", stroke[0]);
        for (const place of stroke.slice(1)) {
          await nextFrame();
          send("pointermove", place);
        }
        await nextFrame();
        send("pointerup", stroke[stroke.length - 1]);
      }
      document.getElementById("clear").click();
    }
    return spent;
  }

  return { whenOpened, draw };
})();
