// The comfort of the page: sorting, searching, downloads, the circuit's read-out and the hash check. Everything that
// matters stands in the page without it. Data come from the inert JSON blocks and are shown by textContent only.
(function () {
  'use strict';

  var MINUS = '\u2212';

  function blockText(id) {
    var element = document.getElementById(id);
    return element ? element.textContent : '';
  }

  var parsed = {};
  function findingsOf(run) {
    if (!parsed[run]) parsed[run] = JSON.parse(blockText('data-findings-' + run));
    return parsed[run];
  }

  function panelOf(section) {
    return findingsOf(section.dataset.run).panels[Number(section.dataset.panel) - 1];
  }

  function make(name, className, text) {
    var element = document.createElement(name);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  // Untrusted text: hidden and direction-changing characters as visible signs, at most `limit` characters.
  var HIDDEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff]/g;
  function visible(text, limit) {
    var letters = text.length > limit ? Array.from(text.slice(0, 4 * limit)) : null;
    var short = letters && letters.length > limit ? letters.slice(0, limit).join('') + '\u2026' : text;
    return short.replace(HIDDEN, function (c) {
      return '\u27e8U+' + c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0') + '\u27e9';
    });
  }

  function brief(value) {
    if (value === 0) return '0';
    var size = Math.abs(value);
    var text = size >= 1e-4 && size < 1e7 ? String(Number(size.toPrecision(4))) : size.toExponential(2);
    return (value < 0 ? MINUS : '') + text;
  }

  function bdi(text) {
    return make('bdi', '', visible(text, 120));
  }

  // Downloads.

  function save(name, type, text) {
    var url = URL.createObjectURL(new Blob([text], { type: type }));
    var link = make('a');
    link.href = url;
    link.download = name;
    document.body.appendChild(link);
    link.click();
    link.remove();
    setTimeout(function () { URL.revokeObjectURL(url); }, 1000);
  }

  // A text that a spreadsheet would run as a formula gets an apostrophe in front.
  function csvCell(value) {
    if (value === null || value === undefined) return '';
    if (typeof value === 'number' || typeof value === 'boolean') return String(value);
    var text = /^[=+\-@\t\r]/.test(value) ? "'" + value : value;
    return /[",\r\n]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
  }

  function withUnit(axis) {
    return axis.unit ? axis.label + ' (' + axis.unit + ')' : axis.label;
  }

  function rowsOf(body) {
    var rows = [];
    if (body.kind === 'table') {
      rows.push(body.columns.map(function (column) { return column.unit ? column.name + ' (' + column.unit + ')' : column.name; }));
      body.rows.forEach(function (row) { rows.push(row); });
    } else if (body.kind === 'series') {
      rows.push(['line', withUnit(body.x), withUnit(body.y), 'low', 'high']);
      body.lines.forEach(function (line) {
        line.x.forEach(function (x, at) {
          rows.push([line.name, x, line.y[at], line.band ? line.band.low[at] : null, line.band ? line.band.high[at] : null]);
        });
      });
    } else if (body.kind === 'bars') {
      rows.push(['category', 'group', withUnit(body.value), 'low', 'high']);
      body.categories.forEach(function (category, at) {
        body.groups.forEach(function (group) {
          var measured = group.values[at] !== null && group.band;
          rows.push([category, group.name, group.values[at], measured ? group.band.low[at] : null, measured ? group.band.high[at] : null]);
        });
      });
    } else if (body.kind === 'searches') {
      rows.push(['search', 'branch', 'goes on from', 'text', body.score_label, 'may follow', 'fate', 'place', 'note']);
      body.trees.forEach(function (tree) {
        tree.branches.forEach(function (branch, at) {
          rows.push([tree.name, at + 1, branch.parent === null ? null : branch.parent + 1, branch.text, branch.score, branch.allowed, branch.fate, branch.place === null ? null : branch.place + 1, branch.note]);
        });
        tree.list.forEach(function (listed, at) {
          rows.push([tree.name, null, null, listed.text, listed.score, null, 'list', at + 1, [listed.source].concat(listed.readings.map(function (reading) { return body.readings[reading]; })).join('; ')]);
        });
      });
    } else if (body.kind === 'circuit') {
      rows.push(['from', 'to', body.weight_label || 'weight', 'kept', 'set']);
      body.edges.forEach(function (edge) {
        rows.push([body.writers[edge[0]].name, body.readers[edge[1]].name, edge[2], edge[3], body.sets[edge[4]] || '']);
      });
    }
    return rows;
  }

  function csv(body) {
    return rowsOf(body).map(function (row) { return row.map(csvCell).join(','); }).join('\r\n') + '\r\n';
  }

  // The drawing with its style, in the light colours.
  function standalone(section) {
    var drawings = Array.from(section.querySelectorAll('figure svg.fig:not(.sample)'));
    var copy = (drawings.find(function (svg) { return svg.classList.contains('wide'); }) || drawings[0]).cloneNode(true);
    copy.classList.remove('focused');
    copy.querySelectorAll('.lit, .chosen').forEach(function (part) { part.classList.remove('lit', 'chosen'); });
    var style = document.getElementById('figure-style').textContent;
    style = style.replace(/@media \(prefers-color-scheme: dark\) \{\s*:root \{[^}]*\}\s*\}/, '').replace('color-scheme: light dark;', '');
    var element = document.createElementNS(copy.namespaceURI, 'style');
    element.textContent = style;
    copy.insertBefore(element, copy.firstChild);
    return new XMLSerializer().serializeToString(copy);
  }

  // Tables: sort by a heading, filter by words. Sorting uses the data's numbers, not their shown form.

  function enhanceTable(section) {
    var body = panelOf(section).body;
    var table = section.querySelector('table.data');
    var tbody = table.tBodies[0];
    var rows = Array.from(tbody.rows);
    Array.from(table.tHead.rows[0].cells).forEach(function (cell, at) {
      var button = make('button');
      button.type = 'button';
      while (cell.firstChild) button.appendChild(cell.firstChild);
      cell.appendChild(button);
      button.addEventListener('click', function () {
        var down = cell.getAttribute('aria-sort') === 'ascending';
        Array.from(table.tHead.rows[0].cells).forEach(function (other) { other.removeAttribute('aria-sort'); });
        cell.setAttribute('aria-sort', down ? 'descending' : 'ascending');
        var order = rows.map(function (_, index) { return index; });
        order.sort(function (left, right) {
          return compare(body.rows[left][at], body.rows[right][at], down) || left - right;
        });
        order.forEach(function (index) { tbody.appendChild(rows[index]); });
      });
    });
    if (rows.length < 8) return;
    var words = make('p', 'find');
    var input = make('input');
    input.type = 'search';
    input.id = section.id + '-filter';
    input.autocomplete = 'off';
    var name = make('label', '', 'Filter rows');
    name.htmlFor = input.id;
    var found = make('span', 'found');
    found.setAttribute('role', 'status');
    words.append(name, input, found);
    section.querySelector('.scroll').before(words);
    input.addEventListener('input', function () {
      var wanted = input.value.toLowerCase();
      var left = 0;
      rows.forEach(function (row) {
        row.hidden = wanted !== '' && row.textContent.toLowerCase().indexOf(wanted) < 0;
        if (!row.hidden) left += 1;
      });
      found.textContent = wanted ? left + ' of ' + rows.length + ' rows' : '';
    });
  }

  // Missing values come last in either direction; numbers before words.
  function compare(a, b, down) {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a !== typeof b) return typeof a === 'number' ? -1 : 1;
    var order = a < b ? -1 : a > b ? 1 : 0;
    return down ? -order : order;
  }

  // Circuits: a box under the pointer or the focus lights its edges and tells its strongest ones.

  function enhanceCircuit(section) {
    var body = panelOf(section).body;
    var svg = section.querySelector('svg.circuit');
    var nodes = Array.from(svg.querySelectorAll('.node'));
    var paths = Array.from(svg.querySelectorAll('.edge'));
    var readout = section.querySelector('figure .readout');
    var kept = body.edges.filter(function (edge) { return edge[3]; });
    kept.sort(function (a, b) { return Math.abs(b[2]) - Math.abs(a[2]); });
    var pinned = -1;

    function touches(reader, node) { return body.readers[reader].nodes.indexOf(node) >= 0; }

    function list(edges, end) {
      return edges.slice(0, 5).map(function (edge) {
        return visible(body[end === 0 ? 'writers' : 'readers'][edge[end]].name, 40) + ' (' + brief(edge[2]) + ')';
      }).join(', ') + (edges.length > 5 ? ', \u2026' : '');
    }

    function show(node) {
      svg.classList.toggle('focused', node >= 0);
      nodes.forEach(function (box) { box.classList.remove('lit', 'chosen'); });
      paths.forEach(function (path) { path.classList.remove('lit'); });
      if (node < 0) {
        readout.textContent = 'Point at a box to see its strongest inputs and outputs; press it to hold them. With the keyboard: Tab, arrow keys, Enter, Escape.';
        return;
      }
      var lit = {};
      lit[node] = true;
      var into = kept.filter(function (edge) { return touches(edge[1], node); });
      var out = kept.filter(function (edge) { return body.writers[edge[0]].node === node; });
      into.forEach(function (edge) { lit[body.writers[edge[0]].node] = true; });
      out.forEach(function (edge) { body.readers[edge[1]].nodes.forEach(function (at) { lit[at] = true; }); });
      paths.forEach(function (path) {
        var writer = body.writers[Number(path.dataset.w)];
        if (writer.node === node || touches(Number(path.dataset.r), node)) path.classList.add('lit');
      });
      nodes.forEach(function (box) {
        var index = Number(box.dataset.n);
        box.classList.toggle('lit', lit[index] === true);
        box.classList.toggle('chosen', index === node);
      });
      var data = body.nodes[node];
      var head = [visible(data.name, 60)];
      if (data.label) head.push(visible(data.label, 120));
      if (data.group !== null && data.group !== undefined) head.push(visible(body.groups[data.group], 60));
      readout.replaceChildren(make('b', '', head.join(' \u00b7 ')));
      readout.append('\nInputs: ' + into.length + (into.length ? ': ' + list(into, 0) : ''));
      readout.append('\nOutputs: ' + out.length + (out.length ? ': ' + list(out, 1) : ''));
    }

    readout.hidden = false;
    show(-1);
    svg.setAttribute('role', 'group');
    nodes.forEach(function (box, at) {
      var index = Number(box.dataset.n);
      box.setAttribute('tabindex', at === 0 ? '0' : '-1');
      box.setAttribute('role', 'button');
      box.setAttribute('aria-label', visible(body.nodes[index].name, 60) + (box.classList.contains('off') ? ', not in the circuit' : ''));
      box.addEventListener('mouseenter', function () { if (pinned < 0) show(index); });
      box.addEventListener('mouseleave', function () { if (pinned < 0) show(-1); });
      box.addEventListener('focus', function () { if (pinned < 0) show(index); });
      box.addEventListener('blur', function () { if (pinned < 0) show(-1); });
      box.addEventListener('click', function () { toggle(index); });
      box.addEventListener('keydown', function (event) {
        if (event.key === 'Enter' || event.key === ' ') {
          event.preventDefault();
          toggle(index);
        } else if (event.key === 'Escape') {
          pinned = -1;
          show(-1);
        } else if (event.key.indexOf('Arrow') === 0) {
          event.preventDefault();
          step(box, event.key);
        }
      });
    });

    function toggle(index) {
      pinned = pinned === index ? -1 : index;
      nodes.forEach(function (box) { box.setAttribute('aria-pressed', String(Number(box.dataset.n) === pinned)); });
      show(pinned < 0 ? index : pinned);
    }

    // The nearest box in the arrow's direction.
    function step(box, key) {
      var from = centre(box);
      var side = key === 'ArrowLeft' || key === 'ArrowRight' ? 0 : 1;
      var sign = key === 'ArrowRight' || key === 'ArrowDown' ? 1 : -1;
      var best = null;
      var least = Infinity;
      nodes.forEach(function (other) {
        var to = centre(other);
        var along = (to[side] - from[side]) * sign;
        if (along < 2) return;
        var cost = along + 3 * Math.abs(to[1 - side] - from[1 - side]);
        if (cost < least) {
          least = cost;
          best = other;
        }
      });
      if (!best) return;
      box.setAttribute('tabindex', '-1');
      best.setAttribute('tabindex', '0');
      best.focus();
    }

    function centre(box) {
      var rect = box.querySelector('.box');
      return [Number(rect.getAttribute('x')) + Number(rect.getAttribute('width')) / 2, Number(rect.getAttribute('y'))];
    }

    var details = section.querySelector('details.edges');
    var input = details.querySelector('input');
    var found = details.querySelector('.found');
    var tbody = details.querySelector('tbody');
    var still = Array.from(tbody.rows);
    details.querySelector('.find').hidden = false;
    input.addEventListener('input', function () {
      var wanted = input.value.toLowerCase().trim();
      if (!wanted) {
        found.textContent = '';
        tbody.replaceChildren.apply(tbody, still);
        return;
      }
      var hits = kept.filter(function (edge) {
        return (body.writers[edge[0]].name + ' \u2192 ' + body.readers[edge[1]].name).toLowerCase().indexOf(wanted) >= 0;
      });
      found.textContent = hits.length + ' of ' + kept.length + ' edges' + (hits.length > 100 ? ', the strongest 100 shown' : '');
      tbody.replaceChildren.apply(tbody, hits.slice(0, 100).map(function (edge) {
        var row = make('tr');
        var from = make('th', 'txt');
        from.scope = 'row';
        from.append(bdi(body.writers[edge[0]].name));
        var to = make('td', 'txt');
        to.append(bdi(body.readers[edge[1]].name));
        row.append(from, to, make('td', 'num', brief(edge[2])));
        return row;
      }));
    });
  }

  // SHA-256: the browser's own, or this one where there is none (FIPS 180-4).

  var primes = [];
  for (var candidate = 2; primes.length < 64; candidate += 1) {
    if (primes.every(function (prime) { return candidate % prime !== 0; })) primes.push(candidate);
  }
  function fraction(value) { return ((value - Math.floor(value)) * 4294967296) | 0; }
  var ROUND = primes.map(function (prime) { return fraction(Math.cbrt(prime)); });
  var START = primes.slice(0, 8).map(function (prime) { return fraction(Math.sqrt(prime)); });

  function sha256(bytes) {
    var state = START.slice();
    var length = Math.ceil((bytes.length + 9) / 64) * 64;
    var padded = new Uint8Array(length);
    padded.set(bytes);
    padded[bytes.length] = 128;
    var view = new DataView(padded.buffer);
    view.setUint32(length - 8, Math.floor(bytes.length / 536870912));
    view.setUint32(length - 4, (bytes.length << 3) >>> 0);
    var words = new Int32Array(64);
    function turn(word, by) { return (word >>> by) | (word << (32 - by)); }
    for (var offset = 0; offset < length; offset += 64) {
      for (var i = 0; i < 16; i += 1) words[i] = view.getInt32(offset + 4 * i);
      for (i = 16; i < 64; i += 1) {
        var x = words[i - 15];
        var y = words[i - 2];
        words[i] = words[i - 16] + words[i - 7] + (turn(x, 7) ^ turn(x, 18) ^ (x >>> 3)) + (turn(y, 17) ^ turn(y, 19) ^ (y >>> 10));
      }
      var a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
      for (i = 0; i < 64; i += 1) {
        var first = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + ROUND[i] + words[i]) | 0;
        var second = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
        h = g; g = f; f = e; e = (d + first) | 0; d = c; c = b; b = a; a = (first + second) | 0;
      }
      [a, b, c, d, e, f, g, h].forEach(function (word, at) { state[at] = (state[at] + word) | 0; });
    }
    return state.map(function (word) { return (word >>> 0).toString(16).padStart(8, '0'); }).join('');
  }

  // For the program of a page that computes, too.
  window.vitrineSha256 = digest;

  function hash(text) {
    return digest(new TextEncoder().encode(text));
  }

  function digest(bytes) {
    if (!(window.crypto && crypto.subtle)) return Promise.resolve(sha256(bytes));
    return crypto.subtle.digest('SHA-256', bytes).then(function (found) {
      return Array.from(new Uint8Array(found), function (byte) { return byte.toString(16).padStart(2, '0'); }).join('');
    });
  }

  function blocks() {
    return Array.from(document.querySelectorAll('script[data-sha256]'));
  }

  function check() {
    var result = document.getElementById('check-result');
    var list = blocks();
    return Promise.all(list.map(function (block) { return hash(block.textContent); })).then(function (hashes) {
      var wrong = list.filter(function (block, at) { return hashes[at] !== block.dataset.sha256; });
      result.hidden = false;
      result.className = 'readout ' + (wrong.length ? 'bad' : 'good');
      result.textContent = wrong.length
        ? 'Not all is well: ' + wrong.map(function (block) { return block.id; }).join(', ') + ' differ from the listed SHA-256.'
        : 'All ' + list.length + ' data blocks match their SHA-256.';
    });
  }

  function copy(button) {
    var text = button.parentElement.querySelector('code').textContent;
    function done(words) {
      button.textContent = words;
      setTimeout(function () { button.textContent = 'Copy'; }, 1500);
    }
    function select() {
      var range = document.createRange();
      range.selectNodeContents(button.parentElement.querySelector('code'));
      var selection = window.getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      done(document.execCommand('copy') ? 'Copied' : 'Selected');
    }
    if (navigator.clipboard) navigator.clipboard.writeText(text).then(function () { done('Copied'); }, select);
    else select();
  }

  document.addEventListener('click', function (event) {
    var button = event.target.closest && event.target.closest('button[data-do]');
    if (!button) return;
    var section = button.closest('.panel');
    var panel = section && panelOf(section);
    switch (button.dataset.do) {
      case 'csv': save(panel.id + '.csv', 'text/csv', csv(panel.body)); break;
      case 'json': save(panel.id + '.json', 'application/json', JSON.stringify(panel, null, 1)); break;
      case 'svg': save(panel.id + '.svg', 'image/svg+xml', standalone(section)); break;
      case 'check': check(); break;
      case 'copy': copy(button); break;
      case 'all':
        save('report.json', 'application/json', '{"schema":"vitrine.report/1","runs":[' + blocks().filter(function (block) { return /^data-(run|findings)-/.test(block.id); }).map(function (block, at) {
          return (at % 2 ? '"findings":' : (at ? ',{' : '{') + '"run":') + block.textContent + (at % 2 ? '}' : ',');
        }).join('') + ']}');
        break;
    }
  });

  document.querySelectorAll('.tools[hidden], button[hidden]').forEach(function (element) { element.hidden = false; });
  document.querySelectorAll('.panel.table').forEach(enhanceTable);
  document.querySelectorAll('.panel.circuit').forEach(enhanceCircuit);
})();
