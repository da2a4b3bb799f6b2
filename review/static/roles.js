// The page on which roles are taught: one group of look-alikes at a time, one key for each role.

const TEXTS = {
  en: {
    title: "Who wears what at this facility",
    progress: "Labelled",
    hidden: "Heads are hidden. The pictures are deleted when the page is finished.",
    help: "← → move between groups. A group of several roles: x splits it; what cannot be split is skipped.",
    resident: "resident", staff_ppe: "staff in PPE", staff_no_ppe: "staff without PPE", outsider: "outsider",
    mixed: "mixed: split or skip", undo: "undo", save: "save", finish: "finish",
    skipped: "skipped", waiting: "no role yet",
    where: (n, all, people, crops, answer) => `Group ${n} of ${all}: ${people} tracks, ${crops} pictures. ${answer}.`,
    count: (name, crops, people, wanted) => `${name}: ${crops} of ${wanted} pictures, ${people} tracks`,
    working: "Training…",
    finished: "Finished: the pictures are gone. This page can be closed.",
    unsaved: "There are labels that are not saved. Press the key again to finish without them.",
    lost: "The program that serves this page has ended.",
    saved: (h) => `Saved. On ${h.tracks} tracks, each held out in turn: ` +
      (h.track_accuracy === null ? "none could be told, " : `${percent(h.track_accuracy)} of those told are right, `) +
      `${percent(h.tracks_unknown)} are left unknown.`,
  },
  vi: {
    title: "Ai mặc gì tại cơ sở này",
    progress: "Đã gán nhãn",
    hidden: "Vùng đầu được che. Hình ảnh bị xóa khi kết thúc trang này.",
    help: "← → chuyển giữa các nhóm. Nhóm có nhiều vai trò: x tách nhóm; nhóm không tách được thì bỏ qua.",
    resident: "người cách ly", staff_ppe: "nhân viên mặc trang phục phòng hộ",
    staff_no_ppe: "nhân viên không mặc trang phục phòng hộ", outsider: "người ngoài",
    mixed: "lẫn lộn: tách hoặc bỏ qua", undo: "hoàn tác", save: "lưu", finish: "kết thúc",
    skipped: "đã bỏ qua", waiting: "chưa có vai trò",
    where: (n, all, people, crops, answer) => `Nhóm ${n} trên ${all}: ${people} lượt theo dõi, ${crops} hình. ${answer}.`,
    count: (name, crops, people, wanted) => `${name}: ${crops} trên ${wanted} hình, ${people} lượt theo dõi`,
    working: "Đang huấn luyện…",
    finished: "Đã kết thúc: hình ảnh đã bị xóa. Có thể đóng trang này.",
    unsaved: "Có nhãn chưa được lưu. Nhấn phím lần nữa để kết thúc mà không lưu.",
    lost: "Chương trình phục vụ trang này đã dừng.",
    saved: (h) => `Đã lưu. Kiểm tra chéo trên ${h.tracks} lượt theo dõi: ` +
      (h.track_accuracy === null ? "không lượt nào nhận ra được, " : `đúng ${percent(h.track_accuracy)} số lượt nhận ra, `) +
      `${percent(h.tracks_unknown)} chưa xác định.`,
  },
};
const MOST_SHOWN = 27;
const ROLES = { r: "resident", p: "staff_ppe", s: "staff_no_ppe", o: "outsider" };

const asked = new URLSearchParams(location.search).get("lang");
const lang = [asked, ...navigator.languages].map((l) => (l || "").slice(0, 2)).find((l) => l in TEXTS) || "vi";
const text = TEXTS[lang];
const said = document.getElementById("said");
let state = null;
let at = 0;
let warned = false;
let done = false;
let queue = Promise.resolve();

function percent(share) {
  return new Intl.NumberFormat(lang, { style: "percent", maximumFractionDigits: 1 }).format(share);
}

