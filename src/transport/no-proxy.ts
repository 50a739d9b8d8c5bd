import { BlockList, isIP } from 'node:net';

/** Whether a host is reached without the proxy; `hostname` is a name in lower case or an address without brackets. */
export type IsDirect = (hostname: string, port: number) => boolean;

interface NameRule {
  readonly name: string;
  /** Null: every port. */
  readonly port: number | null;
}

interface Rules {
  readonly names: NameRule[];
  /** Addresses of every port, and of one port. */
  readonly addresses: BlockList;
  readonly ported: Map<number, BlockList>;
}

/** `host`, `host:port`, `[address]:port`; a bare IPv6 address has more than one colon and is all host. */
const ENTRY = /^(?:\[([^\]]*)\]|([^:]*))(?::([0-9]{1,5}))?$/;

/**
 * Reads NO_PROXY: entries between commas or blanks.
 *
 * As curl and Python read it: `example.com` and `.example.com` (also `*.example.com`) mean the name and everything under
 * it, `*` everything, an address that address, `10.0.0.0/8` a network, and `:port` after any of them that port only. An
 * entry that is none of these is not an error to them, nor here: it matches nothing.
 *
 * @see curl(1), "NO_PROXY"; curl 7.86.0 added networks. Ports are Python's. Read 2026-11-23
 */
export function parseNoProxy(text: string): IsDirect {
  const entries = text.split(/[\s,]+/).filter((entry) => entry !== '');
  if (entries.includes('*')) return () => true;
  const rules: Rules = { names: [], addresses: new BlockList(), ported: new Map() };
  for (const entry of entries) addEntry(rules, entry.toLowerCase());
  return (hostname, port) => {
    const family = isIP(hostname);
    return family === 0 ? hasName(rules.names, withoutDot(hostname), port) : hasAddress(rules, hostname, port);
  };
}

/**
 * Loopback: `localhost` and names under it, 127.0.0.0/8, `::1`.
 *
 * Always direct: to the proxy these names mean the proxy's own machine, so asking it for them is never what was meant.
 */
export function isLoopback(hostname: string): boolean {
  const family = isIP(hostname);
  if (family === 0) return hasName([{ name: 'localhost', port: null }], withoutDot(hostname), 0);
  return LOOPBACK.check(hostname, family === 4 ? 'ipv4' : 'ipv6');
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

function addEntry(rules: Rules, entry: string): void {
  const isBareIpv6 = isIP(entry.split('/', 1)[0] ?? '') === 6;
  const parts = isBareIpv6 ? null : ENTRY.exec(entry);
  const host = isBareIpv6 ? entry : (parts?.[1] ?? parts?.[2] ?? '');
  const port = parts?.[3] === undefined ? null : Number(parts[3]);
  const [address = '', bits] = host.split('/', 2);
  const family = isIP(address);
  if (family !== 0) addAddress(port === null ? rules.addresses : portList(rules, port), address, family, bits);
  else if (withoutDot(host) !== '') rules.names.push({ name: withoutDot(host.replace(/^\*?\./, '')), port });
}

function addAddress(list: BlockList, address: string, family: number, bits: string | undefined): void {
  const type = family === 4 ? 'ipv4' : 'ipv6';
  const longest = family === 4 ? 32 : 128;
  const length = bits === undefined ? longest : /^[0-9]{1,3}$/.test(bits) ? Number(bits) : -1;
  if (length >= 0 && length <= longest) list.addSubnet(address, length, type);
}

function portList(rules: Rules, port: number): BlockList {
  const list = rules.ported.get(port) ?? new BlockList();
  rules.ported.set(port, list);
  return list;
}

function hasName(names: readonly NameRule[], hostname: string, port: number): boolean {
  return names.some(
    (rule) =>
      (rule.port === null || rule.port === port) && (hostname === rule.name || hostname.endsWith(`.${rule.name}`)),
  );
}

function hasAddress({ addresses, ported }: Rules, address: string, port: number): boolean {
  const type = isIP(address) === 4 ? 'ipv4' : 'ipv6';
  return addresses.check(address, type) || (ported.get(port)?.check(address, type) ?? false);
}

/** A name with the dot of the root is the same name. */
const withoutDot = (name: string): string => (name.endsWith('.') ? name.slice(0, -1) : name);
