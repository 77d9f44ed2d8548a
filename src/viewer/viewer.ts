import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  type ErrorRequestHandler,
  type Request,
  type RequestHandler,
  type Response,
  Router,
  urlencoded,
} from 'express';
import * as z from 'zod';
import { conditionNames, endOfDay, readConditions } from '../audit/conditions.ts';
import { buildAuditEvent, csvHeader, writeCsvRow, writeNdjsonRow } from '../audit/exports.ts';
import { scanEvaluations } from '../audit/scan.ts';
import { findLastDay, makersOf, type Statistics, summarizeCounts } from '../audit/statistics.ts';
import type { AuditStore, SealedEvaluation } from '../audit/store.ts';
import type { CompiledGuideline, Language } from '../engine/guideline.ts';
import { RequestError, UnavailableError } from '../errors.ts';
import { chooseLanguage } from '../http/language.ts';
import type { FindReader, Reader } from '../http/readers.ts';
import { renderCompare } from './compare-page.ts';
import { renderEvaluation } from './evaluation-page.ts';
import { formatTime } from './format.ts';
import { type Html, html } from './html.ts';
import { base, type PageContext, renderPage } from './layout.ts';
import { renderList } from './list-page.ts';
import { renderDecision, renderOverview, type TimeSpan } from './overview-page.ts';
import { styleSheet } from './style.ts';
import { type Texts, viewerTexts } from './texts.ts';
import type { Workbench } from './workbench.ts';

/** What the pages work with. */
export interface ViewerParts {
  store: AuditStore;
  guideline: CompiledGuideline;
  findReader: FindReader;
  workbench: Workbench;
  /** Days after which a card nobody answered counts as ignored. */
  feedbackDays: number;
  /** Browsers reach the pages over https only. */
  isSecure: boolean;
  now(): Date;
}

const sessionCookie = 'audit-session';
const languageCookie = 'audit-language';
const pageSize = 50;
/** Days an overview goes back unless asked otherwise. */
const overviewDays = 90;
/** Days shown one by one, and week by week. */
const mostDays = 31;
const mostWeekDays = 2 * 366;
/** Evaluations compared unless asked otherwise, and the most one page compares. */
const compareDefault = 1000;
const compareMost = 10_000;
const longestToken = 8192;
const millisecondsPerDay = 86_400_000;
/** No script at all; nothing from elsewhere. */
const contentPolicy =
  "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; img-src 'self'";

/**
 * Makes the pages of the audit, to be mounted at `/audit`: read-only, without scripts, in Danish and English.
 *
 * Every page is recorded before it is answered: what cannot be recorded is not shown.
 */
export function createViewer(parts: ViewerParts): Router {
  const router = Router();
  const styleTag = `"${createHash('sha256').update(styleSheet).digest('base64url')}"`;
  router.use((_request, response, next) => {
    // Whoever logs in, or looks at anything, is about to open an evaluation.
    parts.workbench.warmUp();
    response.set({
      'Content-Security-Policy': contentPolicy,
      'Cache-Control': 'no-store',
      'Referrer-Policy': 'same-origin',
    });
    next();
  });
  router.get('/style.css', (_request, response) => {
    response.set({ 'Content-Type': 'text/css; charset=utf-8', 'Cache-Control': 'no-cache', ETag: styleTag });
    response.send(styleSheet);
  });
  router.get('/login', (request, response) =>
    sendPage(response, contextOf(request, response), renderLogin(readDestination(request.query.to), false)),
  );
  router.post('/login', urlencoded({ extended: false, limit: longestToken, parameterLimit: 2 }), logIn(parts));
  router.post('/logout', (_request, response) => {
    response.clearCookie(sessionCookie, { path: base }).redirect(303, `${base}/login`);
  });
  router.use(admitReaders(parts));
  router.get('/', showOverview(parts));
  router.get('/decisions/:decision', showDecision(parts));
  router.get('/evaluations', showList(parts));
  router.get('/evaluations/:id', showEvaluation(parts));
  router.get('/compare', requireReviewer, showComparison(parts));
  router.get('/views', requireReviewer, showViews(parts));
  router.get('/export.csv', exportRows(parts, 'text/csv', csvHeader, writeCsvRow));
  router.get('/export.ndjson', exportRows(parts, 'application/x-ndjson', '', writeNdjsonRow));
  router.get(
    '/export.fhir.ndjson',
    requireReviewer,
    exportRows(parts, 'application/fhir+ndjson', '', (evaluation) => {
      return `${JSON.stringify(buildAuditEvent(evaluation, parts.guideline.head.canonical))}\n`;
    }),
  );
  router.use(showProblem);
  return router;
}

