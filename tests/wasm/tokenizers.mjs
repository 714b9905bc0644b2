// Small tokenizers of every kind that vitrine reads, made here: the vocabulary is learned from the texts, as byte-pair encoding does.

// GPT-2's table: printable bytes stand for themselves, the other 68 are U+0100 and on.
const printable = (b) => (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
const others = Array.from({ length: 256 }, (_, b) => b).filter((b) => !printable(b));
const character = Array.from({ length: 256 }, (_, b) => String.fromCodePoint(printable(b) ? b : 0x100 + others.indexOf(b)));

// Joins the commonest pair of neighbours, `count` times; among equals the one met first.
function learn(texts, count) {
  const words = texts.flatMap((text) => text.slice(0, 200).match(/\s?\S+|\s+/gu) ?? []).map((word) => [...Buffer.from(word)].map((b) => character[b]));
  const merges = [];
  while (merges.length < count) {
    const pairs = new Map();
    for (const word of words) for (let i = 1; i < word.length; i += 1) {
      const pair = `${word[i - 1]} ${word[i]}`;
      pairs.set(pair, (pairs.get(pair) ?? 0) + 1);
    }
    const [best] = [...pairs].reduce((a, b) => (b[1] > a[1] ? b : a), ['', 0]);
    const [left, right] = best.split(' ');
    merges.push(best);
    for (const word of words) for (let i = 1; i < word.length; i += 1) if (word[i - 1] === left && word[i] === right) word.splice(i - 1, 2, left + right);
  }
  return merges;
}

const numbered = (tokens) => Object.fromEntries([...new Set(tokens)].map((token, id) => [token, id]));

const split = (pattern) => ({
  type: 'Sequence',
  pretokenizers: [
    { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false },
    { type: 'ByteLevel', add_prefix_space: false, use_regex: false },
  ],
});
const rest = String.raw` ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
const letters = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+`;
const byteLevel = { type: 'ByteLevel', add_prefix_space: false };
const steps = {
  gpt2: [byteLevel, null],
  smollm: [{ type: 'Sequence', pretokenizers: [{ type: 'Digits', individual_digits: true }, byteLevel] }, null],
  llama3: [split(`${letters}|\\p{N}{1,3}|${rest}`), null],
  qwen2: [split(`${letters}|\\p{N}|${rest}`), { type: 'NFC' }],
  folded: [byteLevel, { type: 'Sequence', normalizers: [{ type: 'NFKD' }, { type: 'StripAccents' }, { type: 'Lowercase' }] }],
};

export function tokenizers(texts) {
  const merges = learn(texts, 400);
  const special = ['<|endoftext|>', '<|im_end|>'];
  const vocab = numbered([...special, ...character, ...merges.map((merge) => merge.replace(' ', ''))]);
  const added = special.map((content, id) => ({ id, content, special: true, single_word: false, lstrip: false, rstrip: false, normalized: false }));
  const made = Object.entries(steps).map(([name, [pre_tokenizer, normalizer]]) => [
    name,
    { added_tokens: added, normalizer, pre_tokenizer, decoder: { type: 'ByteLevel' }, model: { type: 'BPE', vocab, merges, ignore_merges: name === 'llama3' } },
  ]);
  // WordPiece: every character of the texts, alone and as a continuation, and some words.
  const pieces = ['[UNK]', ...new Set(texts.flatMap((text) => [...text.toLowerCase().normalize('NFD')]).filter((c) => /[\p{L}\p{N}\p{P}\p{S}]/u.test(c)))];
  const words = ['the', 'capital', 'hello', 'world', '##ing', '##ed', '##able', 'can', 'cafe', 'you', '##ll'];
  const bert = numbered([...pieces.flatMap((c) => [c, `##${c}`]), ...words]);
  made.push(['bert', {
    added_tokens: [{ id: 0, content: '[UNK]', special: true }],
    normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: { type: 'WordPiece', unk_token: '[UNK]', continuing_subword_prefix: '##', max_input_chars_per_word: 100, vocab: bert },
  }]);
  return made;
}
