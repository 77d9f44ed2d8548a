import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type EvaluationRecord, sealRecord } from '../../src/audit/record.ts';
import { openSqliteStore } from '../../src/audit/sqlite.ts';
import type { AuditStore } from '../../src/audit/store.ts';
import { makeRecord } from '../audit/make-record.ts';
import { launchChromium, logIn, openDecision, openWindow } from './chromium.ts';
import { findRecord, now, seedStore } from './seed.ts';
import { reviewerToken, serveViewer } from './serve.ts';

/** Kept after the run, for people to look at. */
const shots = join(import.meta.dirname, '..', '..', 'reports', 'viewer');
const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const looks = [
  ['da', 'light'],
  ['en', 'light'],
  ['da', 'dark'],
  ['en', 'dark'],
] as const;

let folder: string;
let store: AuditStore;
let server: Server;
let browser: Browser;
let base: string;
let records: EvaluationRecord[];
let erased: EvaluationRecord;
let closeViewer: () => Promise<void>;
beforeAll(async () => {
  mkdirSync(shots, { recursive: true });
  folder = mkdtempSync(join(tmpdir(), 'browser-'));
  store = openSqliteStore(join(folder, 'records'));
  records = await seedStore(store, 60, 12);
  erased = makeRecord({ patientId: 'erased', time: now.toISOString() });
  await store.append(sealRecord(erased));
  await store.erase({ patientKey: erased.patientKey });
  const served = serveViewer(store);
  closeViewer = served.close;
  server = await new Promise((resolve) => {
    const listening = served.app.listen(0, '127.0.0.1', () => resolve(listening));
  });
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  browser = await launchChromium();
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await new Promise((resolve) => server.close(resolve));
  await closeViewer();
  await store.close();
  rmSync(folder, { recursive: true });
});

/** Every page there is, as a person meets it. */
const pages = (): (readonly [name: string, path: string, status?: number])[] => {
  const { id } = findRecord(records, 'MAS-02');
  const isOld = ({ knowledge }: EvaluationRecord) => knowledge.version !== '2022.1.0';
  const old = records.find((record) => isOld(record) && record.cards.length > 0)?.id;
  const unread = records.findLast(
    ({ chart, hook }) => chart.keys.reports?.state === 'failed' && hook === 'patient-view',
  );
  const silent = records.findLast((record) => !isOld(record) && record.cards.length === 0)?.id;
  return [
    ['overview', '/audit?from=2026-09-25&to=2026-11-23'],
    ['overview-empty', '/audit?from=2020-01-01&to=2020-01-31'],
    ['decision', '/audit/decisions/MAS-02?from=2026-09-25&to=2026-11-23&per=week'],
    ['decision-empty', '/audit/decisions/MAS-02?from=2020-01-01&to=2020-01-31'],
    ['list', '/audit/evaluations?decision=MAS-02&outcome=met'],
    ['list-empty', '/audit/evaluations?client=nobody'],
    ['evaluation', `/audit/evaluations/${id}`],
    ['evaluation-unread-source', `/audit/evaluations/${unread?.id}`],
    ['evaluation-without-card', `/audit/evaluations/${silent}`],
    ['evaluation-older-knowledge', `/audit/evaluations/${old}`],
    ['evaluation-erased', `/audit/evaluations/${erased.id}`],
    ['compare-form', '/audit/compare'],
    ['compare', '/audit/compare?from=2026-11-01&to=2026-11-23&most=100'],
    ['views', '/audit/views'],
    ['error-unknown-evaluation', '/audit/evaluations/nothing', 404],
    ['error-unknown-decision', '/audit/decisions/XXX-99', 404],
    ['error-wrong-filter', '/audit/evaluations?from=yesterday', 400],
  ];
};

interface Violation {
  id: string;
  nodes: { html: string }[];
}

async function findViolations(page: Page): Promise<string[]> {
  await page.evaluate(axeSource);
  const { violations } = (await page.evaluate('axe.run(document)')) as { violations: Violation[] };
  return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
}

async function open(context: BrowserContext): Promise<{ page: Page; troubles: string[] }> {
  const troubles: string[] = [];
  const page = await context.newPage();
  page.on('console', (message) => message.type() === 'error' && troubles.push(message.text()));
  page.on('pageerror', (error) => troubles.push(error.message));
  page.on('request', (request) => !request.url().startsWith(base) && troubles.push(`asks ${request.url()}`));
  return { page, troubles };
}

