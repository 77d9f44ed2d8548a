/** Base of every error this service raises on purpose: a stable code, the HTTP status it maps to, a message without patient data. */
export class CdsError extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
    this.status = status;
  }
}

/** Start-up: the environment or a configuration file is wrong. */
export class ConfigError extends CdsError {
  constructor(message: string, options?: ErrorOptions) {
    super('config', 500, message, options);
  }
}

/** Start-up: the knowledge folder is wrong. Holds every mistake found, one line each: `file:line path: what and why`. */
export class KnowledgeError extends CdsError {
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    super('knowledge', 500, `The knowledge folder has ${mistakes.length} mistake(s):\n${mistakes.join('\n')}`);
    this.mistakes = mistakes;
  }
}

/** One thing that is wrong with a request. */
export interface RequestIssue {
  message: string;
  /** FHIRPath of the element, where one is at fault. */
  expression?: string;
}

/** 400: the request does not have the shape CDS Hooks demands. Holds everything that is wrong, element by element. */
export class RequestError extends CdsError {
  readonly issues: readonly RequestIssue[];

  constructor(wrong: string | readonly RequestIssue[], expression?: string) {
    const issues = typeof wrong === 'string' ? [{ message: wrong, ...(expression && { expression }) }] : wrong;
    super('request', 400, issues.map(({ message }) => message).join(' '));
    this.issues = issues;
  }
}

/** Start-up and reload: client profiles are wrong. Holds every mistake found, one line each: `file:line path: what and why`. */
export class ProfileError extends CdsError {
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    super('profile', 500, `The client profiles have ${mistakes.length} mistake(s):\n${mistakes.join('\n')}`);
    this.mistakes = mistakes;
  }
}

/** Why a caller is refused: labels of a metric, so the list is fixed. */
export const authReasons = [
  'missing',
  'malformed',
  'type',
  'issuer',
  'algorithm',
  'audience',
  'expired',
  'issued-in-future',
  'not-yet-valid',
  'lifetime',
  'jti',
  'key',
  'keys-unavailable',
  'keys-tls',
  'signature',
  'replayed',
  'tenant',
  'service',
] as const;
export type AuthReason = (typeof authReasons)[number];

/** 401 or 403: answered without a body; why goes to log and metrics only (conformance W-14). */
export class AuthError extends CdsError {
  readonly reason: AuthReason | undefined;
  /** Id of the client the caller claims to be, where there is such a client. */
  readonly client: string | undefined;

  constructor(status: 401 | 403, message: string, reason?: AuthReason, client?: string) {
    super(reason === undefined ? 'auth' : `auth-${reason}`, status, message);
    this.reason = reason;
    this.client = client;
  }
}

export class NotFoundError extends CdsError {
  constructor(message: string) {
    super('not-found', 404, message);
  }
}

/** 405, 415: the method or the media type is not one this address takes. */
export class NotAcceptedError extends CdsError {
  constructor(status: 405 | 415, message: string) {
    super('not-accepted', status, message);
  }
}

/** 413: bytes, entries or depth over the limit named in the message. */
export class TooLargeError extends CdsError {
  constructor(message: string) {
    super('too-large', 413, message);
  }
}

/** 412: required FHIR data cannot be obtained; names the prefetch keys and why (CDS Hooks 2.0.1, "Providing FHIR Resources to a CDS Service"). */
export class DataMissingError extends CdsError {
  /** By prefetch key: a stable code of ours. */
  readonly problems: Readonly<Record<string, string>>;
  /** The keys as the client calls them, and those it sent that nobody asked for. */
  readonly diagnostics: string;

  constructor(problems: Readonly<Record<string, string>>, message: string, diagnostics: string) {
    super('data-missing', 412, message);
    this.problems = problems;
    this.diagnostics = diagnostics;
  }
}

/** 429: a client calls more often than it may; `retryAfter` in seconds. */
export class RateLimitError extends CdsError {
  readonly retryAfter: number;

  constructor(message: string, retryAfter: number) {
    super('rate-limit', 429, message);
    this.retryAfter = retryAfter;
  }
}

/** 503: the service cannot answer now (no room, out of time, draining, no audit record); `retryAfter` in seconds. */
export class UnavailableError extends CdsError {
  readonly retryAfter: number;

  constructor(
    code: 'overloaded' | 'deadline' | 'draining' | 'audit',
    message: string,
    retryAfter = 1,
    options?: ErrorOptions,
  ) {
    super(code, 503, message, options);
    this.retryAfter = retryAfter;
  }
}
