import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import chromiumPackage from '@sparticuz/chromium';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EvaluationRecord } from '../../src/audit/record.ts';
import { openSqliteStore } from '../../src/audit/sqlite.ts';
import type { AuditStore } from '../../src/audit/store.ts';
import { findRecord, seedStore } from './seed.ts';
import { reviewerToken, serveViewer } from './serve.ts';

/** Kept after the run, for people to look at. */
const shots = join(import.meta.dirname, '..', '..', 'reports', 'viewer');
const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const systemChromium = '/usr/bin/chromium';
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
let closeViewer: () => Promise<void>;
beforeAll(async () => {
  mkdirSync(shots, { recursive: true });
  folder = mkdtempSync(join(tmpdir(), 'browser-'));
  store = openSqliteStore(join(folder, 'records'));
  records = await seedStore(store, 60, 12);
  const served = serveViewer(store);
  closeViewer = served.close;
  server = await new Promise((resolve) => {
    const listening = served.app.listen(0, '127.0.0.1', () => resolve(listening));
  });
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const isInstalled = existsSync(systemChromium);
  browser = await chromium.launch({
    executablePath: isInstalled ? systemChromium : await chromiumPackage.executablePath(),
    // In a single process, as the package would have it, the browser ends with its first window.
    args: isInstalled
      ? ['--no-sandbox']
      : chromiumPackage.args.filter((arg) => !['--single-process', '--no-zygote'].includes(arg)),
  });
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await new Promise((resolve) => server.close(resolve));
  await closeViewer();
  await store.close();
  rmSync(folder, { recursive: true });
});

const pages = (): (readonly [name: string, path: string])[] => {
  const { id } = findRecord(records, 'MAS-02');
  const old = records.find(({ knowledge, cards }) => knowledge.version !== '2022.1.0' && cards.length > 0)?.id;
  return [
    ['overview', '/audit?from=2026-09-25&to=2026-11-23'],
    ['decision', '/audit/decisions/MAS-02?from=2026-09-25&to=2026-11-23&per=week'],
    ['list', '/audit/evaluations?decision=MAS-02&outcome=met'],
    ['evaluation', `/audit/evaluations/${id}`],
    ['evaluation-older-knowledge', `/audit/evaluations/${old}`],
    ['compare', '/audit/compare?from=2026-11-01&to=2026-11-23&most=100'],
    ['views', '/audit/views'],
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

async function logIn(page: Page): Promise<void> {
  await page.goto(`${base}/audit`);
  await page.locator('input[name=token]').fill(reviewerToken);
  await page.locator('button.main').click();
  await page.waitForURL(`${base}/audit`);
}

describe.each(looks)('in %s, %s', (language, colorScheme) => {
  test('every page shows, is accessible and asks nothing of anybody else', async () => {
    const context = await browser.newContext({ colorScheme, viewport: { width: 1280, height: 900 } });
    const { page, troubles } = await open(context);
    await page.goto(`${base}/audit/login?lang=${language}`);
    expect(await findViolations(page)).toEqual([]);
    await page.screenshot({ path: join(shots, `login-${language}-${colorScheme}.png`) });
    await logIn(page);
    for (const [name, path] of pages()) {
      const response = await page.goto(`${base}${path}`);
      expect([name, response?.status()]).toEqual([name, 200]);
      expect(await page.getAttribute('html', 'lang')).toBe(language);
      if (name === 'evaluation')
        await page
          .locator('details.decision')
          .first()
          .evaluate((each) => each.setAttribute('open', ''));
      expect({ name, violations: await findViolations(page) }).toEqual({ name, violations: [] });
      const width = await page.evaluate('document.documentElement.scrollWidth');
      expect({ name, width }).toEqual({ name, width: 1280 });
      await page.screenshot({
        path: join(shots, `${name}-${language}-${colorScheme}.png`),
        fullPage: true,
      });
    }
    expect(troubles).toEqual([]);
    await context.close();
  }, 60_000);
});

test('every page fits a narrow screen', async () => {
  const context = await browser.newContext({ viewport: { width: 390, height: 800 } });
  const { page } = await open(context);
  await logIn(page);
  for (const [name, path] of pages()) {
    await page.goto(`${base}${path}`);
    const wide = await page.evaluate(
      "[...document.querySelectorAll('main *')].filter((each) => each.getBoundingClientRect().right > innerWidth && !each.closest('.scroll')).map((each) => each.outerHTML.slice(0, 80))",
    );
    expect({ name, wide }).toEqual({ name, wide: [] });
    if (name === 'overview') await page.screenshot({ path: join(shots, 'overview-narrow.png') });
  }
  await context.close();
}, 60_000);

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
  await page.locator('tbody a').first().focus();
  await page.keyboard.press('Enter');
  await page.waitForURL(/evaluations\/[0-9a-f-]{36}$/);
  const decision = page.locator('details.decision').first();
  await decision.locator('summary').focus();
  await page.keyboard.press('Enter');
  expect(await decision.getAttribute('open')).not.toBeNull();
  await context.close();
}, 60_000);

test('an evaluation prints without menu and in full', async () => {
  const context = await browser.newContext();
  const { page } = await open(context);
  await logIn(page);
  await page.goto(`${base}/audit/evaluations/${findRecord(records, 'MAS-02').id}`);
  await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
  expect(await page.locator('nav').isVisible()).toBe(false);
  expect(await page.locator('article.card').first().isVisible()).toBe(true);
  const background = await page.evaluate('getComputedStyle(document.body).backgroundColor');
  expect(background).toBe('rgb(255, 255, 255)');
  await page.pdf({ path: join(shots, 'evaluation.pdf'), format: 'A4' });
  await context.close();
}, 60_000);
