import { createPublicKey } from 'node:crypto';
import { isIP } from 'node:net';
import * as z from 'zod';
import type { ClientSettings } from '../engine/cards.ts';
import type { CompiledGuideline } from '../engine/guideline.ts';
import { listKinds } from '../engine/own-codes.ts';
import type { Coding } from '../engine/suggestions.ts';
import { type Client, cardForms } from './client.ts';

/** Signature algorithms a profile may allow: asymmetric ones, so never `none` and never HS* (conformance W-11). */
export const algorithms = ['ES256', 'ES384', 'ES512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const;
/** What CDS Hooks recommends. */
export const recommendedAlgorithms = ['ES384', 'RS384'] as const;
export type Algorithm = (typeof algorithms)[number];

/** Longest life of a token unless the profile says otherwise, and the longest it may say: seconds. */
const defaultTokenSeconds = 3600;
const longestTokenSeconds = 86_400;

/** What a wrong profile can make of a member: longer texts are a mistake or an attack. */
const longestText = 256;

const text = z.string('expected a text in quotes').min(1).max(longestText);
const name = z.string().regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'expected small letters, digits and hyphens');
const language = z.enum(['da', 'en']);

/** A public key of a client; its other members are the client's business. */
export const publicKeySchema = z
  .looseObject({ kty: z.enum(['RSA', 'EC']), kid: text, alg: text.optional(), use: z.literal('sig').optional() })
  .superRefine((jwk, context) => {
    const wrong = findKeyMistake(jwk);
    if (wrong !== undefined) context.addIssue({ code: 'custom', message: wrong });
  });
export type PublicKey = z.infer<typeof publicKeySchema>;

const leastRsaBits = 2048;

function findKeyMistake(jwk: { kty: string; [member: string]: unknown }): string | undefined {
  if (['d', 'p', 'q', 'k'].some((member) => member in jwk)) {
    return 'this is a private key: expected the public one, and make a new pair';
  }
  try {
    const { asymmetricKeyDetails } = createPublicKey({ key: jwk, format: 'jwk' });
    const bits = asymmetricKeyDetails?.modulusLength ?? leastRsaBits;
    return bits < leastRsaBits ? `an RSA key of ${bits} bits: expected at least ${leastRsaBits}` : undefined;
  } catch {
    return `not a public ${jwk.kty} key that can be read`;
  }
}

/** The first coordinate of the key whose private half the public sandbox publishes: who holds it is not known by it. */
const sandboxKey = 'dw_JGR8nB2I6XveNxUOl2qk699ZPLM2nYI5STSdiEl9avAkrm3CkfYMbrrjr8laB';
const sandboxIssuer = 'https://sandbox.cds-hooks.org';

/** Whether everybody can sign with the private half of a key. */
export function isEverybodysKey(jwk: Readonly<Record<string, unknown>>): boolean {
  return jwk.x === sandboxKey;
}

export const issuer = z
  .strictObject({
    /** `iss` of its tokens, to the letter. */
    iss: text,
    /** Its public keys, or where it publishes them. */
    jwks: z.strictObject({ keys: z.array(publicKeySchema).min(1) }).optional(),
    jwksUrl: z.url().optional(),
  })
  .refine(({ jwks, jwksUrl }) => (jwks === undefined) !== (jwksUrl === undefined), 'expected either jwks or jwksUrl')
  .refine(
    ({ jwks }) => jwks === undefined || new Set(jwks.keys.map(({ kid }) => kid)).size === jwks.keys.length,
    'two keys have one kid',
  );
export type Issuer = z.infer<typeof issuer>;

const unit = z
  .strictObject({
    name: text.optional(),
    telephone: z
      .string('expected a telephone number in quotes')
      .regex(/^\+?[0-9][0-9 ]{5,20}$/, 'expected a telephone number such as "+45 00 00 00 00"')
      .optional(),
    locationNumber: z
      .string('expected a location number in quotes')
      .refine(isLocationNumber, 'expected 13 digits, the last of them the check digit')
      .optional(),
  })
  .refine((given) => Object.keys(given).length > 0, 'expected name, telephone or locationNumber');
