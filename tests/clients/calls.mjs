// What a client's script in JavaScript needs: named calls, their outcome as one JSON line each, as calls.py has it.
import path from 'node:path';

export const EXCHANGE = JSON.parse(process.env.EXCHANGE ?? '{}');
const PATIENCE_MS = 20_000;

export const door = (name) => EXCHANGE[name];
export const inside = (market) => (market === 'spot' ? 'BTCUSDT' : 'BTCUSDT:PERP');
export const wrong = (secret) => secret.slice(0, -1) + (secret.endsWith('0') ? '1' : '0');
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function control(method, where, body) {
  const answer = await fetch(EXCHANGE.control.url + where, {
    method,
    headers: { Authorization: `Bearer ${EXCHANGE.control.token}`, 'Content-Type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${method} ${where}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

export const tradeOutside = (market) =>
  control('POST', '/place', { symbol: inside(market), side: 'buy', quantity: '0.01', type: 'market' });

// Let nothing move while *look* is given the exchange's own book, with its sequence.
export async function halted(market, look, levels = 1000) {
  await control('POST', '/set_phase', { symbol: inside(market), phase: 'halt' });
  try {
    return await look(await control('GET', `/book?symbol=${inside(market)}&levels=${levels}`));
  } finally {
    await control('POST', '/set_phase', { symbol: inside(market), phase: 'trading' });
  }
}

export function requireBook(truth, sequence, bids, offers) {
  if (Number(sequence) !== truth.sequence) throw new Error(`sequence should be ${truth.sequence}, was ${sequence}`);
  for (const [side, mine, theirs] of [['bids', bids, truth.bids], ['offers', offers, truth.offers]]) {
    const same = mine.length === theirs.length &&
      mine.every((level, at) => [0, 1].every((one) => Number(level[one]) === Number(theirs[at][one])));
    if (!same) throw new Error(`${side} differ at ${sequence}: ${JSON.stringify([mine.slice(0, 3), theirs.slice(0, 3)])}`);
  }
}

export class Calls {
  constructor(client, version, market) {
    this.about = { client, version, market };
  }

  // Make one call; *check* says whether what came is right, a text that it gives is shown beside the name.
  async run(call, make, check = () => true) {
    const told = { ...this.about, call, ok: true, note: '', script: path.basename(process.argv[1]) };
    let found;
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`nothing came within ${PATIENCE_MS} ms`)), PATIENCE_MS);
    });
    try {
      found = await Promise.race([make(), late]);
      const verdict = check(found);
      if (!verdict) throw new Error(`came ${JSON.stringify(found).slice(0, 300)}`);
      if (typeof verdict === 'string') told.note = verdict;
    } catch (error) {
      Object.assign(told, { ok: false, error: (error instanceof Error ? String(error) : JSON.stringify(error)).slice(0, 400), trace: String(error.stack) });
      found = undefined;
    } finally {
      clearTimeout(timer);
    }
    console.log(JSON.stringify(told));
    return found;
  }

  // Make *call*, which must be refused; *name* gives what is shown of the error.
  refuse(call, make, name) {
    const made = async () => {
      try {
        await make();
      } catch (error) {
        return name(error);
      }
      throw new Error('should have been refused');
    };
    return this.run(call, made, (found) => found);
  }
}
