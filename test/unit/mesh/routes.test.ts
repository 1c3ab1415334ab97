import test from "ava";
import { ip, prefix, World } from "./routes-world.ts";

test("two nodes that meet know each other within two round trips", (t) => {
  const world = new World(1);
  world.add(1, { exports: [prefix("192.168.1.0/24")] });
  const b = world.add(2);
  world.link(1, 2);
  world.run(100);
  t.deepEqual(world.disagreements(), []);
  t.like(b.routes.peer(1), { hostname: "node-1", pathLength: 1, nextHop: 1, ipv4: ip("10.144.144.1") });
  t.is(b.routes.ownerOf(ip("192.168.1.77")), 1);
});

test("a chain of six nodes learns everything through those in the middle", (t) => {
  const world = new World(2);
  for (let id = 1; id <= 6; id++) world.add(id);
  for (let id = 1; id < 6; id++) world.link(id, id + 1);
  world.run(3000);
  t.deepEqual(world.disagreements(), []);
});
