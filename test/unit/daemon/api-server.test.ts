import { nodeEngine } from "../../../router-daemon/src/daemon/node-run.ts";
import { apiServerSuite } from "./api-server-suite.ts";

apiServerSuite("Node", nodeEngine);
