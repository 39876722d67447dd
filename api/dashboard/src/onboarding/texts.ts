/** The part of the catalogue for sites, keys, edges and owners. `program`: `./run` or `millrace`. */
export const onboarding = {
  copy: "Copy",
  copied: "Copied",
  marked: "Marked: press Ctrl+C",
  save: "Save",
  saving: "Saving…",
  saved: "Saved",
  keep: "Keep",
  nav: "Administration",
  keysName: "API keys",
  edgesName: "Edges",
  ownersName: "Owners",

  signIn: {
    linkFault: (program: string) =>
      `This link was used already, or is too old. Sign in with your password, or make a new link on the server: ${program} owner link.`,
    wrongAddress: (message: string) =>
      `At this address nothing can be changed: ${message}. If this one is right, set MILLRACE_API_URL to it on the server.`,
    noOwner: "Nobody can sign in yet",
    noOwnerLead: "Add the first owner on the server, in a terminal, with this line:",
    noOwnerCommand: "Command that adds an owner",
    noOwnerNext: "It asks for a password. Then sign in here.",
    look: "I have added one",
  },

  sites: {
    add: "Add a site",
    none: "There is no site yet. Add the first one: a domain and its time zone are enough.",
    overview: "Overview",
    live: "Live",
    setup: "Snippet",
    settings: "Settings",
    zone: (zone: string) => `Days in ${zone}`,
  },

  addSite: {
    title: "Add a site",
    domain: "Domain",
    domainHelp:
      "As in its address, without https:// and without a path. Its subdomains are counted too.",
    zone: "Time zone",
    zoneHelp: "Whose midnight begins a day in the reports. Proposed: that of this browser.",
    submit: "Add the site",
    working: "Adding…",
  },

  setup: {
    title: (site: string) => `Put Millrace into ${site}`,
    snippetLead: "Put this line into the head of every page:",
    snippet: "Snippet",
    next: "Then open one of its pages in a browser: it shows up here within a second or two, without loading anew.",
    waiting: "Waiting for the first event…",
    first: (time: string) => `The first event has come: ${time}`,
    firstLead: "It works. What comes from now on is counted.",
    overview: "Open the overview",
    live: "Watch it live",
    so: "What has come so far, and why it does not count",
    times: (count: string) => `${count} ×`,
    nothing: "Nothing at all has come yet. The usual reasons:",
    reasons: [
      "The line is not on the page yet, or the page comes from a cache: look for data-site in its source.",
      "The edge cannot be reached from your browser: the script's address must open there.",
      "A content blocker in your own browser stops the script: try a private window without one.",
      "Your browser asks not to be tracked (Do Not Track or Global Privacy Control), which Millrace respects.",
      "The page is on localhost, which counts only with data-local in the tag.",
    ],
    script: "Open the script's address",
    fault: "Not told anything new at the moment; this page keeps asking.",
  },

  outcomes: {
    forbidden_origin: {
      what: "from pages on another domain",
      next: (site: string) =>
        `Pages of ${site} and its subdomains may send. Allow the other address in the settings.`,
      link: "Allow an origin",
    },
    unknown_site: {
      what: "for a site that is not known here (all sites together, over the last day)",
      next: (site: string) => `Compare data-site in the page's source with ${site}, letter by letter.`,
    },
    rate_limited: {
      what: "over the site's rate",
      next: "The site sends more than its settings allow. Raise its events per second.",
      link: "Change the rate",
    },
    unavailable: {
      what: "while the edge could store nothing",
      next: (program: string) => `On the server, ${program} status says what is wrong.`,
    },
    dnt: {
      what: "with Do Not Track",
      next: "The browser asks not to be tracked, and the site respects that. Try another browser, or change it in the settings.",
      link: "Settings",
    },
    gpc: {
      what: "with Global Privacy Control",
      next: "The browser asks not to be tracked, and the site respects that. Try another browser, or change it in the settings.",
      link: "Settings",
    },
    prefetch: {
      what: "from pages that the browser only fetched ahead",
      next: "They count once somebody looks at them: open the page itself.",
    },
    excluded: {
      what: "from excluded addresses",
      next: "Your own address may be among them: see the settings.",
      link: "Excluded addresses",
    },
    otherRefusal: {
      what: (code: string) => `refused: ${code}`,
      next: (code: string) => `The browser's console says more; errors.md in the docs explains ${code}.`,
    },
    otherDrop: {
      what: (reason: string) => `dropped: ${reason}`,
      next: "The site's settings say what is kept, and for how long.",
      link: "Settings",
    },
    bots: {
      what: (rules: string) => `from bots: ${rules}`,
      next: "They are stored, and left out of the numbers. curl and the like are bots too: open the page in an ordinary browser.",
    },
    quarantined: {
      what: (reason: string) => `set aside, because they could not become events: ${reason}`,
      next: (program: string) => `On the server, ${program} quarantine list shows them.`,
    },
    underWay: {
      what: "on their way from the edge",
      next: (program: string) =>
        `They are safe, and usually here within a second. If not, ${program} status says what holds them up.`,
    },
    elsewhereDrop: {
      what: "not to be tracked, from a page that is not of a site known here",
      next: "Try a browser without Do Not Track and Global Privacy Control.",
    },
    silent: {
      never: (program: string) =>
        `No edge has been heard of yet, so nothing can come. On the server, ${program} status says what is wrong.`,
      since: (time: string, program: string) =>
        `No edge has been heard of since ${time}. What it takes meanwhile is kept and comes later; ${program} status says what is wrong.`,
    },
  },

  settings: {
    title: "Settings",
    zone: "Time zone",
    zoneHelp:
      "Whose midnight begins a day. A change holds from the next midnight of its own; what is counted already stays.",
    upcoming: (value: string, time: string) => `From ${time}: ${value}`,
    origins: "Further origins",
    originsHelp: (site: string) =>
      `One a line, such as https://shop.example. ${site} and its subdomains may send anyway; * allows every page.`,
    excluded: "Excluded addresses",
    excludedHelp:
      "One address or network a line, such as 192.0.2.7 or 2001:db8::/32: your own office, for one. What comes from there is dropped.",
    honour_dnt: "Respect Do Not Track and Global Privacy Control",
    honour_dntHelp: "Browsers that ask not to be tracked are not counted.",
    query_params: "Query parameters that are kept",
    query_paramsHelp:
      "One name a line. All others are cut off a page's address before it is stored; campaign parameters (utm_…) are read in any case.",
    allProps: "Keep every property of events",
    props: "Properties that are kept",
    propsHelp: "One name a line; all others are thrown away.",
    allow_user_id: "Keep the user ids that pages send",
    allow_user_idHelp:
      "They make visitors recognisable over days: your privacy policy should say so. Taken back, it holds at once.",
    keep_days: "Keep events for so many days",
    keep_daysHelp: "Empty: for as long as the installation is set to.",
    rows_in_database_days: "Keep events in the database for so many days",
    rows_in_database_daysHelp:
      "Older days then stand in the archive’s files alone, and are answered from those. 8 or more; empty: as long as events are kept.",
    keep_rollups_days: "Keep daily sums for so many days",
    keep_rollups_daysHelp:
      "They answer what is not filtered, also of days whose events are gone. Empty: for good.",
    events_per_s: "Events per second at each edge",
    events_per_sHelp: "What comes faster is refused and tried again later, so that one site cannot crowd out others.",
    noChange: "Nothing has changed.",
  },

  keys: {
    title: "API keys",
    lead: "For programs that ask for numbers or send events. A key is shown once, when it is made; only its hash is stored.",
    none: "There is no key yet.",
    add: "Make a key",
    adding: "Making…",
    scopes: "What it may do",
    scope: {
      query: "Ask for numbers",
      ingest: "Send events from a server, with their time and address",
      import: "Send events of any age",
      admin: "Change sites, keys and edges",
    },
    site: "For",
    everySite: "Every site",
    label: "Name",
    labelHelp: "To know it by.",
    made: "Made",
    state: "State",
    live: "works",
    revoked: (time: string) => `revoked ${time}`,
    new: (id: string) => `Key ${id}. Copy it now: it is not shown again.`,
    newLabel: "The new key",
    revoke: "Revoke",
    revokeOf: (name: string) => `Revoke ${name}`,
    sure: "It stops working for good.",
    unnamed: (id: string) => `Key ${id}`,
    chooseScope: "Choose at least one thing that it may do.",
  },

  owners: {
    title: "Owners",
    lead: "Who can sign in here. Every owner sees and changes everything.",
    since: (time: string) => `since ${time}`,
    add: "Add an owner",
    adding: "Adding…",
    added: (email: string) => `${email} can sign in now.`,
    first: "First password",
    firstHelp: "10 characters or more.",
    change: "Set a new password",
    changing: "Setting…",
    changed: (email: string) => `${email} has a new password.`,
    whose: "Whose",
    whoseHelp: "Every sign-in of theirs ends, but for this one.",
    fresh: "New password",
    own: "Your own password",
    ownHelp: "The one you sign in with now.",
  },

  edges: {
    title: "Edges",
    lead: "Where beacons arrive. The core reads the streams of those that stand here.",
    none: "There is no edge yet, so nothing can arrive.",
    name: "Edge",
    state: "State",
    heard: "Last heard",
    held: "Held back",
    inFlight: "Under way",
    lost: "Lost",
    never: "never",
    states: {
      new: "not heard yet",
      live: "live",
      silent: "silent",
      written_off: "written off",
      retired: "retired",
    },
    stateHelp: {
      new: "Registered, and not heard of yet: start it on its host with the settings that belong to it.",
      live: "Heard within the last seconds.",
      silent: "Not heard for over 5 seconds. What it takes it keeps, and hands over later.",
      written_off: "Not heard for 7 days: the numbers count as final without it until it returns.",
      retired: "Nobody waits for it. It comes back when it is heard again.",
    },
    batches: (count: number, shown: string) => (count === 1 ? "1 batch" : `${shown} batches`),
    heldBatches: (batches: string, bytes: string) => `${batches}, ${bytes}`,
    lostNext: (program: string) => `${program} ledger says which, and what to do.`,
    add: "Register an edge",
    adding: "Registering…",
    addHelp: "Lower-case letters, digits and hyphens.",
    added: (name: string) => `${name} is registered. On its host, set these:`,
    addedLabel: "Settings of the new edge",
    publicKeys: (program: string) => `…and the two public keys that ${program} keys public prints on the core.`,
    retire: "Retire",
    retireOf: (name: string) => `Retire ${name}`,
    sure: "Nobody waits for what it may still hold.",
    bringBack: "Bring back",
    bringBackOf: (name: string) => `Bring ${name} back`,
  },
} as const;
