import {
  CdsError,
  DataMissingError,
  RateLimitError,
  RequestError,
  type RequestIssue,
  UnavailableError,
} from '../errors.ts';

/** An error as plain data: it crosses threads, and nothing of the original beyond these members reaches a client. */
export interface Problem {
  code: string;
  status: number;
  message: string;
  /** What is wrong with the request, where there is more to say of it than the message. */
  issues?: readonly RequestIssue[];
  /** Why required data could not be obtained, by prefetch key. */
  problems?: Readonly<Record<string, string>>;
  /** What else somebody who mends the call wants to know. */
  diagnostics?: string;
  /** Seconds. */
  retryAfter?: number;
  /** Only of unforeseen errors, for the log: where it was thrown. Never its message, which may quote the request. */
  thrownAt?: string;
}

/** Turns whatever was thrown into plain data. */
export function describeProblem(error: unknown): Problem {
  if (error instanceof CdsError && error.status !== 500) {
    return {
      code: error.code,
      status: error.status,
      message: error.message,
      ...(error instanceof RequestError ? { issues: error.issues } : {}),
      ...(error instanceof DataMissingError ? { problems: error.problems, diagnostics: error.diagnostics } : {}),
      ...(error instanceof UnavailableError || error instanceof RateLimitError ? { retryAfter: error.retryAfter } : {}),
    };
  }
  // Express' own, for an address it cannot decode.
  if (error instanceof URIError) return { code: 'request', status: 400, message: 'The address is not valid.' };
  return { ...internalProblem, ...findThrownAt(error) };
}

/** What a client gets to know of anything unforeseen. */
export const internalProblem: Readonly<Problem> = {
  code: 'internal',
  status: 500,
  message: 'The service failed to answer this request.',
};

function findThrownAt(error: unknown): { thrownAt?: string } {
  if (!(error instanceof Error)) return {};
  const frame = error.stack?.split('\n').find((line) => /^\s+at /.test(line));
  return { thrownAt: `${error.name} ${frame?.trim() ?? ''}`.trim() };
}
