import test from "ava";
import { AddressWatch, WATCH_PERIOD_MS } from "../../../router-daemon/src/daemon/address-watch.ts";

test("a changed address is told once, the same ones in another order are no change", (t) => {
  let addresses = [
    { address: 1, prefixLength: 24 },
    { address: 2, prefixLength: 16 },
  ];
  const watch = new AddressWatch(() => addresses, 0);
  t.is(watch.nextTimeout, WATCH_PERIOD_MS);
  addresses = [...addresses].reverse();
  watch.handleTimeout(WATCH_PERIOD_MS);
  t.false(watch.takeChange());
  addresses = [{ address: 3, prefixLength: 24 }];
  watch.handleTimeout(WATCH_PERIOD_MS + 1);
  t.false(watch.takeChange(), "not before the period is over");
  watch.handleTimeout(2 * WATCH_PERIOD_MS);
  t.true(watch.takeChange());
  t.false(watch.takeChange());
});

test("whoever knows that they changed need not wait for the next look", (t) => {
  let addresses = [{ address: 1, prefixLength: 24 }];
  const watch = new AddressWatch(() => addresses, 0);
  addresses = [{ address: 2, prefixLength: 24 }];
  watch.lookAt(10);
  t.is(watch.nextTimeout, 10);
  watch.handleTimeout(10);
  t.true(watch.takeChange());
  watch.lookAt(11 + WATCH_PERIOD_MS);
  t.is(watch.nextTimeout, 10 + WATCH_PERIOD_MS, "never later than planned");
});
