// The official JavaScript SDK as a process: commands as JSON lines on stdin, answers as JSON lines on stdout.
// The first argument is the folder of the SDK copy to drive.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const folder = process.argv[2];
const require = createRequire(import.meta.url);
const { default: Anthropic } = require(folder);

const streams = new Map();
const calls = new Map();

const clientOf = ({ client }) =>
  new Anthropic({
    baseURL: client.base_url,
    apiKey: client.api_key,
    authToken: client.auth_token,
    maxRetries: client.max_retries,
    timeout: client.timeout_seconds * 1000,
    defaultHeaders: client.headers,
  });

const camelCase = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());

const called = (command) => {
  const names = command.path.split('.').map(camelCase);
  const method = names.pop();
  const resource = names.reduce((parent, name) => parent[name], clientOf(command));
  const named = Object.keys(command.named).length ? [command.named] : [];
  return resource[method](...command.arguments, ...named);
};

const operations = {
  create: (command) => clientOf(command).messages.create(command.params),

  async exchange(command) {
    const response = await clientOf(command).messages.create(command.params).asResponse();
    return { headers: Object.fromEntries(response.headers), body: await response.json() };
  },

  async events(command) {
    const events = [];
    for await (const event of await clientOf(command).messages.create({ ...command.params, stream: true })) {
      events.push(event);
    }
    return events;
  },

  async final(command) {
    return JSON.parse(JSON.stringify(await clientOf(command).messages.stream(command.params).finalMessage()));
  },

  async open(command) {
    const stream = await clientOf(command).messages.create({ ...command.params, stream: true });
    streams.set(command.id, { stream, events: stream[Symbol.asyncIterator]() });
    return command.id;
  },

  async next({ handle }) {
    const { value, done } = await streams.get(handle).events.next();
    return done ? null : value;
  },

  close({ handle }) {
    streams.get(handle).stream.controller.abort();
    streams.delete(handle);
    return null;
  },

  begin(command) {
    const controller = new AbortController();
    const call = clientOf(command).messages.create(command.params, { signal: controller.signal });
    calls.set(command.id, { controller, outcome: call.then(() => 'finished', () => 'aborted') });
    return command.id;
  },

  abort({ handle }) {
    const { controller, outcome } = calls.get(handle);
    calls.delete(handle);
    controller.abort();
    return outcome;
  },

  count_tokens: (command) => clientOf(command).messages.countTokens(command.params),

  async models(command) {
    const models = [];
    for await (const model of clientOf(command).models.list(command.params)) models.push(model);
    return models;
  },

  model: (command) => clientOf(command).models.retrieve(command.params.model_id),

  async call(command) {
    await called(command);
    return null;
  },

  fetch: (command) => called(command),

  async fetch_all(command) {
    const found = [];
    for await (const each of await called(command)) found.push(each);
    return found;
  },

  async run_tools(command) {
    const called = [];
    const tool = {
      type: 'custom',
      name: 'get_weather',
      description: 'Get weather for a location',
      input_schema: { type: 'object', properties: { location: { type: 'string' } }, required: ['location'] },
      parse: (input) => input,
      run: ({ location }) => {
        called.push(location);
        return command.answer;
      },
    };
    const message = await clientOf(command).beta.messages.toolRunner({ ...command.params, tools: [tool] }).runUntilDone();
    return { called, message };
  },
};

const classesOf = (error) => {
  const names = [];
  for (let each = error.constructor; each && each.name; each = Object.getPrototypeOf(each)) names.push(each.name);
  return names;
};

const errorOf = (error) => ({
  class: error.constructor.name,
  classes: classesOf(error),
  status: error.status ?? null,
  type: error.type ?? null,
  message: error.error?.error?.message ?? String(error.message),
  error_code: error.error?.error?.details?.error_code ?? null,
  request_id: error.requestID ?? null,
  body: error.error ?? null,
});

const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);

say({ ready: JSON.parse(readFileSync(`${folder}/package.json`)).version });
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  try {
    say({ id: command.id, result: (await operations[command.op](command)) ?? null });
  } catch (error) {
    say({ id: command.id, error: errorOf(error) });
  }
}
process.exit(0);
