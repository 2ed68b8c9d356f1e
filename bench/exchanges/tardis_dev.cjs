// Measures tardis-dev on a session: node tardis_dev.cjs FOLDER_OF_TARDIS_DEV SESSION.json, one round per line of input.
const { readFileSync, rmSync } = require('fs')
const { createInterface } = require('readline')
const { normalizeBookChanges, OrderBook } = require(process.argv[2])

const session = JSON.parse(readFileSync(process.argv[3], 'utf8'))
rmSync(process.argv[3])

function round() {
  const now = new Date('2026-09-01T00:00:00Z')
  const mapper = normalizeBookChanges(session.exchange, now)
  mapper.getFilters([session.symbol])
  const book = new OrderBook()
  const take = (text) => {
    const message = JSON.parse(text)
    if (mapper.canHandle(message)) {
      for (const change of mapper.map(message, now) || []) book.update(change)
    }
  }
  for (const [source, text] of session.opening) {
    take(source === 'rest' ? `{"stream":"btcusdt@depthSnapshot","generated":true,"data":${text}}` : text)
  }
  let bid, offer
  const start = process.hrtime.bigint()
  for (const text of session.frames) {
    take(text)
    bid = book.bestBid()
    offer = book.bestAsk()
  }
  const ns = Number(process.hrtime.bigint() - start)
  return { ns, bid: bid && bid.price, offer: offer && offer.price }
}

createInterface({ input: process.stdin }).on('line', () => console.log(JSON.stringify(round())))
