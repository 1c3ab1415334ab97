import { sealingConformance } from "./conformance-sealing.ts";
import { NodeWorld } from "./node-world.ts";
import { Suite } from "./suite.ts";

// Processors without VAES, and those without an AES of our own.
sealingConformance(new Suite(new NodeWorld("Node without wide AES", ["wide-cipher"])));
sealingConformance(new Suite(new NodeWorld("Node with OpenSSL's AES", ["own-cipher"])));
