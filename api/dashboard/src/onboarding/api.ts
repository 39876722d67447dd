/** Sites, keys, edges and owners as their pages use them. Every call throws ApiFault. */

import { call, type SignedIn, type Site } from "../api";

/** As in shared/sites.py. */
export interface Settings {
  time_zone: string;
  origins: string[];
  excluded: string[];
  honour_dnt: boolean;
  allow_user_id: boolean;
  /** Null keeps all. */
  props: string[] | null;
  query_params: string[];
  /** Null: as long as the installation says. */
  keep_days: number | null;
  /** Null: as long as they are kept. */
  rows_in_database_days: number | null;
  /** Null: for good. */
  keep_rollups_days: number | null;
  events_per_s: number;
}

export interface WholeSite extends Site {
  settings: Settings;
  /** Changes that hold from a later moment. */
  upcoming: { name: keyof Settings; value: unknown; valid_from: string }[];
}

export interface Arrivals {
  first_event_at: string | null;
  stored: number;
  under_way: number;
  bots: { rule: string; events: number }[];
  refused: Record<string, number>;
  dropped: Record<string, number>;
  quarantined: Record<string, number>;
  /** By outcome: `refused:` and `dropped:` before the reason. */
  elsewhere: Record<string, number>;
  edge_heard_at: string | null;
}

export const SCOPES = ["query", "ingest", "import", "admin"] as const;
export type Scope = (typeof SCOPES)[number];

export interface Key {
  key_id: number;
  /** Null: every site. */
  site: string | null;
  scopes: string[];
  label: string;
  created_at: string;
  revoked_at: string | null;
}

export interface Edge {
  edge: string;
  retired_at: string | null;
  last_heard: string | null;
  spooled_batches: number;
  spooled_bytes: number;
}

export interface EdgeState {
  edge: string;
  state: "live" | "silent" | "written_off" | "retired";
  in_flight_batches: number;
  lost_batches: number;
}

export interface Owner {
  email: string;
  created_at: string;
}

const site = (key: string): string => `/api/sites/${encodeURIComponent(key)}`;

export const addSite = (key: string, timeZone: string): Promise<WholeSite> =>
  call("POST", "/api/sites", { key, settings: { time_zone: timeZone } });

export const readWholeSite = (key: string): Promise<WholeSite> => call("GET", site(key));

export const changeSite = (key: string, changes: Partial<Settings>): Promise<WholeSite> =>
  call("PATCH", site(key), changes);

export const readArrivals = (key: string): Promise<Arrivals> =>
  call("GET", `${site(key)}/arrivals`);

export const readKeys = async (): Promise<Key[]> =>
  (await call<{ keys: Key[] }>("GET", "/api/keys")).keys;

export const addKey = (
  scopes: Scope[],
  of: string | null,
  label: string,
): Promise<{ key_id: number; key: string }> =>
  call("POST", "/api/keys", { scopes, site: of, label });

export const revokeKey = (id: number): Promise<void> => call("DELETE", `/api/keys/${id}`);

export const readEdges = async (): Promise<Edge[]> =>
  (await call<{ edges: Edge[] }>("GET", "/api/edges")).edges;

export const readEdgeStates = async (): Promise<EdgeState[]> =>
  (await call<{ edges: EdgeState[] }>("GET", "/api/v2/completeness")).edges;

export const addEdge = async (edge: string): Promise<Edge[]> =>
  (await call<{ edges: Edge[] }>("POST", "/api/edges", { edge })).edges;

export const retireEdge = async (edge: string): Promise<Edge[]> =>
  (await call<{ edges: Edge[] }>("POST", `/api/edges/${encodeURIComponent(edge)}/retire`)).edges;

export const readOwners = async (): Promise<Owner[]> =>
  (await call<{ owners: Owner[] }>("GET", "/api/owners")).owners;

export const addOwner = async (email: string, password: string): Promise<Owner[]> =>
  (await call<{ owners: Owner[] }>("POST", "/api/owners", { email, password })).owners;

/** `own`: the password of who is signed in. */
export const changePassword = (email: string, password: string, own: string): Promise<SignedIn> =>
  call("POST", "/api/owners/password", { email, password, own_password: own });
