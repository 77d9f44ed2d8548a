import { describe, expect, it } from 'vitest';
import { listMinimalExamples, minimalPatient } from '../../src/cli/fhir-integrators.ts';
import { createChartReader } from '../../src/engine/chart-reader.ts';
import type { Sources } from '../../src/engine/types.ts';
import { errorsOf, guideline, validate } from './published.ts';

const examples = listMinimalExamples(guideline);
const readChart = createChartReader(guideline);

/** The kinds of reading that show that a resource is read as what it stands for. */
const readAs: Readonly<Record<string, readonly string[]>> = { pending: ['order'], report: ['report', 'finding'] };

describe('the minimal examples of the integrator page', () => {
  it('conform to their profiles', () => {
    const wrong = examples.flatMap(({ fact, system, resource }) =>
      errorsOf(validate(resource)).map((line) => `${fact} ${system} ${line}`),
    );
    expect(wrong).toEqual([]);
    expect(errorsOf(validate(minimalPatient))).toEqual([]);
  });

  it('are read by the service as one of the concepts they stand for', () => {
    const unread = examples.flatMap(({ fact, kind, system, concepts, resource }) => {
      const sources: Sources = { all: { state: 'present', resources: [resource] } };
      const { readings } = readChart(sources, { today: '2026-11-23', patientId: '1' });
      const kinds = readAs[kind] ?? [kind];
      const isRead = readings.some(
        (reading) =>
          kinds.includes(reading.kind) &&
          reading.exact &&
          (concepts.length === 0 || concepts.includes(reading.concept)),
      );
      return isRead ? [] : [`${fact} ${system} ${JSON.stringify(resource)}`];
    });
    expect(unread).toEqual([]);
  });

  it('show every selection from the record that has a national or international code', () => {
    const shown = new Set(examples.map(({ concepts, kind }) => `${kind} ${concepts.join()}`));
    const coded = [...guideline.facts.values()].flatMap((fact) => {
      if (fact.form !== 'selection' || fact.concepts.length === 0) return [];
      const hasCode = fact.concepts.some((id) => {
        const condition = guideline.concepts.conditions.find((each) => each.id === id);
        const coding = guideline.analyses.get(id) ?? guideline.procedures.get(id) ?? condition;
        return coding?.codes !== undefined;
      });
      return hasCode ? [`${fact.definition.read[0]} ${fact.concepts.join()}`] : [];
    });
    expect(coded.filter((key) => !shown.has(key))).toEqual([]);
  });
});
