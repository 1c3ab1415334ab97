/**
 * A LuCI of our own around the real page and a real daemon: frame, sessions, JSON-RPC. The `kcp-router` object is the daemon's API
 * socket; access control is the file that the package installs; `uci` is a scratch file that the daemon runs with.
 */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join, normalize } from "node:path";
import { build } from "esbuild";
import { UCI_PACKAGE } from "../../../router-daemon/src/config/uci/sections.ts";
import { UbusStatus } from "../../../router-daemon/src/ubus/constants.ts";
import { PAGE_OUT } from "../../../tools/page.ts";
import { Access } from "./access.ts";
import { THEMES, type ThemeName, themeCss } from "./themes.ts";
import { type UciReply, UciStore } from "./uci-store.ts";

/** LuCI's own limit for a request's body (conventions.md 3). */
const MAX_BODY_BYTES = 65_536;
/**
 * Stricter than the strictest preset of LuCI's CSP plugin (conventions.md 2.3), which has to let LuCI's own templates and widgets bring
 * inline scripts and styles: here only the frame's one script may, by its nonce. `unsafe-eval` is LuCI's way to load a module.
 */
function contentSecurityPolicy(nonce: string): string {
  const scripts = `script-src 'self' 'nonce-${nonce}' 'unsafe-eval'`;
  return `default-src 'none'; ${scripts}; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'`;
}
/** What LuCI's own overview includes. */
const WIDGET = "status.include.70_kcp-router";
const PAGES = ["status", "connections", "peers", "settings", "diagnose"];

export interface ShellOptions {
  /** Unix socket of the daemon's API. */
  readonly socket: string;
  /** The uci file that the daemon runs with. */
  readonly uciFile: string;
  /** What `rc init` and procd's reload trigger do. */
  readonly service: {
    /** Of a service that runs or ended by itself, procd's instance; undefined of one that was stopped. */
    instance(): object | undefined;
    order(action: string): Promise<void>;
    reload(): Promise<void>;
  };
  /** Host hints as LuCI would know them. */
  readonly hints?: object;
  /** Stands in for an answer of the daemon, for pages that are hard to bring about. */
  readonly answer?: (method: string, args: object) => object | undefined;
  readonly translations?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly port?: number;
}

export interface Shell {
  readonly url: string;
  /** Reports of the browser about the content security policy, and calls that the access control refused. */
  readonly refused: string[];
  readonly uci: UciStore;
  close(): Promise<void>;
}

/** Sessions by their id: who may only look, and who may write. */
const ACCOUNTS: Readonly<Record<string, boolean>> = {
  "00000000000000000000000000000ad1": true,
  "000000000000000000000000000001ee": false,
};

