import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Request, type Response, Router } from 'express';
import * as z from 'zod';
import { ConfigError, NotFoundError } from '../errors.ts';
import { findDanishDate } from './evaluate.ts';

/** Member of an example's `extension` that names the day its dates are written for. */
export const exampleExtension = 'dk.diagnostisk-pakkeforloeb.example';

const exampleSchema = z.looseObject({
  extension: z.object({ [exampleExtension]: z.strictObject({ day: z.iso.date() }) }),
});

const millisecondsPerDay = 86_400_000;
const dateAtStart = /^(\d{4}-\d\d-\d\d)(?:T\d\d:\d\d[\d:.]*(?:Z|[+-]\d\d:\d\d)?)?$/;

/**
 * Serves requests of made-up patients that are ready to be sent: `GET /{file}` answers a file of the folder with every
 * date moved, so that it stands to the day it is fetched as it stood to the day it was written for.
 *
 * Decisions look some days back from today: the file itself would fall silent in time.
 *
 * @throws {@link ConfigError} naming a file that is no example.
 */
export function createExamples(folder: string, now: () => Date = () => new Date()): Router {
  const examples = new Map(readFiles(folder).map((file) => [file, readExample(folder, file)]));
  const router = Router();
  router.get('/:file', (request: Request<{ file: string }>, response: Response) => {
    const example = examples.get(request.params.file);
    if (example === undefined) {
      throw new NotFoundError('There is no such example; examples/README.md names those there are.');
    }
    const body = moveDates(example.text, countDays(example.day, findDanishDate(now().toISOString())));
    response.set({ 'Cache-Control': 'no-store', 'Content-Type': 'application/json; charset=utf-8' }).send(body);
  });
  return router;
}

function readFiles(folder: string): string[] {
  try {
    return readdirSync(folder).filter((file) => file.endsWith('.json'));
  } catch (cause) {
    throw new ConfigError(`${folder}: the examples served in demo mode are missing: restore the folder`, { cause });
  }
}

function readExample(folder: string, file: string): { text: string; day: string } {
  const text = readFileSync(join(folder, file), 'utf8');
  const read = exampleSchema.safeParse(parseJson(text));
  const day = read.data?.extension[exampleExtension]?.day;
  if (day === undefined) {
    throw new ConfigError(`${join(folder, file)}: expected a request with the day it is written for in extension`);
  }
  return { text, day };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Moves every FHIR date, dateTime and instant of a JSON text by whole days; times of day stay. */
function moveDates(text: string, days: number): string {
  const moved = JSON.parse(text, (_, value: unknown) => {
    const date = typeof value === 'string' ? dateAtStart.exec(value)?.[1] : undefined;
    return date === undefined ? value : `${addDays(date, days)}${String(value).slice(date.length)}`;
  });
  return JSON.stringify(moved);
}

function addDays(date: string, days: number): string {
  return new Date(Date.parse(date) + days * millisecondsPerDay).toISOString().slice(0, 10);
}

function countDays(from: string, to: string): number {
  return Math.round((Date.parse(to) - Date.parse(from)) / millisecondsPerDay);
}
