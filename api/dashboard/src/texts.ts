import { onboarding } from "./onboarding/texts";
import { robots } from "./robots/texts";
import { saved } from "./saved/texts";

/** Every text of the pages, in one place. */
export const texts = {
  product: "Millrace",
  tagline: "Web analytics that does not lose a beacon",
  skip: "Skip to content",
  navigation: "Main",
  siteMenu: "Site",
  live: "Live",
  sites: "Sites",
  signOut: "Sign out",
  theme: { label: "Colours", system: "Like the system", light: "Light", dark: "Dark" },

  signIn: {
    title: "Sign in",
    email: "E-mail",
    password: "Password",
    submit: "Sign in",
    working: "Signing in…",
  },

  chooseSite: {
    title: "Sites",
    lead: "Choose the site to look at.",
  },

  overview: {
    name: "Overview",
    ignored: (parts: string) =>
      `A part of this address was not understood and is left out: ${parts}`,
    zone: (zone: string) => `Days and hours of ${zone}`,
    period: "Period",
    periods: {
      today: "Today",
      yesterday: "Yesterday",
      "last-7-days": "Last 7 days",
      "last-30-days": "Last 30 days",
      "last-91-days": "Last 91 days",
      "this-month": "This month",
      "last-month": "Last month",
      "this-year": "This year",
      "last-12-months": "Last 12 months",
      all: "All time",
    },
    holdsToday: "Periods called “last” hold today as well.",
    byCalendar: "By calendar",
    from: "From",
    to: "To",
    apply: "Show these days",
    wrongDates: "The first day is after the last.",
    previousMonth: "Previous month",
    nextMonth: "Next month",
    pickFirst: "Choose the first day, then the last.",
    pickLast: "Now choose the last day.",
    interval: "By",
    intervals: { hour: "Hour", day: "Day", week: "Week", month: "Month" },
    comparisons: {
      name: "Comparison",
      with: "Compared with",
      previous: "the period before",
      year: "the year before",
      custom: "days of your own",
      none: "nothing",
      sameWeekdays: "Same days of the week",
      sameWeekdaysHelp: "Moved so that both begin on the same day of the week.",
      apply: "Compare with these days",
    },
    compared: (days: string) => `Compared with ${days}`,
    comparedSoFar: (days: string) => `Compared with ${days}, up to the same time`,
    figures: {
      title: "Figures",
      draw: (name: string) => `Draw ${name} over time`,
      before: (value: string) => `before: ${value}`,
      same: "as before",
      fresh: "none before",
      more: (change: string) => `${change} more`,
      less: (change: string) => `${change} less`,
      points: (count: string) => (count === "1" ? "1 point" : `${count} points`),
      better: "better",
      worse: "worse",
      names: {
        visitors: "Visitors",
        visits: "Visits",
        pageviews: "Pageviews",
        views_per_visit: "Views per visit",
        bounce_rate: "Bounce rate",
        visit_duration: "Visit duration",
      },
      added: "daily visitors, added up",
      how: {
        visitors:
          "Distinct visitors of each day of the site, by a pseudonym that is good for one site and one day. Whoever comes on two days is two visitors: beyond one day these are daily visitors, added up.",
        visits:
          "A visitor’s events of one day with no gap of over 30 minutes. The site’s midnight ends a visit. A visit counts when any of its events is in the period.",
        pageviews: "Events named pageview. Bots are left out of every number.",
        views_per_visit: "Pageviews of the visits ÷ visits. Visits are measured whole.",
        bounce_rate:
          "Share of the visits with one pageview and no other interactive event. Lower is better.",
        visit_duration:
          "Mean of the time from a visit’s first event to its last; a visit of one event lasts 0 seconds.",
      },
    },
    chart: {
      title: (name: string) => `${name} over time`,
      now: "this period",
      table: "As a table",
      none: "Nothing was counted in this period.",
      noneFiltered: "Nothing was counted that these filters let through.",
      longer: "Choose a longer period",
      unfiltered: "Take the filters away",
      salted: (days: string) =>
        `On ${days} a part came when nothing was left to tell visitors by: some of them count once more.`,
    },
    open: {
      lost: (edge: string, events: string, days: string) =>
        `Edge ${edge} had acknowledged ${events} events that are lost for ever: ${days} may lack some of them.`,
      unknown: "Which part can still change is not known at the moment.",
      late: (day: string) =>
        `A browser that was offline sends what it has kept for up to 24 hours. Nothing up to ${day} can change any more.`,
    },
    notCounted: {
      title: "Not counted",
      lead: "What came in this period and is in no number above, whatever the filters.",
      reason: "Why",
      events: "Events",
      none: "Whatever came in this period was counted.",
      all: (reasons: string) => `All ${reasons} reasons`,
      missing: (days: string) => `Of ${days} it is no longer known.`,
      reasons: {
        bot: { known: {}, other: (rule: string) => `Robot, by the rule ${rule}` },
        exclusion: { known: {}, other: (name: string) => `Left out by your exclusion “${name}”` },
        dropped: {
          known: {
            dnt: "The browser asks not to be tracked (Do Not Track)",
            gpc: "The browser asks for privacy (Global Privacy Control)",
            prefetch: "The page was fetched ahead and may never have been seen",
            excluded: "The address is one that the site’s settings leave out",
          },
          other: (reason: string) => `Not kept: ${reason}`,
        },
        refused: {
          known: {
            forbidden_origin: "Refused: sent from a page of another site",
            rate_limited: "Refused: too many at once from one address",
            unauthenticated: "Refused: without a valid key",
            forbidden: "Refused: with a key that does not allow it",
            too_large: "Refused: larger than an event may be",
          },
          other: (code: string) => `Refused: ${code}`,
        },
        quarantined: { known: {}, other: (reason: string) => `Set aside for you to look at: ${reason}` },
      },
    },
    loading: "Loading…",
  },

  panels: {
    titles: {
      pages: "Pages",
      sources: "Sources",
      places: "Places",
      technology: "Technology",
      events: "Events",
    },
    tabs: {
      pages: "All",
      entryPages: "Entry",
      exitPages: "Exit",
      sources: "Sources",
      channels: "Channels",
      referrers: "Referrers",
      campaigns: "Campaigns",
      countries: "Countries",
      regions: "Regions",
      cities: "Cities",
      browsers: "Browsers",
      systems: "Systems",
      devices: "Devices",
      events: "Events",
    },
    dimensions: {
      "event:page": "Page",
      "event:name": "Event",
      "event:hostname": "Host",
      "visit:entry_page": "Entry page",
      "visit:exit_page": "Exit page",
      "visit:source": "Source",
      "visit:channel": "Channel",
      "visit:referrer": "Referrer",
      "visit:utm_source": "UTM source",
      "visit:utm_medium": "UTM medium",
      "visit:utm_campaign": "UTM campaign",
      "visit:utm_term": "UTM term",
      "visit:utm_content": "UTM content",
      "visit:country": "Country",
      "visit:region": "Region",
      "visit:city": "City",
      "visit:browser": "Browser",
      "visit:browser_version": "Browser version",
      "visit:os": "System",
      "visit:os_version": "System version",
      "visit:device": "Device",
    },
    metrics: {
      visitors: "Visitors",
      dailyVisitors: "Daily visitors",
      visits: "Visits",
      pageviews: "Pageviews",
      events: "Events",
      bounce_rate: "Bounce rate",
      visit_duration: "Duration",
    },
    devices: {
      desktop: "Desktop",
      mobile: "Mobile",
      tablet: "Tablet",
      tv: "TV",
      console: "Console",
    },
    unknown: "Unknown",
    noPage: "No page viewed",
    direct: "Direct or unknown",
    untagged: "Without",
    /** Of a text without a visible sign. */
    invisible: (codes: string) => `Invisible text (${codes})`,
    choice: "Show by",
    choose: "Choosing a row shows its part of everything.",
    openPage: (page: string) => `Open ${page} in a new tab`,
    more: "More",
    moreOf: (panel: string) => `More of ${panel}`,
    details: "Details",
    detailsOf: (panel: string) => `Details of ${panel}`,
    close: "Close",
    search: "Search",
    searchOf: (dimension: string) => `Search ${dimension}`,
    span: (first: string, last: string, total: string) => `${first}–${last} of ${total}`,
    before: "Back",
    after: "Next",
    sortBy: (metric: string) => `Sort by ${metric}`,
    exportCsv: "Export CSV",
    exporting: "Exporting…",
    exported: (rows: string) => `${rows} rows exported.`,
    loading: "Loading…",
    broken: "This panel cannot be shown. The others go on.",
    slow: "The answer took too long. Choose a shorter period, then try again.",
    nothingFound: "Nothing found. Try fewer letters.",
    nothingFiltered: "Nothing matches these filters.",
    nothing: "Nothing in this period. Choose a longer one.",
    noEvents: "No events of your own in this period. A page sends one with this line:",
    noEventsCode: 'millrace("signup", {props: {plan: "free"}})',
    noTags: "No visit came with this tag in its address. Links carry it like this:",
    noTagsCode: (tag: string) => `?${tag}=spring`,
  },

  filters: {
    name: "Filters",
    add: "Add filter",
    clear: "Take all away",
    none: "No filters",
    active: (filters: string) => `Only visits where ${filters}`,
    and: " and ",
    or: " or ",
    operators: {
      is: "is",
      is_not: "is not",
      contains: "contains",
      contains_not: "does not contain",
    },
    negate: (operator: string, opposite: string) => `${operator}: turn into “${opposite}”`,
    change: (value: string) => `${value}: change this filter`,
    remove: (filter: string) => `Take away: ${filter}`,
    addTitle: "Add a filter",
    changeTitle: "Change the filter",
    dimension: "What",
    operator: "How",
    values: "Values",
    typed: "Type a value, or choose below",
    choose: "Type to search, and choose below",
    addValue: "Add value",
    removeValue: (value: string) => `Take away ${value}`,
    suggestions: "Values in this period",
    noSuggestions: "No such value in this period.",
    needsValue: "Choose or type a value first.",
    apply: "Apply",
    groups: { pages: "Pages", sources: "Sources", places: "Places", technology: "Technology" },
  },

  here: (count: number) => (count === 1 ? "visitor now" : "visitors now"),
  hereHint: "seen in the last five minutes",
  pulse: "Pageviews, last five minutes",
  minutes: "Pageviews a minute, last half hour",
  minutesTotal: (count: string) => `${count} in all`,
  pulseTotal: (count: string) => `${count} pageviews`,
  filledLater: "arrived later, filled in",
  barTitle: (time: string, count: string, late: string | null, open: boolean) =>
    `${time}: ${count}${late ? `, of which ${late} arrived later` : ""}${open ? " (can still change)" : ""}`,
  countSoFar: (count: string) => `${count} (can still change)`,
  batches: (count: number, shown: string) => (count === 1 ? "1 batch" : `${shown} batches`),

  open: {
    key: "can still change",
    normal:
      "Normal: the newest seconds are always open, because a beacon takes a moment from the edge to this page.",
    unknown: (until: string) =>
      `Whether anything received after ${until} is still to come is not known at the moment.`,
    holds: (edge: string, batches: string, since: string) =>
      `Edge ${edge} still holds ${batches} received since ${since}; this part can still grow.`,
    silent: (edge: string, since: string, batches: string | null, ends: string) =>
      `Edge ${edge} has been silent since ${since}${batches ? `, with ${batches} in its spool` : ""}. What it received is filled in when it is heard again; if it is not, it is written off on ${ends}.`,
    lost: (edge: string, batches: string) =>
      `Edge ${edge} had acknowledged ${batches} that cannot be found. This part stays open until an operator has looked into it: millrace ledger says more.`,
    inFlight: (edge: string, batches: string) =>
      `${batches} of edge ${edge} wait at the primary to be stored; this part can still grow.`,
    behind: (edge: string, until: string) =>
      `Edge ${edge} has told only up to ${until} that it holds nothing back.`,
  },

  time: "Time",
  pageviews: "Pageviews",

  pages: "Top pages",
  sources: "Top sources",
  countries: "Top countries",
  direct: "Direct or unknown",
  unknownCountry: "Unknown",
  emptyRanking: "Nothing in the last half hour",

  feed: {
    title: "Events",
    empty: "Waiting for the first event…",
    onlyBots: (count: string) =>
      `Only bots so far: ${count} events, left out of the numbers. “Show bots” lists them.`,
    bots: "Show bots",
    late: "late",
    lateHint: "It happened a while before it arrived",
    bot: "bot",
    botHint: (rule: string) => `Left out of the numbers: ${rule}`,
    pageview: "viewed",
    from: "from",
    pause: "Pause",
    resume: "Go on",
  },

  silent: (edge: string, since: string) =>
    `Edge ${edge} has been silent since ${since}. What it holds back is filled in when it is heard again.`,
  writtenOff: (edge: string, since: string, ended: string) =>
    `Edge ${edge} has been silent since ${since} and was written off on ${ended}: the numbers go on without what it may hold.`,
  silentSpooled: (batches: string) => `It last reported ${batches} batches waiting in its spool.`,
  draining: (edge: string, batches: string) =>
    `Edge ${edge} is handing over ${batches} batches that it kept during an outage.`,

  asOf: (time: string) => `The numbers are those of ${time}.`,
  connection: {
    connecting: "Connecting…",
    live: "Live",
    waiting: "Connection lost, trying again…",
    ended: "Signed out",
  },

  unreachable:
    "The live connection cannot be made, so nothing new arrives here. On the server, millrace status shows whether the realtime gateway runs, and MILLRACE_LIVE_URL must be an address that this browser can reach. This page keeps trying.",

  quiet: {
    title: "Quiet just now",
    lead: (site: string) =>
      `Nothing has come from ${site} in the last half hour. What comes shows up here within a second, without loading anew.`,
    overview: "Earlier numbers",
    setup: "Snippet, and what is refused",
  },

  nowhere: {
    title: "There is no such page",
    lead: (path: string) => `Nothing stands at ${path}. The address may be mistyped, or be of an earlier version.`,
    sites: "All sites",
  },

  onboarding,
  robots,
  saved,

  again: "Try again",
  chooseAnother: "Choose another",

  faults: {
    network: "The server does not answer. Check your connection, then try again.",
    unauthenticated: (program: string) =>
      `E-mail or password is not right. If it is forgotten, ${program} owner reset on the server sets a new one.`,
    rateLimited: "Too many attempts. Please wait a minute.",
    unknownSite: "This site does not exist, or you may not see it.",
    unexpected: (program: string) =>
      `That did not work. Try again; if it stays so, ${program} logs api says why.`,
  },
} as const;
