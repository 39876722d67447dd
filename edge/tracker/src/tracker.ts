import { address, count, forget_referrer } from "./event";
import { send_beacons } from "./queue";

/** The address counted last; empty while a view is still to be counted. */
let seen = "";

/** Counts a view of the current address, or leaves that to the moment it comes in sight. */
const view = (): void => {
  if (address() == seen) return;
  if (seen) seen = forget_referrer();
  if (document.hidden) return;
  seen = address();
  count("pageview");
};

/** Frameworks set the title after the address. */
const view_soon = () => setTimeout(view, 99);

const push_state = history.pushState;
history.pushState = (...change) => {
  push_state.apply(history, change);
  view_soon();
};
addEventListener("popstate", view_soon);

addEventListener("visibilitychange", () => (document.hidden ? send_beacons() : seen || view()));

// A page that comes back from the back/forward cache is viewed anew.
addEventListener("pagehide", () => (seen = ""));

const calls = window.millrace?.q;
window.millrace = count;
view();
calls?.forEach((call) => count(...call));
