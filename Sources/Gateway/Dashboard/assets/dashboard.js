// The dashboard of the gateway: one listing poll to discover tasks, one WebSocket (action dialect,
// `signalbox.v1`) to follow them. Everything a peer wrote reaches the page through `textContent` only.

// ---- Bounds and times --------------------------------------------------------------------------

/** Tasks asked for and rows kept; older ones leave the page so that its memory does not grow with the day. */
const ROWS_SHOWN_MAX = 100;
/** Open questions shown at once; further ones are asked for again when these are settled. */
const DECISIONS_SHOWN_MAX = 50;
/** Characters of one value (a result, an error) put on the page. */
const VALUE_CHARACTERS_MAX = 20_000;
/** Characters of feedback sent with an answer; the gateway's message limit is 64 KiB. */
const FEEDBACK_CHARACTERS_MAX = 2_000;
/** Milliseconds between two listings, while the page is visible. */
const POLL_INTERVAL = 2_000;
/** Milliseconds of the shortest and the longest wait before a reconnect. */
const BACKOFF_MIN = 500;
const BACKOFF_MAX = 20_000;
/** Milliseconds: an overloaded or draining gateway (1012, 1013) is left alone for at least this long. */
const BACKOFF_OVERLOAD_MIN = 3_000;
/** Milliseconds a connection has to live before the back-off starts from its beginning again. */
const STABLE_AFTER = 5_000;
/** Milliseconds: the socket has to be open by then. */
const CONNECT_TIMEOUT = 8_000;
/** Milliseconds of silence before we ask whether anybody is there, and how long the answer may take. */
const SILENCE_MAX = 25_000;
const ANSWER_TIMEOUT = 10_000;
/** Milliseconds a settled decision stays readable. */
const SETTLED_SHOWN = 6_000;

const TOKEN_KEY = 'signalbox.token';
const TERMINAL = new Set(['completed', 'failed', 'cancelled']);

// ---- Small tools -------------------------------------------------------------------------------

const byId = (id) => document.getElementById(id);

/** A new element with classes and text; text only ever through `textContent`. */
function make(tag, className = '', text = '') {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

/** Writes text only where it differs, so that assistive technology and layout see real changes only. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function setHidden(element, hidden) {
  if (element.hidden !== hidden) element.hidden = hidden;
}

function isText(value) {
  return typeof value === 'string' && value !== '';
}

/** A value as people read it: text as it is, everything else as indented JSON, cut at the bound. */
function display(value) {
  const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2) ?? '';
  return text.length > VALUE_CHARACTERS_MAX ? `${text.slice(0, VALUE_CHARACTERS_MAX)}… (cut)` : text;
}

/** Seconds as `42s`, `3m 05s`, `2h 07m`, `4d 03h`. */
function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (number) => String(number).padStart(2, '0');
  if (whole < 60) return `${whole}s`;
  if (whole < 3_600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
  if (whole < 86_400) return `${Math.floor(whole / 3_600)}h ${two(Math.floor(whole / 60) % 60)}m`;
  return `${Math.floor(whole / 86_400)}d ${two(Math.floor(whole / 3_600) % 24)}h`;
}

/** A count with its thousands kept apart. */
function number(value) {
  return Number.isFinite(value) ? value.toLocaleString('en') : String(value);
}

function clockTime(unixSeconds) {
  return Number.isFinite(unixSeconds) ? new Date(unixSeconds * 1_000).toLocaleString() : '';
}

/** Gateway time minus browser time, in seconds: deadlines are counted on the gateway's clock. */
let clockSkew = 0;
const now = () => Date.now() / 1_000 + clockSkew;

/** Writes one of the masthead's figures, its noun in the singular where it is one. */
function setFigure(name, count) {
  setText(byId(`figure-${name}`), Number.isFinite(count) ? number(count) : '–');
  setText(byId(`figure-${name}-noun`), count === 1 ? name.slice(0, -1) : name);
}

function announce(text) {
  byId('announcements').textContent = text;
}

// ---- Token -------------------------------------------------------------------------------------

