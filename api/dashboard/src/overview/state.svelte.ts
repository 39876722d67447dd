/** The overview of one site. Its address is the state; whatever changes it writes an address, so
    that Back undoes and a reload keeps. */

import { overviewPath, route } from "../route.svelte";
import type { Saved } from "../saved/api";
import { readView, type Understood, writeView } from "./address";
import { spanBefore } from "./comparison";
import { dayAt, daysIn, intervalsOf, type Span, spanOf, usualInterval } from "./period";
import { DEFAULT_VIEW, type Filter, type Interval, type Operator, type View } from "./view";

const OPPOSITE: Record<Operator, Operator> = {
  is: "is_not",
  is_not: "is",
  contains: "contains_not",
  contains_not: "contains",
};

export class OverviewState {
  readonly site: string;
  /** The IANA name that the site's days go by. */
  readonly zone: string;
  /** Epoch ms: when the view was last chosen. */
  now = $state(Date.now());
  /** All that are saved. */
  segments: Saved[] = $state.raw([]);

  readonly #understood: Understood = $derived(readView(this.#search()));
  readonly view: View = $derived(this.#understood.view);
  readonly #today = $derived.by(() => dayAt(this.now, this.zone));
  readonly #everything = $derived.by(() => ({
    first: dayAt(Math.min(this.#since, this.now), this.zone),
    last: this.#today,
  }));
  /** Null for all there is. */
  readonly span: Span | null = $derived(spanOf(this.view.period, this.#today));
  /** What it is compared with; null where there is none, or it is not wanted. */
  readonly before: Span | null = $derived(
    this.span && spanBefore(this.span, this.view.comparison, this.view.sameWeekdays),
  );
  /** Whether the figures are compared up to the same time: days that the reader names are compared
      as they are. */
  readonly comparesSoFar: boolean = $derived(
    this.span?.running === true && typeof this.view.comparison === "string",
  );
  /** Of all there is, as many as there are since the site's first event. */
  readonly days: number = $derived.by(() => daysIn(this.span ?? this.#everything));
  readonly intervals: Interval[] = $derived(intervalsOf(this.days));
  /** The chosen one where it fits the period, else the usual one. */
  readonly interval: Interval = $derived(
    this.intervals.find((one) => one === this.view.interval) ?? usualInterval(this.days),
  );
  /** The segments of the view, as far as they are still saved. */
  readonly chosen: Saved[] = $derived(
    this.view.segments.flatMap((id) => this.segments.find((one) => one.id === id) ?? []),
  );
  readonly isFiltered: boolean = $derived(this.view.filters.length + this.chosen.length > 0);
  /** Parts of the address that were not understood, and so are left out. */
  readonly ignored: string[] = $derived.by(() => {
    const { interval, segments } = this.view;
    const gone = segments.filter((id) => !this.chosen.some((one) => one.id === id));
    return [
      ...this.#understood.ignored,
      ...(interval && interval !== this.interval ? [`by=${interval}`] : []),
      ...gone.map((id) => `segment=${id}`),
    ];
  });

  readonly #since: number;

  /** `since`: epoch ms of the site's first event. */
  constructor(site: string, zone: string, since: number, segments: Saved[]) {
    this.site = site;
    this.zone = zone;
    this.#since = since;
    this.segments = segments;
  }

  change(part: Partial<View>): void {
    const view = { ...this.view, ...part };
    this.now = Date.now();
    route.change(overviewPath(this.site, writeView(this.#fitting(view))));
  }

  addFilter(filter: Filter): void {
    const already = this.view.filters.some((one) => JSON.stringify(one) === JSON.stringify(filter));
    if (!already) this.change({ filters: [...this.view.filters, filter] });
  }

  changeFilter(index: number, filter: Filter): void {
    this.change({ filters: this.view.filters.with(index, filter) });
  }

  negateFilter(index: number): void {
    const filter = this.view.filters[index];
    if (filter) this.changeFilter(index, { ...filter, operator: OPPOSITE[filter.operator] });
  }

  removeFilter(index: number): void {
    this.change({ filters: this.view.filters.toSpliced(index, 1) });
  }

  clearFilters(): void {
    this.change({ filters: DEFAULT_VIEW.filters, segments: DEFAULT_VIEW.segments });
  }

  addSegment(id: number): void {
    this.change({ segments: [...this.view.segments, id] });
  }

  removeSegment(id: number): void {
    this.change({ segments: this.view.segments.filter((one) => one !== id) });
  }

  /** One that was just saved, in place of what it was saved from. */
  showSegment(saved: Saved): void {
    this.segments = [...this.segments, saved];
    this.change({ filters: DEFAULT_VIEW.filters, segments: [saved.id] });
  }

  /** Without an interval that its period does not have. */
  #fitting(view: View): View {
    const span = spanOf(view.period, this.#today);
    const fits = view.interval && intervalsOf(daysIn(span ?? this.#everything)).includes(view.interval);
    return fits ? view : { ...view, interval: null };
  }

  #search(): string {
    const { place } = route;
    return place.page === "overview" && place.site === this.site ? place.search : "";
  }
}