// Of many, some from the first to the last: a group is judged at a glance.
function spread(items) {
  if (items.length <= MOST_SHOWN) return items;
  return Array.from({ length: MOST_SHOWN }, (_, n) => items[Math.round(n * (items.length - 1) / (MOST_SHOWN - 1))]);
}

function element(tag, content, attributes = {}) {
  const made = document.createElement(tag);
  made.append(content);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

async function ask(path, body) {
  const request = body === undefined ? {} : {
    method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" },
  };
  let response;
  try {
    response = await fetch(path, request);
  } catch {
    throw new Error(text.lost);
  }
  const content = await response.json();
  if (!response.ok) throw new Error(content.error);
  return content;
}

function show() {
  const group = state.groups[at];
  const name = group && (group.answer ? text[group.answer] : text.waiting);
  document.getElementById("where").textContent = group
    ? text.where(at + 1, state.groups.length, group.people, group.crops.length, name) : "";
  const pictures = spread(group ? group.crops : []).map((n) => element("img", "", { src: `crop/${n}`, alt: "" }));
  document.getElementById("crops").replaceChildren(...pictures);
  for (const button of document.querySelectorAll("#keys [data-role]")) {
    button.setAttribute("aria-pressed", String(Boolean(group) && button.dataset.role === group.answer));
  }
  document.querySelector('#keys [data-key="u"]').disabled = !state.can_undo;
  document.getElementById("counts").replaceChildren(...Object.entries(state.counts).map(([role, count]) => {
    const row = element("div", text.count(text[role], count.crops, count.people, state.wanted), { class: "row" });
    row.append(element("progress", "", { max: state.wanted, value: Math.min(count.crops, state.wanted) }));
    return row;
  }));
}

async function take(path, body) {
  state = await ask(path, body);
  at = Math.min(state.at, Math.max(0, state.groups.length - 1));
  show();
}

const actions = {
  ArrowLeft: () => { at = Math.max(0, at - 1); show(); },
  ArrowRight: () => { at = Math.min(state.groups.length - 1, at + 1); show(); },
  x: () => take("split", { group: state.groups[at].id }),
  u: () => take("undo", {}),
  Enter: async () => {
    said.textContent = text.working;
    said.textContent = text.saved(await ask("save", {}));
    state = await ask("state");
    show();
  },
  q: async () => {
    if (state.unsaved && !warned) {
      warned = true;
      said.textContent = text.unsaved;
      return;
    }
    await ask("finish", {});
    done = true;
    document.getElementById("crops").replaceChildren();
    said.textContent = text.finished;
  },
};
for (const [key, role] of Object.entries(ROLES)) {
  actions[key] = () => take("answer", { group: state.groups[at].id, role });
}

// One after the other: a key pressed while an answer is under way speaks of the group that comes next.
function act(key) {
  queue = queue.then(async () => {
    if (done || (!state.groups.length && key !== "q")) return;
    if (key !== "q") warned = false;
    if (key !== "q" && key !== "Enter") said.textContent = "";
    try {
      await actions[key]();
    } catch (error) {
      said.textContent = error.message;
    }
  });
}

document.documentElement.lang = lang;
for (const place of document.querySelectorAll("[data-text]")) place.textContent = text[place.dataset.text];
document.title = text.title;
const keys = [...Object.entries(ROLES), ["x", "mixed"], ["u", "undo"], ["Enter", "save"], ["q", "finish"]];
document.getElementById("keys").replaceChildren(...keys.map(([key, name]) => {
  const button = element("button", element("kbd", key === "Enter" ? "⏎" : key), { type: "button", "data-key": key });
  if (key in ROLES) button.dataset.role = name;
  button.append(` ${text[name]}`);
  button.addEventListener("click", () => { button.blur(); act(key); });
  return button;
}));
document.addEventListener("keydown", (event) => {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || !(key in actions)) return;
  if (key === "Enter" && event.target.closest("a, button")) return;
  event.preventDefault();
  act(key);
});
take("state").catch((error) => { said.textContent = error.message; });
