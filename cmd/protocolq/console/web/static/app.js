// What every page does beyond its HTML: times in the reader's zone, keys, menus, live parts.
"use strict";

(() => {
  const root = document.documentElement;
  root.classList.add("has-js");

  // Times come in UTC and are shown in the reader's zone, in the same form in both languages.
  const two = (n) => String(n).padStart(2, "0");
  const format = (at) => `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  const localise = (within) => {
    for (const el of within.querySelectorAll("time[data-when]")) {
      const at = new Date(el.dateTime);
      if (!Number.isNaN(at.getTime())) {
        el.title = el.dateTime;
        el.textContent = format(at);
        el.removeAttribute("data-when");
      }
    }
  };

  // j and k move between rows with data-row, and Enter opens the first link of the row.
  const rows = () => [...document.querySelectorAll("[data-row]")];
  const walk = (step) => {
    const list = rows();
    if (list.length === 0) return;
    const now = list.findIndex((row) => row.classList.contains("at"));
    const next = Math.min(Math.max(now + step, 0), list.length - 1);
    list.forEach((row) => row.classList.remove("at"));
    list[next].classList.add("at");
    const link = list[next].querySelector("a");
    if (link) link.focus({ preventScroll: true });
    list[next].scrollIntoView({ block: "nearest" });
  };
  const keys = () => { const d = document.getElementById("keys"); if (d && !d.open) d.showModal(); };
  const typing = (el) => el && (el.isContentEditable || /^(INPUT|SELECT|TEXTAREA)$/.test(el.tagName));
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.isComposing) return;
    if (e.key === "Escape") {
      document.querySelectorAll("details.menu[open]").forEach((d) => { d.open = false; d.querySelector("summary").focus(); });
      if (typing(e.target)) e.target.blur();
      return;
    }
    if (typing(e.target) || document.querySelector("dialog[open]")) return;
    const search = document.querySelector("[data-search]");
    switch (e.key) {
      case "/": if (search) { e.preventDefault(); search.focus(); search.select(); } break;
      case "j": walk(1); break;
      case "k": walk(-1); break;
      case "r": { const again = document.querySelector("[data-again]"); if (again) again.click(); else location.reload(); break; }
      case "?": keys(); break;
      case "Enter": {
        const at = document.querySelector("[data-row].at a");
        if (at && e.target === document.body) at.click();
      }
    }
  });

  document.addEventListener("click", (e) => {
    document.querySelectorAll("details.menu[open]").forEach((d) => { if (!d.contains(e.target)) d.open = false; });
    const el = e.target.closest("[data-keys],[data-print],[data-copy]");
    if (!el) return;
    if ("keys" in el.dataset) keys();
    if ("print" in el.dataset) window.print();
    if ("copy" in el.dataset) {
      const text = el.dataset.copy || location.href;
      navigator.clipboard.writeText(text).then(() => {
        const label = el.querySelector("[data-label]") || el;
        const before = label.textContent;
        label.textContent = el.dataset.done;
        setTimeout(() => { label.textContent = before; }, 1500);
      }).catch(() => {});
    }
  });

  // An element with data-stream shows what its stream sends: "text" replaces its data-live part,
  // "done" reloads the page. A hidden tab has no stream.
  const follow = (el) => {
    let source = null;
    const open = () => {
      if (source || document.hidden) return;
      source = new EventSource(el.dataset.stream);
      source.addEventListener("text", (e) => { const at = el.querySelector("[data-live]"); if (at) at.textContent = JSON.parse(e.data); });
      source.addEventListener("done", () => { close(); location.replace(location.href); });
    };
    const close = () => { if (source) { source.close(); source = null; } };
    document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
    window.addEventListener("pagehide", close);
    open();
  };

  // A button with data-wait is disabled for that many milliseconds, and counts them down.
  const wait = (button) => {
    const until = Date.now() + Number(button.dataset.wait);
    const label = button.querySelector("[data-label]");
    const ready = label.textContent;
    const tick = () => {
      const left = Math.ceil((until - Date.now()) / 1000);
      button.disabled = left > 0;
      label.textContent = left > 0 ? button.dataset.waiting.replace("%", left) : ready;
      if (left > 0) setTimeout(tick, 250);
    };
    tick();
  };

  const begin = () => {
    localise(document);
    document.querySelectorAll("[data-wait]").forEach(wait);
    document.querySelectorAll("[data-stream]").forEach(follow);
    // A form is sent only once, and then shows that it is in progress.
    document.querySelectorAll("form[data-once]").forEach((form) => form.addEventListener("submit", () => {
      setTimeout(() => form.querySelectorAll("button").forEach((b) => { b.disabled = true; b.setAttribute("aria-busy", "true"); }));
    }));
    // Back to a page that the browser kept: nothing is in progress any more.
    window.addEventListener("pageshow", (e) => { if (e.persisted) document.querySelectorAll("form[data-once] button").forEach((b) => { b.disabled = false; b.removeAttribute("aria-busy"); }); });
  };
  window.protocolq = { localise };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin); else begin();
})();
