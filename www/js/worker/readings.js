// Owns the model that writes SQL and the database it is asked about: opens both, decodes, runs what was found.

import { serve } from './serve.js';
import { Database } from './sqlite.js';

/** @type {any} */ let readings = null;
/** @type {Database|null} */ let database = null;

serve({
  /** A model: files of the site by their addresses, or of the person. */
  async model({ base, files }, _, core) {
    const part = async (name) => {
      const file = files?.find((one) => one.name === name);
      if (file) return file;
      if (files) throw new Error(`a text-to-SQL model needs ${name}`);
      const answer = await fetch(base + name);
      if (!answer.ok) throw new Error(`${name} of the model is not there (${answer.status})`);
      return answer;
    };
    const [config, weights] = await Promise.all([part('config.json').then((one) => one.text()), part('model.safetensors').then((one) => one.arrayBuffer())]);
    const opened = new core.Readings(config, new Uint8Array(weights));
    readings?.free();
    readings = opened;
  },

  /** A database: `text` with its tables' statements, perhaps with rows, or the `bytes` of a file of SQLite. Answers its tables, and why there will be no results, if so. */
  async database({ name, text, bytes }, _, core) {
    if (!readings) throw new Error('there is no model yet');
    const known = (statements) => JSON.parse(readings.schema(statements, name));
    let opened = null;
    let without = '';
    let schema = null;
    if (bytes) {
      opened = await Database.file(new Uint8Array(bytes));
      if (!opened) throw new Error('this site was put together without SQLite, so it cannot open its files; paste the CREATE TABLE statements instead');
      schema = known(opened.texts(core.Readings.schemaQuery()).map(([sql]) => sql).join(';\n'));
    } else {
      // Read before it is run: what is no schema is refused by its line.
      schema = known(text);
      opened = await Database.empty();
      try {
        opened?.script(text);
      } catch (error) {
        opened?.close();
        opened = null;
        without = `queries are not run: ${error instanceof Error ? error.message : error}`;
      }
      if (!opened && !without) without = 'this site was put together without SQLite, so queries are not run';
    }
    database?.close();
    database = opened;
    return { ...schema, without };
  },

  /** A search; new nodes of its trees are told as they come. */
  search(asked, progress) {
    const began = performance.now();
    const found = JSON.parse(readings.run(JSON.stringify(asked), (nodes) => progress(JSON.parse(nodes)), database ? (sql) => database.run(sql) : undefined));
    return { ...found, milliseconds: performance.now() - began };
  },

  /** What was chosen before and a choice: what is to be kept. */
  choose(choosing) {
    return JSON.parse(readings.choose(JSON.stringify(choosing)));
  },

  /** What one query returns. */
  execute(sql) {
    return database ? JSON.parse(database.run(sql)) : null;
  },
});
