"use strict";
// One page and two ways for answers to leave it: a server is sent each until it acknowledges it, or they are kept until somebody
// saves them as a file. Everything that must survive a reload lies in the browser's storage, one entry for each answer, so that two
// tabs of one rater cannot overwrite each other.

const settings = JSON.parse(document.getElementById("settings").textContent);
const AHEAD = 3; // questions whose images are fetched before they are asked
const GRAINS = 32; // pixels; images up to this size are shown with their pixels, larger ones are smoothed

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

// Answers go to the server that showed the page.
class ServerTransport {
  constructor() {
    this.sending = false;
    this.stopped = false;
    window.addEventListener("online", () => this.send());
  }

  async begin(rater) {
    this.rater = rater;
    const session = await this.fetched(`api/session?rater=${encodeURIComponent(rater)}`);
    if (session === null) return null;
    if (session.study !== settings.study) {
      location.reload(); // the server has another study now, and another page for it
      return null;
    }
    this.send();
    const waiting = this.waiting().map((key) => shelf.get(key));
    const own = waiting.filter((answer) => answer.rater === rater).map((answer) => answer.question);
    return { turns: session.turns, answered: new Set([...session.answered, ...own]) };
  }

  // The JSON of an address, waiting for the server as long as it takes; null where it refuses for good.
  async fetched(address, sent) {
    for (let wait = 500; ; wait = Math.min(2 * wait, 5000)) {
      try {
        const response = await fetch(address, sent);
        const content = await response.json();
        if (response.ok) {
          note("");
          return content;
        }
        if (response.status < 500) {
          note(`The study does not accept this: ${content.error}.`);
          return null;
        }
      } catch {
        // No network, or no server: it may come back.
      }
      const left = this.waiting().length;
      note(`No connection. ${left ? "Your answers are kept here and sent" : "The study goes on"} as soon as it is back.`);
      await sleep(wait);
    }
  }

  image(name) {
    return `images/${name}`;
  }

  waiting() {
    return shelf.below("out/");
  }

  keep(answer) {
    // The number in front keeps answers in order.
    shelf.put(`out/${String(Date.now()).padStart(15, "0")}/${answer.id}`, { ...answer, study: settings.study });
    this.send();
  }

  async send() {
    if (this.sending || this.stopped) return;
    this.sending = true;
    for (let [key] = this.waiting(); key !== undefined; [key] = this.waiting()) {
      const sent = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(shelf.get(key)) };
      if ((await this.fetched("api/votes", sent)) === null) {
        this.stopped = true; // the answers stay here; nothing is thrown away that was not kept
        break;
      }
      shelf.drop(key);
    }
    this.sending = false;
    finished();
  }

  ended() {
    const left = this.waiting().length;
    part("stored").textContent = left ? `Sending the last ${left === 1 ? "answer" : `${left} answers`} …` : "All your answers are stored. You may close this page.";
  }
}

// Answers stay in the browser and leave it as a file.
class FileTransport {
  constructor() {
    const bytes = Uint8Array.from(atob(settings.key), (character) => character.charCodeAt(0));
    this.key = JSON.parse(new TextDecoder().decode(bytes));
    for (const id of ["save", "early"]) part(id).addEventListener("click", () => this.save());
  }

  async begin(rater) {
    this.rater = rater;
    this.turns = new Map(this.order(rater).map((turn) => [turn.id, turn]));
    const answered = shelf.below(`vote/${rater}/`).map((key) => key.split("/")[2]);
    return { turns: [...this.turns.values()], answered: new Set(answered) };
  }

  // As on the server: an order for each rater, and of the questions of one pair of systems half with the first on the left.
  order(rater) {
    const chance = stream(`${settings.study}/${rater}`);
    const groups = new Map();
    settings.questions.forEach((question, place) => {
      const [a, , b, , , trial] = this.key[place];
      const group = trial ? "" : JSON.stringify([a, b]);
      groups.set(group, [...(groups.get(group) ?? []), place]);
    });
    const turns = [];
    for (const places of groups.values()) {
      const first = chance() < 0.5 ? 0 : 1;
      shuffled(places, chance).forEach((place, number) => {
        const { id, a, b, text } = settings.questions[place];
        const flipped = (first + number) % 2 === 1;
        turns.push({ id, place, flipped, left: flipped ? b : a, right: flipped ? a : b, text });
      });
    }
    return shuffled(turns, chance);
  }

