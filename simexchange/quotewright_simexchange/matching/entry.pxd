cimport cython
from quotewright_simexchange.matching.auction cimport MarketBook

cdef long long ACCEPTED, ALWAYS_REQUEUES, AMENDED, AUCTION, BAND, BUY, CANCEL_ONLY, CROSS_CANCEL, CROSS_REJECT
cdef long long FOK, F_CONDITIONAL, F_FOK, F_GTD, F_HIDDEN, F_ICEBERG, F_IOC, F_MARKET, F_POST_ONLY, F_REDUCE
cdef long long GTC, GTD, HALT, INDEX, IOC, IS_HIDDEN, IS_REDUCE_ONLY, KEEP, LAST, LIMIT, MARKET, MET_REJECT
cdef long long MET_TRIGGER, MOST, NOT_POST_ONLY, NO_STP, OFF_STEP, POST_ONLY_PHASE, POST_ONLY_REPRICE
cdef long long QTY_DOWN_KEEPS, QTY_DOWN_ONLY, REJECTED, REPRICED, R_AMEND_BELOW_FILLED, R_BAD_FLAGS
cdef long long R_BAD_PRICE, R_BAD_QTY, R_DUPLICATE_ID, R_LOT, R_MAX_OPEN_ORDERS, R_MAX_QTY, R_MIN_NOTIONAL
cdef long long R_MIN_QTY, R_NONE, R_NOT_ALLOWED, R_ORDER_CLOSED, R_PHASE, R_POST_ONLY, R_PRICE_BAND
cdef long long R_REDUCE_ONLY, R_TICK, R_TRIGGER_MET, R_UNKNOWN_ORDER, SELL, STOP, STOP_LIMIT, STP_DECREMENT
cdef long long STP_SHIFT, TAKE_PROFIT_LIMIT, TRADING

cdef class EntryBook(MarketBook):
    cdef readonly long long lot_steps
    cdef readonly long long min_quantity
    cdef readonly long long max_quantity
    cdef bint is_notional_checked
    cdef bint is_notional_large
    cdef long long notional_below
    cdef readonly object min_notional
    cdef readonly long long max_open_orders
    cdef readonly long long amend_policy
    cdef readonly long long amend_post_only_cross
    cdef readonly long long stop_if_met
    cdef long long ticks
    @cython.locals(handle=cython.longlong)
    cdef long long _find(self, long long order_id, long long account, bint is_amend) except -1
    cdef long long _check(self, long long kind, long long price, long long quantity) except -1
    cdef bint _is_below_notional(self, object price, object quantity) except -1
    cdef long long _check_numbers(self, bint is_limit, bint is_stop, long long price, long long trigger, long long quantity) except -1
    cdef long long _room(self, long long side) except? -1
    cdef bint _is_in_band(self, long long side, long long price) except -1
    cdef bint _is_phase_refused(self, long long kind, long long tif, long long post_only) except -1
    cdef long long _check_flags(self, bint is_limit, long long quantity, long long tif, long long post_only, long long display, long long marks, long long expiry) except -1
    @cython.locals(flags=cython.longlong)
    cdef long long _compose(self, long long kind, bint is_limit, long long tif, long long post_only, long long stp, long long display, long long marks) except -1
    @cython.locals(is_stop=cython.bint, is_limit=cython.bint, other=cython.longlong, rank=cython.longlong,
                   reason=cython.longlong, slot=cython.longlong, is_met=cython.bint, is_repriced=cython.bint,
                   flags=cython.longlong, number=cython.longlong, order=cython.longlong, is_downward=cython.bint)
    cdef bint _new_order(self, long long order_id, long long account, long long side, long long kind, long long price, long long quantity, long long tif, long long post_only, long long stp, long long display, long long marks, long long trigger, long long trigger_by, long long expiry) except -1
    @cython.locals(side=cython.longlong, other=cython.longlong, flags=cython.longlong, rank=cython.longlong,
                   before=cython.longlong, total=cython.longlong, filled=cython.longlong, account=cython.longlong,
                   is_resting=cython.bint, is_market=cython.bint, wanted=cython.longlong, reason=cython.longlong,
                   leaves=cython.longlong, is_cut=cython.bint, is_kept=cython.bint)
    cdef long long _amend_order(self, long long order, long long price, long long quantity) except -1
    cdef bint _refuse_order(self, long long order_id, long long side, long long kind, long long tif, long long post_only) except -1
    cdef bint _refuse_row(self, long long row, long long operation) except -1
