/** Light, dark, or like the system; kept in this browser alone. */

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const KEY = "millrace-theme";

class ThemeChoice {
  current = $state<Theme>(read());

  constructor() {
    this.#show();
  }

  choose(theme: Theme): void {
    this.current = theme;
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // A browser that keeps nothing still shows the choice until the page is left.
    }
    this.#show();
  }

  #show(): void {
    document.documentElement.dataset.theme = this.current;
  }
}

function read(): Theme {
  try {
    const kept = localStorage.getItem(KEY) as Theme;
    return THEMES.includes(kept) ? kept : "system";
  } catch {
    return "system";
  }
}

export const theme = new ThemeChoice();
