/** Many who look do not slow down what is carried: the API waits for the data path, not the other way round. */
import { Agent, get } from "node:http";
import test from "ava";
import { median } from "../bench/bench-plan.ts";
import type { Runtime } from "./router.ts";
import { LAN_TO_LAN, withPair } from "./two-routers.ts";

const CLIENTS = 50;
const ROUNDS = 3;
const LOOK = "/api/v1/overview?peers=true&limit=50";
/**
 * How much of the rate is left while they ask, at least. On a quiet machine it is more than 0.95 (docs/verify.md); without a
 * bound of the API's time it was less than 0.1.
 */
const LEFT = 0.75;

/** Clients that ask again as soon as they have their answer. Ends them with the number of answers. */
function lookers(socketPath: string): () => number {
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  let answers = 0;
  let isOver = false;
  const ask = (): void => {
    if (isOver) return;
    const request = get({ socketPath, path: LOOK, agent }, (response) => {
      if (response.statusCode === 200) answers++;
      response.resume().on("end", ask);
    });
    request.on("error", () => {});
  };
  for (let i = 0; i < CLIENTS; i++) ask();
  return () => {
    isOver = true;
    agent.destroy();
    return answers;
  };
}

for (const runtime of ["node", "quickjs"] satisfies readonly Runtime[]) {
  test.serial(
    `${runtime}: fifty clients that never stop asking leave a bulk transfer its rate`,
    async (t) => {
      const before = process.env.RUNTIME_A;
      process.env.RUNTIME_A = runtime;
      t.teardown(() => {
        if (before === undefined) delete process.env.RUNTIME_A;
        else process.env.RUNTIME_A = before;
      });
      await withPair({}, {}, async ({ lab, a }) => {
        const bulk = { ...LAN_TO_LAN, direction: "down", seconds: 0.8, warmupSeconds: 0.7 } as const;
        const alone: number[] = [];
        const watched: number[] = [];
        for (let round = 0; round < ROUNDS; round++) {
          alone.push((await lab.throughput(bulk)).mbps);
          const end = lookers(a.socket);
          watched.push((await lab.throughput(bulk)).mbps);
          t.true(end() > 0, "they are answered, too");
        }
        const left = median(watched) / median(alone);
        t.true(left >= LEFT, `${median(watched)} Mbit/s of ${median(alone)}`);
        t.log(`${Math.round(left * 100)} % of ${Math.round(median(alone))} Mbit/s`);
      });
    },
  );
}
