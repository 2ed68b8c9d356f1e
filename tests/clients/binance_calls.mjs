// The npm package binance: REST clients of both markets, streams and user data. Pointed here by baseUrl and wsUrl.
import { createRequire } from 'node:module';
import path from 'node:path';
import { Calls, control, door, halted, requireBook, sleep, tradeOutside, wrong } from './calls.mjs';

const require = createRequire(path.join(process.env.NODE_FOLDER, 'here.js'));
const { MainClient, USDMClient, WebsocketClient } = require('binance');
const { version } = require('binance/package.json');
const SYMBOL = 'BTCUSDT';
const silent = { trace() {}, info() {}, error() {} };

function client(market, more = {}) {
  const own = door(`binance-${market}`);
  const options = { api_key: own.api_key, api_secret: own.api_secret, baseUrl: own.rest, disableTimeSync: true, ...more };
  return market === 'spot' ? new MainClient(options) : new USDMClient(options);
}

// A book kept by the venue's own rules from what the package hands over.
class Book {
  constructor(isSpot) {
    Object.assign(this, { isSpot, waiting: [], sides: [new Map(), new Map()], sequence: 0, isBegun: false });
  }

  begin(snapshot) {
    this.sequence = snapshot.lastUpdateId;
    this.set(snapshot.bids, snapshot.asks);
    this.isBegun = true;
    for (const event of this.waiting.splice(0)) this.update(event);
  }

  update(event) {
    if (!this.isBegun) {
      this.waiting.push(event);
      return;
    }
    if (this.isSpot ? event.u <= this.sequence : event.u < this.sequence) return;
    const before = event.pu ?? event.U - 1;
    if (before > this.sequence) throw new Error(`update ${event.U} does not follow ${this.sequence}`);
    this.set(event.b, event.a);
    this.sequence = event.u;
  }

  set(...sides) {
    sides.forEach((rows, at) => {
      for (const [price, quantity] of rows) {
        if (Number(quantity)) this.sides[at].set(Number(price), Number(quantity));
        else this.sides[at].delete(Number(price));
      }
    });
  }

  levels(at) {
    return [...this.sides[at]].sort((one, two) => (at ? one[0] - two[0] : two[0] - one[0]));
  }
}

async function trade(market) {
  const calls = new Calls('binance (npm)', version, market);
  const own = client(market);
  const isSpot = market === 'spot';
  const coded = (error) => String(error.code);
  const order = { symbol: SYMBOL, side: 'BUY', type: 'LIMIT', timeInForce: 'GTC', quantity: 0.01, price: 50000 };
  await tradeOutside(market);
  await calls.run('getExchangeInfo', () => own.getExchangeInfo(), (found) => found.symbols[0].symbol === SYMBOL);
  await calls.run("getOrderBook is the exchange's", () => halted(market, async (truth) => {
    const book = await own.getOrderBook({ symbol: SYMBOL, limit: 100 });
    requireBook(truth, book.lastUpdateId, book.bids, book.asks);
    return true;
  }, 100));
  await calls.run('getRecentTrades', () => own.getRecentTrades({ symbol: SYMBOL }), (found) => found.length > 0);
  await calls.run('getAggregateTrades', () => own.getAggregateTrades({ symbol: SYMBOL }), (found) => found.length > 0);
  await calls.run('getKlines', () => own.getKlines({ symbol: SYMBOL, interval: '1m' }), (found) => found.length > 0);
  await calls.run('getSymbolPriceTicker', () => own.getSymbolPriceTicker({ symbol: SYMBOL }), (found) => found.symbol === SYMBOL);
  await calls.run('getSymbolOrderBookTicker', () => own.getSymbolOrderBookTicker({ symbol: SYMBOL }), (found) => Number(found.bidPrice) > 0);
  await calls.run('getAccountInformation', () => own.getAccountInformation(), (found) => found.canTrade !== false);
  const placed = await calls.run('submitNewOrder', () => own.submitNewOrder({ ...order }), (found) => found.status === 'NEW');
  const one = { symbol: SYMBOL, orderId: placed.orderId };
  await calls.run('getOrder', () => own.getOrder(one), (found) => found.status === 'NEW');
  if (isSpot) {
    await calls.run('getOpenOrders', () => own.getOpenOrders({ symbol: SYMBOL }), (found) => found.length === 1);
    await calls.run('replaceOrder', () => own.replaceOrder({ ...order, price: 49999, cancelReplaceMode: 'STOP_ON_FAILURE', cancelOrderId: one.orderId }), (found) => {
      one.orderId = found.newOrderResponse.orderId;
      return true;
    });
  } else {
    await calls.run('getAllOpenOrders', () => own.getAllOpenOrders({ symbol: SYMBOL }), (found) => found.length === 1);
    await calls.run('modifyOrder', () => own.modifyOrder({ ...one, side: 'BUY', quantity: 0.02, price: 50000 }), (found) => Number(found.origQty) === 0.02);
    await calls.run('submitMultipleOrders', () => own.submitMultipleOrders([{ ...order, quantity: '0.01', price: '50000' }]), (found) => found[0].status === 'NEW');
    await calls.run('cancelMultipleOrders', () => own.cancelMultipleOrders({ symbol: SYMBOL, orderIdList: [one.orderId] }), (found) => found[0].status === 'CANCELED');
    await calls.run('cancelAllOpenOrders', () => own.cancelAllOpenOrders({ symbol: SYMBOL }));
    one.orderId = (await own.submitNewOrder({ ...order })).orderId;
    await calls.run('setCancelOrdersOnTimeout', () => own.setCancelOrdersOnTimeout({ symbol: SYMBOL, countdownTime: 0 }));
    await calls.run('setLeverage', () => own.setLeverage({ symbol: SYMBOL, leverage: 5 }), (found) => found.leverage === 5);
    await calls.run('getBalance', () => own.getBalance(), (found) => found.length > 0);
    await calls.run('getIncomeHistory', () => own.getIncomeHistory());
  }
  await calls.run('cancelOrder', () => own.cancelOrder(one), (found) => found.status === 'CANCELED');
  const market_order = { symbol: SYMBOL, side: 'BUY', type: 'MARKET', quantity: 0.01 };
  await calls.run('submitNewOrder market', () => own.submitNewOrder(market_order));
  await calls.run(isSpot ? 'getAccountTradeList' : 'getAccountTrades', () =>
    (isSpot ? own.getAccountTradeList({ symbol: SYMBOL }) : own.getAccountTrades({ symbol: SYMBOL })), (found) => found.length > 0);
  if (!isSpot) await calls.run('getPositions', () => own.getPositions({ symbol: SYMBOL }), (found) => Number(found[0].positionAmt) >= 0.01);
  await streams(calls, own, market, market_order);
  await calls.refuse('unknown order', () => own.cancelOrder({ symbol: SYMBOL, orderId: 999999999 }), coded);
  await calls.refuse('too much', () => own.submitNewOrder({ ...order, quantity: 900 }), coded);
  const keys = door(`binance-${market}`);
  await calls.refuse('secret changed', () => client(market, { api_secret: wrong(keys.api_secret) }).getAccountInformation(), coded);
  await calls.refuse('key unknown', () => client(market, { api_key: wrong(keys.api_key) }).getAccountInformation(), coded);
  await control('POST', '/set_door_clock', { offset_seconds: -60 });
  await calls.refuse('clock ahead', () => own.getAccountInformation(), coded);
  await control('POST', '/set_door_clock', { offset_seconds: 0 });
  await control('POST', '/inject', { kind: '429', door: `binance-${market}`, match: '/depth', times: 1 });
  await calls.refuse('429', () => own.getOrderBook({ symbol: SYMBOL }), coded);
}

