/** One instruction of a Dockerfile, lines that are continued put together. */
export interface Instruction {
  name: string;
  text: string;
}

/** Reads a Dockerfile: its instructions per stage. */
export function readStages(text: string): Instruction[][] {
  const stages: Instruction[][] = [];
  for (const line of text.replaceAll(/\\\n/g, ' ').split('\n')) {
    const [, name = '', rest = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (name === 'FROM') stages.push([]);
    if (name !== '') stages.at(-1)?.push({ name, text: rest });
  }
  return stages;
}

/** The texts of all instructions of one name. */
export function textsOf(stage: readonly Instruction[], name: string): string[] {
  return stage.filter((each) => each.name === name).map(({ text }) => text);
}