const access = {
  token: sessionStorage.getItem(TOKEN_KEY) ?? '',
  use(token) {
    this.token = token;
    if (token) sessionStorage.setItem(TOKEN_KEY, token);
    else sessionStorage.removeItem(TOKEN_KEY);
  },
  /** The user the token speaks for, where it is a JWT that says so. Only for display: the gateway decides. */
  get subject() {
    try {
      const payload = this.token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
      const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0));
      const subject = JSON.parse(new TextDecoder().decode(bytes)).sub;
      return isText(subject) ? subject : null;
    } catch {
      return null;
    }
  },
};

// ---- HTTP --------------------------------------------------------------------------------------

class HTTPProblem extends Error {
  constructor(status, problem) {
    super(problem?.detail || problem?.title || `HTTP ${status}`);
    this.status = status;
    this.code = problem?.code;
  }
}

/** One call to the gateway that serves this page; resolves to the parsed JSON or throws an `HTTPProblem`. */
async function call(path, { method = 'GET', body } = {}) {
  const headers = { Accept: 'application/json' };
  if (access.token) headers.Authorization = `Bearer ${access.token}`;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  const response = await fetch(path, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    cache: 'no-store',
    signal: AbortSignal.timeout(CONNECT_TIMEOUT),
  });
  const value = await response.json().catch(() => null);
  if (!response.ok) throw new HTTPProblem(response.status, value);
  return value;
}

// ---- The connection ----------------------------------------------------------------------------

/** One WebSocket that comes back by itself. `onMessage` gets parsed objects, `onReady` runs after each opening. */
class Link {
  #socket = null;
  #attempt = 0;
  #timer = 0;
  #openedAt = 0;
  #heardAt = 0;
  #asked = false;
  #drainDelay = 0;
  #reconnectAt = 0;
  #stopped = false;

