// How numbers are written. Nothing is computed here.

const MINUS = '−';

/** At most four digits that matter. @param {number} value */
export function brief(value) {
  if (!Number.isFinite(value)) return '–';
  if (value === 0) return '0';
  const size = Math.abs(value);
  const text = size >= 1e-4 && size < 1e7 ? String(Number(size.toPrecision(4))) : size.toExponential(2);
  return (value < 0 ? MINUS : '') + text;
}

/** A fixed number of digits after the point. @param {number} value @param {number} digits */
export function fixed(value, digits) {
  return (value < 0 ? MINUS : '') + Math.abs(value).toFixed(digits);
}

/** A whole number, with separators from 10,000 on as in a report's tables. @param {number} value */
export function count(value) {
  const text = String(Math.round(value));
  return text.length > 4 ? text.replace(/\B(?=(\d{3})+$)/g, ',') : text;
}

/** A share as per cent. @param {number} value */
export function percent(value) {
  const hundred = value * 100;
  return `${hundred > 99.5 && hundred < 100 ? hundred.toFixed(2) : hundred.toFixed(1)}%`;
}