export type Unit = z.infer<typeof unit>;

/** GS1's check digit: weights 1 and 3 by turns. */
function isLocationNumber(digits: string): boolean {
  if (!/^\d{13}$/.test(digits)) return false;
  return [...digits].reduce((sum, digit, at) => sum + Number(digit) * (at % 2 === 0 ? 1 : 3), 0) % 10 === 0;
}

const coding = z.strictObject({ system: text, code: text, display: text.optional() });
const decisions = z
  .array(z.string().regex(/^[A-Z]{3}-(\d\d|\*)$/, 'expected a decision such as MAS-02, or a group such as MUP-*'))
  .default([]);

/** One file of the folder of client profiles. */
export const profileSchema = z.strictObject({
  id: name,
  /** For trying out: never loaded in production. */
  demoOnly: z.literal(true).optional(),
  issuers: z.array(issuer).min(1),
  algorithms: z
    .array(z.enum(algorithms))
    .min(1)
    .default([...recommendedAlgorithms]),
  /** `tenant` of its tokens, each with the region whose unit applies; absent: tokens of any tenant or none. */
  tenants: z
    .array(z.strictObject({ id: text, region: name.optional() }))
    .min(1)
    .optional(),
  /** Origins of web pages that call. */
  origins: z.array(z.url()).default([]),
  /** Base URLs of its FHIR servers; without any, nothing is fetched. */
  fhirServers: z.array(z.url()).default([]),
  /** They may be called without an access token. */
  fhirWithoutToken: z.boolean().default(false),
  /** Our prefetch key to the key it sends. */
  prefetchKeys: z.record(z.string(), text).default({}),
  services: z.array(z.string()).min(1).optional(),
  decisions: z.strictObject({ off: decisions, shadow: decisions }).default({ off: [], shadow: [] }),
  /** Options of ledger.yaml by their override key. */
  ledger: z.record(z.string(), z.string('expected the key of an option in quotes')).default({}),
  language: language.default('da'),
  units: z.record(name, unit).default({}),
  /** The region of tenants that name none. */
  region: name.optional(),
  pathwayCodes: z.record(z.string(), coding).optional(),
  codes: z.record(z.string(), z.array(coding).min(1)).optional(),
  notAssessed: z.literal(true).optional(),
  /** On order-sign: warnings and critical cards alone. */
  orderSignOnly: z.literal('warnings').optional(),
  /** On order-select: what a referral should hold. */
  referralChecklist: z.literal(true).optional(),
  cards: z.enum(cardForms).optional(),
  limits: z
    .strictObject({
      tokenSeconds: z.number().int().min(1).max(longestTokenSeconds).default(defaultTokenSeconds),
      bodyBytes: z.number().int().min(1024).optional(),
      rate: z.strictObject({ perSecond: z.number().positive(), burst: z.number().int().min(1) }).optional(),
    })
    .default({ tokenSeconds: defaultTokenSeconds }),
});
export type ProfileFile = z.infer<typeof profileSchema>;

/** A client that may call, and how it shows who it is. */
export interface Profile {
  id: string;
  isDemoOnly: boolean;
  issuers: readonly Issuer[];
  algorithms: readonly Algorithm[];
  /** Longest life of a token. */
  tokenSeconds: number;
  /** How often it may call; absent: as every client. */
  rate?: { perSecond: number; burst: number };
  /** The client for a tenant; undefined where it is not allowed. */
  findClient(tenant: string | undefined): Client | undefined;
  /** Absent: any tenant or none. */
  tenants?: readonly string[];
  /** For every tenant and region. */
  origins: readonly string[];
}

/** Something wrong with a profile, and where in its file. */
export type ReportMistake = (path: readonly PropertyKey[], message: string) => void;

