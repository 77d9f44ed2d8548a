// What a service is compared with: an Express server that parses the body and gives a fixed answer, as anyone would write it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import express from 'express';

const [folder = '.'] = process.argv.slice(2);
const answers = new Map<string, unknown>();
const app = express();
app.use(express.json({ limit: '10mb' }));
app.get('/readyz', (_request, response) => {
  response.json({ status: 'ready' });
});
app.post('/:patient', (request, response) => {
  response.json(findAnswer(request.params.patient));
});
app.listen(Number(process.env.PORT), '127.0.0.1');

function findAnswer(patient: string): unknown {
  const known = answers.get(patient);
  if (known !== undefined) return known;
  const answer: unknown = JSON.parse(readFileSync(join(folder, `${patient}.json`), 'utf8'));
  answers.set(patient, answer);
  return answer;
}
