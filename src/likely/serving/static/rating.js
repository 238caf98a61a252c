// What a run's history says of an item, and the widget for it: a rating on a scale (stars where it ends at five, else a
// slider with its number), a quantity with its unit, one of two labels, or nothing.

import { makeStars } from "./stars.js";
import { make, visible } from "./text.js";

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

function amount(value, run) {
  return run.unit ? `${shown(value)} ${visible(run.unit)}` : shown(value);
}

// What a title gets at first: the lowest rating or quantity that is a like, the first of two labels, or nothing.
export function firstRating(run) {
  if (run.shows === "nothing") return null;
  if (run.shows === "label") return 1;
  if (run.shows === "quantity") return run.like_threshold > 0 ? run.like_threshold : 1;
  const step = stepOf(run.scale, run.scale[0]);
  const rating = step === "any" ? run.like_threshold : Math.ceil(run.like_threshold / step - 1e-6) * step;
  return Math.min(Number(rating.toPrecision(6)), run.scale[1]);
}

// In words; empty where the run says nothing of an item but what it is.
export function ratingInWords(rating, run) {
  const verb = visible(run.verb);
  if (run.shows === "nothing") return "";
  if (run.shows === "label") return rating ? verb : `not ${verb}`;
  if (run.shows === "quantity") return `${verb} ${amount(rating, run)}`;
  return `${shown(rating)} of ${shown(run.scale[1])}${hasStars(run.scale) ? " stars" : ""}`;
}

// What Yes means, in a sentence.
export function likeInWords(run) {
  const [yes, verb] = [visible(run.labels[0]), visible(run.verb)];
  if (run.like_threshold === null) return "";
  if (run.next) return `${yes} means: ${verb} next.`;
  if (run.shows === "label") return `${yes} means: ${verb}.`;
  if (run.shows === "quantity") return `A like is ${amount(run.like_threshold, run)} or more.`;
  if (hasStars(run.scale)) return `A like is ${shown(run.like_threshold)} stars or more.`;
  const [lowest, highest] = run.scale.map(shown);
  return `A like is a rating of ${shown(run.like_threshold)} or more, on a scale from ${lowest} to ${highest}.`;
}

// The widget, or null where there is nothing to say; `changed` is called with the rating.
export function makeRating(value, name, run, changed) {
  if (run.shows === "nothing") return null;
  if (run.shows === "quantity") return makeQuantity(value, name, run, changed);
  if (run.shows === "label") return makeLabel(value, name, run, changed);
  const slider = make("input");
  Object.assign(slider, { type: "range", min: run.scale[0], max: run.scale[1], step: stepOf(run.scale, value), value });
  slider.setAttribute("aria-label", `Your rating of ${name}`);
  const say = () => slider.setAttribute("aria-valuetext", ratingInWords(slider.value, run));
  slider.addEventListener("input", () => {
    say();
    changed(Number(slider.value));
  });
  say();
  return hasStars(run.scale) ? makeStars(slider) : withNumber(slider, run);
}

function withNumber(slider, run) {
  const number = make("span", "number");
  number.setAttribute("aria-hidden", "true"); // the slider says it
  const show = () => { number.textContent = ratingInWords(slider.value, run); };
  slider.addEventListener("input", show);
  show();
  return make("span", "rating numbered", slider, number);
}

// A number of 0 or more; what is none is marked and not taken.
function makeQuantity(value, name, run, changed) {
  const box = make("input");
  Object.assign(box, { type: "number", min: 0, step: "any", value: shown(value) });
  box.setAttribute("aria-label", `${visible(run.verb)} ${name}: how much${run.unit ? `, in ${visible(run.unit)}` : ""}`);
  box.addEventListener("input", () => {
    const sound = box.value !== "" && box.checkValidity();
    box.setAttribute("aria-invalid", String(!sound));
    if (sound) changed(Number(box.value));
  });
  return make("span", "rating amount", `${visible(run.verb)} `, box, run.unit ? ` ${visible(run.unit)}` : "");
}

function makeLabel(value, name, run, changed) {
  const box = make("input");
  Object.assign(box, { type: "checkbox", checked: Boolean(value) });
  box.setAttribute("aria-label", `${name}: ${visible(run.verb)}`);
  const said = make("span", "", ratingInWords(value, run));
  said.setAttribute("aria-hidden", "true"); // the box says it
  box.addEventListener("change", () => {
    said.textContent = ratingInWords(box.checked, run);
    changed(Number(box.checked));
  });
  return make("label", "rating amount", box, said);
}