/** What a page is sent with. */
interface Page {
  title(context: PageContext): string;
  content(context: PageContext): Html;
}

function contextOf(request: Request, response: Response): PageContext {
  const asked = request.query.lang;
  const kept = readCookie(request, languageCookie);
  const language: Language =
    asked === 'da' || asked === 'en'
      ? asked
      : kept === 'da' || kept === 'en'
        ? kept
        : chooseLanguage(request.get('accept-language'), 'da');
  if (asked === language) response.cookie(languageCookie, language, { path: base, sameSite: 'strict', httpOnly: true });
  const reader = response.locals.reader as Reader | undefined;
  // As it was found: what begins with two slashes would be an address elsewhere.
  const address = new URL(`http://page${request.baseUrl}${request.url}`);
  return {
    language,
    texts: viewerTexts[language],
    ...(reader && { role: reader.role }),
    address: `${address.pathname.replace(/\/+$/, '')}${address.search}`,
  };
}

function sendPage(response: Response, context: PageContext, { title, content }: Page): void {
  response.type('html').send(renderPage(context, title(context), content(context)));
}

const renderLogin = (to: string, isWrong: boolean): Page => ({
  title: ({ texts }) => texts.loginTitle,
  content: ({
    texts,
  }) => html`<section class="login">${isWrong && html`<p class="wrong" role="alert">${texts.loginWrong}</p>`}
<form method="post" action="${base}/login"><input type="hidden" name="to" value="${to}"><label>${texts.loginToken}<input type="password" name="token" required autocomplete="current-password"></label>
<p class="help">${texts.loginHelp}</p><p><button class="main" type="submit">${texts.logIn}</button></p></form></section>`,
});

function logIn({ findReader, isSecure }: ViewerParts): RequestHandler {
  return async (request, response) => {
    const { token, to } = (request.body ?? {}) as Record<string, unknown>;
    const reader = typeof token === 'string' ? await findReader(token) : undefined;
    if (reader === undefined || typeof token !== 'string') {
      response.status(401);
      sendPage(response, contextOf(request, response), renderLogin(readDestination(to), true));
      return;
    }
    // Strict: no other site's link or form acts with it. The browser forgets it when it is closed.
    response.cookie(sessionCookie, token, { path: base, httpOnly: true, sameSite: 'strict', secure: isSecure });
    response.redirect(303, readDestination(to));
  };
}

/** Where to go once logged in: the page first asked for, and none that is not ours. */
function readDestination(to: unknown): string {
  if (typeof to !== 'string' || !URL.canParse(to, 'http://page')) return base;
  const { origin, pathname, search } = new URL(to, 'http://page');
  return origin === 'http://page' && pathname.startsWith(`${base}/`) ? `${pathname}${search}` : base;
}

function admitReaders({ findReader }: ViewerParts): RequestHandler {
  return async (request, response, next) => {
    const bearer = /^Bearer (.+)$/.exec(request.get('authorization') ?? '')?.[1];
    const token = bearer ?? readCookie(request, sessionCookie);
    const reader = token === undefined ? undefined : await findReader(token);
    if (reader !== undefined) {
      response.locals.reader = reader;
      return next();
    }
    if (bearer === undefined) {
      const to = request.method === 'GET' ? readDestination(request.originalUrl) : base;
      return response.redirect(303, `${base}/login${to === base ? '' : `?to=${encodeURIComponent(to)}`}`);
    }
    response.status(401).set('WWW-Authenticate', 'Bearer').end();
  };
}

