cimport cython
from quotewright_simexchange.matching.book cimport OrderBook

cdef long long BAND, BEYOND, BUY, BY_POINTS, BY_SHARE, ELECTED, F_GTD, INDEX, LAST, MARK, MOST, RANGE, REF
cdef long long SPARE, WAITING
cdef object RATE_UNIT, REFERENCE_UNIT

cdef class ConditionalBook(OrderBook):
    cdef readonly long long last_price
    cdef readonly long long now
    cdef list exact
    cdef long long[::1] reaches
    cdef long long[::1] aims
    cdef list heaps
    cdef long long[::1] slot_counts
    cdef readonly long long waiting_count
    cdef long long elected_first
    cdef long long elected_last
    cdef list expiries
    cdef long long expiry_room
    cdef long long[::1] rule_on
    cdef long long[::1] rule_source
    cdef long long[::1] rule_seen
    cdef list shares
    cdef long long[::1] bounds
    cdef long long protection
    cdef bint protection_of_last
    cdef bint protection_rests
    cdef object protection_size
    @cython.locals(rule=cython.longlong)
    cdef bint _set_reference(self, long long source, object price) except -1
    cdef bint _print(self, long long price) except -1
    @cython.locals(slot=cython.longlong, trigger=cython.longlong)
    cdef bint _is_met(self, long long order) except -1
    cdef long long _reach(self, long long slot) except ? -1
    @cython.locals(slot=cython.longlong, heap=list, trigger=cython.longlong)
    cdef bint _wait(self, long long order) except -1
    cdef bint _is_waiting(self, long long order_id) except -1
    @cython.locals(slot=cython.longlong, heap=list)
    cdef bint _stop_waiting(self, long long order, long long level) except -1
    @cython.locals(slot=cython.longlong, reach=cython.longlong, order=cython.longlong)
    cdef bint _elect(self, long long source) except -1
    cdef bint _queue_elected(self, long long order) except -1
    cdef bint _expire_later(self, long long order) except -1
    cpdef long long next_expiry(self) except ? -1
    @cython.locals(end=cython.longlong, order=cython.longlong)
    cdef long long _due(self) except -1
    cdef bint _set_rule(self, long long rule, long long source, object low_buy, object high_buy, object low_sell, object high_sell) except -1
    @cython.locals(source=cython.longlong, seen=cython.longlong, price=object, unit=object, index=cython.longlong,
                   share=object, is_low=cython.bint, edge=object)
    cdef bint _refresh(self, long long rule) except -1
    cdef long long _low(self, long long rule, long long side) except ? -1
    cdef long long _high(self, long long rule, long long side) except ? -1
    @cython.locals(ticks=cython.longlong, away=cython.longlong)
    cdef long long _protected_rank(self, long long side) except ? -1