async function streams(calls, own, market, order) {
  const keys = door(`binance-${market}`);
  const isSpot = market === 'spot';
  const feed = new WebsocketClient({
    api_key: keys.api_key, api_secret: keys.api_secret, wsUrl: keys.ws, beautify: false, restOptions: { baseUrl: keys.rest },
  }, silent);
  const heard = [];
  const book = new Book(isSpot);
  feed.on('message', (event) => {
    const data = event.data ?? event;
    heard.push(data);
    if (data.e === 'depthUpdate') book.update(data);
  });
  feed.on('exception', () => {});
  const first = async (fits) => {
    for (;;) {
      const found = heard.find(fits);
      if (found) return found;
      await sleep(50);
    }
  };
  try {
    feed.subscribeDiffBookDepth(SYMBOL, 100, market);
    await calls.run('subscribeDiffBookDepth', () => first((event) => event.e === 'depthUpdate'));
    await calls.run("watched book is the exchange's", async () => {
      book.begin(await own.getOrderBook({ symbol: SYMBOL, limit: 1000 }));
      await sleep(1000);
      return halted(market, async (truth) => {
        for (let turn = 0; turn < 100 && book.sequence !== truth.sequence; turn += 1) await sleep(50);
        requireBook(truth, book.sequence, book.levels(0).slice(0, truth.bids.length), book.levels(1).slice(0, truth.offers.length));
        return true;
      });
    });
    feed.subscribeAggregateTrades(SYMBOL, market);
    feed.subscribeSymbolBookTicker(SYMBOL, market);
    await sleep(500);
    await tradeOutside(market);
    await calls.run('subscribeAggregateTrades', () => first((event) => event.e === 'aggTrade'));
    await calls.run('subscribeSymbolBookTicker', () => first((event) => event.B !== undefined && event.u !== undefined));
    if (isSpot) feed.subscribeSpotUserDataStream();
    else feed.subscribeUsdFuturesUserDataStream();
    const buying = setInterval(() => own.submitNewOrder({ ...order }).catch(() => {}), 500);
    await calls.run(isSpot ? 'subscribeSpotUserDataStream' : 'subscribeUsdFuturesUserDataStream', () =>
      first((event) => event.e === (isSpot ? 'executionReport' : 'ORDER_TRADE_UPDATE')));
    clearInterval(buying);
  } finally {
    feed.closeAll(true);
  }
}

const markets = process.argv.slice(2);
for (const market of markets.length ? markets : ['spot', 'usdm']) await trade(market);
process.exit(0);