const requireReviewer: RequestHandler = (request, response, next) => {
  if ((response.locals.reader as Reader).role === 'reviewer') return next();
  sendProblem(request, response, 403, 'forbidden', 'forbiddenHelp');
};

function readCookie(request: Request, name: string): string | undefined {
  const pair = request
    .get('cookie')
    ?.split(';')
    .map((each) => each.trim().split('='))
    .find(([key]) => key === name);
  try {
    return pair === undefined ? undefined : decodeURIComponent(pair.slice(1).join('='));
  } catch {
    return undefined;
  }
}

/** Before anything is shown: what was looked at, by whom. */
async function recordView(parts: ViewerParts, response: Response, page: string, evaluation?: string): Promise<void> {
  const { who, role } = response.locals.reader as Reader;
  const time = parts.now().toISOString();
  await parts.store.recordView({ time, who, role, page, ...(evaluation === undefined ? {} : { evaluation }) });
}

const day = z.iso.date();
const spanShape = z.object({
  from: day.optional(),
  to: day.optional(),
  per: z.enum(['day', 'week', 'month']).optional(),
  client: z.string().max(512).optional(),
});

function readSpan(request: Request, now: Date): TimeSpan {
  const read = spanShape.safeParse(onlyGiven(request.query));
  if (!read.success) throw new RequestError('from, to: expected dates such as 2026-01-31; per: day, week or month.');
  const { from, to = dayOf(now), per, client } = read.data;
  const start = from ?? dayOf(new Date(Date.parse(to) - (overviewDays - 1) * millisecondsPerDay));
  return { from: start, to, per: per ?? choosePeriod(start, to), ...(client !== undefined && { client }) };
}

/** As many points as can be told apart in a chart: days of a month, weeks of two years. */
function choosePeriod(from: string, to: string): TimeSpan['per'] {
  const days = (Date.parse(to) - Date.parse(from)) / millisecondsPerDay;
  return days <= mostDays ? 'day' : days <= mostWeekDays ? 'week' : 'month';
}

async function readStatistics(parts: ViewerParts, { from, to, per, client }: TimeSpan): Promise<Statistics> {
  const counts = await parts.store.counts({
    ...{ from, to: dayOf(endOfDay(new Date(to))), per },
    ...(client !== undefined && { client }),
  });
  return summarizeCounts(counts, {
    decisions: [...parts.guideline.rules.keys()].map((id) => ({ id, services: makersOf(parts.guideline, id) })),
    openFrom: dayOf(new Date(parts.now().getTime() - parts.feedbackDays * millisecondsPerDay)),
    endOf: (period) => findLastDay(period, per),
  });
}

function showOverview(parts: ViewerParts): RequestHandler {
  return async (request, response) => {
    const span = readSpan(request, parts.now());
    await recordView(parts, response, 'overview');
    const statistics = await readStatistics(parts, span);
    const hasRecords = statistics.evaluations > 0 || (await parts.store.evaluations({ limit: 1 })).length > 0;
    const { feedbackDays } = parts;
    sendPage(response, contextOf(request, response), {
      title: ({ texts }) => texts.overview,
      content: (context) => renderOverview(context, parts.guideline, statistics, span, { feedbackDays, hasRecords }),
    });
  };
}

function showDecision(parts: ViewerParts): RequestHandler {
  return async (request, response) => {
    const id = String(request.params.decision);
    const rule = parts.guideline.rules.get(id);
    if (rule === undefined) {
      sendProblem(request, response, 404, 'noDecision', 'noDecisionHelp');
      return;
    }
    const span = readSpan(request, parts.now());
    await recordView(parts, response, `decision ${id}`);
    const statistics = await readStatistics(parts, span);
    const of = statistics.decisions.find(({ decision }) => decision === id);
    sendPage(response, contextOf(request, response), {
      title: ({ language }) => `${id} ${rule.title[language]}`,
      content: (context) => (of === undefined ? html`` : renderDecision(context, of, statistics, span)),
    });
  };
}

