/** Which pointers are down, and which of them is the hand that holds a pen. */

/** Milliseconds after a pen's last movement for which a touch is the hand that holds it. */
const HAND = 500;

export class Pointers {
  /** @param {import("./ink.js").Ink} ink that they draw */
  constructor(ink) {
    this.ink = ink;
    /** @type {Map<number, string>} kinds of those that are down */
    this.kinds = new Map();
    /** When a pen was noticed last, on the board or above it, in milliseconds of events. */
    this.penAt = -Infinity;
  }

  /**
   * @param {PointerEvent} event of a pointer that came down
   * @returns {boolean} whether it rests beside a pen: one that is down, or was there a moment ago
   */
  isHand(event) {
    if (event.pointerType !== "touch") return false;
    return [...this.kinds.values()].includes("pen") || event.timeStamp - this.penAt < HAND;
  }

  /**
   * Take in a pointer that came down. Where it is a pen, touches that draw are the hand, which came down before it.
   * @param {PointerEvent} event
   * @returns {boolean} whether ink was forgotten
   */
  begin(event) {
    this.notice(event);
    const touches = event.pointerType === "pen" ? [...this.kinds].filter(([, kind]) => kind === "touch") : [];
    for (const [pointer] of touches) {
      this.ink.forget(pointer);
      this.kinds.delete(pointer);
    }
    this.kinds.set(event.pointerId, event.pointerType);
    return touches.length > 0;
  }

  /** @param {PointerEvent} event of any pointer that is near */
  notice(event) {
    if (event.pointerType === "pen") this.penAt = event.timeStamp;
  }

  /** @param {PointerEvent} event of a pointer that left */
  end(event) {
    this.notice(event);
    this.kinds.delete(event.pointerId);
  }

  /** Forget all, of which the page may miss the end. */
  leave() {
    this.kinds.clear();
  }
}
