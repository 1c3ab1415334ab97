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

/** Opens one page of the shell, or LuCI's overview with our widget, in a context of its own. */
export async function visit(
  browser: Browser,
  url: string,
  name: string,
  options: VisitOptions = {},
): Promise<Visit> {
  const look = options.look ?? { theme: "bootstrap", dark: false, phone: false };
  const context: BrowserContext = await browser.newContext({
    viewport: look.phone ? { width: 360, height: 740 } : { width: 1180, height: 900 },
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
