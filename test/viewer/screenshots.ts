// npm run screenshots: the pictures of docs/, from made-up records.
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decisionsBehind } from '../../src/audit/record.ts';
import { openSqliteStore } from '../../src/audit/sqlite.ts';
import { launchChromium, logIn, openDecision, openWindow } from './chromium.ts';
import { seedStore } from './seed.ts';
import { serveViewer } from './serve.ts';

const target = join(import.meta.dirname, '..', '..', 'docs', 'screenshots');
const folder = mkdtempSync(join(tmpdir(), 'screenshots-'));
const store = openSqliteStore(join(folder, 'records'));
const records = await seedStore(store, 77, 12);
const { app, close } = serveViewer(store);
const server = app.listen(0, '127.0.0.1');
const browser = await launchChromium();
try {
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const context = await openWindow(browser, 'en', { width: 1180 });
  const page = await context.newPage();
  await logIn(page, base);
  const answered: string[] = [];
  for (const { id, knowledge } of records) {
    const found = knowledge.version === '2022.1.0' ? await store.evaluation(id) : undefined;
    const isAccepted = found?.feedback.some(({ outcome }) => outcome === 'accepted');
    if (isAccepted && found?.record?.cards.some((card) => decisionsBehind(card).includes('MUP-01'))) answered.push(id);
  }
  const shoot = (name: string) => page.screenshot({ path: join(target, `${name}.png`) });
  await page.goto(`${base}/audit?from=2026-09-08&to=2026-11-23`);
  await page.setViewportSize({ width: 1180, height: 1000 });
  await shoot('overview');
  await page.goto(`${base}/audit/decisions/MAS-02?from=2026-09-08&to=2026-11-23`);
  await page.setViewportSize({ width: 1180, height: 860 });
  await shoot('decision');
  await page.goto(`${base}/audit/evaluations/${answered.at(-1)}`);
  await page.setViewportSize({ width: 1180, height: 1270 });
  await shoot('evaluation');
  await openDecision(page, 'MUP-01');
  await page.setViewportSize({ width: 1180, height: 1000 });
  await page.locator('#met').evaluate((each) => each.scrollIntoView());
  await shoot('trace');
} finally {
  await browser.close();
  server.close();
  await close();
  await store.close();
  rmSync(folder, { recursive: true });
}
