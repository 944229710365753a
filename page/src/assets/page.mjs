// What makes the page nicer. Reading needs none of it.

// Reads a page with running work again, and replaces its content, unless somebody uses it.
const main = document.getElementById('main');
if (main?.dataset.live) {
  const seconds = Math.max(2, Number(main.dataset.live));
  const again = async () => {
    const isUsed = document.hidden || main.contains(document.activeElement) || String(getSelection());
    if (!isUsed) {
      try {
        const answer = await fetch(location.href, { headers: { accept: 'text/html' } });
        if (answer.ok) {
          const read = new DOMParser().parseFromString(await answer.text(), 'text/html');
          const fresh = read.getElementById('main');
          if (fresh) {
            const open = [...main.querySelectorAll('details')].map((it) => it.open);
            main.replaceChildren(...fresh.childNodes);
            main.querySelectorAll('details').forEach((it, at) => { it.open = open[at] ?? it.open; });
            if (!fresh.dataset.live) return;
          }
        }
      } catch {
        // The server may be away for a moment.
      }
    }
    setTimeout(again, seconds * 1000);
  };
  setTimeout(again, seconds * 1000);
}

// A button that copies a text.
for (const text of document.querySelectorAll('pre[data-copy]')) {
  if (!navigator.clipboard) break;
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'quiet copy';
  button.textContent = 'Copy';
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(text.textContent);
    button.textContent = 'Copied';
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  });
  text.before(button);
}

// The key `/` goes to the search.
document.addEventListener('keydown', (event) => {
  const isTyping = event.target.closest('input, textarea, select, [contenteditable]');
  if (event.key !== '/' || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  const search = document.querySelector('[data-focus="/"]');
  if (search) {
    event.preventDefault();
    search.focus();
    search.select();
  }
});
