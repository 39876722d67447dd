/** The part of the catalogue for patterns of robots. */
export const robots = {
  title: "Robots",
  lead: "Robots of a packaged list are never counted. What matches one of these isn’t either, from its adding on: it is stored, marked with the name, and in no number. The first that matches decides.",
  none: "Only the packaged list applies.",
  kinds: { user_agent: "User agent", network: "Network" },
  is: { robot: "is a robot", somebody: "counts, whatever the packaged list says" },
  since: (time: string) => `since ${time}`,
  remove: "Remove",
  removeOf: (name: string) => `Remove robot ${name}`,
  sure: "What comes from then on is judged without it.",

  add: "Add a pattern",
  adding: "Adding…",
  name: "Name of the robot",
  nameHelp: "As it stands under “Not counted”.",
  kind: "Known by its",
  pattern: "Pattern",
  patternHelp: {
    user_agent: "A regular expression, sought anywhere in the user agent, in any case: uptime-checker/[0-9]+",
    network: "As 203.0.113.0/24, or one address.",
  },
  allows: "It is no robot",
  allowsHelp: "For browsers that the packaged list takes for robots.",
} as const;
