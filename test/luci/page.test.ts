/** The page in real Chromium, around a real daemon in the lab. */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import axe from "axe-core";
import type { Page } from "playwright-core";
import type { Overview } from "../../router-daemon/src/api/reports.ts";
import { MAX_PAGE_BYTES, PAGE_OUT, type PageSize } from "../../tools/page.ts";
import { until } from "../netns/namespace.ts";
import { OUT } from "../netns/paths.ts";
import { LAN_TO_LAN } from "../netns/two-routers.ts";
import { askNow, drawn, firstPaint, LOOKS, visit, wear } from "./browser.ts";
import { connection, peerNamed } from "./rows.ts";
import { endScenes, SECRET, withPage } from "./scene.ts";
import { startTraffic } from "./traffic.ts";

/** The line for the state to be seen with a processor six times slower. */
const MAX_FIRST_PAINT_MS = 1000;
const MAX_PAINT_ATTEMPTS = 10;
/** The line for the main thread's work at one tick with a thousand connections. */
const MAX_TICK_MS = 50;
const PAGES = ["status", "connections", "peers", "settings", "diagnose"];
/** What a page shows only after a click or two is looked at as well. */
const UNFOLDED: readonly { readonly name: string; readonly unfold: (page: Page) => Promise<void> }[] = [
  {
    name: "connections",
    unfold: async (page) => {
      await page.getByLabel("Group by device").check();
      const end = page.getByRole("button", { name: "End this connection" });
      // The table moves while it is clicked: it may be another row.
      await until("an open connection's details", async () => {
        await page.locator(".kcp-line:not(.closed)").first().click();
        await drawn(page);
        return end.isVisible();
      });
    },
  },
  {
    name: "settings",
    unfold: async (page) => {
      for (const summary of await page.locator(".kcp summary").all()) await summary.click();
      await page.getByRole("button", { name: "Import from EasyTier …" }).click();
      await page.getByLabel("TOML text").fill('ipv4 = "10.91.0.9/24"\ndhcp = true\n');
      await page.locator("#kcp-network-ipv4").fill("10.91.0.256/24");
      await page.locator(".kcp-field-error").first().waitFor();
    },
  },
  {
    name: "diagnose",
    unfold: async (page) => {
      await page.getByRole("button", { name: "Examine" }).click();
      await page.getByText("Measured to b").waitFor();
    },
  },
];
const SHOTS = join(OUT, "page");
/** The pictures of docs/page.md. `PAGE_SHOTS=all` makes one of each page in each look. */
const DOCUMENTED = [
  "status-bootstrap-light-desktop",
  "connections-bootstrap-light-desktop",
  "connections-bootstrap-dark-phone",
];
const ALL_SHOTS = process.env.PAGE_SHOTS === "all";
const MIB = 1024 * 1024;

interface AxeResult {
  readonly violations: readonly {
    readonly id: string;
    readonly impact: string | null;
    readonly nodes: readonly { readonly html: string }[];
  }[];
}

