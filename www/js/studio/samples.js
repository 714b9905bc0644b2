// Texts that show what drawing does to them, and some of the kind that the small models learned from.

export const SAMPLES = [
  ['sister', 'A sentence it can read', 'She was very happy to see her sister at the end of the day.'],
  ['friend', 'A reproach', 'My dear friend, you must not be so angry with your brother.'],
  ['nation', 'An address', 'The people of this country have a right to know what is done.'],
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

/** The one shown first: with a model, and where pictures are only drawn. */
export const first = (model) => (model ? SAMPLES[0][2] : SAMPLES[3][2]);
/** What speed is measured on. */
export const MEASURED_TEXT = SAMPLES[3][2];
