import type { Language } from '../engine/guideline.ts';
import type { Role } from '../http/readers.ts';
import { type Html, html } from './html.ts';
import { type Texts, viewerTexts } from './texts.ts';

/** Who a page is for and how it is told. */
export interface PageContext {
  language: Language;
  texts: Texts;
  /** Absent: nobody is logged in. */
  role?: Role;
  /** Path and query of the page itself, for the link to the other language. */
  address: string;
}

/** Where the pages are. */
export const base = '/audit';

const menu = [
  { path: base, text: 'overview', reviewer: false },
  { path: `${base}/evaluations`, text: 'evaluations', reviewer: false },
  { path: `${base}/compare`, text: 'compare', reviewer: true },
  { path: `${base}/views`, text: 'views', reviewer: true },
] as const;

/** A whole page. */
export function renderPage(context: PageContext, title: string, content: Html): string {
  const { language, texts, role, address } = context;
  const other = language === 'da' ? 'en' : 'da';
  const [path = ''] = address.split('?');
  return html`<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} – ${texts.title}</title>
<link rel="stylesheet" href="${base}/style.css">
</head>
<body>
<a class="skip" href="#content">${texts.skip}</a>
<header>
<p class="name">${texts.title}</p>
${
  role !== undefined &&
  html`<nav aria-label="${texts.main}"><ul>${menu
    .filter(({ reviewer }) => !reviewer || role === 'reviewer')
    .map(
      (entry) => html`<li><a href="${entry.path}"${markCurrent(entry.path, path)}>${texts[entry.text]}</a></li>`,
    )}</ul></nav>`
}
<div class="tools">
<a href="${addParameter(address, 'lang', other)}" lang="${other}" hreflang="${other}">${viewerTexts[language].otherLanguage}</a>
${
  role !== undefined &&
  html`<form method="post" action="${base}/logout"><span>${texts[role]}</span> <button type="submit">${texts.logOut}</button></form>`
}
</div>
</header>
<main id="content">
<h1>${title}</h1>
${content}
</main>
</body>
</html>`.markup;
}

/** The page itself, or the one it is below: decisions are below the overview. */
function markCurrent(entry: string, path: string): Html | false {
  if (entry === path) return html` aria-current="page"`;
  const isBelow = entry === base ? path.startsWith(`${base}/decisions/`) : path.startsWith(`${entry}/`);
  return isBelow && html` aria-current="true"`;
}

/** The address with one parameter set; undefined takes it away. */
export function addParameter(address: string, name: string, value: string | undefined): string {
  const url = new URL(address, 'http://page');
  if (value === undefined) url.searchParams.delete(name);
  else url.searchParams.set(name, value);
  return `${url.pathname}${url.search}`;
}
