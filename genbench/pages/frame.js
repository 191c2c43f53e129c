"use strict";
// What is marked data-enlarge becomes a button that enlarges its picture; without this script the page holds the same, small.
(() => {
  const dialog = document.getElementById("enlarged");
  const words = document.getElementById("enlarged-words");
  let button = null; // whose picture is shown

  // Those that can be seen, as they are sorted and filtered now.
  const buttons = () => [...document.querySelectorAll(".zoom")].filter((one) => one.getClientRects().length);

  const show = (wanted) => {
    button = wanted;
    const picture = button.querySelector("img");
    const large = picture.cloneNode();
    large.style.imageRendering = getComputedStyle(picture).imageRendering;
    large.alt = ""; // the words say it
    words.textContent = picture.alt;
    document.getElementById("enlarged-picture").replaceChildren(large);
    if (!dialog.open) dialog.showModal();
  };

  const step = (by) => {
    const all = buttons();
    show(all[(all.indexOf(button) + by + all.length) % all.length]);
  };

  for (const small of document.querySelectorAll("[data-enlarge]")) {
    const around = document.createElement("button");
    around.type = "button";
    around.className = "zoom";
    around.setAttribute("aria-label", `enlarge ${(small.querySelector("img") ?? small).alt}`);
    small.replaceWith(around);
    around.append(small);
    around.addEventListener("click", () => show(around));
  }

  dialog.addEventListener("click", (event) => {
    if (event.target.dataset.step) step(Number(event.target.dataset.step));
    else if (event.target === dialog || "close" in event.target.dataset) dialog.close();
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowRight") step(1);
    if (event.key === "ArrowLeft") step(-1);
  });
  dialog.addEventListener("close", () => button.focus());
})();