/** What keyboards and screen readers trip over, of the two worst kinds; the shell around the page is not looked at. */
async function seriousFindings(page: Page, rules: "all" | "colours"): Promise<string[]> {
  if ((await page.evaluate("typeof axe")) === "undefined") await page.evaluate(axe.source);
  const options = rules === "all" ? {} : { runOnly: ["color-contrast"] };
  const { violations } = (await page.evaluate(`axe.run(".kcp", ${JSON.stringify(options)})`)) as AxeResult;
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(" | ")}`);
}

test.after.always(endScenes);

test.serial(
  "a connection appears within one poll and its bytes grow; ended from the page, it is gone",
  async (t) => {
    await withPage(async ({ lab, browser, shell }) => {
      const { page, complaints, close } = await visit(browser, shell.url, "connections");
      await page.getByText("No TCP connection yet").waitFor();
      t.is(await page.locator(".kcp-transport-kcp").count(), 1, "what would be used for each node is shown");
      const transfer = lab.transfer({
        ...LAN_TO_LAN,
        mode: "duplex",
        upBytes: 1000,
        downBytes: 64 * MIB,
        stall: { atBytes: MIB, ms: 12_000 },
      });
      const row = page.locator(".kcp-line", { hasText: "laptop" });
      // One tick is three seconds.
      await row.waitFor({ timeout: 4500 });
      t.regex((await row.textContent()) ?? "", /KCP.*kcp_allowed/s);
      const before = await row.textContent();
      await page.waitForFunction(
        `document.querySelector(".kcp-line")?.textContent !== ${JSON.stringify(before)}`,
        undefined,
        { timeout: 4500 },
      );
      await row.click();
      await page.getByText("The peer takes KCP, so the connection is carried over KCP.").first().waitFor();
      await page.getByRole("button", { name: "End this connection" }).click();
      await page.locator(".kcp-line.closed").waitFor();
      t.not((await transfer).bad.length, 0, "its client was cut off");
      t.deepEqual(complaints, []);
      await close();
    });
  },
);

test.serial("a wrong value is refused with the sentence at its field, and nothing is sent", async (t) => {
  await withPage(async ({ a, browser, shell }) => {
    const before = readFileSync(a.configPath, "utf8");
    const { page, close } = await visit(browser, shell.url, "settings");
    const field = page.getByLabel("Virtual address");
    await field.fill("10.91.0.256/24");
    const frame = page.locator(".cbi-value", { has: field });
    t.regex(
      (await frame.locator(".kcp-field-error").textContent()) ?? "",
      /10\.91\.0\.256.*allowed is an IPv4 address/,
    );
    t.is(await field.getAttribute("aria-invalid"), "true");
    await page.getByRole("button", { name: "Save & Apply" }).click();
    t.is(await page.locator("#indicators").textContent(), "");
    await page.getByRole("button", { name: "Reset" }).click();
    await page.waitForFunction(`document.querySelector("#kcp-network-ipv4")?.value === "10.91.0.1/24"`);
    t.is(readFileSync(a.configPath, "utf8"), before);
    await close();
  });
});

test.serial("who may only look sees everything and can write nothing, not even by force", async (t) => {
  await withPage(async ({ a, browser, shell }) => {
    for (const name of PAGES) {
      const { page, close } = await visit(browser, shell.url, name, { account: "look" });
      await page.locator(".kcp .cbi-section").first().waitFor();
      t.is(
        await page
          .getByRole("button", { name: /^(Start|Stop|Restart|Save|Save & Apply|Reset|Add|Remove|Import.*)$/ })
          .count(),
        0,
        name,
      );
      for (const input of await page.locator(".kcp .cbi-value input").all()) t.true(await input.isDisabled());
      await close();
    }
    const { page, close } = await visit(browser, shell.url, "status", { account: "look" });
    const forged: readonly (readonly [string, string, object])[] = [
      ["kcp-router", "close_connection", { id: 1 }],
      ["kcp-router", "reload", {}],
      ["rc", "init", { name: "kcp-router", action: "stop" }],
      ["uci", "set", { config: "kcp-router", section: "proxy", values: { enable_kcp_proxy: "0" } }],
      ["uci", "get", { config: "kcp-router" }],
    ];
    for (const [object, method, args] of forged) {
      const text = await page.evaluate(
        async (params) => {
          const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "call", params });
          return (await fetch("/ubus/", { method: "POST", body })).text();
        },
        ["000000000000000000000000000001ee", object, method, args],
      );
      t.regex(text, method === "get" ? /"result":\[6\]/ : /-32002/, `${object}.${method}`);
    }
    t.true(a.process.running);
    await close();
  });
});

test.serial("a processor six times slower paints the state within a second", async (t) => {
  await withPage(async ({ browser, shell }) => {
    const fast = await firstPaint(browser, shell.url, 1);
    // What else the machine does can only make it later, even so: the best of some attempts is the page's own time.
    const attempts: number[] = [];
    while (attempts.length < MAX_PAINT_ATTEMPTS && !(Math.min(...attempts) <= MAX_FIRST_PAINT_MS))
      attempts.push(await firstPaint(browser, shell.url, 6));
    const shown = attempts.map((ms) => ms.toFixed(0)).join(", ");
    t.log(`first paint of the status: ${fast.toFixed(0)} ms; with a processor six times slower ${shown} ms`);
    t.true(Math.min(...attempts) <= MAX_FIRST_PAINT_MS, `${shown} ms`);
  });
});

test.serial("hostile names are text, and the layout holds", async (t) => {
  const hostile = [
    "<img src=x onerror=alert(1)>",
    "x".repeat(10_240),
    "‮egnahc eht",
    "🦊🦊👩‍👩‍👧‍👦",
    "\u0000\u001b[31m",
    "</script><script>alert(2)</script>",
  ];
  let asked: Record<string, unknown> | undefined;
  await withPage(
    async ({ a, browser, shell }) => {
      asked = (await a.call("overview")) as unknown as Record<string, unknown>;
      for (const name of ["connections", "peers", "status"]) {
        for (const look of LOOKS.slice(0, 2)) {
          const { page, complaints, close } = await visit(browser, shell.url, name, { look });
          await page.locator(".kcp .cbi-section").first().waitFor();
          t.is(await page.locator(".kcp img").count(), 0);
          t.true(
            await page.evaluate("document.documentElement.scrollWidth <= innerWidth"),
            `${name}: too wide`,
          );
          t.deepEqual(complaints, []);
          if (name !== "status")
            t.true(await page.getByText("<img src=x onerror=alert(1)>").first().isVisible());
          await close();
        }
      }
    },
    {
      answer: (method) =>
        method !== "overview" || asked === undefined
          ? undefined
          : {
              ...asked,
              node: { ...(asked.node as object), hostname: hostile[0], networkName: hostile[1] },
              connections: {
                rows: hostile.map((name, at) => connection(at, { peerName: name, reasonText: name })),
                total: hostile.length,
                offset: 0,
              },
              peers: { rows: hostile.map(peerNamed), total: hostile.length, offset: 0 },
              routes: { rows: [], total: 0, offset: 0 },
            },
    },
  );
});

test.serial("a thousand connections cost a tick no more than ten do; the page stays small", async (t) => {
  const { all, status } = JSON.parse(readFileSync(join(PAGE_OUT, "size.json"), "utf8")) as PageSize;
  t.log(`the page: ${(all / 1024).toFixed(1)} KiB compressed, ${(status / 1024).toFixed(1)} for the state`);
  t.true(all <= MAX_PAGE_BYTES);
  let count = 10;
  let asked: Overview | undefined;
  const rows = (offset: number, limit: number) =>
    Array.from({ length: Math.max(0, Math.min(limit, count - offset)) }, (_, at) => connection(offset + at));
  await withPage(
    async ({ a, browser, shell }) => {
      asked = await a.call("overview");
      const { page, close } = await visit(browser, shell.url, "connections");
      const client = await page.context().newCDPSession(page);
      await client.send("Performance.enable");
      const used = async () => {
        const { metrics } = await client.send("Performance.getMetrics");
        return (metrics.find(({ name }) => name === "TaskDuration")?.value ?? 0) * 1000;
      };
      /** Milliseconds of the main thread for one answer, drawn: the best of some, since neighbours only make it more. */
      const tick = async (): Promise<number> => {
        let best = Number.POSITIVE_INFINITY;
        for (let attempt = 0; attempt < 8; attempt++) {
          const before = await used();
          await askNow(page);
          best = Math.min(best, (await used()) - before);
        }
        return best;
      };
      await page.locator(".kcp-line").nth(9).waitFor();
      const few = await tick();
      count = 1000;
      await askNow(page);
      await page.getByText("1000 rows").waitFor();
      const many = await tick();
      t.log(`main thread per tick: ${few.toFixed(1)} ms with 10 rows, ${many.toFixed(1)} ms with 1000`);
      t.true((await page.locator(".kcp-line").count()) < 80, "only what is in sight is drawn");
      t.true(many <= MAX_TICK_MS, `${many}`);
      await page.locator(".kcp-list").evaluate((list) => list.scrollTo(0, 40_000));
      await page.getByText("10.81.0.70:").first().waitFor();
      await close();
    },
    {
      answer: (method, args) => {
        if (method !== "overview" || asked === undefined) return undefined;
        const { offset = 0, limit = 0 } = args as { readonly offset?: number; readonly limit?: number };
        return { ...asked, connections: { rows: rows(offset, limit), total: count, offset } };
      },
    },
  );
});

test.serial(
  "what the daemon refuses is said in its own words; memory that runs out, and who is hidden, too",
  async (t) => {
    let asked: Overview | undefined;
    let level: "saving" | "shedding" = "saving";
    await withPage(
      async ({ a, browser, shell }) => {
        asked = await a.call("overview");
        const { page, close } = await visit(browser, shell.url, "connections");
        await page.getByText("10.91.0.1 stands for this router itself and for all devices").waitFor();
        await page.locator(".kcp-line:not(.closed)").first().click();
        await page.getByRole("button", { name: "End this connection" }).click();
        const sentence = page.getByText("There is no live connection with id 7.", { exact: false });
        await sentence.waitFor();
        t.regex(
          (await sentence.textContent()) ?? "",
          /^There is no live connection with id 7\. The proxy table/,
        );
        await close();
        const status = await visit(browser, shell.url, "status");
        await status.page.locator(".kcp-badge.warn", { hasText: "plain only" }).waitFor();
        level = "shedding";
        await askNow(status.page);
        await status.page.locator(".kcp-badge.bad", { hasText: "shedding" }).waitFor();
        await status.close();
      },
      {
        answer: (method) =>
          method !== "overview" || asked === undefined
            ? undefined
            : {
                ...asked,
                status: { ...asked.status, memory: { ...asked.status.memory, level } },
                connections: { rows: [connection(7, { src: "10.91.0.1:5000" })], total: 1, offset: 0 },
              },
      },
    );
  },
);

test.serial("Chinese is complete on the screen, too", async (t) => {
  await withPage(async ({ browser, shell }) => {
    const english = /\b(the|and|of|is|with|Save|Connections)\b/;
    for (const name of PAGES) {
      const { page, close } = await visit(browser, shell.url, name, { lang: "zh_Hans" });
      await page.locator(".kcp .cbi-section").first().waitFor();
      // biome-ignore lint/performance/useDomNodeTextContent: what is folded away or hidden is not on the screen
      const text = await page.locator(".kcp").innerText();
      t.regex(text, /[\u4e00-\u9fff]/);
      const foreign = text
        .split("\n")
        .filter((line) => english.test(line) && !/info:|warning:|error:/.test(line));
      t.deepEqual(foreign, [], name);
      if (ALL_SHOTS) await page.screenshot({ path: join(SHOTS, `${name}-zh.png`), fullPage: true });
      await close();
    }
  });
});

test.serial(
  "every page is right in every look: no complaint, nothing wider than the screen, usable without a mouse",
  async (t) => {
    mkdirSync(SHOTS, { recursive: true });
    const look = async (page: Page, name: string, at: number): Promise<void> => {
      const { theme, dark, phone } = LOOKS[at] ?? raise();
      const place = `${name}-${theme}-${dark ? "dark" : "light"}-${phone ? "phone" : "desktop"}`;
      const fits = await page.evaluate("document.documentElement.scrollWidth <= innerWidth");
      t.true(fits, `${place} is too wide`);
      t.is(await page.locator(".kcp").getAttribute("data-kcp-theme"), darkOf(theme, dark), place);
      // The first two are all the markup there is: that of a desk and that of a phone. The others are other colours.
      t.deepEqual(await seriousFindings(page, at < 2 ? "all" : "colours"), [], place);
      if (ALL_SHOTS || DOCUMENTED.includes(place))
        await page.screenshot({ path: join(SHOTS, `${place}.png`), fullPage: true });
    };
    const everyLook = async (page: Page, name: string): Promise<void> => {
      for (const at of LOOKS.keys()) {
        if (at > 0) await wear(page, LOOKS[at] ?? raise());
        await look(page, name, at);
      }
    };
    await withPage(
      async ({ lab, browser, shell }) => {
        const transfer = lab.transfer({ ...LAN_TO_LAN, mode: "duplex", upBytes: MIB, downBytes: 8 * MIB });
        t.deepEqual((await transfer).bad, []);
        await startTraffic(lab);
        for (const name of PAGES) {
          const seen = await visit(browser, shell.url, name, { look: LOOKS[0] ?? raise() });
          await seen.page.locator(".kcp .cbi-section").first().waitFor();
          // A line in the chart for the picture.
          for (let tick = 0; name === "status" && tick < 30; tick++) await askNow(seen.page);
          await everyLook(seen.page, name);
          t.deepEqual(seen.complaints, [], name);
          t.false(
            seen.received.some((body) => body.includes(SECRET)),
            `${name} was sent the secret`,
          );
          await seen.close();
        }
        for (const { name, unfold } of UNFOLDED) {
          const seen = await visit(browser, shell.url, name, { look: LOOKS[0] ?? raise() });
          await seen.page.locator(".kcp .cbi-section").first().waitFor();
          await unfold(seen.page);
          await everyLook(seen.page, `${name}-unfolded`);
          t.deepEqual(seen.complaints, [], name);
          await seen.close();
        }
        // A page that is opened in a look finds the same as one that is put into it.
        for (const one of LOOKS) {
          const seen = await visit(browser, shell.url, "status", { look: one });
          await seen.page.locator(".kcp .cbi-section").first().waitFor();
          await drawn(seen.page);
          const root = seen.page.locator(".kcp");
          t.is(await root.getAttribute("data-kcp-theme"), darkOf(one.theme, one.dark));
          t.is(await root.getAttribute("data-kcp-sections"), one.theme === "bootstrap" ? "plain" : "boxed");
          t.deepEqual(seen.complaints, []);
          await seen.close();
        }
        t.deepEqual(shell.refused, []);
      },
      { spoils: true },
    );
  },
);

/** The material theme is always light. */
function darkOf(theme: string, dark: boolean): string {
  return dark && theme !== "material" ? "dark" : "light";
}

function raise(): never {
  throw new Error("There is no such look.");
}

test.serial(
  "the proxy switched off in the form: the next connection is plain TCP, and says why",
  async (t) => {
    await withPage(
      async ({ lab, a, browser, shell }) => {
        const { page, complaints, received, close } = await visit(browser, shell.url, "settings");
        const flag = page.getByLabel("Carry TCP over KCP");
        t.true(await flag.isChecked());
        await flag.uncheck();
        await page.getByRole("button", { name: "Save", exact: true }).click();
        await page.getByText("Unsaved Changes: 1").waitFor();
        t.true((await a.call("peers")).rows[0]?.choice.transport === "kcp", "saved is not applied");
        await page.getByRole("button", { name: "Save & Apply" }).click();
        await page.locator("#indicators:empty").waitFor({ state: "attached" });
        t.deepEqual(
          (await lab.transfer({ ...LAN_TO_LAN, mode: "duplex", upBytes: 1000, downBytes: MIB })).bad,
          [],
        );
        const [row] = await a.connections();
        t.like(row, { transport: "tcp", reason: "kcp_proxy_disabled" });
        t.true(
          readFileSync(a.configPath, "utf8").includes(`option secret '${SECRET}'`),
          "the secret stays in the file",
        );
        t.false(received.some((body) => body.includes(SECRET)));
        t.deepEqual(complaints, []);
        await close();
      },
      { spoils: true },
    );
  },
);

test.serial("an EasyTier TOML is shown before the form takes it, with what is left out", async (t) => {
  await withPage(
    async ({ a, browser, shell }) => {
      const { page, close } = await visit(browser, shell.url, "settings");
      await page.getByRole("button", { name: "Import from EasyTier …" }).click();
      await page
        .getByLabel("TOML text")
        .fill(
          '[[peer]]\nuri = "udp://198.51.100.7:11010"\n[[peer]]\nuri = "wss://x.example"\n[flags]\ndisable_kcp_input = true\n',
        );
      await page
        .getByText(/wss:\/\/x\.example/)
        .first()
        .waitFor();
      t.regex((await page.locator("pre").textContent()) ?? "", /\+ peer uri 'udp:\/\/198\.51\.100\.7:11010'/);
      await page.getByRole("button", { name: "Take over into the form" }).click();
      t.true(await page.getByLabel("Take no KCP from others").isChecked());
      await page.getByRole("button", { name: "Save & Apply" }).click();
      const written = () => readFileSync(a.configPath, "utf8");
      await until("the file", async () => written().includes("udp://198.51.100.7:11010"));
      t.regex(written(), /disable_kcp_input '1'/);
      t.true(written().includes(`option secret '${SECRET}'`));
      await close();
    },
    { spoils: true },
  );
});

test.serial(
  "the daemon stopped, crashed or given up: the page says which, and start brings it back",
  async (t) => {
    let crashed: object | undefined;
    await withPage(
      async ({ browser, shell, router }) => {
        const { page, close } = await visit(browser, shell.url, "status");
        await page.getByText(/^Joined network lab as/).waitFor();
        await router().stop();
        await askNow(page);
        await page.getByText("KCP Router is off.").waitFor();
        // As procd dumps it: while it will start it again, and when it has given up.
        crashed = { running: false, exit_code: 134, respawn: { threshold: 60, timeout: 5, retry: 4 } };
        await askNow(page);
        await page.getByText("has crashed (exit code 134) and is started again").waitFor();
        t.is(await page.getByRole("button", { name: "Start" }).count(), 0);
        crashed = { running: false, exit_code: 134 };
        await askNow(page);
        await page.getByText("has stood down after several crashes (last exit code 134)").waitFor();
        await page.getByRole("button", { name: "Start" }).click();
        await page.getByText(/Joined network lab as|no peer is reachable/).waitFor();
        t.true(router().process.running);
        await close();
      },
      { spoils: true, instance: () => crashed },
    );
  },
);

test.serial("LuCI's overview shows a line of ours, also while the daemon is stopped", async (t) => {
  await withPage(
    async ({ browser, shell, router }) => {
      const { page, complaints, close } = await visit(browser, shell.url, "overview");
      await page.getByText(/^Joined network lab as 10\.91\.0\.1\/24/).waitFor();
      await page.getByText("0 connections over KCP, 0 over QUIC, 0 plain").waitFor();
      await router().stop();
      await page.reload();
      await page.getByText("KCP Router is off.").waitFor();
      t.deepEqual(complaints, []);
      await close();
    },
    { spoils: true },
  );
});
