/** Numbers of the ubus protocol (ubus-wire.md 3 and 4). */

export const MessageType = {
  hello: 0,
  status: 1,
  data: 2,
  ping: 3,
  lookup: 4,
  invoke: 5,
  addObject: 6,
  removeObject: 7,
  subscribe: 8,
  unsubscribe: 9,
  notify: 10,
} as const;

/** Types of blobmsg fields; also what a method's signature says of its arguments. */
export const BlobType = {
  unspecified: 0,
  array: 1,
  table: 2,
  string: 3,
  int64: 4,
  int32: 5,
  int16: 6,
  bool: 7,
  double: 8,
} as const;

export const UbusStatus = {
  ok: 0,
  invalidCommand: 1,
  invalidArgument: 2,
  methodNotFound: 3,
  notFound: 4,
  noData: 5,
  permissionDenied: 6,
  timeout: 7,
  notSupported: 8,
  unknownError: 9,
  connectionFailed: 10,
  noMemory: 11,
} as const;

/** The object of ubusd to which events are sent, and that one registers with to hear them. */
export const EVENT_OBJECT = 1;
