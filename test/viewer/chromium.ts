import { existsSync } from 'node:fs';
import chromiumPackage from '@sparticuz/chromium';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { reviewerToken } from './serve.ts';

const systemChromium = '/usr/bin/chromium';

/** Starts the machine's Chromium, or else the one of the package. */
export async function launchChromium(): Promise<Browser> {
  const isInstalled = existsSync(systemChromium);
  return chromium.launch({
    executablePath: isInstalled ? systemChromium : await chromiumPackage.executablePath(),
    // In a single process, as the package would have it, the browser ends with its first window.
    args: isInstalled
      ? ['--no-sandbox']
      : chromiumPackage.args.filter((arg) => !['--single-process', '--no-zygote'].includes(arg)),
  });
}

/** Logs in as a reviewer, on the login page. */
export async function logIn(page: Page, base: string): Promise<void> {
  await page.goto(`${base}/audit/login`);
  await page.locator('input[name=token]').fill(reviewerToken);
  await page.locator('button.main').click();
  await page.waitForURL(`${base}/audit`);
}

/** Opens the decision of that id on the page of an evaluation. */
export async function openDecision(page: Page, id: string): Promise<void> {
  await page.locator(`details.decision:has(#${id})`).evaluate((each) => each.setAttribute('open', ''));
}

/** A window in which pages are in a language and dates are written as in its country. */
export function openWindow(
  browser: Browser,
  language: 'da' | 'en',
  options: { colorScheme?: 'light' | 'dark'; width?: number } = {},
): Promise<BrowserContext> {
  const { colorScheme = 'light', width = 1280 } = options;
  return browser.newContext({
    locale: language === 'da' ? 'da-DK' : 'en-GB',
    colorScheme,
    viewport: { width, height: 900 },
  });
}
