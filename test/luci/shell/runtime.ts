/**
 * The client side of a LuCI of our own: what the page sees of LuCI when there is no router. It follows the documented behaviour of
 * LuCI's modules (`'require …'` directives, `view`, `rpc` with batches per frame, `poll`, `ui`), written anew and only as far as the
 * page goes.
 */

interface Environment {
  readonly sessionid: string;
  readonly writable: boolean;
  readonly view: string;
  readonly translations: Readonly<Record<string, string>>;
}
declare const SHELL: Environment;

type Properties = Record<string, unknown>;
type Constructor = new () => Properties;

/** Classes as LuCI has them: `extend` makes a constructor, `require` makes the one instance. */
function extend(
  base: Constructor,
  properties: Properties,
): Constructor & { extend(p: Properties): Constructor } {
  class Extended extends (base as new () => object) {}
  Object.assign(Extended.prototype, properties);
  const made = Extended as unknown as Constructor & { extend(p: Properties): Constructor };
  made.extend = (more) => extend(made, more);
  return made;
}
class Base {}
const baseclass = { extend: (properties: Properties) => extend(Base as unknown as Constructor, properties) };

// ── poll ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

interface Job {
  readonly tick: () => Promise<unknown>;
  readonly seconds: number;
  running: boolean;
}
const jobs: Job[] = [];
let second = 0;
const poll = {
  add(tick: Job["tick"], seconds = 5): boolean {
    if (jobs.some((job) => job.tick === tick)) return false;
    jobs.push({ tick, seconds, running: false });
    return true;
  },
  remove(tick: Job["tick"]): boolean {
    const at = jobs.findIndex((job) => job.tick === tick);
    if (at >= 0) jobs.splice(at, 1);
    return at >= 0;
  },
};
setInterval(() => {
  second++;
  for (const job of jobs) {
    if (second % job.seconds !== 0 || job.running) continue;
    job.running = true;
    void job.tick().finally(() => {
      job.running = false;
    });
  }
}, 1000);

// ── rpc ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

interface Declaration {
  readonly object: string;
  readonly method: string;
  readonly params?: readonly string[];
  readonly reject?: boolean;
  readonly nobatch?: boolean;
}
interface Call {
  readonly message: { id: number; params: unknown[] };
  readonly declaration: Declaration;
  resolve(value: unknown): void;
  reject(error: Error): void;
}
interface Reply {
  readonly id: number;
  readonly result?: readonly [number, unknown?];
  readonly error?: { readonly code: number; readonly message: string };
}
const STATUS_TEXTS: Readonly<Record<number, string>> = {
  2: "Invalid argument",
  4: "Resource not found",
  6: "Permission denied",
  7: "Request timeout",
};
let nextId = 1;
let waiting: Call[] = [];

async function send(calls: readonly Call[]): Promise<void> {
  const messages = calls.map(({ message }) => ({ jsonrpc: "2.0", method: "call", ...message }));
  try {
    const response = await fetch("/ubus/", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(messages.length === 1 ? messages[0] : messages),
    });
    const answer = (await response.json()) as Reply | readonly Reply[];
    const replies = Array.isArray(answer) ? (answer as readonly Reply[]) : [answer as Reply];
    for (const call of calls)
      settle(
        call,
        replies.find(({ id }) => id === call.message.id),
      );
  } catch (error) {
    for (const call of calls) call.reject(error instanceof Error ? error : new Error(String(error)));
  }
}

/** As LuCI does it: `reject` forgets the data that came with a status; without it the data is the answer, or else the status. */
function settle(call: Call, reply: Reply | undefined): void {
  const { object, method, reject } = call.declaration;
  if (reply?.error !== undefined) {
    const { code, message } = reply.error;
    call.reject(new Error(`RPC call to ${object}/${method} failed with error ${code}: ${message}`));
    return;
  }
  const [status, data] = reply?.result ?? [9];
  if (reject === true && status !== 0)
    call.reject(new Error(`RPC call to ${object}/${method} failed with ubus code ${status}`));
  else call.resolve(data ?? status);
}

const rpc = {
  getStatusText: (status: number) => STATUS_TEXTS[status] ?? _("Unknown error code"),
  setBaseURL(_url: string): void {},
  declare(declaration: Declaration) {
    return (...values: readonly unknown[]) =>
      new Promise((resolve, reject) => {
        const args = Object.fromEntries((declaration.params ?? []).map((name, at) => [name, values[at]]));
        const message = {
          id: nextId++,
          params: [SHELL.sessionid, declaration.object, declaration.method, args],
        };
        const call: Call = { message, declaration, resolve, reject };
        if (declaration.nobatch === true) {
          void send([call]);
          return;
        }
        waiting.push(call);
        if (waiting.length > 1) return;
        requestAnimationFrame(() => {
          const calls = waiting;
          waiting = [];
          void send(calls);
        });
      });
  },
};

// ── ui ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

const listChanges = rpc.declare({ object: "uci", method: "changes", reject: true });

async function postUci(action: string): Promise<void> {
  await fetch(`/cgi-bin/luci/admin/uci/${action}`, {
    method: "POST",
    headers: { "x-session": SHELL.sessionid },
  });
}

