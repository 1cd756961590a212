/** Questions to the reader. */

const byId = (id) => document.getElementById(id);

/** Open a dialog, and return by which button it was closed; by Escape, by none. */
function asked(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
  });
}

/** Ask whether a job is to be cancelled. */
export async function confirmed(text) {
  byId("confirm-text").textContent = text;
  return (await asked(byId("confirm"))) === "cancel";
}

/** Ask for the server's token, and say why; return it, or null. */
export async function askToken(again) {
  const field = byId("token-field");
  byId("token-why").textContent = again
    ? "That is not its token. The operator keeps it in the file of --http-token-file."
    : "Its operator keeps it in the file of --http-token-file.";
  field.value = "";
  field.setAttribute("aria-invalid", again);
  await asked(byId("token"));
  return field.value || null;
}
