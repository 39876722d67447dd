/** A site's settings as a form holds them: lists as lines, numbers as text. */

import type { Settings } from "./api";

export interface Draft {
  time_zone: string;
  origins: string;
  excluded: string;
  honour_dnt: boolean;
  query_params: string;
  all_props: boolean;
  props: string;
  allow_user_id: boolean;
  keep_days: number | null;
  rows_in_database_days: number | null;
  keep_rollups_days: number | null;
  events_per_s: number | null;
}

export const draftOf = (settings: Settings): Draft => ({
  ...settings,
  origins: settings.origins.join("\n"),
  excluded: settings.excluded.join("\n"),
  query_params: settings.query_params.join("\n"),
  all_props: settings.props === null,
  props: settings.props?.join("\n") ?? "",
});

/** Only what differs from what holds. */
export function changesOf(draft: Draft, settings: Settings): Partial<Settings> {
  const { all_props, ...rest } = draft;
  const wanted: Settings = {
    ...rest,
    origins: lines(draft.origins),
    excluded: lines(draft.excluded),
    query_params: lines(draft.query_params),
    props: all_props ? null : lines(draft.props),
    // An emptied number is refused by the API, which says within which bounds it is.
    events_per_s: draft.events_per_s ?? 0,
  };
  const changed = Object.entries(wanted).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(settings[name as keyof Settings]),
  );
  return Object.fromEntries(changed);
}

const lines = (text: string): string[] =>
  text.split("\n").map((line) => line.trim()).filter(Boolean);
