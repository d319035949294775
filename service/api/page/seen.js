// What has been on the screen: at least half of it, for as long as it takes to see it.

/** Milliseconds; nobody sees what a photo shows in less, so that a key or button pressed twice decides about one. */
export const GLANCE = 200;
const HALF = 0.5;

export class Seen {
  // what was not seen yet, and the timer until it is
  #waiting = new Map();
  #observer = null;

  /** `bar`: what lies over the lower end of the page; `told()`: something was seen. */
  constructor(bar, told) {
    this.bar = bar;
    this.told = told;
    addEventListener("resize", () => this.#begin());
  }

  /** From now on there is something to see in `element`. */
  watch(element) {
    this.#waiting.set(element, 0);
    if (!this.#observer) this.#begin();
    this.#observer.observe(element);
  }

  forget(element) {
    clearTimeout(this.#waiting.get(element));
    this.#waiting.delete(element);
    this.#observer?.unobserve(element);
  }

  has = (element) => "seen" in element.dataset;

  #begin() {
    this.#observer?.disconnect();
    this.#observer = new IntersectionObserver((changes) => changes.forEach((change) => this.#take(change)),
      { threshold: HALF, rootMargin: `0px 0px -${this.bar.offsetHeight}px` });
    for (const element of this.#waiting.keys()) this.#observer.observe(element);
  }

  #take({ target, intersectionRatio }) {
    if (!this.#waiting.has(target)) return;
    clearTimeout(this.#waiting.get(target));
    this.#waiting.set(target, intersectionRatio < HALF ? 0 : setTimeout(() => this.#see(target), GLANCE));
  }

  #see(element) {
    element.dataset.seen = "";
    this.forget(element);
    this.told();
  }
}
