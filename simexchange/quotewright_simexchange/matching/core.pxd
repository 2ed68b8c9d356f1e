cimport cython
from quotewright_simexchange.matching.accounts cimport Accounts
from quotewright_simexchange.matching.book cimport OrderBook

cdef long long BUY, SELL, ACCEPTED, ALWAYS_REQUEUES, AMEND, AMEND_REJECTED, AMENDED, C_ACCOUNT, C_KIND
cdef long long C_OPERATION, C_ORDER, C_POST_ONLY, C_PRICE, C_QUANTITY, C_SIDE, C_TIF, CANCEL, CANCEL_ALL
cdef long long CANCEL_REJECTED, CANCELED, COMMAND_WORDS, CROSS_CANCEL, CROSS_REJECT, FOK, GTC, KEEP, LIMIT
cdef long long MARKET, MOST, NEW, NOT_POST_ONLY, OFF_STEP, POST_ONLY_REPRICE, QTY_DOWN_KEEPS
cdef long long QTY_DOWN_ONLY, R_AMEND_BELOW_FILLED, R_BAD_FLAGS, R_BAD_PRICE, R_BAD_QTY, R_DUPLICATE_ID
cdef long long R_FOK, R_INSUFFICIENT_FUNDS, R_IOC, R_LOT, R_MAX_OPEN_ORDERS, R_MAX_QTY, R_MIN_NOTIONAL
cdef long long R_MIN_QTY, R_NO_LIQUIDITY, R_NONE, R_NOT_ALLOWED, R_ORDER_CLOSED, R_PHASE, R_POST_ONLY
cdef long long R_TICK, R_UNKNOWN_ORDER, R_USER, REJECTED, REPRICED, TRADED, TRADING

cdef class MatchingCore(OrderBook):
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
    cdef readonly Accounts money
    cdef readonly bint has_money
    cdef readonly bint is_derivative
    cdef readonly bint is_spot
    cdef readonly long long phase
    cdef readonly long long last_price
    cdef readonly long long trade_number
    cdef readonly long long accept_number
    cdef long long ticks
    cpdef long long new(self, long long order_id, long long account, long long side, long long kind, long long price, long long quantity, long long tif=*, long long post_only=*) except -1
    cpdef long long cancel(self, long long order_id, long long account) except -1
    cpdef long long cancel_all(self, long long account) except -1
    cpdef long long amend(self, long long order_id, long long account, long long price=*, long long quantity=*) except -1
    @cython.locals(row=cython.longlong, at=cython.longlong, operation=cython.longlong)
    cpdef long long run(self, const long long[::1] commands, long long first, long long last, long long most_events=*) except -1
    cpdef bint clear(self) except -1
    @cython.locals(other=cython.longlong, rank=cython.longlong, reason=cython.longlong, is_repriced=cython.bint,
                   number=cython.longlong, leaves=cython.longlong, order=cython.longlong)
    cdef bint _new(self, long long order_id, long long account, long long side, long long kind, long long price, long long quantity, long long tif, long long post_only) except -1
    @cython.locals(reason=cython.longlong)
    cdef bint _cancel(self, long long order_id, long long account) except -1
    @cython.locals(order=cython.longlong, after=cython.longlong)
    cdef bint _cancel_all(self, long long account) except -1
    @cython.locals(reason=cython.longlong, order=cython.longlong, side=cython.longlong, other=cython.longlong,
                   level=cython.longlong, rank=cython.longlong, before=cython.longlong, total=cython.longlong,
                   filled=cython.longlong, wanted=cython.longlong, leaves=cython.longlong, is_kept=cython.bint)
    cdef bint _amend(self, long long order_id, long long account, long long price, long long quantity) except -1
    @cython.locals(handle=cython.longlong)
    cdef long long _find(self, long long order_id, long long account) except -1
    cdef long long _check(self, long long kind, long long price, long long quantity) except -1
    cdef bint _is_below_notional(self, object price, object quantity) except -1
    @cython.locals(ticks=cython.longlong)
    cdef bint _is_price(self, long long rank) except -1
    @cython.locals(price=cython.longlong, level=cython.longlong, leaves=cython.longlong, order=cython.longlong,
                   fill=cython.longlong)
    cdef bint _is_covered(self, long long account, long long side, long long kind, long long rank, long long quantity, long long tif) except -1
    @cython.locals(level=cython.longlong)
    cdef bint _is_fillable(self, long long side, long long rank, long long quantity) except -1
    @cython.locals(other=cython.longlong, level=cython.longlong, ticks=cython.longlong, price=cython.longlong, order=cython.longlong,
                   traded=cython.longlong, after=cython.longlong, left=cython.longlong, fill=cython.longlong)
    cdef long long _match(self, long long order_id, long long account, long long side, long long rank, long long leaves) except -1
    @cython.locals(order_id=cython.longlong, account=cython.longlong, leaves=cython.longlong)
    cdef bint _cancel_order(self, long long order, long long reason) except -1
