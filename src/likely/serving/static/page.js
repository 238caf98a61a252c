// The page: ratings on one side, answers on the other; every change asks the server again.

import { costInWords, drawRanking, showTruth } from "./answers.js";
import { ask, useKey, usesKey } from "./api.js";
import { HistoryList } from "./history.js";
import { firstRating, likeInWords } from "./rating.js";
import { TitleSearch } from "./search.js";
import { asCurl, asPython } from "./snippets.js";
import { count, keyOf, visible } from "./text.js";

const PAUSE = 250; // milliseconds without a change before the server is asked
const SHOWN = 10;
const CHOICES = [20, 50, 100, 200, 500, 1000, 2000];
const HELD_OUT = "held-out";

const at = (id) => document.getElementById(id);
const announce = (text) => { at("announcer").textContent = text; };

let run;
let history;
let user = null; // the real user whose ratings are loaded
let answer = null;
let asking = null;
let timer = 0;

function complain(error) {
  if (error.name === "AbortError") return;
  at("problem").textContent = visible(error.message);
  at("problem").hidden = false;
  at("status").textContent = "";
  if (error.status === 401) {
    at("key-form").hidden = false;
    at("key").focus();
  }
}

function body() {
  const kept = (row) => ({
    title: row.title,
    year: row.year ?? null,
    [run.details]: row[run.details] ?? [],
    ...(run.shows === "nothing" ? {} : { rating: row.rating }),
  });
  const among = at("among").value;
  const base = { history: history.rows.map(kept), candidates: "catalogue" };
  if (among === HELD_OUT) return { ...base, candidates: user.candidates, top: null };
  return { ...base, most_rated: Number(among), top: SHOWN };
}

function changed() {
  const some = history.rows.length > 0;
  at("history-hint").textContent = some
    ? "Oldest first; the order counts."
    : `Find ${visible(run.plural)} ${run.shows === "rating" ? "and rate them" : `that you ${visible(run.verb)}`}${run.held_out ? ", or load a real user" : ""}. The answer appears at once.`;
  at("clear").disabled = !some;
  clearTimeout(timer);
  asking?.abort();
  at("ranked").classList.add("stale");
  at("truth").hidden = true; // the user may be another than the one whose rows still stand there
  if (some) {
    at("status").textContent = "Asking the model…";
    timer = setTimeout(rank, PAUSE);
  } else {
    answer = null;
    at("ranked").replaceChildren();
    at("status").textContent = run.shows === "rating" ? "Nothing is rated yet." : "Nothing is chosen yet.";
    for (const id of ["cost", "copies", "snippet"]) at(id).hidden = true;
  }
}

async function rank() {
  asking = new AbortController();
  const { signal } = asking;
  try {
    answer = await ask("./v1/rank", body(), signal);
  } catch (error) {
    complain(error);
    return;
  }
  at("problem").hidden = true;
  const held = at("among").value === HELD_OUT;
  drawRanking(at("ranked"), answer.ranked, run, held ? null : rate);
  const shown = answer.ranked.length < answer.candidates ? `, the best ${answer.ranked.length} shown` : "";
  at("status").textContent = `${count(answer.candidates)} ${visible(run.plural)} ranked${shown}.`;
  at("truth").hidden = !held;
  at("truth-said").textContent = "";
  at("cost").hidden = at("copies").hidden = false;
  at("cost-said").textContent = costInWords(answer, run);
  at("saved-bar").style.width = `${(answer.cost.tokens / answer.cost.tokens_alone) * 100}%`;
  at("snippet").hidden = true;
  at("copied").textContent = "";
}

function rate({ id, title, year, [run.details]: details }) {
  history.add({ id, title, year, [run.details]: details }, firstRating(run));
}

// What may be ranked: the most rated of the catalogue, and a real user's held-out rows.
function drawChoices(chosen) {
  const nouns = visible(run.plural);
  const known = Math.min(run.catalogue, run.most_candidates);
  const counts = [...CHOICES.filter((one) => one < known), known];
  const options = counts.map((one) => new Option(one === run.catalogue ? `all ${count(one)} ${nouns}` : `the ${count(one)} most ${run.shows === "label" ? "frequent" : visible(run.verb)} ${nouns}`, String(one)));
  if (user) options.unshift(new Option(`user ${visible(user.user)}'s next ${user.candidates.length}`, HELD_OUT));
  at("among").replaceChildren(...options);
  at("among").value = chosen ?? String(counts.includes(50) ? 50 : counts[0]);
}

async function loadRealUser() {
  at("real-user").disabled = true;
  try {
    user = await ask(`./v1/held-out?place=${Math.random()}`);
    drawChoices(HELD_OUT);
    history.replace(user.history);
    announce(`${run.shows === "rating" ? "Ratings" : run.plural} of user ${user.user} loaded`);
  } catch (error) {
    complain(error);
  }
  at("real-user").disabled = false;
}

async function copy(text) {
  at("snippet").textContent = text;
  at("snippet").hidden = false;
  try {
    await navigator.clipboard.writeText(text);
    at("copied").textContent = "Copied.";
  } catch {
    at("copied").textContent = "Select it below and copy.";
  }
}

function listen() {
  const address = new URL("./v1/rank", location.href).href;
  at("clear").addEventListener("click", () => {
    user = null;
    drawChoices();
    history.replace([]);
    at("search").focus();
  });
  at("real-user").addEventListener("click", loadRealUser);
  at("among").addEventListener("change", changed);
  at("show-truth").addEventListener("click", () => {
    const liked = new Set(user.candidates.filter((_, place) => user.liked[place]).map(keyOf));
    at("truth-said").textContent = showTruth(at("ranked"), answer.ranked, liked, visible(user.user), run);
  });
  at("copy-curl").addEventListener("click", () => copy(asCurl(address, body(), usesKey())));
  at("copy-python").addEventListener("click", () => copy(asPython(address, body(), usesKey())));
  new TitleSearch(at("search"), at("found"), run.details, (row) => history.has(row), rate, complain);
}

async function start() {
  run = await ask("./v1/run");
  history = new HistoryList(at("history"), run, changed, announce);
  at("problem").hidden = at("key-form").hidden = true;
  const noun = visible(run.noun);
  const question = run.next ? `Is this the ${noun} you ${visible(run.verb)} next?` : `Will you like this ${noun}?`;
  document.title = `likely: ${question}`;
  at("question").textContent = question;
  at("history-title").textContent = run.shows === "rating" ? "Your ratings" : `Your ${visible(run.plural)}`;
  at("answers-title").textContent = run.next ? "Most likely next" : "Most likely to please";
  at("search-label").textContent = `Find ${visible(run.plural)}`;
  at("legend-label").textContent = `P(${visible(run.labels[0])})`;
  const like = ` ${likeInWords(run)}`.trimEnd();
  at("about").textContent = `Run ${visible(run.name)}, finetuned from ${visible(run.model)}.${like}`;
  if (!run.can_rank || run.catalogue === null) {
    at("main").hidden = true;
    throw new Error(run.can_rank
      ? "This run has no catalogue to search, for its records were prepared by an earlier version of likely. Prepare them again and train, or ask over HTTP."
      : "This run was trained on records of its own, so the page does not know how to ask. Ask over HTTP: POST /v1/predict.");
  }
  at("main").hidden = false;
  at("real-user").hidden = !run.held_out;
  drawChoices();
  listen();
  changed();
}

at("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  useKey(at("key").value);
  start().catch(complain);
});
at("main").hidden = true;
start().catch(complain);
