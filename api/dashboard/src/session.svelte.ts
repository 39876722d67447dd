/** Who is signed in. Whoever hears from the API that nobody is calls `end`. */

import { closeSession, openSession, openSessionByLink, readSession, type SignedIn } from "./api";

type Who = "unknown" | "none" | { email: string };

class Session {
  who = $state.raw<Who>("unknown");
  /** What adds the first owner, where there is none. */
  ownerCommand = $state.raw<string | null>(null);
  /** What an operator types before a verb, on the server. */
  program = $state.raw("millrace");

  /** Throws ApiFault. */
  async look(): Promise<void> {
    const found = await readSession();
    if ("email" in found) return this.begin(found);
    this.ownerCommand = found.command;
    this.program = found.program;
    this.end();
  }

  /** Throws ApiFault. */
  async open(email: string, password: string): Promise<void> {
    this.begin(await openSession(email, password));
  }

  /** By the token of a link that works once. Throws ApiFault. */
  async openByLink(token: string): Promise<void> {
    this.begin(await openSessionByLink(token));
  }

  begin({ email, program }: SignedIn): void {
    this.program = program;
    this.ownerCommand = null;
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
