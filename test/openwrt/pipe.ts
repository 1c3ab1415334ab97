import type {
  ByteStream,
  StreamAddress,
  StreamHandlers,
  Streams,
} from "../../router-daemon/src/host/streams.ts";
import type { Attached, Ubusd } from "./ubusd.ts";

/**
 * Streams whose only other end is a `Ubusd` in the same process. Bytes lie in a queue until `run` is called, as an engine's loop
 * would do it: never from inside a call.
 */
export class UbusPipe implements Pick<Streams, "connect"> {
  readonly #tasks: (() => void)[] = [];
  /** Undefined = nobody listens. */
  ubusd: Ubusd | undefined;
  user = "root";
  /** What `write` answers. */
  takesMore = true;
  /** How many times somebody connected, and wrote. */
  connects = 0;
  writes = 0;
  readonly #ends = new Set<() => void>();
  readonly #hearers = new Set<(bytes: Uint8Array) => void>();

  constructor(ubusd: Ubusd | undefined) {
    this.ubusd = ubusd;
  }

  connect(_address: StreamAddress, handlers: StreamHandlers): ByteStream {
    this.connects++;
    let open = true;
    let attached: Attached | undefined;
    const finish = (code: string) => {
      if (!open) return;
      open = false;
      this.#ends.delete(drop);
      this.#hearers.delete(hear);
      attached?.detach();
      this.#tasks.push(() => handlers.closed(code));
    };
    const drop = () => finish("");
    const hear = (bytes: Uint8Array) => open && handlers.data(bytes);
    this.#hearers.add(hear);
    this.#ends.add(drop);
    if (this.ubusd === undefined) finish("ENOENT");
    else {
      const later = (task: () => void) => this.#tasks.push(() => open && task());
      const port = {
        write: (bytes: Uint8Array) => {
          const copy = bytes.slice();
          later(() => handlers.data(copy));
        },
        close: drop,
      };
      attached = this.ubusd.attach(port, this.user);
    }
    return {
      write: (bytes) => {
        const copy = bytes.slice();
        this.writes++;
        this.#tasks.push(() => attached?.receive(copy));
        return this.takesMore;
      },
      end: drop,
      destroy: drop,
      pause: () => {},
      resume: () => {},
    };
  }

  /** Puts bytes of anybody's making before the clients. */
  inject(bytes: Uint8Array): void {
    for (const hear of this.#hearers) this.#tasks.push(() => hear(bytes));
  }

  /** Cuts every connection, as a ubusd that dies. */
  cut(): void {
    for (const end of [...this.#ends]) end();
  }

  /** Moves what waits, and what comes of it, until nothing moves. */
  async run(): Promise<void> {
    for (let idle = 0; idle < 3; ) {
      const task = this.#tasks.shift();
      if (task === undefined) {
        idle++;
        await new Promise((resolve) => setImmediate(resolve));
      } else {
        idle = 0;
        task();
      }
    }
  }
}
