// The list of what was rated or used, oldest first: ratings, removing, and moving by pointer or by arrow keys.

import { makeRating, ratingInWords } from "./rating.js";
import { keyOf, make, nameElement, nameOf } from "./text.js";

export class HistoryList {
  // `run` says what a history shows of an item, and the key of the details. `changed` is called after every change, `announce` with what a
  // screen reader should say.
  constructor(list, run, changed, announce) {
    this.list = list;
    this.run = run;
    this.changed = changed;
    this.announce = announce;
    this.rows = [];
  }

  has(row) {
    return this.rows.some((one) => keyOf(one) === keyOf(row));
  }

  replace(rows) {
    this.rows = rows.map((row) => ({ ...row }));
    this.draw();
    this.changed();
  }

  add(row, rating) {
    const added = { ...row, rating };
    this.rows.push(added);
    this.list.append(this.item(added));
    this.label();
    (this.list.lastElementChild.querySelector("input") ?? document.getElementById("search")).focus();
    const said = ratingInWords(rating, this.run);
    this.announce(`${nameOf(row)} added${said && `, ${this.run.shows === "rating" ? "rated " : ""}${said}`}`);
    this.changed();
  }

  draw() {
    this.list.replaceChildren(...this.rows.map((row) => this.item(row)));
    this.label();
  }

  item(row) {
    const handle = make("button", "handle", "⠿");
    handle.type = "button";
    const widget = makeRating(row.rating, nameOf(row), this.run, (rating) => {
      row.rating = rating;
      this.changed();
    });
    const remove = make("button", "remove", "✕");
    remove.type = "button";
    remove.setAttribute("aria-label", `Remove ${nameOf(row)}`);
    const item = make("li", "", handle, nameElement(row, this.run.details), ...(widget ? [widget] : []), remove);
    item.row = row;
    remove.addEventListener("click", () => this.remove(item));
    handle.addEventListener("keydown", (event) => this.moveByKey(event, item));
    handle.addEventListener("pointerdown", (event) => this.drag(event, item, handle));
    return item;
  }

  // Say of every handle where its row stands.
  label() {
    this.rows.forEach((row, place) => {
      const where = `${place + 1} of ${this.rows.length}`;
      const handle = this.list.children[place].querySelector(".handle");
      handle.setAttribute("aria-label", `Move ${nameOf(row)}, ${where}, with the up and down arrow keys`);
    });
  }

  remove(item) {
    const next = item.nextElementSibling ?? item.previousElementSibling;
    this.rows.splice(this.rows.indexOf(item.row), 1);
    item.remove();
    this.label();
    (next?.querySelector(".remove") ?? document.getElementById("search")).focus();
    this.announce(`${nameOf(item.row)} removed`);
    this.changed();
  }

  moveByKey(event, item) {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const place = this.rows.indexOf(item.row) + step;
    if (!step || place < 0 || place >= this.rows.length) return;
    event.preventDefault();
    this.place(item, place);
    item.querySelector(".handle").focus();
    this.announce(`${nameOf(item.row)} is now ${place + 1} of ${this.rows.length}`);
    this.changed();
  }

  place(item, place) {
    this.rows.splice(this.rows.indexOf(item.row), 1);
    this.rows.splice(place, 0, item.row);
    item.remove();
    this.list.insertBefore(item, this.list.children[place] ?? null);
    this.label();
  }

  drag(event, item, handle) {
    event.preventDefault();
    const before = this.rows.indexOf(item.row);
    item.classList.add("moving");
    const move = (moved) => {
      const others = [...this.list.children].filter((one) => one !== item);
      const above = others.filter((one) => {
        const box = one.getBoundingClientRect();
        return moved.clientY > box.top + box.height / 2;
      });
      if (above.length !== this.rows.indexOf(item.row)) this.place(item, above.length);
    };
    const drop = () => {
      item.classList.remove("moving");
      document.removeEventListener("pointermove", move);
      document.removeEventListener("pointerup", drop);
      document.removeEventListener("pointercancel", drop);
      handle.focus();
      if (this.rows.indexOf(item.row) !== before) this.changed();
    };
    document.addEventListener("pointermove", move);
    document.addEventListener("pointerup", drop);
    document.addEventListener("pointercancel", drop);
  }
}