function showList(parts: ViewerParts): RequestHandler {
  return async (request, response) => {
    const { role } = response.locals.reader as Reader;
    const given = onlyGiven(request.query);
    // A viewer who could ask for a patient would know one.
    const asked = role === 'reviewer' ? given : { ...given, patientKey: undefined, hookInstance: undefined };
    const conditions = readConditions(asked, parts.guideline);
    const before = readPlace(given.before);
    await recordView(parts, response, 'evaluations');
    const found = await parts.store.evaluations({
      ...conditions,
      ...(before !== undefined && { before }),
      limit: pageSize + 1,
    });
    const filters = Object.fromEntries([...conditionNames, 'before'].map((name) => [name, asText(asked[name])]));
    sendPage(response, contextOf(request, response), {
      title: ({ texts }) => texts.evaluations,
      content: (context) =>
        renderList(context, parts.guideline, filters, found.slice(0, pageSize), found.length > pageSize),
    });
  };
}

function showEvaluation(parts: ViewerParts): RequestHandler {
  return async (request, response) => {
    const id = String(request.params.id);
    const { role } = response.locals.reader as Reader;
    const found = await parts.store.evaluation(id);
    if (found === undefined) {
      sendProblem(request, response, 404, 'notFound', 'notFoundHelp');
      return;
    }
    await recordView(parts, response, 'evaluation', id);
    const [explanation, comments] = await Promise.all([
      // What was recorded is shown even where it cannot be decided again.
      found.record && parts.workbench.explain(found.record).catch(() => undefined),
      role === 'reviewer' ? parts.store.comments(id) : [],
    ]);
    const sentBefore = parts.now().getTime() - parts.feedbackDays * millisecondsPerDay;
    const isAnswerOver = Date.parse(found.summary.time) < sentBefore;
    sendPage(response, contextOf(request, response), {
      title: ({ texts }) => `${texts.evaluation} ${id.slice(0, 8)}`,
      content: (context) => renderEvaluation(context, parts.guideline, { found, explanation, comments, isAnswerOver }),
    });
  };
}

const compareShape = z.object({
  from: day.optional(),
  to: day.optional(),
  knowledge: z.string().optional(),
  most: z.coerce.number().int().min(1).max(compareMost).optional(),
});

function showComparison(parts: ViewerParts): RequestHandler {
  const { store, workbench, guideline } = parts;
  return async (request, response) => {
    const read = compareShape.safeParse(onlyGiven(request.query));
    if (!read.success) throw new RequestError(`from, to: expected dates; most: expected 1 to ${compareMost}.`);
    const { from, to = dayOf(parts.now()), knowledge = '', most = compareDefault } = read.data;
    if (knowledge !== '' && !workbench.choices.includes(knowledge))
      throw new RequestError('knowledge: not one of these.');
    const start = from ?? dayOf(new Date(Date.parse(to) - (overviewDays - 1) * millisecondsPerDay));
    const form = { from: start, to, knowledge, most };
    await recordView(parts, response, 'compare');
    const conditions = readConditions({ from: start, to }, guideline);
    const comparison = from === undefined ? undefined : await workbench.compare(store, conditions, knowledge, most);
    sendPage(response, contextOf(request, response), {
      title: ({ texts }) => texts.compare,
      content: (context) => renderCompare(context, guideline, form, workbench.choices, comparison),
    });
  };
}

