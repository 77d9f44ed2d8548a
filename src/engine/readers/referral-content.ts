import { codingsOf, isObject, type Json, listOf, referenceKeyOf, textOf } from '../resources.ts';

/** What the guideline wants in a referral (3.2.3, REF-01): whether each part is there, never what it says. */
export interface ReferralContent {
  present: string[];
  /** A part that is neither present nor absent could stand in something that was not read. */
  absent: string[];
}

const extensionBase = 'https://diagnostisk-pakkeforloeb.dk/fhir/StructureDefinition/referral-';

/**
 * Reads which parts of the content are in a drafted referral.
 *
 * @param resolve The resource a reference of the referral points at, contained or read; undefined otherwise.
 * @see contract.md section 2, "referral content"
 */
export function readReferralContent(
  referral: Json,
  resolve: (reference: unknown, container: Json) => Json | undefined,
): ReferralContent {
  const supports = listOf(referral.supportingInfo).map((reference) => ({
    type: referenceKeyOf(reference)?.split('/')[0],
    resource: resolve(reference, referral),
  }));
  // A letter or form that was not read may hold anything; so may a reference of which not even the type is known
  const readable = new Set(['Communication', 'Consent', 'Condition', 'Observation', 'DiagnosticReport']);
  const hasLetter = supports.some(({ type = '', resource }) => !readable.has(textOf(resource?.resourceType) ?? type));
  const hasUnread = (kind: string): boolean =>
    supports.some(({ type, resource }) => type === kind && resource === undefined);
  const hasSupport = (kind: string, status: string): boolean =>
    supports.some(
      ({ resource }) => resource?.resourceType === kind && resource.status === status && !isDenial(resource),
    );

  const parts: [string, boolean | undefined][] = [
    ['symptoms', hasText(referral.reasonCode) || listOf(referral.reasonReference).length > 0],
    ['rationale', listOf(referral.note).some((note) => isObject(note) && isFilled(note.text))],
    [
      'patient-informed',
      isFilled(referral.patientInstruction) ||
        hasSupport('Communication', 'completed') ||
        hasExtension(referral, 'patient-informed') ||
        (hasUnread('Communication') ? undefined : false),
    ],
    [
      'consent',
      hasSupport('Consent', 'active') ||
        hasExtension(referral, 'consent') ||
        (hasUnread('Consent') ? undefined : false),
    ],
    ['telephone', hasExtension(referral, 'telephone') || hasTelephone(referral, resolve)],
  ];
  return {
    present: parts.flatMap(([part, isThere]) => (isThere === true ? [part] : [])),
    absent: hasLetter ? [] : parts.flatMap(([part, isThere]) => (isThere === false ? [part] : [])),
  };
}

/** A Consent whose own rule is to deny. */
function isDenial({ provision }: Json): boolean {
  return isObject(provision) && provision.type === 'deny';
}

function hasTelephone(
  referral: Json,
  resolve: (reference: unknown, container: Json) => Json | undefined,
): boolean | undefined {
  if (referral.requester === undefined || referral.requester === null) return false;
  const requester = resolve(referral.requester, referral);
  if (requester === undefined) return undefined;
  const behind = [requester.practitioner, requester.organization].filter((each) => each !== undefined && each !== null);
  const units = behind.map((reference) => resolve(reference, referral));
  if ([requester, ...units].some((unit) => unit !== undefined && hasPhone(unit))) return true;
  return units.includes(undefined) ? undefined : false;
}

function hasPhone(unit: Json): boolean {
  return listOf(unit.telecom).some(
    (contact) => isObject(contact) && contact.system === 'phone' && isFilled(contact.value),
  );
}

function hasText(concepts: unknown): boolean {
  return (
    listOf(concepts).some((concept) => isObject(concept) && isFilled(concept.text)) || codingsOf(concepts).length > 0
  );
}

function hasExtension(referral: Json, name: string): boolean {
  return listOf(referral.extension).some(
    (extension) =>
      isObject(extension) &&
      extension.url === `${extensionBase}${name}` &&
      (extension.valueBoolean === true || isFilled(extension.valueString) || isObject(extension.valueContactPoint)),
  );
}

function isFilled(value: unknown): boolean {
  return typeof value === 'string' && value.trim() !== '';
}
