/**
 * OpenWrt names an architecture by the processor it is built for; a package manager takes only its own names. The executables
 * are static and made for the oldest processor of a kind, so one serves several names.
 */
export interface Architecture {
  /** `make native ARCH=…`: the folder under `out/bin`. */
  readonly binary: string;
  /** OpenWrt's names (23.05 to 25.12) that this executable runs on. */
  readonly names: readonly string[];
}

export const ARCHITECTURES: readonly Architecture[] = [
  { binary: "x86_64", names: ["x86_64"] },
  {
    binary: "aarch64",
    names: ["aarch64_cortex-a53", "aarch64_cortex-a72", "aarch64_cortex-a76", "aarch64_generic"],
  },
  {
    binary: "arm",
    names: [
      "arm_cortex-a15_neon-vfpv4",
      "arm_cortex-a5_vfpv4",
      "arm_cortex-a7",
      "arm_cortex-a7_neon-vfpv4",
      "arm_cortex-a7_vfpv4",
      "arm_cortex-a8_vfpv3",
      "arm_cortex-a9",
      "arm_cortex-a9_neon",
      "arm_cortex-a9_vfpv3-d16",
    ],
  },
  { binary: "mipsel", names: ["mipsel_24kc", "mipsel_24kc_24kf", "mipsel_74kc"] },
  { binary: "mips", names: ["mips_24kc"] },
];

/** For `ARCH=…`: a binary's name, or one of OpenWrt's; empty = all. Throws with the names there are. */
export function selectArchitectures(wanted: string): readonly Architecture[] {
  if (wanted === "") return ARCHITECTURES;
  const exact = ARCHITECTURES.find(({ binary }) => binary === wanted);
  if (exact !== undefined) return [exact];
  const holder = ARCHITECTURES.find(({ names }) => names.includes(wanted));
  if (holder !== undefined) return [{ binary: holder.binary, names: [wanted] }];
  const known = ARCHITECTURES.flatMap(({ binary, names }) => [binary, ...names]);
  throw new Error(`"${wanted}" is no architecture. Known: ${[...new Set(known)].join(", ")}.`);
}
