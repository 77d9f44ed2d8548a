export interface Groups<Item, Result> {
  /** Resolves to what became of the item, or rejects with what became of its group. */
  add(item: Item): Promise<Result>;
  /** Items that wait for the group before them. */
  waiting(): number;
  /** Resolves once all that was added is done. */
  finished(): Promise<void>;
}

interface Waiting<Item, Result> {
  item: Item;
  resolve: (result: Result) => void;
  reject: (reason: unknown) => void;
}

/**
 * Hands items over in groups: whatever came while one group was under way makes the next.
 *
 * @param run Gives one result per item, in order.
 * @param most Items of one group.
 */
export function createGroups<Item, Result>(
  run: (items: Item[]) => Promise<readonly Result[]>,
  most: number,
): Groups<Item, Result> {
  const queue: Waiting<Item, Result>[] = [];
  let running: Promise<void> | undefined;

  async function runQueue(): Promise<void> {
    while (queue.length > 0) {
      const group = queue.splice(0, most);
      try {
        const results = await run(group.map(({ item }) => item));
        for (const [place, { resolve }] of group.entries()) resolve(results[place] as Result);
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    running = undefined;
  }

  return {
    add: (item) =>
      new Promise((resolve, reject) => {
        queue.push({ item, resolve, reject });
        running ??= runQueue();
      }),
    waiting: () => queue.length,
    async finished() {
      await running;
    },
  };
}
