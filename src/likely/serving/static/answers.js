// What the server answered: bars for P(Yes) and the run's answer, if it keeps one, what the questions cost, and the truth about a real user.

import { count, keyOf, make, nameElement, nameOf, percent, visible } from "./text.js";

function bar(share, kind) {
  const filled = make("span", kind);
  filled.style.width = `${share * 100}%`;
  return make("div", `bar of-${kind}`, make("div", "track", filled), make("span", "percent", percent(share)));
}

// One line of the list; `add`, where given, is called to rate it.
function line(row, run, add) {
  const bars = make("div", "bars");
  if (row.answer != null) bars.append(bar(row.answer, "answer"));
  bars.append(bar(row.p_yes, "finetuned"));
  if (row.base_p_yes != null) bars.append(bar(row.base_p_yes, "base"));
  bars.setAttribute("role", "img");
  const base = row.base_p_yes == null ? "" : `, base model ${percent(row.base_p_yes)}`;
  const answer = row.answer == null ? "" : `the run's answer ${percent(row.answer)}, `;
  bars.setAttribute("aria-label", `P(${visible(run.labels[0])}): ${answer}finetuned ${percent(row.p_yes)}${base}`);
  const item = make("li", "", make("span", "rank", String(row.rank)), nameElement(row, run.details), bars);
  if (add) {
    const button = make("button", "add", "+");
    button.type = "button";
    button.title = `Add to your ${visible(run.plural)}`;
    button.setAttribute("aria-label", `${run.shows === "rating" ? "Rate" : "Add"} ${nameOf(row)}`);
    button.addEventListener("click", () => add(row));
    item.append(button);
  }
  return item;
}

export function drawRanking(list, ranked, run, add) {
  list.replaceChildren(...ranked.map((row) => line(row, run, add)));
  document.getElementById("legend-answer").hidden = ranked[0]?.answer == null;
  list.classList.remove("stale");
}

// In words, what was computed and what a shared beginning saved.
export function costInWords(answer, run) {
  const { tokens, tokens_alone: alone, milliseconds } = answer.cost;
  const seconds = milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
  const asked = `${count(answer.candidates)} questions to the finetuned model and ${count(answer.ranked.length)} to the base model`;
  const shared = run.shows === "rating" ? "ratings" : visible(run.plural);
  return (
    `${asked} hold ${count(alone)} tokens. They begin with the same ${shared}, so that only ${count(tokens)} had to be ` +
    `computed: ${percent(1 - tokens / alone)} saved. It took ${seconds}.`
  );
}

// Write below each line what was true of it, and return how well the model's order did.
export function showTruth(list, ranked, likedKeys, user, run) {
  const likes = run.shows !== "label" && !run.next;
  const done = likes ? "liked" : visible(run.verb);
  const [yes, no] = likes ? ["✓ liked it", "✗ did not like it"] : [`✓ ${done}`, `✗ not ${done}`];
  const liked = ranked.map((row) => likedKeys.has(keyOf(row)));
  [...list.children].forEach((item, place) => {
    item.querySelector(".verdict")?.remove();
    item.append(make("span", `verdict ${liked[place] ? "liked" : "disliked"}`, liked[place] ? yes : no));
  });
  const total = liked.filter(Boolean).length;
  const first = liked.slice(0, total).filter(Boolean).length;
  if (total === 0 || total === liked.length) {
    return `User ${user} ${done} ${total === 0 ? "none" : "all"} of these ${liked.length}.`;
  }
  const where = total === 1 ? `number ${liked.indexOf(true) + 1} here` : `${first} of the first ${total} here`;
  return `User ${user} ${done} ${total} of these ${liked.length}: ${where}.`;
}
