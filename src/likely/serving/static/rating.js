// A rating on the run's scale: stars where it ends at five, elsewhere a slider with its number.

import { makeStars } from "./stars.js";
import { make } from "./text.js";

const STEPS = [1, 0.5, 0.1, 0.05, 0.01, 0.001];

function hasStars([lowest, highest]) {
  return highest === 5 && lowest >= 0 && lowest <= 1;
}

// The coarsest step that reaches both ends of a scale and a rating on it.
function stepOf([lowest, highest], rating) {
  const reaches = (step) => [lowest, highest, rating].every((one) => Math.abs(one / step - Math.round(one / step)) < 1e-6);
  return STEPS.find(reaches) ?? "any";
}

function shown(rating) {
  return String(Number(Number(rating).toPrecision(6)));
}

// The lowest rating that is a like, which a title gets at first.
export function firstRating(scale, threshold) {
  const step = stepOf(scale, scale[0]);
  const rating = step === "any" ? threshold : Math.ceil(threshold / step - 1e-6) * step;
  return Math.min(Number(rating.toPrecision(6)), scale[1]);
}

export function ratingInWords(rating, scale) {
  return `${shown(rating)} of ${shown(scale[1])}${hasStars(scale) ? " stars" : ""}`;
}

export function likeInWords(threshold, scale) {
  if (hasStars(scale)) return `A like is ${shown(threshold)} stars or more.`;
  return `A like is a rating of ${shown(threshold)} or more, on a scale from ${shown(scale[0])} to ${shown(scale[1])}.`;
}

// The widget; `changed` is called with the rating.
export function makeRating(value, name, scale, changed) {
  const slider = make("input");
  Object.assign(slider, { type: "range", min: scale[0], max: scale[1], step: stepOf(scale, value), value });
  slider.setAttribute("aria-label", `Your rating of ${name}`);
  const say = () => slider.setAttribute("aria-valuetext", ratingInWords(slider.value, scale));
  slider.addEventListener("input", () => {
    say();
    changed(Number(slider.value));
  });
  say();
  return hasStars(scale) ? makeStars(slider) : withNumber(slider, scale);
}

function withNumber(slider, scale) {
  const number = make("span", "number");
  number.setAttribute("aria-hidden", "true"); // the slider says it
  const show = () => { number.textContent = ratingInWords(slider.value, scale); };
  slider.addEventListener("input", show);
  show();
  return make("span", "rating numbered", slider, number);
}
