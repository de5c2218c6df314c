"use strict";
// The page of one transcript: the player and the words follow one another. No library, no network.
(() => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent);
  const media = $("media");
  const words = [...document.querySelectorAll("#text p span")];
  const number = new Map(words.map((word, at) => [word, at]));
  const startOf = (at) => data.times[2 * at] / 1000;
  const endOf = (at) => data.times[2 * at + 1] / 1000;

  // ---- Times

  const clock = (seconds) => {
    const whole = Math.max(0, Math.floor(seconds || 0));
    const rest = String(whole % 60).padStart(2, "0");
    const minutes = Math.floor(whole / 60) % 60;
    const hours = Math.floor(whole / 3600);
    return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
  };

  // The number of the last word that has begun at `time`; -1 before the first.
  const wordAt = (time) => {
    let low = 0;
    let high = words.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (startOf(middle) <= time + 0.001) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  };

  const say = (text) => {
    $("say").textContent = text;
    clearTimeout(say.timer);
    say.timer = setTimeout(() => { $("say").textContent = ""; }, 4000);
  };

  // ---- The recording: the first place where it is; otherwise the reader may point to it

  let place = 0;
  let chosen = false;
  let wanted = null;  // where to begin as soon as there is something to play
  const lengthDiffers = () =>
    Number.isFinite(media.duration) && Math.abs(media.duration - data.duration) > 3 + data.duration / 20;

  const tryNext = () => {
    if (!chosen && place < data.recordings.length) {
      media.src = data.recordings[place++];
    } else {
      media.removeAttribute("src");
      $("missing").hidden = false;
      document.body.classList.add("silent");
    }
  };
  media.addEventListener("error", () => { if (media.getAttribute("src")) tryNext(); });
  media.addEventListener("loadedmetadata", () => {
    if (lengthDiffers() && !chosen) { tryNext(); return; }
    if (lengthDiffers()) say("This recording has another length.");
    document.body.classList.remove("silent");
    $("missing").hidden = true;
    media.classList.toggle("picture", media.videoWidth > 0);
    if (wanted !== null) media.currentTime = wanted;
    wanted = null;
    show();
  });
  const choose = (file) => {
    if (!file) return;
    chosen = true;
    if (media.src.startsWith("blob:")) URL.revokeObjectURL(media.src);
    wanted = position();
    media.src = URL.createObjectURL(file);
  };
  $("choose").addEventListener("click", () => $("file").click());
  $("file").addEventListener("change", () => choose($("file").files[0]));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    choose(event.dataTransfer.files[0]);
  });

  const ready = () => media.readyState >= 1;
  const position = () => (ready() ? media.currentTime : wanted || 0);
  const goTo = (seconds) => {
    const time = Math.min(Math.max(0, seconds), data.duration || 0);
    if (ready()) media.currentTime = time;
    else wanted = time;
    show(time);
  };
  const toggle = () => {
    if (!ready()) { $("choose").focus(); return; }
    if (media.paused) media.play().catch(() => say("The browser cannot play this recording."));
    else media.pause();
  };

  // ---- Word and player follow one another

  let lit = -1;
  let touched = 0;  // when the reader last scrolled: the page does not fight them
  const show = (time = position()) => {
    $("clock").textContent = `${clock(time)} / ${clock(data.duration)}`;
    $("seek").value = time;
    const at = wordAt(time);
    const next = at >= 0 && time < Math.max(endOf(at), startOf(at) + 0.05) + 0.35 ? at : -1;
    if (next === lit) return;
    if (lit >= 0) words[lit].classList.remove("lit");
    if (next >= 0) {
      words[next].classList.add("lit");
      keepInSight(words[next]);
    }
    lit = next;
  };
  const keepInSight = (word) => {
    if (Date.now() - touched < 4000) return;
    const box = word.getBoundingClientRect();
    const floor = window.innerHeight - document.querySelector(".player").offsetHeight - 40;
    if (box.top < 40 || box.bottom > floor) word.scrollIntoView({ block: "center" });
  };
  for (const kind of ["wheel", "touchmove"])
    document.addEventListener(kind, () => { touched = Date.now(); }, { passive: true });

  const follow = () => {
    show();
    if (!media.paused) requestAnimationFrame(follow);
  };
  media.addEventListener("play", () => {
    touched = 0;
    document.body.classList.add("playing");
    follow();
  });
  media.addEventListener("pause", () => document.body.classList.remove("playing"));
  media.addEventListener("seeked", () => show());
  $("play").addEventListener("click", toggle);
  $("seek").max = data.duration;
  $("seek").addEventListener("input", () => goTo(Number($("seek").value)));
  $("speed").addEventListener("change", () => setSpeed(Number($("speed").value)));
  const setSpeed = (speed) => {
    media.playbackRate = speed;
    media.defaultPlaybackRate = speed;
    $("speed").value = String(speed);
  };
  const stepSpeed = (step) => {
    const speeds = [...$("speed").options].map((option) => option.value);
    const at = speeds.indexOf($("speed").value) + step;
    if (at >= 0 && at < speeds.length) setSpeed(Number(speeds[at]));
  };

  $("text").addEventListener("click", (event) => {
    const stamp = event.target.closest("[data-word]");
    const at = stamp ? Number(stamp.dataset.word) : number.get(event.target);
    if (at === undefined || String(getSelection())) return;
    touched = Date.now();
    goTo(startOf(at));
  });
  let spot = -1;
  const goToSpot = (at) => {
    spot = at;
    touched = 0;
    goTo(data.check[at][0]);
    const word = words[Math.max(0, wordAt(data.check[at][0]))];
    if (word) word.scrollIntoView({ block: "center" });
  };
  for (const button of document.querySelectorAll("[data-spot]"))
    button.addEventListener("click", () => goToSpot(Number(button.dataset.spot)));

  // ---- Search, without regard to case and accents

  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  let searchable = null;
  const prepare = () => {
    const begins = [];
    let text = "";
    for (const word of words) {
      const before = word.previousSibling;
      text += before ? (before.nodeType === Node.TEXT_NODE ? " " : "") : "\n";
      begins.push(text.length);
      text += plain(word.textContent);
    }
    searchable = { text, begins };
  };
  let hits = [];
  let current = -1;
  const clear = () => {
    for (const [first, last] of hits)
      for (let at = first; at <= last; at++) words[at].classList.remove("hit", "now");
    hits = [];
    current = -1;
  };
  // [first word, last word] of every place where `sought` stands.
  const places = (sought) => {
    const { text, begins } = searchable;
    const found = [];
    let word = 0;
    for (let at = text.indexOf(sought); at >= 0; at = text.indexOf(sought, at + sought.length)) {
      while (word + 1 < begins.length && begins[word + 1] <= at) word++;
      let last = word;
      while (last + 1 < begins.length && begins[last + 1] < at + sought.length) last++;
      found.push([word, last]);
    }
    return found;
  };
  // The words in a row; where they never stand so, each of them. Begins at `time` (seconds).
  const search = (query, time = 0) => {
    clear();
    const sought = plain(query.trim().replace(/\s+/g, " "));
    if (!sought) { $("found").textContent = ""; return; }
    if (!searchable) prepare();
    hits = places(sought);
    if (!hits.length && sought.includes(" "))
      hits = sought.split(" ").flatMap(places).sort((one, other) => one[0] - other[0]);
    for (const [first, last] of hits)
      for (let at = first; at <= last; at++) words[at].classList.add("hit");
    current = hits.findIndex(([, last]) => endOf(last) >= time) - 1;
    if (hits.length) step(1);
    else $("found").textContent = "none";
  };
  const step = (by) => {
    if (!hits.length) return;
    if (current >= 0) mark(hits[current], false);
    current = (Math.max(current, -1) + by + hits.length) % hits.length;
    mark(hits[current], true);
    $("found").textContent = `${current + 1} / ${hits.length}`;
    touched = Date.now();
    words[hits[current][0]].scrollIntoView({ block: "center" });
    goTo(startOf(hits[current][0]));
  };
  const mark = ([first, last], on) => {
    for (let at = first; at <= last; at++) words[at].classList.toggle("now", on);
  };
  $("find").addEventListener("input", () => search($("find").value));
  $("find").addEventListener("keydown", (event) => {
    if (event.key === "Enter") step(event.shiftKey ? -1 : 1);
    if (event.key === "Escape") { $("find").value = ""; search(""); $("find").blur(); }
  });

  // ---- Copy and save

  const wholeText = () =>
    [...document.querySelectorAll("#text .p")]
      .map((block) => {
        const who = block.querySelector(".who");
        return (who ? `${who.textContent}: ` : "") + block.querySelector("p").textContent;
      })
      .join("\n\n") + "\n";
  const stamp = (seconds) => {
    const time = Math.round(seconds * 1000);
    const two = (value) => String(Math.floor(value)).padStart(2, "0");
    const rest = String(time % 1000).padStart(3, "0");
    return `${two(time / 3600000)}:${two((time / 60000) % 60)}:${two((time / 1000) % 60)},${rest}`;
  };
  const subtitles = () =>
    data.cues
      .map(([start, end, text], at) => `${at + 1}\n${stamp(start)} --> ${stamp(end)}\n${text}\n\n`)
      .join("");
  const save = (text, ending) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
    link.download = `${data.name}.${ending}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };
  $("export").addEventListener("change", () => {
    const kind = $("export").value;
    $("export").value = "";
    if (kind) save(kind === "srt" ? subtitles() : wholeText(), kind);
  });
  $("copy").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(wholeText());
      say("Copied.");
    } catch {
      getSelection().selectAllChildren($("text"));
      say("Selected: now press copy on the keyboard.");
    }
  });

  // ---- Looks

  const theme = (name) => { document.documentElement.dataset.theme = name; };
  const remember = (key, value) => { try { localStorage.setItem(key, value); } catch { /* none */ } };
  const recall = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
  if (recall("dropscribe-theme")) theme(recall("dropscribe-theme"));
  $("theme").addEventListener("click", () => {
    const shown = document.documentElement.dataset.theme;
    const dark = shown ? shown === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    theme(dark ? "light" : "dark");
    remember("dropscribe-theme", dark ? "light" : "dark");
  });
  const toggleMarks = () => {
    const on = document.body.classList.toggle("marked");
    $("marks").setAttribute("aria-pressed", String(on));
  };
  $("marks").addEventListener("click", toggleMarks);
  $("help").addEventListener("click", () => $("keys").showModal());

  // ---- Keys

  const stepWord = (by) => {
    const at = Math.min(Math.max(0, wordAt(position()) + by), words.length - 1);
    if (at >= 0) goTo(startOf(at));
  };
  const blocks = [...document.querySelectorAll(".stamp")].map((button) => Number(button.dataset.word));
  const stepBlock = (by) => {
    const at = Math.max(0, wordAt(position()));
    const here = blocks.findLastIndex((first) => first <= at);
    const next = Math.min(Math.max(0, here + by), blocks.length - 1);
    if (next >= 0) { touched = 0; goTo(startOf(blocks[next])); }
  };
  const keys = {
    " ": toggle, k: toggle,
    ArrowLeft: (event) => (event.shiftKey ? stepWord(-1) : goTo(position() - 5)),
    ArrowRight: (event) => (event.shiftKey ? stepWord(1) : goTo(position() + 5)),
    ArrowUp: () => stepBlock(-1), ArrowDown: () => stepBlock(1),
    n: () => { if (data.check.length) goToSpot((spot + 1) % data.check.length); },
    "/": () => $("find").focus(), "<": () => stepSpeed(-1), ">": () => stepSpeed(1),
    m: toggleMarks, "?": () => $("keys").showModal(),
  };
  document.addEventListener("keydown", (event) => {
    const busy = event.target.closest("input:not([type=range]), select, textarea, dialog");
    if (busy || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " " && event.target.closest("button, summary, a")) return;
    const act = keys[event.key] || keys[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act(event);
  });

  // ---- Where to begin: #t=SECONDS, and what to look for: &q=WORDS

  const begin = () => {
    const asked = new URLSearchParams(location.hash.slice(1));
    const time = Number(asked.get("t"));
    if (asked.get("q")) { $("find").value = asked.get("q"); search(asked.get("q"), time || 0); }
    if (!asked.has("t") || !Number.isFinite(time)) return;
    touched = 0;
    goTo(time);
    const word = words[Math.max(0, wordAt(time))];
    if (word) word.scrollIntoView({ block: "center" });
  };
  window.addEventListener("hashchange", begin);
  show(0);
  tryNext();
  begin();
  document.documentElement.dataset.ready = "true";
})();
