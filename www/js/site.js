// The frame that all pages share: the button for light and dark.
const button = document.getElementById('theme');

function show() {
  const dark = globalThis.vitrineTheme.dark();
  button.textContent = dark ? 'Light' : 'Dark';
  button.setAttribute('aria-label', dark ? 'Use light colours' : 'Use dark colours');
}

if (button && globalThis.vitrineTheme) {
  button.hidden = false;
  button.addEventListener('click', () => globalThis.vitrineTheme.set(globalThis.vitrineTheme.dark() ? 'light' : 'dark'));
  document.addEventListener('themechange', show);
  show();
}
