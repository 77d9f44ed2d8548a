/** When a FHIR server that does not answer is left alone, and for how long. */
export interface CircuitLimits {
  /** Attempts failed in a row, over all requests, after which the server is not called. */
  failures: number;
  /** Milliseconds it is then left alone; after them one request tries it. */
  pause: number;
  /** Servers remembered; the one not failing for longest is forgotten first. */
  servers: number;
}

export const defaultCircuitLimits: Readonly<CircuitLimits> = {
  // More than the keys of one request and their second attempts: one patient's failing queries close nobody out.
  failures: 24,
  pause: 5_000,
  servers: 1_000,
};

/** What is known of the health of FHIR servers, by base. */
export interface Circuits {
  /** Whether a request may call the server now. After the pause it may for one request, until that one's first report. */
  admit(base: string): boolean;
  /** Tells how an attempt went: failed is no answer at all, or a 5xx. */
  report(base: string, isHealthy: boolean): void;
}

interface Circuit {
  failed: number;
  /** Set: the server was left alone until then, and has not answered since. */
  restsUntil?: number;
}

/**
 * Makes a memory of FHIR servers that do not answer, so that their requests end at once instead of at the deadline and
 * hold no room that others need.
 *
 * @param now Milliseconds of a clock that never goes back.
 */
export function createCircuits(limits: Readonly<CircuitLimits>, now: () => number): Circuits {
  // Healthy servers have no entry.
  const failing = new Map<string, Circuit>();
  return {
    admit(base) {
      const circuit = failing.get(base);
      if (circuit?.restsUntil === undefined) return true;
      if (now() < circuit.restsUntil) return false;
      // A request that tries it and is cut off before it reports leaves the next try to the next pause.
      circuit.restsUntil = now() + limits.pause;
      return true;
    },
    report(base, isHealthy) {
      if (isHealthy) {
        failing.delete(base);
        return;
      }
      const circuit = failing.get(base) ?? { failed: 0 };
      circuit.failed += 1;
      if (circuit.failed >= limits.failures) circuit.restsUntil = now() + limits.pause;
      failing.delete(base);
      failing.set(base, circuit);
      const [oldest] = failing.keys();
      if (failing.size > limits.servers && oldest !== undefined) failing.delete(oldest);
    },
  };
}
