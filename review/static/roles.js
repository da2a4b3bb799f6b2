// The page for labelling roles: one group of tracks that look alike at a time, one key for each role.

const TEXTS = {
  en: {
    title: "What each role wears at this facility",
    progress: "Labelled",
    hidden: "Heads are hidden. The images are deleted when you finish.",
    help: "← → move between groups. If a group shows several roles, x splits it; a group that cannot be split is skipped.",
    resident: "resident", staff_ppe: "staff in PPE", staff_no_ppe: "staff without PPE", outsider: "outsider",
    mixed: "mixed: split or skip", undo: "undo", save: "save", finish: "finish",
    skipped: "skipped", waiting: "no role yet",
    where: (n, all, people, crops, answer) => `Group ${n} of ${all}: ${people} tracks, ${crops} images; ${answer}.`,
    count: (name, crops, people, wanted) => `${name}: ${crops} of ${wanted} images, ${people} tracks`,
    working: "Training…",
    finished: "Finished: the images are deleted. You can close this page.",
    unsaved: "Some labels are not saved. Press the key again to finish without saving them.",
    lost: "The program that serves this page has stopped.",
    saved: (h) => `Saved. Cross-validation on ${h.tracks} tracks: ` +
      (h.track_accuracy === null ? "no track has a known role, " : `${percent(h.track_accuracy)} of the known roles are right, `) +
      `${percent(h.tracks_unknown)} of the tracks stay unknown.`,
  },
  vi: {
    title: "Trang phục của từng vai trò tại cơ sở này",
    progress: "Đã gán nhãn",
    hidden: "Vùng đầu được che. Hình ảnh sẽ bị xóa khi kết thúc.",
    help: "← → chuyển giữa các nhóm. Nếu nhóm có nhiều vai trò, nhấn x để tách nhóm; nhóm không tách được sẽ bị bỏ qua.",
    resident: "người cách ly", staff_ppe: "nhân viên mặc trang phục phòng hộ",
    staff_no_ppe: "nhân viên không mặc trang phục phòng hộ", outsider: "người ngoài",
    mixed: "lẫn lộn: tách hoặc bỏ qua", undo: "hoàn tác", save: "lưu", finish: "kết thúc",
    skipped: "đã bỏ qua", waiting: "chưa có vai trò",
    where: (n, all, people, crops, answer) => `Nhóm ${n} trên ${all}: ${people} lượt theo dõi, ${crops} hình; ${answer}.`,
    count: (name, crops, people, wanted) => `${name}: ${crops} trên ${wanted} hình, ${people} lượt theo dõi`,
    working: "Đang huấn luyện…",
    finished: "Đã kết thúc: hình ảnh đã bị xóa. Có thể đóng trang này.",
    unsaved: "Có nhãn chưa được lưu. Nhấn phím lần nữa để kết thúc mà không lưu.",
    lost: "Chương trình phục vụ trang này đã dừng.",
    saved: (h) => `Đã lưu. Kiểm tra chéo trên ${h.tracks} lượt theo dõi: ` +
      (h.track_accuracy === null ? "không lượt nào xác định được vai trò, " : `đúng ${percent(h.track_accuracy)} số lượt đã xác định vai trò, `) +
      `${percent(h.tracks_unknown)} số lượt chưa xác định.`,
  },
};
const MAX_CROPS_SHOWN = 27;
const ROLES = { r: "resident", p: "staff_ppe", s: "staff_no_ppe", o: "outsider" };

const requested = new URLSearchParams(location.search).get("lang");
const lang = [requested, ...navigator.languages].map((l) => (l || "").slice(0, 2)).find((l) => l in TEXTS) || "vi";
const text = TEXTS[lang];
const status = document.getElementById("status");
let state = null;
let at = 0;
let warned = false;
let done = false;
let queue = Promise.resolve();

function percent(share) {
  return new Intl.NumberFormat(lang, { style: "percent", maximumFractionDigits: 1 }).format(share);
}

// If there are many crops, show some of them, spread from the first to the last.
function spread(items) {
  if (items.length <= MAX_CROPS_SHOWN) return items;
  return Array.from({ length: MAX_CROPS_SHOWN }, (_, n) => items[Math.round(n * (items.length - 1) / (MAX_CROPS_SHOWN - 1))]);
}

function element(tag, content, attributes = {}) {
  const created = document.createElement(tag);
  created.append(content);
  for (const [name, value] of Object.entries(attributes)) created.setAttribute(name, value);
  return created;
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
  const images = spread(group ? group.crops : []).map((n) => element("img", "", { src: `crop/${n}`, alt: "" }));
  document.getElementById("crops").replaceChildren(...images);
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

async function update(path, body) {
  state = await ask(path, body);
  at = Math.min(state.at, Math.max(0, state.groups.length - 1));
  show();
}

const actions = {
  ArrowLeft: () => { at = Math.max(0, at - 1); show(); },
  ArrowRight: () => { at = Math.min(state.groups.length - 1, at + 1); show(); },
  x: () => update("split", { group: state.groups[at].id }),
  u: () => update("undo", {}),
  Enter: async () => {
    status.textContent = text.working;
    status.textContent = text.saved(await ask("save", {}));
    state = await ask("state");
    show();
  },
  q: async () => {
    if (state.unsaved && !warned) {
      warned = true;
      status.textContent = text.unsaved;
      return;
    }
    await ask("finish", {});
    done = true;
    document.getElementById("crops").replaceChildren();
    status.textContent = text.finished;
  },
};
for (const [key, role] of Object.entries(ROLES)) {
  actions[key] = () => update("answer", { group: state.groups[at].id, role });
}

// Keys are handled one after the other: a key pressed while a request is pending applies to the next group.
function act(key) {
  queue = queue.then(async () => {
    if (done || (!state.groups.length && key !== "q")) return;
    if (key !== "q") warned = false;
    if (key !== "q" && key !== "Enter") status.textContent = "";
    try {
      await actions[key]();
    } catch (error) {
      status.textContent = error.message;
    }
  });
}

document.documentElement.lang = lang;
for (const node of document.querySelectorAll("[data-text]")) node.textContent = text[node.dataset.text];
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
update("state").catch((error) => { status.textContent = error.message; });
