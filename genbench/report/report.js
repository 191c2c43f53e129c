// Pictures become buttons that enlarge them; without this script the page holds the same, small.
(() => {
  const dialog = document.getElementById("enlarged");
  const shown = document.getElementById("enlarged-picture");
  const words = document.getElementById("enlarged-words");
  const pictures = [...document.querySelectorAll("section img")];
  let at = 0;

  const show = (index) => {
    at = (index + pictures.length) % pictures.length;
    shown.src = pictures[at].src;
    shown.className = pictures[at].className;
    words.textContent = pictures[at].alt;
    if (!dialog.open) dialog.showModal();
  };

  pictures.forEach((picture, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "zoom";
    button.title = "enlarge";
    picture.replaceWith(button);
    button.append(picture);
    button.addEventListener("click", () => show(index));
  });

  dialog.addEventListener("click", (event) => {
    const step = event.target.dataset.step;
    if (step) show(at + Number(step));
    else if (event.target === dialog || "close" in event.target.dataset) dialog.close();
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowRight") show(at + 1);
    if (event.key === "ArrowLeft") show(at - 1);
  });
  dialog.addEventListener("close", () => pictures[at].closest("button").focus());

  // Paper has no buttons to open what is folded.
  const folded = document.querySelectorAll("details");
  window.addEventListener("beforeprint", () => folded.forEach((part) => { part.dataset.was = part.open; part.open = true; }));
  window.addEventListener("afterprint", () => folded.forEach((part) => { part.open = part.dataset.was === "true"; }));
})();
