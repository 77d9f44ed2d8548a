import { describe, expect, it } from 'vitest';
import { runKnowledge } from '../../src/cli/knowledge.ts';
import { addFact, knowledgeFolder, withEditedKnowledge } from '../edit-knowledge.ts';

const run = (...given: string[]) => runKnowledge(given, knowledgeFolder);

describe('npm run knowledge', () => {
  it('check prints what a sound folder holds', () => {
    const { lines, code } = run('check');
    expect(code).toBe(0);
    expect(lines.join('\n')).toMatch(
      /\d+ decisions, \d+ facts, \d+ parameters, \d+ cautions, \d+ ledger entries\n.*\d+ sites\nsha256:[0-9a-f]{64}$/,
    );
  });

  it('check DIR prints every mistake of another folder and fails', () => {
    const { lines, code } = withEditedKnowledge([addFact('trial: { is: "%fevr" }\nother: { is: "%coff" }')], (folder) =>
      run('check', folder),
    );
    expect(code).toBe(1);
    expect(lines.join('\n')).toMatch(
      /has 2 mistake\(s\):\nfacts\.yaml:\d+ trial\.is: %fevr .*\nfacts\.yaml:\d+ other\.is: %coff /,
    );
  });

  it('unverified lists every code that is never matched, and how many', () => {
    const { lines, code } = run('unverified');
    expect(code).toBe(0);
    expect(lines).toContainEqual(expect.stringMatching(/^haemoglobin: AAB00012/));
    expect(lines.at(-1)).toBe(`${lines.length - 1} unverified`);
  });

  it('explain prints one decision, in Danish unless asked otherwise', () => {
    const danish = run('explain', 'MUP-04');
    expect(danish.code).toBe(0);
    expect(danish.lines[0]).toBe('MUP-04 Metastasesuspekte forandringer i hjernen');
    expect(danish.lines.join('\n')).toContain(
      'under neurologisk eller neurokirurgisk udredning (underNeurology): nej (ellers: `under-neurology`)',
    );
    const english = run('explain', 'MUP-04', 'en').lines.join('\n');
    expect(english).toContain(
      'under neurological or neurosurgical work-up (underNeurology): no (else: `under-neurology`)',
    );
    expect(english).toContain('Met when all of these hold');
  });

  it('explain names the decisions there are when asked for another', () => {
    const { lines, code } = run('explain', 'MAS-99');
    expect(code).toBe(1);
    expect(lines[0]).toMatch(/^No decision MAS-99; there are MAS-01, MAS-02, /);
  });

  it('tells how it is called when the command is none', () => {
    for (const given of [[], ['help'], ['explain']]) {
      const { lines, code } = run(...given);
      expect(code).toBe(2);
      expect(lines[0]).toContain('explain ID');
    }
  });
});
