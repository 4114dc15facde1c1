/** Makes a button copy the text of an element, and say so for a moment. */
export function copyButton(button: HTMLButtonElement, from: HTMLElement): void {
  const label = button.textContent;
  button.addEventListener('click', () => {
    void copy(from).then((ok) => {
      button.textContent = ok ? 'Copied' : 'Selected';
      window.setTimeout(() => (button.textContent = label), 1500);
    });
  });
}

/** On plain HTTP there is no clipboard; then the text is selected for the viewer. */
async function copy(from: HTMLElement): Promise<boolean> {
  getSelection()?.selectAllChildren(from);
  try {
    await navigator.clipboard.writeText(from.textContent ?? '');
    return true;
  } catch {
    return document.execCommand('copy');
  }
}
