/** What has come for a site and does not count, in words, each with the next step. */

import { formatMoment } from "../format";
import { settingsPath } from "../route.svelte";
import { texts } from "../texts";
import type { Arrivals } from "./api";

export interface Outcome {
  events: number;
  what: string;
  next: string;
  link?: { path: string; name: string };
}

const words = texts.onboarding.outcomes;
const SILENT_AFTER_MS = 10_000;
const DROPPED = "dropped:";

/** What came most often is first; what may be another site's is last. */
export function outcomes(arrivals: Arrivals, site: string, program: string): Outcome[] {
  const own = [
    ...underWay(arrivals, program),
    ...each(arrivals.refused, (code) => refusal(code, site, program)),
    ...each(arrivals.dropped, (reason) => drop(reason, site)),
    ...bots(arrivals),
    ...each(arrivals.quarantined, (reason) => ({
      what: words.quarantined.what(reason),
      next: words.quarantined.next(program),
    })),
  ];
  return [...own.sort((a, b) => b.events - a.events), ...elsewhere(arrivals.elsewhere, site)];
}

/** Why nothing can come just now; null where an edge is heard. */
export function silence({ edge_heard_at: at }: Arrivals, program: string): string | null {
  if (at === null) return words.silent.never(program);
  if (Date.now() - Date.parse(at) < SILENT_AFTER_MS) return null;
  return words.silent.since(formatMoment(Date.parse(at)), program);
}

type Words = Omit<Outcome, "events">;

const each = (counts: Record<string, number>, say: (name: string) => Words): Outcome[] =>
  Object.entries(counts).map(([name, events]) => ({ events, ...say(name) }));

function refusal(code: string, site: string, program: string): Words {
  const path = settingsPath(site);
  switch (code) {
    case "forbidden_origin": {
      const { what, next, link } = words.forbidden_origin;
      return { what, next: next(site), link: { path: `${path}#origins`, name: link } };
    }
    case "rate_limited": {
      const { what, next, link } = words.rate_limited;
      return { what, next, link: { path: `${path}#events_per_s`, name: link } };
    }
    case "unavailable":
      return { what: words.unavailable.what, next: words.unavailable.next(program) };
    default:
      return { what: words.otherRefusal.what(code), next: words.otherRefusal.next(code) };
  }
}

function drop(reason: string, site: string): Words {
  const path = settingsPath(site);
  switch (reason) {
    case "dnt":
    case "gpc": {
      const { what, next, link } = words[reason];
      return { what, next, link: { path: `${path}#honour_dnt`, name: link } };
    }
    case "excluded": {
      const { what, next, link } = words.excluded;
      return { what, next, link: { path: `${path}#excluded`, name: link } };
    }
    case "prefetch":
      return words.prefetch;
    default: {
      const { what, next, link } = words.otherDrop;
      return { what: what(reason), next, link: { path, name: link } };
    }
  }
}

function underWay({ under_way: events }: Arrivals, program: string): Outcome[] {
  const { what, next } = words.underWay;
  return events ? [{ events, what, next: next(program) }] : [];
}

function bots({ bots: found }: Arrivals): Outcome[] {
  const events = found.reduce((sum, bot) => sum + bot.events, 0);
  const rules = found.map(({ rule }) => rule).join(", ");
  return events ? [{ events, what: words.bots.what(rules), next: words.bots.next }] : [];
}

function elsewhere(counts: Record<string, number>, site: string): Outcome[] {
  const unknown = counts["refused:unknown_site"] ?? 0;
  const dropped = (["dnt", "gpc"] as const).reduce(
    (sum, reason) => sum + (counts[DROPPED + reason] ?? 0),
    0,
  );
  return [
    { events: unknown, what: words.unknown_site.what, next: words.unknown_site.next(site) },
    { events: dropped, ...words.elsewhereDrop },
  ].filter(({ events }) => events);
}
