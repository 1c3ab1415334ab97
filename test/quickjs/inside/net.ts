/** `node:net`, as far as tests use it. */

/** 4, 6, or 0 for what is no address. */
export function isIP(text: string): number {
  if (isIpv4(text)) return 4;
  return isIpv6(text) ? 6 : 0;
}

function isIpv4(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256);
}

function isIpv6(given: string): boolean {
  const zone = given.indexOf("%");
  const text = zone > 0 ? given.slice(0, zone) : given;
  const last = text.slice(text.lastIndexOf(":") + 1);
  const plain = isIpv4(last) ? `${text.slice(0, -last.length)}0:0` : text;
  const halves = plain.split("::");
  const groups = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
  if (halves.length > 2 || !groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return false;
  return halves.length === 2 ? groups.length <= 7 : groups.length === 8;
}
