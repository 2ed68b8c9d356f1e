cimport cython
from quotewright_simexchange.matching.accounts cimport Accounts
from quotewright_simexchange.matching.conditional cimport ConditionalBook

cdef long long ACTIVE, AUCTION, BUY, BY_LIMIT, BY_RANGE, CANCELED, F_FOK, F_HIDDEN, F_ICEBERG, F_IOC, F_MARKET
cdef long long F_POST_ONLY, F_REDUCE, F_STP, MOST, POST_ONLY_REJECT, RANGE, REACHED, REDUCED, REFRESHED
cdef long long REPRICED, R_FOK, R_INSUFFICIENT_FUNDS, R_INSUFFICIENT_MARGIN, R_IOC, R_NONE, R_NO_LIQUIDITY
cdef long long R_PHASE, R_POST_ONLY, R_PRICE_RANGE, R_PROTECTION, R_REDUCE_ONLY, R_STP, SELL, STP_BOTH
cdef long long STP_DECREMENT, STP_MAKER, STP_SHIFT, STP_TAKER, TRADED, TRADING, TRIGGERED, WAITING

cdef class TakingBook(ConditionalBook):
    cdef readonly Accounts money
    cdef readonly bint has_money
    cdef readonly bint is_derivative
    cdef readonly bint is_spot
    cdef readonly long long phase
    cdef readonly long long trade_number
    cdef readonly long long accept_number
    cdef long long reduce_count
    cdef long long[::1] groups
    cdef long long group_count
    cdef bint _is_same_trader(self, long long one, long long other) except -1
    @cython.locals(flags=cython.longlong, side=cython.longlong, is_market=cython.bint, rank=cython.longlong,
                   is_limited=cython.bint, is_protected=cython.bint, low=cython.longlong, high=cython.longlong, stopped=cython.longlong,
                   leaves=cython.longlong, stp=cython.longlong, account=cython.longlong, price=cython.longlong)
    cdef bint _act(self, long long order) except -1
    @cython.locals(ticks=cython.longlong)
    cdef bint _is_price(self, long long rank, long long side) except -1
    @cython.locals(side=cython.longlong, leaves=cython.longlong)
    cdef bint _rest(self, long long order) except -1
    @cython.locals(account=cython.longlong, level=cython.longlong)
    cdef bint _end(self, long long order, long long reason) except -1
    cdef bint _retire(self, long long order) except -1
    @cython.locals(leaves=cython.longlong, side=cython.longlong, account=cython.longlong)
    cdef bint _lose(self, long long order, long long by, long long reason) except -1
    @cython.locals(level=cython.longlong, flags=cython.longlong)
    cdef bint _shrink(self, long long order, long long by) except -1
    @cython.locals(side=cython.longlong, other=cython.longlong, stp=cython.longlong, level=cython.longlong,
                   price=cython.longlong, maker=cython.longlong)
    cdef long long _take(self, long long taker, long long rank, long long low, long long high) except -1
    @cython.locals(fill=cython.longlong, left=cython.longlong, leaves=cython.longlong, maker_account=cython.longlong,
                   account=cython.longlong, side=cython.longlong)
    cdef bint _trade(self, long long taker, long long maker, long long price) except -1
    @cython.locals(left=cython.longlong, level=cython.longlong, flags=cython.longlong)
    cdef bint _fill_resting(self, long long order, long long fill) except -1
    @cython.locals(by=cython.longlong)
    cdef bint _prevent(self, long long taker, long long maker, long long stp) except -1
    @cython.locals(other=cython.longlong, total=cython.longlong, level=cython.longlong, price=cython.longlong,
                   order=cython.longlong, hidden=cython.longlong, again=list, fill=cython.longlong,
                   maker=cython.longlong, left=cython.longlong)
    cdef long long _would_trade(self, long long account, long long side, long long rank, long long leaves, long long stp, long long low, long long high, bint is_costed) except -1
    @cython.locals(other=cython.longlong, price=cython.longlong, stp=cython.longlong, low=cython.longlong,
                   high=cython.longlong, is_costed=cython.bint)
    cdef long long _money_fault(self, long long account, long long side, bint is_market, long long rank, long long leaves, long long flags, long long order) except -1
    @cython.locals(position=cython.longlong)
    cdef long long _closable(self, long long account, long long side) except -1
    @cython.locals(order=cython.longlong, after=cython.longlong, most=cython.longlong)
    cdef bint _enforce(self, long long account, long long active) except -1
    @cython.locals(order=cython.longlong)
    cdef bint _run_elected(self) except -1
    @cython.locals(account=cython.longlong, side=cython.longlong, flags=cython.longlong, rank=cython.longlong,
                   is_market=cython.bint, other=cython.longlong, reason=cython.longlong, price=cython.longlong,
                   leaves=cython.longlong)
    cdef bint _act_elected(self, long long order) except -1
    @cython.locals(price=cython.longlong, leaves=cython.longlong)
    cdef bint _lock(self, long long order) except -1
    cdef bint _release(self, long long order) except -1
    cdef bint _can_place(self, long long order, long long price, long long leaves) except -1
    cdef bint _book_trade(self, long long maker, long long left, long long account, long long side, long long price, long long fill) except -1
