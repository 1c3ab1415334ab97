/** Error numbers of Linux as the host gives them: negative. */
export const Errno = {
  noEntry: -2,
  badHandle: -9,
  noMemory: -12,
  exists: -17,
  invalid: -22,
  tooManyFiles: -24,
  brokenPipe: -32,
  badMessage: -74,
  messageSize: -90,
  familyNotSupported: -97,
  addressInUse: -98,
  addressNotAvailable: -99,
  networkDown: -100,
  networkUnreachable: -101,
  connectionReset: -104,
  noBuffers: -105,
  timedOut: -110,
  connectionRefused: -111,
  hostUnreachable: -113,
  inProgress: -115,
} as const;

const SENTENCES: Readonly<Record<number, string>> = {
  [-1]: "Permission denied.",
  [Errno.noEntry]: "That does not exist.",
  [Errno.badHandle]: "The handle is closed or of another kind.",
  [Errno.exists]: "That exists already.",
  [Errno.invalid]: "An argument is out of range.",
  [Errno.tooManyFiles]: "Too many sockets are open.",
  [Errno.addressInUse]: "The address and port are in use by another program.",
  [Errno.networkUnreachable]: "There is no route to that network.",
  [Errno.connectionReset]: "The other end reset the connection.",
  [Errno.timedOut]: "The other end did not answer in time.",
  [Errno.connectionRefused]: "The other end refused the connection.",
  [Errno.hostUnreachable]: "There is no way to that host.",
};

export function errorSentence(code: number): string {
  if (code >= 0) return "Success.";
  return SENTENCES[code] ?? `Something failed, error ${-code}.`;
}
