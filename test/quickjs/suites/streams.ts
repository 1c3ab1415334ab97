/** Byte streams and the API's server as they are in QuickJS: what holds for Node's holds for these. */
import { native } from "kcp-router:native";
import { quickJsEngine } from "../../../router-daemon/src/daemon/quickjs-run.ts";
import { createQuickJsStreams } from "../../../router-daemon/src/host/quickjs/streams.ts";
import { apiServerSuite } from "../../unit/daemon/api-server-suite.ts";
import { streamsConformance } from "../../unit/host/streams-conformance.ts";

const streams = createQuickJsStreams(native);
streamsConformance("QuickJS", streams);
apiServerSuite({
  name: "QuickJS",
  engine: quickJsEngine(native, streams),
  leaveStaleSocket(path) {
    native.socketClose(native.socketListenUnix(path));
    return Promise.resolve();
  },
});
