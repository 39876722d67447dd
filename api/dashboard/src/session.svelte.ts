/** Who is signed in. Whoever hears from the API that nobody is calls `end`. */

import { closeSession, readSession } from "./api";

type Who = "unknown" | "none" | { email: string };

class Session {
  who = $state.raw<Who>("unknown");

  /** Throws ApiFault. */
  async look(): Promise<void> {
    const email = await readSession();
    this.who = email === null ? "none" : { email };
  }

  begin(email: string): void {
    this.who = { email };
  }

  end = (): void => {
    this.who = "none";
  };

  async close(): Promise<void> {
    await closeSession().catch(() => undefined);
    this.end();
  }
}

export const session = new Session();
