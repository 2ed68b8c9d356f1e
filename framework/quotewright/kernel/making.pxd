cimport cython
from quotewright.kernel.amounts cimport BoundAmount
from quotewright.kernel.strategy cimport Quotes
from quotewright.kernel.view cimport View

cdef long long WHOLE, FAR

cdef class Level:
    cdef readonly object share
    cdef readonly long long lots
    cdef readonly object worth

cdef class Leaning

cdef class LevelQuotes:
    cdef readonly BoundAmount size
    cdef readonly bint is_value
    cdef readonly double level_step
    cdef readonly long long least_lots
    cdef readonly long long most_lots
    cdef readonly object least_money
    cdef readonly list tick_zones
    cdef readonly list levels
    @cython.locals(lots=cython.longlong, worth=object)
    cpdef Level level(self, View view, object first, object share)
    @cython.locals(step=cython.double, money=object, buy_room=cython.longlong, sell_room=cython.longlong, limit=object, is_coarse=cython.bint)
    cpdef bint state(self, View view, Quotes quotes, object bid_at, object offer_at, double half, BoundAmount room=*, object position_lots=*) except -1
    @cython.locals(position=object, mid=cython.double, half=cython.double, centre=cython.double)
    cpdef bint around_mid(self, View view, Quotes quotes, double half_share, Leaning leaning, BoundAmount room=*) except -1
    @cython.locals(place=cython.longlong, price=cython.longlong, level=Level, wanted=cython.double, lots=cython.longlong)
    cpdef bint bids(self, View view, Quotes quotes, double first, double step, object money, long long room, bint is_coarse) except -1
    @cython.locals(place=cython.longlong, price=cython.longlong, level=Level, wanted=cython.double, lots=cython.longlong)
    cpdef bint offers(self, View view, Quotes quotes, double first, double step, object money, long long room, bint is_coarse) except -1
    @cython.locals(found=cython.longlong, from_ticks=cython.longlong, multiple=cython.longlong)
    cpdef long long grid(self, View view, long long price_ticks) except -1
    cpdef long long bounded(self, object lots) except -1
    @cython.locals(lots=cython.longlong, one=object)
    cpdef long long lots_at(self, View view, long long price_ticks, object money, Level level, long long room) except -1

cdef class Leaning:
    cdef readonly BoundAmount limit
    cdef readonly double skew
    cdef readonly double exponent
    cdef readonly double dead_zone
    @cython.locals(ratio=cython.double)
    cpdef double lean(self, View view, object position_lots) except? -1.0

@cython.locals(beyond=cython.double, share=cython.double)
cpdef double leaning(double ratio, double exponent, double dead_zone) except? -1.0
cpdef double inventory_ratio(object position_lots, object limit_lots) except? -1.0
cdef long long _within(object lots) except -1
cdef bint _require_finite(double ticks) except -1
