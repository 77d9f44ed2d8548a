// What a service is compared with: an Express server that parses the body and gives a fixed answer, as anyone would write it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import express from 'express';
import { patientKinds } from './patients.ts';

const [folder = '.'] = process.argv.slice(2);
const app = express();
app.use(express.json({ limit: '10mb' }));
app.get('/readyz', (_request, response) => {
  response.json({ status: 'ready' });
});
for (const kind of patientKinds) {
  const answer: unknown = JSON.parse(readFileSync(join(folder, `${kind}.json`), 'utf8'));
  app.post(`/${kind}`, (_request, response) => {
    response.json(answer);
  });
}
app.listen(Number(process.env.PORT), '127.0.0.1');
