/** What is saved by name for a site: filters, all of which must hold. Every call throws ApiFault. */

import { call } from "../api";

export type SavedKind = "segments" | "exclusions";

export interface Saved {
  id: number;
  name: string;
  /** As POST /api/v2/query takes them. */
  filters: unknown[];
  created_at: string;
}

const path = (site: string, kind: SavedKind): string =>
  `/api/sites/${encodeURIComponent(site)}/${kind}`;

/** By name. */
export async function readSaved(
  site: string,
  kind: SavedKind,
  signal?: AbortSignal,
): Promise<Saved[]> {
  return (await call<{ saved: Saved[] }>("GET", path(site, kind), undefined, signal)).saved;
}

export const addSaved = (
  site: string,
  kind: SavedKind,
  name: string,
  filters: unknown[],
): Promise<Saved> => call("POST", path(site, kind), { name, filters });

export const dropSaved = (site: string, kind: SavedKind, id: number): Promise<void> =>
  call("DELETE", `${path(site, kind)}/${id}`);