/** LuCI loads the page again once changes are applied or taken back. */
function showAnew(): void {
  location.reload();
}

const ui = {
  addNotification(_title: string | null, content: Node, ...classes: readonly string[]): Node {
    const box = document.createElement("div");
    box.className = ["alert-message", ...classes].join(" ");
    box.append(content);
    document.querySelector("#maincontent")?.prepend(box);
    return box;
  },
  changes: {
    async init(): Promise<void> {
      const answer = (await listChanges()) as { readonly changes?: Record<string, readonly unknown[]> };
      const count = Object.values(answer.changes ?? {}).reduce((sum, list) => sum + list.length, 0);
      const indicator = document.querySelector<HTMLElement>("#indicators");
      if (indicator !== null) indicator.textContent = count === 0 ? "" : `${_("Unsaved Changes")}: ${count}`;
    },
    async apply(checked: boolean): Promise<void> {
      await postUci(checked ? "apply_rollback" : "apply_unchecked");
      if (checked) await postUci("confirm");
      showAnew();
    },
    async revert(): Promise<void> {
      await postUci("revert");
      showAnew();
    },
  },
};

// ── view ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

type Handler = ((event: Event, mode?: string) => unknown) | null | undefined;

/** The frame's part of a view: `load`, `render`, and the footer unless its three handlers are null. */
async function show(instance: Properties): Promise<void> {
  const place = document.querySelector<HTMLElement>("#view");
  if (place === null) return;
  try {
    const loaded = await (instance.load as (() => unknown) | undefined)?.();
    const node = (await (instance.render as (loaded: unknown) => unknown)(loaded)) as Node;
    place.replaceChildren(node);
    const footer = footerOf(instance);
    if (footer !== undefined) place.append(footer);
  } catch (error) {
    place.textContent = String(error);
    throw error;
  }
}

function footerOf(instance: Properties): HTMLElement | undefined {
  const buttons: readonly (readonly [string, string, string, string?])[] = [
    ["handleSaveApply", _("Save & Apply"), "cbi-button-apply important", "0"],
    ["handleSave", _("Save"), "cbi-button-save"],
    ["handleReset", _("Reset"), "cbi-button-reset"],
  ];
  const shown = buttons.filter(([handler]) => typeof instance[handler] === "function");
  if (shown.length === 0) return undefined;
  const footer = document.createElement("div");
  footer.className = "cbi-page-actions";
  for (const [handler, text, classes, mode] of shown) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = `btn cbi-button ${classes}`;
    button.textContent = text;
    // LuCI leaves them there, switched off, for a login that may only look.
    button.disabled = !SHELL.writable;
    button.addEventListener(
      "click",
      (event) => void (instance[handler] as Handler)?.call(instance, event, mode),
    );
    footer.append(button, " ");
  }
  return footer;
}

const view = { extend: (properties: Properties) => extend(Base as unknown as Constructor, properties) };

// ── modules ───────────────────────────────────────────────────────────────────────────────────────────────────────────

function _(text: string): string {
  const key = text.trim().replace(/\s+/g, " ");
  return SHELL.translations[key] ?? text;
}

const L = {
  env: { sessionid: SHELL.sessionid },
  hasViewPermission: () => SHELL.writable,
  probeRPCBaseURL: () => Promise.resolve("/ubus/"),
  require: load,
};
const modules = new Map<string, unknown>(Object.entries({ baseclass, poll, rpc, ui, view }));

/** The directives at the head of a module: names, and what they are called in it. */
function directives(source: string): (readonly [string, string])[] {
  const found: (readonly [string, string])[] = [];
  const pattern = /\s*(?:\/\/[^\n]*\n|\/\*[\s\S]*?\*\/|(['"])(.*?)\1\s*;?)/y;
  for (let match = pattern.exec(source); match !== null; match = pattern.exec(source)) {
    const text = match[2];
    if (text === undefined || text === "use strict") continue;
    const parts = /^require\s+(\S+)(?:\s+as\s+([a-zA-Z_]\S*))?$/.exec(text);
    if (parts === null) break;
    found.push([parts[1] ?? "", parts[2] ?? (parts[1] ?? "").replace(/[^a-zA-Z0-9_]/g, "_")]);
  }
  return found;
}

async function load(name: string): Promise<unknown> {
  if (modules.has(name)) return modules.get(name);
  const path = `/luci-static/resources/${name.replaceAll(".", "/")}.js`;
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  const source = await response.text();
  const wanted = directives(source);
  const dependencies = await Promise.all(wanted.map(([dependency]) => load(dependency)));
  const names = wanted.map(([, alias]) => alias);
  const body = new Function("window", "document", "L", "_", ...names, `${source}\n//# sourceURL=${path}`);
  const Class = body(window, document, L, _, ...dependencies) as Constructor;
  const instance = new Class();
  modules.set(name, instance);
  return instance;
}

void load(`view.${SHELL.view}`).then((instance) => show(instance as Properties));
if (SHELL.writable) void ui.changes.init();
