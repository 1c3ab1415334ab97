/** Takes the place of a stream: bytes that are all there. What `body` of one message gives, another takes. */
export class BodyBytes {
  readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

export type BodyInit = string | Uint8Array | ArrayBuffer | BodyBytes | null | undefined;

/** The part that requests and responses share: a body that is read once. */
export class WebBody {
  readonly #bytes: Uint8Array | null;
  #used = false;

  constructor(body: BodyInit) {
    this.#bytes = bytesOf(body);
  }

  get body(): BodyBytes | null {
    return this.#bytes === null ? null : new BodyBytes(this.#bytes);
  }
  get bodyUsed(): boolean {
    return this.#used;
  }
  arrayBuffer(): Promise<ArrayBuffer> {
    return this.#read((bytes) => bytes.slice().buffer as ArrayBuffer);
  }
  text(): Promise<string> {
    return this.#read((bytes) => new TextDecoder().decode(bytes));
  }
  json(): Promise<unknown> {
    return this.#read((bytes) => JSON.parse(new TextDecoder().decode(bytes)) as unknown);
  }

  async #read<T>(as: (bytes: Uint8Array) => T): Promise<T> {
    if (this.#used) throw new TypeError("The body was read already.");
    this.#used = this.#bytes !== null;
    return as(this.#bytes ?? new Uint8Array(0));
  }
}

function bytesOf(body: BodyInit): Uint8Array | null {
  if (body === null || body === undefined) return null;
  if (body instanceof BodyBytes) return body.bytes;
  if (body instanceof Uint8Array) return body.slice();
  if (body instanceof ArrayBuffer) return new Uint8Array(body.slice(0));
  if (typeof body === "string") return new TextEncoder().encode(body);
  throw new TypeError("A body is a text or bytes here; streams and forms are not understood.");
}
