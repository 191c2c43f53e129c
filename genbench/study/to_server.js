// Answers go to the server that showed the page.
class Transport {
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
