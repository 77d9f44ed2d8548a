// Plain JavaScript that an old Node can read: it says what is wrong before that Node meets TypeScript.
const least = [24, 16];

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < least[0] || (major === least[0] && minor < least[1])) {
  console.error(
    `This service needs Node ${least.join('.')} or newer; this is ${process.versions.node}. Run \`npm ci\` and \`npm start\` (the dev dependency \`node\` brings one), or install a newer Node.`,
  );
  process.exitCode = 1;
} else {
  await import('./main.ts');
}
