"use strict";
// The list of all recordings: search in the texts that lie beside it. No library, no network.
(() => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent);

  // ---- The texts: one file for each hundred recordings, read when they are needed, newest first

  const shards = new Map();
  const waiting = new Map();
  window.dropscribeShard = (number, texts) => {
    shards.set(number, texts);
    if (waiting.has(number)) waiting.get(number)();
  };
  const shard = (number) =>
    new Promise((done) => {
      if (shards.has(number)) { done(shards.get(number)); return; }
      const script = document.createElement("script");
      const finish = () => { waiting.delete(number); script.remove(); done(shards.get(number) || []); };
      waiting.set(number, finish);
      script.onerror = finish;
      script.src = `${data.folder}texts-${number}.js`;
      document.head.append(script);
    });

  // ---- Search: all words in one paragraph, without regard to case and accents

  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const clock = (seconds) => {
    const whole = Math.floor(seconds);
    const rest = String(whole % 60).padStart(2, "0");
    const minutes = Math.floor(whole / 60) % 60;
    const hours = Math.floor(whole / 3600);
    return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
  };
  // Where `plain(text)` has the character number `place`, in `text` itself.
  const placeIn = (text, place) => {
    let seen = 0;
    let at = 0;
    for (const char of text) {
      if (seen >= place) return at;
      seen += plain(char).length;
      at += char.length;
    }
    return at;
  };
  const element = (name, className, text) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  // `text`, with everything in it that is one of the words marked.
  const marked = (text, words) => {
    const sought = plain(text);
    const found = words
      .flatMap((word) => {
        const places = [];
        for (let at = sought.indexOf(word); at >= 0; at = sought.indexOf(word, at + word.length))
          places.push([placeIn(text, at), placeIn(text, at + word.length)]);
        return places;
      })
      .sort((one, other) => one[0] - other[0]);
    const parts = [];
    let at = 0;
    for (const [from, to] of found) {
      if (from < at) continue;
      parts.push(text.slice(at, from), element("mark", "", text.slice(from, to)));
      at = to;
    }
    return [...parts, text.slice(at)];
  };

  const BEFORE = 70;
  const AFTER = 130;
  const show = (name, address, text, starts, place, words, query) => {
    const from = placeIn(text, place);
    let start = 0;
    for (const [at, seconds] of starts) if (at <= from) start = seconds;
    const link = element("a", "hit");
    link.href = `${data.up}${address}#t=${start}&q=${encodeURIComponent(query)}`;
    link.append(element("span", "name", name));
    const context = element("p", "opening");
    context.dir = "auto";
    context.append(element("time", "", clock(start)));
    let before = text.slice(Math.max(0, from - BEFORE), from);
    if (from > BEFORE) before = `… ${before.includes(" ") ? before.replace(/^\S*\s/, "") : before}`;
    const rest = text.slice(from, from + AFTER) + (text.length > from + AFTER ? "…" : "");
    context.append(...marked(before + rest, words));
    link.append(context);
    const row = element("li");
    row.append(link);
    $("results").append(row);
  };

  const AT_ONCE = 50;
  let search = 0;  // the number of the search under way: an older one stops
  let goOn = null;
  const run = async (query) => {
    const mine = ++search;
    const words = plain(query).split(/\s+/).filter(Boolean);
    $("hits").hidden = !words.length;
    $("rest").hidden = Boolean(words.length);
    $("results").replaceChildren();
    $("more").hidden = true;
    let found = 0;
    let limit = AT_ONCE;
    const tell = (more) => {
      $("count").textContent = found ? `${found}${more ? "+" : ""}` : more ? "…" : "nothing";
    };
    if (!words.length) return;
    tell(true);
    for (const number of data.shards) {
      const texts = await shard(number);
      if (mine !== search) return;
      for (const [name, address, paragraphs] of texts) {
        for (const [text, starts] of paragraphs) {
          const sought = plain(text);
          if (!words.every((word) => sought.includes(word))) continue;
          const place = sought.indexOf(words[0]);
          show(name, address, text, starts, place, words, query.trim());
          found += 1;
        }
      }
      tell(true);
      if (found >= limit) {
        $("more").hidden = false;
        await new Promise((resolve) => { goOn = resolve; });
        if (mine !== search) return;
        $("more").hidden = true;
        limit = found + AT_ONCE;
      }
    }
    tell(false);
  };
  $("more").addEventListener("click", () => goOn && goOn());
  let pause;
  $("find").addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(() => run($("find").value), 200);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && event.target === document.body) {
      event.preventDefault();
      $("find").focus();
    }
    if (event.key === "Escape" && event.target === $("find")) {
      $("find").value = "";
      run("");
    }
  });

  // ---- Looks, and the newest state while something is being worked on

  const recall = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
  const theme = (name) => { document.documentElement.dataset.theme = name; };
  if (recall("dropscribe-theme")) theme(recall("dropscribe-theme"));
  $("theme").addEventListener("click", () => {
    const shown = document.documentElement.dataset.theme;
    const dark = shown ? shown === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    theme(dark ? "light" : "dark");
    try { localStorage.setItem("dropscribe-theme", dark ? "light" : "dark"); } catch { /* none */ }
  });
  if (data.busy)
    setInterval(() => {
      if (!document.hidden && !$("find").value) location.reload();
    }, 15000);
  document.documentElement.dataset.ready = "true";
})();
