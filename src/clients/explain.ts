import type { CompiledGuideline } from '../engine/guideline.ts';
import { type ProfileFile, recommendedAlgorithms } from './profile.ts';
import type { LoadedProfile } from './profiles.ts';

/** A profile in plain words. */
export interface Explanation {
  id: string;
  /** What it allows and what it changes, a sentence each. */
  says: string[];
  /** What an operator should look at twice. */
  warnings: string[];
}

/** Explains a client profile to who has to answer for it. */
export function explainProfile({ file, profile }: LoadedProfile, guideline: CompiledGuideline): Explanation {
  // All tenants have the same decisions.
  const { settings } = profile.findClient(file.tenants?.[0]?.id) ?? {};
  const off = settings?.off ?? [];
  const shadow = settings?.shadow ?? [];
  return {
    id: file.id,
    says: [
      ...explainCallers(file),
      file.fhirServers.length === 0
        ? 'Nothing is fetched: what prefetch lacks stays unknown.'
        : `What prefetch lacks is fetched from ${file.fhirServers.join(', ')}, ${file.fhirWithoutToken ? 'with the access token of the call or without one' : 'only with the access token of the call'}.`,
      ...Object.entries(file.prefetchKeys).map(([ours, theirs]) => `It sends the prefetch key ${ours} as ${theirs}.`),
      `It may call ${(file.services ?? [...guideline.services.keys()]).join(', ')}.`,
      ...(off.length === 0 ? [] : [`Not decided for it: ${off.map(withTitle(guideline)).join('; ')}.`]),
      ...(shadow.length === 0
        ? []
        : [`Decided and recorded without a card: ${shadow.map(withTitle(guideline)).join('; ')}.`]),
      ...explainChoices(file, guideline),
      `Cards are in ${file.language === 'da' ? 'Danish' : 'English'} unless a call asks for the other language${formOf(file)}.`,
      ...explainUnits(file),
      ...explainCodes(file),
      ...(file.orderSignOnly ? ['When orders are signed it is told warnings and critical cards only.'] : []),
      ...(file.referralChecklist ? ['While a referral is written it is told what the referral should hold.'] : []),
      ...(file.notAssessed ? ['A card says what could not be judged and why.'] : []),
      `Its tokens live ${file.limits.tokenSeconds} seconds at most.`,
    ],
    warnings: findWarnings(file, off),
  };
}

const withTitle = (guideline: CompiledGuideline) => (id: string) =>
  `${id} ${guideline.rules.get(id)?.title.en ?? ''}`.trim();

function explainCallers({ demoOnly, issuers, algorithms, tenants, origins }: ProfileFile): string[] {
  const keys = issuers.map(({ iss, jwks, jwksUrl }) =>
    jwks === undefined
      ? `${iss} (keys fetched from ${jwksUrl})`
      : `${iss} (keys ${jwks.keys.map(({ kid }) => kid).join(', ')})`,
  );
  return [
    ...(demoOnly ? ['It is for trying out: the service does not start in production with it.'] : []),
    `Tokens are taken of ${keys.join(' and ')}, signed with ${algorithms.join(' or ')}.`,
    tenants === undefined
      ? 'Any tenant may call, and tokens without one.'
      : `Tokens must name one of the tenants ${tenants.map(({ id }) => id).join(', ')}.`,
    origins.length === 0 ? 'No web page may call; servers may.' : `Web pages on ${origins.join(', ')} may call.`,
  ];
}

function explainChoices({ ledger }: ProfileFile, guideline: CompiledGuideline): string[] {
  return Object.entries(ledger).flatMap(([override, key]) => {
    const entry = guideline.ledger.find((each) => each.override === override);
    const option = entry?.options.find((each) => each.key === key);
    if (entry === undefined || option === undefined) return [];
    const preset = key === entry.default ? ' (the default)' : '';
    return [`${entry.id} ${entry.question.en} ${option.en}${preset}.`];
  });
}

function formOf({ cards }: ProfileFile): string {
  return cards === undefined ? '' : `, in the form for ${cards}`;
}

function explainUnits({ units, region, tenants }: ProfileFile): string[] {
  return Object.entries(units).map(([name, { name: title, telephone, locationNumber }]) => {
    const of = tenants?.filter((tenant) => (tenant.region ?? region) === name).map(({ id }) => id) ?? [];
    const whose =
      tenants === undefined ? (name === region ? 'for every call' : 'for nobody') : `for ${of.join(', ') || 'nobody'}`;
    return `The unit of ${name}, ${whose}: ${[title, telephone, locationNumber].filter((part) => part !== undefined).join(', ')}.`;
  });
}

function explainCodes({ pathwayCodes = {}, codes = {} }: ProfileFile): string[] {
  return [
    ...Object.entries(pathwayCodes).map(
      ([id, { system, code }]) => `Its code of a referral to ${id} is ${code} (${system}).`,
    ),
    ...Object.entries(codes).map(
      ([id, list]) => `Its codes of ${id}: ${list.map(({ system, code }) => `${code} (${system})`).join(', ')}.`,
    ),
  ];
}

/** Decisions about patients who cannot wait. */
const acute = /^ACU-/;

function findWarnings(file: ProfileFile, off: readonly string[]): string[] {
  const untold = [...off, ...file.decisions.shadow];
  const unusual = file.algorithms.filter((each) => !recommendedAlgorithms.some((recommended) => recommended === each));
  const used = new Set([file.region, ...(file.tenants ?? []).map(({ region }) => region)]);
  const contacts = Object.entries(file.units).filter(([name]) => used.has(name));
  return [
    ...(untold.some((id) => acute.test(id)) ? ['Cards about acute patients are switched off.'] : []),
    ...(file.fhirWithoutToken && file.fhirServers.length > 0
      ? ['Its FHIR servers are asked without a token: they must be open to this service alone.']
      : []),
    ...(unusual.length > 0 ? [`${unusual.join(', ')}: CDS Hooks recommends ES384 and RS384.`] : []),
    ...(contacts.some(([, { telephone }]) => telephone !== undefined)
      ? []
      : ['No unit with a telephone number applies: MAS and MUP cards name no one to confer with.']),
    ...Object.keys(file.units)
      .filter((name) => !used.has(name))
      .map((name) => `The unit of ${name} is nobody's.`),
    ...file.issuers.flatMap(({ iss, jwksUrl }) =>
      jwksUrl !== undefined && URL.canParse(iss) && new URL(iss).host !== new URL(jwksUrl).host
        ? [`The keys of ${iss} lie on another host, ${new URL(jwksUrl).host}.`]
        : [],
    ),
  ];
}
