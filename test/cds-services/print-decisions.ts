// Prints what every case decides and sends, for the test that runs it in other time zones.
import { decideCase, readCases } from './decide-cases.ts';

process.stdout.write(JSON.stringify(readCases().map((testCase) => [testCase.id, decideCase(testCase)])));
