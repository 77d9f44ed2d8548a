import { type LookupAddress, type LookupAllOptions, lookup as lookupDns } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** The FHIR bases a client may name: exact base URLs, or `loopback` for any server on this machine (demo mode). */
export type AllowedFhirServers = readonly string[] | 'loopback';

/** Finds all addresses of a name (`dns.lookup` does). */
export type Resolve = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Addresses no listed name answers with honestly: this machine, its neighbours, cloud metadata, multicast, reserved. */
const refused = new BlockList();
refused.addSubnet('0.0.0.0', 8, 'ipv4');
refused.addSubnet('127.0.0.0', 8, 'ipv4');
refused.addSubnet('169.254.0.0', 16, 'ipv4');
refused.addSubnet('224.0.0.0', 3, 'ipv4');
refused.addAddress('::', 'ipv6');
refused.addAddress('::1', 'ipv6');
refused.addAddress('fd00:ec2::254', 'ipv6');
refused.addSubnet('fe80::', 10, 'ipv6');
refused.addSubnet('ff00::', 8, 'ipv6');

/**
 * Finds the base URL that a request's `fhirServer` may be called under.
 *
 * https always, except on loopback. A trailing slash makes no difference; anything else does.
 *
 * @returns The base without trailing slash in its path; undefined where it is not allowed.
 */
export function findAllowedBase(fhirServer: string, allowed: AllowedFhirServers): URL | undefined {
  const base = parseBase(fhirServer);
  if (base === undefined) return undefined;
  const onLoopback = isLoopbackHost(base.hostname);
  if (base.protocol !== 'https:' && !onLoopback) return undefined;
  if (allowed === 'loopback') return onLoopback ? base : undefined;
  return allowed.some((listed) => parseBase(listed)?.href === base.href) ? base : undefined;
}

/**
 * Resolves a `next` link where it stays on the same server, under the same base path.
 *
 * Prefetch Bundles come from the request, so a `next` link is as hostile as the rest of it.
 */
export function resolveBeneath(base: URL, link: string): URL | undefined {
  const url = URL.parse(link, `${base.href}/`);
  if (url === null || url.origin !== base.origin || url.username !== '' || url.password !== '') return undefined;
  // Servers that decode %2f or %5c before routing would read `..%2f` as a way out of the base path.
  if (/%2f|%5c/i.test(url.pathname)) return undefined;
  const path = base.pathname.replace(/\/$/, '');
  return url.pathname === path || url.pathname.startsWith(`${path}/`) ? url : undefined;
}

/**
 * Makes the name lookup of outgoing connections: the one address list resolved is checked and connected to,
 * so that a name cannot answer differently between check and use.
 *
 * `localhost` may only be loopback. A listed name may be private (a hospital's own network), never loopback, link-local
 * or metadata. An address written out in a listed base is connected to as it stands and never comes here.
 */
export function createLookup(resolve: Resolve = lookupDns): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { all: true, family: options.family ?? 0 }, (error, addresses) => {
      if (error !== null) return callback(error, []);
      const isAllowed = isLoopbackHost(hostname) ? isLoopback : isNotRefused;
      const first = addresses[0];
      if (first === undefined || !addresses.every((entry) => isAllowed(entry.address))) {
        return callback(new Error('The FHIR server resolves to an address that may not be called.'), []);
      }
      if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}

function parseBase(text: string): URL | undefined {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) return undefined;
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') return undefined;
  url.pathname = url.pathname.replace(/\/+$/, '');
  return url;
}

function isLoopbackHost(hostname: string): boolean {
  return hostname === 'localhost' || isLoopback(hostname.replace(/^\[|\]$/g, ''));
}

function isLoopback(address: string): boolean {
  return isListed(loopback, address);
}

function isNotRefused(address: string): boolean {
  return isIP(address) !== 0 && !isListed(refused, address);
}

function isListed(list: BlockList, address: string): boolean {
  const family = isIP(address);
  return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4');
}
