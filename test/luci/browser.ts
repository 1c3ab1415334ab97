/** The system's Chromium, watched: what a page says on its console and what it reports is a finding. */
import { existsSync } from "node:fs";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

const CANDIDATES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

export async function launch(): Promise<Browser> {
  const executablePath = CANDIDATES.find((path) => existsSync(path));
  if (executablePath === undefined)
    throw new Error("Chromium is missing: install it (apt-get install chromium).");
  // Root has no user namespace of its own to put the browser's children into.
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
}

export interface Look {
  readonly theme: "bootstrap" | "material" | "argon";
  readonly dark: boolean;
  readonly phone: boolean;
}

export const LOOKS: readonly Look[] = [
  { theme: "bootstrap", dark: false, phone: false },
  { theme: "bootstrap", dark: true, phone: true },
  { theme: "bootstrap", dark: true, phone: false },
  { theme: "material", dark: false, phone: true },
  { theme: "argon", dark: false, phone: false },
  { theme: "argon", dark: true, phone: true },
];

export interface Visit {
  readonly page: Page;
  /** Errors and warnings of the console, exceptions, violations of the content security policy. */
  readonly complaints: string[];
  /** Bodies of everything that the browser was sent. */
  readonly received: string[];
  close(): Promise<void>;
}

export interface VisitOptions {
  readonly look?: Look;
  readonly account?: "admin" | "look";
  readonly lang?: string;
}

function viewport(phone: boolean): { readonly width: number; readonly height: number } {
  return phone ? { width: 360, height: 740 } : { width: 1180, height: 900 };
}

/** Opens one page of the shell, or LuCI's overview with our widget, in a context of its own. */
export async function visit(
  browser: Browser,
  url: string,
  name: string,
  options: VisitOptions = {},
): Promise<Visit> {
  const look = options.look ?? { theme: "bootstrap", dark: false, phone: false };
  const context: BrowserContext = await browser.newContext({
    viewport: viewport(look.phone),
    colorScheme: look.dark ? "dark" : "light",
    acceptDownloads: true,
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  const received: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("response", (response) => {
    void response.text().then(
      (text) => received.push(text),
      () => {},
    );
  });
  const query = new URLSearchParams({
    theme: look.theme,
    dark: String(look.dark),
    account: options.account ?? "admin",
    lang: options.lang ?? "en",
  });
  const path = name === "overview" ? "status/overview" : `services/kcp-router/${name}`;
  await page.goto(`${url}cgi-bin/luci/admin/${path}?${query}`);
  return { page, complaints, received, close: () => context.close() };
}

/**
 * Puts a page that is open into another look, as an owner who changes theme, system setting or device while he looks. The page's
 * markup is the same in all of them.
 */
export async function wear(page: Page, { theme, dark, phone }: Look): Promise<void> {
  await page.setViewportSize(viewport(phone));
  await page.emulateMedia({ colorScheme: dark ? "dark" : "light" });
  await page.evaluate(`new Promise((resolve) => {
    const link = document.querySelector("link[rel=stylesheet]");
    link.addEventListener("load", resolve, { once: true });
    link.href = "/shell/theme.css?theme=${theme}&for=${dark}-${phone}";
  })`);
  await page.evaluate(`document.documentElement.dataset.darkmode = "${dark}"`);
  await drawn(page);
}

/** Resolves when what is known by now is on the screen. */
export async function drawn(page: Page): Promise<void> {
  await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
}

/** Makes the page ask now, as it does when its tab comes to the front, and draw the answer. */
export async function askNow(page: Page): Promise<void> {
  const answered = page.waitForResponse((response) => response.url().endsWith("/ubus/"));
  await page.evaluate(`document.dispatchEvent(new Event("visibilitychange"))`);
  await answered;
  await drawn(page);
}

/**
 * Milliseconds from the request for the frame until the card says that the router has joined, as painted. The page tells it by its
 * console: asking it would cost the slowed processor more than the page does. What the page's thread was ready to run and did not,
 * because the machine ran something else, is taken off: the slowing itself counts as running.
 */
export async function firstPaint(browser: Browser, url: string, slowness: number): Promise<number> {
  // From another page of ours, as by a click: the renderer is there, and its clocks go on.
  const { page, close } = await visit(browser, url, "peers");
  await page.addInitScript(`
    new MutationObserver((_, observer) => {
      if (!document.querySelector(".kcp-headline")?.textContent.includes("Joined")) return;
      observer.disconnect();
      requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => console.debug("painted after", performance.now());
        port2.postMessage(0);
      });
    }).observe(document, { childList: true, subtree: true, characterData: true });`);
  const client = await page.context().newCDPSession(page);
  await client.send("Performance.enable");
  /** Of the page's thread: time in tasks that it did not run. */
  const deprived = async (): Promise<number> => {
    const { metrics } = await client.send("Performance.getMetrics");
    const of = (wanted: string) => (metrics.find(({ name }) => name === wanted)?.value ?? 0) * 1000;
    return of("TaskDuration") - of("ThreadTime");
  };
  await client.send("Emulation.setCPUThrottlingRate", { rate: slowness });
  const before = await deprived();
  const told = page.waitForEvent("console", (message) => message.text().startsWith("painted after"));
  await page.goto(page.url().replace("/peers?", "/status?"), { waitUntil: "commit" });
  const ms = Number((await told).text().split(" ").at(-1));
  const lost = (await deprived()) - before;
  await close();
  return ms - Math.max(0, lost);
}
