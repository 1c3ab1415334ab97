/** The stand-ins behave as OpenWrt's own programs do, where packages can tell. */
import test from "ava";
import { Lab } from "../netns/lab.ts";
import { until } from "../netns/namespace.ts";
import { twoRouters } from "../netns/topology.ts";
import { OpenWrtRoot } from "./openwrt-root.ts";

async function withRoot(story: (root: OpenWrtRoot) => Promise<void>): Promise<void> {
  const lab = await Lab.create(twoRouters());
  let root: OpenWrtRoot | undefined;
  try {
    root = await OpenWrtRoot.create(lab, "routerA");
    await story(root);
  } finally {
    await root?.stop();
    await lab.stop();
  }
}

test.serial("uci: what is set is staged, and commit puts it in place with a rename", async (t) => {
  await withRoot(async (root) => {
    root.write("/etc/config/x", "config one 'first'\n\toption a '1'\n\nconfig two\n\toption b 'it'\\''s'\n");
    t.is(await root.must("uci get x.first.a"), "1\n");
    t.is(await root.must("uci show x"), "x.first=one\nx.first.a='1'\nx.cfg0100=two\nx.cfg0100.b='it's'\n");
    await root.must(
      "uci set x.first.a=2; uci set x.first.c='x y'; uci set x.third=three; uci add_list x.third.l=1",
    );
    await root.must("uci add_list x.third.l=2");
    t.regex(root.read("/etc/config/x"), /option a '1'/);
    t.is(await root.must("uci get x.first.a; uci get x.third.l"), "2\n1 2\n");
    await root.must("uci commit x");
    t.is(
      root.read("/etc/config/x"),
      "\nconfig one 'first'\n\toption a '2'\n\toption c 'x y'\n\nconfig two\n\toption b 'it'\\''s'\n" +
        "\nconfig three 'third'\n\tlist l '1'\n\tlist l '2'\n\n",
    );
    t.not((await root.shell("uci -q get x.first.none")).status, 0);
    await root.must("uci delete x.first; uci commit");
    t.false(root.read("/etc/config/x").includes("first"));
    await root.must("printf \"set x.n=s\\nset x.n.v='w'\\ncommit x\\n\" | uci -q batch");
    t.is(await root.must("uci get x.n.v"), "w\n");
  });
});

const SERVICE = `#!/bin/sh /etc/rc.common
START=95
STOP=10
USE_PROCD=1
start_service() {
	[ -e /tmp/off ] && return 0
	procd_open_instance
	procd_set_param command /bin/sleep $(cat /tmp/argument 2>/dev/null || echo 1000)
	procd_set_param file /etc/watched
	procd_set_param respawn 60 1 2
	procd_close_instance
}
service_triggers() { procd_add_reload_trigger thing; }
service_stopped() { echo stopped >>/tmp/log; }
`;

async function withService(story: (root: OpenWrtRoot) => Promise<void>): Promise<void> {
  await withRoot(async (root) => {
    root.write("/etc/init.d/thing", SERVICE);
    root.write("/etc/watched", "1");
    await root.must("chmod +x /etc/init.d/thing; /etc/init.d/thing start");
    await story(root);
  });
}

test.serial(
  "procd: a start that changes nothing leaves the instance alone; command, watched file or absence do not",
  async (t) => {
    await withService(async (root) => {
      const first = root.procd.pid("thing");
      t.truthy(first);
      await root.must("/etc/init.d/thing start; /etc/init.d/thing reload");
      t.is(root.procd.pid("thing"), first);
      root.write("/etc/watched", "2");
      await root.must("/etc/init.d/thing reload");
      await until("another process", () => ![undefined, first].includes(root.procd.pid("thing")));
      const second = root.procd.pid("thing");
      root.write("/tmp/argument", "999");
      await root.must("/etc/init.d/thing start");
      await until("a third process", () => ![undefined, first, second].includes(root.procd.pid("thing")));
      root.write("/tmp/off", "");
      await root.must("/etc/init.d/thing start");
      t.is((await root.must("/etc/init.d/thing status")).trim(), "inactive");
    });
  },
);

test.serial(
  "procd: what crashes comes back after its pause, and stays down when it does so too often",
  async (t) => {
    await withService(async (root) => {
      for (let crash = 1; crash <= 3; crash++) {
        await until("it runs", () => root.procd.pid("thing") !== undefined);
        process.kill(root.procd.pid("thing") as number, "SIGKILL");
        await until("it is gone", () => root.procd.pid("thing") === undefined);
      }
      await new Promise((resolve) => setTimeout(resolve, 400));
      t.is((await root.must("/etc/init.d/thing status")).trim(), "not running");
      t.regex(root.log, /in a crash loop 3 crashes/);
      await root.must("/etc/init.d/thing start");
      await until("it runs again", () => root.procd.pid("thing") !== undefined);
    });
  },
);

test.serial(
  "procd: a change of its configuration reloads a service, another's does not; stop tells the script",
  async (t) => {
    await withService(async (root) => {
      await root.procd.event("config.change", "other");
      t.is(root.procd.triggered, 0);
      await root.procd.event("config.change", "thing");
      t.is(root.procd.triggered, 1);
      await root.must("/etc/init.d/thing stop");
      t.is(root.procd.pid("thing"), undefined);
      t.regex(root.log, /^stopped$/m);
      await root.must("/etc/init.d/thing enable; [ -L /etc/rc.d/S95thing ] && /etc/init.d/thing disable");
      t.is(await root.must("ls /etc/rc.d"), "");
    });
  },
);

test.serial(
  "the firewall passes what a forwarding allows, and hotplug scripts hear of devices",
  async (t) => {
    await withRoot(async (root) => {
      root.write("/etc/config/firewall", "config zone 'l'\n\toption name 'lan'\n\tlist device 'lan'\n");
      await root.must(
        "mkdir -p /etc/hotplug.d/net; echo 'echo $ACTION $INTERFACE >>/tmp/seen' >/etc/hotplug.d/net/10-x",
      );
      await root.must("/etc/init.d/firewall reload");
      t.regex(await root.ruleset(), /policy drop/);
      root.write(
        "/etc/config/firewall",
        "config include\n\toption type 'script'\n\toption path '/tmp/x'\n\toption fw4_compatible '1'\n",
      );
      root.write("/tmp/x", "echo included >>/tmp/seen\n");
      await root.must("nft add table ip other; /etc/init.d/firewall stop");
      t.is(await root.ruleset(), "");
      await root.must("/etc/init.d/firewall start");
      t.is(root.read("tmp/seen"), "included\n");
      await root.must(
        "ip link add test0 type veth peer name test1 && ip link set test0 up && ip link del test0",
      );
      await until("both events", () => root.has("tmp/seen") && /remove test0/.test(root.read("tmp/seen")));
      t.regex(root.read("tmp/seen"), /add test0\n[\s\S]*remove test0/);
    });
  },
);
