/** The page in real Chromium, around a real daemon in the lab. */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import axe from "axe-core";
import type { Page } from "playwright-core";
import { MAX_PAGE_BYTES, PAGE_OUT } from "../../tools/page.ts";
import { until } from "../netns/namespace.ts";
import { OUT } from "../netns/paths.ts";
import { LAN_TO_LAN } from "../netns/two-routers.ts";
import { LOOKS, visit } from "./browser.ts";
import { SECRET, withPage } from "./scene.ts";
import { startTraffic } from "./traffic.ts";

const PAGES = ["status", "connections", "peers", "settings", "diagnose"];
const SHOTS = join(OUT, "page");
const MIB = 1024 * 1024;

interface AxeResult {
  readonly violations: readonly {
    readonly id: string;
    readonly impact: string | null;
    readonly nodes: readonly { readonly html: string }[];
  }[];
}

/** What keyboards and screen readers trip over, of the two worst kinds; the shell around the page is not looked at. */
async function seriousFindings(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = (await page.evaluate("axe.run('.kcp')")) as AxeResult;
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(" | ")}`);
}

test.serial(
  "every page is right in every look: no complaint, nothing wider than the screen, usable without a mouse",
  async (t) => {
    mkdirSync(SHOTS, { recursive: true });
    await withPage(async ({ lab, browser, shell }) => {
      const transfer = lab.transfer({ ...LAN_TO_LAN, mode: "duplex", upBytes: MIB, downBytes: 8 * MIB });
      t.deepEqual((await transfer).bad, []);
      await startTraffic(lab);
      for (const name of PAGES) {
        for (const look of LOOKS) {
          const seen = await visit(browser, shell.url, name, { look });
          await seen.page.locator(".kcp .cbi-section").first().waitFor();
          await seen.page.waitForTimeout(100);
          const place = `${name}-${look.theme}-${look.dark ? "dark" : "light"}-${look.phone ? "phone" : "desktop"}`;
          t.true(
            await seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth"),
            `${place} is too wide`,
          );
          t.deepEqual(await seriousFindings(seen.page), [], place);
          t.deepEqual(seen.complaints, [], place);
          t.false(
            seen.received.some((body) => body.includes(SECRET)),
            `${place} was sent the secret`,
          );
          await seen.page.screenshot({ path: join(SHOTS, `${place}.png`), fullPage: true });
          await seen.close();
        }
      }
      t.deepEqual(shell.refused, []);
    });
  },
);

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

test.serial(
  "the proxy switched off in the form: the next connection is plain TCP, and says why",
  async (t) => {
    await withPage(async ({ lab, a, browser, shell }) => {
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

test.serial("an EasyTier TOML is shown before the form takes it, with what is left out", async (t) => {
  await withPage(async ({ a, browser, shell }) => {
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

test.serial("the daemon stopped: the page says so and offers start, and start brings it back", async (t) => {
  await withPage(async ({ browser, shell, router }) => {
    const { page, close } = await visit(browser, shell.url, "status");
    await page.getByText(/^Joined network lab as/).waitFor();
    await router().stop();
    await page.getByText("KCP Router is off.").waitFor();
    await page.getByRole("button", { name: "Start" }).click();
    await page.getByText(/Joined network lab as|no peer is reachable/).waitFor();
    t.true(router().process.running);
    await close();
  });
});

test.serial("LuCI's overview shows a line of ours, also while the daemon is stopped", async (t) => {
  await withPage(async ({ browser, shell, router }) => {
    const { page, complaints, close } = await visit(browser, shell.url, "overview");
    await page.getByText(/^Joined network lab as 10\.91\.0\.1\/24/).waitFor();
    await page.getByText("0 connections over KCP, 0 over QUIC, 0 plain").waitFor();
    await router().stop();
    await page.reload();
    await page.getByText("KCP Router is off.").waitFor();
    t.deepEqual(complaints, []);
    await close();
  });
});

test.serial("a processor six times slower paints the state about that much later, not worse", async (t) => {
  await withPage(async ({ browser, shell }) => {
    /** From the request for the frame to the state in words. */
    const paint = async (slowness: number): Promise<number> => {
      const { page, close } = await visit(browser, shell.url, "peers");
      const client = await page.context().newCDPSession(page);
      await client.send("Emulation.setCPUThrottlingRate", { rate: slowness });
      const started = performance.now();
      await page.goto(page.url().replace("/peers?", "/status?"));
      await page.locator(".kcp-headline", { hasText: "Joined" }).waitFor();
      const ms = performance.now() - started;
      await close();
      return ms;
    };
    const fast = await paint(1);
    const slow = await paint(6);
    t.log(
      `first paint of the status: ${fast.toFixed(0)} ms, with a processor six times slower ${slow.toFixed(0)} ms`,
    );
    t.true(slow < 12 * fast, `${slow} against ${fast}`);
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
  const row = (name: string, at: number) => ({
    id: at,
    role: "source",
    src: "10.81.0.2:5000",
    dst: "10.82.0.2:80",
    peerId: at + 1,
    peerName: name,
    transport: "kcp",
    reason: "kcp_allowed",
    reasonText: name,
    state: "Connected",
    startTime: 1,
    upBytes: 1,
    downBytes: 1,
    upRate: 1,
    downRate: 1,
    rttMs: 1,
    retransmittedShare: 0,
    ageMs: 1,
  });
  const peer = (name: string, at: number) => ({
    peerId: at + 1,
    hostname: name,
    ipv4: "10.0.0.1/24",
    pathLength: 1,
    nextHopPeerId: at + 1,
    latencyMs: 1,
    lossShare: 0,
    rxBytes: 1,
    txBytes: 1,
    links: [],
    version: name,
    kcpInput: true,
    quicInput: false,
    exportedSubnets: [name],
    choice: { transport: "kcp", reason: "kcp_allowed", reasonText: name },
  });
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
              connections: { rows: hostile.map(row), total: hostile.length, offset: 0 },
              peers: { rows: hostile.map(peer), total: hostile.length, offset: 0 },
              routes: { rows: [], total: 0, offset: 0 },
            },
    },
  );
});

test.serial("a thousand connections cost a tick hardly more than ten; the page stays small", async (t) => {
  const { gzipBytes } = JSON.parse(readFileSync(join(PAGE_OUT, "size.json"), "utf8")) as {
    readonly gzipBytes: number;
  };
  t.log(`the page: ${(gzipBytes / 1024).toFixed(1)} KiB compressed`);
  t.true(gzipBytes <= MAX_PAGE_BYTES);
  let count = 10;
  let asked: Record<string, unknown> | undefined;
  const rows = (offset: number, limit: number) =>
    Array.from({ length: Math.max(0, Math.min(limit, count - offset)) }, (_, at) => ({
      id: offset + at,
      role: "source",
      src: `10.81.0.${(offset + at) % 200}:${1000 + at}`,
      dst: "10.82.0.2:80",
      peerId: 1,
      peerName: "b",
      transport: "kcp",
      reason: "kcp_allowed",
      reasonText: "x",
      state: "Connected",
      startTime: 1,
      upBytes: Date.now(),
      downBytes: Date.now(),
      upRate: Math.random() * 1e6,
      downRate: 1,
      rttMs: 1,
      retransmittedShare: 0,
      ageMs: Date.now() % 1e6,
    }));
  await withPage(
    async ({ a, browser, shell }) => {
      asked = (await a.call("overview")) as unknown as Record<string, unknown>;
      const { page, close } = await visit(browser, shell.url, "connections");
      /** Milliseconds of the main thread for one answer, drawn. */
      const tick = async (): Promise<number> => {
        const client = await page.context().newCDPSession(page);
        await client.send("Performance.enable");
        const used = async () => {
          const { metrics } = await client.send("Performance.getMetrics");
          return (metrics.find(({ name }) => name === "TaskDuration")?.value ?? 0) * 1000;
        };
        const before = await used();
        await page.waitForTimeout(6100);
        return ((await used()) - before) / 2;
      };
      await page.locator(".kcp-line").nth(9).waitFor();
      const few = await tick();
      count = 1000;
      await page.getByText("1000 rows").waitFor();
      const many = await tick();
      t.log(`main thread per tick: ${few.toFixed(1)} ms with 10 rows, ${many.toFixed(1)} ms with 1000`);
      t.true((await page.locator(".kcp-line").count()) < 80, "only what is in sight is drawn");
      t.true(many < 6 * few + 20, `${many} against ${few}`);
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
      await page.screenshot({ path: join(SHOTS, `${name}-zh.png`), fullPage: true });
      await close();
    }
  });
});
