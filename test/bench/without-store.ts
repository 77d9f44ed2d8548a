// Loaded into the service with --import: gives it a store that keeps nothing and acknowledges at once, so that the
// benchmark can tell what the others cost. No setting of the service does this.
import { registerHooks } from 'node:module';
import type { OpenedStore } from '../../src/audit/open-store.ts';
import type { AuditStore } from '../../src/audit/store.ts';

registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    return found.url.endsWith('/src/audit/open-store.ts') ? { ...found, url: import.meta.url } : found;
  },
});

/** In the place of the service's own. */
export function openStore(): OpenedStore {
  const store = { async append() {}, async check() {}, async close() {} } satisfies Partial<AuditStore>;
  return { store: store as Partial<AuditStore> as AuditStore, place: 'nowhere', setting: 'DATA_DIR' };
}
