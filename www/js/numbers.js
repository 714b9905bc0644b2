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

/** A whole number with thin spaces. @param {number} value */
export function count(value) {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

/** A share as per cent. @param {number} value */
export function percent(value) {
  const hundred = value * 100;
  return `${hundred > 99.5 && hundred < 100 ? hundred.toFixed(2) : hundred.toFixed(1)}%`;
}
