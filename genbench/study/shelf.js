"use strict";
// What both kinds of page share: everything that must survive a reload lies in the browser's storage, one entry for each answer, so
// that two tabs of one rater cannot overwrite each other.

const settings = JSON.parse(document.getElementById("settings").textContent);

const part = (id) => document.getElementById(id);
const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

function random(bytes) {
  const drawn = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(drawn, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// The browser's storage, or memory where it is refused; keys are told apart by study.
const shelf = {
  root: `genbench/${settings.study}/`,
  store: (() => {
    try {
      const store = window.localStorage;
      store.setItem("genbench", "");
      store.removeItem("genbench");
      return store;
    } catch {
      return null;
    }
  })(),
  memory: new Map(),
  put(key, value) {
    try {
      if (this.store) return this.store.setItem(this.root + key, JSON.stringify(value));
    } catch {
      note("This browser has no room to keep answers: leave this page open until you have finished.");
    }
    this.memory.set(key, value);
  },
  get(key) {
    if (this.memory.has(key)) return this.memory.get(key);
    const text = this.store ? this.store.getItem(this.root + key) : null;
    return text === null ? undefined : JSON.parse(text);
  },
  drop(key) {
    this.memory.delete(key);
    if (this.store) this.store.removeItem(this.root + key);
  },
  below(prefix) {
    const stored = this.store ? Object.keys(this.store) : [];
    const own = stored.filter((key) => key.startsWith(this.root)).map((key) => key.slice(this.root.length));
    return [...new Set([...own, ...this.memory.keys()])].filter((key) => key.startsWith(prefix)).sort();
  },
};

function note(text) {
  part("note").textContent = text;
  part("note").hidden = !text;
}
