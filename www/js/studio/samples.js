// Texts that show what drawing does to them.

export const SAMPLES = [
  ['plain', 'A sentence', 'It was a bright cold day in April, and the clocks were striking thirteen times for nobody at all.'],
  ['typos', 'Typos', 'Teh qiuck borwn fox jmups oevr the lzay dog. Raeding stlil wokrs, tkoens do not.'],
  ['alike', 'Look-alike letters', 'Pаypаl, Аpple and Gооgle: some letters here are Cyrillic. To a tokenizer these are other words; to the eye they are the same.'],
  ['scripts', 'Many scripts', 'English, Ελληνικά, Русский, 日本語の文章, 한국어, हिन्दी, ไทย'],
  ['rtl', 'Right to left', 'The word שלום means peace, and مرحبا means hello.'],
  ['emoji', 'Emoji and symbols', 'It is ☀ outside 😀 👩‍👩‍👧, 20 °C → 68 °F, ½ ≤ ¾, ♞ takes ♛.'],
  ['lines', 'Lines', 'First line\nSecond line\n\tindented by a tab'],
  ['long', 'One long word', 'Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft'.repeat(3)],
  ['empty', 'Nothing', ''],
];