/**
 * Makes the client of a profile, checked against the guideline it is to be used with.
 *
 * @param report Told of every mistake; with one, what is returned must not be used.
 */
export function compileProfile(file: ProfileFile, guideline: CompiledGuideline, report: ReportMistake): Profile {
  checkAddresses(file, report);
  checkNames(file, guideline, report);
  const settings = compileSettings(file, guideline, report);
  const clientOf = (region: string | undefined): Client => ({
    id: file.id,
    allowedFhirServers: file.fhirServers,
    allowWithoutToken: file.fhirWithoutToken,
    language: file.language,
    settings: { ...settings, ...describeUnit(region === undefined ? undefined : file.units[region]) },
    keyAliases: file.prefetchKeys,
    ...(file.services && { services: file.services }),
    ...(file.cards && { cardForm: file.cards }),
    origins: file.origins,
    ...(file.limits.bodyBytes !== undefined && { bodyBytes: file.limits.bodyBytes }),
  });
  const common = clientOf(file.region);
  const tenants = new Map(file.tenants?.map(({ id, region }) => [id, clientOf(region ?? file.region)]));
  return {
    id: file.id,
    isDemoOnly: file.demoOnly === true,
    issuers: file.issuers,
    algorithms: file.algorithms,
    tokenSeconds: file.limits.tokenSeconds,
    ...(file.limits.rate && { rate: file.limits.rate }),
    findClient(tenant) {
      if (file.tenants === undefined) return common;
      return tenant === undefined ? undefined : tenants.get(tenant);
    },
    ...(file.tenants && { tenants: file.tenants.map(({ id }) => id) }),
    origins: file.origins,
  };
}

function compileSettings(file: ProfileFile, guideline: CompiledGuideline, report: ReportMistake): ClientSettings {
  const off = expandDecisions(file.decisions.off, guideline, ['decisions', 'off'], report);
  const shadow = expandDecisions(file.decisions.shadow, guideline, ['decisions', 'shadow'], report);
  for (const id of shadow.filter((each) => off.includes(each))) {
    report(['decisions', 'shadow'], `${id} is both off and in shadow`);
  }
  return {
    ledger: file.ledger,
    ...(file.notAssessed && { notAssessed: true }),
    ...(file.orderSignOnly && { orderSignOnly: file.orderSignOnly }),
    ...(file.referralChecklist && { referralChecklist: true }),
    ...(file.codes && { codes: file.codes as Record<string, Coding[]> }),
    ...(file.pathwayCodes && { pathwayCodes: file.pathwayCodes as Record<string, Coding> }),
    ...(off.length > 0 && { off }),
    ...(shadow.length > 0 && { shadow }),
  };
}

function describeUnit(of: Unit | undefined): Pick<ClientSettings, 'contact' | 'unit'> {
  const { name: title, telephone, locationNumber } = of ?? {};
  const named = {
    ...(title !== undefined && { name: title }),
    ...(locationNumber !== undefined && { locationNumber }),
  };
  return {
    ...(telephone !== undefined && { contact: telephone }),
    ...(Object.keys(named).length > 0 && { unit: named }),
  };
}

function expandDecisions(
  named: readonly string[],
  guideline: CompiledGuideline,
  path: readonly PropertyKey[],
  report: ReportMistake,
): string[] {
  const ids = [...guideline.rules.keys()];
  return [
    ...new Set(
      named.flatMap((each, at) => {
        const found = each.endsWith('*')
          ? ids.filter((id) => id.startsWith(each.slice(0, -1)))
          : ids.filter((id) => id === each);
        if (found.length === 0) report([...path, at], `the guideline has no decision ${each}`);
        return found;
      }),
    ),
  ];
}

