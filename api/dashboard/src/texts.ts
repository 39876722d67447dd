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
    none: "There is no site yet. Add one with millrace site add, and it appears here.",
    open: "Open the live page",
  },

  here: (count: number) => (count === 1 ? "visitor now" : "visitors now"),
  hereHint: "seen in the last five minutes",
  pulse: "Pageviews, last five minutes",
  minutes: "Pageviews a minute, last half hour",
  minutesTotal: (count: string) => `${count} in all`,
  pulseTotal: (count: string) => `${count} pageviews`,
  filledLater: "arrived later, filled in",
  silence: "an edge was silent",
  barTitle: (time: string, count: string, late: string | null) =>
    late ? `${time}: ${count}, of which ${late} arrived later` : `${time}: ${count}`,
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

  faults: {
    network: "The server does not answer. Please try again.",
    unauthenticated: "E-mail or password is not right.",
    rateLimited: "Too many attempts. Please wait a minute.",
    unknownSite: "This site does not exist, or you may not see it.",
    unexpected: "That did not work. Please try again.",
  },
} as const;
