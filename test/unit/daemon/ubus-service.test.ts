import test from "ava";
import {
  EVENT_PERIOD_MS,
  MAX_EVENTS_PER_PERIOD,
  UbusService,
} from "../../../router-daemon/src/daemon/ubus-service.ts";
import { RECONNECT_MIN_MS } from "../../../router-daemon/src/ubus/limits.ts";
import { UbusPipe } from "../../openwrt/pipe.ts";
import { Ubusd } from "../../openwrt/ubusd.ts";
import { FakeView, START_TIME } from "../api/fake-view.ts";

function stage(ubusd?: Ubusd) {
  const pipe = new UbusPipe(ubusd);
  const clock = { now: 0 };
  const told: string[] = [];
  /** The one timer that is set, and when it fires. */
  let timer: { readonly run: () => void; readonly at: number } | undefined;
  const service = new UbusService(new FakeView(), {
    streams: pipe,
    timers: {
      startTimer(run, delayMs) {
        timer = { run, at: clock.now + delayMs };
        return 1;
      },
      stopTimer() {
        timer = undefined;
      },
    },
    path: "/ubus.sock",
    now: () => clock.now,
    interfacesChanged: () => {},
    tell: (level, code) => told.push(`${level} ${code}`),
    onFailure: () => {},
    inTurn: (work) => work(),
  });
  /** Goes to the timer's time; false when none is set. */
  const tick = async () => {
    const due = timer;
    if (due === undefined) return false;
    clock.now = due.at;
    due.run();
    await pipe.run();
    return true;
  };
  return { pipe, clock, told, service, tick };
}

function ids(): () => number {
  let next = 0x8000_0001;
  return () => next++;
}

test("events beyond the bound are counted, and told with the first of the next period", async (t) => {
  const ubusd = new Ubusd(ids());
  const { pipe, clock, service } = stage(ubusd);
  service.start();
  await pipe.run();
  const events: Record<string, unknown>[] = [];
  ubusd.listen("kcp-router.event", (fields) => events.push(fields));
  const tell = async (count: number) => {
    for (let at = 0; at < count; at++) {
      service.event({ sequence: at, time: START_TIME, level: "info", code: "link_up", message: "Up." });
    }
    await pipe.run();
  };
  await tell(MAX_EVENTS_PER_PERIOD + 7);
  t.is(events.length, MAX_EVENTS_PER_PERIOD);
  clock.now += EVENT_PERIOD_MS;
  await tell(2);
  t.is(events[MAX_EVENTS_PER_PERIOD]?.left_out, 7);
  t.is(events[MAX_EVENTS_PER_PERIOD + 1]?.left_out, undefined);
});

test("the timer follows the connection: set while it waits, none while all is well, none when closed", async (t) => {
  const { pipe, clock, told, service, tick } = stage();
  service.start();
  await pipe.run();
  t.true(await tick());
  t.is(clock.now, RECONNECT_MIN_MS);
  pipe.ubusd = new Ubusd(ids());
  while (!told.includes("info ubus_registered")) t.true(await tick());
  pipe.cut();
  await pipe.run();
  t.true(await tick());
  t.deepEqual(told, ["info ubus_registered", "warning ubus_lost", "info ubus_registered"]);
  service.close();
  t.false(await tick());
});

test("a name that is taken is told once", async (t) => {
  const ubusd = new Ubusd(ids());
  const first = stage(ubusd);
  first.service.start();
  await first.pipe.run();
  const second = stage(ubusd);
  second.service.start();
  await second.pipe.run();
  for (let turn = 0; turn < 3; turn++) await second.tick();
  t.deepEqual(second.told, ["warning ubus_refused"]);
});