/** Everything is https; a profile for trying out may also use this machine. */
function checkAddresses(file: ProfileFile, report: ReportMistake): void {
  const isAllowed = (url: URL): boolean =>
    url.protocol === 'https:' || (file.demoOnly === true && url.protocol === 'http:' && isLoopback(url.hostname));
  const expected = file.demoOnly ? 'expected https (http on this machine only)' : 'expected https';

  for (const [at, { iss, jwks, jwksUrl }] of file.issuers.entries()) {
    if (jwksUrl !== undefined && !isPlain(jwksUrl, isAllowed)) report(['issuers', at, 'jwksUrl'], expected);
    if (file.issuers.findIndex((other) => other.iss === iss) !== at) report(['issuers', at, 'iss'], 'named twice');
    if (file.demoOnly) continue;
    const everybodys = 'everybody can sign as this: remove it, or set demoOnly: true';
    if (iss.replace(/\/+$/, '') === sandboxIssuer) report(['issuers', at, 'iss'], everybodys);
    for (const [place, key] of (jwks?.keys ?? []).entries()) {
      if (isEverybodysKey(key)) report(['issuers', at, 'jwks', 'keys', place], everybodys);
    }
  }
  for (const [at, origin] of file.origins.entries()) {
    if (new URL(origin).origin !== origin)
      report(['origins', at], 'expected scheme, host and port only, no slash at the end');
    else if (!isPlain(origin, isAllowed)) report(['origins', at], expected);
  }
  for (const [at, server] of file.fhirServers.entries()) {
    if (!isPlain(server, isAllowed)) report(['fhirServers', at], `${expected}, without user, query and fragment`);
  }
}

function isPlain(address: string, isAllowed: (url: URL) => boolean): boolean {
  const url = new URL(address);
  return isAllowed(url) && url.username === '' && url.password === '' && url.hash === '' && url.search === '';
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || (isIP(hostname) === 4 && hostname.startsWith('127.'));
}

function checkNames(file: ProfileFile, guideline: CompiledGuideline, report: ReportMistake): void {
  const known = (path: readonly PropertyKey[], id: string, among: Iterable<string>, what: string): void => {
    const ids = [...among];
    if (!ids.includes(id))
      report(path, `there is no ${what} ${id}${ids.length > mostNamed ? '' : `: expected one of ${ids.join(', ')}`}`);
  };
  for (const [at, id] of (file.services ?? []).entries()) {
    known(['services', at], id, guideline.services.keys(), 'service');
  }
  const keys = Object.keys(guideline.head.prefetch);
  for (const [key, sent] of Object.entries(file.prefetchKeys)) {
    known(['prefetchKeys', key], key, keys, 'prefetch key');
    if (keys.includes(sent) && sent !== key) {
      report(['prefetchKeys', key], `${sent} is a prefetch key of ours with another content`);
    }
  }
  for (const [override, option] of Object.entries(file.ledger)) {
    const entry = guideline.ledger.find((each) => each.override === override);
    known(
      ['ledger', override],
      override,
      guideline.ledger.map((each) => each.override),
      'override',
    );
    if (entry !== undefined)
      known(
        ['ledger', override],
        option,
        entry.options.map(({ key }) => key),
        'option',
      );
  }
  for (const id of Object.keys(file.pathwayCodes ?? {})) {
    known(['pathwayCodes', id], id, guideline.pathways.keys(), 'pathway');
  }
  const kinds = listKinds(guideline.concepts);
  for (const id of Object.keys(file.codes ?? {})) known(['codes', id], id, kinds.keys(), 'concept');
  const regions = Object.keys(file.units);
  if (file.region !== undefined) known(['region'], file.region, regions, 'unit of the region');
  const ids = file.tenants?.map(({ id }) => id) ?? [];
  for (const [at, { id, region }] of (file.tenants ?? []).entries()) {
    if (region !== undefined) known(['tenants', at, 'region'], region, regions, 'unit of the region');
    if (ids.indexOf(id) !== at) report(['tenants', at, 'id'], 'named twice');
  }
}

/** A list of this many names still helps who reads it. */
const mostNamed = 40;