function showViews(parts: ViewerParts): RequestHandler {
  return async (request, response) => {
    const before = readPlace(onlyGiven(request.query).before);
    await recordView(parts, response, 'views');
    const found = await parts.store.views({ ...(before !== undefined && { before }), limit: pageSize + 1 });
    const shown = found.slice(0, pageSize);
    sendPage(response, contextOf(request, response), {
      title: ({ texts }) => texts.views,
      content: ({ texts, language }) => html`<section class="long"><p class="help">${texts.viewsHelp}</p>
<div class="scroll" tabindex="0" role="region" aria-label="${texts.views}"><table><thead><tr><th scope="col">${texts.time}</th><th scope="col">${texts.who}</th><th scope="col">${texts.role}</th><th scope="col">${texts.page}</th></tr></thead>
<tbody>${shown.map(
        ({
          time,
          who,
          role,
          page,
          evaluation,
        }) => html`<tr><td class="id">${formatTime(time, language)}</td><td>${who === 'token' ? texts.token : who}</td><td>${texts[role]}</td>
<td>${sayPage(page, texts)} ${evaluation !== undefined && html`<a class="code" href="${base}/evaluations/${evaluation}">${evaluation}</a>`}</td></tr>`,
      )}</tbody></table></div>
${found.length > pageSize && html`<p class="actions"><a rel="next" href="${base}/views?before=${shown.at(-1)?.seq}">${texts.older}</a></p>`}</section>`,
    });
  };
}

/** What was looked at: `decision MAS-02`, `export text/csv`, or the name of a page; or what was erased. */
function sayPage(page: string, texts: Texts): string {
  const [, count, day] = /^erase (\d+) records (?:of one patient|received before (\S+))$/.exec(page) ?? [];
  if (count !== undefined) {
    return (day === undefined ? texts.erasedOfPatient : texts.erasedBefore.replace('{day}', day)).replace(
      '{count}',
      count,
    );
  }
  const [name = '', of] = page.split(' ');
  return name in texts ? [texts[name as keyof Texts], of].filter(Boolean).join(' ') : page;
}

function exportRows(
  parts: ViewerParts,
  type: string,
  header: string,
  writeRow: (evaluation: SealedEvaluation, audience: Reader['role']) => string,
): RequestHandler {
  return async (request, response) => {
    const { role } = response.locals.reader as Reader;
    const given = onlyGiven(request.query);
    const asked = role === 'reviewer' ? given : { ...given, patientKey: undefined, hookInstance: undefined };
    const conditions = readConditions(asked, parts.guideline);
    await recordView(parts, response, `export ${type}`);
    response.set({ 'Content-Type': `${type}; charset=utf-8`, 'Content-Disposition': 'attachment' });
    await pipeline(
      Readable.from(
        (async function* () {
          if (header !== '') yield header;
          for await (const evaluation of scanEvaluations(parts.store, conditions)) yield writeRow(evaluation, role);
        })(),
      ),
      response,
    );
  };
}

const showProblem: ErrorRequestHandler = (error, request, response, next) => {
  const isAskedWrong = error instanceof RequestError;
  if (response.headersSent || !(isAskedWrong || error instanceof UnavailableError)) return next(error);
  if (isAskedWrong) sendProblem(request, response, 400, 'wrongQuery', 'wrongQueryHelp', error.message);
  else sendProblem(request, response, 503, 'unavailable', 'unavailableHelp');
};

/** A page that says what is wrong, what to do about it, and where to go on. */
function sendProblem(
  request: Request,
  response: Response,
  status: number,
  title: keyof Texts,
  help: keyof Texts,
  detail?: string,
): void {
  response.status(status);
  sendPage(response, contextOf(request, response), {
    title: ({ texts }) => texts[title],
    content: ({ texts }) =>
      html`<section><p>${texts[help]}</p>${detail !== undefined && html`<p lang="en"><code>${detail}</code></p>`}<p><a href="${base}">${texts.back}</a> · <a href="${base}/evaluations">${texts.evaluations}</a></p></section>`,
  });
}

/** Each parameter once, as text; a form sends empty ones for what is not asked. */
function onlyGiven(query: Request['query']): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(query)
      .map(([name, value]) => [name, asText(value)] as const)
      .filter(([, value]) => value !== undefined && value !== ''),
  );
}

function asText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function readPlace(text: string | undefined): number | undefined {
  const place = Number(text);
  return text === undefined || !Number.isSafeInteger(place) ? undefined : place;
}

function dayOf(instant: Date): string {
  return instant.toISOString().slice(0, 10);
}
