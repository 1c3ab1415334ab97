/** A small package with everything in it that the formats tell apart. */
import { FileTree } from "../../../tools/package/file-tree.ts";
import type { Manifest } from "../../../tools/package/manifest.ts";

export const SAMPLE_TIME = 1_790_000_000;

export function sample(change: Partial<Manifest> = {}): Manifest {
  const tree = new FileTree();
  tree.addText("/usr/sbin/sample", "#!/bin/sh\necho hello\n", 0o755);
  tree.addText("/etc/config/sample", "config sample 'main'\n", 0o600);
  tree.addText("/etc/init.d/sample", "#!/bin/sh /etc/rc.common\n", 0o755);
  tree.addText("/etc/sample/empty", "");
  tree.add({ kind: "file", path: "/usr/lib/sample/big", mode: 0o644, content: Buffer.alloc(70_000, "big") });
  return {
    name: "sample",
    version: "1.2.3-r4",
    architecture: "mips_24kc",
    depends: ["libc", "kmod-tun"],
    license: "Apache-2.0",
    source: "feeds/sample",
    section: "net",
    url: "",
    maintainer: "Nobody",
    title: "A sample",
    description: ["First line.", "Second line."],
    conffiles: ["/etc/config/sample"],
    scripts: { postinst: "echo postinst of sample\n", prerm: "echo prerm of sample\n", postrm: "" },
    tree,
    sourceDateEpoch: SAMPLE_TIME,
    ...change,
  };
}
