import { linkConformance } from "./conformance-links.ts";
import { NodeWorld } from "./node-world.ts";
import { Suite } from "./suite.ts";

// Old kernels: each datagram by itself.
linkConformance(new Suite(new NodeWorld("Node without UDP offload", ["udp-segment", "udp-gro"])));
// Kernels with one of them, and drivers that refuse trains only when they are sent.
linkConformance(new Suite(new NodeWorld("Node without UDP_GRO", ["udp-gro"])));
linkConformance(new Suite(new NodeWorld("Node with trains refused", ["udp-segment-send"])));
