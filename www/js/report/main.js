// The program of a report that computes: the stored numbers made again, and the inspector. Nothing is started before it is asked for: by a button, or by the address
// (`#recompute`, `#inspect`, or what the inspector wrote there).

import { byId, make } from '../dom.js';
import { inspect } from '../circuit/inspector.js';
import { Recompute } from './recompute.js';
import { manifest } from './host.js';

function start() {
  const place = byId('interactive');
  const { exhibits } = manifest();
  const recompute = new Recompute(exhibits.filter((exhibit) => exhibit.check));
  const inspector = make('div', { hidden: true });
  const open = make('button', { type: 'button', id: 'inspect', text: 'Open the circuit inspector' });
  const show = () => {
    open.hidden = true;
    inspector.hidden = false;
    return inspect(inspector, { level: 3, target: inspector });
  };
  open.addEventListener('click', show);
  place.append(make('p', { class: 'row' }, recompute.button, open), recompute.place, inspector);
  recompute.offer();
  const wish = location.hash.slice(1);
  if (wish === 'recompute') recompute.run();
  if (wish === 'inspect' || wish.includes('=')) show().then(() => place.scrollIntoView());
}

start();