export async function startShell(options: ShellOptions): Promise<Shell> {
  const runtime = await bundleRuntime();
  const access = new Access();
  const uci = new UciStore(options.uciFile, options.service.reload);
  const refused: string[] = [];
  const server = createServer((incoming, response) => {
    void new Exchange(options, access, uci, refused, runtime, incoming, response)
      .answer()
      .catch((error: unknown) => {
        response.writeHead(500).end(String(error));
      });
  });
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    refused,
    uci,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function bundleRuntime(): Promise<string> {
  const built = await build({
    entryPoints: [join(import.meta.dirname, "runtime.ts")],
    bundle: true,
    write: false,
    format: "iife",
    target: "es2020",
  });
  return built.outputFiles[0]?.text ?? "";
}

interface Message {
  readonly id: number;
  readonly params: readonly [string, string, string, Record<string, unknown>];
}

class Exchange {
  readonly #options: ShellOptions;
  readonly #access: Access;
  readonly #uci: UciStore;
  readonly #refused: string[];
  readonly #runtime: string;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;

  constructor(
    options: ShellOptions,
    access: Access,
    uci: UciStore,
    refused: string[],
    runtime: string,
    incoming: IncomingMessage,
    response: ServerResponse,
  ) {
    this.#options = options;
    this.#access = access;
    this.#uci = uci;
    this.#refused = refused;
    this.#runtime = runtime;
    this.#request = incoming;
    this.#response = response;
  }

  async answer(): Promise<void> {
    const url = new URL(this.#request.url ?? "/", "http://router");
    if (url.pathname === "/") this.#redirect("/cgi-bin/luci/admin/services/kcp-router/status");
    else if (url.pathname === "/ubus/") await this.#ubus();
    else if (url.pathname === "/shell/runtime.js") this.#send("text/javascript", this.#runtime);
    else if (url.pathname === "/shell/theme.css") this.#theme(url);
    else if (url.pathname.startsWith("/luci-static/resources/")) this.#file(url.pathname);
    else if (url.pathname.startsWith("/cgi-bin/luci/admin/uci/")) await this.#applyUci(url.pathname);
    else if (url.pathname.startsWith("/cgi-bin/luci/admin/services/kcp-router/")) this.#page(url);
    else if (url.pathname === "/cgi-bin/luci/admin/status/overview") this.#frame(url, "overview", WIDGET);
    else this.#response.writeHead(404).end();
  }

  #send(type: string, text: string | Buffer): void {
    this.#response
      .writeHead(200, { "content-type": `${type}; charset=utf-8`, "cache-control": "no-store" })
      .end(text);
  }

  #redirect(to: string): void {
    this.#response.writeHead(302, { location: to }).end();
  }

  // ── the frame ───────────────────────────────────────────────────────────────────────────────────────────────────

  #page(url: URL): void {
    const page = url.pathname.split("/").at(-1) ?? "";
    if (PAGES.includes(page)) this.#frame(url, page, `kcp-router.${page}`);
    else this.#response.writeHead(404).end();
  }

  /** `?theme=bootstrap&dark=true&account=look&lang=zh_Hans` choose what a router's owner chooses elsewhere. */
  #frame(url: URL, page: string, view: string): void {
    const { searchParams } = url;
    const look = searchParams.get("account") === "look";
    const session = Object.keys(ACCOUNTS)[look ? 1 : 0] ?? "";
    const dark = searchParams.get("dark") === "true";
    const lang = searchParams.get("lang") ?? "en";
    const environment = {
      sessionid: session,
      writable: !look,
      view,
      translations: this.#options.translations?.[lang] ?? {},
    };
    const t = (text: string) => environment.translations[text] ?? text;
    const tabs = PAGES.map((name) => {
      const title = `${name[0]?.toUpperCase()}${name.slice(1)}`;
      return `<li class="${name === page ? "active" : ""}"><a href="${name}${url.search.replaceAll("&", "&amp;")}">${t(title)}</a></li>`;
    });
    // A script's text ends at "</": names with markup stay inside.
    const shell = JSON.stringify(environment).replaceAll("<", "\\u003c");
    const nonce = randomBytes(16).toString("base64");
    this.#response.setHeader("content-security-policy", contentSecurityPolicy(nonce));
    this.#send(
      "text/html",
      `<!doctype html><html lang="${lang.replace("_", "-")}" data-darkmode="${dark}"><head><meta charset="utf-8"><title>KCP Router</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<link rel="stylesheet" href="/shell/theme.css?theme=${themeOf(url)}"></head><body>
<header><span class="brand">OpenWrt</span><span>${t("Services")}</span><span id="indicators" role="status"></span></header>
<main id="maincontent"><ul class="tabs">${tabs.join("")}</ul><div id="view" class="spinning">…</div></main>
<script nonce="${nonce}">const SHELL = ${shell};</script><script src="/shell/runtime.js"></script></body></html>`,
    );
  }

  #theme(url: URL): void {
    this.#send("text/css", themeCss(themeOf(url)));
  }

  #file(path: string): void {
    const file = normalize(join(PAGE_OUT, "htdocs", path));
    if (!file.startsWith(PAGE_OUT) || !existsSync(file)) this.#response.writeHead(404).end();
    else this.#send("text/javascript", readFileSync(file));
  }

  // ── JSON-RPC ────────────────────────────────────────────────────────────────────────────────────────────────────

  async #ubus(): Promise<void> {
    const body = await this.#body();
    const message = JSON.parse(body) as Message | readonly Message[];
    const replies: object[] = [];
    // A batch runs one after another, as uhttpd runs it.
    for (const one of Array.isArray(message) ? (message as readonly Message[]) : [message as Message]) {
      replies.push({ jsonrpc: "2.0", id: one.id, ...(await this.#call(one)) });
    }
    this.#send("application/json", JSON.stringify(Array.isArray(message) ? replies : replies[0]));
  }

  async #call({ params: [session, object, method, args] }: Message): Promise<object> {
    const writable = ACCOUNTS[session];
    if (writable === undefined || !this.#access.mayCall(writable, object, method)) {
      this.#refused.push(`${object}.${method}`);
      return { error: { code: -32002, message: "Access denied" } };
    }
    switch (object) {
      case "kcp-router":
        return this.#askDaemon(method, args);
      case "uci":
        return { result: this.#askUci(session, writable, method, args) };
      case "kcp-router-settings":
        return { result: [0, this.#settings(session)] };
      case "service": {
        const instance = this.#options.service.instance();
        return { result: [0, instance === undefined ? {} : { "kcp-router": { instances: { instance } } }] };
      }
      case "rc":
        await this.#options.service.order(String(args.action));
        return { result: [0] };
      case "luci-rpc":
        return { result: [0, this.#options.hints ?? {}] };
      default:
        return { error: { code: -32000, message: "Object not found" } };
    }
  }

  /** Besides the right to call the method, rpcd wants one to the file, and is silent about changes of those that may not be read. */
  #askUci(session: string, writable: boolean, method: string, args: Record<string, unknown>): UciReply {
    const config = String(args.config ?? UCI_PACKAGE);
    const right = method === "changes" || method === "get" ? "read" : "write";
    if (this.#access.mayUci(writable, config, right)) return this.#uci.call(session, method, args);
    if (method === "changes" && args.config === undefined) return [UbusStatus.ok, { changes: {} }];
    this.#refused.push(`uci.${method}`);
    return [UbusStatus.permissionDenied];
  }

  async #askDaemon(method: string, args: Record<string, unknown>): Promise<object> {
    const stood = this.#options.answer?.(method, args);
    if (stood !== undefined) return { result: [0, stood] };
    const answer = await callDaemon(this.#options.socket, method, args);
    if (answer === undefined) return { error: { code: -32000, message: "Object not found" } };
    return answer.ok ? { result: [0, answer.value] } : { result: [2, answer.value] };
  }

  /** What rpcd's plugin of the package answers: everything but the secret. */
  #settings(session: string): object {
    const secrets: string[] = [];
    const sections = this.#uci.sections(session).map(({ name, type, anonymous, values }) => {
      const shown = Object.entries(values).filter(([option, value]) => {
        if (type !== "network" || option !== "secret" || value === "") return true;
        secrets.push(`${type}.${option}`);
        return false;
      });
      return { name, type, anonymous, values: Object.fromEntries(shown) };
    });
    return { sections, secrets };
  }

  async #applyUci(path: string): Promise<void> {
    const session = String(this.#request.headers["x-session"] ?? "");
    if (ACCOUNTS[session] !== true) {
      this.#response.writeHead(403).end();
      return;
    }
    const action = path.split("/").at(-1);
    if (action === "apply_rollback" || action === "apply_unchecked") await this.#uci.apply(session);
    else if (action === "confirm") this.#uci.confirm();
    else if (action === "revert") this.#uci.revert(session);
    this.#send("application/json", "{}");
  }

  async #body(): Promise<string> {
    let text = "";
    for await (const chunk of this.#request.setEncoding("utf8")) {
      text += chunk as string;
      if (text.length > MAX_BODY_BYTES) throw new Error("The body is too large.");
    }
    return text;
  }
}

function themeOf(url: URL): ThemeName {
  const wanted = url.searchParams.get("theme");
  return THEMES.find((name) => name === wanted) ?? "bootstrap";
}

/** One call of the daemon's API; undefined = nobody is there. */
function callDaemon(
  socketPath: string,
  method: string,
  args: object,
): Promise<{ readonly ok: boolean; readonly value: unknown } | undefined> {
  return new Promise((resolve) => {
    // uhttpd adds the session to the arguments; the daemon's ubus object takes it out again.
    const call = request({ socketPath, method: "POST", path: `/api/v1/${method}` }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () =>
        resolve({ ok: response.statusCode === 200, value: JSON.parse(text) as unknown }),
      );
    });
    call.on("error", () => resolve(undefined));
    call.end(JSON.stringify(args));
  });
}
