import test from "ava";
import { KernelRoutes, MAX_KERNEL_ROUTES } from "../../../router-daemon/src/daemon/kernel-routes.ts";
import type { Ipv4Prefix } from "../../../router-daemon/src/wire/ipv4-prefix.ts";

const net = (a: number, b: number, c: number, prefixLength: number): Ipv4Prefix => ({
  network: ((a << 24) | (b << 16) | (c << 8)) >>> 0,
  prefixLength,
});

function recorder(refuse: (network: number) => boolean = () => false) {
  const log: string[] = [];
  const routes = new KernelRoutes((add, network, prefixLength) => {
    log.push(
      `${add ? "+" : "-"}${network >>> 24}.${(network >>> 16) & 255}.${(network >>> 8) & 255}/${prefixLength}`,
    );
    return refuse(network) ? -1 : 0;
  });
  return { routes, log };
}

const OWN = [net(192, 168, 1, 24), net(10, 126, 126, 24)];

test("routes follow what peers export, one change at a time", (t) => {
  const { routes, log } = recorder();
  routes.sync([net(192, 168, 2, 24), net(172, 16, 0, 16)], OWN);
  routes.sync([net(192, 168, 2, 24), net(172, 17, 0, 16)], OWN);
  t.deepEqual(log, ["+192.168.2/24", "+172.16.0/16", "-172.16.0/16", "+172.17.0/16"]);
});

test("no peer takes our own networks from us, a part of them, or everything", (t) => {
  const { routes, log } = recorder();
  routes.sync([net(192, 168, 1, 24), net(192, 168, 1, 25), net(10, 126, 126, 32), net(0, 0, 0, 0)], OWN);
  t.deepEqual(log, []);
  routes.sync([net(192, 168, 0, 16)], OWN);
  t.deepEqual(log, ["+192.168.0/16"], "a wider one leaves ours alone: the kernel prefers the longer prefix");
});

test("what the kernel refuses is told and tried again", (t) => {
  let refusing = true;
  const { routes, log } = recorder(() => refusing);
  t.deepEqual(routes.sync([net(192, 168, 2, 24)], OWN), ["192.168.2.0/24"]);
  refusing = false;
  t.deepEqual(routes.sync([net(192, 168, 2, 24)], OWN), []);
  t.is(log.length, 2);
  t.is(routes.installed.length, 1);
});

test("a peer that exports thousands of subnets fills no table", (t) => {
  const { routes, log } = recorder();
  const many = Array.from({ length: MAX_KERNEL_ROUTES + 100 }, (_, i) =>
    net(172, 16 + (i >> 8), i & 255, 24),
  );
  routes.sync(many, OWN);
  t.is(log.length, MAX_KERNEL_ROUTES);
  t.is(routes.leftOut, 100);
});
