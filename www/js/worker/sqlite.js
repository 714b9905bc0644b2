// SQLite for the worker: a database in memory that answers one SELECT at a time and nothing else.
//
// Queries come from models and schemas from anywhere, so none is trusted. SQLite asks for leave for each thing a statement would do, and only reading rows and calling functions is allowed; a
// clock is looked at every few thousand steps of its machine; rows, bytes, lengths and memory have limits. The rules are those of the command line (native/src/sql).

import { sqlite } from '../host.js';

/** Most rows and bytes of a result, most time of a query, steps of SQLite's machine between two looks at the clock. */
const MOST_ROWS = 10_000;
const MOST_BYTES = 16 << 20;
const MOST_MS = 5_000;
const STEPS = 4_000;
/** Memory that a database may take beside its file. */
const MOST_MEMORY = 128 << 20;

const quiet = () => {};
let loading = null;

/** SQLite, loaded once; null where the site was put together without it. */
function engine() {
  loading ??= (async () => {
    const module = await sqlite();
    if (!module) return null;
    // It would look for the browser's file systems, and tell the console of those that it lacks; none is used here.
    const disable = { vfs: Object.fromEntries(['opfs', 'opfs-vfs', 'opfs-wl', 'opfs-sahpool', 'kvvfs'].map((name) => [name, true])) };
    globalThis.sqlite3ApiConfig = { disable, warn: quiet, debug: quiet, log: quiet, error: quiet };
    return module.default({ print: quiet, printErr: quiet });
  })();
  return loading;
}

/** Why a query has no rows, as the core's bindings read it. */
class Refusal extends Error {
  constructor(answer) {
    super('refused');
    this.answer = answer;
  }
}

/** The first word of a statement, comments left out. @param {string} sql */
function firstWord(sql) {
  return /^(?:\s+|--[^\n]*(?:\n|$)|\/\*[^]*?(?:\*\/|$))*([A-Za-z]{0,20})/.exec(sql)?.[1] ?? '';
}

export class Database {
  /** An empty database, or null where there is no SQLite. */
  static async empty() {
    const made = await engine();
    return made && new Database(made, null);
  }

  /** A file's database. @param {Uint8Array} bytes */
  static async file(bytes) {
    const made = await engine();
    return made && new Database(made, bytes);
  }

