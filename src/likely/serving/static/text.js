// What rows and numbers are called on the page. Titles come from anybody's data: they are only ever put in as text.

const CONTROL = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

// A text without control characters, among them those that turn the direction of what follows.
export function visible(text) {
  return String(text).replace(CONTROL, "\ufffd");
}

export function nameOf(row) {
  return visible(row.year == null ? row.title : `${row.title} (${row.year})`);
}

// What tells a row from others: its id, for two editions may have one name.
export function keyOf(row) {
  return row.id == null ? `name ${nameOf(row)}` : `id ${row.id}`;
}

export function percent(share) {
  return share == null ? "" : `${Math.round(share * 100)} %`;
}

export function count(number) {
  return number.toLocaleString("en-US");
}

// An element with a class and children; strings become text.
export function make(tag, className = "", ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

// A row as the page shows it: title, year and what stands under the run's key of details, such as genres.
export function nameElement(row, details) {
  const name = make("span", "name", make("span", "title", visible(row.title)));
  if (row.year != null) name.append(" ", make("span", "year", String(row.year)));
  if (row[details]?.length) name.append(make("span", "details", visible(row[details].join(", "))));
  return name;
}