  image(number) {
    return settings.images[number];
  }

  keep(answer) {
    const { place, flipped, text } = this.turns.get(answer.question);
    const [a, aName, b, bName, correct, trial] = this.key[place];
    const [left, right] = flipped ? [b, a] : [a, b];
    const [leftImage, rightImage] = flipped ? [bName, aName] : [aName, bName];
    const key = `vote/${answer.rater}/${answer.question}`;
    if (shelf.get(key) !== undefined) return; // answered in another tab
    shelf.put(key, {
      schema: "genbench.vote/1",
      id: answer.id,
      study: settings.study,
      rater: answer.rater,
      question: answer.question,
      kind: settings.kind,
      left,
      right,
      left_image: leftImage,
      right_image: rightImage,
      text,
      choice: answer.choice,
      correct: correct === null ? null : (correct === "b") === flipped ? "left" : "right",
      catch: trial,
      seconds: answer.seconds,
      time: new Date().toISOString(),
    });
  }

  // The file holds the votes of everybody who answered in this browser.
  save() {
    const votes = shelf.below("vote/").map((key) => shelf.get(key));
    votes.sort((one, other) => (one.time < other.time ? -1 : one.time > other.time ? 1 : 0));
    const lines = votes.map((vote) => `${JSON.stringify(vote)}\n`).join("");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([lines], { type: "application/x-ndjson" }));
    link.download = "votes.jsonl";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    part("status").textContent = `Saved ${votes.length} answers as votes.jsonl.`;
  }

  ended() {}
}

// Uniform numbers in [0, 1) that follow from a text: FNV-1a makes a state of it, and mulberry32 goes on from there.
function stream(text) {
  let state = 2166136261;
  for (const character of text) state = Math.imul(state ^ character.codePointAt(0), 16777619);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

function shuffled(list, chance) {
  const mixed = [...list];
  for (let last = mixed.length - 1; last > 0; last -= 1) {
    const other = Math.floor(chance() * (last + 1));
    [mixed[last], mixed[other]] = [mixed[other], mixed[last]];
  }
  return mixed;
}

const transport = settings.served ? new ServerTransport() : new FileTransport();
const pictures = new Map(); // address -> promise of a decoded image
const state = { rater: "", turns: [], total: 0, open: null, shownAt: 0, over: false };

function identify() {
  const named = new URLSearchParams(location.search).get("rater");
  if (named) {
    part("who").textContent = "the name in your link";
    return named;
  }
  const known = shelf.get("rater") ?? `r${random(8)}`;
  shelf.put("rater", known);
  return known;
}

// A decoded image; asked for again where it does not arrive.
function picture(address) {
  if (!pictures.has(address)) {
    pictures.set(address, fetchPicture(address));
  }
  return pictures.get(address);
}

async function fetchPicture(address) {
  for (let wait = 500; ; wait = Math.min(2 * wait, 5000)) {
    const image = new Image();
    image.src = address;
    try {
      await image.decode();
      return image;
    } catch {
      if (state.open !== null) note("An image does not arrive. It is asked for again.");
      await sleep(wait);
    }
  }
}

function preload() {
  for (const turn of state.turns.slice(0, AHEAD + 1)) {
    for (const side of ["left", "right"]) picture(transport.image(turn[side]));
  }
}

function lock(locked) {
  for (const id of ["left", "right", "tie"]) {
    if (part(id)) part(id).setAttribute("aria-disabled", String(locked));
  }
  part("ask").classList.toggle("loading", locked);
}

const painted = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));

