// Questions to a database as a person asks them, and against the command line and its SQLite.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFile, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { downloaded, launch, overflow, readCsv, serious } from './browser.mjs';
import { binary, cli, folder, root, serve, visit } from './site.mjs';

const skip = folder ? false : 'skipped: VITRINE_SITE not set';
if (skip && process.env.VITRINE_SKIPS) await appendFile(process.env.VITRINE_SKIPS, `questions to a database in the browser: ${skip}\n`);

const MODEL = join(root, 'www/models/sql');
const DATABASES = join(root, 'www/databases');
const METHODS = ['beam', 'diverse', 'top-p', 'logical-beam'];

/** A file of SQLite from statements, by another program. */
async function sqlite(statements, name) {
  const path = join(await mkdtemp(join(tmpdir(), 'vitrine-')), `${name}.sqlite`);
  execFileSync('python3', ['-c', 'import sqlite3, sys\nwith sqlite3.connect(sys.argv[1]) as c: c.executescript(sys.stdin.read())', path], { input: statements });
  return path;
}

describe('two readings', { skip, timeout: 900_000 }, () => {
  let browser;
  let server;
  let library;
  before(async () => {
    // The command line's own memory is no part of this.
    process.env.VITRINE_CONFIG = await mkdtemp(join(tmpdir(), 'vitrine-'));
    [browser, server] = await Promise.all([launch(), serve()]);
    library = JSON.parse(await readFile(join(DATABASES, 'databases.json'), 'utf8')).databases;
  });
  after(async () => {
    await browser?.close();
    server?.end();
  });

  const done = (page) => page.waitForFunction(() => globalThis.vitrine && !globalThis.vitrine.page.running && globalThis.vitrine.page.panels.every((panel) => panel.found));
  const opened = async (hash = '', context = {}) => {
    const visited = await visit(browser, server.url, { path: `readings.html${hash}`, context });
    await done(visited.page);
    return visited;
  };
  const ask = async (page, question) => {
    await page.locator('#question').fill(question);
    await page.locator('#search').click();
    await page.waitForFunction((question) => globalThis.vitrine.page.panels.every((panel) => panel.asked?.question === question), question);
    await done(page);
  };
  const refused = async (page, words) => {
    await page.locator('#notice', { hasText: words }).waitFor({ timeout: 30_000 });
    assert.equal((await page.locator('#notice').innerText()).match(/[.!?]$/)?.length, 1, 'one sentence');
  };
  const found = (page) => page.evaluate(() => Object.fromEntries(globalThis.vitrine.page.panels.map((panel) => [panel.method.id, panel.found])));
  const branches = (page, method) => page.locator(`#method-${method} .node`).count();

  test('four ways answer side by side, time can be moved, nothing is asked elsewhere', async () => {
    const { page, context, seen } = await opened('#db=players');
    const verdict = await page.locator('#verdict tbody').innerText();
    assert.match(verdict, /as entered.*number 1/s);
    assert.match(verdict, /missed/, 'drawing and groups miss the second reading here');
    for (const id of METHODS) assert.ok((await page.locator(`#method-${id} .ranked li`).count()) >= 1, id);
    const all = await branches(page, 'beam');
    await page.locator('#step').fill('1');
    assert.ok((await branches(page, 'beam')) < all);
    await page.locator('#on').click();
    assert.equal(await page.locator('#step').inputValue(), '2');
    await page.locator('#step').fill(await page.locator('#step').getAttribute('max'));
    assert.equal(await branches(page, 'beam'), all);
    await page.locator('#cuts').check();
    assert.ok((await branches(page, 'beam')) > all, 'what was cut is there too');
    await page.locator('#play').click();
    await page.waitForFunction(() => document.getElementById('step').value === '2');
    await page.locator('#play').click();
    await page.waitForURL(/cuts=1/);
    assert.deepEqual([seen.foreign, seen.errors, await page.evaluate(() => globalThis.violations)], [[], [], []]);
    await context.close();
  });

  test('lists, differences and results are those of the command line and its SQLite', async () => {
    const { page, context } = await opened('#width=6&seed=3&strength=1&p=0.95');
    const settings = { beam: [], diverse: ['--strength', '1'], 'top-p': ['-p', '0.95'], 'logical-beam': [] };
    let [largest, questions, rows, failing] = [0, 0, 0, 0];
    for (const { id, file, questions: asked } of library) {
      await page.locator('#database').selectOption(id);
      await page.waitForFunction((id) => globalThis.vitrine.page.opened?.id === id, id);
      await done(page);
      const db = await sqlite(await readFile(join(DATABASES, file), 'utf8'), id);
      for (const { question } of asked.slice(0, 3)) {
        await ask(page, question);
        const shown = await found(page);
        for (const method of METHODS) {
          const expected = cli('sql', 'decode', '--model', MODEL, '--db', db, '--question', question, '--method', method, '--width', '6', '--seed', '3', '--rows', '200', ...settings[method]);
          const plain = ({ log_prob, cost, ...rest }) => rest;
          assert.deepEqual(shown[method].answers.map(plain), expected.readings.map(plain), `${method}: ${question}`);
          assert.deepEqual([shown[method].forwards, shown[method].scored, shown[method].notes], [expected.forwards, expected.scored, expected.notes], `${method}: ${question}`);
          shown[method].answers.forEach((answer, i) => {
            largest = Math.max(largest, Math.abs(answer.log_prob - expected.readings[i].log_prob));
            rows += answer.rows?.length ?? 0;
            failing += answer.error === undefined ? 0 : 1;
          });
        }
        questions += 1;
      }
    }
    assert.ok(questions >= 10 && rows > 300 && failing > 0, `${questions} questions, ${rows} rows, ${failing} queries that fail`);
    assert.ok(largest < 1e-4, `log-probabilities differ by ${largest}`);
    console.log(`# ${questions} questions, 4 methods, ${rows} rows and ${failing} errors equal, largest difference of a log-probability ${largest.toExponential(1)}`);
    await context.close();
  });

  test('what a list holds is marked by its reading, and plans lead to templates and fills', async () => {
    const { page, context } = await opened('#db=films');
    const { question, readings } = library[0].questions[2];
    await ask(page, question);
    const shown = await found(page);
    for (const [i, { sql }] of readings.entries()) assert.ok(shown['logical-beam'].hits[i].length > 0, `LogicalBeam finds ${sql}`);
    assert.equal(await page.locator('#method-logical-beam .ranked .badge').count(), 2);
    assert.ok((await page.locator('#method-logical-beam mark').count()) >= 4, 'what differs is marked');
    const { ladder, searches } = shown['logical-beam'];
    assert.ok(ladder[0].preferred && ladder[0].plan.joins === 1 && ladder[0].number === 0);
    assert.ok(ladder.length >= 4, 'the plan and its neighbours');
    // Forks of a restricted fill are at names only, and say how many pieces were allowed there.
    const fill = searches[ladder[0].filled];
    const several = fill.nodes.filter((_, at) => fill.nodes.filter((node) => node.parent === at && node.fate !== 'cut').length > 1);
    assert.ok(several.length > 0 && several.every((node) => node.allowed > 1 && /table|column|name|alias/.test(node.reason)), JSON.stringify(several.map((node) => node.reason)));
    // A template's tree opens from the plan, and a query of the list shows its own place.
    const rung = page.locator('#method-logical-beam .rung').first();
    await rung.locator('button').first().click();
    assert.equal(await page.locator('#method-logical-beam h3.branches').innerText(), 'Template, as the model prefers it');
    await rung.locator('li button').nth(1).click();
    assert.equal(await page.locator('#method-logical-beam h3.branches').innerText(), 'What fills template 1');
    const told = await page.locator('#method-logical-beam .told').innerText();
    assert.ok(told.includes(ladder[0].fillings[1].sql), told);
    await page.locator('#method-logical-beam .answer').first().click();
    assert.equal(await page.locator('#method-logical-beam h3.branches').innerText(), 'Queries');
    await context.close();
  });

  test('the tree is walked by keys', async () => {
    const { page, context } = await opened('#db=players');
    await page.locator('#method-beam .node[tabindex="0"]').focus();
    for (let i = 0; i < 8; i += 1) await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowDown');
    const label = await page.evaluate(() => document.activeElement.getAttribute('aria-label'));
    await page.keyboard.press('Enter');
    const chosen = await page.locator('#method-beam .node.chosen').getAttribute('aria-label');
    assert.equal(chosen, label);
    await context.close();
  });

  test('what a person meant is remembered here, comes first next time as on the command line, and is forgotten when they say so', async () => {
    const { page, context, seen } = await opened('#db=films');
    const question = library[0].questions[0].question;
    await ask(page, question);
    const first = await found(page);
    const sqls = (answers) => answers.map(({ sql }) => sql);
    const own = sqls(first['logical-beam'].answers);
    assert.ok(own.length >= 3 && METHODS.every((method) => first[method].by_choice === false));
    assert.equal(await page.locator('#remembered').isHidden(), true);
    const kept = () => page.evaluate(() => Object.entries(localStorage).filter(([key]) => key.startsWith('vitrine.readings.')));
    await page.locator('#method-logical-beam').getByRole('button', { name: 'I meant query 3' }).click();
    await page.locator('#method-logical-beam .badge.meant').waitFor();
    await page.locator('#remembered').waitFor();
    assert.match(await page.locator('#remembered').innerText(), /one question.*this browser remembers it/is);
    assert.deepEqual(sqls((await found(page))['logical-beam'].answers), own, 'a list does not move while it is read');
    const [[key, text], ...more] = await kept();
    assert.match(key, /^vitrine\.readings\.[0-9a-f]{16}$/);
    assert.deepEqual([more, JSON.parse(text).choices.map((one) => [one.question, one.sql])], [[], [[question, own[2]]]]);
    // The same by the command line, which keeps the same of it under the same name.
    const db = await sqlite(await readFile(join(DATABASES, library[0].file), 'utf8'), 'films');
    const asked = (question, method, ...rest) => cli('sql', 'decode', '--model', MODEL, '--db', db, '--question', question, '--method', method, '--width', '5', '--rows', '200', ...rest);
    asked(question, 'logical-beam', '--choose', '3');
    assert.deepEqual(JSON.parse(text), JSON.parse(await readFile(join(process.env.VITRINE_CONFIG, 'readings', `${key.split('.').at(-1)}.json`), 'utf8')));
    // After a reload: that query first, what it prefers further up in other questions, and the page says so.
    await page.reload();
    await done(page);
    let moved = 0;
    for (const { question } of library[0].questions.slice(0, 3)) {
      await ask(page, question);
      const shown = await found(page);
      for (const method of METHODS) {
        const expected = asked(question, method);
        assert.deepEqual([sqls(shown[method].answers), shown[method].by_choice], [sqls(expected.readings), expected.by_choice], `${method}: ${question}`);
        assert.equal(await page.locator(`#method-${method}`).getByText('The order follows what you chose before').isVisible(), shown[method].by_choice);
        moved += shown[method].by_choice ? 1 : 0;
        // A query's place in its tree goes with it.
        const bare = (sql) => sql.toLowerCase().replace(/[\s;]/g, '');
        shown[method].places.forEach((place, at) => {
          if (!place) return;
          const { outputs } = shown[method].searches[place[0]];
          assert.ok(outputs.some((output) => output.node === place[1] && bare(output.text) === bare(shown[method].answers[at].sql)), `${method} ${at}`);
        });
      }
    }
    assert.ok(moved > 0);
    await ask(page, question);
    const again = sqls((await found(page))['logical-beam'].answers);
    assert.deepEqual([again[0], [...again].sort()], [own[2], [...own].sort()]);
    assert.equal(await page.locator('#method-logical-beam .ranked li').first().getByText('You meant this').count(), 1);
    // A file of the search tells nothing of what else was asked.
    const file = (await downloaded(page, () => page.locator('#method-logical-beam').getByRole('button', { name: 'Search (JSON)' }).click())).text;
    assert.ok(!file.includes('preferences'));
    // Other tables know nothing of it.
    await page.locator('#database').selectOption(library[1].id);
    await page.waitForFunction((id) => globalThis.vitrine.page.opened?.id === id, library[1].id);
    await done(page);
    assert.equal(await page.locator('#remembered').isHidden(), true);
    await page.locator('#database').selectOption('films');
    await page.waitForFunction(() => globalThis.vitrine.page.opened?.id === 'films');
    await done(page);
    await page.locator('#forget').click();
    await page.locator('#remembered').waitFor({ state: 'hidden' });
    assert.deepEqual([await kept(), await page.locator('.badge.meant').count()], [[], 0]);
    assert.equal(execFileSync(binary, ['sql', 'decode', '--db', db, '--question', question, '--forget'], { encoding: 'utf8' }), 'forgotten\n');
    await ask(page, question);
    assert.deepEqual(sqls((await found(page))['logical-beam'].answers), own);
    // What somebody else left under that name is no choice.
    await page.evaluate((key) => localStorage.setItem(key, '{"choices":[{"question":7}]}'), key);
    await ask(page, question);
    assert.deepEqual(sqls((await found(page))['logical-beam'].answers), own);
    assert.deepEqual([seen.foreign, seen.errors, await page.evaluate(() => globalThis.violations)], [[], [], []]);
    await context.close();
  });

  test('exports hold what is shown', async () => {
    const { page, context } = await opened('#db=players');
    const shown = await found(page);
    const json = JSON.parse((await downloaded(page, () => page.locator('#method-beam').getByRole('button', { name: 'Search (JSON)' }).click())).text);
    assert.equal(json.schema, 'vitrine.readings/1');
    assert.deepEqual(json.answers, shown.beam.answers);
    const all = JSON.parse((await downloaded(page, () => page.locator('#save-json').click())).text);
    assert.deepEqual(all.map(({ name }) => name), METHODS);
    const [head, ...rows] = readCsv((await downloaded(page, () => page.locator('#save-csv').click())).text);
    assert.deepEqual(head.slice(0, 3), ['method', 'place', 'sql']);
    assert.deepEqual(rows.map((row) => row[2]), METHODS.flatMap((method) => shown[method].answers.map(({ sql }) => sql)));
    assert.ok(rows.some((row) => row[5] === 'A') && rows.some((row) => row[5] === 'B'));
    const svg = (await downloaded(page, () => page.locator('#method-logical-beam').getByRole('button', { name: 'Tree (SVG)' }).click())).text;
    assert.match(svg, /^<svg[^>]+xmlns="http:\/\/www.w3.org\/2000\/svg"/);
    assert.ok(svg.includes('player_height') || svg.includes('height'));
    await context.close();
  });

  test('tables and files of one’s own: pasted, as statements, as a database', async () => {
    const { page, context, seen } = await opened();
    const statements = `CREATE TABLE ship (ship_id INTEGER PRIMARY KEY, "name" TEXT, empty_weight INTEGER, full_weight INTEGER, big INTEGER, note BLOB);
      INSERT INTO ship VALUES (1, '<img src=x onerror=alert(1)>', 10, 20, 9007199254740993, x'00ff'), (2, 'Ä, "b"', 11, NULL, -1, NULL);`;
    await page.locator('#schema summary').click();
    await page.locator('#ddl').fill(statements);
    await page.locator('#use').click();
    await page.waitForFunction(() => globalThis.vitrine.page.opened?.name === 'own');
    const question = 'What is the name and weight of each ship?';
    await ask(page, question);
    const pasted = await found(page);
    assert.equal(await page.locator('#verdict').isHidden(), true, 'the readings of another question are not known');
    const text = await page.locator('#method-logical-beam .ranked').innerText();
    assert.match(text, /<img src=x onerror=alert\(1\)>/, 'markup is text');
    const db = await sqlite(statements, 'ships');
    await page.locator('#files').setInputFiles(db);
    await page.waitForFunction(() => globalThis.vitrine.page.opened?.name === 'ships');
    await ask(page, question);
    const file = await found(page);
    for (const method of METHODS) {
      const expected = cli('sql', 'decode', '--model', MODEL, '--db', db, '--question', question, '--method', method, '--width', '5', '--rows', '200').readings;
      assert.deepEqual(file[method].answers.map(({ sql, rows, error }) => ({ sql, rows, error })), expected.map(({ sql, rows, error }) => ({ sql, rows, error })), method);
      assert.deepEqual(pasted[method].answers, file[method].answers, method);
    }
    // Numbers beyond a page's own keep their digits, as on the command line.
    const big = await page.evaluate(() => globalThis.vitrine.page.client.call('execute', 'select big, note, full_weight from ship order by ship_id'));
    assert.deepEqual(big.rows.rows[0], [{ integer: '9007199254740993' }, { blob: '00ff' }, { integer: '20' }]);
    assert.deepEqual(big.rows.rows[1], [{ integer: '-1' }, 'null', 'null']);
    assert.deepEqual([seen.foreign, seen.errors], [[], []]);
    await context.close();
  });

  test('nothing but one SELECT runs, within limits', async () => {
    const { page, context } = await opened();
    const run = (sql) => page.evaluate((sql) => globalThis.vitrine.page.client.call('execute', sql), sql);
    for (const [sql, why] of [
      ['DROP TABLE film', 'DROP'], ['insert into film values (1)', 'INSERT'], ['PRAGMA table_info(film)', 'PRAGMA'], ["ATTACH 'x' AS y", 'ATTACH'], ['', 'an empty query'], ['-- select\ndelete from film', 'DELETE'],
      ['with a as (select 1) delete from film', 'DELETE'], ['select 1; select 2', 'more than one statement'], ['select 1; drop table film', 'more than one statement'], ['select 1; nonsense', 'more than one statement'],
    ]) assert.deepEqual(await run(sql), { refused: why }, sql);
    assert.deepEqual((await run('select count(*) from film; -- that is all')).rows.rows, [[{ integer: '8' }]], 'and the rows are still there');
    assert.deepEqual(await run('with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n'), { late: 5 });
    assert.deepEqual(await run('with recursive n(i) as (select 1 union all select i + 1 from n) select i from n'), { large: { limit: 10000, what: 'rows' } });
    assert.deepEqual(await run('select hex(zeroblob(8000000)) from film'), { large: { limit: 16777216, what: 'bytes' } });
    assert.match((await run("select load_extension('x')")).failed, /no such function/, 'it is not even compiled in');
    assert.match((await run('select nowhere from film')).failed, /no such column: nowhere/);
    assert.match((await run(`select 1${' + 1'.repeat(500)}`)).failed, /too large|too deep|overflow/i);
    assert.deepEqual((await run('select 1')).rows.rows, [[{ integer: '1' }]]);
    await context.close();
  });

  test('schemas, files and questions that cannot be read are refused in one sentence', async () => {
    const { page, context, seen } = await opened();
    await page.locator('#schema summary').click();
    const use = async (statements, words) => {
      await page.locator('#ddl').fill(statements);
      await page.locator('#use').click();
      await refused(page, words);
    };
    await use('', /no CREATE TABLE/);
    await use("CREATE TABLE a (b);\nATTACH 'other.db' AS o;", /line 2/i);
    await use('PRAGMA writable_schema = 1; CREATE TABLE a (b)', /line 1/i);
    await use(`CREATE TABLE t (${'a('.repeat(200)}`, /line 1/i);
    const place = await mkdtemp(join(tmpdir(), 'vitrine-'));
    const choose = async (files, words) => {
      const paths = await Promise.all(Object.entries(files).map(async ([name, bytes]) => {
        await writeFile(join(place, name), bytes);
        return join(place, name);
      }));
      await page.locator('#files').setInputFiles(paths);
      await refused(page, words);
    };
    await choose({ 'a.sqlite': Buffer.alloc(4096, 7) }, /no SQLite database/);
    await choose({ 'b.sqlite': Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(4096, 255)]) }, /database|no SQLite/i);
    await choose({ 'c.txt': 'hello' }, /choose a database/i);
    await choose({ 'model.safetensors': Buffer.alloc(64, 255), 'config.json': '{}' }, /config\.json|missing field/i);
    await choose({ 'model.safetensors': Buffer.alloc(64, 255), 'config.json': await readFile(join(MODEL, 'config.json')) }, /header|safetensors/i);
    await choose({ 'model.safetensors': await readFile(join(MODEL, 'model.safetensors')), 'config.json': (await readFile(join(MODEL, 'config.json'), 'utf8')).replace('"letters"', '"minilm"') }, /encoder minilm/);
    // The example is still there, and answers.
    await page.locator('#question').fill('');
    await page.locator('#search').click();
    await refused(page, /question is empty/);
    await ask(page, library[0].questions[0].question);
    assert.equal(await page.locator('#notice').isHidden(), true);
    // Statements that never end: the tables are read, nothing is run.
    await page.locator('#ddl').fill('CREATE TABLE slow (slow_id INTEGER, name TEXT); INSERT INTO slow WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, i FROM n WHERE i < 0;');
    await page.locator('#use').click();
    await page.waitForFunction(() => /queries are not run: the statements took longer than 5 s/i.test(document.getElementById('about').textContent), null, { timeout: 60_000 });
    await ask(page, 'Show the name of all slow.');
    assert.equal((await found(page)).beam.answers[0].columns, undefined);
    assert.deepEqual(seen.foreign, []);
    await context.close();
  });

  test('without SQLite the queries are shown, and the page says what is missing', async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.route('**/bundles.json', async (route) => {
      const answer = await route.fetch();
      await route.fulfill({ response: answer, json: { ...(await answer.json()), sqlite: null } });
    });
    await page.goto(`${server.url}readings.html`);
    await done(page);
    assert.match(await page.locator('#about').innerText(), /without SQLite/);
    const { answers } = (await found(page)).beam;
    assert.ok(answers.length > 0 && answers.every((answer) => answer.columns === undefined && answer.error === undefined));
    await context.close();
  });

  test('no serious accessibility finding, narrow and wide, light and dark', async () => {
    for (const [width, colorScheme] of [[360, 'light'], [360, 'dark'], [1400, 'light'], [1400, 'dark']]) {
      const { page, context } = await opened('#cuts=1', { viewport: { width, height: 900 }, colorScheme, bypassCSP: true });
      await page.locator('#schema summary').click();
      await page.locator('#method-beam .result summary').first().click();
      assert.deepEqual(await serious(page), [], `${width} ${colorScheme}`);
      assert.ok((await overflow(page)).by <= 0, `nothing sticks out at ${width}`);
      await context.close();
    }
  });
});
