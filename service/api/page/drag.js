// Dragging, with a mouse, a pen or a finger. What was dragged is not clicked.

// a hand that clicks is not quite still
const STILL = 5;

/** Call `move(right, down)`, in pixels, while `element` is dragged and `can()`. */
export function draggable(element, can, move) {
  let from = null;
  let dragged = false;
  element.addEventListener("pointerdown", ({ isPrimary, button, clientX, clientY }) => {
    dragged = false;
    from = isPrimary && button === 0 && can() ? [clientX, clientY] : null;
  });
  element.addEventListener("pointermove", ({ isPrimary, pointerId, clientX, clientY }) => {
    if (!from || !isPrimary) return;
    const way = [clientX - from[0], clientY - from[1]];
    if (!dragged && Math.hypot(...way) < STILL) return;
    if (!dragged) element.setPointerCapture(pointerId);
    dragged = true;
    from = [clientX, clientY];
    move(...way);
  });
  for (const name of ["pointerup", "pointercancel"]) element.addEventListener(name, () => (from = null));
  element.addEventListener("click", (event) => {
    if (dragged) event.stopImmediatePropagation();
    dragged = false;
  }, true);
}
