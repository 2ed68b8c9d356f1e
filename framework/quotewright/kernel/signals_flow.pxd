cimport cython
from quotewright.kernel.book cimport BookModel
from quotewright.kernel.signals cimport Signal

cdef int BUY, SELL

cdef class TradeFlow(Signal):
    cdef double[::1] bought
    cdef double[::1] sold
    cdef long long at
    cdef long long seen
    @cython.locals(bought=cython.double, sold=cython.double, index=cython.longlong)
    cpdef bint sample(self, long long mid2, BookModel book) except -1
    cpdef bint on_trade(self, long long now_ns, long long event_ns, int side, long long price, long long size) except -1

cdef class TradeRate(Signal):
    cdef readonly double volume
    cdef double[::1] arrivals
    cdef double[::1] sizes
    cdef long long at
    cdef long long seen
    cdef long long last_event_ns
    cdef long long last_side
    @cython.locals(arrivals=cython.double, size=cython.double, seconds=cython.double, index=cython.longlong)
    cpdef bint sample(self, long long mid2, BookModel book) except -1
    cpdef bint on_trade(self, long long now_ns, long long event_ns, int side, long long price, long long size) except -1

cdef class BestMoves(Signal):
    cdef long long at
    cdef long long pending_ns
    cdef bint has_before
    cdef bint has_pending
    cdef long long bid, bid_size, offer, offer_size
    cdef long long new_bid, new_bid_size, new_offer, new_offer_size
    cpdef bint on_best(self, long long now_ns, BookModel book) except -1
    cdef bint settle(self) except -1
    cdef bint moved(self) except -1

cdef class OrderFlowImbalance(BestMoves):
    cdef double[::1] flows
    cdef double[::1] depths
    cdef long long[::1] known
    cdef readonly double usual_depth
    @cython.locals(flow=cython.double)
    cdef bint moved(self) except -1
    @cython.locals(at=cython.longlong, flow=cython.double, depth=cython.double, count=cython.longlong, index=cython.longlong)
    cpdef bint sample(self, long long mid2, BookModel book) except -1

cdef class SpreadMoves(BestMoves):
    cdef double[::1] changes
    cdef double[::1] sizes
    cdef long long[::1] known
    cdef readonly double mean_bps
    @cython.locals(change=cython.longlong)
    cdef bint moved(self) except -1
    @cython.locals(at=cython.longlong, changes=cython.double, size=cython.double, count=cython.longlong, index=cython.longlong)
    cpdef bint sample(self, long long mid2, BookModel book) except -1
