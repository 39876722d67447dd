/** The part of the catalogue for segments and exclusions. */
export const saved = {
  save: "Save these filters…",
  title: "Save these filters",
  name: "Name",
  as: "As",
  kinds: {
    segments: {
      name: "A segment",
      help: "To be chosen again by its name, here and in the API.",
    },
    exclusions: {
      name: "An exclusion",
      help: "Leave these out of every answer: what matches is in no number, the past too, until you take the exclusion back.",
    },
  },
  submit: "Save",
  working: "Saving…",
  leftOut: (name: string) => `“${name}” is left out of every answer from now on.`,
  takeBack: "Take it back in the settings",

  segment: "Segment",
  choose: "Saved segments",
  chooseOr: "Or a filter of its own:",
  removeSegment: (name: string) => `Take away: segment ${name}`,

  segments: {
    title: "Segments",
    lead: "Filters with a name, to be chosen on the overview under “Add filter”. To save one, filter the overview, then choose “Save these filters…”.",
    none: "No segment is saved.",
    remove: "Remove",
    removeOf: (name: string) => `Remove segment ${name}`,
    sure: "Whatever asks for it is refused from then on.",
  },

  exclusions: {
    title: "Exclusions",
    lead: "What matches one of these is left out of every answer, the past too. Nothing that is stored changes. To add one, filter the overview down to what is to be left out, then choose “Save these filters…”.",
    none: "Nothing is left out.",
    remove: "Take back",
    removeOf: (name: string) => `Take back exclusion ${name}`,
    sure: "Its events count again, the past too.",
    takesOut: (events: string) => `takes out ${events} events of the last 30 days`,
  },
} as const;
