/** An IPv4 range as two numbers, both ends included; undefined for what is none. */
function rangeOf(cidr: string): { readonly first: number; readonly last: number } | undefined {
  const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\/(\d+)$/.exec(cidr);
  if (!match) return undefined;
  const [a = 0, b = 0, c = 0, d = 0, bits = 0] = match.slice(1).map(Number);
  if ([a, b, c, d].some((part) => part > 255) || bits > 32) return undefined;
  const size = 2 ** (32 - bits);
  const first = Math.floor((((a * 256 + b) * 256 + c) * 256 + d) / size) * size;
  return { first, last: first + size - 1 };
}

/** Whether an IPv4 range holds the whole of another one. */
export function contains(outer: string, inner: string): boolean {
  const [around, within] = [rangeOf(outer), rangeOf(inner)];
  return around !== undefined && within !== undefined && around.first <= within.first && around.last >= within.last;
}
