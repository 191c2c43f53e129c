"use strict";
// One page and two ways for answers to leave it: to_server.js sends each to a server until it is acknowledged, to_file.js keeps them
// until somebody saves them as a file.

const AHEAD = 3; // questions whose images are fetched before they are asked
const GRAINS = 32; // pixels; images up to this size are shown with their pixels, larger ones are smoothed

const transport = new Transport();
const pictures = new Map(); // address -> promise of a decoded image
const state = { rater: "", turns: [], total: 0, open: null, shownAt: 0, over: false };

// The rater's name; null where the link gives one that the server would not take either.
function identify() {
  const named = new URLSearchParams(location.search).get("rater");
  if (named && !new RegExp(settings.rater).test(named)) {
    note("The study does not accept the name in your link: up to 64 letters, digits, and . _ @ - may stand in it. Ask for another link.");
    return null;
  }
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
const rater = identify();
if (rater !== null) meet(rater);
