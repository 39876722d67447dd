/** A site's own patterns of robots. Every call throws ApiFault. */

import { call } from "../api";

export const KINDS = ["user_agent", "network"] as const;
export type Kind = (typeof KINDS)[number];

export interface NewRobot {
  name: string;
  kind: Kind;
  pattern: string;
  /** What matches is no robot. */
  allows: boolean;
}

export interface Robot extends NewRobot {
  id: number;
  valid_from: string;
  /** Null while it is in force. */
  valid_until: string | null;
}

const path = (site: string): string => `/api/sites/${encodeURIComponent(site)}/bots`;

/** Those in force, in the order in which they are asked. */
export async function readRobots(site: string): Promise<Robot[]> {
  const { patterns } = await call<{ patterns: Robot[] }>("GET", path(site));
  return patterns.filter(({ valid_until }) => valid_until === null);
}

export const addRobot = (site: string, robot: NewRobot): Promise<Robot> =>
  call("POST", path(site), robot);

export const endRobot = (site: string, id: number): Promise<void> =>
  call("DELETE", `${path(site)}/${id}`);
