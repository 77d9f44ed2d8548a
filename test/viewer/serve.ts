import express, { type ErrorRequestHandler } from 'express';
import type { AuditStore } from '../../src/audit/store.ts';
import { CdsError } from '../../src/errors.ts';
import type { FindReader } from '../../src/http/readers.ts';
import { createViewer, type ViewerParts } from '../../src/viewer/viewer.ts';
import { createWorkbench } from '../../src/viewer/workbench.ts';
import { guideline } from '../cds-services/decide-cases.ts';
import { knowledgeFolder } from '../edit-knowledge.ts';
import { now } from './seed.ts';

export const reviewerToken = 'reviewer-token';
export const viewerToken = 'viewer-token';

const findReader: FindReader = async (token) => {
  if (token === reviewerToken) return { who: 'token', role: 'reviewer' };
  return token === viewerToken ? { who: 'someone', role: 'viewer' } : undefined;
};

/** The pages over a store, as the service mounts them. */
export function serveViewer(store: AuditStore, changes: Partial<ViewerParts> = {}) {
  const workbench = createWorkbench(knowledgeFolder, { candidate: knowledgeFolder });
  const app = express();
  app.set('etag', false);
  const parts = { store, guideline, findReader, workbench, feedbackDays: 7, isSecure: false, now: () => now };
  app.use('/audit', createViewer({ ...parts, ...changes }));
  const fail: ErrorRequestHandler = (error, _request, response, _next) => {
    response.status(error instanceof CdsError ? error.status : 500).end();
  };
  app.use(fail);
  return { app, close: () => workbench.close() };
}
