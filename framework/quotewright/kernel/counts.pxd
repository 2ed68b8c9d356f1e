cimport cython
from quotewright.kernel.orders cimport Order
from quotewright.kernel.view cimport View

cdef int BUY

cdef class QuoteCounts:
    cdef readonly long long samples
    cdef readonly long long stale
    cdef readonly list quoting
    cdef readonly list at_touch
    cdef readonly long long two_sided
    cdef readonly list distance_ticks
    cdef readonly list within
    cdef readonly dict sizes
    cdef readonly double market_spread_bps
    cdef readonly double own_spread_bps
    cdef readonly long long good
    @cython.locals(bid=cython.longlong, offer=cython.longlong, mid=cython.double, place=cython.Py_ssize_t, ticks=cython.double, distance=cython.double, lots=object)
    cpdef bint add(self, View view, long long own_bid, long long own_offer) except -1
    @cython.locals(counts=list, is_near=cython.bint, is_far=cython.bint)
    cpdef bint count_within(self, Py_ssize_t place, double ticks, long long bid, long long offer, long long own_bid, long long own_offer) except -1

cdef class OrderCounts:
    cdef readonly long long placed
    cdef readonly long long cancelled
    cdef readonly long long amended
    cdef readonly object ordered_lots
    cdef readonly object filled_lots
    cdef readonly long long fills
    cdef readonly long long filled_orders
    cdef readonly object times_ns
    @cython.locals(order=Order)
    cpdef bint on_command(self, object command, View view) except -1
    cpdef bint on_fill(self, long long now_ns, object report, Order order) except -1

cdef class InventoryCounts:
    cdef readonly long long samples
    cdef readonly object absolute_lots
    cdef readonly object largest_lots
    cdef readonly object long_samples
    cdef readonly object short_samples
    cdef readonly object squares
    cdef readonly object products
    cdef readonly object last_lots
    cdef readonly long long first_ns
    cdef readonly long long last_ns
    cpdef bint add(self, long long now_ns, object lots) except -1

@cython.locals(step=object)
cpdef object rounded(object lots)
@cython.locals(bids=cython.longlong, offers=cython.longlong, order=Order)
cpdef object two_sided_lots(View view)
@cython.locals(bid=cython.longlong, offer=cython.longlong, order=Order)
cpdef tuple own_quotes(View view)