  constructor({ onMessage, onReady, onRefused }) {
    this.onMessage = onMessage;
    this.onReady = onReady;
    this.onRefused = onRefused;
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  open() {
    clearTimeout(this.#timer);
    this.#stopped = false;
    this.#discard();
    this.#show('connecting', 'connecting');
    const url = new URL('/ws', location.href);
    url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
    const protocols = ['signalbox.v1'];
    if (access.token) protocols.push(`bearer.${access.token}`);
    let socket;
    try {
      socket = new WebSocket(url, protocols);
    } catch {
      // A token with characters that no subprotocol may have: trying again cannot help.
      this.#stopped = true;
      this.#show('stopped', 'not connected');
      this.onRefused('The token has characters that cannot be sent.');
      return;
    }
    this.#socket = socket;
    this.#asked = false;
    this.#timer = setTimeout(() => socket.close(), CONNECT_TIMEOUT);
    socket.onopen = () => {
      if (socket !== this.#socket) return;
      clearTimeout(this.#timer);
      this.#openedAt = this.#heardAt = performance.now();
    };
    socket.onmessage = (event) => {
      if (socket !== this.#socket) return;
      this.#heardAt = performance.now();
      this.#asked = false;
      this.#receive(event.data);
    };
    socket.onclose = (event) => {
      if (socket === this.#socket) this.#closed(event);
    };
  }

  send(message) {
    if (!this.isOpen) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  close() {
    clearTimeout(this.#timer);
    this.#stopped = true;
    this.#discard();
  }

  /** Reconnects at once if it only waits: the network came back, or somebody looks at the page again. */
  hurry() {
    if (!this.#stopped && this.#socket === null) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.open(), Math.random() * BACKOFF_MIN);
    }
  }

  /** Called once a second: finds a connection that died without a word, and counts down to the next attempt. */
  tick() {
    if (this.isOpen) {
      const silence = performance.now() - this.#heardAt;
      if (silence > SILENCE_MAX + ANSWER_TIMEOUT && this.#asked) {
        this.#socket.close();
        this.#closed({ code: 1006, reason: '' });
      } else if (silence > SILENCE_MAX && !this.#asked) {
        this.#asked = true;
        this.#heardAt = performance.now() - SILENCE_MAX;
        this.send({ action: 'ping' });
      }
    } else if (this.#socket === null && !this.#stopped) {
      const left = Math.max(0, Math.ceil((this.#reconnectAt - performance.now()) / 1_000));
      this.#show('waiting', `${this.reason}, again in ${left}s`);
    }
  }

  #receive(data) {
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    if (message === null || typeof message !== 'object') return;
    if (message.type === 'welcome') {
      if (Number.isFinite(message.server_time)) clockSkew = message.server_time - Date.now() / 1_000;
      this.#show('live', access.subject ? `live as ${access.subject}` : 'live');
      this.onReady();
    } else if (message.type === 'server_draining') {
      if (Number.isFinite(message.reconnect_after)) this.#drainDelay = message.reconnect_after * 1_000;
    } else {
      this.onMessage(message);
    }
  }

  #closed({ code, reason }) {
    clearTimeout(this.#timer);
    this.#socket = null;
    if (this.#openedAt && performance.now() - this.#openedAt > STABLE_AFTER) this.#attempt = 0;
    this.#openedAt = 0;
    this.reason = reason || (code === 1006 ? 'connection lost' : `closed (${code})`);
    if (code === 1008) {
      this.#stopped = true;
      this.#show('stopped', this.reason);
      this.onRefused(this.reason);
      return;
    }
    if (code >= 4500 && code <= 4999) {
      this.#stopped = true;
      this.#show('stopped', this.reason);
      return;
    }
    const floor = Math.max(this.#drainDelay, code === 1012 || code === 1013 ? BACKOFF_OVERLOAD_MIN : BACKOFF_MIN);
    this.#drainDelay = 0;
    const ceiling = Math.min(BACKOFF_MAX, BACKOFF_MIN * 2 ** this.#attempt);
    this.#attempt = Math.min(this.#attempt + 1, 16);
    const delay = floor + Math.random() * ceiling;
    this.#reconnectAt = performance.now() + delay;
    this.#show('waiting', this.reason);
    this.#timer = setTimeout(() => this.open(), delay);
  }

  #discard() {
    const socket = this.#socket;
    this.#socket = null;
    if (socket) socket.close();
  }

  #show(state, text) {
    const place = byId('connection');
    if (place.dataset.state !== state) place.dataset.state = state;
    setText(byId('connection-text'), text);
  }
}

// ---- Tasks -------------------------------------------------------------------------------------

/** One task: its latest state, its place in the numbering, and its row. */
class TaskRow {
  constructor(task, board) {
    this.board = board;
    this.task = task;
    this.subscribed = false;
    this.cancelAsked = false;
    this.expanded = false;
    this.#build();
  }

  get id() {
    return this.task.task_id;
  }

  get isTerminal() {
    return TERMINAL.has(this.task.status);
  }

  /** Takes a snapshot unless we already know better. */
  absorb(task) {
    if (task.epoch === this.task.epoch && task.offset < this.task.offset) return;
    this.task = task;
    this.board.mark(this);
  }

  /** Takes one numbered event; one that is already included in what we have changes nothing. */
  apply(event) {
    const task = this.task;
    if (event.epoch === task.epoch && event.offset <= task.offset) return;
    task.epoch = event.epoch;
    task.offset = event.offset;
    task.updated_at = now();
    task.stale = false;
    switch (event.type) {
      case 'progress':
        // An absent field keeps its value, null clears it.
        for (const key of ['progress', 'current', 'total', 'message', 'details']) {
          if (key in event) task[key] = event[key];
        }
        task.status_text = ['running', 'processing', undefined].includes(event.status) ? null : event.status;
        this.#run();
        break;
      case 'node_status':
        // What the task has by all of its parts.
        if ('task_progress' in event) task.progress = event.task_progress;
        this.#run();
        break;
      case 'complete':
        if ('message' in event) task.message = event.message;
        if ('result' in event) task.result = event.result;
        if (event.success !== false) task.progress = 100;
        this.#finish(event.success === false ? 'failed' : 'completed');
        break;
      case 'error':
        task.error = event.error;
        task.error_code = event.error_code;
        if ('details' in event) task.details = event.details;
        this.#finish('failed');
        break;
      case 'cancelled':
        this.#finish('cancelled');
        break;
    }
    this.board.mark(this);
  }

  #run() {
    if (this.isTerminal) return;
    this.task.status = 'running';
    this.task.started_at ??= now();
  }

  #finish(status) {
    this.task.status = status;
    this.task.status_text = null;
    this.task.finished_at = now();
    announce(`${this.title}: ${status}`);
  }

  get title() {
    return isText(this.task.title) ? this.task.title : isText(this.task.kind) ? this.task.kind : this.id;
  }

  #build() {
    const element = make('li', 'task');
    element.dataset.taskId = this.id;
    const row = make('div', 'task-row');

    const name = make('button', 'task-name');
    name.type = 'button';
    name.setAttribute('aria-expanded', 'false');
    const title = make('span', 'task-title');
    const identifier = make('span', 'task-id', this.id);
    name.append(title, identifier);
    name.addEventListener('click', () => {
      this.expanded = !this.expanded;
      this.draw();
    });

    const barPlace = make('div', 'task-bar');
    const bar = make('div', 'bar');
    bar.setAttribute('role', 'progressbar');
    bar.setAttribute('aria-valuemin', '0');
    bar.setAttribute('aria-valuemax', '100');
    const fill = make('div', 'bar-fill');
    bar.append(fill);
    const barText = make('div', 'bar-text');
    const message = make('span', 'task-message');
    const count = make('span', 'task-count');
    barText.append(message, count);
    barPlace.append(bar, barText);

    const state = make('div', 'task-state');
    const badge = make('span', 'badge');
    const elapsed = make('span', 'task-elapsed');
    state.append(badge, elapsed);

    const action = make('div', 'task-action');
    const cancel = make('button', 'danger', 'Cancel');
    cancel.type = 'button';
    cancel.addEventListener('click', () => this.#cancel());

    row.append(name, barPlace, state, action);
    element.append(row);
    this.element = element;
    this.parts = { name, title, bar, fill, message, count, badge, elapsed, action, cancel, detail: null };
  }

  async #cancel() {
    this.cancelAsked = true;
    this.draw();
    try {
      await call(`/api/v1/tasks/${encodeURIComponent(this.id)}/cancel`, {
        method: 'POST',
        body: { user_id: access.subject ?? this.task.owner ?? 'dashboard', reason: 'asked for on the dashboard' },
      });
    } catch (problem) {
      this.cancelAsked = false;
      showNotice(`The task could not be cancelled: ${problem.message}`);
    }
    this.board.mark(this);
  }

  /** Brings the row up to date with the task. */
  draw() {
    const { task, parts, element } = this;
    const cancelling = !this.isTerminal && (this.cancelAsked || task.cancel_requested === true);
    element.dataset.status = task.status;
    element.dataset.stale = String(task.stale === true && !this.isTerminal);
    element.dataset.cancelling = String(cancelling);
    setText(parts.title, this.title);
    parts.title.title = this.title;

    const known = Number.isFinite(task.progress) && task.progress >= 0;
    const percent = known ? Math.min(100, task.progress) : 0;
    const indeterminate = !known && task.status === 'running';
    parts.bar.dataset.indeterminate = String(indeterminate);
    parts.fill.style.transform = indeterminate ? '' : `translateX(${percent - 100}%)`;
    parts.bar.setAttribute('aria-label', this.title);
    if (indeterminate) parts.bar.removeAttribute('aria-valuenow');
    else parts.bar.setAttribute('aria-valuenow', String(Math.round(percent)));

    const error = task.status === 'failed' && isText(task.error) ? task.error : null;
    const message = error ?? (isText(task.message) ? task.message : '');
    setText(parts.message, message);
    parts.message.title = message;
    const counts = [];
    if (Number.isFinite(task.total)) counts.push(`${number(task.current ?? 0)} / ${number(task.total)}`);
    if (known) counts.push(`${Math.round(percent)} %`);
    setText(parts.count, counts.join(' · '));

    setText(parts.badge, cancelling ? 'cancelling' : task.stale && !this.isTerminal ? 'no report'
      : isText(task.status_text) ? task.status_text : task.status);
    this.tick();

    if (this.isTerminal) {
      parts.action.replaceChildren();
    } else {
      if (!parts.cancel.isConnected) parts.action.append(parts.cancel);
      parts.cancel.disabled = cancelling;
      parts.cancel.setAttribute('aria-label', `Cancel ${this.title}`);
    }
    this.#drawDetail();
  }

  /** Elapsed time; called once a second for tasks that run. */
  tick() {
    const { started_at: started, finished_at: finished, created_at: created } = this.task;
    const begin = started ?? created;
    setText(this.parts.elapsed, Number.isFinite(begin) ? duration((finished ?? now()) - begin) : '');
  }

  /** The open detail changes in place: a reader's selection and scroll position survive the next event. */
  #drawDetail() {
    const { parts, task } = this;
    parts.name.setAttribute('aria-expanded', String(this.expanded));
    if (!this.expanded) {
      parts.detail?.element.remove();
      parts.detail = null;
      return;
    }
    if (!parts.detail) {
      parts.detail = { element: make('div', 'detail'), list: make('dl'), lines: new Map() };
      parts.detail.element.append(parts.detail.list);
      this.element.append(parts.detail.element);
    }
    const { list, lines } = parts.detail;
    const line = (term, value, asCode = false) => {
      const text = value === null || value === undefined ? '' : display(value);
      let known = lines.get(term);
      if (!known) {
        known = { term: make('dt', '', term), place: make('dd') };
        known.text = asCode ? make('pre') : known.place;
        if (asCode) known.place.append(known.text);
        lines.set(term, known);
        list.append(known.term, known.place);
      }
      setText(known.text, text);
      setHidden(known.term, text === '');
      setHidden(known.place, text === '');
    };
    line('task', task.task_id);
    line('kind', task.kind);
    line('owner', task.owner);
    line('parent', task.parent_id);
    line('message', task.message);
    line('error', task.error, true);
    line('error code', task.error_code);
    line('result', task.result, true);
    line('details', task.details, true);
    line('metadata', task.metadata && Object.keys(task.metadata).length > 0 ? task.metadata : null, true);
    line('created', clockTime(task.created_at));
    line('started', clockTime(task.started_at));
    line('last report', clockTime(task.updated_at));
    line('finished', clockTime(task.finished_at));
    line('event', Number.isFinite(task.offset) ? `${task.offset} of epoch ${task.epoch}` : null);
  }
}

/** All rows, newest first; draws at most once per frame, whatever the event rate. */
class TaskBoard {
  rows = new Map();
  #dirty = new Set();
  #frame = 0;
  #filter = 'all';

  constructor(link) {
    this.link = link;
    this.list = byId('task-list');
    for (const button of document.querySelectorAll('[data-filter]')) {
      button.addEventListener('click', () => {
        this.#filter = button.dataset.filter;
        for (const other of document.querySelectorAll('[data-filter]')) {
          other.setAttribute('aria-pressed', String(other === button));
        }
        this.#filterRows();
      });
    }
  }

  get activeCount() {
    let count = 0;
    for (const row of this.rows.values()) if (!row.isTerminal) count += 1;
    return count;
  }

  /** Takes one listing: known tasks are refreshed, new ones get a row, those that are gone leave. */
  takeListing({ tasks, next_cursor: next }) {
    const listed = new Set();
    for (const task of tasks.slice(0, ROWS_SHOWN_MAX)) {
      listed.add(task.task_id);
      const row = this.rows.get(task.task_id);
      if (row) {
        row.absorb(task);
      } else {
        const fresh = new TaskRow(task, this);
        this.rows.set(task.task_id, fresh);
        this.mark(fresh);
      }
    }
    for (const [id, row] of this.rows) {
      if (!listed.has(id)) this.#remove(row);
    }
    this.#order();
    this.subscribeAll();
    const bounded = byId('bounded');
    setHidden(bounded, !next);
    setText(bounded, next ? `The newest ${ROWS_SHOWN_MAX} tasks are shown.` : '');
    setHidden(byId('empty'), this.rows.size > 0);
  }

  /** Forgets what the previous connection was subscribed to. */
  connectionReplaced() {
    for (const row of this.rows.values()) row.subscribed = false;
    this.subscribeAll();
  }

  subscribeAll() {
    if (!this.link.isOpen) return;
    for (const row of this.rows.values()) {
      if (row.subscribed || row.isTerminal) continue;
      const { epoch, offset } = row.task;
      const since = isText(epoch) && Number.isFinite(offset) ? { since: { epoch, offset } } : {};
      row.subscribed = this.link.send({ action: 'subscribe', task_id: row.id, ...since });
    }
  }

  takeConfirmedSubscription(message) {
    const row = this.rows.get(message.task_id);
    if (row && message.recovered === false && message.snapshot) row.absorb(message.snapshot);
  }

  takeEvent(event) {
    this.rows.get(event.task_id)?.apply(event);
  }

  takeCancelRequest({ task_id: id }) {
    const row = this.rows.get(id);
    if (!row || row.isTerminal) return;
    row.task.cancel_requested = true;
    this.mark(row);
  }

  mark(row) {
    this.#dirty.add(row);
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  tick() {
    for (const row of this.rows.values()) if (!row.isTerminal) row.tick();
  }

  clear() {
    for (const row of [...this.rows.values()]) this.#remove(row);
    setHidden(byId('empty'), true);
  }

  #draw() {
    this.#frame = 0;
    for (const row of this.#dirty) {
      if (!this.rows.has(row.id)) continue;
      row.draw();
      if (row.isTerminal && row.subscribed) {
        row.subscribed = false;
        this.link.send({ action: 'unsubscribe', task_id: row.id });
      }
    }
    this.#dirty.clear();
    this.#filterRows();
    setText(byId('figure-running'), String(this.activeCount));
  }

  #remove(row) {
    this.rows.delete(row.id);
    this.#dirty.delete(row);
    row.element.remove();
    if (row.subscribed) this.link.send({ action: 'unsubscribe', task_id: row.id });
  }

  /** Newest first; moves only what stands in the wrong place, so that focus and scrolling survive. */
  #order() {
    const sorted = [...this.rows.values()].sort(
      (left, right) => (right.task.created_at ?? 0) - (left.task.created_at ?? 0) || (left.id < right.id ? -1 : 1));
    let place = this.list.firstElementChild;
    for (const row of sorted) {
      if (row.element === place) place = place.nextElementSibling;
      else this.list.insertBefore(row.element, place);
    }
  }

  #filterRows() {
    for (const row of this.rows.values()) {
      const shown = this.#filter === 'all' || (this.#filter === 'finished') === row.isTerminal;
      setHidden(row.element, !shown);
    }
  }
}

// ---- Decisions ---------------------------------------------------------------------------------

/** One question to a person: its text, its deadline, the default that will apply, and the answer's buttons. */
class Decision {
  constructor(message, board) {
    this.board = board;
    this.id = message.callback_id;
    this.message = message;
    this.askedAt = Number.isFinite(message.timestamp) ? Math.min(message.timestamp, now()) : now();
    this.state = 'open';
    this.#build();
    this.tick();
  }

  #build() {
    const { message } = this;
    const element = make('li', 'decision');
    element.dataset.callbackId = this.id;
    element.dataset.state = 'open';

    const head = make('div', 'decision-head');
    const text = isText(message.message) ? message.message : 'Go on?';
    const time = make('span', 'decision-time');
    head.append(make('p', 'decision-message', text), time);

    const facts = [message.task_id, `step ${display(message.step)}`, message.user_id ? `for ${message.user_id}` : '',
      message.error_code, message.error_message].filter(isText).join(' · ');

    const form = make('form', 'decision-form');
    const feedback = make('input');
    feedback.type = 'text';
    feedback.maxLength = FEEDBACK_CHARACTERS_MAX;
    feedback.placeholder = 'Feedback (optional)';
    feedback.setAttribute('aria-label', 'Feedback');
    const reject = make('button', 'danger', 'Reject');
    reject.type = 'button';
    const proceed = make('button', 'primary', 'Proceed');
    // Enter in the feedback field must not decide anything by itself: both answers are explicit clicks.
    proceed.type = 'button';
    form.addEventListener('submit', (event) => event.preventDefault());
    proceed.addEventListener('click', () => this.#answer(true));
    reject.addEventListener('click', () => this.#answer(false));
    form.append(feedback, reject, proceed);

    const left = make('div', 'decision-left');
    const leftFill = make('span');
    left.append(leftFill);

    element.append(head, make('p', 'decision-facts', facts));
    if (message.result !== null && message.result !== undefined) {
      const result = make('details');
      result.append(make('summary', 'hint', 'Result of the step'), make('pre', '', display(message.result)));
      element.append(result);
    }
    element.append(form, left);
    this.element = element;
    this.parts = { time, form, feedback, reject, proceed, left, leftFill };
  }

  #answer(proceed) {
    const feedback = this.parts.feedback.value.trim();
    const sent = this.board.link.send({
      action: 'confirm', callback_id: this.id, proceed, feedback: feedback === '' ? null : feedback,
    });
    if (!sent) {
      setText(this.parts.time, 'not connected: the answer was not sent');
      return;
    }
    this.#enable(false);
  }

  #enable(enabled) {
    for (const control of [this.parts.feedback, this.parts.reject, this.parts.proceed]) control.disabled = !enabled;
  }

  /** The connection is new: an answer that was under way may never have arrived. */
  reopen() {
    if (this.state === 'open') this.#enable(true);
  }

  settle(outcome) {
    if (this.state === 'resolved') return;
    this.state = 'resolved';
    this.element.dataset.state = 'resolved';
    this.parts.form.hidden = true;
    this.parts.left.hidden = true;
    setText(this.parts.time, outcome);
    announce(outcome);
    setTimeout(() => this.board.remove(this), SETTLED_SHOWN);
  }

  refuse(text) {
    this.#enable(false);
    setText(this.parts.time, text);
    this.state = 'refused';
  }

  /** Remaining time, and what happens at its end. */
  tick() {
    if (this.state !== 'open') return;
    const { deadline, default_proceed: proceeds } = this.message;
    if (!Number.isFinite(deadline)) {
      setHidden(this.parts.left, true);
      return;
    }
    const left = deadline - now();
    if (left <= -ANSWER_TIMEOUT / 1_000) {
      this.settle('The time is up.');
      return;
    }
    const share = Math.max(0, Math.min(1, left / Math.max(1, deadline - this.askedAt)));
    this.parts.leftFill.style.transform = `scaleX(${share})`;
    const byDefault = proceeds === false ? 'it is rejected' : 'it proceeds';
    setText(this.parts.time, left > 0 ? `${duration(left)} left, then ${byDefault}` : `${byDefault} by default`);
  }
}

class DecisionBoard {
  open = new Map();
  /** Whether questions came for which there was no room. */
  #overflowed = false;

  constructor(link) {
    this.link = link;
    this.list = byId('decision-list');
    this.section = byId('decisions');
  }

  takeQuestion(message) {
    if (!isText(message.callback_id)) return;
    const known = this.open.get(message.callback_id);
    if (known) {
      known.reopen();
      return;
    }
    if (this.open.size >= DECISIONS_SHOWN_MAX) {
      this.#overflowed = true;
      return;
    }
    const decision = new Decision(message, this);
    this.open.set(decision.id, decision);
    this.list.append(decision.element);
    setHidden(this.section, false);
    announce(`A decision is asked for: ${isText(message.message) ? message.message : message.task_id}`);
  }

  takeResolution({ callback_id: id, status, proceed, feedback, resolved_by: by }) {
    const said = isText(feedback) ? `: “${feedback}”` : '';
    const outcome = {
      confirmed: `Proceed${said}`,
      rejected: `Rejected${said}`,
      timed_out: proceed ? 'Nobody answered: taken as proceed' : 'Nobody answered: rejected',
      withdrawn: 'The question was withdrawn',
    }[status] ?? `Settled by ${by}`;
    this.open.get(id)?.settle(outcome);
  }

  /** The gateway's word on our own answer. The outcome itself comes as `confirmation_resolved`. */
  takeAnswerResult({ callback_id: id, status, proceed }) {
    const decision = this.open.get(id);
    if (!decision) return;
    switch (status) {
      case 'accepted':
        decision.settle(proceed ? 'Proceed' : 'Rejected');
        break;
      case 'already_resolved':
        decision.settle(proceed ? 'Somebody else said: proceed' : 'Somebody else rejected it');
        break;
      case 'expired':
        decision.settle('Too late: the time was up');
        break;
      case 'unknown':
        decision.settle('The gateway no longer knows this question');
        break;
      case 'forbidden':
        decision.refuse('You may not answer this question');
        break;
    }
  }

  remove(decision) {
    this.open.delete(decision.id);
    decision.element.remove();
    setHidden(this.section, this.open.size === 0);
    if (this.#overflowed && this.open.size === 0) {
      // A new connection is told all open questions again.
      this.#overflowed = false;
      this.link.open();
    }
  }

  clear() {
    this.#overflowed = false;
    for (const decision of [...this.open.values()]) this.remove(decision);
  }

  tick() {
    for (const decision of [...this.open.values()]) decision.tick();
  }
}

// ---- The page ----------------------------------------------------------------------------------

function showNotice(text) {
  const notice = byId('notice');
  setText(notice, text);
  setHidden(notice, text === '');
}

/** Asks for a token; the page stays quiet until there is one. */
function askForToken(reason) {
  link.close();
  clearTimeout(pollTimer);
  pollTimer = 0;
  board.clear();
  decisions.clear();
  setHidden(byId('access'), false);
  setHidden(byId('forget-token'), true);
  showNotice(access.token ? `The token was refused: ${reason}` : '');
  byId('token').focus();
}

const link = new Link({
  onReady() {
    board.connectionReplaced();
  },
  onRefused: askForToken,
  onMessage(message) {
    switch (message.type) {
      case 'subscription_confirmed':
        board.takeConfirmedSubscription(message);
        break;
      case 'progress':
      case 'node_status':
      case 'complete':
      case 'cancelled':
        board.takeEvent(message);
        break;
      case 'error':
        // A task's error event is numbered; an answer to something we sent is not.
        if (Number.isFinite(message.offset)) board.takeEvent(message);
        break;
      case 'task_cancelled':
        board.takeCancelRequest(message);
        break;
      case 'task_step_result':
        decisions.takeQuestion(message);
        break;
      case 'confirmation_result':
        decisions.takeAnswerResult(message);
        break;
      case 'confirmation_resolved':
        decisions.takeResolution(message);
        break;
    }
  },
});
const board = new TaskBoard(link);
const decisions = new DecisionBoard(link);

let pollTimer = 0;
let polling = false;

/** One listing and one status; the next follows while somebody can see the page. */
async function poll() {
  if (polling) return;
  polling = true;
  clearTimeout(pollTimer);
  const usedToken = access.token;
  let again = true;
  try {
    const [listing, status] = await Promise.all([call(`/api/v1/tasks?limit=${ROWS_SHOWN_MAX}`), call('/api/v1/status')]);
    if (usedToken === access.token) {
      board.takeListing(listing);
      setFigure('connections', status.active_connections);
      setFigure('decisions', status.pending_callbacks);
      setText(byId('figure-uptime'), Number.isFinite(status.uptime_seconds) ? duration(status.uptime_seconds) : '–');
      byId('figure-uptime').title = isText(status.version) ? `Signalbox ${status.version}` : '';
      showNotice('');
    }
  } catch (problem) {
    if (usedToken !== access.token) {
      // The answer to a token that is no longer the one in use says nothing.
    } else if (problem instanceof HTTPProblem && (problem.status === 401 || problem.status === 403)) {
      again = false;
      askForToken(problem.message);
    } else if (problem instanceof HTTPProblem && problem.status === 404) {
      showNotice('The task listing is not served on this address: it has its own internal listener.');
    }
    // Anything else is a gateway that is away; the connection's lamp already says so.
  } finally {
    polling = false;
  }
  if (again && !document.hidden) pollTimer = setTimeout(poll, POLL_INTERVAL);
}

function start() {
  setHidden(byId('access'), true);
  setHidden(byId('forget-token'), access.token === '');
  showNotice('');
  link.open();
  poll();
}

byId('access').addEventListener('submit', (event) => {
  event.preventDefault();
  const field = byId('token');
  access.use(field.value.trim());
  field.value = '';
  start();
});
byId('forget-token').addEventListener('click', () => {
  access.use('');
  board.clear();
  decisions.clear();
  start();
});
document.addEventListener('visibilitychange', () => {
  if (document.hidden || !byId('access').hidden) return;
  link.hurry();
  poll();
});
window.addEventListener('online', () => link.hurry());
// A page kept for the back button must not hold a connection of the gateway.
window.addEventListener('pagehide', () => link.close());
window.addEventListener('pageshow', (event) => {
  if (event.persisted) start();
});
setInterval(() => {
  link.tick();
  board.tick();
  decisions.tick();
}, 1_000);

start();
