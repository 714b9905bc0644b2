// Texts on which tokenizers are known to go different ways: each once, in no order that matters.
const range = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => String.fromCodePoint(first + i));

const spaces = [' ', '\t', '\n', '\r', '\r\n', '\v', '\f', '\u0085', '\u00a0', '\u1680', '\u2003', '\u2028', '\u2029', '\u202f', '\u3000', '\u200b', '\ufeff'];

const written = [
  '',
  'The capital of France is',
  // Contractions, in both cases and with both apostrophes.
  "I'm you're he's we've they'll I'd can't", "I'M YOU'RE HE'S WE'VE THEY'LL I'D CAN'T", 'I’m you’re he’s', "'s 't 're 've 'm 'll 'd 'x '", "rock'n'roll 'twas o'clock",
  // Numbers: runs, groups, other scripts' digits, letters and fractions that count as numbers.
  '0 12 345 6789 01234567890', 'In 1984, 3.14159 and 1,000,000 or 0x1F4A9', '٣٤٥ ४५६ ７８９ ⅧⅨ ½¾ ²³ ①② 四五',
  'a1b22c333d4444', '1st 2nd 3rd 2026-11-23T12:34:56Z',
  // Punctuation and symbols.
  '...!!! ??? --- ___ ((([[[{{{', 'if (x[0] != "y") { return a->b && c::d; } // ok', '#!/usr/bin/env bash\n\tset -euo pipefail\n', '€£¥₿ ±×÷≠≤∞ →⇒∀∃ ©®™ §¶', 'a_b-c.d@e:f/g?h=i&j#k', '~`^|\\',
  // Letters: accents composed and apart, ligatures, case that changes length, look-alikes.
  'café cafe\u0301 naïve nai\u0308ve Ångström A\u030angstro\u0308m', 'ﬁne ﬂow ĳ Ǆ ß ẞ İ ı ŉ ǰ', 'ＦＵＬＬ ｗｉｄｔｈ ｶﾞ ㍿ ℃ ª º', 'z͓̖͎̿̊͗a͎̎l̶̽g̲̕o̠͗', '\u1e9b\u0323 \u0344 \u2126 \u212b',
  // Scripts.
  'Привет, мир! Ёлка', 'Γειά σου Κόσμε', 'שָׁלוֹם עוֹלָם', 'مرحبا بالعالم، كيف الحال؟', 'سلام\u200cعلیکم', 'नमस्ते दुनिया', 'สวัสดีชาวโลก', '안녕하세요 세계', '\u1112\u1161\u11ab', 'こんにちは世界。カタカナ、ｱｲｳ', '你好，世界！', '𠀀𠮷 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𐍈 𓀀', 'ქართული ᠮᠣᠩᠭᠣᠯ ዓለም ᏣᎳᎩ',
  'left \u202eright\u202c left \u2067isolate\u2069 \u200fmark',
  // Emoji: skin tones, families, flags, keycaps, variation selectors.
  '😀 👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇫🇷🇯🇵 1️⃣ ❤️ ❤ ☎︎', '🧑🏿‍🚀🧑🏿‍🚀',
  // Names of special tokens in the text, whole and broken.
  '<|im_start|>user\nHello<|im_end|>', '<|endoftext|>', ' <|im_end|> ', '<|im_end', '<|end|>the<|end|>', '[CLS] [SEP] [UNK] [MASK]',
  // Noncharacters, private use, the last code point, the replacement character.
  '\u0000 \u0001 \u007f', '\ufffd \ufffe \uffff \ue000 \u{10ffff}',
  // Long ones.
  'a'.repeat(500), ' '.repeat(300), '\n'.repeat(100), '1'.repeat(200), 'ab '.repeat(300), '😀'.repeat(60), '-'.repeat(257),
  'supercalifragilisticexpialidocious pneumonoultramicroscopicsilicovolcanoconiosis',
];

export const texts = [
  ...written,
  // Every run of one to five of each space: alone, before, between and after words.
  ...spaces.flatMap((space) => [1, 2, 3, 5].map((n) => space.repeat(n)).flatMap((run) => [run, `${run}a`, `a${run}`, `a${run}b`, `1${run}2`, `.${run}!`])),
  ' \t \n \r\n  x', 'x \n\n y\t\tz ', '  \n  \n',
  // Every character of the first blocks, alone and inside a word, in pieces.
  range(0x01, 0x7f).join(''), range(0x80, 0x17f).join(''), range(0x180, 0x24f).join('a'), range(0x2b0, 0x36f).join('e'), range(0x2000, 0x206f).join('x'),
];
