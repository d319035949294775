// The colours that were chosen in this browser, for both pages; loaded before anything is drawn.

const STORED = "faunalens-theme";

/** What was chosen: light, dark, or as the system has it. */
export const theme = () => localStorage.getItem(STORED) ?? "system";

export function choose(name) {
  localStorage.setItem(STORED, name);
  apply();
}

function apply() {
  if (theme() === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme();
}

// chosen in another window
addEventListener("storage", apply);
apply();
