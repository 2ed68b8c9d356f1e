cimport cython
from quotewright.kernel.book cimport BookModel
from quotewright.kernel.markouts cimport Markouts
from quotewright.kernel.portfolio cimport Portfolio
from quotewright.kernel.rows cimport Rows
from quotewright.kernel.signals cimport Signal

cdef long long NEVER, SECOND_NS, HOUR_NS, PRINTED_PART
cdef int BUY, CLOSED, TRADING, POST_ONLY
cdef long long BEST_QUOTE, ORDER_DELETE, SNAPSHOT_BEGIN, GAP, RESYNC, TRADE, MARK, INDEX, FUNDING, CONNECTION, STATUS, INSTRUMENT_CHANGE, UNDERLYING
cdef long long NO_MARKET_BIT

@cython.locals(larger=cython.longlong, smaller=cython.longlong, found=cython.longlong)
cpdef long long multiple(long long new, long long old) except? -1

cdef class View:
    cdef public long long now_ns
    cdef readonly object instrument
    cdef readonly long long instrument_id
    cdef public long long tick_steps
    cdef readonly long long status
    cdef readonly long long status_ns
    cdef readonly long long tick_grid
    cdef readonly long long lot_grid
    cdef readonly bint terms_changed
    cdef readonly double price_scale
    cdef public long long lot_steps
    cdef readonly BookModel book
    cdef readonly Portfolio portfolio
    cdef readonly list portfolios
    cdef public Portfolio own
    cdef public bint is_reachable
    cdef public object account
    cdef public list live
    cdef public long long open_buy_lots
    cdef public long long open_sell_lots
    cdef public int risk_state
    cdef public long long order_count
    cdef readonly long long known_mid2
    cdef readonly long long last_book_ns
    cdef readonly long long last_trade_steps
    cdef readonly long long last_trade_ns
    cdef readonly long long quoted_bid
    cdef readonly long long quoted_offer
    cdef readonly long long quoted_ns
    cdef readonly long long mark_price
    cdef readonly long long index_price
    cdef readonly long long underlying_price
    cdef readonly long long funding_rate
    cdef readonly long long funding_ns
    cdef public bint books_funding
    cdef readonly long long funding_due_ns
    cdef readonly list payments
    cdef readonly long long messages
    cdef readonly long long rows
    cdef readonly long long trades
    cdef object printed_whole
    cdef long long printed_part
    cdef public long long next_check_ns
    cdef public list signals
    cdef public Markouts markouts
    cdef public list flows
    cdef public list watchers
    cdef readonly list declared
    cdef readonly bint is_started
    cdef readonly bint best_moved
    cdef readonly bint traded
    cdef readonly bint goodness_changed
    cdef readonly bint was_good
    cdef readonly Rows last_rows
    @cython.locals(kind=cython.longlong, is_book=cython.bint, index=cython.longlong, at=cython.longlong, good=cython.bint, price=cython.longlong, size=cython.longlong)
    cpdef bint on_message(self, Rows rows, long long first, long long last, long long receive_ns) except -1
    cpdef bint takes_orders(self) except -1
    @cython.locals(mid2=cython.longlong)
    cpdef double mid_ticks(self) except? -1
    cpdef long long best_bid_ticks(self) except? -1
    cpdef long long best_offer_ticks(self) except? -1
    @cython.locals(order=object)
    cpdef int command_side(self, object command) except? -1
    @cython.locals(order=object)
    cpdef object added_lots(self, object command)
    cpdef object worst_case_lots(self, object command)
    @cython.locals(position=cython.longlong)
    cpdef bint is_reduced_by(self, object command) except -1
    cpdef object notional(self, object price_ticks, object quantity_lots)
    @cython.locals(signal=Signal)
    cpdef bint on_trade(self, long long event_ns, int side, long long price, long long size) except -1
    @cython.locals(signal=Signal)
    cpdef bint on_best(self) except -1
    @cython.locals(mid2=cython.longlong, next_ns=cython.longlong, signal=Signal)
    cpdef bint catch_up(self, long long now_ns) except -1
