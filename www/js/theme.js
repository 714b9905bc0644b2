// Light or dark, before anything is painted. The dark colours of tokens.css stand in a media rule; choosing one by hand switches that rule on or off, so that no colour is
// written twice. A classic script in the head: it must run before the page shows.
(function () {
  'use strict';
  var KEY = 'vitrine.theme';
  var system = window.matchMedia('(prefers-color-scheme: dark)');

  // Where the browser keeps nothing, the choice lasts as long as the page.
  var unkept = null;

  function stored() {
    try {
      var value = localStorage.getItem(KEY);
      return value === 'light' || value === 'dark' ? value : null;
    } catch (error) {
      return unkept;
    }
  }

  function apply() {
    var chosen = stored();
    var sheet = document.getElementById('tokens').sheet;
    if (!sheet) return;
    Array.from(sheet.cssRules).forEach(function (rule) {
      if (!rule.media || rule.media.mediaText === 'print') return;
      rule.media.mediaText = chosen === 'dark' ? 'screen' : chosen === 'light' ? 'not all' : '(prefers-color-scheme: dark)';
    });
    document.documentElement.style.colorScheme = chosen || '';
  }

  window.vitrineTheme = {
    dark: function () { return stored() ? stored() === 'dark' : system.matches; },
    set: function (value) {
      unkept = value === (system.matches ? 'dark' : 'light') ? null : value;
      try {
        if (unkept) localStorage.setItem(KEY, unkept);
        else localStorage.removeItem(KEY);
      } catch (error) { /* As above. */ }
      apply();
      document.dispatchEvent(new Event('themechange'));
    },
  };
  apply();
  document.getElementById('tokens').addEventListener('load', apply);
  system.addEventListener('change', function () { apply(); document.dispatchEvent(new Event('themechange')); });
})();
