// ccxt and ccxt.pro in JavaScript. Pointed here by exchanging the hosts in urls.api, as in ccxt_calls.py.
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Calls, control, door, halted, requireBook, tradeOutside, wrong } from './calls.mjs';

const require = createRequire(path.join(process.env.NODE_FOLDER, 'here.js'));
const { default: ccxt } = await import(pathToFileURL(require.resolve('ccxt')));
const PAIRS = { spot: ['binance', 'BTC/USDT'], usdm: ['binanceusdm', 'BTC/USDT:USDT'] };
const AMOUNT = 0.01;

function repoint(node, http, ws) {
  if (typeof node === 'string') return node.replace(/^https?:\/\/[^/]+/, http).replace(/^wss?:\/\/[^/]+/, ws);
  if (node === null || typeof node !== 'object') return node;
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, repoint(value, http, ws)]));
}

async function client(market, more = {}) {
  const [spot, usdm] = [door('binance-spot'), door('binance-usdm')];
  const own = market === 'spot' ? spot : usdm;
  const made = new ccxt.pro[PAIRS[market][0]]({
    apiKey: own.api_key, secret: own.api_secret, enableRateLimit: false, ...more,
  });
  const before = made.urls.api;
  const urls = repoint(before, spot.rest, spot.ws);
  for (const key of Object.keys(before)) {
    if (key.startsWith('fapi')) urls[key] = repoint(before[key], usdm.rest, usdm.ws);
  }
  urls.ws.spot = `${spot.ws}/stream/ws`;
  urls.ws.linear = urls.ws.future = `${usdm.ws}/ws`;
  for (const key of ['linear', 'future']) {
    if (before.ws['ws-api'][key]) urls.ws['ws-api'][key] = repoint(before.ws['ws-api'][key], usdm.rest, usdm.ws);
  }
  made.urls.api = urls;
  await made.loadHttpProxyAgent();
  return made;
}

async function trade(market) {
  const symbol = PAIRS[market][1];
  const calls = new Calls('ccxt in JavaScript', ccxt.version, market);
  const own = await client(market);
  const named = (error) => error.constructor.name;
  const limit = (side, price, params = {}) => own.createOrder(symbol, 'limit', side, AMOUNT, price, params);
  try {
    await tradeOutside(market);
    await calls.run('loadMarkets', () => own.loadMarkets(), (found) => symbol in found);
    const book = await calls.run('fetchOrderBook', () => own.fetchOrderBook(symbol, 50), (found) => found.bids.length > 4);
    const [low, lower] = [0.98, 0.97].map((rate) => own.priceToPrecision(symbol, book.bids[0][0] * rate));
    const high = own.priceToPrecision(symbol, book.asks[0][0] * 1.01);
    await calls.run('fetchTicker', () => own.fetchTicker(symbol), (found) => found.last > 0);
    await calls.run('fetchTrades', () => own.fetchTrades(symbol), (found) => found.length > 0);
    await calls.run('fetchOHLCV', () => own.fetchOHLCV(symbol, '1m'), (found) => found.at(-1).length === 6);
    await calls.run('fetchBalance', () => own.fetchBalance(), (found) => found.USDT.free > 0);
    const order = await calls.run('createOrder limit', () => limit('buy', low), (found) => found.status === 'open');
    await calls.run('fetchOrder', () => own.fetchOrder(order.id, symbol), (found) => found.status === 'open');
    await calls.run('fetchOpenOrders', () => own.fetchOpenOrders(symbol), (found) => found.length === 1);
    const edited = await calls.run('editOrder', () => own.editOrder(order.id, symbol, 'limit', 'buy', AMOUNT, lower));
    await calls.run('cancelOrder', () => own.cancelOrder(edited.id, symbol));
    await calls.run('createOrder post-only', () => limit('buy', low, { postOnly: true }));
    await calls.run('cancelAllOrders', () => own.cancelAllOrders(symbol));
    await calls.run('createOrder market', () => own.createOrder(symbol, 'market', 'buy', AMOUNT), (found) => found.status === 'closed');
    await calls.run('fetchMyTrades', () => own.fetchMyTrades(symbol), (found) => found.length > 0);
    if (market === 'usdm') {
      await calls.run('fetchPositions', () => own.fetchPositions([symbol]), (found) => found[0].contracts > 0);
    }
    await calls.run('watchOrderBook', () => own.watchOrderBook(symbol));
    await calls.run("watched book is the exchange's", () => halted(market, async (truth) => {
      const watched = own.orderbooks[symbol];
      for (let turn = 0; turn < 100 && watched.nonce !== truth.sequence; turn += 1) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      requireBook(truth, watched.nonce, [...watched.bids], [...watched.asks]);
      return true;
    }));
    const busy = setInterval(() => tradeOutside(market).catch(() => {}), 300);
    await calls.run('watchTrades', () => own.watchTrades(symbol), (found) => found.length > 0);
    await calls.run('watchTicker', () => own.watchTicker(symbol), (found) => found.last > 0);
    clearInterval(busy);
    const buying = setInterval(() => own.createOrder(symbol, 'market', 'buy', AMOUNT).catch(() => {}), 500);
    await calls.run('watchOrders', () => own.watchOrders(symbol), (found) => found.length > 0);
    await calls.run('watchMyTrades', () => own.watchMyTrades(symbol), (found) => found.length > 0);
    await calls.run('watchBalance', () => own.watchBalance(), (found) => found.USDT.total > 0);
    clearInterval(buying);
    const sent = await calls.run('createOrderWs', () => own.createOrderWs(symbol, 'limit', 'buy', AMOUNT, low));
    await calls.run('cancelOrderWs', () => own.cancelOrderWs(sent.id, symbol));
    await calls.refuse('post-only that would take', () => limit('buy', high, { postOnly: true }), named);
    await calls.refuse('unknown order', () => own.cancelOrder('999999999', symbol), named);
    await calls.refuse('too much', () => own.createOrder(symbol, 'limit', 'buy', 900, low), named);
    const keys = door(`binance-${market}`);
    for (const [call, more] of [
      ['secret changed', { secret: wrong(keys.api_secret) }],
      ['key unknown', { apiKey: wrong(keys.api_key) }],
    ]) {
      const other = await client(market, more);
      await calls.refuse(call, () => other.fetchBalance(), named);
      await other.close();
    }
    await control('POST', '/set_door_clock', { offset_seconds: -60 });
    await calls.refuse('clock ahead', () => own.fetchBalance(), named);
    await control('POST', '/set_door_clock', { offset_seconds: 0 });
    await control('POST', '/inject', { kind: '429', door: `binance-${market}`, match: '/depth', times: 1 });
    await calls.refuse('429', () => own.fetchOrderBook(symbol), named);
  } finally {
    await own.close();
  }
}

const markets = process.argv.slice(2);
for (const market of markets.length ? markets : Object.keys(PAIRS)) await trade(market);
process.exit(0);
