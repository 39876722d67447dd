/** The JSON frames of `/live`: the contract is realtime/frames.py. */

export type Counts = Record<string, number | null>;

export interface FeedEvent {
  id: string;
  /** Epoch ms. */
  ts: number;
  name: string;
  page?: string;
  hostname?: string;
  source?: string;
  country?: string;
  browser?: string;
  os?: string;
  device?: string;
  bot?: string | null;
  late?: boolean;
}

export interface EdgeState {
  /** Epoch ms, as all times here. */
  silent_since: number | null;
  spooled_batches: number;
  written_off_at?: number;
  oldest_at?: number;
  behind_since?: number;
  in_flight_batches?: number;
  lost_batches?: number;
}

export interface View {
  here?: number | null;
  minutes?: Counts;
  moments?: Counts;
  pages?: Counts;
  sources?: Counts;
  countries?: Counts;
  edges?: Record<string, EdgeState | null>;
}

export interface Snapshot {
  type: "snapshot";
  id: number;
  at: number;
  view: View;
  feed: FeedEvent[];
  final_until: number | null;
}

export interface Delta {
  type: "delta";
  id: number;
  at: number;
  view: View;
  feed?: FeedEvent[];
  gone?: string[];
  final_until?: number;
}

export interface Resync {
  type: "resync";
  id: number;
}

export type Frame = Snapshot | Delta | Resync;
