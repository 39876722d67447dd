const moment = new Intl.DateTimeFormat(navigator.languages, {
  dateStyle: "medium",
  timeStyle: "short",
});

/** Day and time, in the reader's own zone, of an instant as the API writes it. */
export const formatInstant = (at: string): string => moment.format(Date.parse(at));