// Show the next question. Answers count, and time runs, once both images are on the screen.
async function ask() {
  state.open = null;
  if (!state.turns.length) return finish();
  const turn = state.turns[0];
  lock(true);
  preload();
  progress();
  part("text").textContent = turn.text;
  part("text").hidden = !turn.text;
  part("ask").classList.toggle("captioned", Boolean(turn.text));
  const images = await Promise.all(["left", "right"].map((side) => picture(transport.image(turn[side]))));
  if (turn !== state.turns[0]) return; // somebody else has begun meanwhile
  const longest = Math.max(...images.flatMap((image) => [image.naturalWidth, image.naturalHeight]));
  part("ask").classList.toggle("grains", longest <= GRAINS);
  part("ask").style.setProperty("--most", `${Math.max(192, 10 * longest)}px`); // what is enlarged further falls to pieces
  await Promise.all(["left", "right"].map((side, place) => {
    part(`${side}-image`).src = images[place].src;
    return part(`${side}-image`).decode();
  }));
  lock(false);
  await painted();
  if (turn !== state.turns[0]) return;
  state.shownAt = performance.now();
  state.open = turn;
  part("status").textContent = `Pair ${state.total - state.turns.length + 1} of ${state.total}. ${turn.text}`;
}

function progress() {
  const answered = state.total - state.turns.length;
  part("progress").max = state.total;
  part("progress").value = answered;
  part("count").textContent = `${Math.min(answered + 1, state.total)} of ${state.total}`;
}

async function choose(choice) {
  const turn = state.open;
  if (turn === null || (choice === "tie" && !settings.ties)) return;
  state.open = null;
  const seconds = Math.round(performance.now() - state.shownAt) / 1000;
  transport.keep({ id: random(16), rater: state.rater, question: turn.id, choice, seconds });
  for (const side of ["left", "right"]) pictures.delete(transport.image(turn[side]));
  state.turns.shift();
  progress();
  part(choice).classList.add("chosen");
  await sleep(140); // long enough to see what was chosen
  part(choice).classList.remove("chosen");
  ask();
}

function finish() {
  state.over = true;
  part("ask").hidden = true;
  part("welcome").hidden = true;
  part("done").hidden = false;
  const pairs = state.total === 1 ? "the one pair" : `all ${state.total} pairs`;
  part("said").textContent = `You have answered ${pairs}. That helps a lot.`;
  finished();
  part("done").focus();
}

function finished() {
  if (state.over) transport.ended();
}

async function meet(rater) {
  state.rater = rater;
  state.over = false;
  state.open = null;
  state.turns = [];
  part("start").disabled = true;
  const begun = await transport.begin(rater);
  if (begun === null) return;
  state.total = begun.turns.length;
  state.turns = begun.turns.filter((turn) => !begun.answered.has(turn.id));
  const answered = state.total - state.turns.length;
  preload();
  if (answered && !state.turns.length) return finish();
  part("done").hidden = true;
  part("welcome").hidden = false;
  part("back").hidden = !answered;
  part("back").textContent = `Welcome back: ${answered} of ${state.total} are answered already.`;
  part("start").textContent = answered ? "Go on" : "Start";
  part("start").disabled = false;
  part("start").focus();
}

function start() {
  part("welcome").hidden = true;
  part("ask").hidden = false;
  window.scrollTo(0, 0);
  part("question").focus({ preventScroll: true });
  ask();
}

const KEYS = { ArrowLeft: "left", ArrowRight: "right", ArrowDown: "tie", t: "tie", T: "tie" };

document.addEventListener("keydown", (event) => {
  const choice = KEYS[event.key];
  if (!choice || part("ask").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
  if (choice === "tie" && !settings.ties) return;
  event.preventDefault(); // arrows must not scroll
  if (!event.repeat) choose(choice); // a key that is held down is one answer
});
for (const id of ["left", "right", "tie"]) {
  if (part(id)) part(id).addEventListener("click", () => choose(id));
}
part("start").addEventListener("click", start);
part("next-rater").addEventListener("click", () => {
  const rater = `r${random(8)}`;
  shelf.put("rater", rater);
  if (location.search) location.assign(location.pathname); // a name in the link is the first person's
  else meet(rater);
});
meet(identify());
