import { readdirSync, readFileSync } from 'node:fs';
import request from 'supertest';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Card } from '../../src/engine/cards.ts';
import { findResponseMistakes } from '../http/card-schema.ts';
import { findR4Mistakes } from '../http/r4.ts';
import { renderExampleList } from './example-list.ts';
import {
  buildRequest,
  createStoryApp,
  exampleFolder,
  goldenFiles,
  type Outcome,
  readStories,
  runStory,
  serviceOf,
  storyFile,
} from './story.ts';

const stories = readStories();
const named = stories.map((story) => [story.id, story] as const);
const accept = 'to accept: npm run stories -- --accept';

/** Shown by a patient for whom they make a card, and by one like that for whom they do not. */
const shownBothWays = [
  ...['MAS-02', 'MAS-03', 'MAS-04', 'ACU-01', 'ACU-02', 'ORG-01', 'ORG-03', 'ORG-10', 'ORG-11', 'MUP-01'],
  ...['HIS-02', 'WRK-01', 'TIM-02'],
];

const outcomes = new Map<string, Outcome>();
const outcomeOf = (id: string): Outcome => {
  const outcome = outcomes.get(id);
  if (outcome === undefined) throw new Error(`${id} was not run`);
  return outcome;
};

beforeAll(async () => {
  for (const story of stories) outcomes.set(story.id, await runStory(story));
});

describe.each(named)('%s', (id, story) => {
  it('is decided as a clinician expects', () => {
    const { record, response } = outcomeOf(id);
    const expected = Object.entries(story.case.expect.decisions).map(([decision, value]) => ({
      id: decision,
      ...(typeof value === 'string' ? { outcome: value } : value),
    }));
    const decided = expected.map(({ id: decision }) => record.decisions.find((each) => each.id === decision));
    expect(decided).toMatchObject(expected);
    expect(response.cards.map(readCard)).toMatchObject(story.case.expect.cards ?? []);
  });

  it('sends, answers and records what was accepted', () => {
    for (const { file, value } of goldenFiles(story, outcomeOf(id))) {
      expect(value, `${file} differs; ${accept}`).toEqual(JSON.parse(readFileSync(file, 'utf8')));
    }
  });

  it('is answered as CDS Hooks and the contract demand', () => {
    expect(findResponseMistakes(outcomeOf(id).response)).toEqual([]);
  });

  it('sends and suggests valid FHIR R4', () => {
    const { response } = outcomeOf(id);
    const { prefetch, context } = buildRequest(story) as Record<'prefetch' | 'context', Record<string, unknown>>;
    const suggested = response.cards.flatMap(({ suggestions = [] }) =>
      suggestions.flatMap(({ actions }) =>
        actions.flatMap((action) => ('resource' in action ? [action.resource] : [])),
      ),
    );
    const sent = [...Object.values(prefetch), context.draftOrders ?? null].filter((resource) => resource !== null);
    const mistakes = [...sent, ...suggested].flatMap((resource) => findR4Mistakes(resource));
    expect(mistakes).toEqual([]);
  });

  it('names no person in answer and record', () => {
    const { response, record } = outcomeOf(id);
    const told = JSON.stringify([response, record]);
    const secrets = [story.name, ...story.name.split(' ').filter((name) => name !== 'Test'), story.case.patient.cpr];
    expect(secrets.filter((secret) => secret !== undefined && new RegExp(`\\b${secret}\\b`).test(told))).toEqual([]);
    // The record knows the patient under a key alone.
    expect(JSON.stringify(record)).not.toContain(`Patient/${id}`);
  });

  it('has a CPR number that no person can have, of the right sex', () => {
    const { cpr = '', sex } = story.case.patient;
    expect(cpr).toMatch(/^\d\d13\d{6}$/);
    expect(Number(cpr.at(-1)) % 2 === 1 ? 'male' : 'female').toBe(sex);
  });
});

describe('the stories', () => {
  it.each(shownBothWays)('show %s with a card and without', (decision) => {
    const fires = stories.filter(({ id }) => outcomeOf(id).response.cards.some((card) => carries(card, decision)));
    const doesNot = stories.filter((story) => {
      const expected = story.case.expect.decisions[decision];
      const outcome = typeof expected === 'string' ? expected : expected?.outcome;
      return outcome === 'not-met';
    });
    expect(fires.map(({ id }) => id)).not.toEqual([]);
    expect(doesNot.map(({ id }) => id)).not.toEqual([]);
  });

  it('have one patient each', () => {
    const cpr = stories.map((story) => story.case.patient.cpr);
    expect(new Set(cpr).size).toBe(stories.length);
    expect(new Set(stories.map(({ name }) => name)).size).toBe(stories.length);
  });

  it('are the examples, and the list of examples names them all', () => {
    const files = readdirSync(exampleFolder).filter((file) => file.endsWith('.json'));
    expect(files.toSorted(), accept).toEqual(stories.map(({ id }) => `${id}.json`).toSorted());
    const list = renderExampleList(
      stories,
      stories.map(({ id }) => outcomeOf(id)),
    );
    expect(readFileSync(`${exampleFolder}/README.md`, 'utf8'), accept).toBe(list);
  });

  it('keep nothing but the story and what was accepted', () => {
    const kept = stories.flatMap(({ id }) => readdirSync(storyFile(id, '.')));
    expect(new Set(kept)).toEqual(new Set(['story.yaml', 'response.json', 'record.json']));
  });
});

describe('an example fetched from the service', () => {
  // A leap day, a day after the clocks change, and a day that has begun in Denmark and not yet in Greenwich.
  const days = ['2026-11-23T11:00:00Z', '2028-02-29T11:00:00Z', '2027-03-28T11:00:00Z', '2031-12-31T23:30:00Z'];

  it.each(days)('brings the same cards on %s', async (now) => {
    const { app } = createStoryApp(new Date(now));
    for (const story of stories) {
      const { id } = story;
      const example = await request(app).get(`/examples/${id}.json`).expect(200);
      const { body } = await request(app)
        .post(`/cds-services/${serviceOf(story)}`)
        .send(example.body)
        .expect(200);
      const cards = (body as Outcome['response']).cards.map(readCard);
      expect({ id, cards }).toEqual({ id, cards: outcomeOf(id).response.cards.map(readCard) });
    }
  });
});

/** What of a card does not change with the day. */
function readCard(card: Card) {
  const { decisions, pathway, registrationCode, missing, cautions } = card.extension[
    'dk.diagnostisk-pakkeforloeb.decision'
  ] as Record<string, unknown>;
  const { indicator, source, summary } = card;
  return { topic: source.topic.code, indicator, summary, decisions, pathway, registrationCode, missing, cautions };
}

function carries(card: Card, decision: string): boolean {
  const { decisions } = card.extension['dk.diagnostisk-pakkeforloeb.decision'] as { decisions?: string[] };
  return decisions?.includes(decision) === true;
}
