/** Copy the text of an element; whether that worked. */
export async function copyText(element: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(element.textContent);
    return true;
  } catch {
    // A page that is not served securely has no clipboard: the text is marked, as if by hand.
    getSelection()?.selectAllChildren(element);
    return document.execCommand("copy");
  }
}
