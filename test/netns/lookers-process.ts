/**
 * Those who look at a daemon, in one process that takes the least it can of the cores it shares with the data path.
 *
 *   lookers-process.ts HTTP_SOCKET CLIENTS UBUS_SOCKET CLIENTS
 *
 * At the second socket it serves the stand-in for ubusd; its own clients of that are in here. Lines that it reads: `page`: each asks
 * every three seconds, as the page does; `storm`: each asks again as soon as it has its answer; `off`. After `off`, and once
 * everybody has an answer, it prints how many there were, `{"answers": 123}`.
 */
import { connect, type Socket } from "node:net";
import { setPriority } from "node:os";
import { createInterface } from "node:readline";
import { encodeFields } from "../../router-daemon/src/ubus/blobmsg.ts";
import { MessageType } from "../../router-daemon/src/ubus/constants.ts";
import { encodeMessage } from "../../router-daemon/src/ubus/message.ts";
import { MessageReader } from "../../router-daemon/src/ubus/message-reader.ts";
import type { Ubusd } from "../openwrt/ubusd.ts";
import { serveUbusd } from "../openwrt/ubusd-server.ts";

const PAGE_EVERY_MS = 3000;
const LOWEST_PRIORITY = 19;
/** What the page asks for while its list is shown. */
const QUESTION = { peers: true, limit: 50 };

/** One who looks: asks one question, and says when it is answered. */
type Looker = (answered: () => void) => void;

/** Keeps its connection from one question to the next, as browsers do; the server may end an idle one. */
function httpLooker(path: string): Looker {
  const query = Object.entries(QUESTION).map(([name, value]) => `${name}=${value}`);
  const question = `GET /api/v1/overview?${query.join("&")} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
  let socket: Socket | undefined;
  let answer = "";
  let waiting: (() => void) | undefined;
  const read = (text: string): void => {
    answer += text;
    const head = answer.indexOf("\r\n\r\n") + 4;
    const length = Number(/content-length: (\d+)/i.exec(answer.slice(0, head))?.[1]);
    if (head < 4 || answer.length < head + length) return;
    if (!answer.startsWith("HTTP/1.1 200")) throw new Error(answer);
    answer = "";
    const answered = waiting;
    waiting = undefined;
    answered?.();
  };
  const open = (): Socket => {
    const opened = connect(path).setEncoding("latin1").on("data", read);
    return opened.on("close", () => {
      socket = undefined;
      if (waiting !== undefined) ask();
    });
  };
  const ask = (): void => {
    socket ??= open();
    socket.write(question);
  };
  return (answered) => {
    waiting = answered;
    ask();
  };
}

function ubusLooker(ubusd: Ubusd): Looker {
  const reader = new MessageReader();
  let objectId = 0;
  let answered = (): void => {};
  const read = (bytes: Uint8Array): void => {
    reader.push(bytes);
    for (let next = reader.next(); next !== undefined; next = reader.next()) {
      objectId = next.objectId ?? objectId;
      if (next.type !== MessageType.status) continue;
      if (next.status !== 0) throw new Error(`status ${next.status}`);
      answered();
    }
  };
  const client = ubusd.attach({ write: read, close() {} });
  const send = (type: number, attributes: object): void => {
    const bytes = encodeMessage({ type, sequence: 1, peer: objectId, ...attributes });
    if (bytes !== undefined) client.receive(bytes);
  };
  const data = encodeFields(QUESTION, 1024);
  return (then) => {
    answered = () => {
      answered = then;
      send(MessageType.invoke, { objectId, method: "overview", data });
    };
    if (objectId !== 0) answered();
    else send(MessageType.lookup, { objectPath: "kcp-router" });
  };
}

async function ubusLookers(path: string, count: number): Promise<readonly Looker[]> {
  if (count === 0) return [];
  const { ubusd } = await serveUbusd(path);
  while (!ubusd.paths.includes("kcp-router")) await new Promise((resolve) => setTimeout(resolve, 50));
  return Array.from({ length: count }, () => ubusLooker(ubusd));
}

setPriority(LOWEST_PRIORITY);
const [httpSocket = "", httpClients, ubusSocket = "", ubusClients] = process.argv.slice(2);
const all = [
  ...Array.from({ length: Number(httpClients) }, () => httpLooker(httpSocket)),
  ...(await ubusLookers(ubusSocket, Number(ubusClients))),
];
const asking = new Set<Looker>();
let mode = "off";
let answers = 0;

function ask(looker: Looker): void {
  if (asking.has(looker)) return;
  asking.add(looker);
  looker(() => {
    asking.delete(looker);
    answers++;
    if (mode === "storm") ask(looker);
    else tellWhenOver();
  });
}

function tellWhenOver(): void {
  if (mode !== "off" || asking.size > 0) return;
  console.log(JSON.stringify({ answers }));
  answers = 0;
}

let turn = 0;
setInterval(() => {
  const looker = all[turn++ % all.length];
  if (mode === "page" && looker !== undefined) ask(looker);
}, PAGE_EVERY_MS / all.length);

createInterface({ input: process.stdin }).on("line", (line) => {
  mode = line;
  if (mode === "storm") for (const looker of all) ask(looker);
  tellWhenOver();
});
console.log("ready");
