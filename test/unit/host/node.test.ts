import { conformance } from "./conformance.ts";
import { NodeWorld } from "./node-world.ts";

conformance(new NodeWorld("Node"));
