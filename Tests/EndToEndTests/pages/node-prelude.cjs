// What the clients expect of a page, for Node: the elements they write to and the dialogs they open. Everything is told
// on standard output, one JSON value a line: ["console", …], ["element", id, property, value], ["dialog", kind, text].
'use strict';

const fs = require('fs');
const path = require('path');
const vm = require('vm');

const tell = (...words) => fs.writeSync(1, `${JSON.stringify(words)}\n`);
const inspect = (value) => (typeof value === 'string' ? value : JSON.stringify(value));

const element = (id) => new Proxy({ style: new Proxy({}, {
  set: (target, name, value) => { tell('element', id, `style.${name}`, value); target[name] = value; return true; },
}) }, {
  set: (target, name, value) => { tell('element', id, name, value); target[name] = value; return true; },
});
const elements = new Map();
globalThis.document = {
  getElementById(id) {
    if (!elements.has(id)) elements.set(id, element(id));
    return elements.get(id);
  },
};
globalThis.alert = (text) => tell('dialog', 'alert', text);
globalThis.confirm = (text) => { tell('dialog', 'confirm', text); return process.env.ANSWER !== 'no'; };
globalThis.displayResult = (result) => tell('element', 'result', 'textContent', JSON.stringify(result));
globalThis.displayError = (error) => tell('element', 'error', 'textContent', error);
globalThis.showErrorOfPage = (message) => tell('element', 'error', 'textContent', message);
for (const kind of ['log', 'error']) console[kind] = (...values) => tell('console', kind, ...values.map(inspect));

// The clients beat every thirty seconds; a test has no time for that, so SIGUSR2 stands for the passing of an interval.
const intervals = [];
globalThis.setInterval = (callback) => { intervals.push(callback); };
process.on('SIGUSR2', () => intervals.forEach((callback) => callback()));

const [, , script, library, ...replacements] = process.argv;
if (library === 'ws') globalThis.WebSocket = require('/usr/share/nodejs/ws');
let source = fs.readFileSync(path.resolve(script), 'utf8');
for (let index = 0; index < replacements.length; index += 2) {
  source = source.replaceAll(replacements[index], replacements[index + 1]);
}
globalThis.showError ??= globalThis.showErrorOfPage;
vm.runInThisContext(source, { filename: script });
