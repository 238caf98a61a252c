// The search box: titles of the catalogue below it, chosen by pointer or by arrow keys and Enter (ARIA combobox).

import { ask } from "./api.js";
import { make, nameElement } from "./text.js";

const PAUSE = 120; // milliseconds without a key before the server is asked

export class TitleSearch {
  // `details` is their key in a row; `chosen` is called with a row; rows that `skip` says are not shown.
  constructor(box, list, details, skip, chosen, failed) {
    Object.assign(this, { box, list, details, skip, chosen, failed });
    this.rows = [];
    this.active = -1;
    box.addEventListener("input", () => this.soon());
    box.addEventListener("focus", () => this.soon());
    box.addEventListener("blur", () => this.close());
    box.addEventListener("keydown", (event) => this.key(event));
  }

  soon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.find(), PAUSE);
  }

  async find() {
    const text = this.box.value.trim();
    try {
      const { found } = await ask(`./v1/catalogue?limit=30&text=${encodeURIComponent(text.slice(0, 200))}`);
      if (text === this.box.value.trim() && document.activeElement === this.box) this.show(found);
    } catch (error) {
      this.failed(error);
    }
  }

  show(found) {
    this.rows = found.filter((row) => !this.skip(row)).slice(0, 10);
    this.active = this.rows.length && this.box.value.trim() ? 0 : -1;
    this.list.replaceChildren(...this.rows.map((row, place) => this.option(row, place)));
    if (!this.rows.length) {
      const none = make("li", "none", "No such title");
      none.setAttribute("role", "option");
      none.setAttribute("aria-disabled", "true");
      this.list.append(none);
    }
    this.list.hidden = false;
    this.box.setAttribute("aria-expanded", "true");
    this.mark();
  }

  option(row, place) {
    const option = make("li", "", nameElement(row, this.details));
    option.id = `found-${place}`;
    option.setAttribute("role", "option");
    option.addEventListener("pointerdown", (event) => {
      event.preventDefault(); // so that the box keeps the focus until the choice is made
      this.choose(place);
    });
    return option;
  }

  mark() {
    this.rows.forEach((_, place) => {
      this.list.children[place].setAttribute("aria-selected", String(place === this.active));
    });
    if (this.active < 0) {
      this.box.removeAttribute("aria-activedescendant");
    } else {
      this.box.setAttribute("aria-activedescendant", `found-${this.active}`);
      this.list.children[this.active].scrollIntoView({ block: "nearest" });
    }
  }

  key(event) {
    if (this.list.hidden) {
      if (event.key === "ArrowDown") this.soon();
      return;
    }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.rows.length) {
      this.active = (this.active + step + this.rows.length) % this.rows.length;
      this.mark();
    } else if (event.key === "Enter" && this.active >= 0) {
      this.choose(this.active);
    } else if (event.key === "Escape") {
      this.close();
    } else {
      return;
    }
    event.preventDefault();
  }

  choose(place) {
    const row = this.rows[place];
    this.box.value = "";
    this.close();
    this.chosen(row);
  }

  close() {
    clearTimeout(this.timer);
    this.list.hidden = true;
    this.box.setAttribute("aria-expanded", "false");
    this.box.removeAttribute("aria-activedescendant");
  }
}