describe.each(looks)('in %s, %s', (language, colorScheme) => {
  test('every page shows, is accessible and asks nothing of anybody else', async () => {
    const context = await openWindow(browser, language, { colorScheme });
    const { page, troubles } = await open(context);
    const shoot = (name: string) =>
      page.screenshot({ path: join(shots, `${name}-${language}-${colorScheme}.png`), fullPage: true });
    await page.goto(`${base}/audit/login?lang=${language}`);
    expect(await findViolations(page)).toEqual([]);
    await shoot('login');
    await page.locator('input[name=token]').fill('wrong');
    await page.locator('button.main').click();
    await page.locator('[role=alert]').waitFor();
    expect(await findViolations(page)).toEqual([]);
    await shoot('login-wrong');
    await logIn(page, base);
    const titles = new Set<string>();
    for (const [name, path, status = 200] of pages()) {
      const response = await page.goto(`${base}${path}`);
      expect([name, response?.status()]).toEqual([name, status]);
      expect(await page.getAttribute('html', 'lang')).toBe(language);
      titles.add(await page.title());
      if (name === 'evaluation') await openDecision(page, 'MAS-02');
      expect({ name, violations: await findViolations(page) }).toEqual({ name, violations: [] });
      const width = await page.evaluate('document.documentElement.scrollWidth');
      expect({ name, width }).toEqual({ name, width: 1280 });
      await shoot(name);
    }
    expect(titles.size).toBeGreaterThan(10);
    // The browser itself says so of every page that is answered with a status of an error.
    expect(troubles.filter((trouble) => !/^Failed to load resource: .* (400|401|404)/.test(trouble))).toEqual([]);
    await context.close();
  }, 120_000);
});

test('every page fits a narrow screen', async () => {
  const context = await openWindow(browser, 'da', { width: 375 });
  const { page } = await open(context);
  await logIn(page, base);
  for (const [name, path] of pages()) {
    await page.goto(`${base}${path}`);
    if (name === 'evaluation') await openDecision(page, 'MAS-02');
    const wide = await page.evaluate(
      "[...document.querySelectorAll('main *')].filter((each) => each.getBoundingClientRect().right > innerWidth && !each.closest('.scroll')).map((each) => each.outerHTML.slice(0, 80))",
    );
    expect({ name, wide }).toEqual({ name, wide: [] });
    await page.screenshot({ path: join(shots, `${name}-narrow.png`), fullPage: true });
  }
  await context.close();
}, 120_000);

test('everything is reached by keyboard alone', async () => {
  const context = await browser.newContext();
  const { page } = await open(context);
  await page.goto(`${base}/audit/login?lang=en`);
  const focused = () => page.evaluate('document.activeElement?.textContent?.trim()');
  await page.locator('input[name=token]').focus();
  await page.keyboard.type(reviewerToken);
  await page.keyboard.press('Enter');
  await page.waitForURL(`${base}/audit`);
  await page.keyboard.press('Tab');
  expect(await focused()).toBe('Skip to content');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  expect(await focused()).toBe('Evaluations');
  await page.keyboard.press('Enter');
  await page.waitForURL(`${base}/audit/evaluations`);
  // The first is the one erased.
  await page.locator('tbody th a').nth(1).focus();
  await page.keyboard.press('Enter');
  await page.waitForURL(/evaluations\/[0-9a-f-]{36}$/);
  const decision = page.locator('details.decision').first();
  await decision.locator('summary').focus();
  await page.keyboard.press('Enter');
  expect(await decision.getAttribute('open')).not.toBeNull();
  await context.close();
}, 60_000);

test.each([
  ['overview', '/audit?from=2026-09-25&to=2026-11-23'],
  ['decision', '/audit/decisions/MAS-02?from=2026-09-25&to=2026-11-23'],
])(
  '%s prints without menu',
  async (name, path) => {
    const context = await openWindow(browser, 'da', { colorScheme: 'dark' });
    const { page } = await open(context);
    await logIn(page, base);
    await page.goto(`${base}${path}`);
    await page.emulateMedia({ media: 'print' });
    expect(await page.locator('nav').isVisible()).toBe(false);
    expect(await page.locator('form.filters').isVisible()).toBe(false);
    await page.pdf({ path: join(shots, `${name}.pdf`), format: 'A4' });
    await context.close();
  },
  60_000,
);

test('an evaluation prints without menu, with the facts of what was met', async () => {
  const context = await openWindow(browser, 'da', { colorScheme: 'dark' });
  const { page } = await open(context);
  await logIn(page, base);
  await page.goto(`${base}/audit/evaluations/${findRecord(records, 'MAS-02').id}`);
  await page.emulateMedia({ media: 'print' });
  expect(await page.locator('nav').isVisible()).toBe(false);
  expect(await page.locator('article.card').first().isVisible()).toBe(true);
  const facts = page.locator('details.decision:has(#MAS-02) table');
  expect(await facts.evaluate((table) => table.getBoundingClientRect().height)).toBeGreaterThan(100);
  const background = await page.evaluate('getComputedStyle(document.body).backgroundColor');
  expect(background).toBe('rgb(255, 255, 255)');
  await page.pdf({ path: join(shots, 'evaluation.pdf'), format: 'A4' });
  await context.close();
}, 60_000);

test('a link from a card leads through the login to the decision it names', async () => {
  const context = await openWindow(browser, 'en');
  const { page } = await open(context);
  const { id } = findRecord(records, 'MAS-02');
  await page.goto(`${base}/audit/evaluations/${id}`);
  await page.locator('input[name=token]').fill(reviewerToken);
  await page.locator('button.main').click();
  await page.waitForURL(`${base}/audit/evaluations/${id}`);
  await page.locator('article.card a[href="#MAS-02"]').click();
  await page.locator('#MAS-02').waitFor({ state: 'visible' });
  await context.close();
}, 60_000);
