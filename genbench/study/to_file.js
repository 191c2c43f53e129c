// Answers stay in the browser and leave it as a file.
class Transport {
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
