/** What the simulated host counts, by the names of the native core. */
export class HostCounters {
  tunFramesRead = 0;
  tunFramesWritten = 0;
  tunQueueFull = 0;
  udpDatagramsReceived = 0;
  udpDatagramsSent = 0;
  rxOpened = 0;
  rxBadTag = 0;
  rxNoKey = 0;
  rxMalformed = 0;
  rxUnknownLink = 0;
  rxTooLarge = 0;
  rxOverrun = 0;
  txSealed = 0;
  txQueueFull = 0;
  txFailed = 0;
  txNoRoute = 0;
  txNoKey = 0;
  txTooLarge = 0;
  tcpConnects = 0;
  tcpBytesRead = 0;
  tcpBytesWritten = 0;
}
