// Paper has no buttons to open what is folded.
(() => {
  const folded = document.querySelectorAll("details");
  window.addEventListener("beforeprint", () => folded.forEach((part) => { part.dataset.was = part.open; part.open = true; }));
  window.addEventListener("afterprint", () => folded.forEach((part) => { part.open = part.dataset.was === "true"; }));
})();
