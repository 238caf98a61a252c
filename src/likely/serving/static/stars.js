// Up to five stars: drawn over a slider, which keyboards and screen readers use, for the pointer.

import { make } from "./text.js";

const MOST = 5;
const SIGNS = "★".repeat(MOST);

// Stars of a slider that ends at five; the pointer moves it, and it tells of that as of a key.
export function makeStars(slider) {
  const given = make("span", "given", SIGNS);
  given.setAttribute("aria-hidden", "true");
  const all = make("span", "all", SIGNS);
  all.setAttribute("aria-hidden", "true");
  const stars = make("span", "rating stars", all, given, slider);

  function show() {
    given.style.width = `${(Number(slider.value) / MOST) * 100}%`;
  }

  function point(event) {
    const box = stars.getBoundingClientRect();
    const reached = ((event.clientX - box.left) / box.width) * MOST;
    const step = Number(slider.step) || 0.5;
    const before = slider.value;
    slider.value = Math.ceil(reached / step) * step; // the slider keeps it within its ends
    if (slider.value !== before) slider.dispatchEvent(new Event("input"));
  }

  slider.addEventListener("input", show);
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
