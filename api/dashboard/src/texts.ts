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
    none: "There is no site yet. Add one on the server with this line, then load this page anew.",
    noneCommand: "millrace site add example.com",
    open: "Open the overview",
  },

  overview: {
    name: "Overview",
    ignored: (parts: string) =>
      `A part of this address was not understood and is left out: ${parts}`,
    zone: (zone: string) => `Days of ${zone}`,
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

  empty: {
    title: "Waiting for the first event",
    lead: (site: string) =>
      `Nothing has come from ${site} in the last half hour. If it is new, put this line into the head of every page:`,
    copy: "Copy",
    copied: "Copied",
    next: "Then open one of its pages in a browser: it shows up here within a second, without loading anew.",
    hints: "Nothing comes? Three usual reasons",
    reasons: [
      "A content blocker in your own browser stops the script: try a private window without one.",
      "Your browser asks not to be tracked (Do Not Track or Global Privacy Control), which Millrace respects.",
      "The page stands on another domain than the site's own and its subdomains: allow it in the site's settings.",
    ],
  },

  again: "Try again",
  chooseAnother: "Choose another",

  faults: {
    network: "The server does not answer. Check your connection, then try again.",
    unauthenticated:
      "E-mail or password is not right. If it is forgotten, millrace owner reset on the server sets a new one.",
    rateLimited: "Too many attempts. Please wait a minute.",
    unknownSite: "This site does not exist, or you may not see it.",
    unexpected: "That did not work. Try again; if it stays so, millrace logs api says why.",
  },
} as const;
