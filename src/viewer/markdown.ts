import MarkdownIt from 'markdown-it';
import { type Html, trustMarkup } from './html.ts';

// Links are shown, not made: what a card says of an address came from a record.
const renderer = new MarkdownIt({ html: false, linkify: false }).disable(['image', 'link', 'autolink', 'html_inline']);

/** Renders the GFM of a card's detail: HTML in it is shown as text, images and links are not made. */
export function renderMarkdown(text: string): Html {
  return trustMarkup(renderer.render(text));
}
