cimport cython
from quotewright.kernel.rows cimport TapeBuffer
from quotewright.kernel.scanner cimport Scanner

cdef long long BEST_QUOTE, BID, BID_IV, CLOSED, CONNECTION, DELTA, EVENT_ESTIMATED, FLAG_SHIFT, FUNDING, GAMMA, GAP, IN_SNAPSHOT, INDEX
cdef long long INSTRUMENT_CHANGE, INSTRUMENT_SHIFT, LAST_BIT, LAST_PRICE, LEVEL_DELETE, LEVEL_SET, LIQUIDATION, MARK, MARK_IV
cdef long long OFFER, OFFER_IV, OPEN_INTEREST, PREDICTED_FUNDING, RATE_SCALE, REFERENCE_SCALE, RESYNC, RHO, ROW_WORDS, SELL
cdef long long SIDE_SHIFT, SNAPSHOT_BEGIN, STATUS, THETA, TRADE, UNDERLYING, VEGA

cdef class Listed:
    cdef readonly long long instrument
    cdef readonly long long price_decimals
    cdef readonly long long size_decimals

cdef class TapeSink:
    cdef readonly TapeBuffer buffer
    cdef Scanner scanner
    cdef readonly dict unlisted
    cdef dict listed
    cdef long long listings
    cdef readonly bint is_open
    cdef long long start
    cdef long long event_ns
    cdef long long receive_ns
    cdef long long id
    cdef long long base
    cdef long long price_decimals
    cdef long long size_decimals
    cdef bint in_snapshot
    cdef long long quoted_size
    @cython.locals(decimals=cython.longlong)
    cpdef bint list_symbol(self, str symbol, long long instrument, long long price_decimals, long long size_decimals) except -1
    @cython.locals(listed=Listed, base=cython.longlong)
    cpdef bint begin(self, str symbol, long long event_ns, long long receive_ns, long long flags=*, long long id=*, long long stamp_ns=*) except -1
    @cython.locals(flag=cython.longlong)
    cpdef snapshot(self)
    cpdef bid(self, object price, object size)
    cpdef offer(self, object price, object size)
    @cython.locals(price_steps=cython.longlong, size_steps=cython.longlong)
    cdef bint level(self, long long side, object price, object size, str price_name, str size_name) except -1
    cpdef bids(self, object levels)
    cpdef offers(self, object levels)
    @cython.locals(count=cython.longlong, pairs=cython.longlong[::1], buffer=TapeBuffer, store=cython.longlong[::1], at=cython.longlong, shifted=cython.longlong, word=cython.longlong, index=cython.longlong, size=cython.longlong)
    cdef bint side_levels(self, long long side, object levels, str field) except -1
    cpdef trade(self, long long side, object price, object size, long long id, long long flags=*, str name=*)
    cpdef liquidation(self, long long side, object price, object size, long long id=*, str name=*)
    @cython.locals(price_steps=cython.longlong, size_steps=cython.longlong, base=cython.longlong)
    cdef bint print_row(self, long long kind, long long side, object price, object size, long long id, long long flags, str price_name, str size_name) except -1
    @cython.locals(bid_steps=cython.longlong, bid_size_steps=cython.longlong, offer_steps=cython.longlong)
    cpdef best(self, object bid, object bid_size, object offer, object offer_size)
    cdef long long quote(self, object price, object size, str price_name, str size_name) except -1
    cpdef mark(self, object price)
    cpdef index(self, object price)
    cpdef last(self, object price)
    @cython.locals(value=cython.longlong)
    cdef bint reference(self, long long kind, object price, str name) except -1
    @cython.locals(value=cython.longlong)
    cdef bint told_price(self, long long kind, object price, str name) except -1
    @cython.locals(value=cython.longlong)
    cdef long long at_least_zero(self, object number, str name) except -1
    @cython.locals(value=cython.longlong)
    cpdef funding(self, object rate, long long next_ns)
    @cython.locals(value=cython.longlong)
    cpdef predicted_funding(self, object rate)
    @cython.locals(value=cython.longlong)
    cpdef open_interest(self, object size)
    cpdef option(self, object summary)
    cdef bint volatility(self, long long kind, object value, str name) except -1
    cdef bint greek(self, long long kind, object value, str name) except -1
    cpdef status(self, long long status)
    @cython.locals(tick_steps=cython.longlong, lot_steps=cython.longlong)
    cpdef change(self, object tick, object lot)
    cpdef connection(self, bint is_up, long long number=*)
    cpdef gap(self, long long missing=*)
    cpdef resync(self)
    @cython.locals(shifted=cython.longlong)
    cdef bint row(self, long long kind, long long side, long long price, long long size, long long id) except -1
    cpdef end(self)
    cpdef abandon(self)