  /** @param {any} sqlite3 @param {Uint8Array|null} bytes */
  constructor(sqlite3, bytes) {
    this.capi = sqlite3.capi;
    this.wasm = sqlite3.wasm;
    this.db = new sqlite3.oo1.DB(':memory:', 'c');
    this.names = Object.fromEntries(['SELECT', 'READ', 'FUNCTION', 'RECURSIVE', 'INSERT', 'UPDATE', 'DELETE', 'CREATE_TABLE', 'CREATE_INDEX', 'REINDEX', 'TRANSACTION', 'PRAGMA', 'ATTACH', 'DETACH', 'DROP_TABLE', 'ALTER_TABLE', 'CREATE_TRIGGER', 'CREATE_VIEW', 'CREATE_VTABLE', 'ANALYZE', 'SAVEPOINT'].map((name) => [this.capi[`SQLITE_${name}`], name]));
    this.deadline = 0;
    this.late = false;
    this.refused = '';
    try {
      this.db.exec(`PRAGMA hard_heap_limit = ${MOST_MEMORY + (bytes?.length ?? 0)}; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;`);
      if (bytes) this.fill(bytes);
      this.restrict();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** @param {Uint8Array} bytes */
  fill(bytes) {
    const { capi, wasm } = this;
    if (bytes.length < 512 || new TextDecoder('latin1').decode(bytes.subarray(0, 15)) !== 'SQLite format 3') throw new Error('this file is no SQLite database');
    const at = wasm.allocFromTypedArray(bytes);
    // A database with a write-ahead log has to be read as one without: the log is another file.
    const heap = wasm.heap8u();
    if (heap[Number(at) + 18] === 2) heap.fill(1, Number(at) + 18, Number(at) + 20);
    const flags = capi.SQLITE_DESERIALIZE_FREEONCLOSE | capi.SQLITE_DESERIALIZE_READONLY;
    if (capi.sqlite3_deserialize(this.db.pointer, 'main', at, bytes.length, bytes.length, flags) !== 0) throw new Error('this file is no SQLite database');
  }

  restrict() {
    const { capi, db } = this;
    for (const [limit, most] of [['LENGTH', 16 << 20], ['SQL_LENGTH', 4 << 20], ['EXPR_DEPTH', 200], ['COMPOUND_SELECT', 100], ['ATTACHED', 0], ['LIKE_PATTERN_LENGTH', 1000]]) capi.sqlite3_limit(db, capi[`SQLITE_LIMIT_${limit}`], most);
    this.allow(['SELECT', 'READ', 'FUNCTION', 'RECURSIVE']);
    capi.sqlite3_progress_handler(db, STEPS, () => {
      this.late = performance.now() > this.deadline;
      return this.late ? 1 : 0;
    }, 0);
  }

  /** From here on, statements may do this and nothing else. @param {string[]} actions */
  allow(actions) {
    const { capi } = this;
    const allowed = new Set(actions.map((name) => capi[`SQLITE_${name}`]));
    capi.sqlite3_set_authorizer(this.db, (_, action, first, second) => {
      const extension = action === capi.SQLITE_FUNCTION && /^load_extension$/i.test(second ?? '');
      if (allowed.has(action) && !extension) return capi.SQLITE_OK;
      this.refused = (this.names[action] ?? 'this statement').replaceAll('_', ' ');
      return capi.SQLITE_DENY;
    }, 0);
  }

  /** Makes the tables of a script, and their rows. @param {string} text */
  script(text) {
    this.allow(['SELECT', 'READ', 'FUNCTION', 'RECURSIVE', 'INSERT', 'UPDATE', 'CREATE_TABLE', 'CREATE_INDEX', 'REINDEX', 'TRANSACTION']);
    this.begin();
    try {
      this.db.exec(text);
    } catch (error) {
      throw new Error(this.late ? `the statements took longer than ${MOST_MS / 1000} s` : this.refused ? `${this.refused} is not run here` : said(error));
    } finally {
      this.restrict();
    }
  }

  begin() {
    Object.assign(this, { deadline: performance.now() + MOST_MS, late: false, refused: '' });
  }

  /** What one query returns, as text that the core's bindings read. @param {string} sql @returns {string} */
  run(sql) {
    try {
      return JSON.stringify({ rows: this.rows(sql) });
    } catch (error) {
      return JSON.stringify(error instanceof Refusal ? error.answer : this.late ? { late: MOST_MS / 1000 } : this.refused ? { refused: this.refused } : { failed: said(error) });
    }
  }

  /** Rows of a query of our own, as plain values. @param {string} sql @returns {string[][]} */
  texts(sql) {
    return this.rows(sql).rows.map((row) => row.map((cell) => cell.text ?? ''));
  }

  rows(sql) {
    const { capi } = this;
    this.begin();
    const word = firstWord(sql).toLowerCase();
    if (!['select', 'with', 'values'].includes(word)) throw new Refusal({ refused: word ? word.toUpperCase() : 'an empty query' });
    const statement = this.prepare(sql);
    try {
      if (!capi.sqlite3_stmt_readonly(statement)) throw new Refusal({ refused: 'a statement that writes' });
      const count = capi.sqlite3_column_count(statement);
      const columns = Array.from({ length: count }, (_, i) => capi.sqlite3_column_name(statement, i));
      const rows = [];
      let bytes = 0;
      for (;;) {
        const state = capi.sqlite3_step(statement);
        if (state === capi.SQLITE_DONE) return { columns, rows };
        if (state !== capi.SQLITE_ROW) throw new Error(capi.sqlite3_errmsg(this.db));
        if (rows.length >= MOST_ROWS) throw new Refusal({ large: { limit: MOST_ROWS, what: 'rows' } });
        rows.push(columns.map((_, i) => this.cell(statement, i)));
        for (let i = 0; i < count; i += 1) bytes += 16 + capi.sqlite3_column_bytes(statement, i);
        if (bytes > MOST_BYTES) throw new Refusal({ large: { limit: MOST_BYTES, what: 'bytes' } });
      }
    } finally {
      capi.sqlite3_finalize(statement);
    }
  }

  /** One statement and nothing behind it. @param {string} sql */
  prepare(sql) {
    const { capi, wasm } = this;
    const scope = wasm.scopedAllocPush();
    try {
      const [text, length] = wasm.scopedAllocCString(sql, true);
      const [made, rest] = [wasm.scopedAllocPtr(), wasm.scopedAllocPtr()];
      const compile = (from, bytes) => {
        wasm.pokePtr(made, 0);
        if (capi.sqlite3_prepare_v3(this.db, from, bytes, 0, made, rest) !== 0) throw new Error(capi.sqlite3_errmsg(this.db));
        return wasm.peekPtr(made);
      };
      const statement = compile(text, length);
      if (!statement) throw new Refusal({ refused: 'an empty query' });
      try {
        // What follows the first semicolon may be blank or a comment, and no statement.
        const after = wasm.peekPtr(rest);
        const left = length - (Number(after) - Number(text));
        if (left > 0 && compile(after, left)) {
          capi.sqlite3_finalize(wasm.peekPtr(made));
          throw new Refusal({ refused: 'more than one statement' });
        }
      } catch (error) {
        capi.sqlite3_finalize(statement);
        throw error instanceof Refusal ? error : new Refusal({ refused: 'more than one statement' });
      }
      return statement;
    } finally {
      wasm.scopedAllocPop(scope);
    }
  }

  cell(statement, i) {
    const { capi, wasm } = this;
    const bytes = () => {
      const at = Number(capi.sqlite3_column_blob(statement, i));
      return wasm.heap8u().slice(at, at + capi.sqlite3_column_bytes(statement, i));
    };
    switch (capi.sqlite3_column_type(statement, i)) {
      case capi.SQLITE_INTEGER: return { integer: String(capi.sqlite3_column_int64(statement, i)) };
      case capi.SQLITE_FLOAT: {
        const number = capi.sqlite3_column_double(statement, i);
        return Number.isFinite(number) ? { real: number } : { text: String(number) };
      }
      case capi.SQLITE_TEXT: return { text: new TextDecoder().decode(bytes()) };
      case capi.SQLITE_BLOB: return { blob: Array.from(bytes(), (byte) => byte.toString(16).padStart(2, '0')).join('') };
      default: return 'null';
    }
  }

  close() {
    this.db.close();
  }
}

/** What SQLite says, in one line. @param {unknown} error */
function said(error) {
  const words = error instanceof Error ? error.message : String(error);
  return words.split('\n')[0].replace(/^(?:SQLITE_\w+: )?(?:sqlite3 result code \d+: )?/, '').slice(0, 300);
}
