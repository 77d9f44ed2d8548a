import type { ErrorRequestHandler, Response } from 'express';
import { describeProblem, type Problem } from './problem.ts';
import { stateOf } from './state.ts';

/** `OperationOutcome.issue.code` by status of an error; what is not named here is the service's own failure. */
export const issueCodes: Readonly<Record<number, string>> = {
  400: 'invalid',
  404: 'not-found',
  405: 'not-supported',
  408: 'timeout',
  412: 'processing',
  413: 'too-long',
  415: 'not-supported',
  417: 'not-supported',
  429: 'throttled',
  431: 'too-long',
  503: 'transient',
};

/**
 * Answers with an error as contract section 4 says: 401 and 403 bare, everything else with an OperationOutcome.
 *
 * @see CDS Hooks 2.0.1, "HTTP Status Codes"; conformance W-14, W-15, H-01
 */
export function sendProblem(response: Response, problem: Problem): void {
  const state = stateOf(response);
  state.code = problem.code;
  if (problem.thrownAt !== undefined) state.thrownAt = problem.thrownAt;
  if (problem.problems !== undefined) state.problems = problem.problems;
  // Part of the answer is out: the connection is all that is left to break.
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.status(problem.status).set('Cache-Control', 'no-store');
  if (problem.status === 401) response.set('WWW-Authenticate', 'Bearer');
  if (problem.retryAfter !== undefined) response.set('Retry-After', String(problem.retryAfter));
  if (problem.status === 401 || problem.status === 403) {
    response.end();
    return;
  }
  response.set('Content-Type', 'application/fhir+json; charset=utf-8').send(JSON.stringify(describeOutcome(problem)));
}

/** The body of an error. */
export function describeOutcome({ status, message, issues = [{ message }], diagnostics }: Problem): object {
  return {
    resourceType: 'OperationOutcome',
    issue: issues.map((issue) => ({
      severity: 'error',
      code: issueCodes[status] ?? 'exception',
      details: { text: issue.message },
      ...(diagnostics === undefined ? {} : { diagnostics }),
      ...(issue.expression === undefined ? {} : { expression: [issue.expression] }),
    })),
  };
}

/** Express' last handler: everything thrown ends here. */
export const handleError: ErrorRequestHandler = (error, _request, response, _next) => {
  sendProblem(response, describeProblem(error));
};
