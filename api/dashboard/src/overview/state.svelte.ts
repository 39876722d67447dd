/** The overview of one site. Its address is the state; whatever changes it writes an address, so
    that Back undoes and a reload keeps. */

import { overviewPath, route } from "../route.svelte";
import { readView, type Understood, writeView } from "./address";
import { dayAt, daysIn, intervalsOf, type Span, spanBefore, spanOf, usualInterval } from "./period";
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
    this.span && this.view.comparison === "previous" ? spanBefore(this.span) : null,
  );
  /** Of all there is, as many as there are since the site's first event. */
  readonly days: number = $derived.by(() => daysIn(this.span ?? this.#everything));
  readonly intervals: Interval[] = $derived(intervalsOf(this.days));
  /** The chosen one where it fits the period, else the usual one. */
  readonly interval: Interval = $derived(
    this.intervals.find((one) => one === this.view.interval) ?? usualInterval(this.days),
  );
  /** Parts of the address that were not understood, and so are left out. */
  readonly ignored: string[] = $derived(
    this.view.interval && this.view.interval !== this.interval
      ? [...this.#understood.ignored, `by=${this.view.interval}`]
      : this.#understood.ignored,
  );

  readonly #since: number;

  /** `since`: epoch ms of the site's first event. */
  constructor(site: string, zone: string, since: number) {
    this.site = site;
    this.zone = zone;
    this.#since = since;
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
    this.change({ filters: DEFAULT_VIEW.filters });
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
