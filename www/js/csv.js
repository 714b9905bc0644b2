// Tables for other programs, as RFC 4180 writes them.

/** A text that a spreadsheet would take for a formula is kept a text. @param {any} value */
function quoted(value) {
  const text = String(value ?? '');
  const plain = typeof value !== 'number' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

/** @param {any[][]} rows names of the columns first */
export function csv(rows) {
  return rows.map((row) => `${row.map(quoted).join(',')}\r\n`).join('');
}
