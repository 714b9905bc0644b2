// The inspector as a page of the site.

import { byId } from '../dom.js';
import { inspect } from './inspector.js';

inspect(byId('inspector'));
