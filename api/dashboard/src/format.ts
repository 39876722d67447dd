const locale = navigator.languages;

const whole = new Intl.NumberFormat(locale);
const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
const clockSeconds = new Intl.DateTimeFormat(locale, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});
const dayAndClock = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
const countries = new Intl.DisplayNames(locale, { type: "region" });

const DAY_MS = 86_400_000;

export const formatCount = (count: number): string => whole.format(count);

/** Hour and minute, of epoch ms. */
export const formatMinute = (at: number): string => clock.format(at);

/** Hour, minute and second, of epoch ms; with the day where it is over one away. */
export const formatMoment = (at: number): string =>
  Math.abs(Date.now() - at) < DAY_MS ? clockSeconds.format(at) : dayAndClock.format(at);

/** The country's name in the reader's language; the code itself where it is no country's. */
export function formatCountry(code: string): string {
  try {
    return countries.of(code) ?? code;
  } catch {
    return code;
  }
}
