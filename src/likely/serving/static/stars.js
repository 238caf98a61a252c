// Half to five stars: a slider for keyboards and screen readers, with stars drawn over it for the pointer.

import { make } from "./text.js";

const MOST = 5;
const SIGNS = "★".repeat(MOST);

// The widget; `changed` is called with the number of stars.
export function makeStars(value, name, changed) {
  const slider = make("input");
  Object.assign(slider, { type: "range", min: 0.5, max: MOST, step: 0.5, value });
  slider.setAttribute("aria-label", `Your rating of ${name}`);
  const given = make("span", "given", SIGNS);
  given.setAttribute("aria-hidden", "true");
  const all = make("span", "all", SIGNS);
  all.setAttribute("aria-hidden", "true");
  const stars = make("span", "stars", all, given, slider);

  function show() {
    given.style.width = `${(Number(slider.value) / MOST) * 100}%`;
    slider.setAttribute("aria-valuetext", `${slider.value} of ${MOST} stars`);
  }

  function point(event) {
    const box = stars.getBoundingClientRect();
    const half = Math.ceil(((event.clientX - box.left) / box.width) * MOST * 2) / 2;
    const stepped = String(Math.min(MOST, Math.max(0.5, half)));
    if (stepped === slider.value) return;
    slider.value = stepped;
    show();
    changed(Number(slider.value));
  }

  slider.addEventListener("input", () => {
    show();
    changed(Number(slider.value));
  });
  stars.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    slider.focus({ preventScroll: true });
    stars.setPointerCapture(event.pointerId);
    point(event);
  });
  stars.addEventListener("pointermove", (event) => {
    if (stars.hasPointerCapture(event.pointerId)) point(event);
  });
  show();
  return stars;
}
