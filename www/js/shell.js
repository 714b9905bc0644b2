// Words of a shown command, as a shell takes them.

/** A text as one word. @param {string} text */
export const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** An option with its text; a text that begins like an option is tied to it. @param {string} name @param {string} text */
export const option = (name, text) => `${name}${text.startsWith('-') ? '=' : ' '}${quote(text)}`;
