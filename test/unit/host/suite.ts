import test, { type ExecutionContext } from "ava";

import { Desk } from "./desk.ts";
import type { World, WorldFeature } from "./world.ts";

/** Registers the tests of one world: names are prefixed, hosts are disposed at the end of each test. */
export class Suite {
  readonly world: World;

  constructor(world: World) {
    this.world = world;
  }

  test(
    name: string,
    body: (t: ExecutionContext, desk: () => Desk, world: World) => void | Promise<void>,
    needs: readonly WorldFeature[] = [],
  ): void {
    const missing = needs.find((feature) => this.world.lacks[feature] !== undefined);
    const title = `${this.world.name}: ${name}`;
    if (missing !== undefined) {
      test.skip(`${title} (${this.world.lacks[missing]})`, () => undefined);
      return;
    }
    test(title, async (t) => {
      const desks: Desk[] = [];
      const make = (): Desk => {
        const desk = new Desk(this.world.host());
        desks.push(desk);
        return desk;
      };
      try {
        await body(t, make, this.world);
      } finally {
        for (const desk of desks) desk.host.dispose();
      }
    });
  }
}
