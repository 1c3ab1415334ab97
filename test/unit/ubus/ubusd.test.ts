import test from "ava";
import { MessageType, UbusStatus } from "../../../router-daemon/src/ubus/constants.ts";
import { MAX_MESSAGE_BYTES } from "../../../router-daemon/src/ubus/limits.ts";
import { encodeMessage } from "../../../router-daemon/src/ubus/message.ts";
import { type Attached, Ubusd } from "../../openwrt/ubusd.ts";
import { hex, MESSAGE_VECTORS, unhex } from "./vectors.ts";

const V = Object.fromEntries(MESSAGE_VECTORS.map(({ name, hex: bytes }) => [name, bytes]));

/** A ubusd that gives these ids, and clients whose messages are kept as hex. */
function stage(...ids: number[]) {
  const ubusd = new Ubusd(() => ids.shift() ?? 0xfff0_0000 + ids.length);
  const join = (user?: string) => {
    const heard: string[] = [];
    const port = {
      write: (bytes: Uint8Array) => void heard.push(hex(bytes)),
      close: () => void heard.push("closed"),
    };
    const attached: Attached = ubusd.attach(port, user);
    const say = (bytes: string | undefined) => {
      heard.length = 0;
      attached.receive(unhex(bytes ?? ""));
      return [...heard];
    };
    return { heard, say, attached };
  };
  return { ubusd, join };
}

const OWNER = 0x30d4_6416;
const OBJECT = 0xc253_f84f;
const TYPE = 0xa0e5_bdad;
const CALLER = 0xdcbd_1644;

/** The service of the vectors, published, and a caller. */
function withService() {
  const world = stage(OWNER, OBJECT, TYPE, CALLER);
  const owner = world.join();
  owner.say(V.V13);
  const caller = world.join();
  return { ...world, owner, caller };
}

test("a client is greeted with its id", (t) => {
  const { join } = stage(OWNER);
  t.deepEqual(join().heard, [V.V11]);
});

test("an object is published once; the second of its name is refused", (t) => {
  const { join, ubusd } = stage(OWNER, OBJECT, TYPE, CALLER);
  t.deepEqual(join().say(V.V13), [V.V13r, V.V13s]);
  t.deepEqual(join().say(V.V13), [V.V13t]);
  t.deepEqual(ubusd.paths, ["etdemo"]);
});

test("a user without rights may publish nothing, see nothing and call nothing", (t) => {
  const { join, owner } = withService();
  const nobody = join("nobody");
  t.deepEqual(nobody.say(V.V13), [V.V13t]);
  const ok = hex(encodeMessage({ type: MessageType.status, sequence: 3, peer: 0, status: 0 }));
  t.deepEqual(nobody.say(V.V12), [ok]);
  owner.heard.length = 0;
  const call = { type: MessageType.invoke, sequence: 3, peer: OBJECT, objectId: OBJECT, method: "add" };
  const denied = { type: MessageType.status, sequence: 3, peer: OBJECT, status: UbusStatus.permissionDenied };
  t.deepEqual(nobody.say(hex(encodeMessage(call))), [hex(encodeMessage(denied))]);
  t.deepEqual(owner.heard, []);
});

test("a lookup finds by name, by beginning, and all", (t) => {
  const { caller } = withService();
  const lookup = (objectPath?: string) =>
    caller.say(
      hex(
        encodeMessage({ type: MessageType.lookup, sequence: 3, peer: 0, ...(objectPath && { objectPath }) }),
      ),
    );
  t.is(lookup("etdemo").length, 2);
  t.is(lookup("et*").length, 2);
  t.is(lookup().length, 2);
  t.deepEqual(lookup("etdem"), [
    hex(encodeMessage({ type: MessageType.status, sequence: 3, peer: 0, status: 4 })),
  ]);
});

test("a call reaches the owner under the caller's id, and the answers come back from the object", (t) => {
  const { owner, caller } = withService();
  const data = MESSAGE_VECTORS.find(({ name }) => name === "V15")?.message.data ?? new Uint8Array();
  owner.heard.length = 0;
  const call = { type: MessageType.invoke, sequence: 2, peer: OBJECT, objectId: OBJECT, method: "add", data };
  t.deepEqual(caller.say(hex(encodeMessage(call))), []);
  t.deepEqual(owner.heard, [V.V15]);
  // V16 and V17 with the object's id in place of the caller's.
  const fromObject = (bytes: string | undefined) => (bytes ?? "").replace("dcbd1644", "c253f84f");
  caller.heard.length = 0;
  owner.say(V.V16);
  owner.say(V.V17);
  t.deepEqual(caller.heard, [fromObject(V.V16), fromObject(V.V17)]);
  caller.heard.length = 0;
  caller.say(V.V16);
  t.deepEqual(caller.heard, [], "who does not own the object cannot answer for it");
});

test("a call of nobody's object is not found", (t) => {
  const { caller } = withService();
  const [status] = caller.say(V.V14);
  t.is(status, hex(encodeMessage({ type: MessageType.status, sequence: 6, peer: 0xa76e_0bab, status: 4 })));
});

test("the publisher learns of its first and last subscriber; a notification reaches it; so does the end", (t) => {
  const SUBSCRIBER = 0x29c3_ee55;
  const { join } = stage(OWNER, OBJECT, TYPE, CALLER, SUBSCRIBER);
  const owner = join();
  owner.say(V.V13);
  const other = join();
  other.say(V.V21);
  owner.heard.length = 0;
  other.say(V.V20?.replace("a76e0bab", "c253f84f"));
  t.is(owner.heard[0]?.slice(16), V.V19?.slice(16));
  other.heard.length = 0;
  t.deepEqual(owner.say(V.V18), []);
  t.true(other.heard[0]?.includes("7469636b00"), "the notification's name");
  other.heard.length = 0;
  owner.say(V.V25);
  t.is(other.heard[0]?.slice(16), V.V26?.slice(16).replace("a76e0bab", "c253f84f"));
});

test("an event reaches those who registered for it, but not its sender", (t) => {
  const LISTENER = 0x29c3_ee55;
  const { join } = stage(OWNER, LISTENER, CALLER);
  const listener = join();
  listener.say(V.V21);
  listener.say(V.V22);
  const sender = join();
  listener.heard.length = 0;
  sender.say(V.V23);
  t.deepEqual(listener.heard, [V.V24]);
  listener.say(V.V23);
  t.is(listener.heard.length, 1, "only the status");
  const forbidden = V.V23?.replace("65742e7570", "756275732e");
  t.true(sender.say(forbidden)[0]?.endsWith("0100000800000006"), "ids of ubusd's own are refused");
});

test("a message that is too long, or none at all, ends the connection and takes the objects along", (t) => {
  const { ubusd, owner } = withService();
  const tooLong = `0005000000000000${(MAX_MESSAGE_BYTES + 4).toString(16).padStart(8, "0")}`;
  t.deepEqual(owner.say(tooLong), ["closed"]);
  t.deepEqual(ubusd.paths, []);
});
