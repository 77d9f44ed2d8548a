import { describe, expect, it } from 'vitest';
import { createLookup, findAllowedBase, type Resolve, resolveBeneath } from '../../src/fhir/allow-list.ts';

describe('findAllowedBase', () => {
  const listed = ['https://ehr.example/fhir/r4'];

  it('allows the listed base, with or without a trailing slash', () => {
    expect(findAllowedBase('https://ehr.example/fhir/r4', listed)?.href).toBe('https://ehr.example/fhir/r4');
    expect(findAllowedBase('https://EHR.example:443/fhir/r4/', listed)?.href).toBe('https://ehr.example/fhir/r4');
    expect(findAllowedBase('https://ehr.example/fhir/r4', ['https://ehr.example/fhir/r4/'])).toBeDefined();
  });

  it.each([
    'http://ehr.example/fhir/r4',
    'https://ehr.example/fhir',
    'https://ehr.example/fhir/r4/other',
    'https://ehr.example/fhir/r4/../admin',
    'https://ehr.example:8443/fhir/r4',
    'https://ehr.example.evil.example/fhir/r4',
    'https://ehr.example@evil.example/fhir/r4',
    'https://user:secret@ehr.example/fhir/r4',
    'https://ehr.example/fhir/r4?x=1',
    'https://ehr.example/fhir/r4#x',
    'https://169.254.169.254/latest',
    'file:///etc/passwd',
    'ehr.example/fhir/r4',
    '',
  ])('refuses %j when another base is listed', (base) => {
    expect(findAllowedBase(base, listed)).toBeUndefined();
  });

  it('refuses plain http beyond this machine even where it is listed', () => {
    expect(findAllowedBase('http://10.0.0.5/fhir', ['http://10.0.0.5/fhir'])).toBeUndefined();
    expect(findAllowedBase('http://127.0.0.1:8080/fhir', ['http://127.0.0.1:8080/fhir'])).toBeDefined();
  });

  it.each(['http://127.0.0.1:8080/fhir', 'http://localhost:8080/fhir', 'http://[::1]:8080/fhir', 'http://127.9.9.9/'])(
    'allows %s in loopback mode',
    (base) => {
      expect(findAllowedBase(base, 'loopback')).toBeDefined();
    },
  );

  it.each([
    'http://10.0.0.5/fhir',
    'https://ehr.example/fhir',
    'http://localhost.evil.example/fhir',
    'http://127.0.0.1.evil.example/fhir',
    'http://169.254.169.254/',
    'http://0.0.0.0:8080/fhir',
    'http://user:secret@127.0.0.1:8080/fhir',
    'http://[fe80::1]/fhir',
  ])('refuses %s in loopback mode', (base) => {
    expect(findAllowedBase(base, 'loopback')).toBeUndefined();
  });
});

describe('resolveBeneath', () => {
  const base = new URL('https://ehr.example/fhir');

  it.each([
    ['https://ehr.example/fhir?_getpages=1', 'https://ehr.example/fhir?_getpages=1'],
    ['https://ehr.example/fhir/Observation?page=2', 'https://ehr.example/fhir/Observation?page=2'],
    ['Observation?page=2', 'https://ehr.example/fhir/Observation?page=2'],
    ['/fhir/Observation?page=a%2Fb', 'https://ehr.example/fhir/Observation?page=a%2Fb'],
  ])('takes %s as a page of the same server', (link, resolved) => {
    expect(resolveBeneath(base, link)?.href).toBe(resolved);
  });

  it.each([
    'https://other.example/fhir?page=2',
    '//other.example/fhir?page=2',
    'http://ehr.example/fhir?page=2',
    'https://ehr.example:8443/fhir?page=2',
    'https://user:secret@ehr.example/fhir?page=2',
    'https://ehr.example/fhirx?page=2',
    'https://ehr.example/admin',
    '../admin',
    '%2e%2e/admin',
    'https://ehr.example/fhir/..%2fadmin',
    'https://ehr.example/fhir/..%5Cadmin',
    'javascript:alert(1)',
    'http://',
  ])('refuses %s', (link) => {
    expect(resolveBeneath(base, link)).toBeUndefined();
  });
});

describe('createLookup', () => {
  it.each(['127.0.0.1', '169.254.169.254', '0.0.0.0', '224.0.0.1', '::1', '::', 'fe80::1', 'fd00:ec2::254'])(
    'does not connect a listed name to %s',
    async (address) => {
      await expect(lookUp('ehr.example', [address])).rejects.toThrow('may not be called');
    },
  );

  it('sees an IPv4 address behind its IPv6 notation', async () => {
    await expect(lookUp('ehr.example', ['::ffff:169.254.169.254'])).rejects.toThrow('may not be called');
  });

  it('refuses a name of which one address is allowed and another is not', async () => {
    await expect(lookUp('ehr.example', ['192.0.2.1', '127.0.0.1'])).rejects.toThrow('may not be called');
  });

  it('connects a listed name to a public or a private address', async () => {
    expect(await lookUp('ehr.example', ['192.0.2.1'])).toEqual(['192.0.2.1']);
    expect(await lookUp('ehr.example', ['10.1.2.3', 'fd12::1'])).toEqual(['10.1.2.3', 'fd12::1']);
  });

  it('connects localhost to this machine alone', async () => {
    expect(await lookUp('localhost', ['127.0.0.1', '::1'])).toEqual(['127.0.0.1', '::1']);
    await expect(lookUp('localhost', ['10.1.2.3'])).rejects.toThrow('may not be called');
  });

  it('fails where a name has no address', async () => {
    await expect(lookUp('ehr.example', [])).rejects.toThrow('may not be called');
  });

  it('answers in the single-address form when that is asked for', async () => {
    const lookup = createLookup(resolverOf(['192.0.2.1']));
    const answer = await new Promise((resolve) => {
      lookup('ehr.example', {}, (_, address, family) => resolve([address, family]));
    });
    expect(answer).toEqual(['192.0.2.1', 4]);
  });
});

function resolverOf(addresses: string[]): Resolve {
  return (_hostname, _options, callback) => {
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
  };
}

function lookUp(hostname: string, addresses: string[]): Promise<string[]> {
  const lookup = createLookup(resolverOf(addresses));
  return new Promise((resolve, reject) => {
    lookup(hostname, { all: true }, (error, found) => {
      if (error !== null) reject(error);
      else if (Array.isArray(found)) resolve(found.map((entry) => entry.address));
      else reject(new Error('one address where all were asked for'));
    });
  });
}
