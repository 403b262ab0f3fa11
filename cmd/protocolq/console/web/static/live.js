// A page whose parts change while it is open: each event carries one part, by its element's id.
"use strict";

(() => {
  for (const el of document.querySelectorAll("[data-parts]")) {
    const button = el.querySelector("[data-pause]");
    let source = null, paused = false;
    const close = () => { if (source) { source.close(); source = null; } };
    const open = () => {
      if (source || paused || document.hidden) return;
      source = new EventSource(el.dataset.parts);
      source.addEventListener("part", (e) => {
        const part = JSON.parse(e.data), at = document.getElementById(part.id);
        if (!at) return;
        at.innerHTML = part.html;
        if (window.protocolq) window.protocolq.localise(at);
      });
    };
    if (button) {
      button.addEventListener("click", () => {
        paused = !paused;
        button.textContent = paused ? button.dataset.off : button.dataset.on;
        if (paused) close(); else location.reload();
      });
    }
    document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
    window.addEventListener("pagehide", close);
    open();
  }
})();
