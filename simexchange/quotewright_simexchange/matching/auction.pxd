cimport cython
from quotewright_simexchange.matching.taking cimport TakingBook

cdef long long AUCTION, BEYOND, BUY, CROSSED, FUNDED, F_MARKET, INSURED, LIQUIDATED, MARK, MOST, PHASE_CHANGED
cdef long long REF, R_EXPIRED, R_LIQUIDATION, R_SETTLED, SELL, SETTLED, TRADING, UNCROSSED, WAITING
cdef object REFERENCE_UNIT

cdef class MarketBook(TakingBook):
    cdef list account_order
    cdef bint _take_reference(self, long long source, object price) except -1
    @cython.locals(order=cython.longlong)
    cdef bint _tell_time(self, long long now) except -1
    cdef bint _set_phase(self, long long phase) except -1
    @cython.locals(order=cython.longlong, after=cython.longlong)
    cdef bint _cancel_every(self, long long account, long long reason) except -1
    @cython.locals(found=list, account=cython.longlong, order=cython.longlong, _=object)
    cdef bint _cancel_market(self, long long reason) except -1
    @cython.locals(account=cython.longlong, position=cython.longlong, side=cython.longlong, leaves=cython.longlong,
                   order=cython.longlong)
    cdef bint _liquidate(self) except -1
    cdef bint _tell_amount(self, long long kind, long long account) except -1
    @cython.locals(account=cython.longlong)
    cdef bint _fund(self, object rate) except -1
    @cython.locals(account=cython.longlong)
    cdef bint _settle(self, object price) except -1
    @cython.locals(price=cython.longlong, volume=cython.longlong, bid=cython.longlong, offer=cython.longlong)
    cdef bint _uncross(self) except -1
    @cython.locals(fill=cython.longlong, buyer=cython.longlong, seller=cython.longlong, buy_left=cython.longlong,
                   sell_left=cython.longlong, buy_price=cython.longlong, sell_price=cython.longlong)
    cdef long long _cross(self, long long buy, long long sell, long long price, long long most) except -1
